"""Which of the file's categories each of the model's is: asked once per file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QAction
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.coco.categories import Names

LEAVE_OUT = "Leave out"
WIDTH, HEIGHT = 420, 460


class CategoryMapDialog(QDialog):
    """A row for each of the model's categories that the file lacks.

    Beside the one that predicted garments get, further ones of the file can be checked under *Also*: their
    garments count as the model's category in training.

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
        self.also: dict[str, _Also] = {}
        for name in names:
            choice = QComboBox()
            choice.addItems([LEAVE_OUT, *theirs])
            if (same := alike.get(name.casefold())) is not None:
                choice.setCurrentIndex(1 + list(theirs).index(same))
            choice.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            self.choices[name] = choice
            self.also[name] = _Also(choice, theirs)
            row = QHBoxLayout()
            row.addWidget(choice, 1)
            row.addWidget(self.also[name])
            form.addRow(name, row)
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
    def answer(self) -> dict[str, Names]:
        """The file's category, or categories, for each of the model's that one was chosen for."""
        found: dict[str, Names] = {}
        for name, choice in self.choices.items():
            if choice.currentIndex() > 0:
                first, further = choice.currentText(), self.also[name].names
                found[name] = (first, *further) if further else first
        return found


class _Also(QToolButton):
    """A menu of the file's further categories that stand for one of the model's, with their number.

    Parameters
    ----------
    choice
        Where the first one is chosen; without one there are no further ones.
    theirs
        The file's.
    """

    def __init__(self, choice: QComboBox, theirs: Sequence[str]) -> None:
        super().__init__()
        self._choice = choice
        self.setStyleSheet("QToolButton { padding-right: 14px; }")  # room for the menu's arrow
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolTip(
            "Further categories of the file whose garments are this one of the model's when it learns from "
            "them. Predicted garments get the one that is chosen beside."
        )
        menu = QMenu(self)
        self.actions_of: Mapping[str, QAction] = {name: menu.addAction(name) for name in theirs}
        for action in self.actions_of.values():
            action.setCheckable(True)
            action.toggled.connect(self._show)
        self.setMenu(menu)
        choice.currentIndexChanged.connect(self._show)
        self._show()

    @property
    def names(self) -> tuple[str, ...]:
        """The further categories, in the file's order."""
        first = self._choice.currentText()
        return tuple(n for n, a in self.actions_of.items() if a.isChecked() and n != first)

    def _show(self) -> None:
        self.setEnabled(self._choice.currentIndex() > 0)
        for name, action in self.actions_of.items():
            action.setVisible(name != self._choice.currentText())
        self.setText(f"Also: {len(self.names)}" if self.names else "Also…")


def ask_category_map(
    parent: QWidget | None, names: Sequence[str], theirs: Sequence[str]
) -> dict[str, Names] | None:
    """Ask which of the file's categories each of the model's is; None: not answered."""
    dialog = CategoryMapDialog(parent, names, theirs)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    return dialog.answer if accepted else None
