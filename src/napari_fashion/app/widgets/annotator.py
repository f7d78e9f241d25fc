"""The main dock, "Fashion annotator"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.editor import Editor
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.data_row import DataRow
from napari_fashion.app.widgets.dock import Dock
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.garments import GarmentList
from napari_fashion.app.widgets.help import ShortcutHelp
from napari_fashion.app.widgets.history import History
from napari_fashion.app.widgets.landmarks import LandmarkList
from napari_fashion.app.widgets.messages import MessageLine
from napari_fashion.app.widgets.navigation import Navigation
from napari_fashion.app.widgets.overlays import Overlays
from napari_fashion.app.widgets.predict_row import PredictRow
from napari_fashion.app.widgets.style import MARGIN, SPACING, quiet_button, rule, section
from napari_fashion.app.window import RETRAIN
from napari_fashion.coco import export
from napari_fashion.errors import FashionError

CHECKED_IMAGES = 20_000
"""In larger data sets, looking for oddities would keep the person waiting."""


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
        self.message = MessageLine(session)
        self.help: ShortcutHelp | None = None

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
        for part in (self.message, self.history, foot):
            foot_column.addWidget(part)
        self.outer.addWidget(rule())
        self.outer.addLayout(foot_column)  # stays in sight while the rest scrolls

        self.data.open_file.connect(lambda: self._open_asked(files.ask_open_file))
        self.data.open_folder.connect(lambda: self._open_asked(files.ask_open_folder))
        self.data.save.connect(self.save)
        self.data.export_all.connect(lambda: self.export_asked(only_reviewed=False))
        self.data.export_reviewed.connect(lambda: self.export_asked(only_reviewed=True))
        self.predict.load_model.connect(self._load_model)
        self.predict.cancel.connect(self.window_state.predicting.cancel)
        self.retrain.clicked.connect(lambda: self.window_state.show_dock(RETRAIN))
        self.keys.clicked.connect(lambda: actions.show_help())

        follow(self, session.opened, self._follow)
        follow(self, session.model_changed, self.predict.refresh)
        follow(self, session.view.events.placing, lambda *_: self.landmarks.refresh())
        follow(self, self.window_state.predicting.progress, self.predict.show_progress)
        follow(self, actions.category_asked, self.garments.open_category)
        follow(self, actions.help_asked, self.show_help)
        self._editor: Editor | None = None
        self.window_state.may_discard = self._may_discard
        self._follow(session.editor)

    # -- following -------------------------------------------------------------------------

    def _follow(self, editor: Editor | None) -> None:
        self._editor = editor
        if editor is not None:
            follow(self, editor.image_changed, lambda *_: self._other_picture())
            follow(self, editor.changed, lambda *_: self._refresh_picture())
            follow(self, editor.selection_changed, lambda *_: self._refresh_garments())
            follow(self, editor.history_changed, self._refresh_history)
        self.overlays.refresh()
        self.predict.refresh()
        self._refresh_history()
        self._refresh_picture()

    def _other_picture(self) -> None:
        self.message.clear_info()
        self.history.refresh()  # each picture has its own
        self._refresh_picture()

    def _refresh_picture(self) -> None:
        self.navigation.refresh()
        self._refresh_garments()

    def _refresh_garments(self) -> None:
        self.garments.refresh()
        self.landmarks.refresh()

    def _refresh_history(self) -> None:
        self.history.refresh()
        self.data.refresh()

    # -- files -----------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Open a COCO file or a folder; unsaved edits of what is open are asked about."""
        if not self._may_discard():
            return
        try:
            self.session.open(path)
        except FashionError as error:
            self.session.say(str(error), "error")
            return
        assert self.session.editor is not None
        dataset = self.session.editor.dataset
        n = sum(1 for _ in dataset.garments)
        text = f"{len(dataset.images)} pictures, {n} garments."
        if len(dataset.images) <= CHECKED_IMAGES and dataset.problems:
            text += f" {len(dataset.problems)} oddities kept as they are, first: "
            text += str(dataset.problems[0])
        self.session.say(text)

    def save(self) -> bool:
        """Save the whole work; asks where to on the first time. Return whether it was saved."""
        editor = self.session.editor
        if editor is None:
            return False
        path = editor.saved_path
        if path is None:
            proposal = self._proposal("annotated")
            path = files.ask_save(self, "Save", proposal, editor.dataset.path)
        if path is None:
            return False
        try:
            editor.save(path, overwrite=True)
        except FashionError as error:
            self.session.say(str(error), "error")
            return False
        self.session.say(f"Saved to {path}.")
        return True

    def export_asked(self, *, only_reviewed: bool) -> None:
        """Ask where to, and export."""
        editor = self.session.editor
        if editor is None:
            return
        if only_reviewed and not any(image.reviewed for image in editor.dataset.images):
            self.session.say("No picture is marked as reviewed yet.", "warning")
            return
        proposal = self._proposal("reviewed" if only_reviewed else "export")
        path = files.ask_save(self, "Export", proposal, editor.dataset.path, editor.saved_path)
        if path is not None:
            self.export(path, only_reviewed=only_reviewed)

    def export(self, path: Path, *, only_reviewed: bool = False) -> None:
        """Export to a file; that it may be replaced has been said."""
        editor = self.session.editor
        if editor is None:
            return
        try:
            report = export(editor.dataset, path, only_reviewed=only_reviewed, overwrite=True)
        except FashionError as error:
            self.session.say(str(error), "error")
            return
        editor.replaced(path)
        self.session.say(str(report))

    def _proposal(self, what: str) -> Path:
        editor = self.session.editor
        assert editor is not None
        dataset = editor.dataset
        if dataset.path is None:
            return dataset.image_root / f"{what}.json"
        return dataset.path.with_name(f"{dataset.path.stem}-{what}.json")

    def _open_asked(self, question: Callable[[QWidget, Path], Path | None]) -> None:
        editor = self.session.editor
        start = Path.home() if editor is None else (editor.dataset.path or Path.home()).parent
        path = question(self, start)
        if path is not None:
            self.open(path)

    def _may_discard(self) -> bool:
        """Ask about unsaved edits; false where the person wants to stay."""
        editor = self.session.editor
        if editor is None or not editor.dirty:
            return True
        place = editor.saved_path or editor.dataset.path or editor.dataset.image_root
        match files.ask_unsaved(self, place.name):
            case "save":
                return self.save()
            case "discard":
                return True
            case _:
                return False

    # -- model and help --------------------------------------------------------------------

    def _load_model(self) -> None:
        path = files.ask_model(self, Path.home())
        if path is not None:
            self.window_state.load_model(str(path))

    def show_help(self) -> None:
        """Show the shortcuts in a window of their own."""
        if self.help is None:
            self.help = ShortcutHelp(self)
        self.help.show()
        self.help.raise_()
