"""Painting what `overlay_data` and `field_data` say, in pixels of the screen."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from qtpy.QtCore import QLineF, QPointF, QRectF, Qt
from qtpy.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QPainter,
    QPainterPath,
    QPen,
    QPolygonF,
)

from napari_fashion.app.viewer.field_data import Arrows, PafCell, PifCell
from napari_fashion.app.viewer.overlay_data import (
    DISC,
    OTHER_DISC,
    PLATE_HEIGHT,
    Array,
    Camera,
    Figure,
    Rect,
    Scene,
    extent_of,
    name_at,
)

WHITE = QColor(255, 255, 255)
DARK = QColor(16, 17, 20)
CASING = QColor(16, 17, 20, 190)
AMBER = QColor(240, 190, 70)
MUTED = QColor(190, 192, 200)
PLATE = QColor(32, 34, 41, 240)
LINE, LINE_CASING = 2.0, 4.5
RING = 12.0
"""Radius of the ring around the selected landmark."""
UNSURE_RING = 10.5
HEAD = 10.0
"""Length of an arrow's head."""
OTHERS = 0.75
"""Opacity of garments that are not selected."""
GAP = 22.0
"""From the centre of a landmark to its name."""
_CHIP = 16
_PAD = 5


# -- garments -------------------------------------------------------------------------------------


def paint_lines(painter: QPainter, figure: Figure, camera: Camera) -> None:
    """Paint a garment's silhouette, dashed where an end is hidden."""
    painter.setOpacity(1.0 if figure.selected else OTHERS)
    ends = camera.to_screen(figure.xy)
    for hidden in (False, True):
        lines = [
            QLineF(_point(ends[a]), _point(ends[b]))
            for (a, b), dashed in zip(figure.lines.tolist(), figure.dashed.tolist(), strict=True)
            if dashed == hidden
        ]
        if not lines:
            continue
        painter.setPen(_fast(DARK, LINE_CASING))
        painter.drawLines(lines)
        pen = _fast(QColor(*figure.tint), LINE)
        if hidden:
            pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.drawLines(lines)
    painter.setOpacity(1.0)


def paint_landmarks(painter: QPainter, figure: Figure, scene: Scene, camera: Camera) -> None:
    """Paint a garment's landmarks: discs, rings where hidden, and rings around what is special."""
    assert scene.colors is not None
    painter.setOpacity(1.0 if figure.selected else OTHERS)
    painter.setPen(Qt.PenStyle.NoPen)
    radius = (DISC if figure.selected else OTHER_DISC) / 2
    chosen = np.isin(figure.landmarks, list(scene.chosen)) & figure.selected
    screen = camera.to_screen(figure.xy)
    inside = np.flatnonzero(((screen > -40) & (screen < np.array(camera.size) + 40)).all(axis=1))
    for row in sorted(inside.tolist(), key=lambda row: bool(chosen[row])):
        at = _point(screen[row])
        color = _color(scene.colors[figure.landmarks[row]])
        if chosen[row]:
            _ring(painter, at, RING, WHITE, 2.0)
        elif figure.selected and figure.unsure[row]:
            _ring(painter, at, UNSURE_RING, AMBER, 2.0, dashed=True)
        painter.setPen(Qt.PenStyle.NoPen)
        _disc(painter, at, radius + 2.2, DARK)
        if figure.hidden[row]:
            _disc(painter, at, radius + 1.0, color)
            _disc(painter, at, radius * 0.5, DARK)
        else:
            _disc(painter, at, radius + 1.2, WHITE)
            _disc(painter, at, radius - 0.5, color)
    painter.setOpacity(1.0)


def paint_spread(painter: QPainter, at: Array, radius: float) -> None:
    """Paint a thin ring around the place that a landmark is thought to lie within."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for color, width in ((CASING, 3.0), (WHITE, 1.0)):
        painter.setPen(_pen(color, width))
        painter.drawEllipse(_point(at), radius, radius)


def paint_name(
    painter: QPainter, scene: Scene, figure: Figure, row: int, camera: Camera, font: QFont
) -> None:
    """Paint a landmark's name and, of an unsure one, its score, on the side away from its garment."""
    at = camera.to_screen(figure.xy[row])
    name = scene.names[int(figure.landmarks[row])]
    score = f"{figure.scores[row]:.2f} unsure" if figure.unsure[row] else ""
    large, small = bold(font, 13), bold(font, 12)
    widths = [QFontMetricsF(large).horizontalAdvance(name)]
    widths.append(QFontMetricsF(small).horizontalAdvance(score))
    left = name_at(at, extent_of(figure, camera), max(widths), camera, GAP)
    to_left = left < at[0]
    y = float(at[1]) + (-3.0 if score else 5.0)
    rows = [(name, large, widths[0], WHITE, y), (score, small, widths[1], AMBER, y + 17)]
    for text, used, width, color, base in rows:
        if text:
            x = left + max(widths) - width if to_left else left
            paint_text(painter, QPointF(x, base), text, used, color)


