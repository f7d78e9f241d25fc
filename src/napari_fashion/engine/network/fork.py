"""Fork normalisation: how much each head's gradient weighs where the heads join the backbone."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _ForkNormalisation(torch.autograd.Function):
    """Identity forward; backward the gradient times kappa (DESIGN section 4; Mordan et al.)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, kappa: float) -> Tensor:
        ctx.kappa = kappa
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.kappa, None


def fork(features: Tensor, heads: int, beta: float) -> Tensor:
    """Pass `features` to one of several heads, weighing its gradient by heads^-beta.

    Parameters
    ----------
    features
        Any tensor; returned unchanged.
    heads
        Number T of heads that join there.
    beta
        0 sums the heads' gradients, 1 averages them.
    """
    if not torch.is_grad_enabled():
        return features.view_as(features)
    return _ForkNormalisation.apply(features, float(heads) ** -beta)  # type: ignore[no-any-return]
