"""Augmentation of a whole batch: from canvases to the network's input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_fashion.engine.augment.colour import erase, recolour
from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.elastic import draw_displacement
from napari_fashion.engine.augment.garments import move_garments, swap_flipped
from napari_fashion.engine.augment.mosaic import backdrops, content_everywhere, lay_together
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.augment.resample import resample
from napari_fashion.engine.augment.views import draw_views
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.engine.padding import GREY, RANDOM, Colour


def augment_batch(
    batch: Canvases,
    side: int,
    options: AugmentOptions,
    flips: Sequence[int],
    draws: Draws,
    crop_aspect: float = 1.0,
    padding: Colour = GREY,
) -> tuple[Tensor, GarmentBatch]:
    """Make the network's input of a batch.

    An image's random numbers follow from its key alone, so that it is augmented alike in every
    batch and on every device; everything else runs on the batch's device.

    Parameters
    ----------
    batch, side
        B images, and the side of the square input in pixels.
    options
        See `AugmentOptions`; `NO_AUGMENTATION` for none.
    flips
        The schema's permutation of landmarks under a flip.
    draws
        Random draws of the B images.
    crop_aspect
        Shape of the views that are cropped by a box, as the recipe has it.
    padding
        Colour of what lies outside the images in inference, and here if `options` have no other.

    Returns
    -------
    inputs
        (B, 3, side, side) float32, 0..255.
    garments
        The garments in input pixels, with `content` filled.
    """
    device = batch.pixels.device
    colours = _padding_colours(options, padding, draws)
    together = torch.zeros(len(batch.pixels), dtype=torch.bool)
    if options.mosaic:
        batch, together = lay_together(batch, options.mosaic, draws, colours)
    views = draw_views(batch, side, options, draws, crop_aspect, together)
    around, replaced = colours.to(device)[:, :, None, None], None
    if options.background:
        low, high = views.visible[:, :2], views.visible[:, 2:]
        cropped = (low > 0).any(1) | (high < batch.size.cpu()).any(1)
        around, replaced = backdrops(batch, cropped, side, options.background, draws, colours)
    matrix, visible = views.matrix.to(device), views.visible.to(device)
    displacement = draw_displacement(side, options, draws, device) if options.elastic else None
    pixels = batch.pixels
    if options.padding is not None or padding != GREY:
        pixels = _padded(pixels, batch.size, colours.to(device))
    inputs = resample(pixels, matrix, visible, side, around, displacement)
    inputs = recolour(inputs, options, draws)
    if options.erase:
        inputs = erase(inputs, options.erase, draws)
    garments = move_garments(batch.garments, matrix, visible, displacement)
    if replaced is not None:
        garments = content_everywhere(garments, replaced, side)
    return inputs, swap_flipped(garments, views.flipped.to(device), flips)


def _padding_colours(options: AugmentOptions, usual: Colour, draws: Draws) -> Tensor:
    """Return (B, 3) float32 the colour of each image's padding, whole numbers of 0..255."""
    if options.padding == RANDOM:
        return (draws.rand(3) * 256).floor()
    colour = usual if options.padding is None else options.padding
    return torch.tensor(colour, dtype=torch.float32).repeat(len(draws), 1)


def _padded(pixels: Tensor, size: Tensor, colours: Tensor) -> Tensor:
    """Return canvases with other colours beside their images: samples at an image's edge mix with them."""
    at = torch.arange(pixels.shape[-1], device=pixels.device)
    right, below = at >= size[:, :1].ceil(), at >= size[:, 1:].ceil()
    beside = right[:, None, None, :] | below[:, None, :, None]
    return torch.where(beside, colours.to(pixels.dtype)[:, :, None, None], pixels)
