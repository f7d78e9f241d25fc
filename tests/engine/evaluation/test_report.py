"""Every metric of a report, against plain loops; intervals against resampled garments."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judged_garments import SCHEMA, judged_garment, random_garments
from napari_fashion.coco.categories import FOREIGN, UNCLEAR
from napari_fashion.engine.evaluation.category_metrics import NOT_FOUND, OTHER, confusion
from napari_fashion.engine.evaluation.ratios import Ratios
from napari_fashion.engine.evaluation.report import Report, build_report

K = SCHEMA.n_landmarks
CONFIDENCE = 0.4


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def points(judged, name="errors", least=2):
    """Yield the garment, the landmark and the error of each landmark that counts."""
    for j in judged:
        for k in range(K):
            if j.visibility[k] >= least:
                yield j, k, float(getattr(j, name)[k])


def by_landmark(judged, name="errors", least=2, chosen=lambda j, k: True):
    found = list(points(judged, name, least))
    return [mean([e for j, k, e in found if k == landmark and chosen(j, k)])
            for landmark in range(K)]  # fmt: skip


def rank(j):
    if j.category == FOREIGN:
        return 10**9
    own = j.probabilities[j.category]
    return sum(p >= own for c, p in enumerate(j.probabilities) if c != j.category)


def slow_figures(judged):
    """Return the metrics by the names of `Report`, in plain loops."""
    errors = [e for _, _, e in points(judged)]
    detected = [(j, k) for j in judged for k in range(K) if j.scores[k] >= CONFIDENCE]
    ranks = [rank(j) for j in judged if j.category != UNCLEAR]
    garments = [[e for k, e in enumerate(j.errors) if j.visibility[k] == 2] for j in judged]
    ordered = sorted(errors)
    middle = len(ordered) // 2

    def sure(j, k):
        return j.scores[k] >= CONFIDENCE

    figures = {
        "average_error": mean(by_landmark(judged)),
        "average_error_with_hidden": mean(by_landmark(judged, least=1)),
        "average_error_by_box": mean(by_landmark(judged, "box_errors")),
        "pooled_error": mean(errors),
        "pooled_error_with_hidden": mean([e for *_, e in points(judged, least=1)]),
        "median_error": None if not errors else (
            ordered[middle] if len(errors) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
        ),
        "confident_error": mean(by_landmark(judged, chosen=sure)),
        "unconfident_error": mean(by_landmark(judged, chosen=lambda j, k: not sure(j, k))),
        "confident_share": mean([sure(j, k) for j, k, _ in points(judged)]),
        "points_within": mean([e <= 0.02 for e in errors]),
        "garments_within": mean([max(own) <= 0.02 for own in garments if own]),
        "not_present": mean([j.visibility[k] == 0 for j, k in detected]),
        "not_visible": mean([j.visibility[k] == 1 for j, k in detected]),
        **{f"near.{at}": mean([e <= at for e in errors]) for at in (0.05, 0.1, 0.2)},
        **{
            f"pck.{at}": mean([e <= at for *_, e in points(judged, "side_errors")])
            for at in (0.05, 0.1, 0.2)
        },
        **{f"top{n}": mean([r < n for r in ranks]) for n in (1, 3, 5)},
    }  # fmt: skip
    for k, name in enumerate(SCHEMA.landmarks):
        figures[f"error_by_landmark.{name}"] = by_landmark(judged)[k]
        figures[f"error_by_landmark_with_hidden.{name}"] = by_landmark(judged, least=1)[k]
    for name in SCHEMA.body_type_names:
        own = [j for j in judged if j.body_type == name]
        if own:
            figures[f"by_body_type.{name}.average_error"] = mean(by_landmark(own))
    return figures


def flat(report: Report):
    """Return a report's numbers by the names of `slow_figures`."""
    data = report.to_dict()
    found = {name: value for name, value in data.items() if isinstance(value, float | int | None)}
    for group in ("near", "pck", "error_by_landmark", "error_by_landmark_with_hidden"):
        found |= {f"{group}.{name}": value for name, value in data[group].items()}
    for name, figures in data["by_body_type"].items():
        found[f"by_body_type.{name}.average_error"] = figures["average_error"]
    return found


def approximately(figures):
    return {name: None if v is None else pytest.approx(v) for name, v in figures.items()}


@given(st.integers(0, 2**32 - 1), st.integers(0, 9))
@settings(max_examples=40)
def test_figures_are_those_of_loops(seed, n) -> None:
    judged = random_garments(seed, n)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=0)
    found, expected = flat(report), slow_figures(judged)
    assert {name: found[name] for name in expected} == approximately(expected)
    assert report.intervals is None
    assert report.not_found == sum(not j.found for j in judged)
    for name, figures in report.by_category.items():
        own = [j for j in judged if j.category == SCHEMA.category_index(name)]
        assert figures["garments"] == len(own)
        assert figures["average_error"] == approximately({"x": mean(by_landmark(own))})["x"]
        assert figures["top1"] == pytest.approx(mean([rank(j) < 1 for j in own]))
    assert sum(f["garments"] for f in report.by_category.values()) == sum(
        j.category >= 0 for j in judged
    )
    json.dumps(report.to_dict(), allow_nan=False)


