"""Reading a head's raw output where the losses need it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _Gather(torch.autograd.Function):
    """Confidence everywhere, all channels at P cells.

    Slicing channels one by one would make a gradient of the whole head's size for each slice;
    with 294 landmarks these take longer than the rest of the losses.
    """

    @staticmethod
    def forward(ctx: Any, raw: Tensor, cells: Tensor, confidence: int) -> tuple[Tensor, Tensor]:
        image, channel, y, x = cells.unbind(1)
        ctx.save_for_backward(cells)
        ctx.confidence, ctx.like = confidence, (raw.shape, raw.stride(), raw.dtype)
        values = raw[image, channel, :, y, x].float()
        return raw[:, :, confidence].float(), values.t().contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        dense, sparse = gradients
        (cells,) = ctx.saved_tensors
        image, channel, y, x = cells.unbind(1)
        shape, stride, dtype = ctx.like
        gradient = torch.empty_strided(shape, stride, dtype=dtype, device=dense.device).zero_()
        gradient[image, channel, :, y, x] = sparse.t().to(dtype)  # the cells are unique
        gradient[:, :, ctx.confidence] += dense.to(dtype)
        return gradient, None, None


def gather(raw: Tensor, cells: Tensor, confidence: int) -> tuple[Tensor, Tensor]:
    """Read a head's confidence everywhere and all its channels at some cells.

    Parameters
    ----------
    raw
        (B, L, C, H, W) raw output of a head.
    cells
        (P, 4) int64: image, landmark or edge, row and column; no cell twice.
    confidence
        Number of the confidence among the C channels.

    Returns
    -------
    confidence
        (B, L, H, W) float32.
    values
        (C, P) float32.
    """
    return _Gather.apply(raw, cells, confidence)  # type: ignore[no-any-return]
