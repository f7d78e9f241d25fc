"""The landmarks of the selected garment: select, visibility, what is unsure, place, swap."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.widgets.buttons import KeyButton, KeyCap
from napari_fashion.app.widgets.garments import REACH
from napari_fashion.app.widgets.landmark_table import CELL, LandmarkTable, row_of
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import second, section
from napari_fashion.app.widgets.tips import caps, tip

FILTER_FROM = 13
"""Number of landmarks from which there is a field to filter them."""


class LandmarkHead(QWidget):
    """The heading, with the columns' names over their keys."""

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(REACH, 0, 0, 0)
        row.setSpacing(0)
        title = QVBoxLayout()
        title.setSpacing(2)
        title.addWidget(section("Landmarks"))
        keys = QHBoxLayout()
        keys.setSpacing(4)
        for action in ("previous_landmark", "next_landmark"):
            if cap := caps(action):
                keys.addWidget(KeyCap(palette, cap))
        keys.addWidget(second("next"))
        keys.addStretch()
        title.addLayout(keys)
        row.addLayout(title, 1)
        for text, action in (
            ("Visible", "set_visible"),
            ("Hidden", "set_hidden"),
            ("Absent", "set_absent"),
        ):
            cell = QVBoxLayout()
            cell.setSpacing(2)
            label = second(text)
            label.setFixedWidth(CELL)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            cell.addWidget(label)
            cap = caps(action)
            key: QLabel = KeyCap(palette, cap) if cap else QLabel()
            cell.addWidget(key, 0, Qt.AlignmentFlag.AlignHCenter)
            row.addLayout(cell)

    def leave(self, room: int) -> None:
        """Leave pixels free at the right, so that the headings stand over the cells."""
        self._row.setContentsMargins(REACH, 0, room, 0)


class LandmarkList(QWidget):
    """The landmarks that the selected garment has or can have."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._actions = actions
        self.head = LandmarkHead(palette)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter landmarks")
        self.filter.setClearButtonEnabled(True)
        self.filter.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.filter.textChanged.connect(lambda _: self.refresh())
        self.filter.returnPressed.connect(self._pick_first)
        self.table = LandmarkTable(palette)
        self.place = KeyButton(palette, "Place", caps("toggle_placing"))
        self.place.setObjectName("toggle")
        self.place.setCheckable(True)
        self.swap = KeyButton(palette, "Swap left/right", caps("swap_left_right"))
        self.swap.setToolTip(
            tip("Exchange every left landmark with its right one", "swap_left_right")
        )
        self._lay_out()
        self.place.clicked.connect(actions.set_placing)
        self.swap.clicked.connect(lambda: actions.swap_left_right())
        self.table.narrowed.connect(self.head.leave)
        self.table.picked.connect(self._pick)
        self.table.set_asked.connect(self._set)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        buttons.setContentsMargins(REACH, 8, REACH, 0)
        buttons.setSpacing(4)
        buttons.addWidget(self.place, 1)
        buttons.addWidget(self.swap, 2)
        field = QHBoxLayout()
        field.setContentsMargins(REACH, 4, REACH, 4)
        field.addWidget(self.filter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.head)
        layout.addLayout(field)
        layout.addWidget(self.table, 100)
        layout.addLayout(buttons)
        layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def refresh(self) -> None:
        """Show the selected garment's landmarks."""
        editor = self._actions.session.editor
        garment = editor.selected_garment if editor else None
        self.setVisible(garment is not None)
        if editor is None or garment is None:
            self.table.rows.show_rows([], frozenset())
            return
        schema, members = editor.dataset.schema, self._actions.members(garment)
        missing = self._actions.missing(garment)
        self.filter.setVisible(len(members) >= FILTER_FROM)
        words = self.filter.text().casefold().split() if len(members) >= FILTER_FROM else []
        rows = [row_of(garment, schema, k, set(missing)) for k in members]
        rows = [row for row in rows if all(word in row.name.casefold() for word in words)]
        self.table.rows.show_rows(rows, editor.selection.landmarks)
        self.table.reveal(editor.selection.landmark)
        self.place.setChecked(self._actions.session.view.placing)
        left = f"; {len(missing)} are missing" if missing else ""
        self.place.setToolTip(
            tip(f"Place landmarks by clicks, one after the other{left}", "toggle_placing")
        )

    def _pick_first(self) -> None:
        """Select the first of the landmarks that are left."""
        if rows := self.table.rows.rows:
            self._pick(rows[0].landmark)

    def _pick(self, landmark: int) -> None:
        editor = self._actions.session.editor
        if editor is not None:
            editor.select(editor.selection.garment_id, landmark)

    def _set(self, landmark: int, visibility: int) -> None:
        editor = self._actions.session.editor
        garment = editor.selected_garment if editor else None
        if editor is None or garment is None:
            return
        editor.select(garment.id, landmark)
        if visibility and not garment.visibility[landmark]:
            self._actions.set_placing(True)  # it has no place yet: the next click gives it one
        else:
            self._actions.set_visibility(visibility)
