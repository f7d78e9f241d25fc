from __future__ import annotations

import json
import logging
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_fashion.app.viewer import window as window_module
from napari_fashion.app.viewer.layer_styles import FIELD, KEY, LANDMARKS, OVERLAYS
from napari_fashion.app.viewer.window import window_of
from napari_fashion.app.viewer.writer import write_landmarks
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.landmark_table import Column
from napari_fashion.app.widgets.merge import MergeDialog
from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.edits import Edit, insert_record
from napari_fashion.editing.merge import Conflict
from napari_fashion.editing.opening import Opening, open_editor, pending_of
from napari_fashion.errors import FashionError
from napari_fashion.packaged import PACKAGED_MODELS
from small import SCHEMA, TROUSERS_XY, FakeModel

from .conftest import open_window
from .driving import toggle_reviewed

pytestmark = pytest.mark.window
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def opened(app, dataset_file):
    app.dock.open(dataset_file)
    app.person.see()
    return app


def xy_of(app, garment: int, landmark: int) -> list[float]:
    return app.session.editor.dataset.garment(garment).xy[landmark].tolist()


def shown_at(app, garment: int, landmark: int) -> list[float]:
    """Return where the one point of a landmark is drawn, xy."""
    layer = app.layers.layer(LANDMARKS)
    rows = zip(layer.features["garment"], layer.features["landmark"], strict=True)
    (place,) = [i for i, row in enumerate(rows) if row == (garment, landmark)]
    return layer.data[place][::-1].tolist()


def selected_points(app) -> list[tuple[int, int]]:
    """Return garment and landmark of the points that napari has selected."""
    layer = app.layers.layer(LANDMARKS)
    features = layer.features.iloc[sorted(layer.selected_data)]
    return list(zip(features["garment"], features["landmark"], strict=True))


def test_a_landmark_is_dragged_with_the_mouse(opened) -> None:
    editor = opened.session.editor
    opened.person.drag((40, 20), (55, 33))
    assert np.allclose(xy_of(opened, 11, 0), (55, 33), atol=0.3)
    assert editor.undo_label == "Move left collar"
    assert len(editor.history) == 1
    assert editor.selection.landmark == 0
    assert shown_at(opened, 11, 0) == xy_of(opened, 11, 0)
    opened.person.key(Qt.Key.Key_Z, CTRL)
    assert xy_of(opened, 11, 0) == [40, 20]
    assert shown_at(opened, 11, 0) == [40, 20]
    opened.person.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert np.allclose(xy_of(opened, 11, 0), (55, 33), atol=0.3)
    opened.person.key(Qt.Key.Key_Z, CTRL)
    opened.person.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert np.allclose(xy_of(opened, 11, 0), (55, 33), atol=0.3)


@pytest.fixture
def overlapping(opened):
    """A second shirt exactly over the first one."""
    editor = opened.session.editor
    record = {**editor.dataset.store.record("annotations", 11), "id": 13}
    editor.apply(Edit("Add a copy", 1, (insert_record(editor.dataset, "annotations", record),)))
    return opened


@pytest.mark.parametrize(("garment", "other"), [(11, 13), (13, 11)])
def test_of_landmarks_over_each_other_the_selected_garments_is_dragged(
    overlapping, garment, other
) -> None:
    overlapping.session.editor.select(garment)
    overlapping.person.drag((40, 20), (55, 33))
    assert np.allclose(xy_of(overlapping, garment, 0), (55, 33), atol=0.3)
    assert xy_of(overlapping, other, 0) == [40, 20]
    assert selected_points(overlapping) == [(garment, 0)]
    overlapping.person.drag((55, 33), (60, 50))
    assert np.allclose(xy_of(overlapping, garment, 0), (60, 50), atol=0.6)
    overlapping.person.drag((40, 20), (30, 30))  # what lay under it is reached now
    assert np.allclose(xy_of(overlapping, other, 0), (30, 30), atol=0.3)


def test_of_a_garments_landmarks_over_each_other_the_selected_one_is_dragged(opened) -> None:
    editor = opened.session.editor
    editor.apply(operations.move_landmarks(editor.dataset, 11, {1: (40, 20)}))
    editor.select(11, 0)
    opened.person.drag((40, 20), (55, 33))
    assert np.allclose(xy_of(opened, 11, 0), (55, 33), atol=0.3)
    assert xy_of(opened, 11, 1) == [40, 20]


def test_several_landmarks_drawn_round_are_dragged_together(opened) -> None:
    opened.person.drag((25, 8), (95, 35))  # a box around both collars
    opened.person.drag((80, 20), (80, 30))
    editor = opened.session.editor
    assert len(editor.history) == 1
    assert np.allclose(xy_of(opened, 11, 0), (40, 30), atol=0.3)
    assert np.allclose(xy_of(opened, 11, 1), (80, 30), atol=0.3)
    assert editor.undo_label == "Move 2 landmarks"


