"""Undo and redo, showing what they would do."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.widgets.style import SPACING


class History(QWidget):
    """Two buttons."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.undo = QPushButton("Undo")
        self.redo = QPushButton("Redo")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for button in (self.undo, self.redo):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            layout.addWidget(button, 1)
        self.undo.clicked.connect(lambda: actions.undo())
        self.redo.clicked.connect(lambda: actions.redo())

    def refresh(self) -> None:
        """Show what can be undone and redone."""
        editor = self._actions.session.editor
        for button, name, label, keys in (
            (self.undo, "Undo", editor.undo_label if editor else "", keys_of(Actions.undo)),
            (self.redo, "Redo", editor.redo_label if editor else "", keys_of(Actions.redo)),
        ):
            button.setEnabled(bool(label))
            width = button.fontMetrics().horizontalAdvance("n" * 15)
            short = button.fontMetrics().elidedText(label, Qt.TextElideMode.ElideRight, width)
            button.setText(f"{name}: {short}" if label else name)
            button.setToolTip(f"{name} {label}{keys}" if label else f"Nothing to {name.lower()}")
