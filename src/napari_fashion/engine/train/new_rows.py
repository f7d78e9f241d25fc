"""Rows of the heads that a run adds to its start learn at a rate of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class NewRowRates:
    """Scales what each step of an optimiser changes in new rows.

    A network that is fine-tuned moves slowly; the fields of a new landmark or category, which start at
    random, would not be learned at that rate. After each step a new row becomes
    ``before + factor * (after - before)``: with SGD and AdamW that is a step at `factor` times the rate,
    with weight decay.

    Parameters
    ----------
    network
        Learns.
    new_rows
        (rows,) bool for each weight by name that has new rows (`Origin.new_rows`).
    factor
        Rate of new rows as a multiple of the others'.
    """

    def __init__(self, network: nn.Module, new_rows: Mapping[str, Tensor], factor: float) -> None:
        weights = dict(network.named_parameters())
        self._rows = [
            (weights[name], rows.nonzero().flatten().to(weights[name].device))
            for name, rows in new_rows.items()
        ]
        self._factor = factor
        self._before: list[Tensor] = []

    def attach(self, optimiser: torch.optim.Optimizer) -> None:
        """Scale every step of an optimiser of the network from now on."""
        if self._rows and self._factor != 1:
            optimiser.register_step_pre_hook(self._remember)
            optimiser.register_step_post_hook(self._scale)

    @torch.no_grad()
    def _remember(self, *_: Any) -> None:
        self._before = [weight[rows].clone() for weight, rows in self._rows]

    @torch.no_grad()
    def _scale(self, *_: Any) -> None:
        for (weight, rows), before in zip(self._rows, self._before, strict=True):
            weight[rows] = torch.lerp(before, weight[rows], self._factor)
        self._before = []