@pytest.mark.parametrize(
    ("key", "visibility"),
    [(Qt.Key.Key_F, 1), (Qt.Key.Key_1, 1), (Qt.Key.Key_0, 0), (Qt.Key.Key_Delete, 0)],
)
def test_visibility_by_key(opened, key, visibility) -> None:
    opened.person.click((10, 90))
    opened.person.key(key)
    assert opened.session.editor.dataset.garment(11).visibility[2] == visibility
    assert opened.session.editor.selection.landmark == 2
    if visibility:
        opened.person.key(Qt.Key.Key_2)
        assert opened.session.editor.dataset.garment(11).visibility[2] == 2
    opened.person.key(Qt.Key.Key_Z, CTRL)
    assert opened.session.editor.dataset.garment(11).visibility[2] == (1 if visibility else 2)


def test_a_deleted_point_leaves_the_layer(opened) -> None:
    layer = opened.layers.layer(LANDMARKS)
    opened.person.click((10, 90))
    opened.person.key(Qt.Key.Key_Delete)
    assert len(layer.data) == 5
    layer.selected_data = {0, 1}
    layer.remove_selected()  # napari's own delete button
    assert len(layer.data) == 3
    opened.person.key(Qt.Key.Key_Z, CTRL)
    assert len(layer.data) == 5
    assert opened.session.editor.dataset.garment(11).visibility.tolist() == [2, 2, 0, 2, 0, 0, 2, 2]


def test_keys_nudge_and_are_one_step_of_undo(opened) -> None:
    opened.person.click((40, 20))
    opened.person.key(Qt.Key.Key_L, SHIFT)
    for _ in range(2):
        opened.person.key(Qt.Key.Key_Right)
    opened.person.key(Qt.Key.Key_L)
    opened.person.key(Qt.Key.Key_I)
    assert xy_of(opened, 11, 0) == [53, 19]
    opened.person.key(Qt.Key.Key_Z, CTRL)
    opened.person.key(Qt.Key.Key_Z, CTRL)
    assert xy_of(opened, 11, 0) == [40, 20]


def test_walking_through_images(opened, monkeypatch) -> None:
    editor, navigation = opened.session.editor, opened.dock.navigation
    opened.person.key(Qt.Key.Key_N)
    assert editor.index == 1
    opened.person.key(Qt.Key.Key_PageDown)
    assert editor.index == 2
    assert len(opened.layers.layer(LANDMARKS).data) == 0
    opened.person.press(navigation.previous)
    opened.person.key(Qt.Key.Key_B)
    assert editor.index == 0
    monkeypatch.setattr(QInputDialog, "getInt", lambda *asked: (asked[5] - 1, True))
    opened.dock.menu.go_to_action.trigger()
    assert editor.index == 1
    assert navigation.file_name.text() == "2.png"
    assert len(opened.layers.layer(LANDMARKS).data) == 4


def test_reviewed_by_key_is_shown_as_status(opened) -> None:
    editor = opened.session.editor
    toggle_reviewed(opened)
    assert editor.image.reviewed
    assert opened.dock.navigation.status.text() == "reviewed"
    toggle_reviewed(opened)
    assert not editor.image.reviewed
    assert opened.dock.navigation.status.text() == "edited"  # a file's garments are a person's
    assert opened.dock.file.state.text() == "Not saved"


def test_keys_walk_through_the_landmarks_and_selects_the_point(opened) -> None:
    opened.person.key(Qt.Key.Key_E)
    assert opened.session.editor.selection.landmark == 0
    opened.person.key(Qt.Key.Key_E)
    assert opened.session.editor.selection.landmark == 1
    assert selected_points(opened) == [(11, 1)]
    opened.person.key(Qt.Key.Key_W)
    assert opened.session.editor.selection.landmark == 0


def test_landmark_rows_select_and_set_visibility(opened) -> None:
    person, table = opened.person, opened.dock.landmarks.table
    assert [row.name for row in table.rows.rows][:3] == [
        "left collar",
        "right collar",
        "left sleeve",
    ]
    person.press_landmark(table, 2, Column.NAME)
    assert opened.session.editor.selection.landmark == 2
    person.press_landmark(table, 3, Column.HIDDEN)
    assert opened.session.editor.selection.landmark == 3
    assert opened.session.editor.dataset.garment(11).visibility[3] == 1
    assert table.rows.rows[3].shape == "hidden"
    person.press_landmark(table, 3, Column.ABSENT)
    assert opened.session.editor.dataset.garment(11).visibility[3] == 0


