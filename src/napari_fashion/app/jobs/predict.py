"""Predicting in a thread."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from napari.qt.threading import create_worker
from psygnal import Signal
from superqt.utils import ensure_main_thread

from napari_fashion.app.session import Predictor, Session
from napari_fashion.coco import Image
from napari_fashion.coco.categories import CategoryRule
from napari_fashion.coco.ids import RecordId
from napari_fashion.crash import where_to_look, write_error_log
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.predictions import MergeResult, add_prediction, take_prediction
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.inference.boxes import predict_in_box
from napari_fashion.engine.places import unfold_fields, unfold_prediction
from napari_fashion.engine.prediction import Prediction
from napari_fashion.errors import OUT_OF_MEMORY, FashionError, is_out_of_memory
from napari_fashion.images import ImageFolder, read_image
from napari_fashion.tally import Tally

Box = tuple[float, float, float, float]

CLOSING_MILLISECONDS = 20_000
"""How long closing waits for the image at hand, or for torch to be imported."""


def load_model(source: str) -> Predictor:
    """Load a model or a model set; torch comes in only now.

    Raises
    ------
    FashionError
        Whatever went wrong: a worker of superqt keeps a `RuntimeError` to itself.
    """
    try:
        from napari_fashion.engine import model_set

        return model_set.load_model(source)
    except FashionError:
        raise
    except Exception as error:
        raise FashionError(_sentence(f"{source}: the model cannot be loaded", error)) from error


@dataclass(frozen=True)
class Task:
    """An image to predict.

    Attributes
    ----------
    size
        Width and height in pixels, as the file has them.
    box
        x0, y0, x1, y1 in pixels: only the garment inside it is predicted, and added. None for the whole
        image.
    """

    image_id: RecordId
    file_name: str
    size: tuple[int, int] | None
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a worker has found out about one image; `problem` where nothing."""

    task: Task
    fields: Fields | None = None
    prediction: Prediction | None = None
    problem: str = ""


