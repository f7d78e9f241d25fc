"""Views: which part of each image the network sees, and how it lies in the input.

Everything here happens on the CPU in edge-based coordinates: pixel i covers i .. i + 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.data.batch import Canvases, GarmentBatch

PART_SHARE = (0.2, 0.9)
"""Least and greatest probability of a landmark to be among those of a box of only some of them."""

_LEAST_EXTENT = 4.0
"""Boxes have at least this side in pixels: a point has no view."""


class Views(NamedTuple):
    """How B images are seen.

    Attributes
    ----------
    flipped
        (B,) bool.
    matrix
        (B, 2, 3) float32: canvas to input.
    visible
        (B, 4) float32: x0, y0, x1, y1 of what is seen, on the canvas; the rest is padding.
    """

    flipped: Tensor
    matrix: Tensor
    visible: Tensor


class _Regions(NamedTuple):
    """What B views show: the region that fills the input, what of it is visible, and its aspect."""

    region: Tensor  # (B, 4)
    visible: Tensor  # (B, 4)
    scale: Tensor  # (B, 2): x and y scale over that of the longer side


def draw_views(
    batch: Canvases,
    side: int,
    options: AugmentOptions,
    draws: Draws,
    crop_aspect: float,
    seen_whole: Tensor,
) -> Views:
    """Draw how each image is seen.

    Parameters
    ----------
    batch
        B images.
    side
        Of the square input, pixels.
    options
        See `AugmentOptions`.
    draws
        Random draws of the B images.
    crop_aspect
        Shape of the views that are cropped by a box, as the recipe has it.
    seen_whole
        (B,) bool: images that get no box view.
    """
    regions = _draw_regions(batch, options, draws, crop_aspect, seen_whole)
    centre = (regions.region[:, :2] + regions.region[:, 2:]) / 2
    extent = (regions.region[:, 2:] - regions.region[:, :2]).amax(1)
    low, high = (math.log(s) for s in options.scale)
    zoom = torch.exp(draws.uniform(low, high))
    low, high = (0.5 * math.log(s) for s in options.stretch)
    stretch = torch.exp(draws.uniform(low, high))
    angle = torch.deg2rad(draws.uniform(-options.rotation, options.rotation))
    if options.quarter_turn:
        turned = draws.chance(options.quarter_turn)
        quarters = draws.integers(1, 4)
        angle = angle + torch.where(turned, quarters * (math.pi / 2), 0.0)
    flipped = draws.chance(options.flip)
    room = ((1 - zoom).clamp(min=0) / 2 + options.shift)[:, None] * side
    shift = (draws.rand(2) * 2 - 1) * room
    if options.shift == 0 and options.scale == (1.0, 1.0):
        shift = torch.zeros_like(shift)

    factor = side * zoom / extent
    sx, sy = factor * stretch * regions.scale[:, 0], factor / stretch * regions.scale[:, 1]
    sx = torch.where(flipped, -sx, sx)
    cos, sin = torch.cos(angle), torch.sin(angle)
    linear = torch.stack(
        [torch.stack([cos * sx, -sin * sy], 1), torch.stack([sin * sx, cos * sy], 1)], 1
    )
    translation = side / 2 + shift - (linear @ centre[..., None])[..., 0]
    matrix = torch.cat([linear, translation[..., None]], dim=2)
    return Views(flipped, matrix, regions.visible)


def _draw_regions(
    batch: Canvases,
    options: AugmentOptions,
    draws: Draws,
    crop_aspect: float,
    seen_whole: Tensor,
) -> _Regions:
    """Draw whole images and boxes of garments; every image draws alike, whatever it has."""
    b = len(batch.pixels)
    whole = torch.cat([torch.zeros(b, 2), batch.size.cpu()], dim=1)
    boxed = draws.chance(options.box_view) & ~seen_whole
    cropped = draws.chance(options.box_crop)
    pick = draws.rand()
    margins = draws.rand(4)
    low, high = options.box_margin
    margins = margins * (high - low) + low
    tight = draws.chance(options.box_tight)
    margins = torch.where(tight[:, None], 0.0, margins)

    garments = batch.garments
    labelled = garments.visibility.cpu() > 0
    usable = (garments.valid & ~garments.crowd).cpu() & labelled.any(-1)
    boxed &= usable.any(1)
    row, chosen = torch.arange(b), _pick_one(usable, pick)
    box = garments.box.cpu()[row, chosen] + 0.5
    if options.box_part:
        part = _draw_part(garments, labelled, chosen, options.box_part, draws)
        box = torch.where(part.isfinite().all(1, keepdim=True), part, box)

    extent = (box[:, 2:] - box[:, :2]).clamp(min=_LEAST_EXTENT)
    grown = torch.cat(
        [box[:, :2] - margins[:, :2] * extent, box[:, :2] + extent * (1 + margins[:, 2:])], dim=1
    )
    inner = torch.cat(
        [torch.maximum(whole[:, :2], grown[:, :2]), torch.minimum(whole[:, 2:], grown[:, 2:])],
        dim=1,
    )
    cropped &= boxed
    region = torch.where(boxed[:, None], grown, whole)
    visible = torch.where(cropped[:, None], inner, whole)
    sides = (inner[:, 2:] - inner[:, :2]).clamp(min=_LEAST_EXTENT)
    scale = torch.ones(b, 2)
    for i in torch.nonzero(cropped).flatten().tolist():  # row by row, so that rounding is as ever
        scale[i] = (sides[i] / sides[i].amax()) ** (crop_aspect - 1)
    return _Regions(region, visible, scale)


def _pick_one(usable: Tensor, pick: Tensor) -> Tensor:
    """Return (B,) the index of one usable column of each row of (B, N); 0 if there is none.

    `pick` (B,) of [0, 1) says which: its share of the usable ones.
    """
    number = (pick * usable.sum(1)).long()
    return ((usable.cumsum(1) == number[:, None] + 1) & usable).to(torch.uint8).argmax(1)


def _draw_part(
    garments: GarmentBatch,
    labelled: Tensor,
    chosen: Tensor,
    share: float,
    draws: Draws,
) -> Tensor:
    """Return (B, 4) boxes of some of the chosen garments' landmarks; infinite where all count."""
    b, _, k = labelled.shape
    part = draws.chance(share)
    probability = draws.uniform(*PART_SHARE)
    kept = draws.rand(k) < probability[:, None]
    row = torch.arange(b)
    kept = kept & labelled[row, chosen] & part[:, None]
    kept = (kept & (kept.sum(1, keepdim=True) >= 2))[..., None]
    places = garments.xy.cpu()[row, chosen] + 0.5
    low = torch.where(kept, places, torch.inf).amin(1)
    high = torch.where(kept, places, -torch.inf).amax(1)
    return torch.cat([low, high], dim=1)