def test_missing_landmarks_are_placed_by_clicks_one_after_the_other(opened) -> None:
    dataset, person = opened.session.editor.dataset, opened.person
    person.click((30, 110))
    person.key(Qt.Key.Key_Delete)
    person.click((10, 90))
    person.key(Qt.Key.Key_Delete)
    person.press(opened.dock.landmarks.place)
    assert opened.layers.layer(LANDMARKS).mode == "add"
    assert opened.session.editor.selection.landmark == 2
    person.click((15, 80))
    opened.person.qtbot.waitUntil(lambda: dataset.garment(11).visibility[2] == 2)
    assert np.allclose(xy_of(opened, 11, 2), (15, 80), atol=0.3)
    assert opened.session.editor.selection.landmark == 6
    person.click((33, 100))
    opened.person.qtbot.waitUntil(lambda: dataset.garment(11).visibility[6] == 2)
    assert np.allclose(xy_of(opened, 11, 6), (33, 100), atol=0.3)
    assert not opened.session.view.placing  # all that a shirt has are placed
    assert opened.layers.layer(LANDMARKS).mode == "select"
    assert not opened.dock.landmarks.place.isChecked()
    assert len(opened.layers.layer(LANDMARKS).data) == 6


def test_a_garment_is_added_placed_and_deleted(opened) -> None:
    editor, person = opened.session.editor, opened.person
    person.key(Qt.Key.Key_N)
    person.key(Qt.Key.Key_N)
    person.key(Qt.Key.Key_O)
    (garment,) = editor.garments
    assert opened.session.view.placing
    person.click((50, 60))
    person.qtbot.waitUntil(lambda: garment.visibility.any())
    person.key(Qt.Key.Key_Escape)
    assert not opened.session.view.placing
    person.key(Qt.Key.Key_Delete, SHIFT)
    assert editor.garments == []
    assert opened.dock.garments.none.isVisible()


@pytest.mark.parametrize(
    "leave",
    [
        [(Qt.Key.Key_Delete, SHIFT)],
        [(Qt.Key.Key_Z, CTRL)],
        [(Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier)],
        [(Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier)] * 2,
    ],
    ids=["deleted", "undone", "next image", "image without garments"],
)
def test_placing_ends_with_its_garment(opened, leave) -> None:
    person, dataset = opened.person, opened.session.editor.dataset
    person.key(Qt.Key.Key_O)
    assert opened.session.view.placing
    for key in leave:
        person.key(*key)
    assert not opened.session.view.placing
    assert opened.layers.layer(LANDMARKS).mode == "select"
    before = json.dumps(dataset.to_document())
    person.click((60, 60))
    person.qtbot.wait(20)  # napari's own way of adding takes a turn of the event loop
    assert json.dumps(dataset.to_document()) == before


def test_placing_goes_on_with_a_garment_added_meanwhile(opened) -> None:
    person, editor = opened.person, opened.session.editor
    person.key(Qt.Key.Key_O)
    person.key(Qt.Key.Key_O)
    assert opened.session.view.placing
    person.click((60, 60))
    person.qtbot.waitUntil(lambda: editor.garments[2].visibility.any())
    assert opened.session.view.placing
    assert not editor.garments[1].visibility.any()


def test_napari_add_button_without_a_garment_adds_nothing(opened) -> None:
    opened.session.editor.go_to(2)
    layer = opened.layers.layer(LANDMARKS)
    layer.mode = "add"
    opened.person.see()
    assert layer.mode == "select"
    assert "Add one first" in opened.dock.message.text()


def test_pasted_points_are_refused(opened) -> None:
    layer = opened.layers.layer(LANDMARKS)
    layer.add([[5, 5]])
    opened.person.qtbot.waitUntil(lambda: len(layer.data) == 6)
    assert not opened.session.editor.history


def test_the_category_is_chosen_by_typing(opened) -> None:
    person, editor = opened.person, opened.session.editor
    person.key(Qt.Key.Key_C)
    popup = opened.dock.garments.rows[0].category.popup
    assert popup.isVisible()
    person.qtbot.keyClicks(popup.field, "dre")
    person.qtbot.keyClick(popup.field, Qt.Key.Key_Return)  # the first match
    assert not popup.isVisible()
    person.see()
    assert editor.garments[0].category_name == "Dress"
    assert editor.undo_label == "Set category Dress"
    assert len(opened.dock.landmarks.table.rows.rows) == 8  # a dress may have a waistline


def test_left_and_right_are_swapped(opened) -> None:
    opened.person.key(Qt.Key.Key_M)
    assert xy_of(opened, 11, 0) == [80, 20]
    opened.person.press(opened.dock.landmarks.swap)
    assert xy_of(opened, 11, 0) == [40, 20]


def test_predict_fills_in_garments_and_fields(opened) -> None:
    person, editor = opened.person, opened.session.editor
    opened.session.use_model(FakeModel(), "fake")
    editor.go_to(2)
    person.press(opened.dock.work.predict)
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    (garment,) = editor.garments
    assert garment.source == "model:fake-1"
    assert opened.dock.garments.rows[0].number.toolTip().startswith("Found by model:fake-1")
    assert opened.dock.garments.rows[0].score.text() == "86 %"
    assert opened.dock.message.text() == "1 garment found."
    person.key(Qt.Key.Key_7)
    assert opened.layers.layer(FIELD).visible
    assert opened.layers.layer(FIELD).data.max() > 0.5
    assert len(opened.layers.fields.arrows.start) > 0
    segments = opened.dock.show_row.segments
    person.press(segments["paf"])
    assert opened.session.view.paf
    assert not opened.layers.layer(FIELD).visible
    assert not segments["pif"].isChecked()
    person.key(Qt.Key.Key_7)
    opened.layers.layer(FIELD).visible = False  # the eye in napari's layer list
    assert not segments["pif"].isChecked()
    person.key(Qt.Key.Key_Z, CTRL)
    assert editor.garments == []


