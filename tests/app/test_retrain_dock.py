"""The Retrain dock with the real training, in a process of its own, on a very small model."""

from __future__ import annotations

import json
import sys

import pytest

from napari_fashion.app.jobs import TrainJob
from napari_fashion.app.widgets import files
from napari_fashion.app.window import RETRAIN
from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.events import CompareEvent, DoneEvent, StartEvent

from .conftest import open_window

pytestmark = pytest.mark.window

START = StartEvent(
    run="run", epochs=1, steps=9, epoch=0, step=0, train_images=3, val_images=0, device="cpu"
)


@pytest.fixture
def retraining(app, tmp_path, small_model):
    path = write_dataset(tmp_path / "data", 10, size=(96, 128), scenes=0, empty=0)
    app.dock.open(path)
    app.session.use_model(Model.load(small_model, "cpu"), str(small_model))
    app.panel = app.show_dock(RETRAIN)
    app.panel.runs_folder = tmp_path / "runs"
    app.panel.epochs.setValue(2)
    yield app
    app.training.end_now()
    app.person.qtbot.waitUntil(lambda: not app.training.running)
    app.panel.parentWidget().close()


def test_retrain_compare_and_use_the_new_model(retraining, tmp_path) -> None:
    app, panel, qtbot = retraining, retraining.panel, retraining.person.qtbot
    app.person.press(panel.retrain)
    assert not panel.retrain.isEnabled()
    assert panel.cancel.isEnabled()
    qtbot.waitUntil(lambda: not app.training.running, timeout=120_000)
    assert panel.model_path is not None, app.dock.message.text()
    assert panel.model_path.is_file()
    assert len(panel.curve.steps) >= 2
    assert all(panel.metrics.cells["ne", side].text() != "–" for side in ("old", "new"))  # noqa: RUF001
    old = app.session.model
    app.person.press(panel.use)
    qtbot.waitUntil(lambda: app.session.model is not old, timeout=20_000)
    assert app.session.model.id.startswith("retrained-")
    (run,) = (tmp_path / "runs").iterdir()
    split = json.loads((run / "run" / "split.json").read_text())
    assert len(split["train"]) + len(split["validation"]) == 10


def test_keep_the_old_model(retraining, small_model) -> None:
    app, panel = retraining, retraining.panel
    panel.on_event(DoneEvent(model=str(small_model), seconds=1))
    panel.refresh()
    old = app.session.model
    app.person.press(panel.keep)
    assert app.session.model is old
    assert not panel.use.isEnabled()
    assert "old model stays" in panel.state.text()


def test_the_better_models_button_is_the_main_one(retraining, small_model) -> None:
    panel = retraining.panel

    def compare(old, new):
        panel.on_event(CompareEvent(old={"ne": old}, new={"ne": new}))
        panel.on_event(DoneEvent(model=str(small_model), seconds=1))
        panel.refresh()
        return tuple(
            button.grab().toImage().pixelColor(6, button.height() // 2).name()
            for button in (panel.use, panel.keep)
        )

    main, other = compare(0.03, 0.02)
    assert main != other
    assert compare(0.02, 0.03) == (other, main)
    assert compare(0.03, 0.02) == (main, other)
    compare(0.02, 0.03)
    panel.on_event(START)  # another run, which compares nothing
    assert (panel.use.objectName(), panel.keep.objectName()) == ("main", "")


def test_cancel_stops_the_training_and_offers_what_it_has(retraining) -> None:
    app, panel, qtbot = retraining, retraining.panel, retraining.person.qtbot
    panel.epochs.setValue(900)
    app.person.press(panel.retrain)
    qtbot.waitUntil(lambda: len(panel.curve.steps) > 1, timeout=120_000)
    app.person.press(panel.cancel)
    qtbot.waitUntil(lambda: not app.training.running, timeout=30_000)
    assert panel.model_path is not None
    assert "Stopped early" in panel.state.text()


def test_too_little_to_train_on_is_said(retraining, dataset_file) -> None:
    app, panel = retraining, retraining.panel
    app.dock.open(dataset_file)
    app.show_dock(RETRAIN)
    panel.what.setCurrentIndex(1)
    assert "may forget the rest" in panel.note.text()
    app.person.press(panel.retrain)
    assert "at least 2" in panel.message.text()
    assert not app.training.running
    panel.what.setCurrentIndex(0)


def test_a_failing_training_shows_its_errors(retraining, tmp_path, monkeypatch) -> None:
    app, panel, qtbot = retraining, retraining.panel, retraining.person.qtbot
    script = tmp_path / "trainer.py"
    script.write_text("import sys\nprint('out of memory', file=sys.stderr)\nsys.exit(3)\n")
    monkeypatch.setattr(app.training, "_command", [sys.executable, str(script)])
    app.person.press(panel.retrain)
    qtbot.waitUntil(lambda: not app.training.running)
    assert "out of memory" in panel.message.text()
    assert panel.retrain.isEnabled()


def test_closing_while_training_asks_and_ends_it(qtbot, tmp_path, monkeypatch) -> None:
    window = open_window()
    script = tmp_path / "trainer.py"
    line = json.dumps(START.to_dict())
    script.write_text(f"import time\nprint({line!r}, flush=True)\ntime.sleep(60)\n")
    window.training = TrainJob([sys.executable, str(script)])
    heard = []
    window.training.event.connect(heard.append)
    window.training.start(tmp_path / "r.toml", tmp_path / "run")
    qtbot.waitUntil(lambda: bool(heard))
    process = window.training._process
    answers = iter([False, True])
    monkeypatch.setattr(files, "ask", lambda *_: next(answers))
    window.dock.window().close()
    assert process.poll() is None
    window.viewer.close()
    assert process.poll() is not None
