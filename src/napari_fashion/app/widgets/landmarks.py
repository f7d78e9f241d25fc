"""The landmarks of the selected garment: select, visibility, score, source, place."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.widgets.garments import fit
from napari_fashion.app.widgets.style import ROW, SPACING, faint, repolish, shrinking, swatch
from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.schema import Schema

_SCORE, _SOURCE = 40, 58
"""Pixels of the score and of who placed the landmark. "hidden, 83 %" takes both: it is a model's."""
MEANING = ("not there", "hidden under cloth", "visible")


class LandmarkRow(QFrame):
    """One landmark; a click selects it."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self.setObjectName("row")
        self.setFixedHeight(ROW)
        self._actions = actions
        self.landmark = 0
        self.swatch = QLabel()
        self.name = shrinking(QLabel())
        self.score = faint()
        self.score.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.source = faint()
        self.source.setFixedWidth(_SOURCE)
        self.visibility = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 0, 6, 0)
        layout.setSpacing(SPACING)
        for widget, stretch in (
            (self.swatch, 0),
            (self.name, 1),
            (self.score, 0),
            (self.source, 0),
        ):
            layout.addWidget(widget, stretch)
        segments = QHBoxLayout()
        segments.setSpacing(2)
        for v, meaning in enumerate(MEANING):
            button = QToolButton()
            button.setObjectName("segment")
            button.setText(str(v))
            button.setToolTip(f"{v}: {meaning}")
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.visibility.addButton(button, v)
            segments.addWidget(button)
        layout.addLayout(segments)
        self.visibility.idClicked.connect(self._set_visibility)

    def show_landmark(self, landmark: int, garment: Garment, schema: Schema, chosen: bool) -> None:
        """Show a landmark of a garment."""
        self.landmark = landmark
        v = int(garment.visibility[landmark])
        self.swatch.setPixmap(swatch(schema.colors[landmark], hollow=v < 2))
        self.swatch.setEnabled(v > 0)
        self.name.setText(layer_data.title(schema, landmark))
        self.name.setEnabled(v > 0)
        self.name.setToolTip(MEANING[v])
        mine = garment.landmark_sources[landmark] == HUMAN
        short, full = layer_data.told(garment, landmark)
        self.score.setText(short)
        self.score.setToolTip(full)
        wide = "," in short
        self.score.setFixedWidth(_SCORE + SPACING + _SOURCE if wide else _SCORE)
        self.source.setVisible(not wide)
        self.source.setText(("human" if mine else "model") if v else "")
        self.source.setToolTip(garment.landmark_sources[landmark])
        self.visibility.button(v).setChecked(True)
        repolish(self, chosen=chosen)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: D102
        editor = self._actions.session.editor
        if editor is not None:
            editor.select(editor.selection.garment_id, self.landmark)
        event.accept()

    def _set_visibility(self, v: int) -> None:
        editor = self._actions.session.editor
        garment = editor.selected_garment if editor else None
        if editor is None or garment is None:
            return
        editor.select(garment.id, self.landmark)
        if v and not garment.visibility[self.landmark]:
            self.visibility.button(0).setChecked(True)
            self._actions.set_placing(True)  # it has no place yet: the next click gives it one
        else:
            self._actions.set_visibility(v)


class LandmarkList(QWidget):
    """The landmarks that the selected garment has or can have."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.rows: list[LandmarkRow] = []
        self.none = faint("Select a garment to see its landmarks.")
        self.place = QPushButton("Place missing")
        self.place.setCheckable(True)
        self.swap = QPushButton("Swap left/right")
        self._rows = QVBoxLayout()
        self._rows.setSpacing(0)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        for button in (self.place, self.swap):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            buttons.addWidget(button, 1)
        self.place.setToolTip(
            "Place landmarks by clicks on the image, one after the other"
            + keys_of(Actions.toggle_placing)
        )
        self.swap.setToolTip(
            "Exchange every left landmark with its right one" + keys_of(Actions.swap_left_right)
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addLayout(self._rows)
        layout.addWidget(self.none)
        layout.addLayout(buttons)
        self.place.clicked.connect(actions.set_placing)
        self.swap.clicked.connect(lambda: actions.swap_left_right())

    def refresh(self) -> None:
        """Show the selected garment's landmarks."""
        editor = self._actions.session.editor
        garment = editor.selected_garment if editor else None
        members = self._actions.members(garment) if garment else []
        self.none.setVisible(garment is None)
        self.swap.setEnabled(garment is not None)
        missing = self._actions.missing(garment) if garment else []
        self.place.setEnabled(garment is not None)
        self.place.setText(f"Place missing ({len(missing)})" if missing else "Place landmarks")
        self.place.setChecked(self._actions.session.view.placing)
        fit(self.rows, len(members), lambda: LandmarkRow(self._actions), self._rows)
        for row, landmark in zip(self.rows, members, strict=True):
            assert editor is not None
            assert garment is not None
            chosen = landmark == editor.selection.landmark
            row.show_landmark(landmark, garment, editor.dataset.schema, chosen)
