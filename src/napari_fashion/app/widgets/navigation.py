"""Which image: previous, next, jump, reviewed."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSpinBox, QVBoxLayout, QWidget
from superqt import QElidingLabel

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.widgets.style import SPACING, quiet_button, shrinking
from napari_fashion.errors import ImageError


class Navigation(QWidget):
    """Walks through the images of the data set."""

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.previous = quiet_button("◀", "Previous image" + keys_of(Actions.previous_image))
        self.next = quiet_button("▶", "Next image" + keys_of(Actions.next_image))
        self.number = QSpinBox()
        self.number.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.number.setFixedWidth(58)
        self.number.setKeyboardTracking(False)
        self.number.setToolTip("Go to an image: type its number")
        self.count = QLabel("of 0")
        self.reviewed = QCheckBox("Reviewed")
        self.reviewed.setToolTip(
            "You stand behind everything on this image" + keys_of(Actions.toggle_reviewed)
        )
        self.reviewed.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.file_name = shrinking(QElidingLabel())
        self.file_name.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.file_name.setObjectName("faint")

        row = QHBoxLayout()
        row.setSpacing(SPACING)
        for widget in (self.previous, self.number, self.count, self.next):
            row.addWidget(widget)
        row.addStretch()
        row.addWidget(self.reviewed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.file_name)

        self.previous.clicked.connect(lambda: actions.previous_image())
        self.next.clicked.connect(lambda: actions.next_image())
        self.number.valueChanged.connect(self._jump)
        self.reviewed.clicked.connect(actions.set_reviewed)

    def refresh(self) -> None:
        """Show where the editor is."""
        editor = self._actions.session.editor
        self.setEnabled(editor is not None)
        if editor is None:
            return
        self.number.blockSignals(True)
        self.number.setRange(1, editor.n_images)
        self.number.setValue(editor.index + 1)
        self.number.blockSignals(False)
        self.count.setText(f"of {editor.n_images}")
        self.previous.setEnabled(editor.index > 0)
        self.next.setEnabled(editor.index < editor.n_images - 1)
        self.reviewed.setChecked(editor.image.reviewed)
        self.file_name.setText(editor.image.file_name)
        try:
            tip = str(editor.image.path)
        except ImageError as error:
            tip = str(error)
        self.file_name.setToolTip(tip)

    def _jump(self, number: int) -> None:
        if editor := self._actions.session.editor:
            editor.go_to(number - 1)
