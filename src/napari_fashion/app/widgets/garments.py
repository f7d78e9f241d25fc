"""The garments of the image: select, category, score, add, delete."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.actions import Actions
from napari_fashion.app.viewer.layer_data import UNSURE
from napari_fashion.app.widgets.buttons import KeyButton, KeyCap
from napari_fashion.app.widgets.category_box import CategoryBox
from napari_fashion.app.widgets.roles import TINT_TEXT, TINTS, Palette
from napari_fashion.app.widgets.style import GARMENT, faint, repolish, second, section
from napari_fashion.app.widgets.symbols import SymbolButton
from napari_fashion.app.widgets.tips import caps, tip
from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.schema import Schema

AT_ONCE = 4
"""Garments that are seen without scrolling: the landmarks below them need the room."""
REACH = 8
"""Pixels that a row reaches out beside the column."""


class GarmentRow(QFrame):
    """One garment; a click selects it."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self.setObjectName("row")
        self.setFixedHeight(GARMENT)
        self._actions = actions
        self._garment_id: object = None
        self.number = QLabel()
        self.number.setFixedSize(18, 18)
        self.number.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.category = CategoryBox(palette)
        self.category.setToolTip(tip("Category: press and type to search", "choose_category"))
        self.cap = KeyCap(palette, caps("choose_category"))
        self.score = QLabel()
        self.score.setObjectName("score")
        self.score.setFixedWidth(44)
        self.score.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.delete = SymbolButton(palette, "cross", tip("Delete this garment", "delete_garment"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(REACH, 0, REACH // 2, 0)
        layout.setSpacing(8)
        for widget in (self.number, self.category, self.cap, self.score, self.delete):
            layout.addWidget(widget, 1 if widget is self.category else 0)
        self.category.chosen.connect(self._chosen)
        self.delete.clicked.connect(lambda: actions.delete_garment(self._garment_id))

    def show_garment(self, number: int, garment: Garment, schema: Schema, chosen: bool) -> None:
        """Show a garment's number, its category and how sure the model is of it."""
        self._garment_id = garment.id
        self.number.setText(str(number))
        tint = TINTS[(number - 1) % len(TINTS)]
        self.number.setStyleSheet(
            f"background: {tint}; color: {TINT_TEXT}; border-radius: 3px; font-weight: 600;"
        )
        self.number.setToolTip(origin(garment))
        self.category.show_category(
            garment.category_name, garment.category, schema.category_names, garment.category_scores
        )
        self.cap.setVisible(chosen and bool(self.cap.cap))
        share = garment.category_scores.get(garment.category_name)
        mine = garment.category_source == HUMAN
        unsure = not mine and share is not None and share < UNSURE
        self.score.setText("●" if mine else "" if share is None else f"{100 * share:.0f} %")
        self.score.setToolTip("\n".join(filter(None, (_chosen_by(mine), ranking(garment)))))
        repolish(self.score, level="unsure" if unsure else "")
        repolish(self, chosen=chosen)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        if editor := self._actions.session.editor:
            editor.select(self._garment_id)
        event.accept()

    def _chosen(self, index: int) -> None:
        if editor := self._actions.session.editor:
            editor.select(self._garment_id)
        self._actions.set_category(self._garment_id, index)


class GarmentList(QWidget):
    """All garments of the shown image; from the fifth on they scroll."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._actions = actions
        self._palette = palette
        self.rows: list[GarmentRow] = []
        self.add = KeyButton(
            palette,
            "Add",
            caps("add_garment"),
            tip("Add a garment and place its landmarks", "add_garment"),
        )
        self.none = _Nothing(actions, palette)
        self.hint = second(_hint())
        self.add.clicked.connect(lambda: actions.add_garment())
        holder = QWidget()
        self._rows = QVBoxLayout(holder)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(0)
        self._area = QScrollArea()
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidget(holder)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(REACH, 0, REACH, 0)
        head.addWidget(section("Garments"), 1)
        head.addWidget(self.add)
        layout.addLayout(head)
        layout.addWidget(self._area)
        for below in (self.none, self.hint):
            below.setContentsMargins(REACH, 0, REACH, 0)
            layout.addWidget(below)

    def refresh(self) -> None:
        """Show the garments of the image in view."""
        editor = self._actions.session.editor
        garments = editor.garments if editor else []
        self.add.setVisible(bool(garments))
        self.none.setVisible(editor is not None and not garments)
        self.hint.setVisible(len(garments) > 1 and bool(self.hint.text()))
        fit(
            self.rows,
            len(garments),
            lambda: GarmentRow(self._actions, self._palette),
            self._rows,
        )
        self._area.setVisible(bool(garments))
        scrolls = len(garments) > AT_ONCE
        self._area.setVerticalScrollBarPolicy(
            Qt.ScrollBarPolicy.ScrollBarAsNeeded
            if scrolls
            else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        )
        self._area.setFixedHeight(GARMENT * min(len(garments), AT_ONCE))
        for i, (row, garment) in enumerate(zip(self.rows, garments, strict=True)):
            assert editor is not None
            chosen = garment.id == editor.selection.garment_id
            row.show_garment(i + 1, garment, editor.dataset.schema, chosen)
            if chosen and scrolls:
                self._area.ensureWidgetVisible(row, 0, 0)

    def open_category(self) -> None:
        """Let the person type the selected garment's category."""
        editor = self._actions.session.editor
        if editor is None:
            return
        for row, garment in zip(self.rows, editor.garments, strict=True):
            if garment.id == editor.selection.garment_id:
                row.category.open()


class _Nothing(QWidget):
    """What to do about an image without garments."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self.by_hand = KeyButton(
            palette,
            "Add by hand",
            caps("add_garment"),
            tip("Add a garment and place its landmarks by clicks", "add_garment"),
        )
        self.nothing = KeyButton(
            palette,
            "Nothing here",
            caps("accept_anyway"),
            tip("Accept the image without a garment, and go on", "accept_anyway"),
        )
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(faint("No garment on this image yet."))
        row = QHBoxLayout()
        row.setSpacing(8)
        for button in (self.by_hand, self.nothing):
            row.addWidget(button, 1)
        layout.addLayout(row)
        self.by_hand.clicked.connect(lambda: actions.add_garment())
        self.nothing.clicked.connect(lambda: actions.accept_anyway())


def fit(rows: list[QWidget], count: int, make: Callable[[], QWidget], layout: QVBoxLayout) -> None:
    """Make or drop row widgets until there are `count`."""
    while len(rows) < count:
        rows.append(make())
        layout.addWidget(rows[-1])
    while len(rows) > count:
        row = rows.pop()
        layout.removeWidget(row)
        row.hide()
        row.deleteLater()


def ranking(garment: Garment) -> str:
    """Return the model's probabilities of the categories, a line each; empty if there are none."""
    scores = garment.category_scores
    if not scores:
        return ""
    lines = (f"{name}  {100 * p:.0f} %" for name, p in scores.items())
    return "The model's probabilities:\n" + "\n".join(lines)


def origin(garment: Garment) -> str:
    """Return who made a garment, and whether a person changed it."""
    if garment.source == HUMAN:
        return "Made by a person"
    score = "" if garment.score is None else f", score {garment.score:.2f}"
    text = f"Found by {garment.source}{score}"
    return text + ("\nCorrected by a person" if garment.touched_by_human else "")


def _chosen_by(mine: bool) -> str:
    return "A person chose this category." if mine else ""


def _hint() -> str:
    key = caps("next_garment")
    return f"{key}  next garment" if key else ""
