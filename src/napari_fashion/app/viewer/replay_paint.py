"""The decoder's steps on the image: what is found by now, in its order, and the step at hand."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QFont, QPainter

from napari_fashion.app.replay import Replay
from napari_fashion.app.session import Session
from napari_fashion.app.viewer import overlay_paint as paint
from napari_fashion.app.viewer.layer_data import rgb
from napari_fashion.app.viewer.overlay_data import DISC, TINTS, Camera

CHIP = 9.0
"""Radius of the disc with a step's number."""
BESIDE = 15.0


class ReplayPainter:
    """Paints a replay in place of the garments."""

    def __init__(self, session: Session, replay: Replay) -> None:
        self._session, self._replay = session, replay
        self.changed = replay.changed

    @property
    def is_shown(self) -> bool:
        """Whether there is something to paint."""
        return self._replay.story is not None

    @property
    def is_alone(self) -> bool:
        """Whether nothing else is painted."""
        return self.is_shown

    def paint(self, painter: QPainter, camera: Camera, font: QFont) -> None:
        """Paint what is found by now."""
        schema, found = self._session.schema, self._replay.found
        if schema is None or not found:
            return
        colors = rgb(schema)
        screen = {one.landmark: camera.to_screen(one.xy) for one in found}
        for one in found[:-1]:
            if one.source in screen:
                line = QLineF(_point(screen[one.source]), _point(screen[one.landmark]))
                paint.paint_line(painter, line, QColor(*TINTS[0]), 2.0)
        last = found[-1]
        if last.source in screen:
            line = QLineF(_point(screen[last.source]), _point(screen[last.landmark]))
            paint.paint_arrow(painter, line)
        if last.second is not None:
            at = _point(camera.to_screen(last.second.xy))
            paint.paint_ring(painter, at, DISC / 2, paint.AMBER, dashed=True)
        for step, one in enumerate(found, start=1):
            at = _point(screen[one.landmark])
            paint.paint_disc(painter, at, QColor.fromRgbF(*map(float, colors[one.landmark])))
            if one is last:
                paint.paint_ring(painter, at, paint.RING, paint.WHITE, dashed=True)
            _number(painter, at + QPointF(BESIDE, -BESIDE), step, font, chosen=one is last)


def _number(painter: QPainter, at: QPointF, step: int, font: QFont, *, chosen: bool) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(72, 96, 202) if chosen else paint.DARK)
    painter.drawEllipse(at, CHIP, CHIP)
    painter.setPen(paint.WHITE)
    painter.setFont(paint.bold(font, 11))
    rect = QRectF(at.x() - CHIP, at.y() - CHIP, 2 * CHIP, 2 * CHIP)
    painter.drawText(rect, int(Qt.AlignmentFlag.AlignCenter), str(step))


def _point(xy: np.ndarray) -> QPointF:
    return QPointF(float(xy[0]), float(xy[1]))
