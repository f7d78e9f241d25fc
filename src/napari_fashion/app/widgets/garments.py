"""The garments of the image: select, category, source, add, delete."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QSearchableComboBox

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.widgets.style import SPACING, faint, quiet_button, repolish, section
from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.schema import Schema


class GarmentRow(QFrame):
    """One garment; a click selects it."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("row")
        self._actions = actions
        self._garment_id: object = None
        self._names: tuple[str, ...] = ()
        self.number = QLabel()
        self.number.setFixedWidth(14)
        self.category = QSearchableComboBox()
        self.category.setToolTip("Category: type to search" + keys_of(Actions.choose_category))
        self.category.setMinimumWidth(100)
        self.category.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.score = faint()
        self.score.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.source = QLabel()
        self.source.setObjectName("badge")
        self.delete = quiet_button("✕", "Delete this garment" + keys_of(Actions.delete_garment))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 2, 2, 2)
        layout.setSpacing(SPACING)
        layout.addWidget(self.number)
        layout.addWidget(self.category, 1)
        layout.addWidget(self.score)
        layout.addWidget(self.source)
        layout.addWidget(self.delete)
        self.category.activated.connect(self._chosen)
        self.delete.clicked.connect(lambda: actions.delete_garment(self._garment_id))

    def show_garment(self, number: int, garment: Garment, schema: Schema, chosen: bool) -> None:
        """Show a garment's number, category with its score, and source."""
        self._garment_id = garment.id
        self.number.setText(str(number))
        if self._names != schema.category_names:
            self._names = schema.category_names
            self.category.clear()
            self.category.addItems(self._names)
        self.category.setCurrentIndex(garment.category)
        if garment.category < 0:
            self.category.setEditText(garment.category_name)
        share = garment.category_scores.get(garment.category_name)
        self.score.setText("" if share is None else f"{share:.0%}")
        self.score.setToolTip(_ranking(garment))
        mine = garment.source == HUMAN
        touched = garment.touched_by_human
        self.source.setText("human" if mine else "corrected" if touched else "model")
        self.source.setToolTip(_origin(garment))
        repolish(self.source, mine=mine or touched)
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
    """All garments of the shown image."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.rows: list[GarmentRow] = []
        self.none = faint("None on this image. Press Predict, or add one.")
        self.none.setWordWrap(True)
        self.add = quiet_button(
            "Add", "Add a garment and place its landmarks" + keys_of(Actions.add_garment)
        )
        self.add.clicked.connect(lambda: actions.add_garment())
        self._rows = QVBoxLayout()
        self._rows.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        head = QHBoxLayout()
        head.addWidget(section("Garments"), 1)
        head.addWidget(self.add)
        layout.addLayout(head)
        layout.addLayout(self._rows)
        layout.addWidget(self.none)

    def refresh(self) -> None:
        """Show the garments of the image in view."""
        editor = self._actions.session.editor
        garments = editor.garments if editor else []
        self.add.setEnabled(editor is not None)
        self.none.setVisible(editor is not None and not garments)
        fit(self.rows, len(garments), lambda: GarmentRow(self._actions), self._rows)
        for i, (row, garment) in enumerate(zip(self.rows, garments, strict=True)):
            assert editor is not None
            chosen = garment.id == editor.selection.garment_id
            row.show_garment(i + 1, garment, editor.dataset.schema, chosen)

    def open_category(self) -> None:
        """Let the person type the selected garment's category."""
        editor = self._actions.session.editor
        if editor is None:
            return
        for row, garment in zip(self.rows, editor.garments, strict=True):
            if garment.id == editor.selection.garment_id:
                row.category.setFocus(Qt.FocusReason.ShortcutFocusReason)
                row.category.lineEdit().selectAll()


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


def _ranking(garment: Garment) -> str:
    scores = garment.category_scores
    if not scores:
        return ""
    return "The model's probabilities:\n" + "\n".join(
        f"{name}  {p:.0%}" for name, p in scores.items()
    )


def _origin(garment: Garment) -> str:
    if garment.source == HUMAN:
        return "Made by a person"
    score = "" if garment.score is None else f", score {garment.score:.2f}"
    text = f"Found by {garment.source}{score}"
    return text + ("\nCorrected by a person" if garment.touched_by_human else "")
