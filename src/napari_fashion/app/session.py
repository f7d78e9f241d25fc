"""What one napari window works on: the editor, the model, the fields and what is shown. No Qt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal, SignalGroupDescriptor

from napari_fashion.coco import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.opening import Opening, open_editor
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.prediction import Prediction
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

KEPT_FIELD_BYTES = 192 << 20
"""Of fields in memory; those of an image of 400 x 533 with 8 landmarks are some 5 MB."""
DEFAULT_SCHEMA = "garments"

Level = Literal["info", "warning", "error"]
FieldsState = Literal["ready", "computing", "none"]


class Predictor(Protocol):
    """What the app asks of a model (`engine.garment_model`)."""

    @property
    def schema(self) -> Schema:
        """Of what it predicts."""

    @property
    def id(self) -> str:
        """The model's id."""

    @property
    def inference(self) -> InferenceOptions:
        """How it is used."""

    @property
    def layers(self) -> Layers:
        """Which of its fields are of which landmarks."""

    def predict_with_fields(
        self, images: Sequence[NDArray[np.generic]]
    ) -> list[tuple[Fields, Prediction]]:
        """Compute the fields of (H, W, 3) uint8 RGB images, and find their garments."""


@dataclass
class View:
    """What is shown over the image. Every change emits ``events.<name>``.

    Attributes
    ----------
    landmarks, skeleton
        Whether the landmarks and the silhouettes of garments are shown.
    pif, paf
        Which field is shown; never both (`show_field`).
    pif_kind
        What is shown of the PIF: its cells, the high-resolution map that is made of them, or, in their
        place, the category field of the selected garment's category.
    all_channels
        Whether the field of all landmarks is shown, and not only of the selected one.
    edges_off
        Edges whose PAF is not shown.
    confidence_from
        Cells below it are not drawn.
    dim
        0..1: how much the image is dimmed while a field is shown.
    why
        Whether the decoder's steps are replayed in place of the garments (`app.replay`).
    compare
        Whether another reading of the image is shown beside what is in the file (`app.comparing`).
    placing
        Whether a click on the image places the selected landmark.
    boxing
        Whether the next drag on the image draws a box, inside which a garment is predicted.
    image_only
        Whether all that lies over the image is hidden, while a key is held.
    """

    landmarks: bool = True
    skeleton: bool = True
    pif: bool = False
    paf: bool = False
    pif_kind: Literal["cells", "map", "category"] = "cells"
    all_channels: bool = False
    edges_off: frozenset[int] = frozenset()
    confidence_from: float = 0.1
    dim: float = 0.5
    why: bool = False
    compare: bool = False
    placing: bool = False
    boxing: bool = False
    image_only: bool = False

    events = SignalGroupDescriptor()

    def show_field(self, name: Literal["pif", "paf"] | None) -> None:
        """Show a field in place of the other, or none."""
        self.pif = self.pif and name == "pif"
        self.paf = self.paf and name == "paf"
        if name is not None:
            setattr(self, name, True)


