"""The landmarks of a garment as one table: a model of them, and how a row is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, QObject, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QResizeEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from napari_fashion.app.viewer import layer_data
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import LANDMARK
from napari_fashion.app.widgets.symbols import paint, write
from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.schema import Schema


class Column(IntEnum):
    """What stands where in a row."""

    SWATCH = 0
    NAME = 1
    EXCEPTION = 2
    VISIBLE = 3
    HIDDEN = 4
    ABSENT = 5


VISIBILITY = {Column.VISIBLE: 2, Column.HIDDEN: 1, Column.ABSENT: 0}
CELL = 44
"""Width of the cells of visibility, pixels."""
_CELL_HEIGHT = 22
_SWATCH, _EXCEPTION = 28, 40
LEAST_ROWS = 4
_SWATCHES = {"visible": "disc", "hidden": "ring"}
_WORDS = {2: "visible", 1: "hidden", 0: "absent"}


@dataclass(frozen=True)
class Row:
    """What is shown of a landmark.

    Attributes
    ----------
    landmark
        Its index in the schema.
    exception
        "●" where a person placed it, its score where that is low, else empty.
    shape
        Of the swatch: "visible", "hidden", "absent" or "undecided".
    muted
        Whether it is no landmark of the garment's category, or absent.
    """

    landmark: int
    name: str
    color: str
    visibility: int
    exception: str
    shape: str
    muted: bool
    told: str


def row_of(garment: Garment, schema: Schema, landmark: int, missing: set[int]) -> Row:
    """Return the row of a landmark; `missing` are those that the garment should have and lacks."""
    v = int(garment.visibility[landmark])
    mine = garment.landmark_sources[landmark] == HUMAN
    score = float(garment.landmark_scores[landmark])
    exception, told = "", ""
    if v and mine:
        exception, told = "●", "Placed by a person"
    elif v:
        if np.isfinite(score) and score < layer_data.UNSURE:
            exception = f"{score:.2f}"
        full = layer_data.told(garment, landmark)[1]
        source = garment.landmark_sources[landmark]
        told = f"{source}: {full}" if full else str(source)
    undecided = not v and landmark in missing
    return Row(
        landmark,
        layer_data.title(schema, landmark),
        schema.colors[landmark],
        v,
        exception,
        "undecided" if undecided else _WORDS[v],
        not v and not undecided,
        told,
    )


class LandmarkModel(QAbstractTableModel):
    """The rows that are shown, and which of them are selected."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self.chosen: frozenset[int] = frozenset()

    def show_rows(self, rows: list[Row], chosen: frozenset[int]) -> None:
        """Take other rows; `chosen` are the landmarks that are selected."""
        same = [row.landmark for row in rows] == [row.landmark for row in self.rows]
        if not same:
            self.beginResetModel()
        self.rows, self.chosen = rows, chosen
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(Column) - 1))

    def place(self, landmark: int | None) -> int | None:
        """Return the row of a landmark, or None."""
        return next((i for i, row in enumerate(self.rows) if row.landmark == landmark), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, D102
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, D102
        return 0 if parent.isValid() else len(Column)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what is read of a cell: by a person, by a screen reader, in a tooltip."""
        row, column = self.rows[index.row()], Column(index.column())
        here = column in VISIBILITY and VISIBILITY[column] == row.visibility
        if role == Qt.ItemDataRole.DisplayRole:
            if column in VISIBILITY:
                return _WORDS[VISIBILITY[column]] if here else ""
            return {Column.NAME: row.name, Column.EXCEPTION: row.exception}.get(column, "")
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.name}, {_WORDS[row.visibility]}"
        if role == Qt.ItemDataRole.ToolTipRole:
            if column in VISIBILITY:
                return f"{row.name}: {_WORDS[VISIBILITY[column]]}"
            return row.told or (
                "Not placed yet" if row.shape == "undecided" else _WORDS[row.visibility]
            )
        return None


class RowDelegate(QStyledItemDelegate):
    """Draws swatch, name, exception and the three cells."""

    def __init__(self, palette: Palette, parent: QObject) -> None:
        super().__init__(parent)
        self._palette = palette
        self.hovered = -1

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw a cell."""
        model = index.model()
        assert isinstance(model, LandmarkModel)
        row, column, roles = model.rows[index.row()], Column(index.column()), self._palette.roles
        chosen = row.landmark in model.chosen
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen or index.row() == self.hovered:
            painter.fillRect(option.rect, roles.chosen if chosen else roles.hover)
        if column == Column.SWATCH:
            self._draw_swatch(painter, option.rect, row)
        elif column == Column.NAME:
            painter.setPen(roles.muted if row.muted else roles.text)
            text = option.fontMetrics.elidedText(
                row.name, Qt.TextElideMode.ElideMiddle, option.rect.width() - 4
            )
            write(painter, option.rect, text, Qt.AlignmentFlag.AlignVCenter)
        elif column == Column.EXCEPTION:
            self._draw_exception(painter, option.rect.adjusted(0, 0, -6, 0), row)
        else:
            self._draw_cell(painter, option.rect, row, column, chosen)
        painter.restore()

    def _draw_swatch(self, painter: QPainter, rect: QRect, row: Row) -> None:
        box = QRectF(rect.left() + 8, rect.center().y() - 6.5, 14, 14)
        color = self._palette.roles.muted if row.shape == "absent" else QColor(row.color)
        paint(painter, _SWATCHES.get(row.shape, row.shape), color, box, 2.0)

    def _draw_exception(self, painter: QPainter, rect: QRect, row: Row) -> None:
        roles = self._palette.roles
        if row.exception == "●":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(roles.text)
            painter.drawEllipse(QRectF(rect.right() - 8, rect.center().y() - 3, 7, 7))
        elif row.exception:
            font = painter.font()
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(roles.unsure)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            write(painter, rect, row.exception, flags)

    def _draw_cell(
        self, painter: QPainter, rect: QRect, row: Row, column: Column, chosen: bool
    ) -> None:
        roles = self._palette.roles
        v = VISIBILITY[column]
        taken = v == row.visibility and row.shape != "undecided"
        if taken:
            box = QRectF(
                rect.left() + 1, rect.center().y() - _CELL_HEIGHT / 2 + 1, CELL - 2, _CELL_HEIGHT
            )
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(roles.main if chosen else roles.primary)
            painter.drawRoundedRect(box, 2, 2)
        color = roles.muted if chosen else roles.symbol
        if taken:
            color = roles.on_main if chosen else roles.text
        at = QRectF(rect.center().x() - 7, rect.center().y() - 6.5, 14, 14)
        paint(painter, _WORDS[v], color, at, 1.8)


class LandmarkTable(QTableView):
    """The table; presses become signals, and nothing here has a state of its own."""

    picked = Signal(int)
    """A landmark was pressed."""
    narrowed = Signal(int)
    """The rows have a width of their own now; what the scroll bar takes of it, pixels."""
    set_asked = Signal(int, int)
    """A landmark's cell was pressed; the landmark, and the visibility of the cell."""

    def __init__(self, palette: Palette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("landmarks")
        self.rows = LandmarkModel(self)
        self.setModel(self.rows)
        self._delegate = RowDelegate(palette, self)
        self.setItemDelegate(self._delegate)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(LANDMARK)
        header = self.horizontalHeader()
        header.hide()
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(Column.NAME, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(Column.SWATCH, _SWATCH)
        header.resizeSection(Column.EXCEPTION, _EXCEPTION)
        for column in VISIBILITY:
            header.resizeSection(column, CELL)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        follow(self, palette.changed, self.viewport().update)
        self.rows.modelReset.connect(self._fit)

    def _fit(self) -> None:
        """Take no more room than the rows."""
        self.setMaximumHeight(max(LANDMARK * len(self.rows.rows), 1))
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """Ask for all rows; where there is less room, they scroll."""
        return QSize(280, LANDMARK * len(self.rows.rows))

    def minimumSizeHint(self) -> QSize:  # noqa: D102
        return QSize(0, LANDMARK * min(len(self.rows.rows), LEAST_ROWS))

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self.narrowed.emit(self.width() - self.viewport().width())

    def reveal(self, landmark: int | None) -> None:
        """Scroll to a landmark where it is not in sight."""
        place = self.rows.place(landmark)
        if place is not None:
            self.scrollTo(self.rows.index(place, Column.NAME))

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        index = self.indexAt(event.pos())
        if not index.isValid() or event.button() != Qt.MouseButton.LeftButton:
            return
        landmark, column = self.rows.rows[index.row()].landmark, Column(index.column())
        if column in VISIBILITY:
            self.set_asked.emit(landmark, VISIBILITY[column])
        else:
            self.picked.emit(landmark)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Take the second of two quick presses as a press."""
        self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        self._hover(self.indexAt(event.pos()).row())

    def leaveEvent(self, event: Any) -> None:  # noqa: D102
        super().leaveEvent(event)
        self._hover(-1)

    def _hover(self, row: int) -> None:
        if row != self._delegate.hovered:
            self._delegate.hovered = row
            self.viewport().update()
