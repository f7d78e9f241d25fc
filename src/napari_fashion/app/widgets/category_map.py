"""Which of the file's categories each of the model's is: asked once per file."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

LEAVE_OUT = "Leave out"
WIDTH, HEIGHT = 420, 460


class CategoryMapDialog(QDialog):
    """A row for each of the model's categories that the file lacks.

    Parameters
    ----------
    names
        The model's.
    theirs
        The file's, of which one is chosen for each, or none.
    """

    def __init__(self, parent: QWidget | None, names: Sequence[str], theirs: Sequence[str]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Categories")
        head = QLabel(
            "Which category of the file is each of the model's? Garments of those left out are not taken. "
            "The answer is kept in the file; Undo takes it back."
        )
        head.setWordWrap(True)
        rows = QWidget()
        form = QFormLayout(rows)
        alike = {name.casefold(): name for name in reversed(theirs)}
        self.choices: dict[str, QComboBox] = {}
        for name in names:
            choice = QComboBox()
            choice.addItems([LEAVE_OUT, *theirs])
            if (same := alike.get(name.casefold())) is not None:
                choice.setCurrentIndex(1 + list(theirs).index(same))
            choice.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            form.addRow(name, choice)
            self.choices[name] = choice
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setWidget(rows)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (head, scroll, buttons):
            layout.addWidget(part)
        self.resize(WIDTH, min(HEIGHT, 130 + rows.sizeHint().height()))

    @property
    def answer(self) -> dict[str, str]:
        """The file's category for each of the model's that one was chosen for."""
        return {
            name: choice.currentText()
            for name, choice in self.choices.items()
            if choice.currentIndex() > 0
        }


def ask_category_map(
    parent: QWidget | None, names: Sequence[str], theirs: Sequence[str]
) -> dict[str, str] | None:
    """Ask which of the file's categories each of the model's is; None: not answered."""
    dialog = CategoryMapDialog(parent, names, theirs)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    return dialog.answer if accepted else None
