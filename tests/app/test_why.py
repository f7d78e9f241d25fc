"""The decoder's steps beside the image, by real clicks on the list."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_fashion.app.widgets.why import card
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from small import SCHEMA, TROUSERS_XY
from synthetic_fields import LOWER, Scene

CELL = 4


def fields_of(xy, have):
    scene = Scene(30, 30)
    scene.garment(np.array(xy, float) / CELL, have)
    return scene.fields(scale=(CELL, CELL), offset=(0, 0))


@pytest.fixture
def why(app, dataset_file, qtbot):
    """The window on the image whose trousers are a model's, with their fields."""
    app.dock.open(dataset_file)
    app.session.editor.go_to(1)
    app.session.keep_fields(app.session.editor.image_id, fields_of(TROUSERS_XY, LOWER))
    app.panel = app.dock.why
    return app


def opened(app, qtbot):
    app.person.key(Qt.Key.Key_Y)
    qtbot.waitUntil(lambda: app.replay.story is not None)
    return app.replay


def test_it_stands_at_the_last_step_and_lists_all(why, qtbot):
    replay = opened(why, qtbot)
    assert [one.landmark for one in replay.found][:1] == [replay.story.found[0].landmark]
    assert {one.landmark for one in replay.found} == set(LOWER)
    for one in replay.found:
        assert np.abs(np.array(one.xy) - TROUSERS_XY[one.landmark]).max() < 1
    texts = [why.panel.steps.item(i).text() for i in range(why.panel.steps.count())]
    assert len(texts) == SCHEMA.n_landmarks
    assert "start" in texts[0]
    assert sum("not found: nothing leads to it" in text for text in texts) == 4
    assert why.panel.steps.currentRow() == len(LOWER) - 1


def test_a_click_on_a_step_goes_there_and_the_card_tells_of_it(why, qtbot):
    replay = opened(why, qtbot)
    item = why.panel.steps.item(1)
    at = why.panel.steps.visualItemRect(item).center()
    qtbot.mouseClick(why.panel.steps.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert replay.step == 2
    assert [one.landmark for one in replay.found] == [o.landmark for o in replay.story.found[:2]]
    assert why.panel.card.text() == card(replay.story.found[1], SCHEMA)
    assert f"score {replay.last.score:.2f}" in why.panel.card.text()
    qtbot.mouseClick(why.panel.back, Qt.MouseButton.LeftButton)
    assert replay.step == 1
    assert not why.panel.back.isEnabled()


def test_a_landmark_that_is_selected_is_gone_to(why, qtbot):
    replay = opened(why, qtbot)
    editor = why.session.editor
    third = replay.story.found[2].landmark
    editor.select(editor.selection.garment_id, third)
    assert (replay.step, replay.last.landmark) == (3, third)


def test_it_takes_the_place_of_the_garments_until_y_or_esc(why, qtbot):
    for end in (Qt.Key.Key_Y, Qt.Key.Key_Escape):
        opened(why, qtbot)
        assert why.panel.isVisible()
        assert not why.dock.garments.isVisible()
        assert not why.dock.landmarks.isVisible()
        why.person.key(end)
        assert not why.panel.isVisible()
        assert why.dock.garments.isVisible()
        assert why.dock.landmarks.isVisible()


def test_the_image_shows_what_is_found_by_then_and_nothing_else(why, qtbot):
    """The pixels at a landmark: those of its disc once it is found, the image's before."""

    def shown():
        grabbed = why.layers.overlay.grab().toImage()
        at = [why.layers.overlay.camera.to_screen(TROUSERS_XY[k]) for k in LOWER]
        return [grabbed.pixelColor(round(float(x)), round(float(y))).name() for x, y in at]

    replay = opened(why, qtbot)
    colors = [SCHEMA.colors[k] for k in LOWER]
    assert shown() == colors
    replay.go_to(1)
    first = replay.story.found[0].landmark
    assert [color == own for color, own in zip(shown(), colors, strict=True)] == [
        k == first for k in LOWER
    ]


def test_another_image_ends_it(why, qtbot):
    replay = opened(why, qtbot)
    why.session.editor.go_to(0)
    assert not replay.is_open
    assert not why.panel.isVisible()


def test_there_is_nothing_to_replay_of_a_persons_garment(why, qtbot):
    said = []
    why.session.message.connect(lambda level, text: said.append(text))
    editor = why.session.editor
    places = {k: TROUSERS_XY[k] for k in LOWER}
    garment_id = editor.selection.garment_id
    moved = {k: (x + 1, y) for k, (x, y) in places.items()}
    editor.apply(operations.move_landmarks(editor.dataset, garment_id, moved))
    why.person.key(Qt.Key.Key_Y)
    assert not why.replay.is_open
    assert not why.session.view.why
    assert said[-1] == "This garment was placed by a person; there is nothing to replay."


def test_without_fields_it_says_so(why):
    said = []
    why.session.message.connect(lambda level, text: said.append(text))
    why.session.replace_editor(
        Editor(why.session.editor.dataset)
    )  # fields are of an editor's images
    why.session.editor.go_to(1)
    why.person.key(Qt.Key.Key_Y)
    assert not why.replay.is_open
    assert not why.session.view.why
    assert said[-1] == "The fields of this image are not computed. Predict it first."
