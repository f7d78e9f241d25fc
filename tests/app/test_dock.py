"""The dock's own behaviour: the wheel, the keyboard, what is cut, the cards, napari's docks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_fashion.app import recent
from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.landmark_table import Column
from napari_fashion.app.widgets.style import guard_wheel
from napari_fashion.paths import config_folder

pytestmark = pytest.mark.window


@pytest.fixture
def opened(app, dataset_file):
    app.dock.open(dataset_file)
    app.person.see()
    return app


def wheel(widget: QWidget, by: int = -120) -> None:
    """Turn the wheel over the middle of a widget."""
    at = QPointF(widget.rect().center())
    event = QWheelEvent(
        at,
        QPointF(widget.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, by),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


def has_keys(app) -> bool:
    """Whether the canvas has the keyboard."""
    return app.dock.window().focusWidget() is app.person.canvas


# -- the wheel and the keyboard ------------------------------------------------------------------


def test_the_wheel_changes_nothing_without_the_focus(qtbot) -> None:
    holder = QWidget()
    combo, number, slider = QComboBox(), QSpinBox(), QSlider()
    column = QVBoxLayout(holder)
    for widget in (combo, number, slider):
        column.addWidget(widget)
    combo.addItems(["a", "b", "c"])
    number.setValue(5)
    slider.setValue(5)
    guard_wheel(holder)
    qtbot.addWidget(holder)
    holder.show()
    qtbot.waitExposed(holder)
    holder.activateWindow()
    holder.setFocus()
    for widget in (combo, number, slider):
        wheel(widget)
    assert (combo.currentIndex(), number.value(), slider.value()) == (0, 5, 5)
    number.setFocus()
    qtbot.waitUntil(number.hasFocus)
    wheel(number, 120)
    assert number.value() == 6
    combo.setFocus()
    wheel(combo)
    assert combo.currentIndex() == 0


def test_the_wheel_over_the_docks_makes_no_edit(opened) -> None:
    editor = opened.session.editor
    wheel(opened.dock.garments.rows[0].category)
    panel = opened.show_dock(RETRAIN)
    opened.person.see()
    before = (panel.what.currentIndex(), panel.epochs.value(), panel.rate.value())
    for widget in (panel.what, panel.epochs, panel.rate, panel.share):
        wheel(widget)
    assert (panel.what.currentIndex(), panel.epochs.value(), panel.rate.value()) == before
    assert not editor.history
    panel.parentWidget().close()


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Escape])
def test_the_image_has_the_keyboard_after_a_category(opened, key) -> None:
    person, editor = opened.person, opened.session.editor
    row = opened.dock.garments.rows[0]
    person.press(row.category)
    person.qtbot.keyClicks(row.category.popup.field, "pan")
    person.qtbot.keyClick(row.category.popup.field, key)
    person.see()
    taken = key == Qt.Key.Key_Return
    assert editor.garments[0].category_name == ("Pants" if taken else "Shirt")
    assert row.category.text() == editor.garments[0].category_name
    assert has_keys(opened)
    person.qtbot.keyClick(person.canvas, Qt.Key.Key_N)
    assert editor.index == 1


def test_keys_in_the_category_field_walk_its_list_alone(opened) -> None:
    person, editor = opened.person, opened.session.editor
    popup = opened.dock.garments.rows[0].category.popup
    person.press(opened.dock.garments.rows[0].category)
    person.qtbot.keyClick(popup.field, Qt.Key.Key_PageDown)
    person.qtbot.keyClick(popup.field, Qt.Key.Key_Down)
    assert popup.list.currentRow() > 0
    assert editor.index == 0
    person.qtbot.keyClicks(popup.field, "xyz")
    person.qtbot.keyClick(popup.field, Qt.Key.Key_Return)  # no such category: nothing is taken
    assert popup.isVisible()
    person.qtbot.keyClick(popup.field, Qt.Key.Key_Escape)
    assert not editor.history


# -- what is seen --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1366, 768), (1600, 900), (1920, 1080)])
def test_nothing_is_cut(opened, size) -> None:
    dock, main = opened.dock, opened.dock.window()
    old = main.size()
    main.resize(*size)
    opened.person.see()
    right = dock.mapTo(main, dock.rect().topRight()).x()
    assert right < main.width()
    for button in dock.findChildren(QAbstractButton):
        if button.isVisible() and button.text() and not button.icon().availableSizes():
            wide = button.fontMetrics().horizontalAdvance(button.text())
            assert button.width() >= wide, button.text()
    for label in dock.findChildren(QLabel):
        if label.isVisible() and label.text() and not isinstance(label, QElidingLabel):
            room = label.visibleRegion().boundingRect().width()
            wide = label.fontMetrics().horizontalAdvance(label.text())
            assert room >= wide or label.wordWrap(), label.text()
    table = dock.landmarks.table
    assert table.rowHeight(0) == 26
    main.resize(old)
    opened.person.see()


def test_landmarks_of_a_large_schema_scroll_and_are_filtered(app, dataset_file) -> None:
    document = json.loads(dataset_file.read_text())
    names = [f"{side}_point_{i}" for i in range(1, 21) for side in ("left", "right")]
    for category in document["categories"]:
        category["keypoints"], category["skeleton"] = names, []
    for annotation in document["annotations"]:
        annotation["keypoints"] = [10, 10, 2] * len(names)
    dataset_file.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    app.person.see()
    landmarks, person = app.dock.landmarks, app.person
    assert len(landmarks.table.rows.rows) == 40
    assert landmarks.filter.isVisible()
    app.session.editor.select(11, 39)
    person.see()
    person.press_landmark(landmarks.table, 39, Column.HIDDEN)  # it was brought into sight
    assert app.session.editor.garments[0].visibility[39] == 1
    person.press(landmarks.filter)
    person.qtbot.keyClicks(landmarks.filter, "right 7")
    assert [row.name for row in landmarks.table.rows.rows] == ["right point 7", "right point 17"]
    person.qtbot.keyClick(landmarks.filter, Qt.Key.Key_Return)
    person.see()
    assert app.session.editor.selection.landmark == 13
    assert has_keys(app)
    landmarks.filter.clear()


def test_what_was_done_is_said_with_the_key_that_undoes_it(opened) -> None:
    table = opened.dock.landmarks.table
    opened.person.press_landmark(table, 2, Column.HIDDEN)
    assert opened.viewer.status.startswith("Set left sleeve hidden. Ctrl+Z undoes")
    opened.actions.undo()
    assert opened.viewer.status.startswith("Taken back: Set left sleeve hidden. Ctrl+Shift+Z")


def test_the_progress_counts_what_is_reviewed(opened) -> None:
    footer, actions = opened.dock.footer, opened.actions
    assert (footer.done.text(), footer.left.text()) == ("0 of 3 reviewed", "3 left")
    for i in range(3):
        opened.session.editor.go_to(i)
        actions.set_reviewed(True)
    assert footer.done.text() == "All 3 reviewed"
    assert footer.main.text() == "Export…"
    actions.undo()
    assert (footer.done.text(), footer.left.text()) == ("2 of 3 reviewed", "1 left")


# -- napari's docks and its notice ---------------------------------------------------------------


def test_naparis_layer_docks_fold_and_come_back(opened) -> None:
    main = opened.dock.window()
    docks = [main.findChild(QDockWidget, name) for name in ("layer controls", "layer list")]
    assert [dock.isVisible() for dock in docks] == [False, False]
    opened.dock.menu.docks.trigger()
    assert [dock.isVisible() for dock in docks] == [True, True]
    assert json.loads((config_folder() / "window.json").read_text()) == {"layer_docks": True}
    opened.dock.menu.docks.trigger()
    assert [dock.isVisible() for dock in docks] == [False, False]


def test_naparis_notice_does_not_lie_on_the_image(opened, qtbot) -> None:
    from napari.utils.notifications import show_info, show_warning
    from qtpy.QtWidgets import QDialog

    main = opened.dock.window()

    def shown() -> list[str]:
        labels = [d.findChildren(QLabel) for d in main.findChildren(QDialog) if d.isVisible()]
        return [label.text() for some in labels for label in some if label.text()]

    show_warning("napari support for the PyQt5 backend is deprecated and will be removed")
    show_info("Another notice")
    qtbot.waitUntil(lambda: "PyQt6" in opened.dock.message.text())
    opened.person.see()
    assert "Another notice" in shown()
    assert not any("PyQt5" in text for text in shown())
    for dialog in main.findChildren(QDialog):
        dialog.close()


# -- the cards -----------------------------------------------------------------------------------


@pytest.fixture
def empty(app):
    """The window before anything is open."""
    app.session.close()
    app.session.editor = None
    app.session.opened.emit(None)
    app.viewer.layers.clear()
    app.dock.beginning.refresh()
    app.person.see()
    yield app
    app.dock.beginning.welcome.hide()


def test_the_cards_lie_over_an_empty_canvas_alone(empty, dataset_file, monkeypatch) -> None:
    welcome = empty.dock.beginning.welcome
    assert welcome.isVisible()
    assert welcome.size() == empty.dock.window().centralWidget().size()
    layer = empty.viewer.add_points([[1, 1]])  # a person's own work is not covered
    assert not welcome.isVisible()
    empty.viewer.layers.remove(layer)
    assert welcome.isVisible()
    monkeypatch.setattr(files, "ask_open_file", lambda *_: dataset_file)
    empty.person.qtbot.mouseClick(welcome.cards[1], Qt.MouseButton.LeftButton, pos=QPoint(150, 20))
    assert empty.session.editor.path == dataset_file
    assert not welcome.isVisible()


def test_what_was_open_last_is_offered_and_found_anew(empty, dataset_file, monkeypatch) -> None:
    gone = dataset_file.with_name("gone.json")
    recent.remember(dataset_file, 3, 1)
    recent.remember(gone, 9, 2)
    beginning = empty.dock.beginning
    beginning.welcome.hide()
    beginning.refresh()
    first, second = beginning.welcome.rows[:2]
    assert (Path(first.path), first.missing) == (gone, True)
    assert (Path(second.path), second.missing) == (dataset_file, False)
    monkeypatch.setattr(
        "napari_fashion.app.widgets.beginning.QFileDialog.getOpenFileName",
        lambda *_: (str(dataset_file), ""),
    )
    empty.person.press(first.locate)
    assert empty.session.editor.path == dataset_file
    assert Path(recent.read()[0].path) == dataset_file


def test_the_menu_opens_what_was_open_before(opened, tmp_path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(opened.session.editor.path.read_bytes())
    opened.dock.open(other)
    menu = opened.dock.menu
    menu.popup(QPoint(10, 10))
    opened.person.see()
    names = [action.text() for action in menu.recent.actions()]
    assert names[:2] == ["other.json", "small.json"]
    menu.recent.actions()[1].trigger()
    menu.close()
    assert opened.session.editor.path.name == "small.json"


@pytest.mark.parametrize("text", ["", "[]", '{"recent": 1}', '{"recent": [{"path": 1}, 7]}'])
def test_a_damaged_list_of_recent_files_is_no_obstacle(tmp_path, monkeypatch, text) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    recent.place().parent.mkdir(parents=True)
    recent.place().write_text(text)
    assert recent.read() == []
    recent.remember(tmp_path / "a.json", 5, 2)
    assert [(one.images, one.reviewed) for one in recent.read()] == [(5, 2)]
