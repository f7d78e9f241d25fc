"""The data set: what is open, open another, save, export."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QVBoxLayout, QWidget

from napari_fashion.app.session import Session
from napari_fashion.app.widgets.style import SPACING, shrinking


class DataRow(QWidget):
    """Name of the data set with a dot while something isn't saved, and the file buttons."""

    open_file = Signal()
    open_folder = Signal()
    save = Signal()
    export_all = Signal()
    export_reviewed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.name = shrinking(QLabel())
        self.name.setObjectName("name")
        self.open = QPushButton("Open")
        menu = QMenu(self.open)
        menu.addAction("COCO file…", self.open_file.emit)
        menu.addAction("Folder of pictures…", self.open_folder.emit)
        self.open.setMenu(menu)
        self.save_button = QPushButton("Save")
        self.save_button.setToolTip("Save all work, the model's garments too, to go on with later")
        self.save_button.clicked.connect(self.save.emit)
        self.export = QPushButton("Export")
        self.export.setToolTip("Write what people made or reviewed, to train on or to hand on")
        menu = QMenu(self.export)
        menu.addAction("All pictures…", self.export_all.emit)
        menu.addAction("Reviewed pictures only…", self.export_reviewed.emit)
        self.export.setMenu(menu)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.name)
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        for button in (self.open, self.save_button, self.export):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.addWidget(button, 1)
        layout.addLayout(row)

    def refresh(self) -> None:
        """Show which data set is open and whether it is saved."""
        editor = self._session.editor
        self.save_button.setEnabled(editor is not None)
        self.export.setEnabled(editor is not None)
        if editor is None:
            self.name.setText("No pictures yet")
            self.name.setToolTip("")
            return
        dataset = editor.dataset
        place = editor.saved_path or dataset.path or dataset.image_root
        self.name.setText(f"{place.name}{'  ●' if editor.dirty else ''}")
        self.name.setToolTip(f"{place}\n{'Not saved' if editor.dirty else 'Saved'}")
