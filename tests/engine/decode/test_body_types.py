from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.decode.body_types import possible_landmarks, without_impossible
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.schema import Category, Schema

GARMENTS = Schema.load("garments")


def deepfashion2_like() -> Schema:
    """13 categories, each with its own body type: 25 landmarks, then 12 more body types of 4."""
    parts = [range(25), *(range(25 + 4 * i, 29 + 4 * i) for i in range(12))]
    names = [f"type {i}" for i in range(13)]
    return Schema(
        name="many",
        landmarks=tuple(f"l{i}" for i in range(73)),
        skeletons=(("A", tuple((p[i], p[i + 1]) for p in parts for i in range(len(p) - 1))),),
        default_skeleton="A",
        flips=tuple(range(73)),
        sigmas=(0.1,) * 73,
        body_types=tuple((n, tuple(p)) for n, p in zip(names, parts, strict=True)),
        categories=tuple(Category(n, (n,)) for n in names),
        colors=("#ffffff",) * 73,
    )


def garment(have: list[int] | range, category: np.ndarray, k: int) -> PredictedGarment:
    scores = np.zeros(k, np.float32)
    scores[list(have)] = 0.8
    found = scores[:, None] > 0
    return PredictedGarment(
        xy=np.where(found, 5, 0).astype(np.float32).repeat(2, axis=1),
        scores=scores,
        spread=scores * 2,
        category=category.astype(np.float32),
        score=0.8,
    )


def test_25_landmarks_of_a_body_type_at_019_stay_among_13() -> None:
    schema = deepfashion2_like()
    category = np.full(13, (1 - 0.19 - 0.25) / 11)
    category[[0, 3]] = 0.19, 0.25
    kept = without_impossible(garment(range(25), category, 73), schema, min_landmarks=2)
    assert kept is not None
    assert kept.found.sum() == 25


def test_what_no_possible_body_type_has_is_left_out() -> None:
    upper = GARMENTS.landmarks_of("upper")
    category = np.zeros(len(GARMENTS.categories))
    (tee,) = [i for i, c in enumerate(GARMENTS.categories) if c.body_types == ("upper",)][:1]
    category[tee] = 1
    kept = without_impossible(garment(range(8), category, 8), GARMENTS, min_landmarks=2)
    assert kept is not None
    assert np.flatnonzero(kept.found).tolist() == list(upper)
    others = ~kept.found
    assert not kept.xy[others].any()
    assert not kept.spread[others].any()


def test_a_garment_with_too_few_possible_landmarks_is_dropped() -> None:
    schema = deepfashion2_like()
    category = np.zeros(13)
    category[1] = 1  # landmarks 25..28
    for have, least, stays in (
        ([0, 1, 2], 1, False),
        ([0, 1, 25], 2, False),
        ([0, 25, 26], 2, True),
        ([0, 25], 1, True),
    ):
        kept = without_impossible(garment(have, category, 73), schema, min_landmarks=least)
        assert (kept is not None) == stays


@pytest.mark.parametrize("category", [[], np.zeros(15), np.full(15, np.nan)])
def test_a_category_that_says_nothing_leaves_out_nothing(category) -> None:
    assert possible_landmarks(GARMENTS, np.asarray(category, np.float32)).all()


def possible_slowly(schema: Schema, category: np.ndarray) -> set[int]:
    mass = {
        name: sum(
            p for p, c in zip(category, schema.categories, strict=True) if name in c.body_types
        )
        for name in schema.body_type_names
    }
    names = [n for n in mass if mass[n] >= 0.25 * max(mass.values())]
    return {k for n in names for k in schema.landmarks_of(n)}


@pytest.mark.parametrize("seed", range(20))
def test_body_types_compete_by_their_share_of_the_likeliest(seed) -> None:
    random = np.random.default_rng(seed)
    for schema in (GARMENTS, deepfashion2_like()):
        category = random.dirichlet(np.full(len(schema.categories), 0.3))
        found = set(np.flatnonzero(possible_landmarks(schema, category)).tolist())
        assert found == possible_slowly(schema, category)
