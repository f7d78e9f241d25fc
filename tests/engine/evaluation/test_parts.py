"""The parts of a protocol: cuts, choices and fallbacks, each against what it says in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drawn import SCHEMA
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.choices import CHOICES
from napari_fashion.engine.evaluation.cuts import CUTS, show
from napari_fashion.engine.evaluation.fallbacks import (
    FALLBACKS,
    in_region,
    mean_places,
)
from napari_fashion.engine.evaluation.judged import Region, compare
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.errors import FashionError

K = SCHEMA.n_landmarks
XY = np.array([[20, 10], [40, 10], [10, 40], [50, 40], [0, 0], [0, 0], [20, 60], [40, 60.0]])
SEEN = np.array([2, 2, 2, 1, 0, 0, 2, 2])


def image(*shifts: float, size=(200, 100), box=None) -> AnnotatedImage:
    """An image with a shirt at each shift in x; the box of each by default 5 pixels around it."""
    n = len(shifts)
    xy = np.stack([XY + np.array([shift, 0]) for shift in shifts]).astype(np.float32)
    boxes = np.array([[5 + s, 5, 55 + s, 65] for s in shifts] if box is None else box, np.float32)
    member = np.zeros((n, K), bool)
    member[:, list(SCHEMA.landmarks_of("upper"))] = True
    return AnnotatedImage(
        "a.png", "a", Path("a.png"), size, xy, np.stack([SEEN] * n), member, boxes,
        np.full(n, SCHEMA.category_index("Shirt")), np.zeros(n, bool),
    )  # fmt: skip


def garment(shift: float, score: float, found=None) -> PredictedGarment:
    scores = np.full(K, score, np.float32) if found is None else np.asarray(found, np.float32)
    xy = np.where(scores[:, None] > 0, XY + np.array([shift, 0]), 0).astype(np.float32)
    return PredictedGarment(xy, scores, scores, np.eye(15, dtype=np.float32)[0], score)


def test_a_name_is_registered_once() -> None:
    for registry in (CUTS, CHOICES, FALLBACKS):
        name, part = next(iter(registry.items()))
        assert part.name == name
        with pytest.raises(ValueError, match=f"'{name}' is registered twice"):
            registry.register(name, part)


def test_a_cut_shows_its_box_and_says_where_it_lies() -> None:
    one = image(0)
    pixels = np.arange(200 * 100 * 3, dtype=np.uint32).astype(np.uint8).reshape(100, 200, 3)
    for name, margin, expected in (
        ("none", 0.0, (0, 0, 200, 100)),
        ("bbox", 0.0, (5, 5, 51, 61)),
        ("hull", 0.0, (10, 10, 41, 51)),
        ("bbox", 0.2, (0, 0, 66, 78)),  # 10 and 12 pixels more on each side, and no more image
        ("hull", 0.1, (6, 5, 49, 61)),
    ):
        shown, region = show(CUTS[name], pixels, one, None if name == "none" else 0, margin)
        assert tuple(region) == expected, name
        left, top, width, height = region
        np.testing.assert_array_equal(shown, pixels[top : top + height, left : left + width])


def test_the_nearest_is_the_nearest_by_visible_landmarks() -> None:
    found = [garment(30, 0.9), garment(-4, 0.5), garment(6, 0.7)]
    one = image(0)
    (chosen,) = CHOICES["nearest"].choose(one, [0], found, SCHEMA)
    assert chosen is found[1]
    # A hidden landmark does not count, nor is one that was not found near by standing at 0.
    missing = garment(0, 0.8, [0.8] * 5 + [0.0] * 3)
    (chosen,) = CHOICES["nearest"].choose(one, [0], [found[1], missing], SCHEMA)
    assert chosen is found[1]
    assert CHOICES["nearest"].choose(one, [0], [], SCHEMA) == [None]


def test_the_best_is_the_best_for_every_garment() -> None:
    found = [garment(30, 0.9), garment(0, 0.5)]
    assert CHOICES["best"].choose(image(0, 100), [0, 1], found, SCHEMA) == [found[0]] * 2


def test_inside_is_the_best_inside_the_files_box() -> None:
    found = [garment(100, 0.9), garment(4, 0.6), garment(0, 0.5), garment(-60, 0.95)]
    two = image(0, 90)
    assert CHOICES["inside"].choose(two, [0, 1], found, SCHEMA) == [found[1], found[0]]
    narrow = image(0, box=[[0, 0, 5, 5]])
    assert CHOICES["inside"].choose(narrow, [0], found, SCHEMA) == [None]


def test_the_only_one_and_matched_ones() -> None:
    found = [garment(101, 0.9), garment(300, 0.8), garment(1, 0.5)]
    two = image(0, 100)
    assert CHOICES["only"].choose(two, [0, 1], found[:1], SCHEMA) == [found[0]] * 2
    assert CHOICES["only"].choose(two, [0, 1], [], SCHEMA) == [None, None]
    assert CHOICES["matched"].choose(two, [0, 1], found, SCHEMA) == [found[2], found[0]]
    assert CHOICES["matched"].choose(two, [0, 1], found[:1], SCHEMA) == [None, found[0]]


def test_matching_uses_the_files_area() -> None:
    """By a small area only the nearer of two is the garment; the surer one chooses first."""
    found = [garment(3, 0.9), garment(0, 0.5)]
    one = image(0)
    assert CHOICES["matched"].choose(one, [0], found, SCHEMA) == [found[0]]
    small = replace(one, given_area=np.array([100.0]))
    assert CHOICES["matched"].choose(small, [0], found, SCHEMA) == [found[1]]


def test_errors_are_divided_by_what_was_shown() -> None:
    region = Region(10, 5, 40, 80)
    judged = compare(image(0), 0, garment(4, 0.5), region, np.zeros((K, 2)), SCHEMA)
    assert judged.errors[SEEN > 0] == pytest.approx(4 / 40)
    assert judged.box_errors[SEEN > 0] == pytest.approx(4 / 40)  # the landmarks' box: 40 x 50
    assert judged.side_errors[SEEN > 0] == pytest.approx(4 / 50)
    assert (judged.found, judged.body_type, judged.garments) == (True, "upper", 1)


def test_a_landmark_that_is_not_found_is_where_the_fallback_says() -> None:
    region = Region(10, 5, 41, 81)
    one = image(0)
    for name, first in (("corner", (10, 5)), ("skeleton", (10 + 0.34 * 40, 5 + 0.01 * 80))):
        places = in_region(FALLBACKS[name].relative(SCHEMA, None), region)
        judged = compare(one, 0, None, region, places, SCHEMA)
        assert tuple(judged.predicted[0]) == pytest.approx(first)
        assert not judged.found
        assert not judged.scores.any()
        expected = np.hypot((first[0] - 20) / 41, (first[1] - 10) / 81)
        assert judged.errors[0] == pytest.approx(expected)
        partly = compare(one, 0, garment(0, 0.5, [0] + [0.5] * 7), region, places, SCHEMA)
        assert tuple(partly.predicted[0]) == pytest.approx(first)
        assert partly.errors[1:4] == pytest.approx(0)


def test_the_skeleton_of_other_landmarks_is_named_by_the_caller() -> None:
    other = replace(SCHEMA, landmarks=tuple(f"l{k}" for k in range(K)))
    skeleton = FALLBACKS["skeleton"]
    with pytest.raises(FashionError, match=r"no place for l0, l1.*--skeleton-from"):
        skeleton.relative(other, None)
    places = {f"l{k}": (k / 10, 0.5) for k in range(K)}
    assert skeleton.relative(other, places)[3].tolist() == [0.3, 0.5]


def test_mean_places_are_means_in_what_a_cut_shows() -> None:
    one, two = image(0), image(60)
    places = mean_places([one, two], SCHEMA, "hull", 0.0)
    assert places["left_collar"] == pytest.approx((0.25, 0.0))
    assert places["right_sleeve"] == pytest.approx((1.0, 0.6))
    assert "left_waistline" not in places
    whole = mean_places([one, two], SCHEMA, "none", 0.0)
    assert whole["left_collar"] == pytest.approx((50 / 199, 10 / 99))
    crowd = replace(one, crowd=np.array([True]))
    assert mean_places([crowd], SCHEMA, "hull", 0.0) == {}
