"""The editing model: a data set, the image in view, what is selected, undo, the journal, saving.

Everything follows one signal: a gesture becomes an edit, the editor applies it and emits it, and the
history, the journal, layers and docks follow. Scripts use it as well.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psygnal import Signal

from napari_fashion.coco import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.edits import Edit, remove_record, require_an_image
from napari_fashion.editing.history import History, Step
from napari_fashion.editing.journal import Do, Entry, Pending
from napari_fashion.editing.journaling import JournalKeeper
from napari_fashion.editing.saving import Save
from napari_fashion.editing.viewing import Viewing
from napari_fashion.editing.workfiles import WorkFiles
from napari_fashion.errors import CocoError, EditError, FashionError
from napari_fashion.files import FileState, checked_path, is_same_path
from napari_fashion.locking import Holder

_log = logging.getLogger(__name__)

MERGE_SECONDS = 1.0
"""Nudges of the same landmarks closer together than this are one step of undo."""


@dataclass(frozen=True)
class Applied:
    """What was done: an edit was made, taken back, or made again.

    Attributes
    ----------
    edit
        As it was made; of an undo it is the edit that was taken back.
    do
        Which of the three.
    number
        Of the step in the history.
    merged
        Whether it became a part of the step before it.
    """

    edit: Edit
    do: Do
    number: int
    merged: bool = False

    @property
    def image_id(self) -> RecordId:
        """The image it happened on."""
        return self.edit.image_id

    @property
    def garment_ids(self) -> tuple[RecordId, ...]:
        """The garments that it touched."""
        return self.edit.garment_ids


class Editor(Viewing):
    """The data set being edited; layers and docks follow its signals and change it by edits.

    Parameters
    ----------
    dataset
        It has to have at least one image.
    path
        The file that the work is saved to; by default the data set's own. None: there is no journal
        until the work is saved somewhere.
    clock
        Seconds, for merging nudges.
    """

    changed = Signal(Applied)
    """After an edit, an undo or a redo: what was done."""
    history_changed = Signal()
    """After the undo and redo stacks or the dirty state changed."""
    saved = Signal(Path)
    problem = Signal(str)
    """A sentence about the journal or a save, for the person."""

    def __init__(
        self,
        dataset: Dataset,
        path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not len(dataset.images):
            raise CocoError("lists no images; expected at least one.", path=path or dataset.path)
        super().__init__(dataset)
        self.path = path if path is not None else dataset.path
        self.state: FileState | None = dataset.state
        self.holder: Holder | None = None
        self.work: WorkFiles | None = None
        self.is_undecided = False
        """Whether changes of an earlier journal wait for a decision (`Opening`)."""
        self._clock = clock
        self._history = History()
        self._keeper = JournalKeeper(dataset, self.problem.emit)
        self._file_lost = False
        self._last_nudge = float("-inf")

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
            If the edit doesn't fit the data set, or that is open elsewhere; nothing is changed then.
        """
        if edit is None:
            return
        self._require_holding()
        self._carry_out(edit)
        now = self._clock()
        quick = nudge and now - self._last_nudge < MERGE_SECONDS
        if nudge or edit.image_id == self.image_id:  # not a prediction of another image
            self._last_nudge = now if nudge else float("-inf")
        self._made(edit, merged=quick and self._history.can_merge(edit))

    def apply_and_go(self, edit: Edit | None, image_id: RecordId) -> None:
        """Make an edit and bring another image into view.

        Undo there takes this edit back before those that the image had already, and goes back to the image
        of the edit.
        """
        self.apply(edit)
        self.go_to_image(image_id)
        if edit is not None:
            self._history.lead_to(image_id)
            self.history_changed.emit()

    def _carry_out(self, edit: Edit) -> None:
        """Change the data set; EditError if that would leave no image."""
        require_an_image(self.dataset, edit)
        edit.apply(self.dataset)

    def _made(self, edit: Edit, *, merged: bool) -> None:
        step = self._history.merge(edit) if merged else self._history.add(edit)
        self._announce(Applied(edit, "edit", step.number, merged))

    def undo(self) -> None:
        """Take back the last edit of the image in view.

        If it has none, the last one of all is taken back, and its image comes into view. The edit that led
        to the image (`apply_and_go`) counts as one of it.
        """
        step = self._history.to_undo(self.image_id)
        if step is not None:
            self._require_holding()
            self._undo(step)

    def redo(self) -> None:
        """Make the edit taken back last once more: the image's in view, else of all."""
        step = self._history.to_redo(self.image_id)
        if step is not None:
            self._require_holding()
            self._redo(step)

    def _undo(self, step: Step) -> None:
        self._carry_out(step.edit.inverse())
        self._history.undo(step)
        self._last_nudge = float("-inf")
        self._announce(Applied(step.edit, "undo", step.number), go=True)

    def _redo(self, step: Step) -> None:
        self._carry_out(step.edit)
        self._history.redo(step)
        self._announce(Applied(step.edit, "redo", step.number), go=True)

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit to make again."""
        return bool(self._history.undone)

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty if nothing. It depends on the image in view."""
        step = self._history.to_undo(self.image_id)
        return "" if step is None else step.edit.label

    @property
    def redo_label(self) -> str:
        """What redo would make again; empty if nothing. It depends on the image in view."""
        step = self._history.to_redo(self.image_id)
        return "" if step is None else step.edit.label

    @property
    def steps(self) -> list[Step]:
        """The edits made and not taken back, with their numbers."""
        return self._history.done

    @property
    def history(self) -> tuple[Edit, ...]:
        """The edits made and not taken back, in an order that makes the data set."""
        return tuple(step.edit for step in self._history.done)

    def _announce(self, applied: Applied, *, go: bool = False) -> None:
        self._keep_order_valid(applied.edit)
        if go:
            self.go_to_image(applied.image_id)
        self._keep_selection_valid(applied.garment_ids)
        entry = Entry(applied.number, datetime.now(), applied.do, applied.edit, applied.merged)
        self._keeper.note(entry, needs_base=self.state is None)
        self.changed.emit(applied)
        self.history_changed.emit()

    def _require_holding(self) -> None:
        if self.is_undecided:
            raise EditError(
                "Changes that were not saved wait for a decision; restore, merge or put them aside first."
            )
        if self.holder is not None:
            raise EditError(
                f"{self.path.name if self.path else 'The data set'} is open elsewhere ({self.holder}), "
                "so that it is read-only here. Close it there and open it again to edit it."
            )

    # -- the journal -----------------------------------------------------------------------

    @property
    def is_journaled(self) -> bool:
        """Whether everything that the file lacks is in a journal on the disk."""
        return self._keeper.is_whole

    def protect(self, work: WorkFiles, *, deferred: bool = False) -> None:
        """Write every edit from now on to the journal of a work folder that is locked for us.

        If that is not possible, `problem` reports why.

        Parameters
        ----------
        deferred
            Write nothing until `Journal.rewrite`: the journal that is there stays until then.
        """
        self.work = work
        self._keeper.begin(work, self.document_digest, deferred=deferred)

    def unprotect(self) -> None:
        """Keep no journal from now on; the file of the one that was kept stays."""
        self._keeper.end()

    def take_garment_back(self, garment_id: RecordId) -> None:
        """Take back the adding of a garment and what was done to it alone, and forget these steps.

        Where something else needs one of the steps, the garment is deleted by a step of its own.
        """
        self._require_holding()
        for step in self._history.steps_of_garment(garment_id):
            self._carry_out(step.edit.inverse())
            self._history.undo(step)
            self._history.forget_undone(step)
            self._announce(Applied(step.edit, "undo", step.number))
        if self.dataset.has("annotations", garment_id):
            garment = self.dataset.garment(garment_id)
            gone = remove_record(self.dataset, "annotations", garment_id)
            self.apply(Edit(f"Delete {garment.category_name}", garment.image_id, (gone,)))

    def take_back_last(self) -> None:
        """Take back the last step of all and forget it, as though it had never been made."""
        step = self._history.done[-1]
        step.edit.inverse().apply(self.dataset)
        self._history.undo(step)
        self._history.forget_undone(step)

    def restore(self, pending: Pending) -> int:
        """Make what a journal has once more, with its undo history, and go on in that journal.

        Returns
        -------
        How many entries fit; the first one that does not fit ends it, and the whole journal is kept
        as a file.
        """
        made = 0
        try:
            with self._keeper.paused():
                for entry in pending.entries:
                    self._replay(entry)
                    made += 1
        except FashionError as error:
            self.problem.emit(f"A change of the journal does not fit the file: {error}")
        finally:
            self._last_nudge = float("-inf")
            self._history.saved()
        self._keeper.go_on(pending, made)
        _log.info("%s: restored %d of %d entries", pending.path, made, len(pending.entries))
        return made

    def _replay(self, entry: Entry) -> None:
        match entry.do:
            case "edit":
                self._carry_out(entry.edit)
                self._history.count = max(self._history.count, entry.number - 1)
                self._made(entry.edit, merged=entry.merged and self._history.can_merge(entry.edit))
            case "undo":
                step = self._history.find_done(entry.number)
                if step is None:  # it was made before the last save
                    require_an_image(self.dataset, entry.edit.inverse())
                    entry.edit.inverse().apply(self.dataset)
                    step = self._history.adopt(entry.edit, entry.number)
                    self._history.undo(step)
                else:
                    self._undo(step)
            case "redo":
                step = self._history.find_undone(entry.number)
                if step is None:
                    self._carry_out(entry.edit)
                    self._history.adopt(entry.edit, entry.number)
                else:
                    self._redo(step)

    @property
    def document_digest(self) -> str:
        """SHA-256 of the file that edits are of; of a folder's document where it has no file yet."""
        if self.state is not None:
            return self.state.digest
        return hashlib.sha256(self.dataset.data).hexdigest()

    def remember(self, edit: Edit) -> None:
        """Take an edit into the history and the journal that the data set has already."""
        self._made(edit, merged=False)

    def complete_journal(self) -> None:
        """See that the journal on the disk has everything, before it is put aside.

        Raises
        ------
        CocoError
            If it cannot be written.
        """
        self._keeper.complete()

    def replace_journal(self, *, keep_old: bool) -> None:
        """Let a deferred journal take the old one's place in one step.

        Raises
        ------
        CocoError
            If it cannot be written; the old one stays.
        """
        self._keeper.replace(keep_old=keep_old)

    # -- saving ----------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether there is something that the file lacks."""
        return self._file_lost or bool(self.dataset.unsaved)

    def save(
        self, path: Path | str | None = None, *, overwrite: bool = False, keep_mine: bool = False
    ) -> None:
        """Write the whole data set, the model's garments too.

        Parameters
        ----------
        path
            By default the file that was opened, whose replaced version is kept (`WorkFiles.versions`).
            Another one becomes the file that is worked on.
        overwrite
            Whether another file may be replaced.
        keep_mine
            Whether to replace the own file although another program changed it; theirs is kept as a
            version.

        Raises
        ------
        ConflictError
            If another program changed the file since it was read; nothing was written.
        CocoError
            If it cannot be written; the data set is still dirty then.
        """
        target = self.path if path is None else checked_path(path)
        if target is None:
            raise CocoError("the data set has no file yet; give the name of one.")
        own = self.path is not None and is_same_path(target, self.path)
        if own or self.is_undecided:
            self._require_holding()
        managed = self.work is not None  # in a window; a script's editor holds no lock
        work = self.work if own and self.work is not None else WorkFiles(target)
        holder = work.lock()
        if holder is not None:
            raise CocoError(f"is open elsewhere ({holder}); nothing was written.", path=target)
        save = Save(
            self.dataset,
            target,
            work,
            read_as=self.state if own else None,
            own=own,
            keep_mine=keep_mine,
            journal=self._keeper.journal if own else None,
            notify=self.problem.emit,
        )
        try:
            state = save.write(overwrite=overwrite or own)
        except BaseException:
            if save.is_done and save.state is not None:  # only what came after the renaming failed
                self._now_at(target, save.state, work if managed else None)
            else:
                save.discard_version()
            if work is not self.work:
                work.release()
            raise
        self._now_at(target, state, work if managed else None)
        if not managed:
            work.release()
        if state.note:
            self.problem.emit(state.note)
        self.saved.emit(target)

    def _now_at(self, target: Path, state: FileState, work: WorkFiles | None) -> None:
        self._keeper.saved(state.digest)  # of a data set that moved, the new file has everything
        self.dataset.mark_saved()
        self.path, self.state = target, state
        self._file_lost = False
        self._history.saved()
        self._last_nudge = float("-inf")
        (work or WorkFiles(target)).prune_versions()
        if work is not None and (work is not self.work or self._keeper.journal is None):
            if self.work is not None and self.work is not work:
                self.work.release()
            self.holder = None
            self.protect(work)
        self.history_changed.emit()

    @property
    def has_versions(self) -> bool:
        """Whether the file was saved from here before, so that no question is needed again."""
        return self.work is not None and bool(self.work.versions())

    def put_aside(self) -> Path | None:
        """Put the journal aside as a file of its own; return it, or None if there is none.

        This editor keeps none from then on: it is to be let go.

        Raises
        ------
        CocoError
            If it cannot be renamed.
        """
        return self._keeper.put_aside()

    def replaced(self, path: Path | str) -> None:
        """Note that something else, such as an export, was written to a file.

        Where it was the file that the work is saved in, the work is not saved any more, and the
        next save finds a file that was changed.
        """
        if self.is_saved_at(path):
            self._file_lost = True
            self.history_changed.emit()

    def is_saved_at(self, path: Path | str) -> bool:
        """Return whether a path is the file that the work is saved in."""
        return self.path is not None and is_same_path(Path(path), self.path)

    def let_go(self) -> None:
        """Let go of the file: the journal keeps what is not saved, the lock goes."""
        # If everything was taken back, the journal is not needed.
        self._keeper.rest(is_needed=self.dirty or self.is_undecided)
        if self.work is not None:
            self.work.release()

    def take_up(self) -> None:
        """Take the file up again after `let_go`; it may be open elsewhere by now."""
        if self.work is None:
            return
        self.holder = self.work.lock()
        if self.holder is not None:
            return
        if not self._keeper.resume() and not self.is_undecided:
            self.protect(self.work)