class TellingModel(FakeModel):
    """Tells that every second landmark is hidden."""

    def predict_with_fields(self, images):
        visible = np.array([0.97, 0.17] * 4, np.float32)
        return [
            (fields, replace(p, garments=tuple(replace(g, visible=visible) for g in p.garments)))
            for fields, p in super().predict_with_fields(images)
        ]


def test_predicted_hidden_landmarks_are_rings_and_are_corrected_like_a_persons(opened) -> None:
    person, editor = opened.person, opened.session.editor
    opened.session.use_model(TellingModel(), "telling")
    editor.go_to(2)
    person.press(opened.dock.work.predict)
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    (garment,) = editor.garments
    assert garment.visibility.tolist() == [2, 1, 2, 1, 0, 0, 2, 1]
    opened.layers.draw()
    assert opened.layers.landmarks.scene.selected.hidden.tolist() == [False, True] * 3
    table = opened.dock.landmarks.table
    assert [table.rows.rows[k].shape for k in (0, 1)] == ["visible", "hidden"]
    assert table.rows.rows[1].exception == ""
    assert "hidden with 83 %" in table.rows.rows[1].told
    person.press_landmark(table, 1, Column.VISIBLE)
    assert editor.undo_label == "Set right collar visible"
    assert editor.garments[0].visibility[1] == 2
    assert table.rows.rows[1].exception == "●"
    person.key(Qt.Key.Key_Z, CTRL)
    assert table.rows.rows[1].exception == ""


def test_predict_keeps_what_a_person_did(opened) -> None:
    person, editor = opened.person, opened.session.editor
    opened.session.use_model(FakeModel([(TROUSERS_XY, "Pants")]), "fake")
    person.key(Qt.Key.Key_N)
    person.drag((35, 115), (22, 100))
    moved = xy_of(opened, 12, 6)
    person.key(Qt.Key.Key_R)
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert xy_of(opened, 12, 6) == moved
    assert editor.dataset.garment(12).landmark_sources[7] == "model:fake-1"
    assert "Corrected by a person" in opened.dock.garments.rows[0].number.toolTip()


def test_predict_all_leaves_reviewed_images_and_is_undone_one_by_one(opened) -> None:
    person, editor = opened.person, opened.session.editor
    model = FakeModel()
    opened.session.use_model(model, "fake")
    toggle_reviewed(opened)
    opened.dock.menu.everything.trigger()
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert model.seen == 2
    assert [edit.image_id for edit in editor.history[1:]] == [2, 3]
    assert editor.index == 0
    assert not opened.dock.running.isVisible()


def test_undo_while_all_is_predicted_is_of_what_one_sees(opened) -> None:
    person, editor = opened.person, opened.session.editor
    opened.session.use_model(FakeModel(), "fake")
    person.drag((40, 20), (55, 33))
    toggle_reviewed(opened)
    opened.dock.menu.everything.trigger()
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    predicted = [edit for edit in editor.history if edit.image_id != 1]
    assert len(predicted) == 2
    person.key(Qt.Key.Key_Z, CTRL)
    assert (editor.index, editor.image.reviewed) == (0, False)
    person.key(Qt.Key.Key_Z, CTRL)
    assert editor.index == 0
    assert xy_of(opened, 11, 0) == [40, 20]
    assert [edit for edit in editor.history if edit.image_id != 1] == predicted


def test_results_leave_what_can_be_redone(opened) -> None:
    person = opened.person
    opened.session.use_model(FakeModel(), "fake")
    person.drag((40, 20), (55, 33))
    person.key(Qt.Key.Key_Z, CTRL)
    person.key(Qt.Key.Key_N)
    person.press(opened.dock.work.predict)
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    person.key(Qt.Key.Key_B)
    assert opened.dock.file.redo.toolTip().startswith("Redo: Move left collar")
    person.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert np.allclose(xy_of(opened, 11, 0), (55, 33), atol=0.3)


def test_a_packaged_model_is_loaded_by_its_name(opened) -> None:
    """From the menu of *Load…*; it has layers, and its fields are shown as one."""
    menu = opened.dock.menu
    entry = {action.text().partition(":")[0]: action for action in menu.models.actions()}
    assert [name for name in entry if name] == [*PACKAGED_MODELS, "From a file…"]
    entry["people"].trigger()
    opened.person.qtbot.waitUntil(lambda: opened.session.model is not None, timeout=60_000)
    assert opened.session.model.id.startswith("people-")
    assert opened.session.model_source == "people"
    assert menu.models.title() == f"Model: {opened.session.model.id}"
    opened.person.press(opened.dock.work.predict)
    opened.person.qtbot.waitUntil(lambda: not opened.predicting.running, timeout=60_000)
    fields = opened.session.fields_of(opened.session.editor.image_id)
    assert fields.n_landmarks == len(SCHEMA.landmarks)