def paint_text(painter: QPainter, at: QPointF, text: str, font: QFont, color: QColor) -> None:
    """Paint text with a dark halo; `at` is the left end of its base line."""
    path = QPainterPath()
    path.addText(at, font, text)
    halo = QPen(DARK, 4.0)
    halo.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.strokePath(path, halo)
    painter.fillPath(path, QBrush(color))


# -- plates ---------------------------------------------------------------------------------------


def plate_width(figure: Figure, font: QFont) -> float:
    """Return the width of a garment's plate."""
    name = QFontMetricsF(bold(font, 12)).horizontalAdvance(figure.category)
    width = _PAD + _CHIP + 7 + name + 8
    if figure.selected and figure.score:
        width += QFontMetricsF(plain(font, 12)).horizontalAdvance(figure.score) + 6
    return float(round(width))


def paint_plate(painter: QPainter, figure: Figure, rect: Rect, font: QFont) -> None:
    """Paint number, category and, of the selected garment, the score of the category."""
    x, y, width, height = rect
    tint = QColor(*figure.tint)
    painter.setPen(_pen(tint if figure.selected else QColor(70, 73, 84), 1.0))
    painter.setBrush(PLATE)
    painter.drawRoundedRect(QRectF(x + 0.5, y + 0.5, width - 1, height - 1), 4, 4)
    chip = QRectF(x + _PAD, y + (PLATE_HEIGHT - _CHIP) / 2, _CHIP, _CHIP)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(tint)
    painter.drawRoundedRect(chip, 3, 3)
    centre = Qt.AlignmentFlag.AlignCenter
    painter.setFont(bold(font, 11))
    painter.setPen(DARK)
    painter.drawText(chip, centre, str(figure.number))
    left = chip.right() + 7
    painter.setFont(bold(font, 12))
    painter.setPen(WHITE)
    base = y + height / 2 + QFontMetricsF(painter.font()).capHeight() / 2
    painter.drawText(QPointF(left, base), figure.category)
    if figure.selected and figure.score:
        left += QFontMetricsF(painter.font()).horizontalAdvance(figure.category) + 6
        painter.setFont(plain(font, 12))
        painter.setPen(AMBER if figure.unsure_category else MUTED)
        painter.drawText(QPointF(left, base), figure.score)


# -- fields ---------------------------------------------------------------------------------------


