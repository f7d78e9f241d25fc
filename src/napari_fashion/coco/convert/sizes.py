"""The sizes of the images of a data set, read from their headers by several processes."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import groupby

from napari_fashion.coco.convert.items import Item, Part
from napari_fashion.errors import ImageError
from napari_fashion.images import ImageFolder
from napari_fashion.images.folder import Origin
from napari_fashion.images.headers import quick_size

BATCH = 2000
"""Number of images whose sizes are asked for at a time."""

Size = tuple[int, int]
Place = tuple[str, tuple[str, ...], bool, Origin]
"""What makes an `ImageFolder`: root, other folders that links may lead to, trust, origin."""
Job = tuple[Place, list[str]]


def with_sizes(
    items: Iterable[Item], parts: list[Part], processes: int
) -> Iterator[tuple[Item, Size | str]]:
    """Yield images in their order, with width and height in pixels, or why they cannot be read.

    Memory is bounded by a few batches of images.

    Parameters
    ----------
    parts
        The parts of the items: each has a folder of images.
    processes
        Number of processes that read headers; 0 reads them in this one.
    """
    with ExitStack() as stack:
        pool: ProcessPoolExecutor | None = None
        waiting: deque[tuple[list[Item], Future[list[Size | str]] | None]] = deque()
        for batch in _batches(items):
            if batch[0].size is not None:
                waiting.append((batch, None))
            elif processes:
                if pool is None:
                    # Spawned: a fork would copy the threads' locks.
                    context = multiprocessing.get_context("spawn")
                    pool = stack.enter_context(ProcessPoolExecutor(processes, context))
                    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
                waiting.append((batch, pool.submit(_sizes, _job(batch, parts))))
            else:
                yield from zip(batch, _sizes(_job(batch, parts)), strict=True)
            while len(waiting) > 2 * max(processes, 1):
                yield from _finished(*waiting.popleft())
        while waiting:
            yield from _finished(*waiting.popleft())


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield runs of images of one part, all with or all without a known size."""
    for _, run in groupby(items, key=lambda item: (item.part, item.size is None)):
        batch: list[Item] = []
        for item in run:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _job(batch: list[Item], parts: list[Part]) -> Job:
    part = parts[batch[0].part]
    place = (str(part.images), tuple(map(str, part.allowed)), part.trusted, part.origin)
    return place, [item.name for item in batch]


def _finished(
    batch: list[Item], future: Future[list[Size | str]] | None
) -> Iterator[tuple[Item, Size | str]]:
    if future is not None:
        yield from zip(batch, future.result(), strict=True)
    else:
        yield from ((item, item.size) for item in batch if item.size is not None)


def _sizes(job: Job) -> list[Size | str]:
    """Return the size of each image, or a sentence on why it cannot be read."""
    place, names = job
    folder = _folder(place)
    found: list[Size | str] = []
    for name in names:
        try:
            found.append(quick_size(folder.path(name)))
        except ImageError as error:
            found.append(str(error))
    return found


@cache
def _folder(place: Place) -> ImageFolder:
    """Return the folder of images; one for all batches, since it remembers what it has resolved."""
    root, allowed, trusted, origin = place
    return ImageFolder(root, allowed, trusted=trusted, origin=origin)
