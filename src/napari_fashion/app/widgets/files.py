"""Questions about files, asked in dialogs; nothing is ever overwritten without a yes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from qtpy.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

Answer = Literal["save", "later", "discard", "cancel"]
COCO_FILES = "COCO keypoint files (*.json)"


def ask_open_file(parent: QWidget, start: Path) -> Path | None:
    """Ask for a COCO file."""
    name, _ = QFileDialog.getOpenFileName(parent, "Open a COCO file", str(start), COCO_FILES)
    return Path(name) if name else None


def ask_open_folder(parent: QWidget, start: Path) -> Path | None:
    """Ask for a folder of images."""
    name = QFileDialog.getExistingDirectory(parent, "Open a folder of images", str(start))
    return Path(name) if name else None


def ask_images_folder(parent: QWidget | None, start: Path) -> Path | None:
    """Ask where the images of a data set lie now."""
    name = QFileDialog.getExistingDirectory(parent, "Where are the images now?", str(start))
    return Path(name) if name else None


def ask_model(parent: QWidget, start: Path) -> Path | None:
    """Ask for a model."""
    name, _ = QFileDialog.getOpenFileName(
        parent, "Load a model", str(start), "Models (*.json *.safetensors *.onnx)"
    )
    return Path(name) if name else None


def ask_save(
    parent: QWidget, title: str, proposal: Path, source: Path | None, work: Path | None = None
) -> Path | None:
    """Ask where to write; replacing a file was agreed to, a precious one twice.

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


# -- saving and its conflicts --------------------------------------------------------------------


def ask_unsaved(parent: QWidget, what: str, *, kept: bool) -> Answer:
    """Ask what becomes of changes that the file lacks.

    Parameters
    ----------
    kept
        Whether they are in a journal, which keeps them for later.
    """
    buttons = QMessageBox.StandardButton
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question if kept else QMessageBox.Icon.Warning)
    box.setWindowTitle("Changes that are not saved")
    box.setText(f"{what} has changes that are not saved.")
    box.setInformativeText(
        "Save them now, or leave them for later: the journal keeps them, and they are offered when "
        "the file is opened again."
        if kept
        else "Save them? There is no journal of them: what is discarded is gone."
    )
    box.setStandardButtons(buttons.Save | buttons.Cancel)
    label = "Leave for later" if kept else "Discard"
    later = box.addButton(label, QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(buttons.Save)
    box.exec()
    if box.clickedButton() is later:
        return "later" if kept else "discard"
    return "save" if box.clickedButton() is box.button(buttons.Save) else "cancel"


def ask_save_place(parent: QWidget, name: str) -> Literal["save", "save as"] | None:
    """Ask once per file whether Save may write the opened file itself."""
    return _ask_choice(
        parent,
        "Save",
        f"Save to {name} itself?",
        "Only what you changed is rewritten; everything else keeps its bytes. The last five saved "
        "versions are kept and can be restored. You are asked this once.",
        {"save": "Save", "save as": "Save as…"},
    )


def ask_pending(
    parent: QWidget, name: str, text: str, *, conflict: bool
) -> Literal["restore", "merge", "aside"] | None:
    """Ask what becomes of changes that only the journal has; None: do not open the file."""
    if conflict:
        return _ask_choice(
            parent,
            "Changes that were not saved",
            f"{name}: {text}",
            "Meanwhile another program changed the file. Merge your changes into it record by record, or "
            "put them aside as a file and go on with what is on the disk.",
            {"merge": "Merge", "aside": "Put aside"},
        )
    return _ask_choice(
        parent,
        "Changes that were not saved",
        f"{name}: {text}",
        "Restore them with their undo history, or put them aside as a file.",
        {"restore": "Restore", "aside": "Put aside"},
    )


def ask_conflict(parent: QWidget, problem: str) -> Literal["mine", "theirs", "merge"] | None:
    """Ask what to do where another program changed the file that is to be saved."""
    return _ask_choice(
        parent,
        "The file was changed elsewhere",
        problem,
        "Merge: both sides' changes, record by record. Keep mine: theirs stays as an earlier version. "
        "Take theirs: your changes are put aside as a file.",
        {"merge": "Merge", "mine": "Keep mine", "theirs": "Take theirs"},
    )


def ask_version(parent: QWidget, versions: Sequence[str]) -> int | None:
    """Ask which earlier version to restore; return its place in the list."""
    text, ok = QInputDialog.getItem(
        parent,
        "Earlier versions",
        "Restore the version saved on:\n(What the file has now becomes a version itself.)",
        list(versions),
        0,
        False,
    )
    return versions.index(text) if ok else None


def ask_training(parent: QWidget | None) -> Literal["stop", "leave"] | None:
    """Ask what becomes of a training when the window closes; None: the window stays."""
    return _ask_choice(
        parent,
        "Retrain",
        "A training is running.",
        "Stop it: the window waits until it has saved what it has learned. Let it go on: it goes on "
        "without the window, and the next window shows it in the dock Retrain.",
        {"stop": "Stop and save", "leave": "Let it go on"},
    )


def _ask_choice(
    parent: QWidget | None, title: str, text: str, more: str, choices: Mapping[Any, str]
) -> Any:
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(more)
    box.setStandardButtons(QMessageBox.StandardButton.Cancel)
    role = QMessageBox.ButtonRole
    made = {
        key: box.addButton(label, role.AcceptRole if i == 0 else role.ActionRole)
        for i, (key, label) in enumerate(choices.items())
    }
    box.setDefaultButton(next(iter(made.values())))
    box.exec()
    clicked = box.clickedButton()
    return next((key for key, button in made.items() if button is clicked), None)