def test_a_model_that_loads_late_gives_way_to_the_one_chosen_meanwhile(opened, monkeypatch) -> None:
    from napari_fashion.app.jobs import predict as jobs

    chosen = threading.Event()
    late, other = FakeModel(model_id="late"), FakeModel(model_id="chosen")

    def load(source):
        assert chosen.wait(10)
        return late

    monkeypatch.setattr(jobs, "load_model", load)
    opened.person.press(opened.dock.work.predict)
    opened.session.use_model(other, "elsewhere")
    chosen.set()
    opened.person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert (opened.session.model, opened.session.model_source) == (other, "elsewhere")
    assert late.seen == 1
    assert opened.session.fields_of(1) is None


def test_predict_without_a_model_says_what_to_do(opened, monkeypatch) -> None:
    from napari_fashion.app.jobs import predict as jobs
    from napari_fashion.errors import CheckpointError

    def missing(source):
        raise CheckpointError("The package has no bundled model here; install the released one.")

    monkeypatch.setattr(jobs, "load_model", missing)
    opened.person.press(opened.dock.work.predict)
    opened.person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert "no bundled model" in opened.dock.message.text()
    assert opened.dock.work.predict.isEnabled()


def test_a_missing_image_is_told_and_the_rest_goes_on(opened, tmp_path) -> None:
    (tmp_path / "2.png").unlink()
    opened.session.use_model(FakeModel(), "fake")
    opened.dock.menu.everything.trigger()
    opened.person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert "2.png" in opened.dock.message.text()
    assert [e.image_id for e in opened.session.editor.history] == [3]
    opened.person.key(Qt.Key.Key_N)  # shown all the same, grey, with its landmarks
    assert len(opened.layers.layer(LANDMARKS).data) == 4


def test_save_writes_the_opened_file_and_asks_once(opened, tmp_path, monkeypatch) -> None:
    asked = []
    path = tmp_path / "small.json"
    before = path.read_text()
    monkeypatch.setattr(
        files,
        "ask_save_place",
        lambda _, name: asked.append(name) or (None if len(asked) == 1 else "save"),
    )
    save = opened.dock.menu.save_action
    toggle_reviewed(opened)
    save.trigger()  # the person thinks better of it
    assert opened.session.editor.dirty
    assert path.read_text() == before
    save.trigger()
    assert not opened.session.editor.dirty
    toggle_reviewed(opened)
    save.trigger()
    assert asked == ["small.json"] * 2
    assert json.loads(path.read_text())["images"][0]["fashion"] == {"reviewed": False}
    opened.dock.open(path)
    toggle_reviewed(opened)
    save.trigger()
    assert len(asked) == 2  # once a file, not once a window


def test_save_as_goes_on_in_another_file(opened, tmp_path, monkeypatch) -> None:
    before = (tmp_path / "small.json").read_text()
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save as")
    monkeypatch.setattr(files, "ask_save", lambda *_: tmp_path / "other.json")
    toggle_reviewed(opened)
    opened.dock.menu.save_action.trigger()
    assert opened.dock.file.name.text() == "other.json"
    assert (tmp_path / "small.json").read_text() == before
    assert json.loads((tmp_path / "other.json").read_text())["images"][0]["fashion"]["reviewed"]


def left_behind(app, path, steps=1) -> None:
    """Leave edits of a file in its journal, as a killed window does."""
    opening = open_editor(path, schema=SCHEMA)
    for image_id in range(1, steps + 1):
        opening.editor.apply(operations.set_reviewed(opening.editor.dataset, image_id, True))
    opening.editor.let_go()


@pytest.mark.parametrize("answer", ["restore", "aside", None])
def test_changes_that_were_not_saved_are_offered(app, dataset_file, monkeypatch, answer) -> None:
    left_behind(app, dataset_file, 2)
    asked = []
    monkeypatch.setattr(
        files, "ask_pending", lambda *a, conflict: asked.append((*a[1:], conflict)) or answer
    )
    before = app.session.editor
    app.dock.open(dataset_file)
    ((name, text, conflict),) = asked
    assert (name, text.startswith("2 changes since"), conflict) == ("small.json", True, False)
    editor = app.session.editor
    if answer is None:
        assert editor is before
        return
    assert editor.image.reviewed == (answer == "restore")
    if answer == "restore":
        app.person.key(Qt.Key.Key_Z, CTRL)
        assert not editor.dataset.image(1).reviewed
        assert editor.dataset.image(2).reviewed
    else:
        assert "put aside as" in app.dock.message.text()


def other_program(path, value) -> None:
    document = json.loads(path.read_text())
    document["annotations"][0]["keypoints"][0] = value
    path.write_text(json.dumps(document))


