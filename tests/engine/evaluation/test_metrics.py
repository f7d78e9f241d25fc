from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.evaluation import metrics
from napari_fashion.engine.evaluation.metrics import Report

ERRORS = np.array([[0.01, 0.03, 0.9], [0.02, 0.05, 0.1]])
VISIBILITY = np.array([[2, 2, 0], [2, 1, 2]])
COUNTS = VISIBILITY == 2


# -- landmark errors -----------------------------------------------------------------------------


def test_errors_are_divided_by_width_and_height() -> None:
    true = np.zeros((2, 1, 2))
    pred = np.array([[[30, 40]], [[30, 0]]])
    assert metrics.normalised_errors(pred, true, (100, 100)).tolist() == [[0.5], [0.3]]
    assert metrics.normalised_errors(pred, true, [(100, 100), (300, 7)]).tolist() == [[0.5], [0.1]]
    assert metrics.normalised_errors([[0.3, 0.4]], [[0.0, 0.0]]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("pred", "size", "message"),
    [(np.zeros((2, 2, 2)), 1, "both to be"), (np.zeros((1, 3, 2)), (1, 0), "above 0")],
)
def test_what_has_no_error_is_refused(pred, size, message) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.normalised_errors(pred, np.zeros((1, 3, 2)), size)


def test_closed_form() -> None:
    assert metrics.masked(ERRORS, VISIBILITY).tolist() == COUNTS.tolist()
    assert metrics.masked(ERRORS, VISIBILITY, hidden=True).sum() == 5
    assert metrics.error_by_landmark(ERRORS, COUNTS) == pytest.approx([0.015, 0.03, 0.1])
    assert metrics.average_error(ERRORS, COUNTS) == pytest.approx(0.145 / 3)
    assert metrics.pooled_error(ERRORS, COUNTS) == pytest.approx(0.04)
    assert metrics.median_error(ERRORS, COUNTS) == pytest.approx(0.025)
    assert metrics.share_within(ERRORS, COUNTS, 0.02) == 0.5
    assert metrics.share_within(ERRORS, COUNTS, 0.1) == 1
    assert metrics.garments_within(ERRORS, COUNTS, 0.03) == 0.5
    assert metrics.garments_within(ERRORS, COUNTS, 0.02) == 0


def test_a_landmark_never_seen_has_no_figure_and_no_weight() -> None:
    counts = COUNTS & [True, False, True]
    assert metrics.error_by_landmark(ERRORS, counts)[1] is None
    assert metrics.average_error(ERRORS, counts) == pytest.approx((0.015 + 0.1) / 2)


def test_a_counting_landmark_needs_a_prediction() -> None:
    errors = np.where(VISIBILITY == 0, np.nan, ERRORS)
    assert metrics.average_error(errors, metrics.masked(errors, VISIBILITY)) is not None
    with pytest.raises(ValueError, match="not finite"):
        metrics.masked(np.full((2, 3), np.nan), VISIBILITY)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 5))
