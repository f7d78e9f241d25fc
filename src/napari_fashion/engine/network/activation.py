"""From raw outputs to fields: confidences, absolute positions, spreads and sizes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.network.heads import PAF, HeadSpec, pif_spec
from napari_fashion.engine.network.network import Heads

LOG_SPREAD_BOUND = 4.0
"""The predicted log of the Laplace spread stays within this, so that no loss can run away."""


def bounded_log_spread(raw: Tensor) -> Tensor:
    """Bound the raw log spread smoothly to +-`LOG_SPREAD_BOUND`."""
    return LOG_SPREAD_BOUND * torch.tanh(raw / LOG_SPREAD_BOUND)


def cell_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return (2, height, width) float32: x and y of every cell, in cells."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])


def activate(heads: Heads) -> Heads:
    """Turn raw outputs into what `Point` and the decoder mean by them.

    Confidences become 0..1, positions absolute (in cells, 0 at the centre of the first), log spreads
    spreads; sizes become positive. The category field stays logits. Shapes stay, in float32.
    """
    spec = pif_spec(heads.pif.shape[2])
    return Heads(_activate(spec, heads.pif), _activate(PAF, heads.paf), heads.category.float())


def _activate(spec: HeadSpec, raw: Tensor) -> Tensor:
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
                part = bounded_log_spread(part).exp()
            case "size":
                part = F.softplus(part)
        parts.append(part)
    return torch.cat(parts, dim=2)


def activate_in_place(heads: Heads) -> Heads:
    """Do what `activate` does, but for rounding, in half the time: raw outputs may be overwritten.

    Exporters cannot follow it, and gradients cannot go through it.
    """
    return Heads(
        _activate_in_place(pif_spec(heads.pif.shape[2]), heads.pif),
        _activate_in_place(PAF, heads.paf),
        heads.category.float(),
    )


def _activate_in_place(spec: HeadSpec, raw: Tensor) -> Tensor:
    values = raw.float().contiguous()  # whole planes of a channel, which the loops below run along
    grid = cell_grid(raw.shape[-2], raw.shape[-1], raw.device)
    for kind, channels in spec.runs:
        part = values[:, :, channels]
        match kind:
            case "confidence":
                part.sigmoid_()
            case "position":
                part.add_(grid.repeat(part.shape[2] // 2, 1, 1))
            case "log_spread":
                part.div_(LOG_SPREAD_BOUND).tanh_().mul_(LOG_SPREAD_BOUND).exp_()
            case "size":
                part.copy_(F.softplus(part))
    return values
