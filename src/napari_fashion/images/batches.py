"""How many images are held in memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

MAX_BATCH_PIXELS = 100_000_000
"""A batch is closed once its images have this many pixels: they are held in memory in full size."""


def batches_by_pixels(
    items: Iterable[Item],
    count: int,
    pixels: Callable[[Item], int],
    limit: int | None = None,
) -> Iterator[list[Item]]:
    """Gather items into batches, bounded by their number and by their pixels.

    Items are taken from the iterable as they are needed: if it reads images, no more than one batch of them
    is in memory, and the last image of a batch may exceed the limit by its own size.

    Parameters
    ----------
    items
        What to gather, in order.
    count
        Largest number of items in a batch; at least 1.
    pixels
        Number of pixels that an item holds in memory.
    limit
        Number of pixels from which a batch is closed; None for `MAX_BATCH_PIXELS`.

    Yields
    ------
    Batches of at least one item.
    """
    limit = MAX_BATCH_PIXELS if limit is None else limit
    batch: list[Item] = []
    total = 0
    for item in items:
        batch.append(item)
        total += pixels(item)
        if len(batch) >= count or total >= limit:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