@pytest.mark.parametrize("answer", ["mine", "theirs", "merge", None])
def test_a_file_that_another_program_changed_is_asked_about(
    opened, dataset_file, monkeypatch, answer
) -> None:
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    asked = []
    monkeypatch.setattr(files, "ask_conflict", lambda *a: asked.append(a[1]) or answer)
    opened.person.drag((80, 20), (70, 30))
    toggle_reviewed(opened)
    other_program(dataset_file, 33)
    theirs = dataset_file.read_text()
    decided = []

    def decide(dialog):
        decided.append(dialog.windowTitle())
        dialog.mine[0].click()
        dialog.accept()
        return dialog.DialogCode.Accepted

    monkeypatch.setattr(MergeDialog, "exec", decide)
    opened.dock.menu.save_action.trigger()
    assert asked == ["small.json: another program changed this file since it was read."]
    editor, saved = opened.session.editor, json.loads(dataset_file.read_text())
    assert decided == (["Records that both changed"] if answer == "merge" else [])
    if answer in (None, "theirs"):
        assert dataset_file.read_text() == theirs
    else:
        assert saved["images"][0]["fashion"]["reviewed"]
        assert saved["annotations"][0]["keypoints"][0] == 40
        assert not editor.dirty
    if answer is None:
        assert editor.dirty
        assert "nothing was written" in opened.dock.message.text()
    if answer == "theirs":
        assert xy_of(opened, 11, 0) == [33, 20]
        assert shown_at(opened, 11, 0) == [33, 20]
        assert "put aside as" in opened.dock.message.text()


def test_the_merge_dialog_shows_both_sides(qtbot) -> None:
    conflict = Conflict(
        ("annotations", 7),
        '{"id":7,"a":1,"b":[1]}',
        '{"id":7,"a":2,"b":[1]}',
        '{"id":7,"a":3,"b":[1]}',
        "changed here and on the disk",
    )
    gone = Conflict(("images", "x"), '{"id":"x"}', None, '{"id":"x","w":1}', "removed here")
    dialog = MergeDialog(None, [conflict, gone])
    qtbot.addWidget(dialog)
    dialog.show()
    texts = [[dialog.table.cellWidget(r, c).text() for c in range(3)] for r in range(2)]
    assert texts[0][1:] == ["id: 7<br><b>a: 2</b><br>b: [1]", "id: 7<br><b>a: 3</b><br>b: [1]"]
    assert texts[1][1] == "<b>removed</b>"
    at = QPoint(8, dialog.theirs[1].height() // 2)  # on the circle
    qtbot.mouseClick(dialog.theirs[1], Qt.MouseButton.LeftButton, pos=at)
    assert dialog.choices == {("annotations", 7): "mine", ("images", "x"): "theirs"}


def test_an_earlier_version_is_restored(opened, dataset_file, monkeypatch) -> None:
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    before = dataset_file.read_text()
    assert not opened.dock.menu.earlier.isEnabled()
    toggle_reviewed(opened)
    opened.dock.menu.save_action.trigger()
    assert opened.dock.menu.earlier.isEnabled()
    seen = []
    monkeypatch.setattr(files, "ask_version", lambda _, names: seen.append(names) or 0)
    opened.dock.menu.earlier.trigger()
    assert len(seen[0]) == 1
    assert dataset_file.read_text() == before
    assert not opened.session.editor.image.reviewed


def test_the_oldest_version_can_be_restored_though_work_is_saved_first(
    opened, dataset_file, monkeypatch
) -> None:
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    opened.session.editor.select(11, 0)
    for _ in range(6):
        opened.person.key(Qt.Key.Key_Right)
        opened.dock.menu.save_action.trigger()
    opened.person.key(Qt.Key.Key_Right)  # not saved yet
    monkeypatch.setattr(files, "ask_unsaved", lambda *_, **__: "save")
    chosen = []

    def oldest(_, names):
        versions = opened.session.editor.work.versions()
        chosen.append(versions[len(names) - 1].path.read_bytes())
        return len(names) - 1

    monkeypatch.setattr(files, "ask_version", oldest)
    opened.dock.menu.earlier.trigger()
    assert dataset_file.read_bytes() == chosen[0]


def test_a_data_set_open_elsewhere_can_be_looked_at(app, dataset_file) -> None:
    other = open_editor(dataset_file, schema=SCHEMA).editor
    app.dock.open(dataset_file)
    app.person.see()
    assert "open elsewhere" in app.dock.message.text()
    assert (app.dock.file.name.text(), app.dock.file.state.text()) == ("small.json", "Read-only")
    app.person.drag((40, 20), (55, 33))
    assert xy_of(app, 11, 0) == [40, 20]
    assert shown_at(app, 11, 0) == [40, 20]
    assert "open elsewhere" in app.dock.message.text()
    other.let_go()


def test_oddities_are_told_from_the_background(app, dataset_file, qtbot) -> None:
    document = json.loads(dataset_file.read_text())
    document["annotations"][0]["keypoints"].pop()
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    qtbot.waitUntil(lambda: "keypoints of another form: 1 (" in app.dock.message.text())
    assert "annotations[0].keypoints: found 23 numbers; expected 24" in app.dock.message.text()
    document["annotations"][1]["bbox"] = ["<b>x</b>"] * 4
    document["annotations"][1]["image_id"] = 77
    document["images"][0]["width"] = document["images"][0]["height"] = "120"
    document["images"][1]["file_name"] = "3.png"
    document["categories"][1]["skeleton"] = None
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    qtbot.waitUntil(lambda: "Oddities" in app.dock.message.text())
    text, tip = app.dock.message.text(), app.dock.message.toolTip()
    assert "keypoints of another form" in tip
    assert "more kinds" in text
    assert "found" not in text
    assert tip.count("\n") >= 5
    assert "77" in tip


def test_export_of_reviewed_images(opened, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(files, "ask_save", lambda *_: tmp_path / "out.json")
    opened.dock.menu.only_reviewed.trigger()
    assert "No image is marked" in opened.dock.message.text()
    toggle_reviewed(opened)
    opened.dock.menu.only_reviewed.trigger()
    written = json.loads((tmp_path / "out.json").read_text())
    assert [i["id"] for i in written["images"]] == [1]


@pytest.mark.parametrize("answer", [False, True])
def test_export_over_the_saved_work_asks_and_is_no_save(
    opened, tmp_path, monkeypatch, answer
) -> None:
    editor, work = opened.session.editor, tmp_path / "work.json"
    editor.save(work)  # as "save as" does
    questions = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(work), ""))
    monkeypatch.setattr(files, "ask", lambda *asked: questions.append(asked[2]) or answer)
    opened.dock.menu.all_images.trigger()
    (question,) = questions
    assert "your work is saved in" in question
    ids = [record["id"] for record in json.loads(work.read_text())["annotations"]]
    assert ids == ([11] if answer else [11, 12])  # the model's is left out of an export
    assert editor.dirty == answer
    assert (opened.dock.file.state.text() == "Not saved") == answer