def test_landmark_figures_are_those_of_loops(seed, n, k) -> None:
    random = np.random.default_rng(seed)
    errors = random.random((n, k))
    counts = random.random((n, k)) < 0.6
    columns = [[errors[i, j] for i in range(n) if counts[i, j]] for j in range(k)]
    points = [e for column in columns for e in column]
    means = [sum(c) / len(c) for c in columns if c]
    rows = [[errors[i, j] for j in range(k) if counts[i, j]] for i in range(n)]
    rows = [row for row in rows if row]

    def mean(values):
        return pytest.approx(sum(values) / len(values)) if values else None

    assert metrics.average_error(errors, counts) == mean(means)
    assert metrics.pooled_error(errors, counts) == mean(points)
    assert metrics.share_within(errors, counts, 0.4) == mean([e <= 0.4 for e in points])
    assert metrics.garments_within(errors, counts, 0.4) == mean([max(r) <= 0.4 for r in rows])
    assert metrics.median_error(errors, counts) == (
        pytest.approx(sorted(points)[len(points) // 2] if len(points) % 2 else
                      sum(sorted(points)[len(points) // 2 - 1 : len(points) // 2 + 1]) / 2)
        if points
        else None
    )  # fmt: skip


# -- categories ----------------------------------------------------------------------------------


def test_ranks_and_top() -> None:
    table = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [1, 0, 0]]
    ranks = metrics.category_ranks(table, [0, 0, 0, -1])
    assert ranks.tolist() == [0, 2, 2]  # of two that tie, the other one counts as likelier
    assert metrics.top(ranks, 1) == pytest.approx(1 / 3)
    assert metrics.top(ranks, 3) == 1
    assert metrics.top([], 1) is None


def test_a_model_that_knows_nothing_is_not_right() -> None:
    assert metrics.top(metrics.category_ranks(np.full((4, 15), 1 / 15), [0, 1, 2, 3]), 5) == 0


# -- several garments ----------------------------------------------------------------------------


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
    assert metrics.oks_matrix(true, true, [[2, 1]], [100.0], [0.1, 0.1]) == pytest.approx(1)
    off = np.array([[[2.0, 0.0], [50, 50]]])  # d = 2 sigma sqrt(area): exp(-1/2); far: 0
    got = metrics.oks_matrix(off, true, [[2, 2]], [100.0], [0.1, 0.1])
    assert got == pytest.approx(math.exp(-0.5) / 2)
    assert metrics.oks_matrix(off, true, [[2, 0]], [100.0], [0.1, 0.1]) == pytest.approx(
        math.exp(-0.5)
    )
    assert metrics.oks_matrix(off, true, [[0, 0]], [100.0], [0.1, 0.1]) == 0
    assert metrics.oks_matrix(np.zeros((0, 2, 2)), true, [[2, 2]], [1.0], [1, 1]).shape == (0, 1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6))
def test_oks_is_that_of_loops(seed, p, g, k) -> None:
    random = np.random.default_rng(seed)
    pred, true = random.normal(0, 5, (p, k, 2)), random.normal(0, 5, (g, k, 2))
    visibility = random.integers(0, 3, (g, k))
    area, sigmas = random.uniform(10, 1000, g), random.uniform(0.02, 0.2, k)
    got = metrics.oks_matrix(pred, true, visibility, area, sigmas)
    for i in range(p):
        for j in range(g):
            slow = slow_oks(pred[i], true[j], visibility[j], area[j], sigmas)
            assert got[i, j] == pytest.approx(slow)


def test_the_surest_prediction_chooses_first() -> None:
    similarity = [[0.9, 0.6], [0.95, 0.4], [0.2, 0.7]]
    assert metrics.match_garments(similarity, [0.9, 0.8, 0.7]).tolist() == [0, -1, 1]
    assert metrics.match_garments(similarity, [0.8, 0.9, 0.7]).tolist() == [1, 0, -1]
    assert metrics.match_garments(np.zeros((2, 0)), [1, 2]).tolist() == [-1, -1]


def test_precision_and_recall() -> None:
    matches = [np.array([0, -1, 1]), np.array([], int), np.array([0])]
    assert metrics.precision_recall(matches, 6) == (0.75, 0.5)
    assert metrics.precision_recall([], 3) == (None, 0)
    assert metrics.precision_recall([np.array([-1])], 0) == (0, None)


def coco(xy: np.ndarray, **more) -> dict:
    keypoints = np.concatenate([xy, np.full((len(xy), 1), 2)], axis=1).ravel().tolist()
    return {"image_id": 1, "category_id": 1, "keypoints": keypoints, **more}


def document(*garments: np.ndarray) -> dict:
    return {
        "images": [{"id": 1, "width": 100, "height": 100}],
        "categories": [{"id": 1, "name": "Top"}, {"id": 2, "name": "Dress"}],
        "annotations": [coco(xy, id=i + 1) for i, xy in enumerate(garments)],
    }


def test_average_precision_knows_perfect_half_and_nothing(capsys) -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    truth = document(first, first + 50)
    sigmas = (0.08,) * 3
    perfect = [coco(first, score=0.9), coco(first + 50, score=0.8)]
    assert metrics.average_precision(truth, perfect, sigmas) == pytest.approx(
        {"ap": 1, "ap50": 1, "ap75": 1, "ar": 1}
    )
    half = metrics.average_precision(truth, perfect[:1], sigmas)
    assert half["ar"] == pytest.approx(0.5)
    assert half["ap"] == pytest.approx(51 / 101)  # recall 0 to 0.5 of COCO's 101 points
    other_category = [{**r, "category_id": 2} for r in perfect]
    assert metrics.average_precision(truth, other_category, sigmas)["ap"] == pytest.approx(1)
    assert metrics.average_precision(truth, [], sigmas)["ap"] == 0
    assert metrics.average_precision(document(), perfect, sigmas)["ap"] is None
    assert capsys.readouterr().out == ""
    assert "area" not in truth["annotations"][0]  # the caller's document is as it was


def test_average_precision_uses_the_given_sigmas() -> None:
    first = np.array([[10.0, 10], [30, 10], [20, 40]])
    near = [coco(first + 3, score=0.9)]
    strict = metrics.average_precision(document(first), near, (0.02,) * 3)
    kind = metrics.average_precision(document(first), near, (0.5,) * 3)
    assert strict["ap"] == 0
    assert kind["ap"] == pytest.approx(1)


# -- intervals and the report --------------------------------------------------------------------


def test_the_interval_draws_images_not_rows() -> None:
    values = np.repeat([0.0, 1.0], 50)
    one_each = metrics.bootstrap_interval(lambda r: float(values[r].mean()), range(100))
    two = metrics.bootstrap_interval(lambda r: float(values[r].mean()), [0] * 50 + [1] * 50)
    assert two == (0, 1)
    # The mean of 100 coins: 0.5 -+ 1.96 * 0.05.
    assert one_each == pytest.approx((0.402, 0.598), abs=0.02)
    again = metrics.bootstrap_interval(lambda r: float(values[r].mean()), range(100))
    assert again == one_each
    other = metrics.bootstrap_interval(lambda r: float(values[r].mean()), range(100), seed=1)
    assert other != one_each
    assert metrics.bootstrap_interval(lambda r: 1.0, []) is None
    assert metrics.bootstrap_interval(lambda r: None, [1, 2]) is None


def test_the_report_holds_the_figures() -> None:
    result = metrics.report(
        ERRORS,
        VISIBILITY,
        ("a", "b", "c"),
        ("one.jpg", "two.jpg"),
        probabilities=[[0.9, 0.1], [0.9, 0.1]],
        categories=[0, 1],
        detection={"precision": 1.0, "recall": 0.5},
        rounds=50,
    )
    assert (result.n_images, result.n_garments, result.n_points) == (2, 2, 4)
    assert result.average_error == pytest.approx(0.145 / 3)
    assert result.pooled_error_with_hidden == pytest.approx(0.21 / 5)
    assert result.near["0.05"] == 0.75
    assert result.points_within == 0.5
    assert (result.top1, result.top3, result.recall, result.ap) == (0.5, 1, 0.5, None)
    assert result.intervals is not None
    low, high = result.intervals["pooled_error"]
    assert low <= result.pooled_error <= high
    data = result.to_dict()
    assert data["error_by_landmark"]["c"] == pytest.approx(0.1)
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_report_of_nothing_says_none() -> None:
    result = metrics.report(np.zeros((0, 3)), np.zeros((0, 3)), ("a", "b", "c"), ())
    assert isinstance(result, Report)
    assert result.n_garments == result.n_points == 0
    assert result.average_error is result.median_error is result.top1 is None
    assert set(result.error_by_landmark.values()) == {None}
    json.dumps(result.to_dict(), allow_nan=False)
