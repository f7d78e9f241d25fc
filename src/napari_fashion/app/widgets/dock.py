"""What our two docks have in common: scrolling content, napari's theme, and our keys."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence, QShowEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.shortcuts import SHORTCUTS, spelled
from napari_fashion.app.widgets.style import MARGIN, SPACING, sheet, theme_of
from napari_fashion.app.window import window_of

WIDTH = 350


class Dock(QWidget):
    """A column of widgets that scrolls where the window is low.

    Parameters
    ----------
    viewer
        napari's viewer, or the proxy that it hands to plugins.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.window_state = window_of(viewer)
        self.viewer = self.window_state.viewer
        self.session = self.window_state.session
        self.actions = self.window_state.actions
        content = QWidget()
        self.content = QVBoxLayout(content)
        self.content.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        self.content.setSpacing(SPACING)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(content)
        self.outer = QVBoxLayout(self)
        self.outer.setContentsMargins(0, 0, 0, 0)
        self.outer.setSpacing(0)
        self.outer.addWidget(self.scroll)
        self.setMinimumWidth(WIDTH)
        self.apply_theme()
        self.viewer.events.theme.connect(self.apply_theme)

    def apply_theme(self, *_: Any) -> None:
        """Take the colours of napari's theme."""
        self.setStyleSheet(sheet(theme_of(self.viewer)))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self.window_state.guard(self.window())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Run our shortcuts while the dock has the keyboard, except where a person types."""
        if isinstance(self.focusWidget(), (QLineEdit, QAbstractSpinBox, QComboBox)):
            super().keyPressEvent(event)
            return
        pressed = QKeySequence(int(event.key()) | _modifiers(event))
        for shortcut in SHORTCUTS:
            if any(pressed == QKeySequence(_for_qt(key)) for key in shortcut.keys):
                if shortcut.repeats or not event.isAutoRepeat():
                    shortcut.run(self.actions)
                event.accept()
                return
        super().keyPressEvent(event)


def _modifiers(event: QKeyEvent) -> int:
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    return int(getattr(modifiers, "value", modifiers))


def _for_qt(key: str) -> str:
    return "Return" if key == "Enter" else spelled(key)
