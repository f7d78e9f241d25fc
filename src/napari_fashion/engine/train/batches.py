"""The training batches of a run, epoch by epoch."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch.utils.data import DataLoader

from napari_fashion.engine.augment.draws import mixed_key
from napari_fashion.engine.augment.mosaic import group_sizes
from napari_fashion.engine.augment.options import AugmentOptions
from napari_fashion.engine.data.batch import Canvases
from napari_fashion.engine.data.loader import CanvasDataset, Drawn, draw_epoch
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.sampling import category_rates, sampling_rates
from napari_fashion.engine.distributed import processes
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError
from napari_fashion.tally import Tally

PREFETCHED = 4
"""Number of batches that each worker process loads ahead."""


def share_of_batch(batch: int, augment: AugmentOptions) -> range:
    """Return the places in a batch of `batch` images that are this process's: a contiguous part.

    Images that may be mixed (`augment.mosaic`) stay together.

    Raises
    ------
    RecipeError
        If there are more processes than parts.
    """
    together = processes()
    mixing = augment.mosaic > 0 or augment.background > 0
    sizes = group_sizes(batch) if mixing else [1] * batch
    if len(sizes) < together.size:
        what = f"{batch} images" + (f" in {len(sizes)} groups that are mixed" if mixing else "")
        raise RecipeError(
            f"A batch has {what}; expected at least one for each of the {together.size} processes. "
            "Start fewer processes, or set a larger schedule.batch."
        )
    ends = [0, *np.cumsum(sizes).tolist()]
    part = together.share(len(sizes))
    return range(ends[part.start], ends[part.stop])


class TrainBatches:
    """Training images, drawn anew in each epoch and put into batches.

    With several processes each has a part of every batch.

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
    batch
        Number of images in a batch, over all processes.
    per_step
        Number of batches in a step.
    rates
        (P,) how often each is drawn in an epoch, 1 on average.
    """

    def __init__(
        self, recipe: Recipe, images: Sequence[AnnotatedImage], device: torch.device
    ) -> None:
        together = processes()
        on_machine = together.launch.local_size
        self.dataset = CanvasDataset(images, recipe.data.canvas, recipe.data.cache_gb / on_machine)
        self.rates = sampling_rates(images, recipe.data.balance)
        self.batch = min(recipe.schedule.batch, len(self.dataset))
        self.per_step = min(recipe.optimiser.accumulate, len(self.dataset) // self.batch)
        self._share = share_of_batch(self.batch, recipe.augment)
        sizes = group_sizes(self.batch)
        self._groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
        self._recipe, self._device = recipe, device
        self._reported: set[int] = set()
        self._batches = _Batches()
        workers = recipe.data.workers
        self._loader: DataLoader[Canvases] = DataLoader(
            self.dataset,  # type: ignore[arg-type]
            batch_sampler=self._batches,
            num_workers=workers,
            collate_fn=self.dataset.collate,
            # A generator of its own: the loader must not draw from the run's random state.
            generator=torch.Generator(),
            pin_memory=device.type == "cuda",
            persistent_workers=workers > 0,
            prefetch_factor=PREFETCHED if workers else None,
            worker_init_fn=_ignore_signals,
        )

    @property
    def steps_per_epoch(self) -> int:
        """Number of steps in an epoch."""
        return max(1, len(self.dataset) // (self.batch * self.per_step))

    def category_rates(self, categories: int) -> torch.Tensor:
        """Return (C,) float32 how often each category is drawn, on the run's device."""
        has_start = self._recipe.start_from is not None
        drawn = category_rates(
            self.dataset.images, self.rates, categories, unseen_is_rare=has_start
        )
        return torch.from_numpy(drawn).to(self._device, torch.float32)

    def of_epoch(self, epoch: int, first: int) -> Iterator[list[Canvases]]:
        """Yield the batches of an epoch's steps from the `first` (0-based) on.

        With several processes they are this process's parts of the batches.

        Their order and the keys of their images depend on the recipe's seed and the epoch only.
        """
        seed, images = self._recipe.seed, self.batch * self.per_step
        order = draw_epoch(self.rates, torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        keys = mixed_key(seed, epoch, np.arange(len(order))).tolist()
        indices = order.tolist()
        self._batches.drawn = [
            [Drawn(indices[start + i], keys[start + i], self._groups[i]) for i in self._share]
            for start in range(first * images, self.steps_per_epoch * images, self.batch)
        ]
        loaded = iter(self._loader)
        while step := list(islice(loaded, self.per_step)):
            yield step

    def newly_broken(self) -> Tally:
        """Return the images that turned out to be damaged since the last call, in any process."""
        broken = Tally()
        for found in processes().gather(self.dataset.broken):
            for index, reason in found.items():
                if index not in self._reported:
                    broken.add(
                        "images that cannot be read, others are drawn in their place", reason
                    )
                self._reported.add(index)
        return broken


class _Batches:
    """The batches that are asked for: of one epoch after the other, by the same workers."""

    def __init__(self) -> None:
        self.drawn: list[list[Drawn]] = []

    def __iter__(self) -> Iterator[list[Drawn]]:
        return iter(self.drawn)

    def __len__(self) -> int:
        return len(self.drawn)


def _ignore_signals(worker: int) -> None:
    """Leave it to the main process how a worker ends: signals can go to all processes of a group."""
    for name in ("SIGINT", "SIGTERM", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
