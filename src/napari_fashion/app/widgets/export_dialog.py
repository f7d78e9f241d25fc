"""What an export is to be: the format, the images, which garments, and the folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.coco.convert.out import PLACEMENTS, ExportOptions, Format, formats
from napari_fashion.coco.convert.out.exporting import check_target
from napari_fashion.errors import CocoError

WIDTH = 520
IMAGES = {
    "hardlink": "Hard links in the folder (no further space)",
    "copy": "Copies in the folder",
    "leave": "Left where they are",
}


@dataclass(frozen=True)
class ExportChoice:
    """What a person chose."""

    form: Format
    folder: Path
    options: ExportOptions


class ExportDialog(QDialog):
    """Asks for an export's format and folder.

    Parameters
    ----------
    proposal
        The folder that is proposed, without the format's name.
    """

    def __init__(self, parent: QWidget | None, proposal: Path) -> None:
        super().__init__(parent)
        self.setWindowTitle("Export to another format")
        self._proposal = proposal
        self._forms = formats()
        self.format = QComboBox()
        self.format.addItems([form.title for form in self._forms])
        self.images = QComboBox()
        self.images.addItems([IMAGES[placement] for placement in PLACEMENTS])
        self.reviewed = QCheckBox("Reviewed images only")
        self.guesses = QCheckBox("Also predicted garments that nobody has reviewed")
        self.extras = QCheckBox("Keep sources, scores and other keys that are not COCO's own")
        self.folder = QLineEdit()
        self.browse = QPushButton("Browse…")
        self.browse.clicked.connect(self._browse)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setObjectName("problem")
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Export")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self._lay_out()
        self.format.currentIndexChanged.connect(lambda _: self._other_format())
        self.folder.textChanged.connect(lambda _: self._check())
        self._other_format()

    def _lay_out(self) -> None:
        head = QLabel(
            "The folder is new or empty, and written whole or not at all. What the format cannot hold is "
            "counted in the message."
        )
        head.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        form = QFormLayout()
        form.addRow("Format", self.format)
        form.addRow("Image files", self.images)
        form.addRow("", self.reviewed)
        form.addRow("", self.guesses)
        form.addRow("", self.extras)
        form.addRow("Folder", row)
        layout = QVBoxLayout(self)
        layout.addWidget(head)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(WIDTH)

    @property
    def form(self) -> Format:
        """The format that is chosen."""
        return self._forms[self.format.currentIndex()]

    @property
    def answer(self) -> ExportChoice:
        """What is chosen."""
        options = ExportOptions(
            images=PLACEMENTS[self.images.currentIndex()],
            extras=self.extras.isChecked() and self.extras.isEnabled(),
            only_reviewed=self.reviewed.isChecked(),
            include_predictions=self.guesses.isChecked(),
        )
        return ExportChoice(self.form, Path(self.folder.text()).expanduser(), options)

    def _other_format(self) -> None:
        """Propose what is usual for the format."""
        self.images.setCurrentIndex(PLACEMENTS.index(self.form.images))
        self.extras.setEnabled(self.form.name == "coco")
        known = {str(self._proposed(form)) for form in self._forms}
        if not self.folder.text() or self.folder.text() in known:
            self.folder.setText(str(self._proposed(self.form)))
        self._check()

    def _proposed(self, form: Format) -> Path:
        return self._proposal.with_name(f"{self._proposal.name}-{form.name}")

    def _check(self) -> None:
        """Show why the folder cannot be written."""
        text = ""
        if not self.folder.text().strip():
            text = "Name a folder."
        else:
            try:
                check_target(Path(self.folder.text()).expanduser())
            except (CocoError, RuntimeError) as error:
                text = str(error)
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not text)
        layout = self.layout()
        if layout is not None:  # a dialog does not grow by itself with a text that takes more lines
            layout.activate()
            width = max(self.width(), layout.minimumSize().width())
            self.resize(width, layout.totalHeightForWidth(width))

    def _browse(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "A new or empty folder", self.folder.text())
        if name:
            self.folder.setText(name)


def ask_export(parent: QWidget | None, proposal: Path) -> ExportChoice | None:
    """Ask what an export is to be; None: none."""
    dialog = ExportDialog(parent, proposal)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    return dialog.answer if accepted else None
