"""Which landmarks belong to the right garment, on garments whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.association import associate
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
K = SCHEMA.n_landmarks
SHAPE = np.array(
    [[30, 0], [70, 0], [0, 40], [100, 40], [30, 60], [70, 60], [20, 100], [80, 100]], float
)


def moved(x: float, y: float) -> np.ndarray:
    return SHAPE + np.array([x, y])


def image_of(*shifts: tuple[float, float], crowd: tuple[bool, ...] = ()) -> AnnotatedImage:
    xy = np.stack([moved(*shift) for shift in shifts]).astype(np.float32)
    n = len(xy)
    box = np.concatenate([xy.min(1), xy.max(1)], axis=1)
    return AnnotatedImage(
        "a.png", "a", Path("a.png"), (500, 500), xy, np.full((n, K), 2), np.ones((n, K), bool),
        box, np.zeros(n, int), np.array(crowd or [False] * n),
    )  # fmt: skip


def garment(xy: np.ndarray, score: float = 0.9, without: tuple[int, ...] = ()) -> PredictedGarment:
    scores = np.full(K, score, np.float32)
    scores[list(without)] = 0
    return PredictedGarment(
        np.where(scores[:, None] > 0, xy, 0).astype(np.float32), scores, scores,
        np.eye(15, dtype=np.float32)[0], score,
    )  # fmt: skip


def predicted(*garments: PredictedGarment) -> Prediction:
    return Prediction(garments, 500, 500, "test")


def test_a_perfect_prediction_has_everything_in_whatever_order():
    image = image_of((0, 0), (30, 20), (300, 300))
    garments = [garment(xy, score) for xy, score in zip(image.xy, (0.5, 0.9, 0.7), strict=True)]
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        a = associate(image, predicted(*(garments[i] for i in order)), SCHEMA)
        assert a.found.all()
        assert a.own.all()
        assert not a.astray.any()
        assert a.false == 0


def test_landmarks_that_two_garments_exchange_are_astray():
    image = image_of((0, 0), (60, 40))
    swapped = image.xy.copy()
    swapped[:, [6, 7]] = swapped[::-1, [6, 7]]  # each has the other's hem
    a = associate(image, predicted(*map(garment, swapped)), SCHEMA)
    assert a.found.all()
    expected = np.isin(np.arange(K), [6, 7])
    assert (a.astray == expected).all()
    assert (a.own == ~expected).all()


def test_a_garment_that_is_not_found_does_not_get_its_neighbours_landmarks():
    image = image_of((0, 0), (4, 3))  # all within 0.1 of the box
    a = associate(image, predicted(garment(image.xy[1])), SCHEMA)
    assert a.found.tolist() == [False, True]
    assert a.own[1].all()
    assert not a.own[0].any()
    assert not a.astray[0].any()  # they are in the other's place, not in its own


def test_a_landmark_that_is_nearer_to_the_garment_that_is_not_found_is_astray():
    image = image_of((0, 0), (30, 0))
    xy = image.xy[1].copy()
    xy[0] = image.xy[0][0]
    a = associate(image, predicted(garment(xy)), SCHEMA)
    assert a.own[1].tolist() == [False] + [True] * 7
    assert a.astray[0].tolist() == [True] + [False] * 7


def test_what_was_not_found_is_nobodys():
    image = image_of((0, 0), (60, 40))
    a = associate(image, predicted(garment(image.xy[0], without=(2, 3))), SCHEMA)
    assert a.own[0].tolist() == [True, True, False, False, True, True, True, True]
    assert not a.astray.any()
    assert a.found.tolist() == [True, False]


def test_the_distance_counts_in_boxes():
    image = image_of((0, 0))
    near, far = moved(0, 9), moved(0, 11)  # of a box of 100 pixels
    assert associate(image, predicted(garment(near)), SCHEMA).own.all()
    assert not associate(image, predicted(garment(far)), SCHEMA).own.any()


def test_unlabelled_landmarks_and_crowds_count_for_nothing():
    image = image_of((0, 0), (300, 300), crowd=(False, True))
    visibility = image.visibility.copy()
    visibility[0, 2:4] = 0
    image = replace(image, visibility=visibility)
    others = [garment(xy) for xy in (image.xy[1] + 5, moved(0, 250))]
    a = associate(image, predicted(garment(image.xy[0]), *others), SCHEMA)
    assert a.garments.tolist() == [0]
    assert a.labelled[0].sum() == 6
    assert a.own[0].tolist() == a.labelled[0].tolist()
    assert a.false == 1  # what lies in the crowd is not judged


@pytest.mark.parametrize("predictions", [0, 2])
def test_images_without_garments_or_predictions(predictions):
    image = image_of((0, 0))
    found = predicted(*[garment(moved(300, 20 * i)) for i in range(predictions)])
    a = associate(image, found, SCHEMA)
    assert a.false == predictions
    assert not a.own.any()
    empty = replace(
        image, xy=image.xy[:0], visibility=image.visibility[:0], box=image.box[:0],
        member=image.member[:0], category=image.category[:0], crowd=image.crowd[:0],
    )  # fmt: skip
    none = associate(empty, found, SCHEMA)
    assert none.own.shape == (0, K)
    assert none.false == predictions
