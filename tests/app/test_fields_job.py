"""Fields come back by themselves: from memory, from the disk, from the model, and never in secret."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_fashion.app import session as session_module
from napari_fashion.app.jobs import fields as job
from napari_fashion.app.viewer.layer_styles import FIELD
from napari_fashion.engine.field_cache import FieldCache
from small import SHIRT_XY, FakeModel


@pytest.fixture
def opened(app, dataset_file, tmp_path, monkeypatch):
    """The window on three images, with a model and a cache of its own."""
    monkeypatch.setattr(app.computing, "_cache", lambda: FieldCache(tmp_path / "cache"))
    app.dock.open(dataset_file)
    app.model = FakeModel()
    app.session.use_model(app.model, "fake")
    app.person.see()
    yield app
    app.session.view.pif = False
    app.person.see()


def peak(app) -> float:
    return float(np.asarray(app.layers.layer(FIELD).data).max())


def test_fields_are_computed_when_they_are_to_be_shown(opened, qtbot) -> None:
    session = opened.session
    image_id = session.editor.image_id
    assert session.fields_state(image_id) == "none"
    session.view.pif = True
    assert session.fields_state(image_id) == "computing"
    assert session.fields_of(image_id) is None
    qtbot.waitUntil(lambda: session.fields_state(image_id) == "ready")
    assert peak(opened) > 0.9
    assert not session.editor.dirty
    assert not session.editor.can_undo

    opened.person.key(Qt.Key.Key_N)
    later = session.editor.image_id
    qtbot.waitUntil(lambda: session.fields_state(later) == "ready")
    assert peak(opened) > 0.9


def test_fields_that_left_memory_come_from_the_disk(opened, qtbot, monkeypatch) -> None:
    monkeypatch.setattr(session_module, "KEPT_FIELD_BYTES", 1)
    session, ids = opened.session, opened.session.editor.image_ids
    session.view.pif = True
    for image_id in ids:
        session.editor.go_to_image(image_id)
        qtbot.waitUntil(lambda i=image_id: session.fields_state(i) == "ready")
        assert peak(opened) > 0.9
    qtbot.waitUntil(lambda: opened.computing._running is None)
    seen = opened.model.seen
    assert seen == 3
    session.editor.go_to(0)
    qtbot.waitUntil(lambda: session.fields_state(ids[0]) == "ready")
    assert peak(opened) > 0.9
    assert opened.model.seen == seen


def test_another_model_has_other_fields(opened, qtbot) -> None:
    session, image_id = opened.session, opened.session.editor.image_id
    session.view.pif = True
    session.view.landmark = 0
    qtbot.waitUntil(lambda: session.fields_state(image_id) == "ready")
    before = np.array(opened.layers.layer(FIELD).data)
    moved = [(x + 24, y + 16) for x, y in SHIRT_XY]
    session.use_model(FakeModel(((moved, "Shirt"),), "fake-2"), "other")
    assert session.fields_state(image_id) == "computing"
    qtbot.waitUntil(lambda: session.fields_state(image_id) == "ready")
    assert abs(np.asarray(opened.layers.layer(FIELD).data) - before).max() > 0.5
    session.view.landmark = None


def test_an_image_that_cannot_be_computed_says_so_once(opened, qtbot, tmp_path) -> None:
    class Broken(FakeModel):
        def predict_with_fields(self, images):
            self.seen += 1
            raise ValueError("nothing to be done")

    told = []
    model, session = Broken(model_id="broken"), opened.session
    session.message.connect(lambda level, text: told.append((level, text)))
    session.use_model(model, "broken")
    session.view.pif = True
    qtbot.waitUntil(lambda: any("nothing to be done" in text for _, text in told))
    qtbot.wait(3 * job.WAIT_MILLISECONDS)
    assert session.fields_state(session.editor.image_id) == "none"
    assert sum("nothing to be done" in text for _, text in told) == 1
    assert model.seen <= 2  # this image, and the next one ahead


def test_no_model_is_loaded_for_it(opened, qtbot) -> None:
    session = opened.session
    session.model = None
    session.view.pif = True
    assert session.fields_state(session.editor.image_id) == "none"
    qtbot.wait(2 * job.WAIT_MILLISECONDS)
    assert session.model is None
    assert len(opened.layers.layer("landmarks").data) > 0