def test_napari_export_over_the_saved_work_is_refused(opened, tmp_path) -> None:
    opened.session.editor.save(tmp_path / "work.json")
    saved = (tmp_path / "work.json").read_text()
    layer = opened.layers.layer(LANDMARKS)
    with pytest.raises(FashionError, match="your work is saved in"):
        write_landmarks(str(tmp_path / "work.json"), layer.data, {"metadata": layer.metadata})
    assert (tmp_path / "work.json").read_text() == saved


@pytest.fixture
def own_window(dataset_file, monkeypatch):
    """A window that a test may close, with an edit that is not saved."""
    window = open_window()
    window.dock.open(dataset_file)
    toggle_reviewed(window)
    window.main = window.dock.window()
    yield window
    if window_module._windows.get(window.viewer) is window:
        monkeypatch.setattr(files, "ask_unsaved", lambda *_, **__: "later")
        monkeypatch.setattr(files, "ask_training", lambda *_: "stop")
        window.viewer.close()


@pytest.mark.parametrize("answer", ["cancel", "later", "save"])
def test_closing_with_unsaved_edits_asks(own_window, monkeypatch, answer, tmp_path) -> None:
    asked = []
    monkeypatch.setattr(files, "ask_unsaved", lambda *_, **__: asked.append(1) or answer)
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    own_window.main.close()
    assert asked == [1]
    assert own_window.main.isVisible() == (answer == "cancel")
    path = tmp_path / "small.json"
    assert Dataset.load(path).image(1).reviewed == (answer == "save")
    assert (pending_of(path) is None) == (answer == "save")  # kept for later in any other case
    still = window_module._windows.get(own_window.viewer) is own_window
    assert still == (answer == "cancel")
    if still:
        own_window.actions.next_image()
        assert len(own_window.layers.layer(LANDMARKS).data) == 4


