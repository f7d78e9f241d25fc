"""What our docks have in common: content over a foot that stays, napari's theme, the keyboard."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QKeyEvent, QShowEvent
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMainWindow,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.keys.fields import DOCK
from napari_fashion.app.viewer.canvas import canvas_of
from napari_fashion.app.viewer.window import window_of
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import MARGIN, SPACING, sheet

WIDTH = 320


class Dock(QWidget):
    """A column of widgets that scrolls where the window is low.

    Parameters
    ----------
    viewer
        napari's viewer, or the proxy that it hands to plugins.

    Attributes
    ----------
    wide
        Its width, pixels; a person can make it wider.
    """

    wide = WIDTH

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.setProperty(DOCK, True)
        self.window_state = window_of(viewer)
        self.viewer = self.window_state.viewer
        self.session = self.window_state.session
        self.actions = self.window_state.actions
        self.colors = Palette(self.viewer)
        content = QWidget()
        self.content = QVBoxLayout(content)
        self.content.setContentsMargins(MARGIN, SPACING, MARGIN, SPACING)
        self.content.setSpacing(SPACING)
        self.scroll = QScrollArea()
        self.scroll.setWidgetResizable(True)
        self.scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll.setWidget(content)
        self.outer = QVBoxLayout(self)
        self.outer.setContentsMargins(0, 0, 0, 0)
        self.outer.setSpacing(0)
        self.outer.addWidget(self.scroll, 1)
        self.setMinimumWidth(self.wide)
        self.apply_theme()
        follow(self, self.colors.changed, self.apply_theme)

    def apply_theme(self) -> None:
        """Take the colours of napari's theme."""
        self.setStyleSheet(sheet(self.colors.roles, self.colors.points))

    def sizeHint(self) -> QSize:
        """Ask for no more than the width: what is over belongs to the image."""
        return QSize(self.wide, super().sizeHint().height())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self.window_state.guard(main_window_of(self))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep keys here where a person types; napari passes all others on to the image."""
        if isinstance(self.focusWidget(), (QLineEdit, QAbstractSpinBox, QComboBox)):
            event.accept()
        else:
            super().keyPressEvent(event)


def main_window_of(widget: QWidget) -> QWidget:
    """Return the main window that a widget belongs to, also where its dock floats."""
    here: QWidget | None = widget
    while here is not None and not isinstance(here, QMainWindow):
        here = here.parentWidget()
    return here or widget.window()


def give_keys_to_image(widget: QWidget) -> None:
    """Let the image have the keyboard."""
    window = main_window_of(widget)
    (canvas_of(window) or window).setFocus(Qt.FocusReason.OtherFocusReason)
