"""Optimisers, parameter groups, gradient clipping and the learning rate's schedule."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.options import OptimiserOptions, ScheduleOptions

LAST_LR = 0.01
"""The last learning rate of cosine and line, as a share of the peak."""


def make_optimiser(network: Network, options: OptimiserOptions) -> torch.optim.Optimizer:
    """Return the optimiser; norms and biases have no weight decay.

    A parameter group's ``share`` is the factor of its learning rate.
    """
    backbone = {id(p) for p in network.backbone.parameters()}
    parts: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        inner = options.backbone_lr != 1 and id(parameter) in backbone
        parts.setdefault((inner, parameter.ndim > 1), []).append(parameter)
    groups = [
        {
            "params": parameters,
            "weight_decay": options.weight_decay if decayed else 0.0,
            "share": options.backbone_lr if inner else 1.0,
        }
        for (inner, decayed), parameters in sorted(
            parts.items(), key=lambda part: (part[0][0], not part[0][1])
        )
    ]
    if options.kind == "sgd":
        return torch.optim.SGD(
            groups, lr=options.lr, momentum=options.momentum, nesterov=options.nesterov
        )
    return torch.optim.AdamW(groups, lr=options.lr)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of every group to its share of `rate`."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def clip_gradients(network: nn.Module, options: OptimiserOptions) -> Tensor:
    """Clip gradients as the options say.

    Returns
    -------
    The gradient's norm before that; it is infinite or NaN if some value is, or if values are too large
    for float32.
    """
    parameters = [p for p in network.parameters() if p.grad is not None]
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.zeros(())
    norms: list[Tensor] = list(torch._foreach_norm(gradients))
    norm = torch.stack(norms).square().sum().sqrt()
    if options.clip_value:
        nn.utils.clip_grad_value_(parameters, options.clip_value)
    if options.clip_norm:
        nn.utils.clip_grad_norm_(parameters, options.clip_norm)
    return norm


def learning_rate(
    step: int, steps_per_epoch: int, total_steps: int, schedule: ScheduleOptions, peak: float
) -> float:
    """Return the learning rate of a step (0-based), apart from what a plateau makes of it."""
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), total_steps // 2)
    if step < warmup:
        return peak * (step + 1) / warmup
    t = (step - warmup) / max(1, total_steps - warmup)
    match schedule.kind:
        case "cosine":
            return peak * (LAST_LR + (1 - LAST_LR) * 0.5 * (1 + math.cos(math.pi * t)))
        case "linear":
            return peak * (LAST_LR + (1 - LAST_LR) * max(0.0, 1 - t))
        case "plateau":
            return peak
    decades = sum(
        _share_passed(step, first * steps_per_epoch, last * steps_per_epoch)
        for first, last in schedule.decay
    )
    return float(peak * 0.1**decades)


def _share_passed(step: int, first: float, last: float) -> float:
    if step >= last:
        return 1.0
    return max(0.0, (step - first) / (last - first)) if last > first else 0.0
