"""The editing model: a data set, the picture in view, what is selected, undo and redo. No Qt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psygnal import Signal

from napari_fashion.app.edits import Edit, RecordId
from napari_fashion.app.history import History
from napari_fashion.coco import Dataset, Garment, Image, export

MERGE_SECONDS = 1.0
"""Nudges of the same landmarks closer together than this are one step of undo."""


@dataclass(frozen=True)
class Change:
    """What an edit, an undo or a redo touched."""

    image_id: RecordId
    garment_ids: tuple[RecordId, ...]


@dataclass(frozen=True)
class Selection:
    """The garment and, of it, the landmark that keys and buttons act on."""

    garment_id: RecordId | None = None
    landmark: int | None = None


class Editor:
    """The data set being edited; layers and docks follow its signals and change it by edits.

    Parameters
    ----------
    dataset
        It has to have at least one image.
    clock
        Seconds, for merging nudges.
    """

    changed = Signal(Change)
    """After an edit, an undo or a redo."""
    image_changed = Signal(object)
    """After another picture came into view; its id."""
    selection_changed = Signal(Selection)
    history_changed = Signal()
    """After the undo and redo stacks or the dirty state changed."""
    saved = Signal(Path)

    def __init__(self, dataset: Dataset, clock: Callable[[], float] = time.monotonic) -> None:
        self.dataset = dataset
        self.selection = Selection()
        self._clock = clock
        self._order = [image.id for image in dataset.images]
        self._index_of = {image_id: i for i, image_id in enumerate(self._order)}
        self._index = 0
        self._history = History()
        self.saved_path: Path | None = None
        self._file_lost = False
        self._last_nudge = float("-inf")
        self._select_first_garment()

    # -- pictures --------------------------------------------------------------------------

    @property
    def n_images(self) -> int:
        """Number of pictures."""
        return len(self._order)

    @property
    def index(self) -> int:
        """Place of the picture in view, from 0."""
        return self._index

    @property
    def image_id(self) -> RecordId:
        """Id of the picture in view."""
        return self._order[self._index]

    @property
    def image(self) -> Image:
        """The picture in view."""
        return self.dataset.image(self.image_id)

    @property
    def image_ids(self) -> tuple[RecordId, ...]:
        """The pictures in the order in which they are walked."""
        return tuple(self._order)

    @property
    def garments(self) -> list[Garment]:
        """The garments of the picture in view, in file order."""
        return self.dataset.garments_of(self.image_id)

    def go_to(self, index: int) -> None:
        """Bring the picture at a place into view; places outside are brought inside."""
        index = min(max(index, 0), self.n_images - 1)
        if index == self._index:
            return
        self._index = index
        self.selection = Selection()
        self._select_first_garment()
        self.image_changed.emit(self.image_id)
        self.selection_changed.emit(self.selection)

    def go_to_image(self, image_id: RecordId) -> None:
        """Bring a picture into view."""
        self.go_to(self._index_of[image_id])

    def step(self, by: int) -> None:
        """Go some pictures forward, or back where negative."""
        self.go_to(self._index + by)

    # -- selection -------------------------------------------------------------------------

    def select(self, garment_id: RecordId | None, landmark: int | None = None) -> None:
        """Select a garment of the picture in view and, of it, a landmark."""
        selection = Selection(garment_id, None if garment_id is None else landmark)
        if selection != self.selection:
            self.selection = selection
            self.selection_changed.emit(selection)

    @property
    def selected_garment(self) -> Garment | None:
        """The selected garment."""
        garment_id = self.selection.garment_id
        return None if garment_id is None else self.dataset.garment(garment_id)

    def _select_first_garment(self) -> None:
        garments = self.garments
        self.selection = Selection(garments[0].id if garments else None)

    def _keep_selection_valid(self, change: Change) -> None:
        ids = [garment.id for garment in self.garments]
        if self.selection.garment_id in ids:
            return
        touched = [i for i in change.garment_ids if i in ids]
        best = touched[0] if touched else (ids[0] if ids else None)
        self.select(best)

    # -- edits -----------------------------------------------------------------------------

    def apply(self, edit: Edit | None, *, nudge: bool = False) -> None:
        """Make an edit and remember how to undo it; None, an edit that changes nothing, is skipped.

        Parameters
        ----------
        nudge
            One of a quick series, as of a held arrow key: merged with the one before.

        Raises
        ------
        EditError
            If the edit doesn't fit the document; nothing is changed then.
        """
        if edit is None:
            return
        edit.apply(self.dataset)
        now = self._clock()
        quick = nudge and now - self._last_nudge < MERGE_SECONDS
        if nudge or edit.image_id == self.image_id:  # not a prediction of another picture
            self._last_nudge = now if nudge else float("-inf")
        if not (quick and self._history.merge(edit)):
            self._history.add(edit)
        self._announce(edit)

    def undo(self) -> None:
        """Take back the last edit of the picture in view.

        Where it has none, the last one of all is taken back, and its picture comes into view.
        """
        edit = self._history.to_undo(self.image_id)
        if edit is not None:
            edit.inverse().apply(self.dataset)
            self._history.undo(self.image_id)
            self._last_nudge = float("-inf")
            self._announce(edit, go=True)

    def redo(self) -> None:
        """Make the edit taken back last once more: the picture's in view, else of all."""
        edit = self._history.to_redo(self.image_id)
        if edit is not None:
            edit.apply(self.dataset)
            self._history.redo(self.image_id)
            self._announce(edit, go=True)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._history.done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return bool(self._history.undone)

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty where nothing. It depends on the picture in view."""
        return self._history.undo_label(self.image_id)

    @property
    def redo_label(self) -> str:
        """What redo would make again; empty where nothing. It depends on the picture in view."""
        return self._history.redo_label(self.image_id)

    @property
    def history(self) -> tuple[Edit, ...]:
        """The edits made and not taken back, in an order that makes the document."""
        return tuple(step.edit for step in self._history.done)

    def _announce(self, edit: Edit, *, go: bool = False) -> None:
        if go:
            self.go_to_image(edit.image_id)
        change = Change(edit.image_id, edit.garment_ids)
        self._keep_selection_valid(change)
        self.changed.emit(change)
        self.history_changed.emit()

    # -- saving ----------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether there is something that no file has."""
        return self._file_lost or not self._history.saved

    def save(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write the whole data set, the model's garments too.

        In another folder than the file it came from, the new file notes where the pictures lie.

        Raises
        ------
        CocoError
            If the file exists and `overwrite` is not given, or it cannot be written.
        """
        path = Path(path)
        source = self.dataset.path
        if source is not None and source.resolve().parent != path.resolve().parent:
            export(self.dataset, path, include_predictions=True, overwrite=overwrite)
        else:
            self.dataset.save(path, overwrite=overwrite)
        self.saved_path = path
        self._file_lost = False
        self._history.save()
        self._last_nudge = float("-inf")
        self.history_changed.emit()
        self.saved.emit(path)

    def replaced(self, path: Path | str) -> None:
        """Note that something else, such as an export, was written to a file.

        Where it was the file that the work is saved in, the work is not saved any more, and the
        next save asks where to.
        """
        if self.is_saved_at(path):
            self.saved_path = None
            self._file_lost = True
            self.history_changed.emit()

    def is_saved_at(self, path: Path | str) -> bool:
        """Return whether a path is the file that the work was last saved in."""
        return self.saved_path is not None and self.saved_path.resolve() == Path(path).resolve()
