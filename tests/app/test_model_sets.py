"""A window predicts with a model set, and says whose fields it shows."""

from __future__ import annotations

import json

import pytest

from model_sets import SCHEMA, small_set
from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.engine.decode import DecoderOptions

pytestmark = pytest.mark.window


@pytest.fixture(scope="module")
def set_file(tmp_path_factory):
    """Members with random weights, which find a garment wherever they look."""
    lowest = DecoderOptions(
        pif_threshold=0, seed_threshold=0, paf_threshold=0, landmark_threshold=0,
        garment_threshold=0, min_landmarks=1, single_instance=True, force_complete=True,
    )  # fmt: skip
    return small_set(tmp_path_factory.mktemp("set"), decoder=lowest)


@pytest.fixture
def loaded(app, dataset_file, set_file, qtbot, monkeypatch):
    """A window with the small data set open, after a person chose the set's file under Load…."""
    from napari_fashion.app.widgets import files

    app.open(dataset_file)
    monkeypatch.setattr(files, "ask_model", lambda *_: set_file)
    with qtbot.waitSignal(app.session.model_changed, timeout=60_000):
        app.dock.menu.models.actions()[-1].trigger()
    return app


def test_a_set_is_loaded_and_predicts(loaded, qtbot):
    session, editor = loaded.session, loaded.session.editor
    assert session.model.id.startswith("combined-")
    assert loaded.dock.menu.models.title() == f"Model: {session.model.id}"
    editor.go_to_image(3)
    assert not editor.image.garments
    loaded.predict()
    qtbot.waitUntil(lambda: not loaded.predicting.running, timeout=60_000)
    (garment,) = editor.image.garments
    assert garment.source == f"model:{session.model.id}"
    fields = session.fields_of(3)
    member = next(m for m in session.model.members if m.name == fields.member)
    placed = {i for i in range(8) if garment.visibility[i]}
    assert placed == {i for name in member.body_types for i in SCHEMA.landmarks_of(name)}
    assert fields.edges == SCHEMA.edges
    session.view.show_field("pif")  # drawn with eight landmarks

    label = loaded.dock.show_row.member
    assert label.isVisibleTo(loaded.dock)
    assert label.text() == f"Fields of {fields.member}"
    editor.go_to_image(1)
    assert not label.isVisibleTo(loaded.dock)
    editor.go_to_image(3)
    assert label.isVisibleTo(loaded.dock)


def test_retraining_a_set_says_what_to_do(loaded, tmp_path):
    panel = loaded.show_dock(RETRAIN)
    panel.runs_folder = tmp_path / "runs"
    said: list[tuple[str, str]] = []
    loaded.session.message.connect(lambda text, level: said.append((text, level)))
    panel.start()
    assert not panel.job.running
    told = " ".join(part for message in said for part in message)
    assert "a set of models, which is to predict with; expected one model" in told
    assert "Name a member of the set (upper, lower, full, relative to it)" in told
    assert not (tmp_path / "runs").exists()


def test_a_set_whose_member_is_gone_is_told(loaded, set_file, qtbot, monkeypatch):
    before = loaded.session.model
    document = json.loads(set_file.read_text())
    document["members"][1]["model"] = "gone"
    broken = set_file.with_name("broken.json")
    broken.write_text(json.dumps(document))
    said: list[str] = []
    loaded.session.message.connect(lambda level, text: said.append(text))
    loaded.load_model(str(broken))
    qtbot.waitUntil(lambda: bool(said), timeout=60_000)
    assert "a member cannot be read" in said[0]
    assert loaded.session.model is before