def paint_arrows(painter: QPainter, arrows: Arrows, camera: Camera) -> None:
    """Paint the arrows of a field; those of a PAF with heads and with dots where they start."""
    start, end = camera.to_screen(arrows.start), camera.to_screen(arrows.end)
    lines = [QLineF(_point(a), _point(b)) for a, b in zip(start, end, strict=True)]
    painter.setPen(_fast(DARK, 3.5))
    painter.drawLines(lines)
    by_color: dict[tuple[int, ...], list[QLineF]] = defaultdict(list)
    for line, rgba in zip(lines, arrows.rgba.tolist(), strict=True):
        alpha = 0.4 + 0.6 * round(4 * rgba[3]) / 4  # few pens for many arrows
        by_color[tuple(round(255 * c) for c in (*rgba[:3], alpha))].append(line)
    for color, those in by_color.items():
        painter.setPen(_fast(QColor(*color), 2.0))
        painter.drawLines(those)
        if arrows.dots:
            for line in those:
                _head(painter, line, QColor(*color))
    if arrows.dots:
        painter.setPen(_pen(DARK, 1.0))
        painter.setBrush(WHITE)
        for at in start[: len(start) // 2]:
            painter.drawEllipse(_point(at), 3.0, 3.0)


def paint_cell(
    painter: QPainter, cell: PifCell | PafCell, size: tuple[float, float], camera: Camera
) -> None:
    """Paint the cell that is read out: its frame, where it points, and how far off that may be.

    Parameters
    ----------
    size
        Width and height of a cell, pixels of the image.
    """
    at = camera.to_screen(cell.at)
    ends = [cell.to] if isinstance(cell, PifCell) else list(cell.ends)
    for end in camera.to_screen(ends):
        line = QLineF(_point(at), _point(end))
        painter.setPen(_pen(CASING, 5.0))
        painter.drawLine(line)
        painter.setPen(_pen(WHITE, 2.5))
        painter.drawLine(line)
        _head(painter, line, WHITE)
    if isinstance(cell, PifCell):
        width, height = np.array(size) * camera.zoom
        frame = QRectF(at[0] - width / 2, at[1] - height / 2, width, height)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for color, line_width in ((CASING, 4.0), (WHITE, 2.0)):
            painter.setPen(_pen(color, line_width))
            painter.drawRect(frame)
        paint_spread(painter, camera.to_screen(cell.to), max(cell.spread * camera.zoom, 3.0))
    else:
        painter.setPen(_pen(WHITE, 2.0))
        painter.setBrush(DARK)
        painter.drawEllipse(_point(at), 6.0, 6.0)


def _head(painter: QPainter, line: QLineF, color: QColor) -> None:
    length = line.length()
    if length < 1:
        return
    share = min(HEAD, length) / length
    across = line.normalVector().unitVector()
    side = QPointF(across.dx(), across.dy()) * (0.4 * min(HEAD, length))
    base = line.pointAt(1 - share)
    painter.setPen(_pen(DARK, 0.8))
    painter.setBrush(color)
    painter.drawPolygon(QPolygonF([line.p2(), base + side, base - side]))


def paint_line(painter: QPainter, line: QLineF, color: QColor, width: float) -> None:
    """Paint a line on a dark one."""
    for used, drawn in ((CASING, width + 2.5), (color, width)):
        painter.setPen(_pen(used, drawn))
        painter.drawLine(line)


def paint_arrow(painter: QPainter, line: QLineF) -> None:
    """Paint a white arrow."""
    paint_line(painter, line, WHITE, 2.5)
    _head(painter, line, WHITE)


def paint_disc(painter: QPainter, at: QPointF, color: QColor) -> None:
    """Paint a landmark that is visible."""
    painter.setPen(Qt.PenStyle.NoPen)
    for radius, used in ((DISC / 2 + 2.2, DARK), (DISC / 2 + 1.2, WHITE), (DISC / 2 - 0.5, color)):
        _disc(painter, at, radius, used)


def paint_ring(
    painter: QPainter, at: QPointF, radius: float, color: QColor, *, dashed: bool = False
) -> None:
    """Paint a ring on a dark one."""
    _ring(painter, at, radius, color, 2.0, dashed=dashed)


# -- small things ---------------------------------------------------------------------------------


def bold(font: QFont, size: int) -> QFont:
    """Return a font of the same family, bold, of a size in pixels."""
    changed = plain(font, size)
    changed.setBold(True)
    return changed


def plain(font: QFont, size: int) -> QFont:
    """Return a font of the same family of a size in pixels."""
    changed = QFont(font)
    changed.setPixelSize(size)
    changed.setBold(False)
    return changed


def _disc(painter: QPainter, at: QPointF, radius: float, color: QColor) -> None:
    painter.setBrush(color)
    painter.drawEllipse(at, radius, radius)


def _ring(
    painter: QPainter,
    at: QPointF,
    radius: float,
    color: QColor,
    width: float,
    *,
    dashed: bool = False,
) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(_pen(CASING, width + 2.5))
    painter.drawEllipse(at, radius, radius)
    pen = _pen(color, width)
    if dashed:
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setDashPattern([2.2, 1.6])
    painter.setPen(pen)
    painter.drawEllipse(at, radius, radius)


def _pen(color: QColor, width: float) -> QPen:
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    return pen


def _fast(color: QColor, width: float) -> QPen:
    """Return a pen for many lines: round ends and colours that are seen through take 25 times as long."""
    pen = QPen(color, width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    return pen


def _point(xy: Array) -> QPointF:
    return QPointF(float(xy[0]), float(xy[1]))


def _color(rgb: Array) -> QColor:
    return QColor.fromRgbF(float(rgb[0]), float(rgb[1]), float(rgb[2]))
