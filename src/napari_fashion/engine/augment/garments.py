"""Garments under a batch's matrices and flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from napari_fashion.engine.data.batch import GarmentBatch


def move_garments(garments: GarmentBatch, matrix: Tensor, visible: Tensor) -> GarmentBatch:
    """Map garments from canvases to inputs, and fill `GarmentBatch.content`.

    Parameters
    ----------
    garments
        In canvas pixels.
    matrix
        (B, 2, 3) canvas to input, edge-based.
    visible
        (B, 4) x0, y0, x1, y1 of what is seen of each canvas, edge-based.
    """
    corners = _apply(matrix, _corners(garments.box))
    return replace(
        garments,
        xy=_apply(matrix, garments.xy),
        box=torch.cat([corners.amin(2), corners.amax(2)], dim=-1),
        area=garments.area * torch.linalg.det(matrix[:, :, :2]).abs()[:, None],
        content=_apply(matrix, _corners(visible - 0.5)),
    )


def swap_flipped(garments: GarmentBatch, flipped: Tensor, flips: Sequence[int]) -> GarmentBatch:
    """Swap left and right landmarks of the images that are `flipped` (B,).

    `flips` is the schema's permutation of landmarks under a flip.
    """
    order = torch.tensor(list(flips), device=flipped.device)
    where = flipped[:, None, None]
    return replace(
        garments,
        xy=torch.where(where[..., None], garments.xy[:, :, order], garments.xy),
        visibility=torch.where(where, garments.visibility[:, :, order], garments.visibility),
        member=torch.where(where, garments.member[:, :, order], garments.member),
    )


def _corners(box: Tensor) -> Tensor:
    """Return (..., 4, 2) the corners of (..., 4) boxes x0, y0, x1, y1, in order around them."""
    x0, y0, x1, y1 = box.unbind(-1)
    return torch.stack(
        [torch.stack(c, -1) for c in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], dim=-2
    )


def _apply(matrix: Tensor, xy: Tensor) -> Tensor:
    """Map (B, ..., 2) pixel-centre coordinates through edge-based (B, 2, 3) matrices."""
    flat = xy.reshape(len(xy), -1, 2) + 0.5
    moved = flat @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
    return (moved - 0.5).view(xy.shape)
