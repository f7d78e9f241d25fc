"""Losses of a cell's confidence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_fashion.engine.losses.options import LossOptions

ConfidenceLoss = Callable[[Tensor, Tensor, Tensor, LossOptions], Tensor]
"""Of logits, targets of 0 and 1, and weights, all of one shape: the weighted sum."""


def focal(logits: Tensor, target: Tensor, weight: Tensor, options: LossOptions) -> Tensor:
    """Cross-entropy times (1 - p_t)^gamma (Lin et al. 2017), summed with weights."""
    if options.focal_gamma == 0:
        return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    factor = (1 - torch.exp(-loss.detach())) ** options.focal_gamma
    return (loss * factor * weight).sum()


def smooth_l1(logits: Tensor, target: Tensor, weight: Tensor, options: LossOptions) -> Tensor:
    """Smooth L1 of the probability, as the report has it, summed with weights."""
    loss = F.smooth_l1_loss(torch.sigmoid(logits), target, reduction="none")
    return (loss * weight).sum()


CONFIDENCE_LOSSES: dict[str, ConfidenceLoss] = {"focal": focal, "smooth_l1": smooth_l1}
"""By `LossOptions.confidence`."""