def test_curves_are_the_metrics_at_each_distance_and_threshold() -> None:
    judged = random_garments(3, 20)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=0)
    for at, share in report.curves["pdl"]:
        assert share == pytest.approx(mean([e <= at for *_, e in points(judged)]))
    assert len(report.curves["confidence"]) == 19
    for at, confident, unconfident, share in report.curves["confidence"]:
        found = [j.scores[k] >= at for j, k, _ in points(judged)]
        sure = mean(by_landmark(judged, chosen=lambda j, k, at=at: j.scores[k] >= at))
        unsure = mean(by_landmark(judged, chosen=lambda j, k, at=at: j.scores[k] < at))
        assert (confident, unconfident, share) == pytest.approx((sure, unsure, mean(found)))


def test_intervals_are_those_of_resampled_images() -> None:
    """Each bound against the metrics of garments copied as the draws say."""
    judged = random_garments(5, 12)
    rounds = 30
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=rounds, seed=4)
    images = list(dict.fromkeys(j.key for j in judged))
    random = np.random.default_rng(4)
    values: dict[str, list[float]] = {}
    for _ in range(rounds):
        drawn = random.integers(len(images), size=len(images))
        resample = [j for d in drawn for j in judged if j.key == images[d]]
        for name, value in slow_figures(resample).items():
            values.setdefault(name, []).extend([] if value is None else [value])
    expected = {name: tuple(np.percentile(v, [2.5, 97.5])) for name, v in values.items() if v}
    assert len(expected) > 30
    for name, bounds in expected.items():
        assert report.intervals[name] == pytest.approx(bounds), name
    named = {n for n in flat(report) if n in slow_figures(judged)}
    assert named <= set(report.intervals)


def test_intervals_of_a_category_are_over_its_own_images() -> None:
    judged = random_garments(6, 40)
    report = build_report(judged, SCHEMA, rounds=20, seed=1)
    name, figures = max(report.by_category.items(), key=lambda item: item[1]["garments"])
    own = [j for j in judged if j.category == SCHEMA.category_index(name)]
    alone = build_report(own, SCHEMA, rounds=20, seed=1)
    for metric in ("average_error", "top1"):
        assert report.intervals[f"by_category.{name}.{metric}"] == pytest.approx(
            alone.intervals[metric]
        )
        assert figures[metric] == pytest.approx(getattr(alone, metric))


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_a_weighted_median_is_that_of_copies(seed, n) -> None:
    rng = np.random.default_rng(seed)
    values, counts = rng.integers(0, 5, (n, 3)) / 4, rng.random((n, 3)) < 0.7
    weights = rng.integers(0, 3, n)
    ratios = Ratios()
    ratios.add("x", values, counts)
    ratios.add_median("median", values, counts)
    copies = [v for i in range(n) for v in np.repeat(values[i][counts[i]], weights[i])]
    expected = float(np.median(copies)) if copies else None
    assert ratios.figures(weights.astype(float))["median"] == expected


def test_confusion_counts_every_garment_that_has_a_category() -> None:
    names = ("Top", "Dress")
    table = [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0, 0], [0.6, 0.4], [0.5, 0.5]]
    truth = [0, 0, 1, 1, FOREIGN, UNCLEAR]
    found = [True, True, True, False, True, True]
    assert confusion(table, truth, found, names) == {
        "Top": {"Top": 1, "Dress": 1},
        "Dress": {"Dress": 1, NOT_FOUND: 1},
        OTHER: {"Top": 1},
    }
    assert confusion(np.zeros((1, 0)), [FOREIGN], [True], ()) == {}
    own = ["top", "Top", "Dress", "Dress", "Kilt", "thing"]
    assert list(confusion(table, truth, found, names, own)) == ["Top", "Dress", "Kilt"]
    own[4] = "Dress"  # which the model has for another
    assert confusion(table, truth, found, names, own)[OTHER] == {"Top": 1}


def test_a_report_of_nothing_says_none() -> None:
    result = build_report([], SCHEMA, rounds=3)
    assert result.n_garments == result.n_points == 0
    assert result.average_error is result.median_error is result.top1 is None
    assert set(result.error_by_landmark.values()) == {None}
    json.dumps(result.to_dict(), allow_nan=False)


def test_an_error_that_counts_is_finite() -> None:
    broken = judged_garment([np.nan] * K, [2] * K, probabilities=np.zeros(15))
    with pytest.raises(ValueError, match="not finite"):
        build_report([broken], SCHEMA, rounds=0)
    unseen = replace(broken, visibility=np.zeros(K, int))
    assert build_report([unseen], SCHEMA, rounds=0).average_error is None
