"""The shapes of our docks, drawn by Qt: states, choices and what buttons do."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QPointF, QRect, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap, QPolygonF, QTextOption
from qtpy.QtWidgets import QToolButton

from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette

SIZE = 16
"""Pixels of a symbol's side; the shapes are drawn on a grid of 16."""

Draw = Callable[[QPainter], None]


def _lines(*chains: tuple[tuple[float, float], ...]) -> Draw:
    def draw(painter: QPainter) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for chain in chains:
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in chain]))

    return draw


def _circle(radius: float, *, filled: bool = False, dashed: bool = False) -> Draw:
    def draw(painter: QPainter) -> None:
        pen = QPen(painter.pen())
        if dashed:
            pen.setDashPattern([1.4, 1.4])
            pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.setBrush(pen.color() if filled else Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QPointF(8, 8), radius, radius)

    return draw


def _both(*parts: Draw) -> Draw:
    def draw(painter: QPainter) -> None:
        for part in parts:
            painter.save()
            part(painter)
            painter.restore()

    return draw


def _turn(mirrored: bool) -> Draw:
    """Return the arrow of undo, or of redo."""

    def draw(painter: QPainter) -> None:
        if mirrored:
            painter.translate(16, 0)
            painter.scale(-1, 1)
        path = QPainterPath(QPointF(3, 6))
        path.lineTo(10, 6)
        path.arcTo(QRectF(6.5, 6, 7, 7), 90, -180)
        path.lineTo(7, 13)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(path)
        painter.drawPolyline(QPolygonF([QPointF(6, 3), QPointF(3, 6), QPointF(6, 9)]))

    return draw


SYMBOLS: dict[str, Draw] = {
    "menu": _lines(((3, 4), (13, 4)), ((3, 8), (13, 8)), ((3, 12), (13, 12))),
    "back": _lines(((10, 3), (5, 8), (10, 13))),
    "next": _lines(((6, 3), (11, 8), (6, 13))),
    "down": _lines(((4, 6), (8, 10), (12, 6))),
    "undo": _turn(False),
    "redo": _turn(True),
    "plus": _lines(((8, 3), (8, 13)), ((3, 8), (13, 8))),
    "cross": _lines(((4.5, 4.5), (11.5, 11.5)), ((11.5, 4.5), (4.5, 11.5))),
    "tick": _lines(((3, 8.5), (6.5, 12), (13, 4.5))),
    "visible": _circle(3.6, filled=True),
    "hidden": _circle(3.6),
    "absent": _lines(((5, 5), (11, 11)), ((11, 5), (5, 11))),
    "undecided": _circle(5.4, dashed=True),
    "disc": _circle(5.4, filled=True),
    "ring": _circle(5.2),
    "new": _circle(5, dashed=True),
    "predicted": _both(_circle(5), _circle(1.2, filled=True)),
    "edited": _lines(((3, 13), (3.6, 10), (10.6, 3), (13, 5.4), (6, 12.4), (3, 13))),
    "reviewed": _lines(((3, 8.5), (6.5, 12), (13, 4.5))),
    "rejected": _both(_circle(5.4), _lines(((4.2, 11.8), (11.8, 4.2)))),
    "folder": _lines(((1.5, 3), (6, 3), (7.5, 5), (14.5, 5), (14.5, 13), (1.5, 13), (1.5, 3))),
    "file": _both(
        _lines(((3.5, 1.5), (9.5, 1.5), (12.5, 4.5), (12.5, 14.5), (3.5, 14.5), (3.5, 1.5))),
        _lines(((5.5, 8), (10.5, 8)), ((5.5, 11), (10.5, 11))),
    ),
    "garment": _lines(
        (
            *((5.5, 2), (7, 3.2), (9, 3.2), (10.5, 2), (14.5, 5), (12.8, 7.4), (11.2, 6.4)),
            *((11.2, 14), (4.8, 14), (4.8, 6.4), (3.2, 7.4), (1.5, 5), (5.5, 2)),
        )
    ),
}


def paint(painter: QPainter, name: str, color: QColor, box: QRectF, width: float = 1.5) -> None:
    """Draw a symbol into a square box, with lines of a width in its own grid of 16."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(box.topLeft())
    painter.scale(box.width() / SIZE, box.height() / SIZE)
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    SYMBOLS[name](painter)
    painter.restore()


def write(painter: QPainter, box: QRect, text: str, where: Qt.AlignmentFlag) -> None:
    """Write a line of text into a box; the way that is the same in every version of Qt."""
    option = QTextOption(where)
    option.setWrapMode(QTextOption.WrapMode.NoWrap)
    painter.drawText(QRectF(box), text, option)


def pixmap(name: str, color: QColor, size: int = SIZE, width: float = 1.5) -> QPixmap:
    """Return a symbol, drawn at twice its size for screens that show it."""
    drawn = QPixmap(2 * size, 2 * size)
    drawn.fill(Qt.GlobalColor.transparent)
    painter = QPainter(drawn)
    paint(painter, name, color, QRectF(0, 0, 2 * size, 2 * size), width)
    painter.end()
    drawn.setDevicePixelRatio(2)
    return drawn


class SymbolButton(QToolButton):
    """A button that is a symbol; it leaves the keyboard to the image.

    Parameters
    ----------
    kind
        Its name in the style sheet: "quiet" or, with a ground, "square".
    """

    def __init__(self, palette: Palette, name: str, tip: str, kind: str = "quiet") -> None:
        super().__init__()
        self.setObjectName(kind)
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._palette = palette
        self._name = name
        follow(self, palette.changed, self._recolor)
        self._recolor()

    def _recolor(self) -> None:
        icon = QIcon(pixmap(self._name, self._palette.roles.text))
        icon.addPixmap(pixmap(self._name, self._palette.roles.symbol), QIcon.Mode.Disabled)
        self.setIcon(icon)
