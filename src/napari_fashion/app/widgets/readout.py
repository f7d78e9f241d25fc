"""What the cell of a field under the pointer says, beside the pointer."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import field_data, layer_data
from napari_fashion.app.viewer.field_layers import FieldLayers
from napari_fashion.app.viewer.overlay import Overlay
from napari_fashion.app.viewer.overlay_paint import bold, plain
from napari_fashion.schema import Schema

WIDTH = 200
GAP = 28
"""From the pointer to the read-out, pixels."""
REACH = 14
"""Pixels of the screen from a cell of the PAF within which it is read out."""

ROW = 18
HEAD = 34
PAD = 12
DISC = 10
_GROUND, _EDGE = QColor(24, 26, 31, 240), QColor(70, 73, 84)
_LEFT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
_RIGHT = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
_NAME, _VALUE = QColor(190, 192, 200), QColor(255, 255, 255)


class ReadOut(QWidget):
    """Follows the pointer over the canvas while a field is shown; events pass through it."""

    def __init__(self, session: Session, overlay: Overlay, layers: FieldLayers) -> None:
        parent = overlay.parentWidget()
        super().__init__(parent)
        self._session, self._overlay, self._layers = session, overlay, layers
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFixedWidth(WIDTH)
        self._shown: object = None
        self._at: tuple[float, float] | None = None
        self.rows: dict[str, str] = {}
        self.title = ""
        self._heads: list[tuple[QColor, str]] = []
        self.hide()
        overlay.hovered.connect(self._on_hover)
        layers.arrows_changed.connect(self._on_field)

    def _on_field(self, _: object) -> None:
        self._on_hover(self._at)

    def _on_hover(self, xy: tuple[float, float] | None) -> None:
        self._at = xy
        cell = self._cell_at(xy)
        self._overlay.set_cell(cell)
        schema = self._session.schema
        if cell is None or schema is None or xy is None:
            self.hide()
            return
        if cell != self._shown:
            self._shown = cell
            self._fill(cell, schema)
        self._lie_beside(xy, cell)
        self.show()
        self.raise_()

    def _cell_at(
        self, xy: tuple[float, float] | None
    ) -> field_data.PifCell | field_data.PafCell | None:
        fields, view = self._layers.fields, self._session.view
        if xy is None or fields is None or view.image_only:
            return None
        if view.paf:
            reach = REACH / self._overlay.camera.zoom
            return field_data.paf_cell_at(fields, self._layers.arrows, xy, reach)
        if view.pif_kind == "category":
            return None
        return field_data.pif_cell_at(fields, self._layers.landmark, xy, view.confidence_from)

    # -- what it says ----------------------------------------------------------------------

    def _fill(self, cell: field_data.PifCell | field_data.PafCell, schema: Schema) -> None:
        x, y = cell.cell
        rows = {"cell": f"{x}, {y}", "confidence": f"{cell.confidence:.2f}"}
        if isinstance(cell, field_data.PifCell):
            ends: tuple[int, ...] = (cell.landmark,)
            dx, dy = cell.to[0] - cell.at[0], cell.to[1] - cell.at[1]
            rows["points to"] = _place(cell.to)
            rows["vector"] = f"{dx:+.1f}, {dy:+.1f} px"
            rows["spread"] = f"± {cell.spread:.1f} px"
        else:
            assert self._layers.fields is not None
            ends = self._layers.fields.edges[cell.edge]
            same = _short(schema, ends[0]) == _short(schema, ends[1])
            for landmark, place in zip(ends, cell.ends, strict=True):
                full = layer_data.title(schema, landmark)
                rows[full if same else f"{_short(schema, landmark)} at"] = _place(place)
        self.rows = rows
        self.title = " > ".join(layer_data.title(schema, k) for k in ends)
        shorten = len(ends) > 1
        self._heads = [
            (
                QColor(schema.colors[k]),
                _short(schema, k) if shorten else layer_data.title(schema, k),
            )
            for k in ends
        ]
        self.setFixedHeight(HEAD + ROW * len(rows) + 6)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the landmark or the edge, and a row for each thing that the cell says."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(_EDGE)
        painter.setBrush(_GROUND)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setFont(bold(self.font(), 12))
        left = float(PAD)
        for n, (color, name) in enumerate(self._heads):
            if n:
                painter.setPen(_NAME)
                painter.drawText(QPointF(left, 22), ">")
                left += 14
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(color)
            painter.drawEllipse(QRectF(left, 12.5, DISC, DISC))
            left += DISC + 6
            painter.setPen(_VALUE)
            painter.drawText(QPointF(left, 22), name)
            left += painter.fontMetrics().horizontalAdvance(name) + 8
        painter.setFont(plain(self.font(), 12))
        for n, (name, value) in enumerate(self.rows.items()):
            row = QRectF(PAD, HEAD - 3 + ROW * n, WIDTH - 2 * PAD, ROW)
            painter.setPen(_NAME)
            painter.drawText(row, _LEFT, name)
            painter.setPen(_VALUE)
            painter.drawText(row, _RIGHT, value)
        painter.end()

    def _lie_beside(
        self, xy: tuple[float, float], cell: field_data.PifCell | field_data.PafCell
    ) -> None:
        """Lie left of the pointer and of the cell, or right where there is no room; never on them."""
        camera, fields = self._overlay.camera, self._layers.fields
        assert fields is not None
        half = 8.0
        if isinstance(cell, field_data.PifCell):
            half = field_data.cell_size(fields)[0] * camera.zoom / 2
        at, centre = camera.to_screen(xy), camera.to_screen(cell.at)
        left = min(float(at[0]), float(centre[0]) - half) - GAP - WIDTH
        if left < 4:
            left = max(float(at[0]), float(centre[0]) + half) + GAP
        top = min(max(float(at[1]) - self.height() / 2, 4), camera.size[1] - self.height() - 4)
        place = self._overlay.pos() + QPointF(left, top).toPoint()
        self.move(place)


def _short(schema: Schema, landmark: int) -> str:
    """Return a landmark's name without its side, which the colour tells."""
    name = layer_data.title(schema, landmark)
    side, _, rest = name.partition(" ")
    return rest if side in ("left", "right") and rest else name


def _place(xy: tuple[float, float]) -> str:
    return f"{xy[0]:.0f}, {xy[1]:.0f}"
