"""What is shown over the image."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QSlider, QWidget

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.style import SPACING, shrinking, swatch_icon

BOXES = {
    "landmarks": ("Landmarks", "The landmarks in their colours"),
    "names": ("Names", "Names of the selected garment's landmarks"),
    "skeleton": ("Skeleton", "The edges between landmarks"),
    "category": ("Category", "Each garment's category, with the model's score"),
    "pif": ("PIF", "Where the model sees landmarks: its confidence"),
    "vectors": ("Vectors", "The place of the landmark, as each cell predicts it"),
    "paf": ("PAF", "Which landmarks belong together: arrows to an edge's two ends"),
}
FIELDS_FROM = list(BOXES).index("pif")


class Overlays(QWidget):
    """Check boxes, which landmark and edge, and how opaque."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.boxes: dict[str, QCheckBox] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        for i, (name, (text, tip)) in enumerate(BOXES.items()):
            box = QCheckBox(text)
            box.setToolTip(tip)
            box.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            box.toggled.connect(lambda on, name=name: setattr(session.view, name, on))
            shown = getattr(session.view.events, name)
            follow(self, shown, lambda on, *_, box=box: box.setChecked(on))
            box.setChecked(getattr(session.view, name))
            place = i if i < FIELDS_FROM else i + 2  # the fields begin a row of their own
            grid.addWidget(box, place // 3, place % 3)
            self.boxes[name] = box
        self.landmark = QComboBox()
        self.edge = QComboBox()
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.opacity.setValue(round(100 * session.view.opacity))
        for row, (text, widget) in enumerate(
            (("PIF of", self.landmark), ("PAF of", self.edge), ("Opacity", self.opacity)), start=3
        ):
            grid.addWidget(QLabel(text), row, 0)
            grid.addWidget(widget, row, 1, 1, 2)
        self.member = shrinking(QLabel())
        self.member.setObjectName("faint")
        self.member.setVisible(False)
        grid.addWidget(self.member, grid.rowCount(), 0, 1, 3)
        follow(self, session.fields_changed, lambda *_: self.show_member())
        self.landmark.currentIndexChanged.connect(self._choose_landmark)
        self.edge.currentIndexChanged.connect(self._choose_edge)
        self.opacity.valueChanged.connect(lambda v: setattr(session.view, "opacity", v / 100))
        follow(self, session.view.events.landmark, lambda *_: self._show_choice())
        follow(self, session.view.events.edge, lambda *_: self._show_choice())

    def show_member(self) -> None:
        """Say which member of a model set the shown image's fields are of."""
        editor = self._session.editor
        fields = None if editor is None else self._session.fields_of(editor.image_id)
        member = "" if fields is None else fields.member
        self.member.setText(f"Fields of {member}")
        self.member.setToolTip(
            "The member of the model set that found the garment with the best score"
        )
        self.member.setVisible(bool(member))

    def refresh(self) -> None:
        """Offer the landmarks and edges of the data set."""
        schema = self._session.schema
        for combo in (self.landmark, self.edge):
            combo.blockSignals(True)
            combo.clear()
        if schema is not None:
            self.landmark.addItem("all landmarks")
            for k, color in enumerate(schema.colors):
                self.landmark.addItem(swatch_icon(color), layer_data.title(schema, k))
            self.edge.addItem("all edges")
            for a, b in schema.edges:
                text = f"{layer_data.title(schema, a)} to {layer_data.title(schema, b)}"
                self.edge.addItem(text)
        self._show_choice()
        for combo in (self.landmark, self.edge):
            combo.blockSignals(False)

    def _show_choice(self) -> None:
        view = self._session.view
        self.landmark.setCurrentIndex(0 if view.landmark is None else view.landmark + 1)
        self.edge.setCurrentIndex(0 if view.edge is None else view.edge + 1)

    def _choose_landmark(self, index: int) -> None:
        self._session.view.landmark = index - 1 if index > 0 else None

    def _choose_edge(self, index: int) -> None:
        self._session.view.edge = index - 1 if index > 0 else None
