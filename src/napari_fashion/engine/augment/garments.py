"""Garments under a batch's matrices and flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from napari_fashion.engine.augment.elastic import displaced
from napari_fashion.engine.data.batch import GarmentBatch

_BOX_POINTS = 9
"""Number of points of a box's side that are displaced, to find the box around them."""


def move_garments(
    garments: GarmentBatch,
    matrix: Tensor,
    visible: Tensor,
    displacement: Tensor | None = None,
) -> GarmentBatch:
    """Map garments from canvases to inputs, and fill `GarmentBatch.content`.

    Landmarks are displaced exactly; boxes hold their displaced outline. Areas stay as the matrix makes
    them, and so does the content's outline, which is wrong by the displacement at most.

    Parameters
    ----------
    garments
        In canvas pixels.
    matrix
        (B, 2, 3) canvas to input, edge-based.
    visible
        (B, 4) x0, y0, x1, y1 of what is seen of each canvas, edge-based.
    displacement
        (B, 2, side, side) of the inputs, pixels; None for none.
    """
    corners = _apply(matrix, _corners(garments.box))
    xy = _apply(matrix, garments.xy)
    if displacement is not None:
        xy, corners = displaced(xy, displacement), displaced(_outline(corners), displacement)
    return replace(
        garments,
        xy=xy,
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


def _outline(corners: Tensor) -> Tensor:
    """Return (..., 4 * `_BOX_POINTS`, 2) points of the sides between (..., 4, 2) corners."""
    share = torch.linspace(0, 1, _BOX_POINTS, device=corners.device)[:, None]
    sides = torch.lerp(corners[..., None, :], corners.roll(-1, -2)[..., None, :], share)
    return sides.flatten(-3, -2)


def _apply(matrix: Tensor, xy: Tensor) -> Tensor:
    """Map (B, ..., 2) pixel-centre coordinates through edge-based (B, 2, 3) matrices."""
    flat = xy.reshape(len(xy), -1, 2) + 0.5
    moved = flat @ matrix[:, :, :2].transpose(1, 2) + matrix[:, None, :, 2]
    return (moved - 0.5).view(xy.shape)
