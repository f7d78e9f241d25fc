"""One step after another: learning rate, losses, gradients, divergence guard, weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.distributed import norm_statistics, processes
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.divergence import DivergenceGuard, Finding
from napari_fashion.engine.train.optim import (
    clip_gradients,
    learning_rate,
    make_optimiser,
    set_learning_rate,
)
from napari_fashion.engine.train.plateau import PlateauRate
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.step import LossComputer, seed_step


class Diverged(Exception):
    """A step was not taken, because its loss or its gradient diverges.

    Attributes
    ----------
    finding
        What the guard found.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class Updater:
    """Changes a network's weights, step by step; each step takes one or several batches.

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
    optimiser, scaler, guard, plateau
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
        self.plateau = PlateauRate(recipe.schedule)
        self.lr_factor = 1.0
        self._recipe, self._network, self._compute_losses = recipe, network, compute_losses
        self._steps_per_epoch, self._total_steps = steps_per_epoch, total_steps
        self._statistics = [b for b in network.buffers() if b.dtype.is_floating_point]
        self._before = [torch.empty_like(b) for b in self._statistics]

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

    def step(self, batches: Sequence[Canvases], step: int) -> dict[str, float]:
        """Do a step (0-based); return the weighted losses by name.

        The gradient of several batches is that of one batch of all their images: the losses are
        divided by what all of them have.

        Raises
        ------
        Diverged
            If the step was not taken; weights and running statistics are as before.
        """
        recipe = self._recipe
        rate = learning_rate(
            step, self._steps_per_epoch, self._total_steps, recipe.schedule, recipe.optimiser.lr
        )
        set_learning_rate(self.optimiser, rate * self.lr_factor * self.plateau.factor)
        seed_step(recipe.seed, step)
        torch._foreach_copy_(self._before, self._statistics)
        names, losses = self._gradients(batches, step / max(1, self._total_steps))
        norm = clip_gradients(self._network, recipe.optimiser)
        together = processes()
        # One copy from the device; what every process decides by is the same in all of them.
        numbers = torch.cat([losses, losses.sum()[None], norm.to(losses)[None]]).tolist()
        *values, total, norms = together.sum_numbers(numbers)
        parts = dict(zip(names, values, strict=True))
        found = self.guard.find(parts, total) or self._find_in_gradient(norms / together.size)
        if found is not None:
            torch._foreach_copy_(self._statistics, self._before)
            self.scaler.update()  # ends the scaler's step without the optimiser's
            raise Diverged(found)
        self.guard.accept(parts, total)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return parts

    def _gradients(self, batches: Sequence[Canvases], done: float) -> tuple[list[str], Tensor]:
        """Compute the gradient of a step; return the names of its losses and their values."""
        compute = self._compute_losses
        prepared = [compute.prepare(batch, done) for batch in batches]
        over = compute.normalisers(prepared)
        self.optimiser.zero_grad(set_to_none=True)
        values: list[Tensor] = []
        for part in prepared:
            losses = compute.losses(part, over)
            stacked = torch.stack(list(losses.values()))
            self.scaler.scale(stacked.sum()).backward()  # type: ignore[no-untyped-call]
            values.append(stacked.detach())
        together = processes()
        together.sum_gradients(self._network.parameters())  # scaled: an overflow is everybody's
        together.average(norm_statistics(self._network))
        self.scaler.unscale_(self.optimiser)
        return list(losses), torch.stack(values).sum(0)

    def _find_in_gradient(self, norm: float) -> Finding | None:
        """Return what is wrong with the gradient; None if the scaler of mixed precision deals with it.

        The scaler leaves out steps whose gradient overflows and lowers its scale; a gradient that
        overflows at a scale below 1 does so by itself.
        """
        if self.scaler.is_enabled() and self.scaler.get_scale() >= 1:
            return None
        return self.guard.find_in_gradient(norm)
