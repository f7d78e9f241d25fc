"""Averages of weights: over the steps of a run, and with those of the model it started from."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_fashion.engine.network.transfer import Origin


class MovingAverage:
    """Exponential moving average of a network's weights, kept in a second network.

    Parameters
    ----------
    network
        Learns; the average follows it.
    averaged
        Of the same shape; holds the average. It starts with the weights that it has.
    decay
        Per step; 0 for the weights themselves.
    """

    def __init__(self, network: nn.Module, averaged: nn.Module, decay: float) -> None:
        means, values = averaged.state_dict().values(), network.state_dict().values()
        pairs = list(zip(means, values, strict=True))
        self.decay = decay
        self._means = [m for m, v in pairs if v.dtype.is_floating_point]
        self._values = [v for _, v in pairs if v.dtype.is_floating_point]
        self._counters = [(m, v) for m, v in pairs if not v.dtype.is_floating_point]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the weights after `step` (0-based).

        Early on it moves faster, so that it forgets the random start.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        for mean, value in self._counters:
            mean.copy_(value)


def mix_states(state: dict[str, Tensor], origin: Origin, share: float) -> dict[str, Tensor]:
    """Return (1 - share) of `state` and `share` of the origin's weights.

    Rows that are new to the run, and whole numbers, stay those of `state`.
    """
    mixed = {}
    for name, value in state.items():
        if value.is_floating_point():
            start = origin.state[name].to(value.device)
            mixed[name] = torch.lerp(value, start, origin.share_of(name, value, share))
        else:
            mixed[name] = value
    return mixed


def unmix_states(mixed: dict[str, Tensor], origin: Origin, share: float) -> dict[str, Tensor]:
    """Return the state that `mix_states` made `mixed` of, up to rounding."""
    return mix_states(mixed, origin, -share / (1 - share)) if share else mixed
