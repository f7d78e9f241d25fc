"""Opening, saving, exporting: what the dock asks a person about files, and does then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QInputDialog, QWidget

from napari_fashion.app import recent
from napari_fashion.app.viewer.window import FashionWindow
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.export_dialog import ask_export
from napari_fashion.app.widgets.merge import ask_merge
from napari_fashion.app.widgets.messages import MessageLine
from napari_fashion.app.widgets.schema_question import ask_schema
from napari_fashion.coco import Dataset, Problems, columns, export, reviewed_ids
from napari_fashion.coco.convert.out import ExportResult
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.opening import (
    Opening,
    adopt,
    is_new_folder,
    merge_with_disk,
    take_theirs,
)
from napari_fashion.errors import ConflictError, FashionError
from napari_fashion.schema import Schema

SHOWN_KINDS = 4
"""Number of kinds of oddities named in the message; all are in its tooltip."""


class _NotOpenedError(FashionError):
    """The person did not want to open the file after all."""


class Filing:
    """What a window does with files.

    Parameters
    ----------
    parent
        Of the dialogs.
    message
        Where what happened is said; it gets the details as a tooltip.
    """

    def __init__(self, window: FashionWindow, parent: QWidget, message: MessageLine) -> None:
        self.window = window
        self.session = window.session
        self._parent = parent
        self._message = message
        self._opened_text = ""
        self._last_schema: Schema | None = None

    def open(self, path: Path, *, asked: bool = False) -> None:
        """Open a COCO file or a folder; unsaved changes of what is open are asked about.

        Parameters
        ----------
        asked
            They were asked about already.
        """
        if not asked and not self.may_discard():
            return
        try:
            if not self._has_schema(path):
                return
            opening = self.session.open(path, self._decide)
        except _NotOpenedError:
            self.session.folder_schema = None
            return
        except FashionError as error:
            self.session.folder_schema = None
            self.session.notify(str(error), "error")
            return
        editor = opening.editor
        dataset = editor.dataset
        recent.remember(editor.path or path, editor.n_images, len(reviewed_ids(dataset)))
        text = f"{len(dataset.images)} images, {len(dataset.garments)} garments. {opening.note}"
        if editor.holder is not None:
            text += f" It is open elsewhere ({editor.holder}): it is read-only here."
        self.session.notify(text.strip(), "warning" if editor.holder is not None else "info")
        self._opened_text = text.strip()
        self.window.checking.start(dataset)

    def _has_schema(self, path: Path) -> bool:
        """Ask for the schema of a folder that is opened for the first time; false: do not open it."""
        session = self.session
        if session.folder_schema is not None or not is_new_folder(path):
            return True
        session.folder_schema = ask_schema(
            self._parent, path, self._last_schema or session.default_schema()
        )
        self._last_schema = session.folder_schema or self._last_schema
        return session.folder_schema is not None

    def tell_problems(self, dataset: Dataset, found: Problems) -> None:
        """Add the oddities that were found in the file to the message."""
        editor = self.session.editor
        if editor is None or editor.dataset is not dataset or not found:
            return
        counts = found.tally.counts
        if len(counts) == 1:
            kinds = str(found)
        else:
            shown = [f"{kind}: {n:,}" for kind, n in list(counts.items())[:SHOWN_KINDS]]
            more = [f"{len(counts) - SHOWN_KINDS} more kinds"] * (len(counts) > SHOWN_KINDS)
            kinds = "; ".join(shown + more)
        self.session.notify(f"{self._opened_text} Oddities, kept as they are: {kinds}.")
        self._message.setToolTip("\n".join(found.lines()))

    def _decide(self, opening: Opening) -> None:
        """Ask what becomes of changes that only the journal has."""
        pending = opening.pending
        if pending is None:
            return
        name = opening.editor.path.name if opening.editor.path else "The data set"
        answer = files.ask_pending(self._parent, name, str(pending), conflict=opening.conflict)
        if answer is None:
            raise _NotOpenedError
        if answer == "restore":
            opening.restore()
            return
        if answer == "merge":
            try:
                merged = opening.merge()
                choices = ask_merge(self._parent, merged.conflicts) if merged.conflicts else {}
                if choices is None:
                    raise _NotOpenedError
                opening.adopt(merged, choices)
            except _NotOpenedError:
                raise
            except FashionError as error:
                raise FashionError(
                    f"{error} Open the file again and put your changes aside as a file instead."
                ) from error
            opening.note = "Your changes were merged."
            return
        opening.note = f"Your changes were put aside as {opening.put_aside()}."

    def save(self) -> bool:
        """Save the whole work to its file; return whether it was saved.

        Whether the file that was opened may be written is asked once per file.
        """
        editor = self.session.editor
        if editor is None:
            return False
        if editor.path is None:
            return self.save_as()
        if editor.path.exists() and not editor.has_versions:
            answer = files.ask_save_place(self._parent, editor.path.name)
            if answer is None:
                return False
            if answer == "save as":
                return self.save_as()
        return self._save(editor)

    def _save(self, editor: Editor, path: Path | None = None) -> bool:
        """Save to the work's own file, or to another one that a person chose."""
        try:
            editor.save(path, overwrite=path is not None)
        except ConflictError as error:
            return self._settle_conflict(editor, error)
        except FashionError as error:
            self.session.notify(str(error), "error")
            return False
        self._note(editor)
        self.session.notify(f"Saved to {editor.path}.")
        return True

    def _note(self, editor: Editor) -> None:
        """Put a data set first among the recent ones, with what is reviewed now."""
        if editor.path is not None:
            recent.remember(editor.path, editor.n_images, len(reviewed_ids(editor.dataset)))

    def save_as(self) -> bool:
        """Ask where to, and save the whole work there; it goes on in that file."""
        editor = self.session.editor
        if editor is None:
            return False
        path = files.ask_save(
            self._parent, "Save as", self._proposal("annotated"), editor.dataset.path
        )
        return path is not None and self._save(editor, path)

    def _settle_conflict(self, editor: Editor, error: ConflictError) -> bool:
        """Ask what to do with a file that another program changed, and do it."""
        answer = files.ask_conflict(self._parent, error.sentence)
        try:
            if answer == "mine":
                editor.save(keep_mine=True)
                self.session.notify(
                    f"Saved to {editor.path}. What the other program wrote is an earlier version."
                )
                return True
            if answer == "theirs":
                fresh, aside = take_theirs(editor)
                self.session.replace_editor(fresh)
                where = f" Your changes were put aside as {aside}." if aside else ""
                self.session.notify(f"This is the file as the other program left it.{where}")
                return False
            if answer == "merge":
                merged = merge_with_disk(editor)
                choices = ask_merge(self._parent, merged.conflicts) if merged.conflicts else {}
                if choices is not None:
                    fresh = adopt(editor, merged, choices)
                    self.session.replace_editor(fresh)
                    fresh.save()
                    self.session.notify(f"Merged and saved to {fresh.path}.")
                    return True
        except FashionError as problem:
            self.session.notify(str(problem), "error")
            return False
        self.session.notify(str(error), "warning")
        return False

    def restore_asked(self) -> None:
        """Ask which earlier version, and restore it."""
        editor = self.session.editor
        if editor is None or editor.work is None or editor.path is None:
            return
        if not self.may_discard():  # a save makes a version, and may drop the oldest one
            return
        versions = editor.work.versions()
        names = [f"{v.saved:%Y-%m-%d %H:%M:%S}   {v.size:,} bytes" for v in versions]
        place = files.ask_version(self._parent, names) if names else None
        if place is None:
            return
        try:
            editor.work.restore(versions[place])
        except FashionError as error:
            self.session.notify(str(error), "error")
            return
        fresh, aside = take_theirs(editor)
        self.session.replace_editor(fresh)
        where = f" Changes that were not saved were put aside as {aside}." if aside else ""
        self.session.notify(f"This is the version saved on {names[place].split('   ')[0]}.{where}")

    def export_asked(self, *, only_reviewed: bool) -> None:
        """Ask where to, and export."""
        editor = self.session.editor
        if editor is None:
            return
        if only_reviewed and not columns(editor.dataset).reviewed.any():
            self.session.notify("No image is marked as reviewed yet.", "warning")
            return
        proposal = self._proposal("reviewed" if only_reviewed else "export")
        path = files.ask_save(self._parent, "Export", proposal, editor.dataset.path, editor.path)
        if path is not None:
            self.export(path, only_reviewed=only_reviewed)

    def export(self, path: Path, *, only_reviewed: bool = False) -> None:
        """Export to a file; an existing one is replaced."""
        editor = self.session.editor
        if editor is None:
            return
        try:
            if editor.is_saved_at(path) and editor.work is not None:
                editor.work.keep_version()
            report = export(editor.dataset, path, only_reviewed=only_reviewed, overwrite=True)
        except (FashionError, OSError) as error:
            self.session.notify(str(error), "error")
            return
        editor.replaced(path)
        self.session.notify(str(report))

    def export_to_asked(self) -> None:
        """Ask for a format and a folder, and export in the background."""
        editor = self.session.editor
        if editor is None:
            return
        choice = ask_export(self._parent, self._proposal("export").with_suffix(""))
        if choice is not None:
            self.window.exporting.start(editor.dataset, choice.folder, choice.form, choice.options)

    def tell_export(self, result: ExportResult) -> None:
        """Add what the format could not hold to the message."""
        if not result.tally:
            return
        counts = result.tally.counts
        kinds = [f"{kind}: {n:,}" for kind, n in list(counts.items())[:SHOWN_KINDS]]
        more = [f"{len(counts) - SHOWN_KINDS} more kinds"] * (len(counts) > SHOWN_KINDS)
        self.session.notify(f"{result} Not in it: {'; '.join(kinds + more)}.")
        self._message.setToolTip("\n".join(result.tally.lines()))

    def _proposal(self, what: str) -> Path:
        editor = self.session.editor
        assert editor is not None
        if editor.path is None:
            return editor.dataset.image_root / f"{what}.json"
        return editor.path.with_name(f"{editor.path.stem}-{what}.json")

    def open_asked(self, question: Callable[[QWidget, Path], Path | None]) -> None:
        """Ask for a file or a folder, and open it."""
        editor = self.session.editor
        start = Path.home() if editor is None or editor.path is None else editor.path.parent
        path = question(self._parent, start)
        if path is not None:
            self.open(path)

    def go_to_asked(self) -> None:
        """Ask for the number of an image, and show it."""
        if (editor := self.session.editor) is None:
            return
        number, ok = QInputDialog.getInt(
            self._parent, "Go to image", "Number:", editor.index + 1, 1, editor.n_images
        )
        if ok:
            editor.go_to(number - 1)

    def may_discard(self) -> bool:
        """Ask about unsaved changes; false where the person wants to stay."""
        editor = self.session.editor
        if editor is None or not editor.dirty:
            return True
        place = editor.path or editor.dataset.path or editor.dataset.image_root
        match files.ask_unsaved(self._parent, place.name, kept=editor.is_journaled):
            case "save":
                return self.save()
            case "later" | "discard":
                return True
            case _:
                return False
