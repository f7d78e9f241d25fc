from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.evaluation.landmark_metrics import (
    average_error,
    error_by_landmark,
    garments_within,
    masked,
    median_error,
    normalised_errors,
    pooled_error,
    share_within,
)

ERRORS = np.array([[0.01, 0.03, 0.9], [0.02, 0.05, 0.1]])
VISIBILITY = np.array([[2, 2, 0], [2, 1, 2]])
COUNTS = VISIBILITY == 2


def test_errors_are_divided_by_width_and_height() -> None:
    true = np.zeros((2, 1, 2))
    pred = np.array([[[30, 40]], [[30, 0]]])
    assert normalised_errors(pred, true, (100, 100)).tolist() == [[0.5], [0.3]]
    assert normalised_errors(pred, true, [(100, 100), (300, 7)]).tolist() == [[0.5], [0.1]]
    assert normalised_errors([[0.3, 0.4]], [[0.0, 0.0]]).tolist() == [0.5]


@pytest.mark.parametrize(
    ("pred", "size", "message"),
    [(np.zeros((2, 2, 2)), 1, "both to be"), (np.zeros((1, 3, 2)), (1, 0), "above 0")],
)
def test_what_has_no_error_is_refused(pred, size, message) -> None:
    with pytest.raises(ValueError, match=message):
        normalised_errors(pred, np.zeros((1, 3, 2)), size)


def test_closed_form() -> None:
    assert masked(ERRORS, VISIBILITY).tolist() == COUNTS.tolist()
    assert masked(ERRORS, VISIBILITY, hidden=True).sum() == 5
    assert error_by_landmark(ERRORS, COUNTS) == pytest.approx([0.015, 0.03, 0.1])
    assert average_error(ERRORS, COUNTS) == pytest.approx(0.145 / 3)
    assert pooled_error(ERRORS, COUNTS) == pytest.approx(0.04)
    assert median_error(ERRORS, COUNTS) == pytest.approx(0.025)
    assert share_within(ERRORS, COUNTS, 0.02) == 0.5
    assert share_within(ERRORS, COUNTS, 0.1) == 1
    assert garments_within(ERRORS, COUNTS, 0.03) == 0.5
    assert garments_within(ERRORS, COUNTS, 0.02) == 0


def test_a_landmark_never_seen_has_no_figure_and_no_weight() -> None:
    counts = COUNTS & [True, False, True]
    assert error_by_landmark(ERRORS, counts)[1] is None
    assert average_error(ERRORS, counts) == pytest.approx((0.015 + 0.1) / 2)


def test_a_counting_landmark_needs_a_prediction() -> None:
    errors = np.where(VISIBILITY == 0, np.nan, ERRORS)
    assert average_error(errors, masked(errors, VISIBILITY)) is not None
    with pytest.raises(ValueError, match="not finite"):
        masked(np.full((2, 3), np.nan), VISIBILITY)


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

    assert average_error(errors, counts) == mean(means)
    assert pooled_error(errors, counts) == mean(points)
    assert share_within(errors, counts, 0.4) == mean([e <= 0.4 for e in points])
    assert garments_within(errors, counts, 0.4) == mean([max(r) <= 0.4 for r in rows])
    assert median_error(errors, counts) == (
        pytest.approx(sorted(points)[len(points) // 2] if len(points) % 2 else
                      sum(sorted(points)[len(points) // 2 - 1 : len(points) // 2 + 1]) / 2)
        if points
        else None
    )  # fmt: skip
