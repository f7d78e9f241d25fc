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
    save_as = Signal()
    versions = Signal()
    export_all = Signal()
    export_reviewed = Signal()
    export_format = Signal()
    export_cancel = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.name = shrinking(QLabel())
        self.name.setObjectName("name")
        self.open = QPushButton("Open")
        menu = QMenu(self.open)
        menu.addAction("COCO file…", self.open_file.emit)
        menu.addAction("Folder of images…", self.open_folder.emit)
        menu.addSeparator()
        self.earlier = menu.addAction("Earlier versions…", self.versions.emit)
        self.open.setMenu(menu)
        self.save_button = QPushButton("Save")
        self.save_button.setToolTip(
            "Write all work to the file. Every change is in its journal already: nothing is lost if the "
            "window goes"
        )
        self.save_button.clicked.connect(self.save.emit)
        self.export = QPushButton("Export")
        self.export.setToolTip("Write what people made or reviewed, to train on or to hand on")
        menu = QMenu(self.export)
        menu.addAction("All images…", self.export_all.emit)
        menu.addAction("Reviewed images only…", self.export_reviewed.emit)
        menu.addSeparator()
        self.other_format = menu.addAction("To another format…", self.export_format.emit)
        self.cancel_export = menu.addAction("Cancel the export", self.export_cancel.emit)
        self.cancel_export.setVisible(False)
        menu.addSeparator()
        menu.addAction("Save as…", self.save_as.emit)
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

    def show_export(self, done: int, total: int) -> None:
        """Show how far an export is; 0 of 0: none runs."""
        self.other_format.setEnabled(total == 0)
        self.cancel_export.setVisible(total > 0)
        self.cancel_export.setText(f"Cancel the export ({done:,} of {total:,} images)")

    def refresh(self) -> None:
        """Show which data set is open and whether it is saved."""
        editor = self._session.editor
        self.save_button.setEnabled(editor is not None)
        self.export.setEnabled(editor is not None)
        self.earlier.setEnabled(
            editor is not None and editor.holder is None and editor.has_versions
        )
        if editor is None:
            self.name.setText("No images yet")
            self.name.setToolTip("")
            return
        place = editor.path or editor.dataset.image_root
        if editor.holder is not None:
            state, mark = (
                f"Open elsewhere: {editor.holder}. It is read-only here",
                "  (read only)",
            )
        elif editor.dirty:
            kept = "the journal has it" if editor.is_journaled else "it is in memory only"
            state, mark = f"Not saved to the file yet; {kept}", "  ●"
        else:
            state, mark = "Saved", ""
        self.name.setText(f"{place.name}{mark}")
        self.name.setToolTip(f"{place}\n{state}")
