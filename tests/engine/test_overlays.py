from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_fashion.engine.overlays import draw_prediction
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")


def prediction(width, height, xy=None):
    k = GARMENTS.n_landmarks
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 1, (k, 2)) * (width, height) - 0.5 if xy is None else xy
    category = np.zeros(len(GARMENTS.categories), np.float32)
    category[0] = 1
    garment = PredictedGarment(
        xy=places.astype(np.float32),
        scores=np.ones(k, np.float32),
        spread=np.ones(k, np.float32),
        category=category,
        score=0.9,
    )
    return Prediction((garment,), width, height, "test")


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 7), (7, 7), (1, 500), (40, 30), (3000, 20)])
def test_images_of_any_size_are_drawn_on(size):
    width, height = size
    image = np.full((height, width, 3), 200, np.uint8)
    drawn = draw_prediction(image, prediction(width, height), GARMENTS)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert (drawn != image).any()
    assert (image == 200).all()


def test_an_image_without_garments_stays_as_it_is():
    image = np.full((5, 4, 3), 200, np.uint8)
    drawn = draw_prediction(image, Prediction((), 4, 5, "test"), GARMENTS)
    np.testing.assert_array_equal(drawn, image)


def test_a_hidden_landmark_is_a_ring():
    xy = np.full((GARMENTS.n_landmarks, 2), 80.0)
    xy[0] = 240
    one = prediction(400, 400, xy).garments[0]
    image = np.full((400, 400, 3), 200, np.uint8)
    scores = np.eye(GARMENTS.n_landmarks, dtype=np.float32)[0]

    def middle(visible):
        found = replace(one, scores=scores, visible=np.full(len(xy), visible, np.float32))
        drawn = draw_prediction(image, Prediction((found,), 400, 400, "test"), GARMENTS)
        assert (drawn[230:251, 230:251] != 200).any()
        return drawn[240, 240].tolist()

    assert middle(0.1) == pytest.approx([200, 200, 200], abs=3)
    assert middle(0.9) != pytest.approx([200, 200, 200], abs=30)
