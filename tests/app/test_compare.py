"""Another reading of the image beside what is in the file: distances in the dock, kites on the image."""

from __future__ import annotations

import json

import pytest
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor

from napari_fashion.errors import FashionError
from small import SCHEMA, SHIRT_XY, annotation, small_document


@pytest.fixture
def compared(app, dataset_file, tmp_path):
    """The window on the shirt, and a file in which its left collar lies elsewhere, in another folder."""
    document = small_document()
    moved = [(43, 24), *SHIRT_XY[1:4], (0, 0), (60, 100), *SHIRT_XY[6:]]
    document["annotations"] = [annotation(90, 1, moved, "Shirt")]
    other = tmp_path / "truth" / "truth.json"
    other.parent.mkdir()
    other.write_text(json.dumps(document))
    app.dock.open(dataset_file)
    app.session.editor.go_to(0)
    app.person.key(Qt.Key.Key_9)
    yield app, other
    app.comparison.end()


def rows(app):
    table = app.dock.compare.table
    return [[table.item(i, j).text() for j in range(3)] for i in range(table.rowCount())]


def test_distances_of_the_selected_garment_are_listed(compared):
    app, other = compared
    assert app.dock.compare.isVisible()
    assert not app.dock.landmarks.isVisible()
    app.comparison.with_file(other)
    app.person.see()
    found = rows(app)
    diagonal = 134.54  # of a box of 100 x 90
    assert found[0] == ["left collar", "5.0 px", f"{5 / diagonal:.3f}"]
    assert found[1] == ["right collar", "0.0 px", "0.000"]
    assert ["right waistline", "only there", ""] in found
    assert len(found) == 7
    assert app.dock.compare.told.text() == "1 garment in truth.json"
    amber = app.dock.compare.table.item(0, 1).foreground().color()
    assert amber == QColor(240, 190, 70)


def test_kites_are_drawn_until_it_is_ended(compared):
    app, other = compared
    app.comparison.with_file(other)
    app.person.see()

    def corner():
        x, y = app.layers.overlay.camera.to_screen((60, 100))
        return app.layers.overlay.grab().toImage().pixelColor(round(x), round(y) - 11).name()

    kite = corner()
    assert kite == SCHEMA.colors[5]
    app.person.key(Qt.Key.Key_9)
    assert corner() != kite
    assert not app.dock.compare.isVisible()
    assert app.dock.landmarks.isVisible()


def test_an_image_that_the_other_file_lacks_has_nothing(compared):
    app, other = compared
    app.comparison.with_file(other)
    app.session.editor.go_to(1)
    assert app.comparison.theirs == []
    assert app.dock.compare.told.text() == "0 garments in truth.json"
    assert [texts[1] for texts in rows(app)] == ["only here"] * 4


def test_an_edit_is_compared_anew(compared):
    app, other = compared
    app.comparison.with_file(other)
    app.person.drag(SHIRT_XY[0], (43, 24))
    assert float(rows(app)[0][1].split()[0]) < 1.5


def test_a_file_of_other_images_is_refused(compared, tmp_path):
    app, _ = compared
    document = small_document()
    for image in document["images"]:
        image["file_name"] = f"other-{image['id']}.png"
    path = tmp_path / "other.json"
    path.write_text(json.dumps(document))
    with pytest.raises(FashionError, match="lists none of the images"):
        app.comparison.with_file(path)
    assert not app.comparison.is_on


def test_a_models_prediction_is_compared(compared, qtbot, small_model):
    app, _ = compared
    app.comparison.with_model(str(small_model))
    qtbot.waitUntil(lambda: app.comparison.theirs is not None, timeout=60_000)
    assert app.comparison.name == app.comparison._model.id
    app.session.editor.go_to(1)
    assert app.comparison.theirs is None
    qtbot.waitUntil(lambda: app.comparison.theirs is not None, timeout=60_000)
