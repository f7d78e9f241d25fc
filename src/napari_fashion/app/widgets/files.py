"""Questions about files, asked in dialogs; nothing is ever overwritten without a yes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from qtpy.QtWidgets import QFileDialog, QMessageBox, QWidget

Answer = Literal["save", "discard", "cancel"]
COCO_FILES = "COCO keypoint files (*.json)"


def ask_open_file(parent: QWidget, start: Path) -> Path | None:
    """Ask for a COCO file."""
    name, _ = QFileDialog.getOpenFileName(parent, "Open a COCO file", str(start), COCO_FILES)
    return Path(name) if name else None


def ask_open_folder(parent: QWidget, start: Path) -> Path | None:
    """Ask for a folder of pictures."""
    name = QFileDialog.getExistingDirectory(parent, "Open a folder of pictures", str(start))
    return Path(name) if name else None


def ask_model(parent: QWidget, start: Path) -> Path | None:
    """Ask for a model."""
    name, _ = QFileDialog.getOpenFileName(
        parent, "Load a model", str(start), "Models (*.json *.safetensors)"
    )
    return Path(name) if name else None


def ask_save(
    parent: QWidget, title: str, proposal: Path, source: Path | None, work: Path | None = None
) -> Path | None:
    """Ask where to write; replacing a file has been said yes to, a precious one twice.

    Parameters
    ----------
    source
        The file that the data set was read from.
    work
        The file that all the work is saved in, where an export is written.
    """
    name, _ = QFileDialog.getSaveFileName(parent, title, str(proposal), COCO_FILES)
    if not name:
        return None
    path = Path(name)
    if not path.suffix:
        path = path.with_suffix(".json")
        if path.exists() and not ask(parent, title, f"{path.name} exists. Replace it?"):
            return None
    if _same_file(path, work):
        question = (
            f"{path.name} is the file that your work is saved in. An export leaves out what only "
            "the model found: your work will not be saved any more. Replace it?"
        )
        return path if ask(parent, title, question) else None
    if _same_file(path, source):
        question = (
            f"{path.name} is the file that the data set was read from. Replacing it changes the "
            "source for good. Replace it?"
        )
        if not ask(parent, title, question):
            return None
    return path


def _same_file(path: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and path.exists() and path.samefile(other)


def ask(parent: QWidget | None, title: str, question: str) -> bool:
    """Ask a yes-or-no question; no is the default."""
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(parent, title, question, buttons.Yes | buttons.No, buttons.No)
    return answer == buttons.Yes


def ask_unsaved(parent: QWidget, what: str) -> Answer:
    """Ask what becomes of edits that no file has."""
    buttons = QMessageBox.StandardButton
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Unsaved edits")
    box.setText(f"{what} has edits that are not saved.")
    box.setInformativeText("Save them?")
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    box.setDefaultButton(buttons.Save)
    answer = box.exec()
    if answer == buttons.Save:
        return "save"
    return "discard" if answer == buttons.Discard else "cancel"
