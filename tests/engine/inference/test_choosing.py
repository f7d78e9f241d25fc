from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_fashion.engine.inference.choosing import best_of_each
from small import SCHEMA, SHIRT_XY, TROUSERS_XY, predicted

DRESS_XY = [*SHIRT_XY[:4], (35, 60), (85, 60), (30, 110), (90, 110)]
TOP_OF_DRESS = [*DRESS_XY[:4], (0, 0), (0, 0), *DRESS_XY[6:]]
SKIRT_OF_DRESS = [(0, 0)] * 4 + DRESS_XY[4:]
UPPER, LOWER, FULL = 0, 1, 2


def chosen(*finds):
    """Numbers of the models whose finds are left, best first."""
    return [model for model, _ in best_of_each(finds, SCHEMA.sigmas, 0.15)]


@pytest.mark.parametrize("best", [UPPER, LOWER, FULL])
def test_of_one_dress_the_model_with_the_best_score_counts_alone(best):
    places = {UPPER: TOP_OF_DRESS, LOWER: SKIRT_OF_DRESS, FULL: DRESS_XY}
    finds = [
        (model, predicted(xy, "Dress", 0.9 if model == best else 0.5 + 0.1 * model, shift=model))
        for model, xy in places.items()
    ]
    assert chosen(*finds) == [best]
    assert chosen(*reversed(finds)) == [best]


def test_a_shirt_and_trousers_stand_beside_each_other():
    shirt, trousers = [(x, y * 0.5) for x, y in SHIRT_XY], [(x, y / 2 + 60) for x, y in TROUSERS_XY]
    trousers = [
        (x, y) if any(o) else (0, 0) for (x, y), o in zip(trousers, TROUSERS_XY, strict=True)
    ]
    finds = (UPPER, predicted(shirt, "Shirt", 0.7)), (LOWER, predicted(trousers, "Pants", 0.8))
    assert chosen(*finds) == [LOWER, UPPER]


def test_garments_of_one_model_are_its_own_matter():
    inner, outer = predicted(SHIRT_XY, "Shirt", 0.6), predicted(SHIRT_XY, "Blazer", 0.8, shift=1)
    assert chosen((UPPER, inner), (UPPER, outer)) == [UPPER, UPPER]
    assert chosen((UPPER, inner), (UPPER, outer), (FULL, predicted(DRESS_XY, "Dress", 0.5))) == [
        0,
        0,
    ]
    assert chosen((UPPER, inner), (UPPER, outer), (FULL, predicted(DRESS_XY, "Dress", 0.9))) == [
        FULL
    ]


def test_landmarks_that_complete_a_garment_do_not_make_it_the_same():
    dress = predicted(DRESS_XY, "Dress", 0.8)
    skirt = predicted(SKIRT_OF_DRESS, "Skirt", 0.5)
    low = np.where(np.arange(8) < 6, 0.1, 0.5) * skirt.found
    sure_of_the_hem = predicted(SKIRT_OF_DRESS, "Skirt", 0.4, shift=60)
    assert chosen((FULL, dress), (LOWER, skirt)) == [FULL]
    assert chosen((FULL, dress), (LOWER, sure_of_the_hem)) == [FULL, LOWER]
    nothing_sure = replace(skirt, scores=np.minimum(low, 0.1).astype(np.float32))
    assert chosen((FULL, dress), (LOWER, nothing_sure)) == [FULL, LOWER]


def test_nothing_found_is_nothing_left():
    assert chosen() == []