class Session:
    """The state that docks, layers, shortcuts and commands of one window share."""

    opened = Signal(object)
    """After another data set came in; its Editor, or None."""
    fields_changed = Signal(object)
    """After the fields of an image came in or went; its id."""
    image_read = Signal(object)
    """After the shown image's file was read; what went wrong, or None."""
    categories_missing = Signal(list, list)
    """Garments were left out: ids of their images, and the model's categories that the file lacks."""
    model_changed = Signal()
    message = Signal(str, str)
    """A message to the person: level ("info", "warning", "error") and text."""

    def __init__(self) -> None:
        self.editor: Editor | None = None
        self.view = View()
        self.model: Predictor | None = None
        self.model_source: str = "bundled"
        self.image_root: Path | None = None
        """Folder of the images of the next COCO file that is opened; None: the one that it notes."""
        self.allow_roots: tuple[Path, ...] = ()
        """Folders beyond its own that images of the next data set that is opened may be read from."""
        self.folder_schema: Schema | None = None
        """What the landmarks of the next data set are if its file does not say; None: as the model has."""
        self._image_size: tuple[int, int] | None = None
        self._size_of: RecordId | None = None
        self._fields: OrderedDict[RecordId, Fields] = OrderedDict()
        self._computing: RecordId | None = None

    def notify(self, text: str, level: Level = "info") -> None:
        """Tell the person something."""
        self.message.emit(level, text)

    # -- the data set ----------------------------------------------------------------------

    def open(self, path: Path | str, decide: Callable[[Opening], None] = Opening.settle) -> Opening:
        """Open a COCO file, results of a prediction, or a folder of images.

        Parameters
        ----------
        decide
            What becomes of changes that only the journal has; by default they are made again where that
            is possible without a question, else put aside as a file.

        Raises
        ------
        FashionError
            If it cannot be read; what was open stays open then.
        """
        old = self.editor
        if old is not None:
            old.let_go()  # it may be the same file
        opening: Opening | None = None
        try:
            opening = open_editor(
                path,
                schema=self.folder_schema or self.default_schema(),
                image_root=self.image_root,
                allow_roots=self.allow_roots,
            )
            decide(opening)
        except BaseException:
            if opening is not None:
                opening.editor.let_go()
            if old is not None:
                old.take_up()
            raise
        given, named = self.folder_schema, opening.editor.dataset.schema
        if given is not None and given.landmarks != named.landmarks:
            opening.note += (
                f" Its landmarks are those that the file names ({named.name}), not those of "
                f"{given.name}."
            )
        self.image_root, self.allow_roots, self.folder_schema = None, (), None
        self._show(opening.editor)
        return opening

    def default_schema(self) -> Schema:
        """Return what images without annotations are annotated with."""
        return self.model.schema.file_schema if self.model else Schema.load(DEFAULT_SCHEMA)

    def edit(self, dataset: Dataset) -> None:
        """Take a data set as the one to work on, in memory only: there is no journal.

        Raises
        ------
        FashionError
            If it has no images.
        """
        if not dataset.images:
            raise FashionError(
                f"{dataset.path or 'The data set'} lists no images; expected at least one."
            )
        self._show(Editor(dataset))

    def allow_root(self, folder: Path) -> None:
        """Also read the data set's images from a folder; the shown image is read again."""
        if self.editor is not None:
            self.editor.dataset.allow_root(folder)
            self.editor.image_changed.emit(self.editor.image_id)

    def locate_images(self, folder: Path) -> bool:
        """Read the data set's images from another folder; false where the shown one is not there."""
        editor = self.editor
        if editor is None or not editor.dataset.locate_images(folder, editor.image.file_name):
            return False
        editor.image_changed.emit(editor.image_id)
        return True

    def replace_editor(self, editor: Editor) -> None:
        """Go on with another version of the same file."""
        self._show(editor)

    def close(self) -> None:
        """Let go of the file; its journal keeps what is not saved."""
        if self.editor is not None:
            self.editor.let_go()

    def _show(self, editor: Editor) -> None:
        if self.editor is not None:
            self.editor.problem.disconnect(self._on_problem, missing_ok=True)
            if self.editor.work is not editor.work:
                self.editor.let_go()
        self.editor = editor
        editor.problem.connect(self._on_problem)
        self._fields.clear()
        self.view.edges_off = frozenset()
        self.view.placing = self.view.boxing = False
        self.opened.emit(self.editor)

    def _on_problem(self, text: str) -> None:
        self.notify(text, "error")

    @property
    def schema(self) -> Schema | None:
        """The data set's schema."""
        return None if self.editor is None else self.editor.dataset.schema

    # -- the image -------------------------------------------------------------------------

    def tell_image(self, size: tuple[int, int] | None, problem: Exception | None = None) -> None:
        """Note the true size of the shown image in pixels, or why it cannot be read."""
        self._image_size = size
        self._size_of = None if self.editor is None else self.editor.image_id
        self.image_read.emit(problem)

    @property
    def image_size(self) -> tuple[int, int] | None:
        """Width and height of the shown image, pixels; None where it cannot be read."""
        return self._image_size

    @property
    def mismatch(self) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The size in the file and that of the shown image, if they differ.

        Landmarks then lie on another image than the one that is seen.
        """
        if self.editor is None or self._image_size is None:
            return None
        if self.editor.image_id != self._size_of:  # it is not shown yet
            return None
        known = self.editor.image.known_size
        return (known, self._image_size) if known and known != self._image_size else None

    # -- the model and its fields ----------------------------------------------------------

    def use_model(self, model: Predictor, source: str) -> None:
        """Take a loaded model as the one that predicts; fields of another one are dropped."""
        self.model = model
        self.model_source = source
        gone = list(self._fields)
        self._fields.clear()
        for image_id in gone:
            self.fields_changed.emit(image_id)
        self.model_changed.emit()

    def keep_fields(self, image_id: RecordId, fields: Fields) -> None:
        """Keep an image's fields to be shown; the least recently viewed ones go from memory."""
        self._fields[image_id] = fields
        self._fields.move_to_end(image_id)
        size = sum(kept.nbytes for kept in self._fields.values())
        while size > KEPT_FIELD_BYTES and len(self._fields) > 1:
            size -= self._fields.popitem(last=False)[1].nbytes
        self.fields_changed.emit(image_id)

    def fields_of(self, image_id: RecordId) -> Fields | None:
        """Return the fields of an image if they are in memory; it waits for nothing."""
        fields = self._fields.get(image_id)
        if fields is not None:
            self._fields.move_to_end(image_id)
        return fields

    def has_fields(self, image_id: RecordId) -> bool:
        """Whether the fields of an image are in memory."""
        return image_id in self._fields

    def fields_state(self, image_id: RecordId) -> FieldsState:
        """Return whether an image's fields can be shown, will be soon, or have to be predicted."""
        if self.has_fields(image_id):
            return "ready"
        return "computing" if image_id == self._computing and self.model is not None else "none"

    def tell_computing(self, image_id: RecordId | None) -> None:
        """Note of which image fields are being computed to be shown; None: of none."""
        before, self._computing = self._computing, image_id
        for changed in dict.fromkeys((before, image_id)):
            if changed is not None and before != image_id:
                self.fields_changed.emit(changed)
