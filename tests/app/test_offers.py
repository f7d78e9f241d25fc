"""Questions that wait in the dock: an image of another size, images elsewhere, categories."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_fashion.app.guard import Guard
from napari_fashion.app.offers import CATEGORIES, MISSING, PHOTOS, ROOT, SIZE
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_styles import LANDMARKS
from napari_fashion.app.widgets.category_map import CategoryMapDialog
from napari_fashion.editing.opening import open_editor
from napari_fashion.errors import OutsideRootError
from small import SCHEMA, SHIRT_XY, TROUSERS_XY, FakeModel, small_dataset, small_document

pytestmark = pytest.mark.window


def points(app) -> np.ndarray:
    return app.layers.layer(LANDMARKS).data


def texts(app) -> dict[str, str]:
    return {kind: row.text.text() for kind, row in app.dock.offers.rows.items() if row.isVisible()}


def answer(app, kind: str, label: str) -> None:
    app.person.press(app.dock.offers.rows[kind].buttons[label])


# -- an image of another size --------------------------------------------------------------------


@pytest.fixture
def half(app, dataset_file):
    """The first image has half the size that the file has."""
    PilImage.new("RGB", (60, 60), "gray").save(dataset_file.parent / "1.png")
    app.dock.open(dataset_file)
    app.person.see()
    return app


def test_landmarks_are_not_drawn_on_an_image_of_another_size(half) -> None:
    assert half.session.mismatch == ((120, 120), (60, 60))
    assert len(points(half)) == 0
    assert half.layers.landmarks.scene.figures == ()
    (text,) = texts(half).values()
    assert "60 x 60 pixels; the file has 120 x 120" in text


def test_they_are_rescaled_to_it_as_an_edit(half) -> None:
    editor = half.session.editor
    answer(half, SIZE, "Rescale landmarks to the image")
    assert texts(half) == {}
    assert editor.image.known_size == (60, 60)
    assert len(points(half)) == 6
    expected = (np.array(SHIRT_XY[0]) + 0.5) / 2 - 0.5
    assert np.allclose(editor.garments[0].xy[0], expected, atol=0.01)
    half.actions.undo()
    half.person.see()
    assert editor.image.known_size == (120, 120)
    assert editor.garments[0].xy[0].tolist() == list(SHIRT_XY[0])
    assert list(texts(half)) == [SIZE]
    assert len(points(half)) == 0
    assert not editor.dirty


def test_or_left_as_they_are_and_asked_once(half) -> None:
    answer(half, SIZE, "Leave")
    assert texts(half) == {}
    assert len(points(half)) == 0
    half.actions.next_image()
    assert half.session.mismatch is None
    half.actions.previous_image()
    half.person.see()
    assert texts(half) == {}
    assert len(points(half)) == 0
    assert not half.session.editor.dirty


def test_the_same_sizes_of_the_next_image_are_another_question(half) -> None:
    editor = half.session.editor
    folder = editor.path.parent
    (folder / "2.png").write_bytes((folder / "1.png").read_bytes())
    said: list[str] = []
    half.session.message.connect(lambda level, text: said.append(text))
    half.actions.next_image()
    half.person.see()
    assert sum("60 x 60" in text for text in said) == 1
    answer(half, SIZE, "Leave")
    half.actions.previous_image()
    half.person.see()
    assert list(texts(half)) == [SIZE]  # of the first image nobody said so
    half.actions.next_image()
    half.person.see()
    assert texts(half) == {}


def test_nothing_is_placed_or_predicted_on_it(half, qtbot) -> None:
    editor = half.session.editor
    said: list[str] = []
    half.session.message.connect(lambda level, text: said.append(text))
    half.actions.add_garment()
    half.actions.set_placing(True)
    assert not half.session.view.placing
    half.session.use_model(FakeModel(), "fake")
    half.predict()
    qtbot.waitUntil(lambda: not half.predicting.running)
    assert not editor.history
    assert len(said) == 3
    assert all("60 x 60" in text for text in said)


# -- images outside of the data set's folder -----------------------------------------------------


@pytest.fixture
def elsewhere(app, tmp_path):
    """A file whose first image lies in a folder beside its own."""
    folder, other = tmp_path / "set", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    document = small_document()
    document["images"][0]["file_name"] = "../other/1.png"
    for place in (other / "1.png", folder / "2.png", folder / "3.png"):
        PilImage.new("RGB", (120, 120), "gray").save(place)
    path = folder / "small.json"
    path.write_text(json.dumps(document))
    app.dock.open(path)
    app.person.see()
    return app


def test_an_image_elsewhere_is_read_when_it_is_allowed(elsewhere, tmp_path) -> None:
    (text,) = texts(elsewhere).values()
    assert str(tmp_path / "other") in text
    assert elsewhere.layers.image.max() == 60  # the plain grey that stands for it
    answer(elsewhere, ROOT, "Allow this folder")
    assert texts(elsewhere) == {}
    assert elsewhere.layers.image.max() == 128
    assert len(points(elsewhere)) == 6
    assert not elsewhere.session.editor.dirty


def test_a_folder_that_was_allowed_is_not_asked_about_again(elsewhere) -> None:
    answer(elsewhere, ROOT, "Allow this folder")
    path = elsewhere.session.editor.path
    elsewhere.session.edit(small_dataset())  # another one, in between
    later = Session()
    later.open(path)
    assert later.editor.image.path.is_file()
    later.close()


def test_folders_of_the_command_line_are_for_the_first_file_alone(elsewhere, tmp_path) -> None:
    session = elsewhere.session
    session.allow_roots = (tmp_path / "other",)
    path = session.editor.path
    session.open(path)
    assert session.editor.image.path.is_file()
    session.open(path)
    with pytest.raises(OutsideRootError):
        session.editor.image.path  # noqa: B018


def test_or_left_out_and_asked_once(elsewhere) -> None:
    answer(elsewhere, ROOT, "Leave out")
    assert texts(elsewhere) == {}
    elsewhere.actions.next_image()
    assert elsewhere.layers.image.max() == 128
    elsewhere.actions.previous_image()
    elsewhere.person.see()
    assert texts(elsewhere) == {}
    assert elsewhere.layers.image.max() == 60


# -- categories that the file lacks --------------------------------------------------------------


@pytest.fixture
def unknown(app, dataset_file, qtbot):
    """A file with two categories, and a model that found a third one."""
    document = small_document(["Shirt", "Pants"])
    document["annotations"] = []
    (pants,) = [c for c in document["categories"] if c["name"] == "Pants"]
    pants["name"] = "bottoms"
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    app.session.use_model(FakeModel(((SHIRT_XY, "Shirt"), (TROUSERS_XY, "Pants"))), "fake")
    app.predict()
    qtbot.waitUntil(lambda: not app.predicting.running)
    app.person.see()
    return app


def names(app) -> list[str]:
    return [g.category_name for g in app.session.editor.garments]


def test_a_garment_of_a_category_that_the_file_lacks_is_left_out_and_asked_about(unknown) -> None:
    assert names(unknown) == ["Shirt"]
    (text,) = texts(unknown).values()
    assert "found Pants; the file has no such category" in text


@pytest.mark.parametrize("width", [330, 420])
def test_questions_and_answers_are_seen_whole(unknown, width) -> None:
    row = unknown.dock.offers.rows[CATEGORIES]
    unknown.dock.resize(width, unknown.dock.height())
    unknown.person.see()
    assert row.text.height() >= row.text.heightForWidth(row.text.width())
    for button in row.buttons.values():
        assert button.width() >= button.fontMetrics().horizontalAdvance(button.text()) + 12


def test_the_models_category_can_be_added(unknown, qtbot) -> None:
    answer(unknown, CATEGORIES, "Add them")
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    assert sorted(names(unknown)) == ["Pants", "Shirt"]
    assert texts(unknown) == {}


def test_the_answer_is_for_all_images_that_wait_for_it(unknown, qtbot) -> None:
    unknown.actions.next_image()
    unknown.predict()
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    unknown.person.see()
    assert names(unknown) == ["Shirt"]
    answer(unknown, CATEGORIES, "Add them")
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    for _ in range(2):
        assert sorted(names(unknown)) == ["Pants", "Shirt"]
        unknown.actions.previous_image()


def test_or_one_of_the_files_be_named_for_it(unknown, qtbot) -> None:
    asked: list[list[str]] = []

    def choose() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, CategoryMapDialog):
            return
        timer.stop()
        asked.append(list(dialog.choices))
        if "Pants" in dialog.choices:
            dialog.choices["Pants"].setCurrentText("bottoms")
        dialog.accept()

    timer = QTimer()
    timer.timeout.connect(choose)
    timer.start(50)
    answer(unknown, CATEGORIES, "Map them…")
    assert asked == [["Pants"]]
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    assert sorted(names(unknown)) == ["Shirt", "bottoms"]
    editor = unknown.session.editor
    editor.save()
    editor.let_go()
    again = open_editor(editor.path, schema=SCHEMA).editor
    unknown.session.replace_editor(again)
    again.go_to(1)
    unknown.predict()
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    assert sorted(names(unknown)) == ["Shirt", "bottoms"]  # the file remembers
    assert texts(unknown) == {}


def test_or_several_of_the_files_stand_for_it(qtbot) -> None:
    dialog = CategoryMapDialog(None, ["Outwear", "Pants"], ["coat", "jacket", "trousers"])
    qtbot.addWidget(dialog)
    also = dialog.also["Outwear"]
    assert not also.isEnabled()  # nothing is chosen yet
    assert dialog.answer == {}
    dialog.choices["Outwear"].setCurrentText("jacket")
    dialog.choices["Pants"].setCurrentText("trousers")
    assert also.isEnabled()
    shown = {name: action.isVisible() for name, action in also.actions_of.items()}
    assert shown == {"coat": True, "jacket": False, "trousers": True}
    also.actions_of["coat"].trigger()
    assert also.text() == "Also: 1"
    assert dialog.answer == {"Outwear": ("jacket", "coat"), "Pants": "trousers"}
    dialog.choices["Outwear"].setCurrentText("coat")  # what was further is the first now
    assert also.text() == "Also…"
    assert dialog.answer == {"Outwear": "coat", "Pants": "trousers"}
    dialog.choices["Outwear"].setCurrentIndex(0)
    assert dialog.answer == {"Pants": "trousers"}


def test_or_be_left_out_for_good(unknown, qtbot) -> None:
    answer(unknown, CATEGORIES, "Leave out")
    unknown.actions.next_image()
    unknown.predict()
    qtbot.waitUntil(lambda: not unknown.predicting.running)
    assert names(unknown) == ["Shirt"]
    assert texts(unknown) == {}
    unknown.actions.undo()
    unknown.actions.previous_image()


def test_a_file_with_one_category_gives_it_to_every_garment(app, dataset_file, qtbot) -> None:
    document = small_document(["Shirt"])
    document["annotations"] = []
    document["categories"][0]["name"] = "clothing"
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    app.session.use_model(FakeModel(((SHIRT_XY, "Shirt"), (TROUSERS_XY, "Pants"))), "fake")
    app.predict()
    qtbot.waitUntil(lambda: not app.predicting.running)
    app.person.see()
    assert names(app) == ["clothing", "clothing"]
    assert texts(app) == {}


# -- the last guard ------------------------------------------------------------------------------


def test_an_exception_becomes_a_message_with_a_log_and_work_goes_on(
    app, dataset_file, qtbot, monkeypatch
) -> None:
    app.dock.open(dataset_file)
    monkeypatch.setattr(type(app.session.editor), "step", lambda *_: 1 // 0)
    said: list[tuple[str, str]] = []
    app.session.message.connect(lambda level, text: said.append((level, text)))
    with qtbot.capture_exceptions() as caught:  # it takes the hook that the window's guard had
        hook = sys.excepthook
        guard = Guard(lambda text: app.session.notify(text, "error"))
        app.person.press(app.dock.navigation.next)
        guard.close()
        assert sys.excepthook is hook
    monkeypatch.undo()
    ((level, text),) = said
    assert level == "error"
    assert "Something went wrong in the program" in text
    assert "ZeroDivisionError" in text
    assert "Your work is in the journal" in text
    log = Path(text.split("The details are in ")[1].split(";")[0])
    assert "1 // 0" in log.read_text()
    assert len(caught) == 1
    app.actions.set_reviewed(True)
    assert app.session.editor.image.reviewed


def test_exceptions_of_other_plugins_are_not_ours(app) -> None:
    said: list[str] = []
    app.session.message.connect(lambda level, text: said.append(text))
    try:
        raise RuntimeError("theirs")
    except RuntimeError as error:
        app.last_guard.report(error)
    assert said == []


def test_out_of_memory_is_told_as_by_commands(app) -> None:
    said: list[str] = []
    app.session.message.connect(lambda level, text: said.append(text))
    try:
        app.layers.layer(MemoryError)
    except KeyError as outer:
        error = MemoryError().with_traceback(outer.__traceback__)
    app.last_guard.report(error)
    assert said == [
        "Out of memory. Try fewer or smaller images at a time. Your work is in the journal."
    ]


def test_what_napari_reports_is_told_too(app, dataset_file, monkeypatch) -> None:
    from napari.utils.notifications import ErrorNotification, notification_manager

    app.dock.open(dataset_file)
    said: list[str] = []
    app.session.message.connect(lambda level, text: said.append(text))
    monkeypatch.setattr(type(app.session.editor), "step", lambda *_: 1 // 0)
    try:
        app.actions.next_image()
    except ZeroDivisionError as error:
        notification_manager.dispatch(ErrorNotification(error))
    assert len(said) == 1
    assert "ZeroDivisionError" in said[0]


# -- images that are not where the file says -----------------------------------------------------


@pytest.fixture
def moved(app, tmp_path):
    """A file in ``set`` whose images were moved to ``now/photos``."""
    folder, now = tmp_path / "set", tmp_path / "now" / "photos"
    folder.mkdir()
    now.mkdir(parents=True)
    document = small_document()
    for i, image in enumerate(document["images"], start=1):
        image["file_name"] = f"photos/{i}.png"
        PilImage.new("RGB", (120, 120), (40 * i,) * 3).save(now / f"{i}.png")
    path = folder / "small.json"
    path.write_text(json.dumps(document))
    app.dock.open(path)
    app.person.see()
    return app


@pytest.mark.parametrize("chosen", ["now", "now/photos"])
def test_missing_images_are_located_anew(moved, tmp_path, monkeypatch, chosen) -> None:
    (text,) = texts(moved).values()
    assert f"1.png is not in {tmp_path / 'set' / 'photos'}" in text
    assert not moved.dock.problem.isVisible()  # said once
    monkeypatch.setattr(moved.offers, "ask_folder", lambda start: tmp_path / chosen)
    answer(moved, MISSING, "Locate folder…")
    assert texts(moved) == {}
    assert moved.layers.image.max() == 40
    moved.actions.next_image()
    moved.person.see()
    assert moved.layers.image.max() == 80
    assert texts(moved) == {}


def test_a_folder_without_them_is_told(moved, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(moved.offers, "ask_folder", lambda start: tmp_path)
    answer(moved, MISSING, "Locate folder…")
    assert moved.dock.message.text().startswith(f"photos/1.png is not in {tmp_path}")
    assert list(texts(moved)) == [MISSING]
    answer(moved, MISSING, "Leave")
    moved.actions.next_image()
    moved.person.see()
    assert texts(moved) == {}  # asked once; the row says what is wrong
    assert "2.png" in moved.dock.problem.text()


def test_what_is_wrong_with_an_image_is_not_said_of_the_next(app, dataset_file) -> None:
    (dataset_file.parent / "1.png").write_bytes(b"no image")
    app.dock.open(dataset_file)
    app.person.see()
    said = app.dock.problem.text()
    assert said.count("1.png") == 1
    assert app.dock.problem.isVisible()
    app.actions.next_image()
    app.person.see()
    assert not app.dock.problem.isVisible()
    app.actions.previous_image()
    app.person.see()
    assert app.dock.problem.text() == said


# -- sample photos -------------------------------------------------------------------------------


def test_sample_photos_are_fetched_with_progress_and_stop(
    app, qtbot, tmp_path, monkeypatch
) -> None:
    from napari_fashion.app.jobs import fetch as job

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("NAPARI_FASHION_PHOTOS", raising=False)
    monkeypatch.setattr("napari_fashion.datasets.photos.locate", lambda: None)
    source = tmp_path / "mirror"
    source.mkdir()
    real = job.photos.fetch
    monkeypatch.setattr(job.photos, "fetch", lambda **options: real(source=source, **options))
    app.dock.open_photos()
    app.person.see()
    assert "60 MB" in texts(app)[PHOTOS]
    shown: list[tuple[int, int]] = []
    app.fetching.progress.connect(lambda done, total: shown.append((done, total)))
    answer(app, PHOTOS, "Download")
    qtbot.waitUntil(lambda: not app.fetching.running, timeout=30_000)
    app.person.see()
    assert shown[-1] == (0, 0)
    assert not app.dock.fetching.isVisible()
    assert app.dock.message.level == "warning"  # the mirror is empty
    assert "Failed" in app.dock.message.text()
