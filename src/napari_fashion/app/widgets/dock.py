"""What our two docks have in common: scrolling content, napari's theme, and the keyboard."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.viewer.window import window_of
from napari_fashion.app.widgets.style import MARGIN, SPACING, sheet, theme_of

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
        """Keep keys here where a person types; napari passes all others on to the image."""
        if isinstance(self.focusWidget(), (QLineEdit, QAbstractSpinBox, QComboBox)):
            event.accept()
        else:
            super().keyPressEvent(event)
