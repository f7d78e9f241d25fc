"""The main dock, "Fashion annotator"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.data_row import DataRow
from napari_fashion.app.widgets.dock import Dock
from napari_fashion.app.widgets.export_dialog import ask_export
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.garments import GarmentList
from napari_fashion.app.widgets.help import ShortcutHelp
from napari_fashion.app.widgets.history import History
from napari_fashion.app.widgets.landmarks import LandmarkList
from napari_fashion.app.widgets.merge import ask_merge
from napari_fashion.app.widgets.messages import MessageLine
from napari_fashion.app.widgets.navigation import Navigation
from napari_fashion.app.widgets.offer_rows import OfferRows
from napari_fashion.app.widgets.overlays import Overlays
from napari_fashion.app.widgets.predict_row import PredictRow
from napari_fashion.app.widgets.schema_question import ask_schema
from napari_fashion.app.widgets.style import MARGIN, SPACING, quiet_button, rule, section
from napari_fashion.coco import Dataset, Problems, columns, export
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


class AnnotatorDock(Dock):
    """Open, predict, correct, export; everything here follows the session."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        session, actions = self.session, self.actions
        self.data = DataRow(session)
        self.navigation = Navigation(actions)
        self.predict = PredictRow(actions)
        self.garments = GarmentList(actions)
        self.landmarks = LandmarkList(actions)
        self.overlays = Overlays(session)
        self.history = History(actions)
        self.retrain = QPushButton("Retrain…")
        self.retrain.setToolTip("Train the model further on this data set")
        self.retrain.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.keys = quiet_button("Keys", "Keyboard shortcuts" + keys_of(Actions.show_help))
        self.offers = OfferRows(self.window_state.offers)
        self.message = MessageLine(session)
        self.help: ShortcutHelp | None = None
        self._editor: Editor | None = None
        self._opened_text = ""
        self._last_schema: Schema | None = None
        self._lay_out()
        self._connect()
        self.window_state.may_discard = self._may_discard
        self._follow(session.editor)

    def _lay_out(self) -> None:
        for part in (
            self.data,
            rule(),
            self.navigation,
            self.predict,
            rule(),
            self.garments,
            section("Landmarks"),
            self.landmarks,
            rule(),
            section("Show"),
            self.overlays,
        ):
            self.content.addWidget(part)
        self.content.addStretch()
        foot = QWidget()
        row = QHBoxLayout(foot)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.retrain, 1)
        row.addWidget(self.keys)
        foot_column = QVBoxLayout()
        foot_column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        foot_column.setSpacing(SPACING)
        for part in (self.offers, self.message, self.history, foot):
            foot_column.addWidget(part)
        self.outer.addWidget(rule())
        self.outer.addLayout(foot_column)  # stays in sight while the rest scrolls

    def _connect(self) -> None:
        session, actions = self.session, self.actions
        self.data.open_file.connect(lambda: self._open_asked(files.ask_open_file))
        self.data.open_folder.connect(lambda: self._open_asked(files.ask_open_folder))
        self.data.save.connect(self.save)
        self.data.save_as.connect(self.save_as)
        self.data.versions.connect(self.restore_asked)
        self.data.export_all.connect(lambda: self.export_asked(only_reviewed=False))
        self.data.export_reviewed.connect(lambda: self.export_asked(only_reviewed=True))
        self.data.export_format.connect(self.export_to_asked)
        self.data.export_cancel.connect(self.window_state.exporting.cancel)
        self.predict.load_model.connect(self._load_model)
        self.predict.cancel.connect(self.window_state.predicting.cancel)
        self.retrain.clicked.connect(lambda: self.window_state.show_dock(RETRAIN))
        self.keys.clicked.connect(lambda: actions.show_help())

        follow(self, session.opened, self._follow)
        follow(self, session.model_changed, self.predict.refresh)
        follow(self, session.view.events.placing, lambda *_: self.landmarks.refresh())
        follow(self, self.window_state.checking.found, self._tell_problems)
        follow(self, self.window_state.predicting.progress, self.predict.show_progress)
        follow(self, self.window_state.exporting.progress, self.data.show_export)
        follow(self, self.window_state.exporting.done, self._tell_export)
        follow(self, actions.category_asked, self.garments.open_category)
        follow(self, actions.help_asked, self.show_help)

    # -- following -------------------------------------------------------------------------

    def _follow(self, editor: Editor | None) -> None:
        self._editor = editor
        if editor is not None:
            follow(self, editor.image_changed, lambda *_: self._other_image())
            follow(self, editor.changed, lambda *_: self._refresh_image())
            follow(self, editor.selection_changed, lambda *_: self._refresh_garments())
            follow(self, editor.history_changed, self._refresh_history)
        self.overlays.refresh()
        self.predict.refresh()
        self._refresh_history()
        self._refresh_image()

    def _other_image(self) -> None:
        self.message.clear_info()
        self.history.refresh()  # each image has its own
        self._refresh_image()

    def _refresh_image(self) -> None:
        self.navigation.refresh()
        self.overlays.show_member()
        self._refresh_garments()

    def _refresh_garments(self) -> None:
        self.garments.refresh()
        self.landmarks.refresh()

    def _refresh_history(self) -> None:
        self.history.refresh()
        self.data.refresh()

    # -- files -----------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Open a COCO file or a folder; unsaved changes of what is open are asked about."""
        if not self._may_discard():
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
        text = f"{len(dataset.images)} images, {len(dataset.garments)} garments. {opening.note}"
        if editor.holder is not None:
            text += f" It is open elsewhere ({editor.holder}): it is read-only here."
        self.session.notify(text.strip(), "warning" if editor.holder is not None else "info")
        self._opened_text = text.strip()
        self.window_state.checking.start(dataset)

    def _has_schema(self, path: Path) -> bool:
        """Ask for the schema of a folder that is opened for the first time; false: do not open it."""
        session = self.session
        if session.folder_schema is not None or not is_new_folder(path):
            return True
        session.folder_schema = ask_schema(
            self, path, self._last_schema or session.default_schema()
        )
        self._last_schema = session.folder_schema or self._last_schema
        return session.folder_schema is not None

    def _tell_problems(self, dataset: Dataset, found: Problems) -> None:
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
        self.message.setToolTip("\n".join(found.lines()))

    def _decide(self, opening: Opening) -> None:
        """Ask what becomes of changes that only the journal has."""
        pending = opening.pending
        if pending is None:
            return
        name = opening.editor.path.name if opening.editor.path else "The data set"
        answer = files.ask_pending(self, name, str(pending), conflict=opening.conflict)
        if answer is None:
            raise _NotOpenedError
        if answer == "restore":
            opening.restore()
            return
        if answer == "merge":
            try:
                merged = opening.merge()
                choices = ask_merge(self, merged.conflicts) if merged.conflicts else {}
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
            answer = files.ask_save_place(self, editor.path.name)
            if answer is None:
                return False
            if answer == "save as":
                return self.save_as()
        try:
            editor.save()
        except ConflictError as error:
            return self._settle_conflict(editor, error)
        except FashionError as error:
            self.session.notify(str(error), "error")
            return False
        self.session.notify(f"Saved to {editor.path}.")
        return True

    def save_as(self) -> bool:
        """Ask where to, and save the whole work there; it goes on in that file."""
        editor = self.session.editor
        if editor is None:
            return False
        path = files.ask_save(self, "Save as", self._proposal("annotated"), editor.dataset.path)
        if path is None:
            return False
        try:
            editor.save(path, overwrite=True)
        except ConflictError as error:
            return self._settle_conflict(editor, error)
        except FashionError as error:
            self.session.notify(str(error), "error")
            return False
        self.session.notify(f"Saved to {path}.")
        return True

    def _settle_conflict(self, editor: Editor, error: ConflictError) -> bool:
        """Ask what to do with a file that another program changed, and do it."""
        answer = files.ask_conflict(self, error.sentence)
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
                choices = ask_merge(self, merged.conflicts) if merged.conflicts else {}
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
        if not self._may_discard():  # a save makes a version, and may drop the oldest one
            return
        versions = editor.work.versions()
        names = [f"{v.saved:%Y-%m-%d %H:%M:%S}   {v.size:,} bytes" for v in versions]
        place = files.ask_version(self, names) if names else None
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
        path = files.ask_save(self, "Export", proposal, editor.dataset.path, editor.path)
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
        choice = ask_export(self, self._proposal("export").with_suffix(""))
        if choice is not None:
            self.window_state.exporting.start(
                editor.dataset, choice.folder, choice.form, choice.options
            )

    def _tell_export(self, result: ExportResult) -> None:
        """Add what the format could not hold to the message."""
        if not result.tally:
            return
        counts = result.tally.counts
        kinds = [f"{kind}: {n:,}" for kind, n in list(counts.items())[:SHOWN_KINDS]]
        more = [f"{len(counts) - SHOWN_KINDS} more kinds"] * (len(counts) > SHOWN_KINDS)
        self.session.notify(f"{result} Not in it: {'; '.join(kinds + more)}.")
        self.message.setToolTip("\n".join(result.tally.lines()))

    def _proposal(self, what: str) -> Path:
        editor = self.session.editor
        assert editor is not None
        if editor.path is None:
            return editor.dataset.image_root / f"{what}.json"
        return editor.path.with_name(f"{editor.path.stem}-{what}.json")

    def _open_asked(self, question: Callable[[QWidget, Path], Path | None]) -> None:
        editor = self.session.editor
        start = Path.home() if editor is None or editor.path is None else editor.path.parent
        path = question(self, start)
        if path is not None:
            self.open(path)

    def _may_discard(self) -> bool:
        """Ask about unsaved changes; false where the person wants to stay."""
        editor = self.session.editor
        if editor is None or not editor.dirty:
            return True
        place = editor.path or editor.dataset.path or editor.dataset.image_root
        match files.ask_unsaved(self, place.name, kept=editor.is_journaled):
            case "save":
                return self.save()
            case "later" | "discard":
                return True
            case _:
                return False

    # -- model and help --------------------------------------------------------------------

    def _load_model(self, source: str) -> None:
        """Load a packaged model by its name, or one from a file that is asked for."""
        chosen = source or files.ask_model(self, Path.home())
        if chosen is not None:
            self.window_state.load_model(str(chosen))

    def show_help(self) -> None:
        """Show the shortcuts in a window of their own."""
        if self.help is None:
            self.help = ShortcutHelp(self)
        self.help.show()
        self.help.raise_()
