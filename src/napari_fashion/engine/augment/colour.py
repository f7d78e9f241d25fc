"""Colour: one matrix an image, noise, and rectangles that are painted over."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_fashion.engine.augment.draws import Draws
from napari_fashion.engine.augment.options import AugmentOptions

ERASED_SHARE = (0.1, 0.35)
"""Least and greatest side of the rectangle that is painted over, as a share of the input's."""

_LUMA = (0.299, 0.587, 0.114)
_MIDDLE = 128.0
"""The grey that a change of contrast leaves alone."""


def recolour(x: Tensor, options: AugmentOptions, draws: Draws) -> Tensor:
    """Change brightness, contrast, saturation and hue of each image, and add noise.

    (B, 3, H, W) float32 of 0..255 to the same.
    """
    draw = draws.rand(5) * 2 - 1
    grey = draws.chance(options.grey)
    brightness = 1 + options.brightness * draw[:, 0]
    contrast = 1 + options.contrast * draw[:, 1]
    saturation = torch.where(grey, 0.0, 1 + options.saturation * draw[:, 2])
    hue = torch.deg2rad(options.hue * draw[:, 3])
    gain = (brightness * contrast)[:, None, None]
    matrix = (gain * (_hue_rotation(hue) @ _saturation(saturation))).to(x.device)
    offset = (_MIDDLE * (1 - contrast)).to(x.device)
    y = torch.einsum("bij,bjhw->bihw", matrix, x) + offset[:, None, None, None]
    if options.noise:
        sigma = (options.noise * (draw[:, 4] + 1) / 2).to(x.device)
        y = y + sigma[:, None, None, None] * draws.noise(tuple(x.shape[1:]), x.device)
    return y.clamp(0, 255)


def _saturation(amount: Tensor) -> Tensor:
    """Return (B, 3, 3) matrices that blend colours with their luma; 0 leaves grey, 1 nothing."""
    project = torch.ones(3, 1) @ torch.tensor(_LUMA)[None]
    return amount[:, None, None] * torch.eye(3) + (1 - amount)[:, None, None] * project


def _hue_rotation(angle: Tensor) -> Tensor:
    """Return (B, 3, 3) rotations about the grey axis, angles in radians (Rodrigues)."""
    axis = 1 / math.sqrt(3.0)
    cross = torch.tensor([[0, -axis, axis], [axis, 0, -axis], [-axis, axis, 0]])
    cos, sin = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    return cos * torch.eye(3) + (1 - cos) * torch.full((3, 3), 1 / 3) + sin * cross


def erase(x: Tensor, probability: float, draws: Draws) -> Tensor:
    """Paint over a rectangle of some of the (B, 3, S, S) images, each with a colour of its own."""
    side = x.shape[-1]
    chosen = draws.chance(probability)
    extent = draws.uniform(*ERASED_SHARE, 2)
    low = draws.rand(2) * (1 - extent)
    high = low + extent
    colour = (draws.rand(3) * 255).to(x.device)
    at = (torch.arange(side) + 0.5) / side
    across = (at >= low[:, :1]) & (at < high[:, :1])
    down = (at >= low[:, 1:]) & (at < high[:, 1:])
    painted = (down[:, :, None] & across[:, None, :] & chosen[:, None, None]).to(x.device)
    return torch.where(painted[:, None], colour[:, :, None, None], x)
