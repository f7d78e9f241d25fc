"""The first line of the dock: the menu, what is open, whether it is saved, undo and redo."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QToolButton, QWidget
from superqt import QElidingLabel

from napari_fashion.app import recent
from napari_fashion.app.actions import Actions
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import repolish, shrinking
from napari_fashion.app.widgets.symbols import SymbolButton, pixmap
from napari_fashion.app.widgets.tips import caps, tip
from napari_fashion.packaged import PACKAGED_MODELS


class FileMenu(QMenu):
    """What is wanted once a session: files, models, keys."""

    open_file = Signal()
    open_folder = Signal()
    open_recent = Signal(str)
    go_to = Signal()
    save = Signal()
    save_as = Signal()
    versions = Signal()
    export_all = Signal()
    export_reviewed = Signal()
    export_format = Signal()
    export_cancel = Signal()
    load_model = Signal(str)
    predict_all = Signal()
    retrain = Signal()
    keys = Signal()
    layer_docks = Signal(bool)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.addAction("Open folder…", self.open_folder.emit)
        self.addAction("Open COCO file…", self.open_file.emit)
        self.recent = self.addMenu("Open recent")
        self.aboutToShow.connect(self._list_recent)
        self.addSeparator()
        self.save_action = self.addAction(_keyed("Save", "save"), self.save.emit)
        self.save_as_action = self.addAction("Save as…", self.save_as.emit)
        self.earlier = self.addAction("Earlier versions…", self.versions.emit)
        self.export = self.addMenu("Export")
        self.all_images = self.export.addAction("All images…", self.export_all.emit)
        self.only_reviewed = self.export.addAction(
            "Reviewed images only…", self.export_reviewed.emit
        )
        self.export.addSeparator()
        self.other_format = self.export.addAction("To another format…", self.export_format.emit)
        self.cancel_export = self.export.addAction("Cancel the export", self.export_cancel.emit)
        self.cancel_export.setVisible(False)
        self.addSeparator()
        self.go_to_action = self.addAction("Go to image…", self.go_to.emit)
        self.everything = self.addAction("Predict all images…", self.predict_all.emit)
        self.models = self.addMenu("Model")
        for name, what in PACKAGED_MODELS.items():
            self.models.addAction(f"{name}: {what}", partial(self.load_model.emit, name))
        self.models.addSeparator()
        self.models.addAction("From a file…", partial(self.load_model.emit, ""))
        self.addAction(_keyed("Retrain…", "show_retrain"), self.retrain.emit)
        self.addSeparator()
        self.addAction(_keyed("Keys", "show_help"), self.keys.emit)
        self.docks = self.addAction("napari layer docks")
        self.docks.setCheckable(True)
        self.docks.triggered.connect(self.layer_docks.emit)

    def _list_recent(self) -> None:
        self.recent.clear()
        here = [one.path for one in recent.read() if Path(one.path).exists()]
        for path in here:
            action = self.recent.addAction(Path(path).name, partial(self.open_recent.emit, path))
            action.setToolTip(path)
        self.recent.setToolTipsVisible(True)
        self.recent.setEnabled(bool(here))

    def show_export(self, done: int, total: int) -> None:
        """Show how far an export is; 0 of 0: none runs."""
        self.other_format.setEnabled(total == 0)
        self.cancel_export.setVisible(total > 0)
        self.cancel_export.setText(f"Cancel the export ({done:,} of {total:,} images)")


class FileLine(QWidget):
    """The menu button, the name, "Saved" or "Not saved", undo and redo."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._actions = actions
        self._palette = palette
        self.menu = FileMenu(self)
        self.menu_button = SymbolButton(palette, "menu", "Files, models, keys")
        self.menu_button.setMenu(self.menu)
        self.menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.name = shrinking(QElidingLabel())
        self.name.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.name.setObjectName("name")
        self.mark = QLabel()
        self.state = QLabel()
        self.state.setObjectName("state")
        self.undo = SymbolButton(palette, "undo", "Nothing to undo")
        self.redo = SymbolButton(palette, "redo", "Nothing to redo")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.menu_button, self.name, self.mark, self.state, self.undo, self.redo):
            layout.addWidget(widget, 1 if widget is self.name else 0)
        self.undo.clicked.connect(lambda: actions.undo())
        self.redo.clicked.connect(lambda: actions.redo())

    def refresh(self) -> None:
        """Show what is open, whether it is saved, and what can be undone."""
        session = self._actions.session
        editor, menu = session.editor, self.menu
        here = editor is not None
        for action in (
            *(menu.save_action, menu.save_as_action, menu.export.menuAction()),
            *(menu.go_to_action, menu.everything),
        ):
            action.setEnabled(here)
        menu.earlier.setEnabled(
            editor is not None and editor.holder is None and editor.has_versions
        )
        model = session.model.id if session.model else session.model_source
        known = session.model is not None or session.model_source in PACKAGED_MODELS
        menu.models.setTitle(f"Model: {model}" if known else "Model")
        for button, name, label, action in (
            (self.undo, "Undo", editor.undo_label if editor else "", "undo"),
            (self.redo, "Redo", editor.redo_label if editor else "", "redo"),
        ):
            button.setVisible(here)
            button.setEnabled(bool(label))
            text = tip(f"{name}: {label}", action) if label else f"Nothing to {name.lower()}"
            button.setToolTip(text)
        self._show_state()

    def _show_state(self) -> None:
        editor = self._actions.session.editor
        self.mark.setVisible(editor is not None)
        self.state.setVisible(editor is not None)
        if editor is None:
            self.name.setText("Nothing open")
            self.name.setToolTip("")
            return
        place = editor.path or editor.dataset.image_root
        if editor.holder is not None:
            level, state = "bad", "Read-only"
            why = f"It is open elsewhere ({editor.holder}): nothing can be changed here"
        elif editor.dirty:
            kept = editor.is_journaled
            level, state = ("", "Not saved") if kept else ("bad", "Not saved")
            where = "its journal, so nothing is lost" if kept else "memory only"
            why = f"Changes since the last save are in {where}. Save writes them to the file"
        else:
            level, state, why = "", "Saved", "The file has all changes"
        self.name.setText(place.name)
        self.name.setToolTip(str(place))
        self.state.setText(state)
        self.state.setToolTip(why)
        self.mark.setToolTip(why)
        roles = self._palette.roles
        self.mark.setPixmap(
            pixmap("tick", roles.muted, 12)
            if state == "Saved"
            else pixmap("visible", roles.bad if level else roles.muted, 12)
        )
        repolish(self.state, level=level)


def _keyed(text: str, action: str) -> str:
    """Return a menu's text with the key at its right; the key is bound elsewhere."""
    key = caps(action)
    return f"{text}\t{key}" if key else text
