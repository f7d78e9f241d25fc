"""Fetching the sample photos in a thread."""

from __future__ import annotations

from threading import Event
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal
from superqt.utils import ensure_main_thread

from napari_fashion.datasets import photos
from napari_fashion.errors import FashionError


class _StoppedError(Exception):
    """The person stopped the fetch."""


class FetchJob:
    """Fetches the photos that have landmarks; what has come stays, and a later fetch goes on."""

    progress = Signal(int, int)
    """Photos that are there, and of how many; 0 of 0 when nothing runs any more."""
    done = Signal(str, bool)
    """It ended: a sentence, and whether all photos are there."""

    def __init__(self) -> None:
        self._worker: Any = None
        self._stop = Event()

    @property
    def running(self) -> bool:
        """Whether photos are being fetched."""
        return self._worker is not None

    def start(self) -> None:
        """Fetch them into the user's folder of data."""
        if self.running:
            return
        self._stop.clear()
        self._worker = create_worker(
            _fetch,
            self._stop,
            ensure_main_thread(self.progress.emit),
            _connect={"returned": self._ended, "errored": self._failed},
        )

    def cancel(self) -> None:
        """Stop after the photos on the way."""
        self._stop.set()

    def close(self) -> None:
        """Stop before the window goes."""
        self._stop.set()
        if self._worker is not None:
            self._worker.await_workers(20_000)

    def _ended(self, result: tuple[str, bool]) -> None:
        self._worker = None
        self.progress.emit(0, 0)
        self.done.emit(*result)

    def _failed(self, error: Exception) -> None:
        self._ended((f"The photos could not be fetched: {error}", False))


def _fetch(stop: Event, progress: Any) -> tuple[str, bool]:
    def told(count: int, total: int, _: str) -> None:
        if stop.is_set():
            raise _StoppedError
        progress(count, total)

    try:
        report = photos.fetch(progress=told)
    except _StoppedError:
        return "Stopped. What has come stays; the next fetch goes on from there.", False
    except FashionError as error:
        return str(error), False
    return str(report), report.complete
