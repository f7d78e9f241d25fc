"""Fields of the image in view, computed in a thread when they are to be shown."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from psygnal import SignalInstance
from qtpy.QtCore import QObject, QTimer, Signal

from napari_fashion.app.jobs.predict import Task, predict_image
from napari_fashion.app.session import Predictor, Session
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.engine.field_cache import FieldCache, key_of
from napari_fashion.engine.fields import Fields
from napari_fashion.errors import FashionError
from napari_fashion.images import ImageFolder, image_digest
from napari_fashion.paths import cache_folder

WAIT_MILLISECONDS = 80
"""Images that a person passes by are not computed, and the one in view is painted first."""


@dataclass(frozen=True, eq=False)
class Request:
    """Of which image of which data set, and by which model."""

    editor: Editor
    model: Predictor
    task: Task
    folder: ImageFolder


class FieldsJob(QObject):
    """Has the fields that are shown: from memory, else from the disk, else from the model.

    Only while a view of fields is on and a model is loaded; the next image follows the one in view.
    Edits and predictions are left alone. A model that is not loaded is not loaded for this.

    Parameters
    ----------
    session
        What is in view, and where fields go.
    cache
        Returns the fields that earlier sessions computed.
    """

    _found = Signal(object, object, str)

    def __init__(self, session: Session, cache: Callable[[], FieldCache] | None = None) -> None:
        super().__init__()
        self.session = session
        self._cache = cache or field_cache
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fields")
        self._running: Request | None = None
        self._failed: set[tuple[Any, Any, RecordId]] = set()
        self._editor: Editor | None = None
        self._wait = QTimer()
        self._wait.setSingleShot(True)
        self._wait.setInterval(WAIT_MILLISECONDS)
        self._wait.timeout.connect(self._start)
        self._found.connect(self._take)
        view = session.view.events
        self._followed: list[tuple[SignalInstance, Callable[..., None]]] = [
            (session.opened, self._on_opened),
            (session.model_changed, self._on_model),
            *((signal, self._look) for signal in (view.pif, view.paf, view.why)),
        ]
        for signal, slot in self._followed:
            signal.connect(slot)
        self._on_opened(session.editor)

    def close(self) -> None:
        """Stop; waits for the image at hand."""
        for signal, slot in self._followed:
            signal.disconnect(slot, missing_ok=True)
        self._on_opened(None)
        self._wait.stop()
        self._running = None
        self._pool.shutdown(cancel_futures=True)

    # -- following -------------------------------------------------------------------------

    def _on_opened(self, editor: Editor | None) -> None:
        if self._editor is not None:
            self._editor.image_changed.disconnect(self._look, missing_ok=True)
        self._editor = editor
        self._failed.clear()
        if editor is not None:
            editor.image_changed.connect(self._look)
        self._look()

    def _on_model(self) -> None:
        self._failed.clear()
        self._look()

    def _look(self) -> None:
        """See whether the image in view lacks fields that are to be shown."""
        missing = self._missing(0)
        self.session.tell_computing(None if missing is None else missing.task.image_id)
        self._wait.start()

    def _missing(self, ahead: int) -> Request | None:
        """Return what is to be computed of the image in view, or of one after it."""
        session, editor = self.session, self._editor
        view, model = session.view, session.model
        if editor is None or model is None or not (view.pif or view.paf or view.why):
            return None
        place = editor.index + ahead
        if place >= editor.n_images:
            return None
        image = editor.dataset.image(editor.image_ids[place])
        if session.has_fields(image.id) or (editor, model, image.id) in self._failed:
            return None
        task = Task(image.id, image.file_name, image.known_size)
        return Request(editor, model, task, editor.dataset.image_folder)

    def _start(self) -> None:
        if self._running is None:
            self._running = self._missing(0) or self._missing(1)
            if self._running is not None:
                self._pool.submit(partial(self._compute, self._running))

    # -- in the thread ---------------------------------------------------------------------

    def _compute(self, request: Request) -> None:
        fields, problem = compute(request, self._cache())
        try:
            self._found.emit(request, fields, problem)
        except RuntimeError:
            return  # the window is gone

    # -- on the GUI thread -----------------------------------------------------------------

    def _take(self, request: Request, fields: Fields | None, problem: str) -> None:
        if self._running is not request:
            return  # closed meanwhile
        self._running = None
        session, image_id = self.session, request.task.image_id
        if session.editor is request.editor and session.model is request.model:
            if fields is not None:
                session.keep_fields(image_id, fields)
            else:
                self._failed.add((request.editor, request.model, image_id))
                if image_id == request.editor.image_id:
                    session.notify(f"The fields cannot be computed. {problem}", "warning")
        self._look()


def compute(request: Request, cache: FieldCache) -> tuple[Fields | None, str]:
    """Return an image's fields, from the disk or computed, or why there are none."""
    model, task = request.model, request.task
    try:
        digest = image_digest(request.folder.path(task.file_name))
    except FashionError as error:
        return None, str(error)
    # Options decide the size of the fields, and the record's size whether the image is turned.
    used = f"{model.id} {model.inference.model_dump_json()}"
    key = key_of(f"{digest} {task.size}", model=used)
    if (fields := cache.read(key)) is not None:
        return fields, ""
    outcome = predict_image(model, task, request.folder)
    if outcome.fields is not None:
        cache.write(key, outcome.fields)
    return outcome.fields, outcome.problem


def field_cache() -> FieldCache:
    """Return the person's own cache."""
    return FieldCache(Path(cache_folder()) / "fields")
