"""The sizes of the images of a data set, read from their headers by several processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import groupby
from multiprocessing.connection import wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from napari_fashion.coco.convert.items import Item, Part
from napari_fashion.errors import ConvertError, ImageError
from napari_fashion.images import ImageFolder
from napari_fashion.images.folder import Origin
from napari_fashion.images.headers import quick_size

BATCH = 2000
"""Number of images whose sizes are asked for at a time."""

GRACE = 5.0
"""Seconds that processes have to end in after an interrupt or an error; then they are killed."""

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
        Number of processes that read headers; 0 reads them in this one, and so does a small data set.
    """
    places = [_place(part) for part in parts]
    with ExitStack() as stack:
        pool: ProcessPoolExecutor | None = None
        waiting: deque[tuple[list[Item], Future[list[Size | str]] | list[Size | str]]] = deque()
        for batch in _batches(items, places):
            job = (places[batch[0].part], [item.name for item in batch])
            if batch[0].size is not None:
                waiting.append((batch, [item.size for item in batch if item.size is not None]))
            elif pool is None and (not processes or len(batch) < BATCH):  # not worth processes
                waiting.append((batch, _sizes(job)))
            else:
                pool = pool or stack.enter_context(_pool(processes))
                with _without_interrupts():  # a submission may start a process
                    waiting.append((batch, pool.submit(_sizes, job)))
            while len(waiting) > 2 * processes:
                yield from _finished(*waiting.popleft())
        while waiting:
            yield from _finished(*waiting.popleft())


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Give processes that read sizes; they end with this one, however it ends."""
    context = _Remembering()  # Spawned: a fork would copy the threads' locks.
    pool = ProcessPoolExecutor(processes, context, initializer=_begin)
    try:
        yield pool
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        with _without_interrupts():  # a second one would leave processes behind
            context.end()
        if not isinstance(error, BrokenProcessPool):
            raise
        raise ConvertError(
            "A process that reads the sizes of images has died, perhaps for want of memory; nothing was "
            "written. Give fewer --processes, or 0."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Remembering(SpawnContext):
    """Starts processes and knows them all, those as well that nobody else knows of any more."""

    def __init__(self) -> None:
        super().__init__()
        self._made: list[SpawnProcess] = []

    def Process(self, *args: Any, **options: Any) -> SpawnProcess:  # type: ignore[override]
        """Return a new process."""
        self._made.append(SpawnProcess(*args, **options))
        return self._made[-1]

    def end(self) -> None:
        """Wait `GRACE` for all processes to end; kill those that do not."""
        running: dict[Any, SpawnProcess] = {p.sentinel: p for p in self._made if p.pid is not None}
        until = time.monotonic() + GRACE
        while running and (left := until - time.monotonic()) > 0:
            for sentinel in wait(list(running), left):
                del running[sentinel]
        for process in running.values():
            process.kill()
            process.join()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Hold Ctrl+C and SIGTERM back until the end; processes that are started meanwhile do not get them.

    One that is started and not told what to do, since this one was interrupted, would end in a traceback.
    Processes inherit the mask. Here another thread can get the signal, so that its handler waits, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    masks = hasattr(signal, "pthread_sigmask")  # not Windows
    held: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = {n: signal.getsignal(n) for n in numbers}
    callables = [n for n, handler in handlers.items() if callable(handler)]
    for n in callables:
        signal.signal(n, lambda number, frame: held.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for n in callables:
            signal.signal(n, handlers[n])
        for number in held:
            signal.raise_signal(number)


def _begin() -> None:
    """Leave Ctrl+C to the process that started this one, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _batches(items: Iterable[Item], places: list[Place]) -> Iterator[list[Item]]:
    """Yield runs of images in one place, all with or all without a known size.

    Partitions often share a place, and their images come mixed.
    """
    for _, run in groupby(items, key=lambda item: (places[item.part], item.size is None)):
        batch: list[Item] = []
        for item in run:
            batch.append(item)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _place(part: Part) -> Place:
    return str(part.images), tuple(map(str, part.allowed)), part.trusted, part.origin


def _finished(
    batch: list[Item], sizes: Future[list[Size | str]] | list[Size | str]
) -> Iterator[tuple[Item, Size | str]]:
    found = sizes if isinstance(sizes, list) else sizes.result()
    yield from zip(batch, found, strict=True)


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
