"""Keys, focus and the mouse on the canvas, by real events."""

from __future__ import annotations

import json

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_fashion.app.keys import ROWS, keys_of, used_keymap
from napari_fashion.app.keys.table import NAPARI
from napari_fashion.app.viewer.gestures import HELP
from napari_fashion.app.viewer.layer_styles import IMAGE, LANDMARKS
from napari_fashion.app.widgets import files, landmarks
from napari_fashion.editing import operations
from napari_fashion.editing.edits import Edit, insert_record
from small import TROUSERS_XY, FakeModel, predicted, prediction

from .driving import LEFT, toggle_reviewed

pytestmark = pytest.mark.window
NONE = Qt.KeyboardModifier.NoModifier
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
Key = Qt.Key


@pytest.fixture
def opened(app, dataset_file):
    app.dock.open(dataset_file)
    app.person.see()
    return app


def drag_with(app, modifier, start, end) -> None:
    """Drag on the canvas while a modifier is held."""
    canvas, person = app.person.canvas, app.person
    person.see()
    person.qtbot.mouseMove(canvas, person.where(start))
    person.qtbot.mousePress(canvas, LEFT, modifier, person.where(start))
    for share in (0.5, 1.0):
        at = person.where(np.array(start) + share * (np.array(end) - np.array(start)))
        move = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), LEFT, LEFT, modifier)
        QApplication.sendEvent(canvas, move)
    person.qtbot.mouseRelease(canvas, LEFT, modifier, person.where(end))
    person.see()


