"""From a batch to its losses: augmentation, network, teacher, targets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from typing import NamedTuple

import torch
from torch import Tensor

from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.augment.draws import Draws, mixed_key
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.distributed import processes
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.losses.category import Teacher
from napari_fashion.engine.losses.total import Normalisers, compute_losses
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.transfer import CategoryTeacher
from napari_fashion.engine.targets.encode import Targets, encode_targets
from napari_fashion.engine.targets.layers import in_layers
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.schema import Schema


class Prepared(NamedTuple):
    """A batch, ready for the network.

    Attributes
    ----------
    inputs
        (B, 3, side, side) float32, 0..255, on the run's device.
    targets
        What the network is to say of them.
    """

    inputs: Tensor
    targets: Targets


def seed_step(seed: int, step: int) -> None:
    """Seed torch's random state of a step (0-based): of dropout and drop path in this process."""
    torch.manual_seed(int(mixed_key(seed, step, processes().rank)[0]))


class LossComputer:
    """Computes the losses of batches as a recipe says.

    Parameters
    ----------
    recipe
        See `Recipe`.
    schema
        Of the landmarks and categories.
    network
        Learns.
    teacher
        Is learned from beside the labels; None for labels alone.
    category_rates
        (C,) how often each category is drawn.
    device
        Where all of this is.
    """

    def __init__(
        self,
        recipe: Recipe,
        schema: Schema,
        network: Network,
        teacher: CategoryTeacher | None,
        category_rates: Tensor,
        device: torch.device,
    ) -> None:
        self.recipe, self.schema, self.device = recipe, schema, device
        self.layers = Layers.of(schema, recipe.network.layers)
        self.augment = recipe.augment if schema.mirrors else recipe.augment.unflipped()
        self.network, self.teacher = network, teacher
        self.category_rates = category_rates

    @property
    def mixed(self) -> bool:
        """Whether the network runs in mixed precision."""
        on_gpu = self.device.type == "cuda"
        return self.recipe.precision == "mixed" or (self.recipe.precision == "auto" and on_gpu)

    @property
    def half(self) -> bool:
        """Whether float16 with loss scaling is used: on GPUs without bfloat16."""
        return self.mixed and self.device.type == "cuda" and not torch.cuda.is_bf16_supported()

    def prepare(self, batch: Canvases, done: float) -> Prepared:
        """Augment a batch and encode its targets.

        Parameters
        ----------
        batch
            As the loader gives it; its keys decide how its images are augmented.
        done
            Share of the run that is done.
        """
        recipe, schedule = self.recipe, self.recipe.schedule
        side = schedule.size_at(done, recipe.inference.input_size)
        inputs, garments = augment_batch(
            batch.to(self.device),
            side,
            self.augment if done < schedule.mild else self.augment.milder(),
            self.schema.flips,
            Draws(batch.key),
            recipe.inference.crop_aspect,
            recipe.inference.padding,
        )
        cells = side // recipe.network.stride
        targets = encode_targets(
            in_layers(garments, self.layers),
            self.layers.field_schema,
            recipe.targets,
            (cells, cells),
            recipe.network.stride,
            category_region=recipe.network.category_region,
        )
        return Prepared(inputs.contiguous(memory_format=torch.channels_last), targets)

    def normalisers(self, parts: Iterable[Prepared]) -> Normalisers:
        """Return what a step's losses are divided by: of all its batches, in all processes."""
        own = sum((Normalisers.of(part.targets) for part in parts), Normalisers())
        return Normalisers(*map(int, processes().sum_numbers(astuple(own))))

    def losses(self, part: Prepared, normalisers: Normalisers) -> dict[str, Tensor]:
        """Return the weighted losses of a prepared batch by name.

        Those of all batches of a step, in all processes, add up to the step's, if `normalisers` are the
        step's.
        """
        recipe = self.recipe
        with torch.autocast(self.device.type, enabled=self.mixed):
            heads = self.network(part.inputs)
        return compute_losses(
            heads,
            part.targets,
            recipe.loss,
            recipe.network.category_pool,
            self.category_rates,
            self._teach(part.inputs),
            normalisers,
            bounded_spread=recipe.network.bounded_spread,
        )

    @torch.no_grad()
    def _teach(self, inputs: Tensor) -> Teacher | None:
        """Return what the teacher says of the inputs."""
        if self.teacher is None or self.recipe.teacher is None:
            return None
        with torch.autocast(self.device.type, enabled=self.mixed):
            logits = self.teacher(inputs)
        return Teacher(logits, self.recipe.teacher.category, self.teacher.known)
