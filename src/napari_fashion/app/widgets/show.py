"""What is shown over the image: the silhouettes, and one field at a time with how it is drawn."""

from __future__ import annotations

from typing import Any, Literal

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction, QActionGroup
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.actions import Actions
from napari_fashion.app.viewer import field_data, layer_data
from napari_fashion.app.widgets.buttons import KeyButton, KeyCap
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import SPACING, faint, quiet_button, shrinking, swatch_icon
from napari_fashion.app.widgets.tips import caps, tip
from napari_fashion.editing.editor import Editor
from napari_fashion.engine.fields import Fields

SEGMENTS = {
    "skeleton": ("Skeleton", "The silhouettes of the garments"),
    "pif": (
        "PIF",
        "Where the model sees the selected landmark; hold Shift for all landmarks",
    ),
    "paf": (
        "PAF",
        "What the model joins the selected landmark to; hold Shift for all edges",
    ),
    "compare": (
        "Compare",
        "Another file, such as the truth, or a model beside what is in the file",
    ),
}
KINDS = {
    "cells": ("Cells and arrows", "Each cell of the PIF, and where it points"),
    "map": ("Confidence map", "The high-resolution map that the decoder makes of the cells"),
    "category": ("Category field", "The probability of the garment's category, cell by cell"),
}
NO_FIELDS = "The fields of this image are not computed."
MOST = 95
"""Per cent: the highest confidence to draw cells from."""
SEGMENT_PAD = 6
CHIPS = 2
"""Edges in a row."""


