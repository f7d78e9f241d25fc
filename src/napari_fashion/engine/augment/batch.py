"""Augmentation of a whole batch: from canvases to the network's input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_fashion.engine.augment.colour import erase, recolour
from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.garments import move_garments, swap_flipped
from napari_fashion.engine.augment.mosaic import backdrops, content_everywhere, lay_together
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.augment.resample import resample
from napari_fashion.engine.augment.views import draw_views
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.images.transforms import PADDING


def augment_batch(
    batch: Canvases,
    side: int,
    options: AugmentOptions,
    flips: Sequence[int],
    draws: Draws,
    crop_aspect: float = 1.0,
) -> tuple[Tensor, GarmentBatch]:
    """Make the network's input of a batch.

    An image's random numbers follow from its key alone, so that it is augmented alike in every
    batch and on every device; everything else runs on the batch's device.

    Parameters
    ----------
    batch
        B images.
    side
        Side of the square input, pixels.
    options
        See `AugmentOptions`; `NO_AUGMENTATION` for none.
    flips
        The schema's permutation of landmarks under a flip.
    draws
        Random draws of the B images.
    crop_aspect
        Shape of the views that are cropped by a box, as the recipe has it.

    Returns
    -------
    inputs
        (B, 3, side, side) float32, 0..255, padded with `PADDING`.
    garments
        The garments in input pixels, with `content` filled.
    """
    device = batch.pixels.device
    together = torch.zeros(len(batch.pixels), dtype=torch.bool)
    if options.mosaic:
        batch, together = lay_together(batch, options.mosaic, draws)
    views = draw_views(batch, side, options, draws, crop_aspect, together)
    around, replaced = torch.full((1, 1, 1, 1), float(PADDING), device=device), None
    if options.background:
        low, high = views.visible[:, :2], views.visible[:, 2:]
        cropped = (low > 0).any(1) | (high < batch.size.cpu()).any(1)
        around, replaced = backdrops(batch, cropped, side, options.background, draws)
    matrix, visible = views.matrix.to(device), views.visible.to(device)
    inputs = resample(batch.pixels, matrix, visible, side, around)
    inputs = recolour(inputs, options, draws)
    if options.erase:
        inputs = erase(inputs, options.erase, draws)
    garments = move_garments(batch.garments, matrix, visible)
    if replaced is not None:
        garments = content_everywhere(garments, replaced, side)
    return inputs, swap_flipped(garments, views.flipped.to(device), flips)
