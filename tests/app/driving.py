"""A person at the window: real mouse and key events, nothing of ours called directly.

The one private thing used is the canvas's native widget, which events must be sent to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QWidget

LEFT = Qt.MouseButton.LeftButton


class Person:
    def __init__(self, qtbot: Any, viewer: Any) -> None:
        self.qtbot = qtbot
        self.viewer = viewer

    @property
    def canvas(self) -> QWidget:
        return self.viewer.window._qt_viewer.canvas.native

    def see(self) -> None:
        """Let the window draw."""
        for _ in range(5):
            QApplication.processEvents()

    def where(self, xy: Any) -> QPoint:
        """Return the place on the canvas of a place on the image, xy pixels."""
        centre = np.array(self.viewer.camera.center[-2:])
        size = np.array([self.canvas.height(), self.canvas.width()])
        y, x = size / 2 + (np.array(xy[::-1]) - centre) * self.viewer.camera.zoom
        return QPoint(round(x), round(y))

    def click(self, xy: Any) -> None:
        self.see()
        self.qtbot.mouseMove(self.canvas, self.where(xy))
        self.qtbot.mousePress(self.canvas, LEFT, pos=self.where(xy))
        self.qtbot.mouseRelease(self.canvas, LEFT, pos=self.where(xy))
        self.see()

    def drag(self, start: Any, end: Any) -> None:
        """Press on the image, move in steps, and let go."""
        self.see()
        from qtpy.QtCore import QEvent
        from qtpy.QtGui import QMouseEvent

        self.qtbot.mouseMove(self.canvas, self.where(start))
        self.qtbot.mousePress(self.canvas, LEFT, pos=self.where(start))
        for share in (0.2, 0.5, 0.8, 1.0):
            at = self.where(np.array(start) + share * (np.array(end) - np.array(start)))
            move = QMouseEvent(
                QEvent.Type.MouseMove, _f(at), LEFT, LEFT, Qt.KeyboardModifier.NoModifier
            )
            QApplication.sendEvent(self.canvas, move)
            self.qtbot.wait(10)  # napari drops moves that follow within 5 ms: a hand is slower
        self.qtbot.mouseRelease(self.canvas, LEFT, pos=self.where(end))
        self.see()

    def key(self, key: Any, modifier: Any = Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key while the canvas has the keyboard."""
        self.canvas.setFocus()
        self.qtbot.keyClick(self.canvas, key, modifier)
        self.see()

    def press_landmark(self, table: Any, landmark: int, column: Any) -> None:
        """Click a cell of the table of landmarks."""
        index = table.rows.index(table.rows.place(landmark), column)
        at = table.visualRect(index).center()
        assert table.isVisible()
        assert table.viewport().rect().contains(at)
        self.qtbot.mouseClick(table.viewport(), LEFT, pos=at)
        self.see()

    def press(self, button: QWidget) -> None:
        """Click a button."""
        assert button.isVisible()
        assert button.isEnabled()
        at = QPoint(8, button.height() // 2) if isinstance(button, QCheckBox) else QPoint()
        self.qtbot.mouseClick(button, LEFT, pos=at)
        self.see()


def toggle_reviewed(app: Any) -> None:
    """Make an edit of the image in view that leaves it there."""
    app.actions.set_reviewed(not app.session.editor.image.reviewed)


def _f(point: QPoint) -> Any:
    from qtpy.QtCore import QPointF

    return QPointF(point)
