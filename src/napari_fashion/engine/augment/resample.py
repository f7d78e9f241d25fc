"""The one resampling of a batch, from canvases to inputs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

HALVED_BELOW = 0.5
"""Input pixels per canvas pixel, below which the canvas is halved before it is sampled."""


def resample(
    pixels: Tensor,
    matrix: Tensor,
    visible: Tensor,
    side: int,
    around: Tensor,
    displacement: Tensor | None = None,
) -> Tensor:
    """Sample canvases through their matrices, and through a displacement of the input if there is one.

    Parameters
    ----------
    pixels
        (B, 3, S, S) uint8 canvases.
    matrix
        (B, 2, 3) canvas to input, edge-based.
    visible
        (B, 4) x0, y0, x1, y1 of what is seen of each canvas.
    side
        Of the input, pixels.
    around
        Broadcasts to (B, 3, side, side): what lies outside the visible part.
    displacement
        (B, 2, side, side): x and y in input pixels (`augment.elastic`); None for none.

    Returns
    -------
    (B, 3, side, side) float32.
    """
    b, _, _, s = pixels.shape
    inverse = torch.linalg.inv(matrix[:, :, :2])
    at = torch.arange(side, device=pixels.device, dtype=torch.float32) + 0.5
    y, x = torch.meshgrid(at, at, indexing="ij")
    points = torch.stack([x, y], -1).view(1, -1, 2)
    if displacement is not None:
        points = points + displacement.flatten(2).transpose(1, 2)
    points = points - matrix[:, None, :, 2]  # (B, side^2, 2)
    source = (points @ inverse.transpose(1, 2)).view(b, side, side, 2)
    canvases = pixels.to(torch.float32)
    sampled = sample(canvases, source * (2.0 / s) - 1.0)
    # Without averaging, images that get much smaller along an axis would alias along it.
    small = matrix[:, :, :2].norm(dim=1) < HALVED_BELOW  # (B, 2): canvas x, y
    for kernel in ((2, 2), (1, 2), (2, 1)) if s % 2 == 0 else ():
        chosen = (small[:, 0] == (kernel[1] == 2)) & (small[:, 1] == (kernel[0] == 2))
        if chosen.any():
            halved = F.avg_pool2d(canvases[chosen], kernel)
            sampled[chosen] = sample(halved, source[chosen] * (2.0 / s) - 1.0)
    inside = ((source >= visible[:, None, None, :2]) & (source <= visible[:, None, None, 2:])).all(
        -1
    )
    return torch.where(inside[:, None], sampled, around)


def sample(canvases: Tensor, grid: Tensor) -> Tensor:
    """Sample (B, 3, S, S) bilinearly at (B, H, W, 2) places in -1..1."""
    return F.grid_sample(
        canvases, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
