"""Random draws, always on the CPU from one generator: a run is the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(generator: torch.Generator, n: int, low: float, high: float) -> Tensor:
    """Return (n,) float32 numbers of [low, high)."""
    return torch.rand(n, generator=generator) * (high - low) + low


def chance(generator: torch.Generator, n: int, probability: float) -> Tensor:
    """Return (n,) bool, each true with `probability`."""
    return torch.rand(n, generator=generator) < probability
