"""The colour of padding in training: inference's, another one, or one for each view."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.augment.draws import Draws, mixed_key
from napari_fashion.engine.augment.options import NO_AUGMENTATION, AugmentOptions
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.images.transforms import PADDING

B, CANVAS, SIDE = 8, 64, 96


def reddish() -> Canvases:
    """Wide images of (200, 20, 20) on grey canvases, with one garment in the middle."""
    pixels = torch.full((B, 3, CANVAS, CANVAS), PADDING, dtype=torch.uint8)
    pixels[:, :, :41] = torch.tensor([200, 20, 20], dtype=torch.uint8)[:, None, None]
    xy = torch.tensor([[20.0, 10.0], [44.0, 30.0]]).repeat(B, 1, 1, 1)
    ones = torch.ones(B, 1, dtype=torch.bool)
    garments = GarmentBatch(
        xy, torch.full((B, 1, 2), 2), torch.ones(B, 1, 2, dtype=torch.bool),
        torch.tensor([20.0, 10.0, 44.0, 30.0]).repeat(B, 1, 1), torch.full((B, 1), 480.0),
        torch.zeros(B, 1, dtype=torch.long), ~ones, ones, torch.zeros(B, 4, 2),
    )  # fmt: skip
    group = torch.arange(B) // 4
    size = torch.tensor([CANVAS, 41.0]).repeat(B, 1)
    return Canvases(pixels, size, garments, torch.arange(B), torch.arange(B), group)


def seen(usual=(PADDING,) * 3, **options) -> torch.Tensor:
    options = NO_AUGMENTATION.model_copy(
        update=AugmentOptions(**options).model_dump(include=set(options))
    )
    draws = Draws(mixed_key(2, np.arange(B)))
    return augment_batch(reddish(), SIDE, options, (0, 1), draws, 1.0, usual)[0]


def colours(image: torch.Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, image.round().int().flatten(1).T.tolist()))


RED = (200, 20, 20)
VIEWS = [
    {},  # the whole image, letterboxed
    {"box_view": 1.0, "box_crop": 1.0, "box_margin": [0.2, 0.2]},  # cropped by the box
    {"rotation": 180.0},  # what rotates in
    {"mosaic": 1.0},  # between images that are laid together
]


@pytest.mark.parametrize("view", VIEWS, ids=["whole", "crop", "rotated", "mosaic"])
@pytest.mark.parametrize("padding", ["grey", [255, 255, 255], [3, 140, 250]], ids=str)
def test_everything_outside_has_the_colour_and_no_edge_has_another(view, padding):
    expected = (PADDING,) * 3 if padding == "grey" else tuple(padding)
    low, high = np.minimum(RED, expected), np.maximum(RED, expected)
    for image in seen(padding=padding, **view):
        found = colours(image)
        assert expected in found
        assert RED in found
        # Pixels at an edge are between the two; the canvas's grey would not be.
        assert all((low <= np.array(c)).all() and (np.array(c) <= high).all() for c in found)


def test_it_is_that_of_inference_by_default():
    white = seen(usual=(255, 255, 255))
    assert torch.equal(white, seen(padding=[255, 255, 255]))
    assert torch.equal(seen(), seen(padding="grey"))
    assert torch.equal(seen(usual=(255, 255, 255), padding="grey"), seen())


def test_random_is_one_colour_a_view():
    images = seen(padding="random")
    found = [colours(image) - {RED} for image in images]
    corners = [tuple(image[:, 0, 0].round().int().tolist()) for image in images]
    assert len(set(corners)) == B
    for image, corner in zip(images, corners, strict=True):
        rows = (image == image[:, :1, :1]).all(0).all(1)
        assert rows.sum() >= 30  # of 96 - 41 / 64 * 96 = 34.5
        assert corner in found[corners.index(corner)]
    assert torch.equal(images, seen(padding="random"))


@pytest.mark.parametrize(
    "wrong",
    ["white", [1, 2], [1, 2, 3, 4], [0, 0, 256], [-1, 0, 0], [1.5, 0, 0], [True, 0, 0], 124],
)
def test_what_is_no_colour_is_refused(wrong):
    for options in (AugmentOptions, InferenceOptions):
        with pytest.raises(ValidationError, match=r'expected "grey".*\[R, G, B\]'):
            options(padding=wrong)
    with pytest.raises(ValidationError, match='expected "grey", or'):
        InferenceOptions(padding="random")
