"""From a batch to its losses: augmentation, network, teacher, targets."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.losses.category import Teacher
from napari_fashion.engine.losses.total import compute_losses
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.transfer import CategoryTeacher
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.schema import Schema


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

    def __call__(self, batch: Canvases, step: int, done: float) -> dict[str, Tensor]:
        """Return the weighted losses by name.

        Parameters
        ----------
        batch
            As the loader gives it.
        step
            Its number; with the recipe's seed it decides how the batch is augmented.
        done
            Share of the run that is done.
        """
        recipe, schedule = self.recipe, self.recipe.schedule
        generator = torch.Generator().manual_seed(recipe.seed * 7_368_787 + step)
        inputs, garments = augment_batch(
            batch.to(self.device),
            schedule.size_at(done, recipe.inference.input_size),
            self.augment if done < schedule.mild else self.augment.milder(),
            self.schema.flips,
            generator,
            recipe.inference.crop_aspect,
        )
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, enabled=self.mixed):
            heads = self.network(inputs)
        shape = (heads.pif.shape[-2], heads.pif.shape[-1])
        stride, pool = recipe.network.stride, recipe.network.category_pool
        targets = encode_targets(garments, self.schema, recipe.targets, shape, stride)
        teacher = self._teach(inputs)
        return compute_losses(heads, targets, recipe.loss, pool, self.category_rates, teacher)

    @torch.no_grad()
    def _teach(self, inputs: Tensor) -> Teacher | None:
        """Return what the teacher says of the inputs."""
        if self.teacher is None or self.recipe.teacher is None:
            return None
        with torch.autocast(self.device.type, enabled=self.mixed):
            logits = self.teacher(inputs)
        return Teacher(logits, self.recipe.teacher.category, self.teacher.known)
