"""The search for oddities, in a thread."""

from __future__ import annotations

import threading
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_fashion.app.jobs.predict import CLOSING_MILLISECONDS
from napari_fashion.coco import Dataset, Problems, find_problems


class ProblemsJob:
    """Searches a data set for oddities in the background."""

    found = Signal(object, object)
    """The data set, and its problems; where the search was not ended before."""

    def __init__(self) -> None:
        self._worker: Any = None
        self._stop = threading.Event()

    def start(self, dataset: Dataset) -> None:
        """Search a data set; a search that runs is ended."""
        self.close()
        self._stop = stop = threading.Event()

        def returned(problems: Problems) -> None:
            if not stop.is_set():
                self.found.emit(dataset, problems)

        self._worker = create_worker(
            find_problems,
            dataset,
            stop=stop,
            _start_thread=False,
            _connect={"returned": returned, "finished": self._ended},
        )
        self._worker.start()

    def close(self) -> None:
        """End the search before the window goes: a thread must not outlive what it reports to."""
        self._stop.set()
        if self._worker is not None:
            self._worker.await_workers(CLOSING_MILLISECONDS)
            self._worker = None

    def _ended(self) -> None:
        self._worker = None
