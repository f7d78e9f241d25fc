"""Export to another format from the window, and the question about a folder's landmarks."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QInputDialog

from napari_fashion.app.widgets import files, filing
from napari_fashion.app.widgets.export_dialog import ExportDialog
from napari_fashion.app.widgets.schema_question import ask_schema
from napari_fashion.coco import Dataset
from napari_fashion.coco.convert.out import ExportOptions, export_data, format_of, formats
from napari_fashion.coco.convert.writers import Format
from napari_fashion.schema import Schema

from .driving import toggle_reviewed

pytestmark = pytest.mark.window


@pytest.fixture
def opened(app, dataset_file):
    app.dock.open(dataset_file)
    app.person.see()
    return app


def in_dialog(kind, act):
    """Do something in the dialog that is opened next."""

    def look():
        dialog = QApplication.activeModalWidget()
        if isinstance(dialog, kind):
            act(dialog)
        else:
            QTimer.singleShot(0, look)

    QTimer.singleShot(0, look)


def ended(app):
    app.person.qtbot.waitUntil(lambda: not app.exporting.running, timeout=30_000)
    app.person.see()


def type_into(person, field, text):
    field.setFocus()
    person.qtbot.keyClick(field, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    person.qtbot.keyClicks(field, text)


def ok(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)


@pytest.mark.parametrize(
    "form", [f for f in formats() if f.name != "parquet"], ids=lambda f: f.name
)
def test_what_the_menu_exports_is_what_the_command_exports(opened, tmp_path, form):
    out = tmp_path / "exported here"

    def fill(dialog):
        opened.person.qtbot.keyClicks(dialog.format, form.title)
        assert dialog.form is form
        assert dialog.folder.text().endswith(f"small-export-{form.name}")
        type_into(opened.person, dialog.folder, str(out))
        opened.person.press(dialog.guesses)
        opened.person.press(ok(dialog))

    in_dialog(ExportDialog, fill)
    opened.dock.menu.other_format.trigger()
    ended(opened)
    assert f"images to {out}." in opened.dock.message.text()
    dataset = Dataset.load(tmp_path / "small.json")
    export_data(
        {"train": dataset}, tmp_path / "by command", form, ExportOptions(include_predictions=True)
    )
    names = [
        sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
        for folder in (out, tmp_path / "by command")
    ]
    assert names[0] == names[1]
    for name in names[0]:
        if name.name != "data.yaml":
            assert (out / name).read_bytes() == (tmp_path / "by command" / name).read_bytes()


def test_the_message_tells_what_the_format_cannot_hold(opened, tmp_path):
    opened.exporting.start(
        opened.session.editor.dataset, tmp_path / "out", format_of("csv"), ExportOptions()
    )
    ended(opened)
    text = opened.dock.message.text()
    assert "Not in it: predicted garments that nobody has reviewed, left out: 1;" in text
    assert "images without garments" in opened.dock.message.toolTip()


def test_a_folder_that_is_taken_cannot_be_exported_to(opened, tmp_path):
    def look(dialog):
        type_into(opened.person, dialog.folder, str(tmp_path))
        seen.append((dialog.problem.text(), ok(dialog).isEnabled()))
        QApplication.processEvents()
        for widget in (dialog.format, dialog.folder, dialog.problem):
            needed = max(widget.heightForWidth(widget.width()), widget.minimumSizeHint().height())
            squeezed.append(max(0, needed - widget.height()))
        dialog.reject()

    seen, squeezed = [], []
    in_dialog(ExportDialog, look)
    opened.dock.menu.other_format.trigger()
    assert squeezed == [0, 0, 0]
    ((text, enabled),) = seen
    assert "expected a new or empty folder" in text
    assert not enabled
    assert not opened.exporting.running


def test_what_is_edited_meanwhile_is_not_in_the_export(opened, tmp_path):
    editor = opened.session.editor
    opened.exporting.start(
        editor.dataset, tmp_path / "out", format_of("coco"), ExportOptions(include_predictions=True)
    )
    toggle_reviewed(opened)  # reviewed
    opened.actions.delete_garment(11)
    ended(opened)
    found = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert [r["id"] for r in found["annotations"]] == [11, 12]
    assert not editor.dataset.has("annotations", 11)


def test_an_export_is_canceled_and_leaves_nothing(opened, tmp_path):
    dock, told = opened.dock, []
    begun, gate = threading.Event(), threading.Event()

    def write(work):
        (work.folder / "half").write_text("written")
        begun.set()
        gate.wait()
        work.advance(1)

    form = Format("waiting", "Waiting", "leave", write, lambda datasets: None)
    opened.exporting.progress.connect(lambda *counts: told.append(counts))
    opened.exporting.start(opened.session.editor.dataset, tmp_path / "out", form, ExportOptions())
    opened.person.qtbot.waitUntil(begun.is_set, timeout=30_000)
    assert dock.menu.cancel_export.isVisible()
    assert not dock.menu.other_format.isEnabled()
    dock.menu.cancel_export.trigger()
    gate.set()
    ended(opened)
    assert dock.message.text() == "The export was canceled; nothing was written."
    assert not [p for p in tmp_path.iterdir() if p.name == "out" or p.suffix == ".tmp"]
    assert (told[0], told[-1]) == ((0, 3), (0, 0))
    assert not dock.menu.cancel_export.isVisible()
    assert dock.menu.other_format.isEnabled()


def test_an_export_that_fails_says_why(opened, tmp_path):
    (tmp_path / "out").write_text("a file")
    opened.exporting.start(
        opened.session.editor.dataset, tmp_path / "out", format_of("coco"), ExportOptions()
    )
    ended(opened)
    assert "expected a new or empty folder" in opened.dock.message.text()


# -- the schema of a folder ------------------------------------------------------------------------


@pytest.fixture
def folder(dataset_file, tmp_path):
    """A folder of images that nobody has annotated."""
    path = tmp_path / "photos"
    path.mkdir()
    for i in (1, 2):
        shutil.copy(dataset_file.parent / f"{i}.png", path)
    return path


def choose(text):
    def act(dialog):
        dialog.setTextValue(next(t for t in dialog.comboBoxItems() if t.startswith(text)))
        dialog.accept()

    in_dialog(QInputDialog, act)


@pytest.fixture
def asking(app, monkeypatch):
    """The window with the question itself, which other tests answer."""
    monkeypatch.setattr(filing, "ask_schema", ask_schema)
    monkeypatch.setattr(files, "ask_pending", lambda *_, conflict: "restore")
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    monkeypatch.setattr(app.dock.filing, "_last_schema", None)
    return app


def test_the_schema_of_a_folder_is_asked_once_and_kept_in_its_file(asking, folder):
    choose("deepfashion:")
    asking.dock.open(folder)
    dataset = asking.session.editor.dataset
    assert dataset.schema == Schema.load("deepfashion")
    assert len(dataset.images) == 2
    toggle_reviewed(asking)
    asking.dock.open(folder)  # its journal knows the answer
    assert asking.session.editor.dataset.schema == Schema.load("deepfashion")
    assert asking.dock.save()
    asking.dock.open(folder)  # its file does
    assert asking.session.editor.dataset.schema == Schema.load("deepfashion")
    assert (
        json.loads((folder / "annotations.json").read_text())["info"]["fashion"]["schema"]
        == "deepfashion"
    )


def test_without_an_answer_nothing_is_opened(asking, dataset_file, folder):
    asking.dock.open(dataset_file)
    in_dialog(QInputDialog, lambda dialog: dialog.reject())
    asking.dock.open(folder)
    assert asking.session.editor.path == dataset_file
    assert asking.session.folder_schema is None


def test_a_schema_that_was_given_is_not_asked_about(asking, dataset_file, folder):
    asking.session.folder_schema = Schema.load("deepfashion")
    asking.dock.open(folder)
    assert asking.session.editor.dataset.schema.name == "deepfashion"
    assert asking.session.folder_schema is None
    other = Schema.from_dict({**Schema.load("garments").to_dict(), "name": "mine"})
    marks = other.to_dict()
    for i, mark in enumerate(marks["landmarks"]):
        mark["name"] = f"m{i}"
    marks["flip_pairs"] = []
    asking.session.folder_schema = Schema.from_dict(marks)
    asking.dock.open(dataset_file)
    assert "those that the file names (garments), not those of mine" in asking.dock.message.text()


def test_the_last_answer_is_proposed_next(asking, folder, tmp_path):
    choose("deepfashion:")
    asking.dock.open(folder)
    other = tmp_path / "more"
    shutil.copytree(folder, other)
    proposed = []
    in_dialog(QInputDialog, lambda d: (proposed.append(d.textValue()), d.reject()))
    asking.dock.open(other)
    assert proposed[0].startswith("deepfashion:")