def turn_wheel(app, modifier, notches: int) -> None:
    canvas = app.person.canvas
    at = QPointF(canvas.rect().center())
    for _ in range(abs(notches)):
        step = QPoint(120 if notches > 0 else -120, 0)
        event = QWheelEvent(
            at,
            QPointF(canvas.mapToGlobal(at.toPoint())),
            QPoint(),
            step,
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(canvas, event)
    app.person.see()


# -- which keys act, and where -------------------------------------------------------------


def test_ctrl_s_saves_and_napari_asks_for_no_file(opened, dataset_file, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(files, "ask_save_place", lambda *_: "save")
    monkeypatch.setattr(QFileDialog, "exec", lambda *_: asked.append("exec"))
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_, **__: asked.append("save") or ("", "")
    )
    toggle_reviewed(opened)
    opened.person.key(Key.Key_S, CTRL)
    assert json.loads(dataset_file.read_text())["images"][0]["fashion"]["reviewed"]
    toggle_reviewed(opened)
    opened.dock.setFocus()
    opened.person.qtbot.keyClick(opened.dock, Key.Key_S, CTRL)  # the dock has the keyboard
    assert not json.loads(dataset_file.read_text())["images"][0]["fashion"]["reviewed"]
    assert not asked


@pytest.mark.parametrize("key", [Key.Key_G, Key.Key_E, Key.Key_T, Key.Key_Y])
def test_keys_that_lay_layers_apart_or_turn_them_do_nothing(opened, key) -> None:
    viewer = opened.viewer
    before = (viewer.grid.enabled, tuple(viewer.dims.order), viewer.dims.ndisplay)
    opened.person.key(key, CTRL)
    assert (viewer.grid.enabled, tuple(viewer.dims.order), viewer.dims.ndisplay) == before
    opened.person.key(Key.Key_5)
    assert opened.layers.layer(LANDMARKS).mode == "select"


def test_keys_are_naparis_while_a_layer_of_others_is_active(opened) -> None:
    viewer = opened.viewer
    other = viewer.add_points(np.array([[5.0, 5.0]]), name="other")
    viewer.layers.selection.active = other
    opened.person.key(Key.Key_N)
    assert opened.session.editor.index == 0
    opened.person.key(Key.Key_2)
    assert other.mode == "add"


def test_keys_typed_in_a_field_do_not_act_and_esc_puts_back_what_was_there(
    opened, monkeypatch
) -> None:
    person, editor = opened.person, opened.session.editor
    monkeypatch.setattr(landmarks, "FILTER_FROM", 1)
    opened.dock.landmarks.refresh()
    field = opened.dock.landmarks.filter
    field.setFocus()
    person.qtbot.keyClicks(field, "collar")
    assert (editor.index, opened.predicting.running, len(editor.garments)) == (0, False, 1)
    person.qtbot.keyClick(field, Key.Key_Escape)
    person.see()
    assert (field.text(), field.hasFocus()) == ("", False)
    person.key(Key.Key_N)
    assert editor.index == 1
    field.setFocus()
    person.qtbot.keyClicks(field, "hem")
    person.qtbot.keyClick(field, Key.Key_Return)
    person.see()
    assert (field.text(), field.hasFocus()) == ("hem", False)
    assert (editor.index, editor.image.reviewed) == (1, False)  # Return was for the field
    field.clear()


def test_another_layer_of_ours_is_active_only_until_the_pointer_is_on_the_image(opened) -> None:
    opened.viewer.layers.selection.active = opened.layers.layer(IMAGE)
    opened.person.drag((40, 20), (55, 33))
    assert opened.viewer.layers.selection.active is opened.layers.layer(LANDMARKS)
    assert np.allclose(opened.session.editor.dataset.garment(11).xy[0], (55, 33), atol=0.3)


def test_everything_but_the_image_is_hidden_while_a_key_is_held(opened) -> None:
    canvas, layer = opened.person.canvas, opened.layers.layer(LANDMARKS)
    opened.person.qtbot.keyPress(canvas, Key.Key_H)
    opened.person.see()
    assert not layer.visible
    opened.person.qtbot.keyRelease(canvas, Key.Key_H)
    opened.person.see()
    assert layer.visible
    assert len(layer.data) == 6


def test_space_tapped_accepts_and_held_does_not(opened) -> None:
    canvas, qtbot, editor = opened.person.canvas, opened.person.qtbot, opened.session.editor
    qtbot.keyPress(canvas, Key.Key_Space)
    assert opened.layers.layer(LANDMARKS).mode == "pan_zoom"
    qtbot.wait(300)
    qtbot.keyRelease(canvas, Key.Key_Space)
    opened.person.see()
    assert (editor.index, editor.image.reviewed) == (0, False)
    qtbot.keyPress(canvas, Key.Key_Space)
    qtbot.keyRelease(canvas, Key.Key_Space)
    opened.person.see()
    assert editor.dataset.image(1).reviewed
    assert editor.index == 1
    assert opened.layers.layer(LANDMARKS).mode == "select"


# -- flow ----------------------------------------------------------------------------------


def test_accept_goes_on_to_what_is_unsure_and_undo_comes_back(opened) -> None:
    editor, person = opened.session.editor, opened.person
    opened.session.use_model(FakeModel(), "fake")
    opened.predicting.start(only=[2])  # an edit of the next image, made before
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    person.key(Key.Key_Z, CTRL)  # takes that back: the image has none
    person.key(Key.Key_Z, CTRL | SHIFT)
    editor.go_to(0)
    person.key(Key.Key_Return)
    assert editor.index == 1
    person.key(Key.Key_Z, CTRL)
    assert (editor.index, editor.image.reviewed) == (0, False)


def test_accepting_selects_the_first_unsure_landmark(app, dataset_file) -> None:
    document = json.loads(dataset_file.read_text())
    document["annotations"][1]["fashion"]["keypoint_scores"][6:] = [0.3, 0.6]  # two more are unsure
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    app.person.see()
    opened, editor = app, app.session.editor
    opened.person.key(Key.Key_Return)
    assert editor.dataset.image(1).reviewed
    assert (editor.selection.garment_id, editor.selection.landmark) == (12, 5)  # 0.4
    opened.person.key(Key.Key_Return)
    assert editor.index == 2
    opened.person.key(Key.Key_Return, SHIFT)  # nothing is on it
    assert all(image.reviewed for image in editor.dataset.images)


def test_an_image_without_garments_is_predicted_first(opened) -> None:
    editor, person = opened.session.editor, opened.person
    opened.session.use_model(FakeModel([(TROUSERS_XY, "Pants")]), "fake")
    editor.go_to(2)
    person.key(Key.Key_Return)
    person.qtbot.waitUntil(lambda: not opened.predicting.running)
    assert (editor.index, len(editor.garments), editor.image.reviewed) == (2, 1, False)


def test_rejected_images_are_passed_over_and_taken_back(opened) -> None:
    editor, person = opened.session.editor, opened.person
    person.key(Key.Key_X)
    assert (editor.dataset.image(1).status, editor.index) == ("rejected", 1)
    person.key(Key.Key_U)
    person.key(Key.Key_U)
    assert editor.index == 1  # not the first one
    person.key(Key.Key_B)
    person.key(Key.Key_Return)
    assert editor.image.status == "edited"


def test_garments_are_copied_from_image_to_image(opened) -> None:
    editor, person = opened.session.editor, opened.person
    shirt = editor.garments[0].xy.copy()
    person.key(Key.Key_C, CTRL)
    person.key(Key.Key_D, CTRL)
    assert np.allclose(editor.garments[1].xy[0], shirt[0] + 3.6)
    person.key(Key.Key_N)
    person.key(Key.Key_V, CTRL)
    assert editor.garments[1].xy.tolist() == shirt.tolist()
    person.key(Key.Key_N)
    person.key(Key.Key_V, CTRL | SHIFT)
    assert [g.category_name for g in editor.garments] == ["Pants", "Shirt"]
    assert editor.undo_label == "Copy from the previous image"
    person.key(Key.Key_Z, CTRL)
    assert editor.garments == []


def test_a_digit_chooses_one_of_the_models_categories(opened) -> None:
    opened.person.key(Key.Key_N)
    opened.person.key(Key.Key_C)
    popup = opened.dock.garments.rows[0].category.popup
    opened.person.qtbot.keyClick(popup.field, Key.Key_2)
    opened.person.see()
    assert opened.session.editor.garments[0].category_name == "Shorts"
    assert not popup.isVisible()


def test_the_models_second_category_is_one_key(opened) -> None:
    opened.person.key(Key.Key_N)
    opened.person.key(Key.Key_2, CTRL)
    assert opened.session.editor.garments[0].category_name == "Shorts"
    opened.person.key(Key.Key_Z, CTRL)
    assert opened.session.editor.garments[0].category_name == "Pants"


def test_the_status_bar_keeps_our_hint_whatever_the_mode(opened) -> None:
    person, viewer = opened.person, opened.viewer
    opened.session.editor.select(11)
    for key in (Key.Key_P, Key.Key_Escape):
        person.key(key)
        point(person, (60, 60))
        assert viewer.help == HELP
    viewer.layers.selection.active = opened.layers.layer("image")
    person.see()
    viewer.layers.selection.active = opened.layers.layer("landmarks")
    person.see()
    assert viewer.help == HELP


# -- placing -------------------------------------------------------------------------------


def test_undo_while_placing_places_the_landmark_that_was_taken_back(opened) -> None:
    editor, person = opened.session.editor, opened.person
    person.key(Key.Key_O)
    garment = editor.garments[1]
    for xy in ((45, 30), (75, 30)):
        before = int((garment.visibility > 0).sum())
        person.click(xy)
        person.qtbot.waitUntil(lambda n=before: (garment.visibility > 0).sum() == n + 1)
    person.key(Key.Key_Z, CTRL)
    assert garment.visibility.tolist() == [2, 0, 0, 0, 0, 0, 0, 0]
    person.click((70, 35))
    person.qtbot.waitUntil(lambda: garment.visibility[1] == 2)
    assert np.allclose(garment.xy[1], (70, 35), atol=0.3)
    person.key(Key.Key_Escape)
    assert not opened.session.view.placing
    person.click((60, 60))
    assert garment.visibility.tolist() == [2, 2, 0, 0, 0, 0, 0, 0]


def test_a_click_beside_the_image_places_nothing(opened) -> None:
    person = opened.person
    person.key(Key.Key_O)
    person.click((-12, 60))
    person.qtbot.waitUntil(lambda: "outside the image" in opened.dock.message.text())
    assert not opened.session.editor.garments[1].visibility.any()
    assert opened.session.view.placing


def test_an_empty_garment_goes_with_the_image(opened) -> None:
    editor, person = opened.session.editor, opened.person
    person.key(Key.Key_O)
    person.key(Key.Key_Escape)
    assert len(editor.garments) == 2
    person.key(Key.Key_N)
    assert len(editor.dataset.garments_of(1)) == 1
    assert not editor.history
    person.key(Key.Key_Z, CTRL | SHIFT)
    assert len(editor.dataset.garments_of(1)) == 1


def test_a_held_space_moves_the_image_while_placing(opened) -> None:
    canvas, qtbot = opened.person.canvas, opened.person.qtbot
    opened.person.key(Key.Key_O)
    qtbot.keyPress(canvas, Key.Key_Space)
    qtbot.wait(300)
    qtbot.keyRelease(canvas, Key.Key_Space)
    opened.person.see()
    assert opened.session.view.placing
    assert opened.layers.layer(LANDMARKS).mode == "add"


def test_enter_while_placing_waits(opened) -> None:
    editor, person = opened.session.editor, opened.person
    person.key(Key.Key_O)
    person.key(Key.Key_Return)
    assert (editor.index, editor.image.reviewed) == (0, False)
    assert "stop with Esc" in opened.dock.message.text()


def test_a_held_key_nudges_on_and_goes_through_no_images(opened) -> None:
    editor, canvas = opened.session.editor, opened.person.canvas
    editor.select(11, 0)
    for key in (Key.Key_L, Key.Key_N):
        for again in (False, True, True):
            event = QKeyEvent(QEvent.Type.KeyPress, key, NONE, "", again)
            QApplication.sendEvent(canvas, event)
    assert editor.dataset.garment(11).xy[0].tolist() == [43, 20]
    assert editor.index == 1


# -- several landmarks, whole garments -----------------------------------------------------


@pytest.fixture
def two_shirts(opened):
    """A second shirt, moved a little."""
    editor = opened.session.editor
    record = {**editor.dataset.store.record("annotations", 11), "id": 13}
    editor.apply(Edit("Add a copy", 1, (insert_record(editor.dataset, "annotations", record),)))
    editor.apply(operations.move_landmarks(editor.dataset, 13, {0: (48, 26), 1: (72, 26)}))
    editor.select(11)
    opened.person.see()
    return opened


def test_a_box_selects_the_chosen_garments_landmarks_and_keys_act_on_all(two_shirts) -> None:
    editor, person = two_shirts.session.editor, two_shirts.person
    person.drag((25, 5), (95, 35))
    assert editor.selection.garment_id == 11
    assert editor.selection.landmarks == {0, 1}
    points = two_shirts.layers.layer(LANDMARKS)
    assert len(points.selected_data) == 2
    person.key(Key.Key_F)
    assert editor.dataset.garment(11).visibility.tolist() == [1, 1, 2, 2, 0, 0, 2, 2]
    person.key(Key.Key_K)
    assert editor.dataset.garment(11).xy[:2].tolist() == [[40, 21], [80, 21]]
    person.key(Key.Key_Delete)
    assert editor.dataset.garment(11).visibility.tolist() == [0, 0, 2, 2, 0, 0, 2, 2]
    assert editor.dataset.garment(13).visibility[0] == 2
    assert len(editor.history) == 5  # two of the fixture, and one each


def point(person, xy) -> None:
    """Move the pointer onto a place of the image."""
    for place in ((xy[0] + 10, xy[1] - 10), xy):
        person.qtbot.mouseMove(person.canvas, person.where(place))
        person.qtbot.wait(20)  # napari drops moves that follow within 5 ms


def test_a_key_acts_on_the_landmark_that_the_pointer_came_onto(opened) -> None:
    person, editor = opened.person, opened.session.editor
    editor.select(11)
    person.see()
    point(person, (10, 90))
    person.key(Key.Key_F)
    assert editor.garments[0].visibility.tolist() == [2, 2, 1, 2, 0, 0, 2, 2]
    editor.select(11, 0)
    person.see()
    point(person, (110, 90))
    person.key(Key.Key_F)  # not the selected one: the pointer came later
    assert editor.garments[0].visibility.tolist() == [2, 2, 1, 1, 0, 0, 2, 2]


def test_a_pointer_that_rests_does_not_take_keys_from_what_is_selected_next(opened) -> None:
    person, editor = opened.person, opened.session.editor
    editor.select(11, 2)
    person.see()
    point(person, (10, 90))
    person.key(Key.Key_E)  # on to the right sleeve, the pointer still on the left one
    assert editor.selection.landmark == 3
    person.key(Key.Key_F)
    assert editor.garments[0].visibility.tolist() == [2, 2, 2, 1, 0, 0, 2, 2]


def test_of_several_selected_the_one_under_the_pointer_brings_the_others(opened) -> None:
    person, editor = opened.person, opened.session.editor
    editor.select(11)
    person.key(Key.Key_A)
    point(person, (10, 90))
    person.key(Key.Key_F)
    assert editor.garments[0].visibility.tolist() == [1, 1, 1, 1, 0, 0, 1, 1]


def test_alt_drag_moves_and_alt_wheel_turns_and_scales_the_garment(opened) -> None:
    garment, editor = opened.session.editor.garments[0], opened.session.editor
    before = garment.xy.copy()
    placed = garment.visibility > 0
    drag_with(opened, ALT, (60, 60), (66, 55))
    assert np.allclose(garment.xy[placed], before[placed] + (6, -5), atol=0.3)
    assert len(editor.history) == 1
    turn_wheel(opened, ALT, 3)
    assert len(editor.history) == 2  # one step of undo
    low, high = before[placed].min(axis=0), before[placed].max(axis=0)
    step = garment.xy[1] - garment.xy[0]
    assert np.degrees(np.arctan2(step[1], step[0])) == pytest.approx(6, abs=0.1)
    opened.person.key(Key.Key_Z, CTRL)
    opened.person.key(Key.Key_Z, CTRL)
    turn_wheel(opened, ALT | SHIFT, 2)
    assert np.allclose(np.ptp(garment.xy[placed], axis=0), (high - low) * 1.02**2, atol=0.05)


def test_ctrl_drag_moves_a_landmark_and_its_twin(opened) -> None:
    drag_with(opened, CTRL, (30, 110), (25, 100))
    garment = opened.session.editor.garments[0]
    assert np.allclose(garment.xy[6], (25, 100), atol=0.3)
    assert np.allclose(garment.xy[7], (95, 100), atol=0.3)
    assert opened.session.editor.undo_label == "Move 2 landmarks"


class CropModel(FakeModel):
    """Finds trousers in every crop, at the same place of it."""

    def predict(self, images, options=None, *, crop=None):
        self.seen_crops = [(image.shape[:2], crop) for image in images]
        return [prediction(predicted(TROUSERS_XY, "Pants"), model_id=self.id)]


def test_a_box_is_drawn_and_the_garment_in_it_predicted(opened) -> None:
    person, editor, model = opened.person, opened.session.editor, CropModel()
    opened.session.use_model(model, "crops")
    person.key(Key.Key_O, SHIFT)
    assert opened.session.view.boxing
    drag_with(opened, NONE, (40, 30), (100, 110))
    assert not opened.session.view.boxing
    person.qtbot.waitUntil(lambda: not opened.predicting.running, timeout=60_000)
    (_, added) = editor.garments
    assert editor.selection.garment_id == added.id
    assert (added.category_name, added.source) == ("Pants", "model:fake-1")
    # The box with the refinement pass's margin of a fifth, as far as it lies in the image of 120 x 120.
    (((height, width), crop),) = model.seen_crops
    assert crop
    assert (width, height) == pytest.approx((113 - 28, 120 - 14), abs=2)
    placed = added.visibility > 0
    offset = added.xy[placed] - np.array(TROUSERS_XY)[placed]
    assert offset == pytest.approx(np.tile((28, 14), (placed.sum(), 1)), abs=2)
    assert editor.undo_label == "Add a garment"
    person.key(Key.Key_Z, CTRL)
    assert len(editor.garments) == 1


def test_zoom_to_a_landmark_and_back(opened) -> None:
    camera = opened.viewer.camera
    before = (tuple(camera.center), camera.zoom)
    opened.session.editor.select(11, 2)
    opened.person.key(Key.Key_Period)
    assert tuple(camera.center)[-2:] == (90, 10)
    assert camera.zoom > 2 * before[1]
    opened.person.key(Key.Key_Period)
    assert (tuple(camera.center), camera.zoom) == before


# -- a person's own keys -------------------------------------------------------------------


def test_keys_are_changed_in_the_dialog_and_clashes_are_named(opened) -> None:
    person, keymap = opened.person, used_keymap()
    person.key(Key.Key_Question, SHIFT)
    dialog = opened.dock.help
    try:
        assert set(dialog.rows) == {row.id for row in ROWS if row.group != NAPARI}
        person.qtbot.keyClicks(dialog.field, "alt+5")
        assert [i for i, row in dialog.rows.items() if row.keys.isVisible()] == ["garment_5"]
        dialog.field.clear()
        person.press(dialog.rows["next_image"].keys)
        person.qtbot.keyClick(dialog, Key.Key_M)
        assert "Swap left and right" in dialog.message.text()
        person.press(dialog.rows["toggle_pif"].keys)
        person.qtbot.keyClick(dialog, Key.Key_R, CTRL)
        assert "napari" in dialog.message.text()
        assert keys_of("next_image") == " (M)"
        assert keys_of("swap_left_right") == ""
        dialog.close()
        person.key(Key.Key_M)
        assert opened.session.editor.index == 1
        assert json.loads(keymap.path.read_text())["next_image"] == ["M", "PgDown"]
        dialog.show()
        person.press(dialog.rows["tap_main_button"].keys)
        person.press(dialog.no_key)
        assert keymap.row_of("Space") is None
    finally:
        dialog.reset(None)
        dialog.close()
    assert keys_of("swap_left_right") == " (M)"
