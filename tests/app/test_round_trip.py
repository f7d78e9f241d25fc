"""The whole job through the real window: from images to a better model, with mouse and keys."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from qtpy.QtCore import Qt

from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.app.widgets import files
from napari_fashion.coco import Dataset, export
from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.engine.model import Model
from napari_fashion.errors import CheckpointError
from small import FakeModel

from .driving import toggle_reviewed

pytestmark = pytest.mark.window
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
PHOTOS = 20


@pytest.fixture(scope="module")
def bundled() -> Model:
    """The model that the package carries, or skip."""
    try:
        return Model.load("bundled", "cpu")
    except CheckpointError as error:
        pytest.skip(str(error))


def without_annotations(dataset: Dataset, image_ids: list, path: Path) -> Path:
    part = dataset.subset(image_ids)
    for garment in list(part.garments):
        part.remove_record("annotations", garment.id)
    export(part, path)
    return path


def test_on_procedural_garments(app, tmp_path, small_model, monkeypatch) -> None:
    source = write_dataset(tmp_path / "data", 8, size=(120, 160), scenes=0, empty=0)
    dataset = Dataset.load(source)
    path = without_annotations(dataset, [i.id for i in dataset.images], tmp_path / "bare.json")
    model = FakeModel()  # finds a shirt on each; retraining starts at a real, small one
    go_round(app, tmp_path, path, model, str(small_model), monkeypatch)


@pytest.mark.shared
def test_on_photos_of_the_test_split(app, tmp_path, photos_dir, bundled, monkeypatch) -> None:
    dataset = Dataset.load(photos_dir / "test.json", image_root=photos_dir / "images")
    ids = [image.id for image in dataset.images[:PHOTOS]]
    path = without_annotations(dataset, ids, tmp_path / "bare.json")
    go_round(app, tmp_path, path, bundled, "bundled", monkeypatch)


def go_round(app, tmp_path, path, model, source, monkeypatch) -> None:
    person, dock, qtbot = app.person, app.dock, app.person.qtbot
    before = path.read_bytes()

    dock.open(path)
    editor, session = app.session.editor, app.session
    session.use_model(model, source)
    dock.menu.everything.trigger()
    qtbot.waitUntil(lambda: not app.predicting.running, timeout=120_000)
    found = [image for image in editor.dataset.images if image.garments]
    assert len(found) >= 0.8 * editor.n_images

    editor.go_to_image(found[0].id)
    person.see()
    garment = editor.garments[0]
    k = next(k for k, v in enumerate(garment.visibility) if v)
    start = garment.xy[k].copy()
    width, height = editor.image.width, editor.image.height
    end = start + np.array([0.06 * width, 0.05 * height])
    person.drag(start, end)
    assert garment.xy[k] == pytest.approx(end, abs=1.0)
    assert garment.landmark_sources[k] == "human"
    person.key(Qt.Key.Key_1)
    assert garment.visibility[k] == 1
    person.key(Qt.Key.Key_C)
    box = dock.garments.rows[0].category
    qtbot.keyClicks(box.popup.field, "Skirt")
    qtbot.keyClick(box.popup.field, Qt.Key.Key_Return)
    assert garment.category_name == "Skirt"
    for _ in range(3):
        person.press(dock.file.undo)
    assert garment.xy[k] == pytest.approx(start)
    assert (garment.visibility[k], garment.touched_by_human) == (2, False)
    for _ in range(3):
        person.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert garment.xy[k] == pytest.approx(end, abs=1.0)
    assert (garment.visibility[k], garment.category_name) == (1, "Skirt")

    editor.go_to(0)
    for _ in range(editor.n_images):
        toggle_reviewed(app)
        person.key(Qt.Key.Key_PageDown)
    assert all(image.reviewed for image in editor.dataset.images)

    target = tmp_path / "export.json"
    monkeypatch.setattr(files, "ask_save", lambda *_: target)
    dock.menu.all_images.trigger()
    coco = COCO(str(target))
    assert len(coco.getImgIds()) == editor.n_images
    (exported,) = coco.loadAnns([garment.id])
    assert exported["keypoints"][3 * k + 2] == 1
    assert coco.loadCats([exported["category_id"]])[0]["name"] == "Skirt"
    assert path.read_bytes() == before

    dock.open(target)  # the edits are exported; the data set to retrain on is the export
    panel = app.show_dock(RETRAIN)
    panel.runs_folder = tmp_path / "runs"
    panel.epochs.setValue(1)
    person.press(panel.retrain)
    qtbot.waitUntil(lambda: not app.training.running, timeout=240_000)
    assert panel.model_path is not None, panel.message.text()
    person.press(panel.use)
    qtbot.waitUntil(lambda: session.model is not model, timeout=30_000)
    panel.parentWidget().close()

    app.show_dock("Fashion annotator")
    editor = session.editor
    assert session.model.id.startswith("retrained-")
    toggle_reviewed(app)  # a reviewed image would be left as it is
    assert not editor.image.reviewed
    dock.message.clear()
    before = len(editor.history)
    person.press(dock.work.predict)
    qtbot.waitUntil(lambda: not app.predicting.running, timeout=60_000)
    assert session.fields_of(editor.image_id) is not None
    said = re.match(r"(\d+) garments? found", dock.message.text())
    assert said, dock.message.text()
    predicted = editor.history[before:]
    assert bool(predicted) or said[1] == "0"
    assert all(edit.image_id == editor.image_id for edit in predicted)
