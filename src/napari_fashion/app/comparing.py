"""What is in the file beside another reading of the same image: the truth, say, or a model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_fashion.app.jobs.predict import load_model
from napari_fashion.app.session import Predictor, Session
from napari_fashion.coco import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.comparison import Pair, Reading, compare
from napari_fashion.editing.editor import Editor
from napari_fashion.engine.places import unfold_prediction
from napari_fashion.errors import FashionError
from napari_fashion.images import ImageFolder, read_image
from napari_fashion.schema import Schema


class Comparison:
    """The other reading of the image in view, and how it differs."""

    changed = Signal()
    """After it was begun or ended, or the other reading of the image in view came in."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._editor: Editor | None = None
        self._of: Callable[[Editor], list[Reading] | None] | None = None
        self._model: Predictor | None = None
        self._worker: object = None
        self.name = ""
        """What the file is compared with; empty: with nothing."""
        self.theirs: list[Reading] | None = None
        """The other garments of the image in view; None while they are not known."""
        session.opened.connect(self._follow)
        session.view.events.compare.connect(lambda *_: self.changed.emit())

    @property
    def is_on(self) -> bool:
        """Whether something is compared."""
        return self._of is not None

    # -- beginning and ending --------------------------------------------------------------

    def with_file(self, path: Path) -> None:
        """Compare with the garments of another COCO file, found by the images' names.

        Raises
        ------
        FashionError
            If it cannot be read, has other landmarks, or none of the images.
        """
        editor = self._require_editor()
        ours, theirs = editor.dataset, Dataset.load(path, fallback=editor.dataset.schema)
        _require_same(ours.schema, theirs.schema, str(path))
        by_name = _by_name(theirs)
        if not any(_find(by_name, image.file_name) is not None for image in ours.images):
            raise FashionError(
                f"{path}: lists none of the images of {ours.path or 'the data set'}; expected a file "
                "with the same file names."
            )

        def readings(editor: Editor) -> list[Reading]:
            image_id = _find(by_name, editor.image.file_name)
            return [] if image_id is None else [
                Reading.of_file(garment) for garment in theirs.garments_of(image_id)
            ]  # fmt: skip

        self._begin(path.name, readings)

    def with_model(self, source: str) -> None:
        """Compare with what a model predicts, once it is loaded; a message if it cannot be."""
        self._require_editor()
        self._worker = create_worker(
            load_model,
            source,
            _connect={
                "returned": lambda model: self._with_loaded(model, source),
                "errored": lambda error: self._session.notify(str(error), "error"),
            },
        )

    def _with_loaded(self, model: Predictor, source: str) -> None:
        try:
            schema = self._require_editor().dataset.schema
            _require_same(schema, model.schema.file_schema, source)
        except FashionError as error:
            self._session.notify(str(error), "error")
            return
        self._model = model
        self._begin(model.id, self._predicted)

    def _predicted(self, editor: Editor) -> None:
        """Predict the image in view in a thread; the reading comes in later."""
        model, image, image_id = self._model, editor.image, editor.image_id
        assert model is not None
        self._worker = create_worker(
            _predict,
            model,
            editor.dataset.image_folder,
            image.file_name,
            image.known_size,
            _connect={
                "returned": lambda found: self._take(model, image_id, found),
                "errored": lambda error: self._session.notify(str(error), "error"),
            },
        )

    def _take(self, model: Predictor, image_id: RecordId, found: list[Reading]) -> None:
        editor = self._editor
        if model is self._model and editor is not None and editor.image_id == image_id:
            self.theirs = found
            self.changed.emit()

    def end(self) -> None:
        """Compare no more."""
        if self.is_on:
            self.name, self.theirs, self._of, self._model = "", None, None, None
            self.changed.emit()

    # -- what differs ----------------------------------------------------------------------

    @property
    def pairs(self) -> list[Pair]:
        """The garments of the image in view, in pairs; ours are those of the editor, in their order."""
        if self._editor is None or self.theirs is None:
            return []
        return compare([Reading.of_file(g) for g in self._editor.garments], self.theirs)

    # -- following -------------------------------------------------------------------------

    def _begin(self, name: str, of: Callable[[Editor], list[Reading] | None]) -> None:
        self.name, self._of = name, of
        self._follow(self._session.editor)
        self._read()

    def _follow(self, editor: Editor | None) -> None:
        if editor is self._editor:
            return
        if self._editor is not None:
            self._editor.image_changed.disconnect(self._on_image)
            self.end()
        self._editor = editor
        if editor is not None:
            editor.image_changed.connect(self._on_image)

    def _on_image(self, _: RecordId) -> None:
        if self.is_on:
            self._read()

    def _read(self) -> None:
        assert self._of is not None
        assert self._editor is not None
        self.theirs = self._of(self._editor)
        self.changed.emit()

    def _require_editor(self) -> Editor:
        editor = self._session.editor
        if editor is None:
            raise FashionError("Open a COCO file or a folder of images first.")
        return editor


def _by_name(dataset: Dataset) -> dict[str, RecordId | None]:
    """Return the images by file name, and by its last part; None where that is several images'."""
    found: dict[str, RecordId | None] = {}
    for image in dataset.images:
        last = PurePosixPath(image.file_name).name
        found[last] = None if last in found else image.id
    return {**found, **{image.file_name: image.id for image in dataset.images}}


def _find(by_name: Mapping[str, RecordId | None], file_name: str) -> RecordId | None:
    return by_name.get(file_name, by_name.get(PurePosixPath(file_name).name))


def _require_same(ours: Schema, theirs: Schema, what: str) -> None:
    if ours.landmarks != theirs.landmarks:
        raise FashionError(
            f"{what}: has {theirs.n_landmarks} landmarks ({theirs.name!r}); expected the "
            f"{ours.n_landmarks} of the open file ({ours.name!r})."
        )


def _predict(
    model: Predictor, folder: ImageFolder, file_name: str, size: tuple[int, int] | None
) -> list[Reading]:
    """Run in a thread: touches neither the data set nor Qt."""
    image = read_image(folder.path(file_name), size=size, exact=True)
    ((_, prediction),) = model.predict_with_fields([image])
    prediction = unfold_prediction(prediction, model.schema)
    names: Sequence[str] = model.schema.file_schema.category_names
    return [Reading.of_prediction(garment, names) for garment in prediction.garments]
