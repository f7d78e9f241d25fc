"""Presence and visibility, against plain loops."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judged_garments import SCHEMA, random_garments
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.garment_rows import garment_rows
from napari_fashion.engine.evaluation.report import build_report
from napari_fashion.engine.evaluation.visibility import BINS, Presence

K = SCHEMA.n_landmarks
CONFIDENCE = 0.4
TAGS = ("dress", "shirt", "")


def garments(seed, n, *, tells=True):
    """Return garments by a model that tells presence and visibility, or not."""
    rng = np.random.default_rng(seed)
    made = []
    for j in random_garments(seed, n):
        told = {}
        if tells and j.found:
            told = {
                "present": rng.random(K), "visible": rng.random(K).astype(np.float32).astype(float),
                "present_threshold": 0.3, "visible_threshold": 0.6,
            }  # fmt: skip
        made.append(
            replace(
                j,
                oks=float(rng.random()) if j.found else 0.0,
                truth=rng.uniform(0, 99, (K, 2)),
                predicted=rng.uniform(0, 99, (K, 2)),
                box=np.array([5.0, 7.0, *rng.uniform(20, 90, 2)]),
                category_name=str(rng.choice(TAGS)),
                garments=int(rng.integers(1, 7)),
                **told,
            )
        )
    return made


def mean(values):
    values = [v for v in values if v is not None]
    return sum(values) / len(values) if values else None


def detected(j, k):
    there = j.scores[k] if j.present is None else j.present[k]
    return j.scores[k] >= CONFIDENCE and there >= j.present_threshold


def matched(j):
    return j.found and j.oks >= 0.5


def error(j, k):
    (x0, y0, x1, y1), (dx, dy) = j.box, j.predicted[k] - j.truth[k]
    return np.hypot(dx / (x1 - x0), dy / (y1 - y0))


def right(j, k):
    says_visible = j.visible is None or j.visible[k] >= j.visible_threshold
    return says_visible == (j.visibility[k] == 2)


def calibration_error(pairs):
    bins = [[] for _ in range(BINS)]
    for p, y in pairs:
        bins[min(int(p * BINS), BINS - 1)].append((p, y))
    each = [abs(mean([p for p, _ in b]) - mean([y for _, y in b])) * len(b) for b in bins if b]
    return sum(each) / len(pairs) if pairs else None


def slow(judged):
    """Return `Report.presence` in plain loops."""
    cells = [(j, k) for j in judged for k in range(K)]
    ours = [(j, k) for j, k in cells if matched(j)]
    counted = [(j, k) for j, k in ours if j.visibility[k] > 0 and detected(j, k)]
    seen = [right(j, k) for j, k in counted if j.visibility[k] == 2]
    hidden = [right(j, k) for j, k in counted if j.visibility[k] == 1]
    told = [(j.visible[k], j.visibility[k] == 2) for j, k in counted if j.visible is not None]
    rated = [
        (j.scores[k] if j.present is None else j.present[k], j.visibility[k] > 0)
        for j, k in ours
        if j.scores[k] >= CONFIDENCE
    ]

    def errors(v):
        by = [mean([error(j, k) for j, k in ours if k == i and j.visibility[k] == v])
              for i in range(K)]  # fmt: skip
        return mean(by)

    n = len(seen) + len(hidden)
    images = len({j.key for j in judged})
    absent = sum(detected(j, k) and j.visibility[k] == 0 for j, k in cells)
    found_absent = sum(detected(j, k) and j.visibility[k] == 0 for j, k in ours)
    return {
        "found_error_visible": errors(2),
        "found_error_hidden": errors(1),
        "found_pooled_visible": mean([error(j, k) for j, k in ours if j.visibility[k] == 2]),
        "found_pooled_hidden": mean([error(j, k) for j, k in ours if j.visibility[k] == 1]),
        "absent_per_image": absent / images if images else None,
        "found_absent_per_image": found_absent / images if images else None,
        "missed": mean([not detected(j, k) for j, k in ours if j.visibility[k] > 0]),
        "visibility_right": mean(seen + hidden),
        "visibility_commoner": max(len(seen), len(hidden)) / n if n else None,
        "visibility_balanced": (mean(seen) + mean(hidden)) / 2 if seen and hidden else None,
        "visible_brier": mean([(p - y) ** 2 for p, y in told]),
        "visible_calibration_error": calibration_error(told),
        "present_brier": mean([(p - y) ** 2 for p, y in rated]),
        "present_calibration_error": calibration_error(rated),
    }


def approximately(figures):
    return {name: None if v is None else pytest.approx(v, abs=1e-9) for name, v in figures.items()}


@given(st.integers(0, 2**32 - 1), st.integers(0, 9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_loops(seed, n, tells) -> None:
    judged = garments(seed, n, tells=tells)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=0)
    assert report.presence == approximately(slow(judged))
    assert report.n_matched == sum(map(matched, judged))
    cells = [(j, k) for j in judged for k in range(K) if detected(j, k)]
    assert (
        report.not_present
        == approximately({"x": mean([j.visibility[k] == 0 for j, k in cells])})["x"]
    )
    for tag in ("dress", "shirt"):
        own = [j for j in judged if j.category_name == tag]
        assert (tag in report.by_tag) == bool(own)
        if own:
            figures = report.by_tag[tag]
            expected = slow(own)
            assert figures["garments"] == len(own)
            assert figures["visibility_right"] == approximately(expected)["visibility_right"]
            assert figures["found_error_hidden"] == approximately(expected)["found_error_hidden"]
    assert "" not in report.by_tag
    assert sum(f["garments"] for f in report.by_count.values()) == n
    json.dumps(report.to_dict(), allow_nan=False)


def test_a_model_that_tells_nothing_says_visible_always() -> None:
    judged = garments(1, 30, tells=False)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=0)
    assert not report.tells_visibility
    presence = report.presence
    assert presence["visibility_balanced"] == 0.5
    assert presence["visible_brier"] is None
    counted = [
        j.visibility[k] == 2
        for j in judged
        if matched(j)
        for k in range(K)
        if detected(j, k) and j.visibility[k]
    ]
    assert presence["visibility_right"] == pytest.approx(mean(counted))


def test_figures_of_each_landmark_and_their_mean() -> None:
    judged = garments(4, 40)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=0)
    by = report.by_landmark
    assert list(by) == list(SCHEMA.landmarks)
    assert mean([f["found_error_visible"] for f in by.values()]) == pytest.approx(
        report.presence["found_error_visible"]
    )
    assert sum(f["absent_per_image"] for f in by.values()) == pytest.approx(
        report.presence["absent_per_image"]
    )


def test_intervals_are_those_of_resampled_garments() -> None:
    judged = garments(5, 25)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=60, seed=3)
    keys = [j.key for j in judged]
    order = list(dict.fromkeys(keys))
    rng = np.random.default_rng(3)
    values = []
    for _ in range(60):
        drawn = rng.integers(len(order), size=len(order))
        again = [
            replace(j, key=f"{place}/{j.key}")  # an image that is drawn twice counts as two
            for place, d in enumerate(drawn)
            for j in judged
            if j.key == order[d]
        ]
        values.append(slow(again))
    for name in ("absent_per_image", "visibility_balanced", "visible_calibration_error"):
        known = [v[name] for v in values if v[name] is not None]
        expected = tuple(np.percentile(known, [2.5, 97.5]))
        assert report.intervals[f"presence.{name}"] == pytest.approx(expected)
    assert "by_tag.dress.found_error_visible" in report.intervals
    assert "by_landmark.left_hem.missed" in report.intervals


def test_reliability_has_a_point_for_each_bin_that_occurs() -> None:
    judged = garments(6, 30)
    curves = Presence(judged, SCHEMA, CONFIDENCE).curves()
    told = [
        (j.visible[k], j.visibility[k] == 2)
        for j in judged
        if matched(j)
        for k in range(K)
        if j.visibility[k] and detected(j, k)
    ]
    assert sum(n for *_, n in curves["visible"]) == len(told)
    for p, share, n in curves["visible"]:
        own = [(q, y) for q, y in told if int(q * BINS) == int(p * BINS)]
        assert n == len(own)
        assert (p, share) == pytest.approx((mean([q for q, _ in own]), mean([y for _, y in own])))


def test_rows_and_table_have_what_was_told() -> None:
    judged = garments(7, 12)
    report = build_report(judged, SCHEMA, confidence=CONFIDENCE, rounds=20)
    one = Evaluation("whole", "Whole", {}, report, judged, None)
    for j, row in zip(judged, garment_rows([one], SCHEMA), strict=True):
        assert row["oks"] == j.oks
        for k, name in enumerate(SCHEMA.landmarks):
            told = j.visible is None or j.visible[k] >= j.visible_threshold
            expected = (2 if told else 1) if detected(j, k) else 0
            assert row[f"{name}.predicted_visibility"] == expected
            assert row[f"{name}.visible"] == (None if j.visible is None else j.visible[k])
    labels = {label: (value, bounds) for label, value, bounds in one.rows()}
    value, bounds = labels["of these: visible or hidden right"]
    assert value == f"{100 * report.presence['visibility_right']:.1f} %"
    assert " to " in bounds


def test_one_garment_by_hand() -> None:
    """A quarter of a box off, one landmark invented, one missed, one wrongly hidden."""
    j = garments(0, 1)[0]
    xy = np.zeros((K, 2))
    v = np.array([2, 2, 1, 0, 0, 0, 2, 0])
    scores = np.array([0.9, 0.9, 0.9, 0.9, 0, 0, 0.1, 0.9])
    present = np.array([0.9, 0.9, 0.9, 0.9, 0, 0, 0.9, 0.2])
    visible = np.array([0.9, 0.1, 0.1, 0.9, 0, 0, 0.9, 0.9])
    one = replace(
        j, found=True, oks=0.5, truth=xy, predicted=xy + np.array([10.0, 0]),
        box=np.array([0.0, 0, 40, 90]),
        visibility=v, scores=scores, present=present, visible=visible,
        present_threshold=0.3, visible_threshold=0.5,
    )  # fmt: skip
    presence = build_report([one], SCHEMA, confidence=CONFIDENCE, rounds=0).presence
    assert presence["found_error_visible"] == presence["found_error_hidden"] == 0.25
    assert presence["absent_per_image"] == 1  # the last one is below the model's threshold
    assert presence["missed"] == 0.25
    assert presence["visibility_right"] == pytest.approx(2 / 3)
    assert presence["visibility_balanced"] == 0.75
