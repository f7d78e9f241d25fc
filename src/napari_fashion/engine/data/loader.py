"""Annotated images become batches of canvases: decoded, scaled, padded, with their garments as tensors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import get_worker_info

from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.sampling import systematic_sample
from napari_fashion.errors import ImageError
from napari_fashion.images.transforms import PADDING, RGBImage, resize

_log = logging.getLogger(__name__)


class Drawn(NamedTuple):
    """An image of an epoch, as it is asked for.

    Attributes
    ----------
    image
        Index of the image.
    key
        Of its random draws.
    group
        See `Canvases.group`.
    """

    image: int
    key: int
    group: int


Item = tuple[Tensor, tuple[float, float], float, float, Drawn]
"""A canvas (3, S, S) uint8; width and height of the image on it in pixels; the scale in x and in y from the
image to the canvas; which image it is in the end, with its key and group."""


def draw_epoch(rates: NDArray[np.float64], generator: torch.Generator) -> Tensor:
    """Draw the images of an epoch, in random order: as many as there are.

    Parameters
    ----------
    rates
        (P,) how often each image is drawn, 1 on average (`sampling_rates`): rounded up or down at random,
        exactly once at a rate of 1.
    generator
        Source of randomness (CPU).

    Returns
    -------
    (P,) int64 indices.
    """
    n = len(rates)
    order = torch.randperm(n, generator=generator)
    if (rates == 1).all():
        return order
    start = float(torch.rand(1, generator=generator, dtype=torch.float64))
    drawn = systematic_sample(rates[order.numpy()], start)
    return order[torch.from_numpy(drawn)][torch.randperm(n, generator=generator)]


class CanvasDataset(TorchDataset[Item]):
    """Images scaled onto the top left of square canvases; an item is an `Item`.

    Parameters
    ----------
    images
        What to load.
    side
        S, the canvas's side in pixels.
    cache_gb
        Keep decoded images in memory if all of them together fit into this many GiB.
    """

    def __init__(self, images: Sequence[AnnotatedImage], side: int, cache_gb: float) -> None:
        self.images = list(images)
        self.side = side
        paths = {p.path for p in self.images}
        self._keep = len(paths) * side * side * 3 <= cache_gb * 2**30
        self._cache: dict[Path, RGBImage] = {}
        self.broken: dict[int, str] = {}
        """Why images cannot be read any more, by index; filled as they are asked for."""

    def __len__(self) -> int:
        return len(self.images)

    def preload(self, threads: int = 2) -> None:
        """Decode all images that will be kept, in threads."""
        if self._keep:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(self._readable, range(len(self.images))))

    def _readable(self, index: int) -> tuple[int, RGBImage]:
        """Return the index and the pixels of an image; of the next one, if it cannot be read any more.

        Headers were read before the run began; an image that was removed since, or whose pixels are
        damaged, must not end the run.

        Raises
        ------
        ImageError
            If no image can be read any more.
        """
        problem: ImageError | None = None
        for step in range(len(self.images)):
            candidate = (index + step) % len(self.images)
            if candidate in self.broken:
                continue
            try:
                return candidate, self._small(candidate)
            except ImageError as error:
                self.broken[candidate] = str(error)
                # The trainer reports it; what a worker process finds reaches only the log.
                level = logging.INFO if get_worker_info() is None else logging.WARNING
                _log.log(level, "left out of training: %s", error)
                problem = problem or error
        raise problem or ImageError("None of the images can be read any more.")

    def _small(self, index: int) -> RGBImage:
        """Return an image scaled so that its longer side is the canvas's."""
        image = self.images[index]
        if image.path in self._cache:
            return self._cache[image.path]
        full = image.read()
        factor = self.side / max(image.size)
        size = (max(1, round(image.size[0] * factor)), max(1, round(image.size[1] * factor)))
        small = resize(full, size)
        if self._keep:
            self._cache[image.path] = small
        return small

    def __getitem__(self, drawn: Drawn) -> Item:
        index, small = self._readable(drawn.image)
        canvas = np.full((self.side, self.side, 3), PADDING, np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small
        width, height = self.images[index].size
        return (
            torch.from_numpy(canvas).permute(2, 0, 1),
            (float(small.shape[1]), float(small.shape[0])),
            small.shape[1] / width,
            small.shape[0] / height,
            drawn._replace(image=index),
        )

    def collate(self, items: list[Item]) -> Canvases:
        """Stack B items with their garments, in canvas pixels.

        Garments are padded to the largest number in an image of the batch, at least 1; `valid` tells which
        are real.
        """
        drawn = [item[-1] for item in items]
        chosen = [self.images[one.image] for one in drawn]
        n = max(1, *(len(p.category) for p in chosen))
        k = chosen[0].xy.shape[1]
        b = len(items)
        xy = torch.zeros(b, n, k, 2)
        visibility = torch.zeros(b, n, k, dtype=torch.long)
        member = torch.zeros(b, n, k, dtype=torch.bool)
        box = torch.zeros(b, n, 4)
        area = torch.zeros(b, n)
        category = torch.full((b, n), -1, dtype=torch.long)
        crowd = torch.zeros(b, n, dtype=torch.bool)
        valid = torch.zeros(b, n, dtype=torch.bool)
        for row, ((_, _, sx, sy, _), p) in enumerate(zip(items, chosen, strict=True)):
            m = len(p.category)
            if not m:
                continue
            scale = torch.tensor([sx, sy])
            xy[row, :m] = (torch.from_numpy(p.xy) + 0.5) * scale - 0.5
            visibility[row, :m] = torch.from_numpy(p.visibility)
            there = p.member & ((p.visibility > 0) | (not p.absent))
            member[row, :m] = torch.from_numpy(there)
            box[row, :m] = (torch.from_numpy(p.box) + 0.5) * scale.repeat(2) - 0.5
            area[row, :m] = (box[row, :m, 2:] - box[row, :m, :2]).clamp(min=1.0).prod(-1)
            category[row, :m] = torch.from_numpy(p.category)
            crowd[row, :m] = torch.from_numpy(p.crowd)
            valid[row, :m] = True
        return Canvases(
            torch.stack([item[0] for item in items]),
            torch.tensor([item[1] for item in items]),
            GarmentBatch(
                xy, visibility, member, box, area, category, crowd, valid, torch.zeros(b, 4, 2)
            ),
            *torch.tensor(drawn).unbind(1),
        )
