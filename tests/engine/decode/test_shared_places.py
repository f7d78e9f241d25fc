"""Where landmarks of two garments fall together: what the decoder keeps apart, and what it does not yet.

Tests that are expected to fail are examples of what is not found though the fields say it
(`training/several.md` has how often that happens). They are strict: a decoder that finds it has to say so.
"""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.decode import DecodedGarment, DecoderOptions, DecodeTrace, decode_fields
from napari_fashion.engine.decode.trace import Kept, SeedSkipped, Taken
from napari_fashion.engine.inference.layering import found_once
from napari_fashion.engine.inference.postprocess import category_probabilities
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.schema import Schema
from synthetic_fields import LOWER, SHAPE, UPPER, Scene

SCHEMA = Schema.load("garments")
SIZE = 2.0
"""Cells: of a collar of a garment 20 to 25 cells long, as a photo of 256 pixels shows it."""
JACKET = SHAPE * [22, 24] + [8.2, 6.3]


def below(jacket: np.ndarray, collar: float, sleeve: float, hem: float) -> np.ndarray:
    """Return a shirt under a jacket: how many cells its collars, sleeves and hems lie inside it."""
    shirt = jacket.copy()
    for pair, by in (((0, 1), collar), ((2, 3), sleeve), ((6, 7), hem)):
        shirt[pair[0]] += np.array([by, by]) / np.sqrt(2)
        shirt[pair[1]] += np.array([-by, by]) / np.sqrt(2)
    return shirt


def dressed(*garments: tuple[np.ndarray, tuple[int, ...]]) -> Scene:
    scene = Scene(41, 41)
    for xy, have in garments:
        scene.garment(xy, have, size=SIZE)
    return scene


def rightly_found(
    found: list[DecodedGarment], xy: np.ndarray, have: tuple[int, ...], least: float = 0.75
) -> int:
    """Number of a garment's landmarks that one decoded garment has, at best."""
    near = [np.linalg.norm(g.xy - xy, axis=1) < least for g in found]
    return max(
        (int((n & (g.scores > 0))[list(have)].sum()) for n, g in zip(near, found, strict=True))
    )


def test_an_upper_over_a_lower_garment_is_found_whole():
    """Only their hems are of the same name, and these lie apart."""
    trousers = SHAPE * [14, 26] + [12.1, 8.4]
    found = decode_fields(dressed((JACKET, UPPER), (trousers, LOWER)).fields(), SCHEMA)
    assert len(found) == 2
    assert rightly_found(found, JACKET, UPPER) == len(UPPER)
    assert rightly_found(found, trousers, LOWER) == len(LOWER)


@pytest.mark.parametrize("apart", [2.5, 3.0, 4.0])
def test_two_upper_garments_farther_apart_than_their_size_are_found_whole(apart):
    shirt = below(JACKET, apart, apart, apart)
    found = decode_fields(dressed((JACKET, UPPER), (shirt, UPPER)).fields(), SCHEMA)
    assert len(found) == 2
    assert rightly_found(found, JACKET, UPPER) == len(UPPER)
    assert rightly_found(found, shirt, UPPER) == len(UPPER)


def test_suppression_gives_a_shared_place_to_one_garment():
    """What happens today: the shirt's collars are placed, and lost to the jacket."""
    shirt = below(JACKET, 1.6, 6.0, 5.0)
    trace = DecodeTrace()
    fields = dressed((JACKET, UPPER), (shirt, UPPER)).fields()
    found = decode_fields(fields, SCHEMA, trace=trace)
    assert sum(isinstance(step, Kept) for step in trace.steps) == len(found) == 2
    assert {step.landmark for step in trace.steps if isinstance(step, Taken)} == {0, 1}
    # Their seeds are skipped as well, so that a garment of which only the collar shows never starts.
    assert {s.landmark for s in trace.steps if isinstance(s, SeedSkipped)} >= {0, 1}


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="suppression is by landmark, not by garment: `_suppress`",
)
def test_a_shirt_under_a_jacket_keeps_its_collar():
    shirt = below(JACKET, 1.6, 6.0, 5.0)
    found = decode_fields(dressed((JACKET, UPPER), (shirt, UPPER)).fields(), SCHEMA)
    assert rightly_found(found, JACKET, UPPER) == len(UPPER)
    assert rightly_found(found, shirt, UPPER) == len(UPPER)


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="a seed within the size of a placed landmark starts no garment",
)
def test_a_shirt_of_which_only_the_collar_shows_is_found():
    shirt = below(JACKET, 1.6, 0, 0)
    found = decode_fields(dressed((JACKET, UPPER), (shirt, (0, 1))).fields(), SCHEMA,
                          DecoderOptions(garment_threshold=0.1))  # fmt: skip
    assert rightly_found(found, shirt, (0, 1), least=0.6) == 2
    assert len(found) == 2


def test_a_shirt_and_the_jacket_over_it_are_two_garments_in_two_layers():
    """A tenth of the garment apart; two readings of one garment differ by a hundredth or two."""
    shirt = below(JACKET, 2.4, 2.4, 2.4)
    there = np.isin(np.arange(8), UPPER).astype(np.float32)
    both = [
        PredictedGarment(
            np.where(there[:, None] > 0, xy, 0).astype(np.float32) * 8, there * score, there,
            np.eye(15, dtype=np.float32)[0], score, layer=layer,
        )
        for xy, score, layer in ((JACKET, 0.9, 1), (shirt, 0.8, 2))
    ]  # fmt: skip
    assert len(found_once(both, SCHEMA.sigmas, 0.15)) == 2


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="the category is the maximum over the box, of whatever is in it",
)
def test_a_garment_inside_the_box_of_another_has_its_own_category():
    shirt = below(JACKET, 2.5, 6.0, 5.0)
    category = np.zeros((15, 41, 41), np.float32)
    for index, xy, logit in ((0, JACKET, 9.0), (1, shirt, 8.0)):
        (x0, y0), (x1, y1) = xy[list(UPPER)].min(0).astype(int), xy[list(UPPER)].max(0).astype(int)
        category[index, y0 : y1 + 1, x0 : x1 + 1] = logit
    # The cells at the shirt's own landmarks say shirt.
    for x, y in shirt[list(UPPER)].round().astype(int):
        category[:2, y, x] = 0, 8
    fields = dressed((JACKET, UPPER), (shirt, UPPER)).fields(category=category)
    probabilities = category_probabilities(fields, shirt[list(UPPER)], "max")
    assert int(np.argmax(probabilities)) == 1
