"""Losses of the vectors to landmarks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from napari_fashion.engine.losses.options import LossOptions

VectorLoss = Callable[[Tensor, Tensor, Tensor, LossOptions], Tensor]
"""Of distances, log spreads and landmark sizes, each (P,): the loss of each, (P,)."""


def laplace(distance: Tensor, log_spread: Tensor, size: Tensor, options: LossOptions) -> Tensor:
    """Negative log-likelihood under the predicted spread."""
    return laplace_loss(distance, log_spread)


def smooth_l1(distance: Tensor, log_spread: Tensor, size: Tensor, options: LossOptions) -> Tensor:
    """Smooth L1 with the landmark's size or a fixed one as radius; the spread is not learned."""
    fixed = options.smooth_l1_radius
    return smooth_l1_loss(distance, size if fixed is None else torch.full_like(size, fixed))


def laplace_loss(distance: Tensor, log_spread: Tensor) -> Tensor:
    """|x - mu| / b + log(2 b), elementwise, with b = exp(log_spread) (PifPaf, equation 4)."""
    return distance * torch.exp(-log_spread) + log_spread + math.log(2.0)


def smooth_l1_loss(distance: Tensor, radius: Tensor) -> Tensor:
    """0.5 d^2 / r inside the radius r, d - 0.5 r outside (DESIGN section 4), elementwise.

    The 1 / r makes the two meet at r, with slope 1 there and beyond.
    """
    radius = radius.clamp(min=1e-3)
    return torch.where(distance < radius, 0.5 * distance.square() / radius, distance - 0.5 * radius)


VECTOR_LOSSES: dict[str, VectorLoss] = {"laplace": laplace, "smooth_l1": smooth_l1}
"""By `LossOptions.vector`."""
