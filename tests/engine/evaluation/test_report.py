from __future__ import annotations

import json

import numpy as np
import pytest

from napari_fashion.engine.evaluation.report import Report, build_report

ERRORS = np.array([[0.01, 0.03, 0.9], [0.02, 0.05, 0.1]])
VISIBILITY = np.array([[2, 2, 0], [2, 1, 2]])
COUNTS = VISIBILITY == 2


def test_the_report_holds_the_figures() -> None:
    result = build_report(
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
    result = build_report(np.zeros((0, 3)), np.zeros((0, 3)), ("a", "b", "c"), ())
    assert isinstance(result, Report)
    assert result.n_garments == result.n_points == 0
    assert result.average_error is result.median_error is result.top1 is None
    assert set(result.error_by_landmark.values()) == {None}
    json.dumps(result.to_dict(), allow_nan=False)