def test_a_close_that_napari_does_not_carry_out_ends_nothing(
    own_window, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(files, "ask_unsaved", lambda *_, **__: "later")
    monkeypatch.setattr(files, "ask_training", lambda *_: "stop")
    script = tmp_path / "trainer.py"
    script.write_text("import time\ntime.sleep(600)\n")
    own_window.training._command = [sys.executable, str(script)]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # of a run that no window shows
    own_window.training.start(tmp_path / "recipe.toml", tmp_path / "run")
    process = own_window.training._process
    with monkeypatch.context() as patch:  # its own question, answered with Cancel
        patch.setattr(type(own_window.main), "closeEvent", lambda self, event: event.ignore())
        own_window.main.close()
    assert own_window.main.isVisible()
    assert process.alive
    assert own_window.training.running
    assert window_of(own_window.viewer) is own_window
    own_window.actions.next_image()
    assert len(own_window.layers.layer(LANDMARKS).data) == 4
    own_window.main.close()
    assert not own_window.main.isVisible()
    assert not process.alive
    assert own_window.viewer not in window_module._windows


def test_a_file_that_cannot_be_read_leaves_what_is_open(opened, tmp_path) -> None:
    (tmp_path / "bad.json").write_text("{")
    opened.dock.open(tmp_path / "bad.json")
    assert "bad.json" in opened.dock.message.text()
    assert opened.session.editor.n_images == 3


def test_a_folder_of_images_is_opened_and_saved_beside_them(opened, tmp_path):
    opened.dock.open(tmp_path)
    assert opened.session.editor.n_images == 3
    toggle_reviewed(opened)
    assert opened.dock.save()
    opened.dock.open(tmp_path)
    assert opened.dock.file.name.text() == "annotations.json"
    assert opened.session.editor.image.path.is_file()
    assert opened.session.editor.image.reviewed


def test_saved_in_another_folder_the_images_are_found_again(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ask_save", lambda *_: tmp_path / "else" / "where.json")
    assert opened.dock.save_as()
    opened.dock.open(tmp_path / "else" / "where.json")
    assert opened.session.editor.image.path.is_file()
    assert len(opened.session.editor.dataset.garments) == 2


def test_the_dock_passes_keys_on_but_not_where_one_types(opened) -> None:
    person, dock = opened.person, opened.dock
    dock.setFocus()
    person.qtbot.keyClick(dock, Qt.Key.Key_N)
    assert opened.session.editor.index == 1
    person.press(dock.garments.rows[0].category)
    popup = dock.garments.rows[0].category.popup
    person.qtbot.keyClick(popup.field, Qt.Key.Key_N)
    assert popup.field.text() == "n"
    person.qtbot.keyClick(popup.field, Qt.Key.Key_Escape)
    assert not popup.isVisible()
    assert opened.session.editor.index == 1


def test_removed_layers_come_back_with_the_next_image(opened) -> None:
    viewer = opened.viewer
    viewer.layers.remove(opened.layers.layer(FIELD))
    opened.person.key(Qt.Key.Key_N)
    ours = [layer.name for layer in viewer.layers if KEY in layer.metadata]
    assert ours == ["image", *OVERLAYS]
    viewer.layers.clear()
    opened.person.key(Qt.Key.Key_N)
    assert len([layer for layer in viewer.layers if KEY in layer.metadata]) == 1 + len(OVERLAYS)


def test_the_view_stays_while_images_have_one_size(opened) -> None:
    opened.viewer.camera.zoom = 11
    opened.viewer.camera.center = (0, 33, 44)
    opened.person.key(Qt.Key.Key_N)
    assert opened.viewer.camera.zoom == 11
    assert tuple(opened.viewer.camera.center)[-2:] == (33, 44)


def test_a_file_with_an_absurd_coordinate_is_opened_and_mended(opened, tmp_path) -> None:
    document = json.loads((tmp_path / "small.json").read_text())
    document["annotations"][0]["keypoints"][:2] = [1e30, -1e30]
    (tmp_path / "absurd.json").write_text(json.dumps(document))
    opened.dock.open(tmp_path / "absurd.json")
    opened.person.see()
    editor = opened.session.editor
    assert editor.dataset.path.name == "absurd.json"
    assert len(opened.layers.layer(LANDMARKS).data) == 6
    opened.person.drag((80, 20), (70, 30))
    assert np.allclose(xy_of(opened, 11, 1), (70, 30), atol=0.3)
    assert xy_of(opened, 11, 0) == [1e30, -1e30]  # a file's values are kept
    editor.select(11, 0)
    opened.actions.delete_landmark()
    assert len(opened.layers.layer(LANDMARKS).data) == 5


def test_napari_logs_no_errors(opened, caplog) -> None:
    with caplog.at_level(logging.ERROR):
        opened.person.drag((40, 20), (50, 25))
        opened.person.key(Qt.Key.Key_N)
    assert not caplog.records


def test_a_journal_and_another_program_are_merged_at_opening(
    app, dataset_file, monkeypatch
) -> None:
    left_behind(app, dataset_file)
    other_program(dataset_file, 33)
    asked = []
    monkeypatch.setattr(
        files, "ask_pending", lambda *_, conflict: asked.append(conflict) or "merge"
    )
    app.dock.open(dataset_file)
    editor = app.session.editor
    assert asked == [True]
    assert editor.dataset.image(1).reviewed
    assert xy_of(app, 11, 0) == [33, 20]
    assert editor.is_journaled
    app.person.key(Qt.Key.Key_Z, CTRL)
    assert not editor.dataset.image(1).reviewed


def test_a_merge_that_cannot_be_made_says_what_to_do(app, dataset_file, monkeypatch) -> None:
    left_behind(app, dataset_file)
    other_program(dataset_file, 33)
    monkeypatch.setattr(files, "ask_pending", lambda *_, conflict: "merge")

    def fail(_):
        raise FashionError("They do not fit.")

    monkeypatch.setattr(Opening, "merge", fail)
    app.dock.open(dataset_file)
    assert "put your changes aside" in app.dock.message.text()
    monkeypatch.setattr(files, "ask_pending", lambda *_, conflict: "aside")
    app.dock.open(dataset_file)
    assert app.session.editor.path == dataset_file
