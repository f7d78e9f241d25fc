"""Opening a data set to edit it: its lock, its journal, and what to do where they disagree."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_fashion.coco import Dataset, jsontext
from napari_fashion.coco.records import image_records
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import RecordKey
from napari_fashion.editing.journal import Pending, put_journal_aside, read_journal
from napari_fashion.editing.merge import Merge, Side, merge, replay_steps
from napari_fashion.editing.record_changes import journal_changes, known_to, unsaved_changes
from napari_fashion.editing.workfiles import ANNOTATIONS, BASE, JOURNAL, WorkFiles
from napari_fashion.errors import CocoError, FashionError
from napari_fashion.files import checked_path, is_file, read_file, read_regular
from napari_fashion.images import image_files
from napari_fashion.images.folder import note_copy
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally


@dataclass
class Opening:
    """A data set that is open, and what a person has to decide about it.

    Attributes
    ----------
    editor
        If the file is open elsewhere it is read-only here (`Editor.holder`).
    pending
        Changes in the journal that the file lacks; they are not in the editor yet.
    conflict
        Whether the file was changed by another program since those changes were made.
    note
        What else happened, for example new images in the folder.
    """

    editor: Editor
    pending: Pending | None = None
    conflict: bool = False
    note: str = ""

    def settle(self) -> None:
        """Decide without a person: make the changes again where none clashes, else put them aside."""
        if self.pending is None:
            return
        n = len(self.pending.entries)
        if not self.conflict:
            self.restore()
            return
        try:
            merged = self.merge()
            if not merged.conflicts:
                self.adopt(merged, {})
                self.note = f"{n} changes that were not saved were merged. {self.note}".strip()
                return
        except FashionError:
            pass
        aside = self.put_aside()
        self.note = f"{n} changes that were not saved do not fit the file; they are in {aside}."

    def restore(self) -> int:
        """Make the pending changes again, with their undo history; return how many were made.

        Where some cannot be read, or do not fit, what came before them is made, and the whole journal is
        kept as a file of its own (`note`).
        """
        pending = self._decided()
        made = self.editor.restore(pending)
        self.note = f"{made} changes that were not saved are here again. {self.note}".strip()
        if (made < len(pending.entries) or pending.damage) and self.editor.is_journaled:
            self.note += (
                f" Others cannot be made; the whole journal is kept in {pending.path.parent}."
            )
        return made

    def put_aside(self) -> Path:
        """Keep the pending changes as a file of their own, and go on without; return the file.

        Raises
        ------
        CocoError
            If the journal cannot be renamed; nothing is decided then.
        """
        assert self.pending is not None
        path = put_journal_aside(self.pending.path)
        self._decided()
        return path

    def merge(self) -> Merge:
        """Return the pending changes merged with the file as it is now, to be given to `adopt`.

        Raises
        ------
        FashionError
            If the journal's edits do not fit each other; use `put_aside`.
        """
        assert self.pending is not None
        changes, base = journal_changes(self.pending)
        return merge(changes, self.editor.dataset, base)

    def adopt(self, merged: Merge, choices: Mapping[RecordKey, Side]) -> None:
        """Make the merged changes as edits; the journal that they came from is kept as a file.

        Raises
        ------
        FashionError
            If they cannot be made, or the new journal cannot be written; nothing is decided then.
        """
        editor, pending = self.editor, self.pending
        assert editor.work is not None
        edits = merged.edits(choices)
        self._decided()
        editor.protect(editor.work, deferred=True)
        made = 0
        try:
            for edit in edits:
                editor.apply(edit)
                made += 1
            editor.replace_journal(keep_old=True)
        except FashionError:
            for _ in range(made):
                editor.take_back_last()
            editor.unprotect()
            self.pending, editor.is_undecided = pending, True
            raise

    def _decided(self) -> Pending:
        """Note that a decision was made: from now on there is a journal."""
        assert self.pending is not None
        pending, self.pending = self.pending, None
        self.editor.is_undecided = False
        if self.editor.work is not None:
            self.editor.protect(self.editor.work)
        return pending


def open_editor(
    path: Path | str,
    *,
    schema: Schema,
    image_root: Path | None = None,
    allow_roots: Iterable[Path | str] = (),
) -> Opening:
    """Open a COCO file, the results of `predict`, or a folder of images.

    A folder is saved to one COCO file in it; where that is there already it is opened, with the
    images that are new since.

    Parameters
    ----------
    schema
        Schema used if the file names none.
    image_root
        Folder of a COCO file's images; by default the noted one (`Dataset.load`).
    allow_roots
        Other folders than the data set's own that images may be read from.

    Raises
    ------
    CocoError
        If it cannot be read, or has no images.
    """
    path = checked_path(path)
    allowed = tuple(allow_roots)
    is_folder = os.path.isdir(path)  # False for a name that the system refuses
    target = _folder_file(path) if is_folder else path
    work = WorkFiles(target)
    note = ""
    if is_folder and not is_file(target):
        dataset = _unsaved_folder(path, work, allowed) or Dataset.from_folder(
            path, schema=schema, allow_roots=allowed
        )
    else:
        dataset = Dataset.load(target, fallback=schema, image_root=image_root, allow_roots=allowed)
        if dataset.path is None:  # results: the annotated file gets a name of its own
            target = path.with_name(f"{path.stem}-annotated.json")
            work = WorkFiles(target)
            if is_file(target):
                dataset = Dataset.load(
                    target, fallback=schema, image_root=image_root, allow_roots=allowed
                )
                note = f"{target.name} has what was annotated of these results."
    editor = Editor(dataset, target)
    editor.work = work
    opening = Opening(editor, note=note)
    problems: list[str] = []
    editor.problem.connect(problems.append)
    editor.holder = work.lock()
    if editor.holder is not None:
        return opening
    try:
        if _changed_meanwhile(editor, target):  # between reading it and taking the lock
            work.release()
            return open_editor(path, schema=schema, image_root=image_root, allow_roots=allowed)
        work.clean()
        found = work.find(JOURNAL)
        digest = editor.document_digest
        if found is not None:
            opening.pending = read_journal(found, digest)
        if opening.pending is not None:
            opening.conflict = bool(opening.pending.entries) and opening.pending.base != digest
            editor.is_undecided = True
        else:
            if found is not None:  # the file has everything of it
                with contextlib.suppress(OSError):
                    found.unlink()
            editor.protect(work)
            if is_folder:
                opening.note = add_new_images(editor, path)
    except BaseException:
        work.release()
        raise
    editor.problem.disconnect(problems.append)
    opening.note = " ".join([opening.note, *problems]).strip()
    return opening


def is_new_folder(path: Path) -> bool:
    """Whether a path is a folder of images that has neither a file of annotations nor a journal yet."""
    if not os.path.isdir(path):
        return False
    target = _folder_file(path)
    return not is_file(target) and WorkFiles(target).find(JOURNAL) is None


def _changed_meanwhile(editor: Editor, target: Path) -> bool:
    if editor.state is not None:
        return not editor.state.is_at(target)
    return is_file(target)


def _unsaved_folder(
    folder: Path, work: WorkFiles, allowed: tuple[Path | str, ...]
) -> Dataset | None:
    """Return the document that the journal of a folder without a file is of; None if there is none."""
    base, journal = work.find(BASE), work.find(JOURNAL)
    if base is None or journal is None:
        return None
    try:
        dataset = Dataset.load(base, image_root=folder, allow_roots=allowed)
    except CocoError:
        return None
    assert dataset.state is not None
    digest = dataset.state.digest
    pending = read_journal(journal, digest)
    if pending is None or pending.base != digest:
        return None
    dataset.path = dataset.state = None
    return dataset


def add_new_images(editor: Editor, folder: Path) -> str:
    """Add the images of a folder that its file does not list; return what was done."""
    dataset = editor.dataset
    known = {image.file_name for image in dataset.images}
    images = dataset.image_folder
    passed_over, left_out = Tally(), list[tuple[Path, str]]()
    found = image_files(folder, allowed=images.allowed, left_out=left_out, passed_over=passed_over)
    names = [name for name in found if name not in known]
    dataset.passed_over = passed_over
    if not known:
        return ""
    records, unread = image_records(images, names, dataset.next_id("images"))
    left_out += unread
    left_out_before = {path for path, _ in dataset.left_out}
    dataset.left_out += [item for item in left_out if item[0] not in left_out_before]
    if not records:
        return ""
    editor.apply(operations.add_images(dataset, records))
    return f"{len(records)} new images of the folder were added."


def merge_with_disk(editor: Editor) -> Merge:
    """Return our unsaved changes merged with the file as it is on the disk now.

    Raises
    ------
    CocoError
        If the file cannot be read.
    """
    return merge(unsaved_changes(editor.dataset), _as_on_disk(editor), known_to(editor.dataset))


def _as_on_disk(editor: Editor) -> Dataset:
    """Return the editor's file as it is on the disk now.

    Raises
    ------
    CocoError
        If it cannot be read, or has no images.
    """
    assert editor.path is not None
    theirs = Dataset.load(
        editor.path, fallback=editor.dataset.schema, image_root=editor.dataset.image_folder
    )
    if not len(theirs.images):
        raise CocoError(
            "has no images now; expected at least one.",
            path=editor.path,
            remedy="Keep yours: theirs stays as an earlier version.",
        )
    return theirs


def adopt(editor: Editor, merged: Merge, choices: Mapping[RecordKey, Side]) -> Editor:
    """Return an editor of the other version with our changes in it, in place of the old one.

    The undo history comes along as far as its edits fit the other version. The old journal stays
    until the new one has everything, and as a file of its own where there were conflicts.

    Raises
    ------
    FashionError
        If the changes cannot be made, or the journal cannot be written; the old editor goes on.
    """
    if merged.conflicts:
        editor.complete_journal()
    fresh = _in_place_of(editor, merged.theirs, deferred=True)
    for edit in replay_steps(editor.steps, merged):
        fresh.remember(edit)
    for edit in merged.edits(choices):
        fresh.apply(edit)
    fresh.replace_journal(keep_old=bool(merged.conflicts))  # what was not chosen is in it
    fresh.go_to_image(editor.image_id)
    return fresh


def take_theirs(editor: Editor) -> tuple[Editor, Path | None]:
    """Return an editor of the file as it is on the disk, and where our changes were put aside.

    Raises
    ------
    CocoError
        If the file cannot be read; nothing is put aside then.
    """
    theirs = _as_on_disk(editor)
    aside = editor.put_aside()
    fresh = _in_place_of(editor, theirs)
    fresh.go_to_image(editor.image_id)
    return fresh, aside


def _in_place_of(editor: Editor, dataset: Dataset, *, deferred: bool = False) -> Editor:
    fresh = Editor(dataset, editor.path)
    fresh.holder, fresh.work = editor.holder, editor.work
    if fresh.work is not None and fresh.holder is None:
        fresh.protect(fresh.work, deferred=deferred)
    return fresh


def pending_of(path: Path | str) -> Pending | None:
    """Return the changes of a file that only its journal has, for commands to speak of; or None."""
    path = Path(path)
    work = WorkFiles(path)
    journal = work.find(JOURNAL)
    if journal is None or not path.is_file():
        return None
    return read_journal(journal, read_file(path)[1].digest)


def with_journal(dataset: Dataset, pending: Pending) -> Dataset:
    """Apply a file's pending changes to the data set read from it.

    Raises
    ------
    FashionError
        If the file was changed since the journal's edits were made and both changed one record, or an
        edit does not fit.
    """
    assert dataset.state is not None
    if pending.base == dataset.state.digest:
        for entry in pending.entries:
            edit = entry.edit.inverse() if entry.do == "undo" else entry.edit
            edit.apply(dataset)
        return dataset
    changes, base = journal_changes(pending)
    merged = merge(changes, dataset, base)
    if merged.conflicts:
        raise CocoError(
            f"its journal has changes of {len(merged.conflicts)} records that another program changed as "
            "well; expected one side's only.",
            path=dataset.path,
            remedy="Open the file in the annotator and decide there.",
        )
    for edit in merged.edits():
        edit.apply(dataset)
    return dataset


def write_with_journal(path: Path, pending: Pending, folder: Path) -> Path:
    """Write a file with its pending changes into another folder, for commands; return the new file.

    This process finds the copy's images where those of the file lie.

    Raises
    ------
    FashionError
        As `with_journal`, or if it cannot be written.
    """
    dataset = with_journal(Dataset.load(path, fallback=Schema.load("garments")), pending)
    target = folder / path.name
    dataset.save(target)
    note_copy(target, dataset.image_folder)
    return target


def _folder_file(folder: Path) -> Path:
    """Return the COCO file of a folder of images; another name where that one is something else."""
    path = folder / ANNOTATIONS
    n = 1
    while is_file(path) and not _is_document(path):
        n += 1
        path = folder / f"{Path(ANNOTATIONS).stem}-{n}.json"
    return path


def _is_document(path: Path) -> bool:
    """Whether a JSON file is a COCO document; CocoError if it is no JSON: it may be a damaged one."""
    try:
        Dataset.load(path, fallback=Schema.load("garments"))
    except CocoError:
        try:
            jsontext.loads(read_regular(path))
        except (ValueError, RecursionError, OSError) as error:
            raise CocoError(
                f"is damaged ({error}); expected the COCO file of this folder.",
                path=path,
                remedy="`napari-fashion versions` lists its earlier versions; or move it away.",
            ) from error
        if WorkFiles(path).folders:  # it was ours
            raise
        return False
    return True
