"""Elastic warping: one smooth random displacement field for each image of a batch.

Uniform noise is convolved with a Gaussian, as Ziegler et al. (2020) augment images of clothing. The field
lies in the input: pixel p shows what would lie at p + u(p) without it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.options import AugmentOptions

_NODES = 2
"""Nodes of the noise in one sigma of the Gaussian."""
_TRUNCATE = 3
"""The Gaussian is truncated at this many sigmas."""
_STEEPEST = 0.7
"""Largest change of the displacement from a pixel to the next, pixels: from 1 on an image folds."""
_ITERATIONS = 40
"""Of the fixed-point iteration, each of which leaves at most `_STEEPEST` of the error: 1e-6 of it."""


def draw_displacement(
    side: int, options: AugmentOptions, draws: Draws, device: torch.device
) -> Tensor:
    """Draw the displacement fields of B images.

    The noise lies on nodes half a sigma apart, so that a field is the same for every size of the input.

    Parameters
    ----------
    side
        Of the square input, pixels.
    options
        Its ``elastic`` options.
    draws
        Random draws of the B images.
    device
        Where the fields are needed.

    Returns
    -------
    (B, 2, side, side) float32: x and y in pixels, 0 for images that are not warped. The longest vector of
    one that is has the length ``elastic_amplitude * side``, or less if the image would fold.
    """
    chosen = draws.chance(options.elastic)
    reach = _TRUNCATE * _NODES
    cells = math.ceil(_NODES / options.elastic_smoothness)
    n = cells + 1 + 2 * reach
    noise = draws.rand(2, n, n) * 2 - 1
    at = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (at / _NODES).square()).expand(2, 1, -1)
    smooth = F.conv2d(noise, kernel[:, :, :, None], groups=2)
    smooth = F.conv2d(smooth, kernel[:, :, None, :], groups=2)  # (B, 2, cells + 1, cells + 1)
    smooth, chosen = smooth.to(device), chosen.to(device)
    # Nodes are smoothness / _NODES of the side apart, from the input's edge to beyond the other one.
    pixels = (
        (torch.arange(side, device=device) + 0.5) / side * (_NODES / options.elastic_smoothness)
    )
    place = pixels * (2 / cells) - 1
    y, x = torch.meshgrid(place, place, indexing="ij")
    grid = torch.stack([x, y], -1).expand(len(noise), -1, -1, -1)
    field: Tensor = F.grid_sample(
        smooth, grid, mode="bicubic", padding_mode="reflection", align_corners=True
    )
    longest = field.norm(dim=1).flatten(1).amax(1).clamp(min=1e-6)
    field = field * (options.elastic_amplitude * side / longest)[:, None, None, None]
    field = field * (_STEEPEST / _steepness(field)).clamp(max=1)[:, None, None, None]
    return field * chosen[:, None, None, None]


def _steepness(field: Tensor) -> Tensor:
    """(B,) an upper bound of how much the displacement changes from a point to one a pixel away."""
    along_x = field.diff(dim=3).norm(dim=1).flatten(1).amax(1)
    along_y = field.diff(dim=2).norm(dim=1).flatten(1).amax(1)
    return torch.hypot(along_x, along_y).clamp(min=1e-6)


def displaced(xy: Tensor, displacement: Tensor) -> Tensor:
    """Return where what lies at `xy` without the displacement is shown with it.

    The place p solves p + u(p) = xy, with u bilinear between pixel centres, as it is resampled.

    Parameters
    ----------
    xy
        (B, ..., 2) pixel-centre coordinates in the input.
    displacement
        (B, 2, side, side), see `draw_displacement`.
    """
    target = xy.reshape(len(xy), -1, 2)
    place = target
    for _ in range(_ITERATIONS):
        place = target - _at(displacement, place)
    return place.view(xy.shape)


def _at(displacement: Tensor, place: Tensor) -> Tensor:
    """Return (B, N, 2) displacements at pixel-centre coordinates; beyond the edge those of the edge."""
    side = displacement.shape[-1]
    grid = ((place + 0.5) * (2 / side) - 1)[:, None]
    values = F.grid_sample(
        displacement, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return values[:, :, 0].transpose(1, 2)