class Show(QWidget):
    """Segments for what is shown and, below them, how a field is drawn; it follows the session.

    Attributes
    ----------
    segments
        By name in the `View`.
    chips
        The edges of the selected landmark, by index into the schema's.
    """

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._palette = palette
        self._actions, self._session = actions, actions.session
        self.segments: dict[str, QPushButton] = {}
        self.chips: dict[int, QPushButton] = {}
        self.kind = quiet_button("⋯", "What is shown of the PIF")
        self.landmark = QComboBox()
        self.confidence = self._slider("Cells with less confidence are not drawn", MOST)
        self.dim = self._slider("How much of the image is seen below the field", 100)
        self.predict = KeyButton(palette, "Predict", caps("predict"))
        self.member = shrinking(QLabel())
        self._lay_out()
        self._connect()
        self.refresh()

    # -- layout ----------------------------------------------------------------------------

    @staticmethod
    def _slider(tip: str, most: int) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, most)
        slider.setToolTip(tip)
        slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return slider

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        head = QHBoxLayout()
        title = QLabel("Show")
        title.setObjectName("section")
        head.addWidget(title, 1)
        for part in (
            faint("hold"),
            KeyCap(self._palette, caps("hold_image_only")),
            faint("image only"),
        ):
            head.addWidget(part)
        column.addLayout(head)
        self.row = QHBoxLayout()
        self.row.setSpacing(1)
        for name, (text, told) in SEGMENTS.items():
            segment = KeyButton(self._palette, text, caps(f"toggle_{name}"))
            segment.setObjectName("segment")
            segment.pad = SEGMENT_PAD  # four of them in a row
            segment.setCheckable(True)
            segment.setToolTip(tip(told, f"toggle_{name}"))
            self.row.addWidget(segment, segment.sizeHint().width())
            self.segments[name] = segment
        self._fill_menu()
        self.row.addWidget(self.kind)
        column.addLayout(self.row)
        self.field = QWidget()
        grid = QGridLayout(self.field)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        self.landmark.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.field_of, self.confidence_text, self.dim_text = QLabel(), QLabel(), QLabel()
        grid.addWidget(self.field_of, 0, 0)
        grid.addWidget(self.landmark, 0, 1, 1, 2)
        self.chip_rows = QGridLayout()
        self.chip_rows.setSpacing(SPACING)
        grid.addLayout(self.chip_rows, 1, 0, 1, 3)
        rows = (
            ("Confidence from", self.confidence, self.confidence_text),
            ("Image", self.dim, self.dim_text),
        )
        for row, (text, slider, value) in enumerate(rows, start=2):
            grid.addWidget(QLabel(text), row, 0)
            grid.addWidget(slider, row, 1)
            grid.addWidget(value, row, 2, Qt.AlignmentFlag.AlignRight)
        grid.setColumnStretch(1, 1)
        column.addWidget(self.field)
        self.missing = QWidget()
        line = QHBoxLayout(self.missing)
        line.setContentsMargins(0, 0, 0, 0)
        text = QLabel(NO_FIELDS)
        text.setWordWrap(True)
        line.addWidget(text, 1)
        line.addWidget(self.predict)
        column.addWidget(self.missing)
        self.member.setObjectName("faint")
        column.addWidget(self.member)

    def _fill_menu(self) -> None:
        menu = QMenu(self)
        group = QActionGroup(menu)
        self.kinds: dict[str, QAction] = {}
        for name, (text, told) in KINDS.items():
            action = QAction(text, menu)
            action.setCheckable(True)
            action.setToolTip(told)
            action.triggered.connect(lambda _=False, name=name: self._choose_kind(name))
            group.addAction(action)
            menu.addAction(action)
            self.kinds[name] = action
        menu.setToolTipsVisible(True)
        self.kind.setMenu(menu)
        self.kind.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _connect(self) -> None:
        session, view = self._session, self._session.view
        for shown in ("skeleton", "compare"):
            self.segments[shown].clicked.connect(lambda on, of=shown: setattr(view, of, on))
        for name in ("pif", "paf"):
            field: Literal["pif", "paf"] = "pif" if name == "pif" else "paf"
            self.segments[name].clicked.connect(
                lambda on, field=field: view.show_field(field if on else None)
            )
        self.landmark.activated.connect(self._choose_landmark)
        self.confidence.valueChanged.connect(lambda v: setattr(view, "confidence_from", v / 100))
        self.dim.valueChanged.connect(lambda v: setattr(view, "dim", 1 - v / 100))
        self.predict.clicked.connect(lambda: self._actions.predict())
        for shown in (
            "skeleton",
            "compare",
            "pif",
            "paf",
            "pif_kind",
            "confidence_from",
            "dim",
            "edges_off",
        ):
            follow(self, getattr(view.events, shown), lambda *_: self.refresh())
        follow(self, session.fields_changed, lambda *_: self.refresh())
        follow(self, session.opened, self._on_opened)
        if session.editor is not None:
            self._on_opened(session.editor)

    def _on_opened(self, editor: Editor | None) -> None:
        self.landmark.clear()
        if editor is not None:
            schema = editor.dataset.schema
            self.landmark.addItem("all landmarks")
            for k, color in enumerate(schema.colors):
                self.landmark.addItem(swatch_icon(color), layer_data.title(schema, k))
            follow(self, editor.selection_changed, lambda *_: self.refresh())
            follow(self, editor.image_changed, lambda *_: self.refresh())
        self.refresh()

    # -- choices ---------------------------------------------------------------------------

    def _choose_kind(self, name: str) -> None:
        view = self._session.view
        view.pif_kind = name  # type: ignore[assignment]  # a key of KINDS
        view.show_field("pif")

    def _choose_landmark(self, index: int) -> None:
        if (editor := self._session.editor) is not None:
            garment_id = editor.selection.garment_id
            editor.select(garment_id, index - 1 if index > 0 else None)
        self.refresh()

    def _switch_edge(self, edge: int, shown: bool) -> None:
        view = self._session.view
        view.edges_off = view.edges_off - {edge} if shown else view.edges_off | {edge}

    # -- following -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show what is shown."""
        view, editor = self._session.view, self._session.editor
        for name, segment in self.segments.items():
            segment.setChecked(getattr(view, name))
        self.kinds[view.pif_kind].setChecked(True)
        shown = (view.pif or view.paf) and editor is not None
        fields = self._session.fields_of(editor.image_id) if shown and editor else None
        self.field.setVisible(shown and fields is not None)
        self.missing.setVisible(shown and fields is None)
        self.member.setVisible(fields is not None and bool(fields.member))
        if fields is None or editor is None:
            return
        category = view.pif and view.pif_kind == "category"
        garment = editor.selected_garment
        name = "a garment" if garment is None else garment.category_name
        self.field_of.setText(
            "PAF of" if view.paf else f"Probability of {name}" if category else "PIF of"
        )
        self.landmark.setVisible(not category)
        landmark = editor.selection.landmark
        self.landmark.setCurrentIndex(0 if landmark is None else landmark + 1)
        for slider, text, value, told in (
            (self.confidence, self.confidence_text, view.confidence_from, "{:.2f}"),
            (self.dim, self.dim_text, 1 - view.dim, "{:.0%}"),
        ):
            slider.setValue(round(100 * value))
            text.setText(told.format(value).replace("%", " %"))
        self.member.setText(f"Fields of {fields.member}")
        self.member.setToolTip(
            "The member of the model set that found the garment with the best score"
        )
        self._show_chips(editor, fields)

    def _show_chips(self, editor: Editor, fields: Fields) -> None:
        view, schema = self._session.view, editor.dataset.schema
        landmark = editor.selection.landmark
        edges = field_data.edges_of(fields.edges, landmark) if view.paf else []
        if landmark is None:
            edges = []  # there may be hundreds
        if list(self.chips) != edges or self._chips_of != landmark:
            self._chips_of = landmark
            for chip in self.chips.values():
                self.chip_rows.removeWidget(chip)
                chip.hide()
                chip.deleteLater()
            self.chips = {}
            for i, e in enumerate(edges):
                a, b = fields.edges[e]
                other = b if a == landmark else a
                chip = QPushButton(layer_data.title(schema, other))
                chip.setIcon(swatch_icon(schema.colors[other]))
                chip.setObjectName("toggle")
                chip.setCheckable(True)
                chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                chip.clicked.connect(lambda on, e=e: self._switch_edge(e, on))
                self.chip_rows.addWidget(chip, i // CHIPS, i % CHIPS)
                self.chips[e] = chip
        for e, chip in self.chips.items():
            chip.setChecked(e not in view.edges_off)

    _chips_of: Any = None