class PredictJob:
    """Predicts images in the background; results become edits on the GUI thread, one per image.

    Parameters
    ----------
    session
        Whose model is used (and loaded, where it isn't yet) and whose editor gets the results.
    """

    progress = Signal(int, int)
    """Images done, and of how many; 0 of 0 when nothing runs any more."""
    finished = Signal()

    def __init__(self, session: Session) -> None:
        self.session = session
        self._worker: Any = None
        self._editor: Editor | None = None
        self._model: Predictor | None = None  # the one that predicts in this run
        self._source = ""
        self._reset(0)

    def _reset(self, total: int) -> None:
        self._total, self._done = total, 0
        self._found, self._kept, self._reviewed, self._problems = 0, 0, 0, list[str]()
        self._without: dict[RecordId, list[str]] = {}
        self._last: MergeResult | None = None
        self._left_out = Tally()

    @property
    def running(self) -> bool:
        """Whether a prediction is running."""
        return self._worker is not None

    def start(
        self,
        *,
        everything: bool = False,
        only: Sequence[RecordId] | None = None,
        box: Box | None = None,
    ) -> None:
        """Predict the shown image, every image that a person has not settled, or those with some ids.

        Parameters
        ----------
        box
            Predict the one garment inside it on the shown image, and add it: x0, y0, x1, y1 in pixels.
        """
        editor = self.session.editor
        if editor is None:
            self.session.notify("Open a COCO file or a folder of images first.", "warning")
            return
        if self.running:
            self.session.notify("A prediction is running; cancel it first.", "warning")
            return
        images: Sequence[Image] = editor.dataset.images if everything else [editor.image]
        if only is not None:
            images = [editor.dataset.image(i) for i in only if editor.dataset.has("images", i)]
        tasks = [
            Task(image.id, image.file_name, image.known_size, box)
            for image in images
            if not (everything and (image.reviewed or image.is_rejected))
        ]
        if not tasks:
            self.session.notify("Every image is reviewed or rejected; there is nothing to predict.")
            return
        self._editor = editor
        self._model, self._source = self.session.model, self.session.model_source
        self._reset(len(tasks))
        self._worker = create_worker(
            _predict,
            self._model,
            self._source,
            tasks,
            editor.dataset.image_folder,
            ensure_main_thread(self.session.notify),
            _start_thread=False,
            _connect={
                "yielded": self._take,
                "errored": self._failed,
                "finished": self._ended,
            },
        )
        self.progress.emit(0, len(tasks))
        self._worker.start()

    def cancel(self) -> None:
        """Stop after the image at hand; what was found stays."""
        if self._worker is not None:
            self._worker.quit()

    def close(self) -> None:
        """End before the window goes: a thread must not outlive what it reports to."""
        if self._worker is not None:
            self._editor = None
            self._worker.quit()
            self._worker.await_workers(CLOSING_MILLISECONDS)

    def _take(self, outcome: Outcome | Predictor) -> None:
        session, editor = self.session, self._editor
        if not isinstance(outcome, Outcome):
            self._model = outcome
            if session.model is None:  # a person may have loaded another one meanwhile
                session.use_model(outcome, self._source)
            return
        if editor is None or session.editor is not editor:
            self.cancel()  # another data set was opened meanwhile
            return
        self._done += 1
        self.progress.emit(self._done, self._total)
        in_box = outcome.task.box is not None
        if outcome.prediction is None or (outcome.fields is None and not in_box):
            self._problems.append(outcome.problem)
            return
        image_id = outcome.task.image_id
        assert self._model is not None
        # Fields of another model than predicts now aren't shown.
        if outcome.fields is not None and session.model is self._model:
            session.keep_fields(image_id, outcome.fields)
        try:
            take = add_prediction if in_box else take_prediction
            schema = self._model.schema.file_schema
            taken = take(editor.dataset, image_id, outcome.prediction, schema)
            editor.apply(taken.edit)
            if in_box and taken.edit is not None and image_id == editor.image_id:
                editor.select(editor.garments[-1].id)
        except FashionError as error:
            self._problems.append(str(error))
            self.cancel()
            return
        open_names = CategoryRule.of(editor.dataset, self._model.schema.file_schema).unknown
        if asked := [name for name in taken.left_out if name in open_names]:
            self._without[image_id] = asked
        self._last = taken
        self._found += taken.added
        self._kept += taken.kept + taken.updated
        for name in taken.left_out:
            self._left_out.add(f"{name} garments, for which the file has no category")
        self._reviewed += taken.reviewed

    def _failed(self, error: Exception) -> None:
        self._problems.append(str(error))
        if not isinstance(error, FashionError):
            self._problems[-1] = f"{type(error).__name__}: {error}"

    def _ended(self) -> None:
        editor = self._editor
        self._worker = None
        self._editor = self._model = None
        self.progress.emit(0, 0)
        if self._without and editor is self.session.editor:
            names = dict.fromkeys(name for some in self._without.values() for name in some)
            self.session.categories_missing.emit(list(self._without), list(names))
        if self._problems:
            more = f" (and {len(self._problems) - 1} more)" if len(self._problems) > 1 else ""
            self.session.notify(self._problems[0] + more, "error")
        elif self._total == 1 and self._last is not None:
            self.session.notify(str(self._last))
        else:
            kept = f", {self._kept} of yours kept" if self._kept else ""
            canceled = f" Canceled after {self._done} of {self._total}." * (
                self._done < self._total
            )
            lacking = f" Left out: {self._left_out}." if self._left_out else ""
            self.session.notify(
                f"{self._found} garments on {self._done} images{kept}.{lacking}{canceled}"
            )
        self.finished.emit()


def _predict(
    model: Predictor | None,
    source: str,
    tasks: Sequence[Task],
    folder: ImageFolder,
    notify: Callable[[str], object],
) -> Generator[Predictor | Outcome, None, None]:
    """Run in the worker's thread: touches neither the data set nor Qt."""
    from napari_fashion.engine.decode import announce_compiling

    if model is None:
        model = load_model(source)
        yield model
    with announce_compiling(notify):
        for task in tasks:
            yield predict_image(model, task, folder)


def predict_image(model: Predictor, task: Task, folder: ImageFolder) -> Outcome:
    """Predict one image; what goes wrong is this image's problem, whatever it is."""
    try:
        image = read_image(folder.path(task.file_name), size=task.size, exact=True)
        if task.box is not None:
            found = predict_in_box(cast("GarmentModel", model), image, task.box)
            return Outcome(task, None, unfold_prediction(found, model.schema))
        ((fields, prediction),) = model.predict_with_fields([image])
        fields = unfold_fields(model.layers.together(fields), model.schema)
        prediction = unfold_prediction(prediction, model.schema)
    except FashionError as error:
        return Outcome(task, problem=str(error))
    except Exception as error:
        return Outcome(task, problem=_sentence(task.file_name, error))
    return Outcome(task, fields, prediction)


def _sentence(what: str, error: Exception) -> str:
    """Return the message about an unexpected error."""
    if is_out_of_memory(error):
        return f"{what}: {OUT_OF_MEMORY}"
    what_failed = f"{type(error).__name__}: {str(error)[:200]}"
    return (
        f"{what}: a fault of the program ({what_failed}). {where_to_look(write_error_log(error))}"
    )
