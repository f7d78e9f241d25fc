"""Another reading of the image over what is in the file: kites, and lines where they are far apart."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QLineF, QPointF, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPolygonF

from napari_fashion.app.comparing import Comparison
from napari_fashion.app.session import Session
from napari_fashion.app.viewer import overlay_paint as paint
from napari_fashion.app.viewer.layer_data import rgb
from napari_fashion.app.viewer.overlay_data import Camera

KITE = 11.0
"""From a kite's centre to its corners."""


class ComparePainter:
    """Paints the other reading above the garments."""

    def __init__(self, session: Session, comparison: Comparison) -> None:
        self._session, self._comparison = session, comparison
        self.changed = comparison.changed

    @property
    def is_shown(self) -> bool:
        """Whether there is something to paint."""
        return self._session.view.compare and bool(self._comparison.theirs)

    @property
    def is_alone(self) -> bool:
        """Never: the garments are seen below."""
        return False

    def paint(self, painter: QPainter, camera: Camera, font: QFont) -> None:
        """Paint kites, and lines to landmarks that are far from theirs."""
        schema, editor, theirs = self._session.schema, self._session.editor, self._comparison.theirs
        if schema is None or editor is None or theirs is None:
            return
        colors = rgb(schema)
        garments = editor.garments
        for pair in self._comparison.pairs:
            if pair.ours is None or pair.theirs is None:
                continue
            ends = (garments[pair.ours].xy, theirs[pair.theirs].xy)
            for k in np.flatnonzero(pair.far).tolist():
                line = QLineF(*(_point(camera.to_screen(xy[k])) for xy in ends))
                paint.paint_line(painter, line, paint.AMBER, 2.0)
        for reading in theirs:
            for k in np.flatnonzero(reading.placed).tolist():
                at = _point(camera.to_screen(reading.xy[k]))
                _kite(painter, at, QColor.fromRgbF(*map(float, colors[k])))


def _kite(painter: QPainter, at: QPointF, color: QColor) -> None:
    corners = [QPointF(0, -KITE), QPointF(KITE, 0), QPointF(0, KITE), QPointF(-KITE, 0)]
    polygon = QPolygonF([at + corner for corner in corners])
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen_color, width in ((paint.DARK, 5.0), (color, 2.5)):
        pen = painter.pen()
        pen.setColor(pen_color)
        pen.setWidthF(width)
        pen.setStyle(Qt.PenStyle.SolidLine)
        painter.setPen(pen)
        painter.drawPolygon(polygon)


def _point(xy: np.ndarray) -> QPointF:
    return QPointF(float(xy[0]), float(xy[1]))
