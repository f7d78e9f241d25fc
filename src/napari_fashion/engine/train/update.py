"""One step after another: learning rate, losses, divergence guard, gradients, weights."""

from __future__ import annotations

import torch
from torch import nn

from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.distributed import norm_statistics, processes
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.divergence import DivergenceGuard
from napari_fashion.engine.train.optim import (
    clip_gradients,
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.step import LossComputer, seed_step


class Diverged(Exception):
    """A step was not taken, because its loss or its gradient diverges.

    Attributes
    ----------
    head
        What is to blame: a loss by name, such as ``paf.vector``, or the gradient's norm.
    value
        The total loss, or the norm.
    """

    def __init__(self, head: str, value: float) -> None:
        super().__init__(f"{head}: {value:g}")
        self.head, self.value = head, value


class Updater:
    """Changes a network's weights, a batch a step.

    Parameters
    ----------
    recipe
        Says how.
    network
        Learns.
    compute_losses
        Gives the losses of a batch.
    steps_per_epoch, total_steps
        Of the run.

    Attributes
    ----------
    optimiser, scaler, guard
        Have a state that a checkpoint keeps.
    lr_factor
        Of the learning rate: below 1 after the divergence policy ``"back"``.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        compute_losses: LossComputer,
        steps_per_epoch: int,
        total_steps: int,
    ) -> None:
        self.optimiser = make_optimiser(network, recipe.optimiser)
        self.scaler = torch.amp.GradScaler("cuda", enabled=compute_losses.half)
        self.guard = DivergenceGuard(recipe.divergence)
        self.lr_factor = 1.0
        self._recipe, self._network, self._compute_losses = recipe, network, compute_losses
        self._steps_per_epoch, self._total_steps = steps_per_epoch, total_steps

    @property
    def rate(self) -> float:
        """The learning rate of the latest step."""
        return float(self.optimiser.param_groups[0]["lr"])

    def begin_epoch(self) -> None:
        """Put the network into training mode."""
        self._network.train()
        if self._recipe.optimiser.freeze_norms:
            for module in self._network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()

    def step(self, batch: Canvases, step: int) -> dict[str, float]:
        """Do a step (0-based); return the weighted losses by name.

        Raises
        ------
        Diverged
            If the step was not taken.
        """
        recipe, optimiser = self._recipe, self.optimiser
        rate = learning_rate(
            step, self._steps_per_epoch, self._total_steps, recipe.schedule, recipe.optimiser.lr
        )
        set_learning_rate(optimiser, rate * self.lr_factor)
        seed_step(recipe.seed, step)
        losses = self._compute_losses(batch, step / max(1, self._total_steps))
        together = processes()
        stacked = torch.stack(list(losses.values()))
        total = stacked.sum()
        # One copy from the device; what every process decides by is the same in all of them.
        values = torch.cat([stacked, total[None]]).tolist()
        *values, value = together.sum_numbers(values)
        parts = dict(zip(losses, values, strict=True))
        if (head := self.guard.blame(parts, value)) is not None:
            together.average(norm_statistics(self._network))
            raise Diverged(head, value)
        optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
        together.sum_gradients(self._network.parameters())  # scaled: an overflow is everybody's
        together.average(norm_statistics(self._network))
        self.scaler.unscale_(optimiser)
        norm = clip_gradients(self._network, recipe.optimiser)
        if norm is not None and not self.scaler.is_enabled() and not torch.isfinite(norm):
            raise Diverged("gradient norm", float(norm))
        self.scaler.step(optimiser)
        self.scaler.update()
        return parts
