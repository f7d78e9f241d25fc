from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.evaluation.matching import (
    SAME_IOU,
    SAME_OKS,
    match_garments,
    oks_matrix,
    same_garment,
)


def slow_oks(pred, true, visibility, area, sigmas) -> float:
    total, n = 0.0, 0
    for k in range(len(sigmas)):
        if visibility[k] > 0:
            d2 = (pred[k][0] - true[k][0]) ** 2 + (pred[k][1] - true[k][1]) ** 2
            total += math.exp(-d2 / (2 * area * (2 * sigmas[k]) ** 2))
            n += 1
    return total / n if n else 0.0


def test_oks_in_closed_form() -> None:
    true = np.zeros((1, 2, 2))
    assert oks_matrix(true, true, [[2, 1]], [100.0], [0.1, 0.1]) == pytest.approx(1)
    off = np.array([[[2.0, 0.0], [50, 50]]])  # d = 2 sigma sqrt(area): exp(-1/2); far: 0
    got = oks_matrix(off, true, [[2, 2]], [100.0], [0.1, 0.1])
    assert got == pytest.approx(math.exp(-0.5) / 2)
    assert oks_matrix(off, true, [[2, 0]], [100.0], [0.1, 0.1]) == pytest.approx(math.exp(-0.5))
    assert oks_matrix(off, true, [[0, 0]], [100.0], [0.1, 0.1]) == 0
    assert oks_matrix(np.zeros((0, 2, 2)), true, [[2, 2]], [1.0], [1, 1]).shape == (0, 1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
def test_oks_is_that_of_loops(seed, p, g, k) -> None:
    random = np.random.default_rng(seed)
    pred, true = random.normal(0, 5, (p, k, 2)), random.normal(0, 5, (g, k, 2))
    visibility = random.integers(0, 3, (g, k))
    area, sigmas = random.uniform(10, 1000, g), random.uniform(0.02, 0.2, k)
    got = oks_matrix(pred, true, visibility, area, sigmas)
    for i in range(p):
        for j in range(g):
            slow = slow_oks(pred[i], true[j], visibility[j], area[j], sigmas)
            assert got[i, j] == pytest.approx(slow)


def test_the_surest_prediction_chooses_first() -> None:
    similarity = [[0.9, 0.6], [0.95, 0.4], [0.2, 0.7]]
    assert match_garments(similarity, [0.9, 0.8, 0.7]).tolist() == [0, -1, 1]
    assert match_garments(similarity, [0.8, 0.9, 0.7]).tolist() == [1, 0, -1]
    assert match_garments(np.zeros((2, 0)), [1, 2]).tolist() == [-1, -1]


@given(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 5))
def test_matches_are_those_of_loops_and_one_to_one(seed, p, g) -> None:
    random = np.random.default_rng(seed)
    similarity, scores = random.random((p, g)), random.random(p)
    free = set(range(g))
    expected = [-1] * p
    for i in sorted(range(p), key=lambda i: -scores[i]):
        best = max(free, key=lambda j: similarity[i][j], default=None)
        if best is not None and similarity[i][best] >= 0.5:
            expected[i] = best
            free.remove(best)
    matches = match_garments(similarity, scores)
    assert matches.tolist() == expected
    found = [m for m in expected if m >= 0]
    assert len(found) == len(set(found))


def slow_same(a, b, sigmas) -> bool:
    def box(xy, there):
        xs = [x for (x, _), t in zip(xy, there, strict=True) if t]
        ys = [y for (_, y), t in zip(xy, there, strict=True) if t]
        return min(xs), min(ys), max(xs), max(ys)

    def area(box):
        return (box[2] - box[0]) * (box[3] - box[1])

    if not any(a[1]) or not any(b[1]):
        return False
    p, q = box(*a), box(*b)
    wide = min(p[2], q[2]) - max(p[0], q[0])
    high = min(p[3], q[3]) - max(p[1], q[1])
    overlap = max(wide, 0) * max(high, 0)
    union = area(p) + area(q) - overlap
    if union > 0 and overlap / union >= SAME_IOU:
        return True
    similarity = 0.0
    for k, sigma in enumerate(sigmas):
        if a[1][k] and b[1][k]:
            d2 = (a[0][k][0] - b[0][k][0]) ** 2 + (a[0][k][1] - b[0][k][1]) ** 2
            similarity += math.exp(-d2 / (2 * (2 * sigma) ** 2 * max(area(p), area(q), 1)))
    return similarity / min(sum(a[1]), sum(b[1])) > SAME_OKS


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0, 8))
def test_the_same_garment_is_that_of_loops_either_way_round(seed, k, moved) -> None:
    random = np.random.default_rng(seed)
    xy = random.uniform(0, 20, (k, 2))
    a = (xy, random.random(k) < 0.7)
    b = (xy + random.normal(0, moved, (k, 2)), random.random(k) < 0.7)
    sigmas = random.uniform(0.02, 0.2, k)
    assert same_garment(a, b, sigmas) == slow_same(a, b, sigmas)
    assert same_garment(a, b, sigmas) == same_garment(b, a, sigmas)
    assert same_garment(a, a, sigmas) == bool(a[1].any())
