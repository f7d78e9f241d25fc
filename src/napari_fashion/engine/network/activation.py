"""From raw outputs to fields: confidences, absolute positions, spreads and sizes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.network.heads import PAF, HeadSpec, pif_spec
from napari_fashion.engine.network.network import Heads

LOG_SPREAD_BOUND = 4.0
"""The predicted log of the Laplace spread, if bounded, stays within this: no loss can run away."""


FINITE_LOG_SPREAD = 20.0
"""Spreads that are not bounded are decoded within exp(+-this), so that fields stay finite."""


def log_spread_of(raw: Tensor, *, bounded: bool) -> Tensor:
    """Return the log of the spread that a raw output stands for (`NetworkConfig.bounded_spread`).

    >>> log_spread_of(torch.tensor([-100.0, 0.0, 9.0]), bounded=True).abs().amax() <= LOG_SPREAD_BOUND
    tensor(True)
    """
    return LOG_SPREAD_BOUND * torch.tanh(raw / LOG_SPREAD_BOUND) if bounded else raw


def cell_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return (2, height, width) float32: x and y of every cell, in cells."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])


def activate(heads: Heads, *, bounded_spread: bool = True) -> Heads:
    """Turn raw outputs into what `Point` and the decoder mean by them.

    Confidences become 0..1, positions absolute (in cells, 0 at the centre of the first), log spreads
    spreads; sizes become positive. The category field stays logits. Shapes stay, in float32.
    `bounded_spread` is that of the network's `NetworkConfig`.
    """
    return Heads(
        _activate(pif_spec(heads.pif.shape[2]), heads.pif, bounded_spread),
        _activate(PAF, heads.paf, bounded_spread),
        heads.category.float(),
    )


def _activate(spec: HeadSpec, raw: Tensor, bounded_spread: bool) -> Tensor:
    raw = raw.float()
    grid = cell_grid(raw.shape[-2], raw.shape[-1], raw.device)
    parts = []
    for kind, channels in spec.runs:
        part = raw[:, :, channels]
        match kind:
            case "confidence":
                part = part.sigmoid()
            case "position":
                part = part + grid.repeat(part.shape[2] // 2, 1, 1)
            case "log_spread":
                part = log_spread_of(part, bounded=bounded_spread)
                part = part.clamp(-FINITE_LOG_SPREAD, FINITE_LOG_SPREAD).exp()
            case "size":
                part = F.softplus(part)
        parts.append(part)
    return torch.cat(parts, dim=2)


def activate_in_place(heads: Heads, *, bounded_spread: bool = True) -> Heads:
    """Do what `activate` does, but for rounding, in half the time: raw outputs may be overwritten.

    Exporters cannot follow it, and gradients cannot go through it.
    """
    return Heads(
        _activate_in_place(pif_spec(heads.pif.shape[2]), heads.pif, bounded_spread),
        _activate_in_place(PAF, heads.paf, bounded_spread),
        heads.category.float(),
    )


def _activate_in_place(spec: HeadSpec, raw: Tensor, bounded_spread: bool) -> Tensor:
    values = raw.float().contiguous()  # whole planes of a channel, which the loops below run along
    grid = cell_grid(raw.shape[-2], raw.shape[-1], raw.device)
    for kind, channels in spec.runs:
        part = values[:, :, channels]
        match kind:
            case "confidence":
                part.sigmoid_()
            case "position":
                part.add_(grid.repeat(part.shape[2] // 2, 1, 1))
            case "log_spread" if not bounded_spread:
                part.clamp_(-FINITE_LOG_SPREAD, FINITE_LOG_SPREAD).exp_()
            case "log_spread":
                part.div_(LOG_SPREAD_BOUND).tanh_().mul_(LOG_SPREAD_BOUND).exp_()
            case "size":
                part.copy_(F.softplus(part))
    return values
