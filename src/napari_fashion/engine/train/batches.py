"""The training batches of a run, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader

from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.loader import CanvasDataset, draw_epoch
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.sampling import category_rates, sampling_rates
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.tally import Tally


class TrainBatches:
    """Training images, drawn anew in each epoch and put into batches.

    Parameters
    ----------
    recipe
        Says how they are drawn and loaded.
    images
        P training images.
    device
        Where the batches will go.

    Attributes
    ----------
    dataset
        Loads the images.
    rates
        (P,) how often each is drawn in an epoch, 1 on average.
    """

    def __init__(
        self, recipe: Recipe, images: Sequence[AnnotatedImage], device: torch.device
    ) -> None:
        self.dataset = CanvasDataset(images, recipe.data.canvas, recipe.data.cache_gb)
        self.rates = sampling_rates(images, recipe.data.balance)
        self._recipe, self._device = recipe, device
        self._reported: set[int] = set()

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch."""
        return max(1, len(self.dataset) // self._recipe.schedule.batch)

    def category_rates(self, categories: int) -> torch.Tensor:
        """Return (C,) float32 how often each category is drawn, on the run's device."""
        drawn = category_rates(self.dataset.images, self.rates, categories)
        return torch.from_numpy(drawn).to(self._device, torch.float32)

    def of_epoch(self, epoch: int, first: int) -> Iterator[Canvases]:
        """Yield an epoch's batches from the `first` (0-based) on.

        Their order depends on the recipe's seed and the epoch only.
        """
        recipe = self._recipe
        batch = min(recipe.schedule.batch, len(self.dataset))
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        order = draw_epoch(self.rates, generator)
        batches = [order[i * batch : (i + 1) * batch].tolist() for i in range(self.steps_per_epoch)]
        return iter(
            DataLoader(
                self.dataset,
                batch_sampler=batches[first:],
                num_workers=recipe.data.workers,
                collate_fn=self.dataset.collate,
                # A generator of its own: the loader must not draw from the run's random state.
                generator=torch.Generator(),
                pin_memory=self._device.type == "cuda",
            )
        )

    def newly_broken(self) -> Tally:
        """Return the images that turned out to be damaged since the last call."""
        broken = Tally()
        for index, reason in self.dataset.broken.items():
            if index not in self._reported:
                broken.add("images that cannot be read, others are drawn in their place", reason)
        self._reported |= set(self.dataset.broken)
        return broken
