"""What is painted over the canvas lies on the image, and follows the person."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QPointF, Qt
from qtpy.QtGui import QImage, QMouseEvent
from qtpy.QtWidgets import QApplication

from napari_fashion.coco import Dataset
from small import SCHEMA, SHIRT_XY, annotation, fields_of

from .driving import LEFT

pytestmark = pytest.mark.window

NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def opened(app, dataset_file):
    app.dock.filing.open(dataset_file)
    app.layers.draw()
    app.person.see()
    return app


def painted(app) -> np.ndarray:
    """Return what the overlay paints, (H, W, 4) RGBA."""
    overlay = app.layers.overlay
    image = QImage(overlay.size(), QImage.Format.Format_RGBA8888)
    image.fill(Qt.GlobalColor.transparent)
    overlay.render(image)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 4 * image.width()].reshape(image.height(), image.width(), 4).copy()


def color_at(app, xy) -> list[int]:
    at = app.person.where(xy)
    return painted(app)[at.y(), at.x(), :3].tolist()


def rgb_of(landmark: int) -> list[int]:
    return [int(SCHEMA.colors[landmark][i : i + 2], 16) for i in (1, 3, 5)]


def near(found: list[int], wanted: list[int]) -> bool:
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) < 40


def hover(app, xy) -> None:
    """Move the pointer as a hand does."""
    at = QPointF(app.person.where(xy))
    move = QMouseEvent(
        QEvent.Type.MouseMove, at, Qt.MouseButton.NoButton, Qt.MouseButton.NoButton, NONE
    )
    app.person.qtbot.wait(10)
    QApplication.sendEvent(app.person.canvas, move)
    app.person.qtbot.wait(60)


def test_landmarks_lie_on_the_image_at_any_zoom(opened) -> None:
    viewer = opened.viewer
    canvas, overlay = opened.person.canvas, opened.layers.overlay
    assert overlay.mapToGlobal(overlay.rect().topLeft()) == canvas.mapToGlobal(
        canvas.rect().topLeft()
    )
    assert overlay.size() == canvas.size()
    for zoom, centre in ((viewer.camera.zoom, viewer.camera.center), (9.0, (0, 40.0, 60.0))):
        viewer.camera.zoom, viewer.camera.center = zoom, centre
        opened.person.see()
        for k in (0, 1):
            assert near(color_at(opened, SHIRT_XY[k]), rgb_of(k)), (zoom, k)
    # The same pixel of the image lies there, says napari.
    at = opened.person.where((40, 20))
    hover(opened, (40, 20))
    y, x = viewer.cursor.position[-2:]
    np.testing.assert_allclose(overlay.camera.to_screen((x, y)), (at.x(), at.y()), atol=0.01)


def test_a_landmark_is_taken_hold_of_within_its_reach_at_any_zoom(opened) -> None:
    for zoom in (2.0, 12.0):
        opened.viewer.camera.center, opened.viewer.camera.zoom = (0, 20.0, 40.0), zoom
        opened.session.editor.select(11)
        opened.person.see()
        opened.person.click((40 + 20 / zoom, 20))
        assert opened.session.editor.selection.landmark is None
        opened.person.click((40 + 7 / zoom, 20))
        assert opened.session.editor.selection.landmark == 0


def test_what_is_drawn_follows_a_drag_before_its_release(opened) -> None:
    person = opened.person
    person.see()
    start, end = (10, 90), (30, 70)
    person.qtbot.mouseMove(person.canvas, person.where(start))
    person.qtbot.mousePress(person.canvas, LEFT, pos=person.where(start))
    for xy in ((20, 80), *[end] * 20):
        at = QPointF(person.where(xy))
        move = QMouseEvent(QEvent.Type.MouseMove, at, LEFT, LEFT, NONE)
        QApplication.sendEvent(person.canvas, move)
        person.qtbot.wait(20)  # napari drops moves that it is too busy for: a hand goes on
        if xy == end and near(color_at(opened, end), rgb_of(2)):
            break
    assert near(color_at(opened, end), rgb_of(2))
    assert opened.session.editor.dataset.garment(11).xy[2].tolist() == [10, 90]
    person.qtbot.mouseRelease(person.canvas, LEFT, pos=person.where(end))
    person.see()
    np.testing.assert_allclose(opened.session.editor.dataset.garment(11).xy[2], end, atol=0.5)


def test_a_press_on_a_line_or_a_plate_selects_its_garment(app, dataset_file) -> None:
    dataset = Dataset.load(dataset_file)
    xy = [(x + 5, y + 4) if x or y else (0, 0) for x, y in SHIRT_XY]
    dataset.insert_record("annotations", annotation(21, 1, xy, "Shirt"))
    app.session.edit(dataset)
    app.layers.draw()
    app.person.see()
    editor, overlay = app.session.editor, app.layers.overlay
    assert editor.selection.garment_id == 11
    app.person.click((np.array(xy[0]) + xy[2]) / 2)
    assert editor.selection.garment_id == 21
    left, top, width, height = overlay.plates()[11]
    app.person.click(overlay.camera.to_image((left + width / 2, top + height / 2)))
    assert editor.selection.garment_id == 11
    assert editor.selection.landmark is None


def test_all_is_hidden_while_only_the_image_is_to_be_seen(opened) -> None:
    assert painted(opened)[..., 3].any()
    opened.session.view.image_only = True
    assert not painted(opened)[..., 3].any()
    opened.session.view.image_only = False
    assert painted(opened)[..., 3].any()


def test_a_cell_is_read_out_beside_the_pointer(opened) -> None:
    session, person = opened.session, opened.person
    session.keep_fields(1, fields_of(SHIRT_XY, (120, 120), 8, 3.5))
    session.editor.select(11, 3)
    session.view.show_field("pif")
    opened.layers.draw()
    person.see()
    readout, overlay = opened.layers.readout, opened.layers.overlay
    hover(opened, (108, 92))
    assert readout.isVisible()
    assert readout.title == "right sleeve"
    assert readout.rows["cell"] == "13, 11"
    assert readout.rows["points to"] == "110, 90"
    assert readout.rows["spread"] == "± 8.0 px"
    at = overlay.mapToGlobal(person.where((108, 92)))
    assert not readout.geometry().contains(readout.parentWidget().mapFromGlobal(at))
    hover(opened, (60, 10))
    assert not readout.isVisible()


def test_shift_shows_the_field_of_all_landmarks_while_it_is_held(opened) -> None:
    session, person = opened.session, opened.person
    session.keep_fields(1, fields_of(SHIRT_XY, (120, 120), 8, 3.5))
    session.editor.select(11, 3)
    person.key(Qt.Key.Key_8)
    edges = lambda: {int(e) for e in opened.layers.fields.arrows.channels}  # noqa: E731
    opened.layers.draw()
    assert edges() == {e for e, pair in enumerate(SCHEMA.edges) if 3 in pair}
    person.qtbot.keyPress(person.canvas, Qt.Key.Key_Shift)
    opened.layers.draw()
    assert len(edges()) > 5
    person.qtbot.keyRelease(person.canvas, Qt.Key.Key_Shift)
    opened.layers.draw()
    assert edges() == {e for e, pair in enumerate(SCHEMA.edges) if 3 in pair}


def test_the_show_row_says_how_fields_come_and_switches_edges(opened) -> None:
    session, show = opened.session, opened.dock.show_row
    opened.person.press(show.segments["paf"])
    assert show.missing.isVisibleTo(show)
    session.keep_fields(1, fields_of(SHIRT_XY, (120, 120), 8, 3.5))
    session.editor.select(11, 3)
    assert not show.missing.isVisibleTo(show)
    (edge,) = show.chips
    assert show.chips[edge].text() == "right collar"
    opened.layers.draw()
    assert len(opened.layers.fields.arrows.start)
    opened.person.see()
    opened.person.press(show.chips[edge])
    opened.layers.draw()
    assert not len(opened.layers.fields.arrows.start)
