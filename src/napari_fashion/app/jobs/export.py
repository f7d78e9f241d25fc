"""Exporting to a format of other tools in the background, from a copy of the data set as it is."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from psygnal import Signal
from superqt.utils import ensure_main_thread

from napari_fashion.app.jobs.predict import CLOSING_MILLISECONDS
from napari_fashion.app.session import Session
from napari_fashion.coco import Dataset
from napari_fashion.coco.convert.out import ExportOptions, ExportResult, Format, export_data
from napari_fashion.coco.problems.background import Pause, StoppedError
from napari_fashion.coco.store import Store
from napari_fashion.errors import FashionError
from napari_fashion.images import ImageFolder
from napari_fashion.schema import Schema

TOLD_SECONDS = 0.25
"""Progress is told so often at most."""


class ExportJob:
    """Exports a data set in a thread; the person goes on editing meanwhile.

    What is exported is the data set at the moment of the start.

    Parameters
    ----------
    session
        Whose messages tell what was written.
    """

    progress = Signal(int, int)
    """Images done, and of how many; 0 of 0 when nothing runs any more."""
    done = Signal(object)
    """What was written: an `ExportResult`."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._worker: Any = None
        self._stop = threading.Event()

    @property
    def running(self) -> bool:
        """Whether an export is running."""
        return self._worker is not None

    def start(self, dataset: Dataset, folder: Path, form: Format, options: ExportOptions) -> None:
        """Export a data set as it is now."""
        if self.running:
            self.session.notify("An export is running; cancel it first.", "warning")
            return
        self._stop = threading.Event()
        images = dataset.image_folder
        self._worker = create_worker(
            _export,
            b"".join(dataset.chunks()),
            dataset.schema,
            ImageFolder(images.root, images.allowed, trusted=images.trusted, origin=images.origin),
            dataset.path,
            folder,
            form,
            options,
            self._stop,
            ensure_main_thread(self.progress.emit),
            _start_thread=False,
            _connect={"returned": self._take, "errored": self._failed, "finished": self._ended},
        )
        self.progress.emit(0, len(dataset.images))
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the image at hand; nothing is left of the export."""
        self._stop.set()

    def close(self) -> None:
        """End before the window goes: a thread must not outlive what it reports to."""
        self._stop.set()
        if self._worker is not None:
            self._worker.await_workers(CLOSING_MILLISECONDS)

    def _take(self, result: ExportResult) -> None:
        self.session.notify(str(result))
        self.done.emit(result)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, StoppedError):
            self.session.notify("The export was canceled; nothing was written.")
        elif isinstance(error, FashionError):
            self.session.notify(str(error), "error")
        else:
            self.session.notify(f"{type(error).__name__}: {error}", "error")

    def _ended(self) -> None:
        self._worker = None
        self.progress.emit(0, 0)


def _export(
    data: bytes,
    schema: Schema,
    images: ImageFolder,
    path: Path | None,
    folder: Path,
    form: Format,
    options: ExportOptions,
    stop: threading.Event,
    told: Any,
) -> ExportResult:
    """Run in the worker's thread: touches neither the editor's data set nor Qt."""
    dataset = Dataset(Store(data, path), schema=schema, path=path, image_root=images)
    total, done, last = len(dataset.images), 0, time.monotonic()
    pause = Pause(stop)

    def advance(n: int) -> None:
        nonlocal done, last
        if stop.is_set():
            raise StoppedError
        pause()  # lets the window work in between
        done += n
        if time.monotonic() - last > TOLD_SECONDS:
            last = time.monotonic()
            told(done, total)

    return export_data({"train": dataset}, folder, form, options, advance=advance)
