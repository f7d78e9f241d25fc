"""Planted errors among drawn garments are the most doubtful ones, and what cannot be judged is not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.coco import Dataset, columns
from napari_fashion.coco.placed import Placed, placed_landmarks
from napari_fashion.coco.records import category_record
from napari_fashion.coco.suspects import FEWEST, LEAST_SPREAD, find_suspects, judge
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
DRESS, PANTS = (SCHEMA.category_index(name) for name in ("Dress", "Pants"))
DRESS_XY = np.array(
    [[40, 20], [60, 20], [10, 50], [90, 50], [30, 60], [70, 60], [20, 99], [80, 99]]
)
PANTS_XY = np.array([[0, 0], [0, 0], [0, 0], [0, 0], [35, 10], [65, 10], [25, 95], [75, 95]])


def garments(n=120, seed=0, noise=1.0):
    """Dresses and trousers in turns, each turned, scaled, moved and a little off."""
    rng = np.random.default_rng(seed)
    xy, has, category = np.zeros((n, 8, 2)), np.zeros((n, 8), bool), np.zeros(n, int)
    for i in range(n):
        shape, category[i] = ((DRESS_XY, DRESS), (PANTS_XY, PANTS))[i % 2]
        angle, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 3)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        xy[i] = (shape + rng.normal(0, noise, (8, 2))) @ turn.T + rng.uniform(0, 500, 2)
        has[i] = shape.any(axis=1)
    return xy, has, category


def placed(xy, has):
    i, j = np.nonzero(has)
    return Placed(i, j, xy[i, j], np.full(len(i), 2))


def test_a_swap_of_sides_is_the_likeliest_swap():
    xy, has, category = garments()
    flips = np.array(SCHEMA.flips)
    xy[10], xy[33] = xy[10][flips], xy[33][flips]
    xy[20, [2, 3]] = xy[20, [3, 2]]  # of one pair alone: the sleeves
    found = judge(placed(xy, has), category, SCHEMA)
    assert set(np.argsort(-found.swap)[:3].tolist()) == {10, 20, 33}
    assert (found.swap[[10, 20, 33]] > 3).all()
    assert np.median(found.swap) < 0.3


def test_a_landmark_that_is_off_is_named():
    xy, has, category = garments()
    xy[40, 6] += 0.15 * np.ptp(xy[40], axis=0)
    found = judge(placed(xy, has), category, SCHEMA)
    assert found.outlier.argmax() == 40
    assert found.outlier_landmark[40] == 6


def test_a_landmark_is_judged_by_where_the_others_alone_put_it():
    """Of exact garments, one landmark off: by all of that distance, and not by what a fit of all leaves."""
    xy, has, category = garments(noise=0)
    size = np.sqrt(((xy[41][4:] - xy[41][4:].mean(axis=0)) ** 2).sum())  # trousers
    xy[41, 7] += (0.1 * size, 0)
    found = judge(placed(xy, has), category, SCHEMA)
    assert found.outlier_landmark[41] == 7
    assert found.outlier[41] == pytest.approx(0.1 / LEAST_SPREAD, rel=1e-3)


def test_a_garment_of_another_shape_is_named_with_the_category_that_fits():
    xy, has, category = garments()
    category[[4, 7]] = PANTS, DRESS  # a dress and trousers
    found = judge(placed(xy, has), category, SCHEMA)
    assert set(np.argsort(-found.category)[:2].tolist()) == {4, 7}
    assert found.other_category[[4, 7]].tolist() == [DRESS, PANTS]
    right = np.delete(found.category, [4, 7])
    assert (right < 0).all()


def test_turning_scaling_and_moving_a_garment_changes_nothing():
    xy, has, category = garments()
    xy[5, 0] += 20
    one = judge(placed(xy, has), category, SCHEMA)
    turned = np.stack([-xy[..., 1], xy[..., 0]], axis=-1) * 7 - 1234
    other = judge(placed(turned, has), category, SCHEMA)
    assert other.outlier == pytest.approx(one.outlier, rel=1e-6)
    assert other.swap == pytest.approx(one.swap, abs=1e-6)
    assert other.category == pytest.approx(one.category, abs=1e-6)


def test_what_cannot_be_judged_is_not():
    xy, has, category = garments(2 * FEWEST)
    has[0, 1:] = False  # one landmark
    has[2, 2:] = False  # two: nothing is left to lay a third by
    category[4] = -1
    found = judge(placed(xy, has), category, SCHEMA)
    for row in (0, 4):
        assert np.isnan([found.outlier[row], found.swap[row], found.category[row]]).all()
        assert np.isnan(found.doubt[row])
    assert np.isnan(found.outlier[2])
    assert found.outlier_landmark[2] == -1
    few = judge(placed(*garments(FEWEST)[:2]), garments(FEWEST)[2], SCHEMA)
    assert np.isnan(few.outlier).all()
    none = judge(placed(xy[:0], has[:0]), category[:0], SCHEMA)
    assert len(none.outlier) == len(none.doubt) == 0


def test_garments_of_one_point_or_in_a_line_do_no_harm():
    xy, has, category = garments()
    xy[0] = 7.0
    xy[2, :, 1] = 3.0
    found = judge(placed(xy, has), category, SCHEMA)
    judged = np.delete(np.arange(120), [0, 2])
    assert np.isfinite(found.outlier).all()
    assert np.isfinite(found.swap).all()
    assert np.isfinite(found.category).all()
    assert found.outlier[judged].max() < found.outlier[[0, 2]].max()


def test_the_landmarks_of_a_file_are_read_whatever_stands_there():
    xy, has, category = garments(6)
    flat = [
        [v for k in range(8) for v in ([*map(float, xy[i, k]), 2] if has[i, k] else [0, 0, 0])]
        for i in range(6)
    ]
    flat[1] = [*flat[1][:6], float("inf"), 5, 2, *flat[1][9:]]
    flat[2] = "no list"
    flat[3] = flat[3][:9]
    document = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "categories": [category_record(SCHEMA, c, c + 1) for c in (DRESS, PANTS)],
        "annotations": [
            {"id": i + 1, "image_id": 1, "category_id": int(category[i]) + 1, "keypoints": flat[i],
             "iscrowd": int(i == 4)}
            for i in range(6)
        ],
    }  # fmt: skip
    dataset = Dataset.from_document(document, schema=SCHEMA)
    read = placed_landmarks(dataset, columns(dataset))
    expected = [
        (i, k, *xy[i, k].tolist())
        for i in (0, 1, 3, 5)
        for k in np.flatnonzero(has[i]).tolist()
        if not (i == 3 and k >= 3)
    ]
    got = list(zip(read.garment, read.landmark, *read.xy.T, strict=True))
    assert [row[:2] for row in got] == [row[:2] for row in expected]
    assert read.xy == pytest.approx(np.array([row[2:] for row in expected]))
    assert set(read.visibility.tolist()) == {2}
    assert len(find_suspects(dataset).outlier) == 6
