"""The Retrain dock with the real training, in a process of its own, on a very small model."""

from __future__ import annotations

import json
import sys

import pytest

from napari_fashion.app.jobs.train import TrainJob
from napari_fashion.app.jobs.train_processes import find_left_alone
from napari_fashion.app.viewer import window as window_module
from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.saving import SavingDialog
from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.events import (
    CompareEvent,
    DivergenceEvent,
    DoneEvent,
    LeftOutEvent,
    NoticeEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
)

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
    app.training.kill()
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
    data = app.session.editor.dataset.path
    kept = json.loads((data.parent / f".{data.name}.fashion" / "split.json").read_text())
    assert kept == split  # the next retraining of this data set keeps it
    assert (run / "run.log").is_file()
    assert not (run / "run" / "run.log").exists()


def test_keep_the_old_model(retraining, small_model) -> None:
    app, panel = retraining, retraining.panel
    panel.on_event(DoneEvent(model=str(small_model), seconds=1))
    panel.refresh()
    old = app.session.model
    app.person.press(panel.keep)
    assert app.session.model is old
    assert not panel.use.isEnabled()
    assert "old model stays" in panel.state.text()


def compared(panel, small_model, verdict, text="The sentence.", old=0.03, new=0.02):
    """Show a run that was compared; return the colours of the buttons of new and old model."""
    panel.on_event(START)
    metrics = {"pdl": 0.9, "top1": 0.5}
    panel.on_event(
        CompareEvent(
            old={"ne": old, **metrics},
            new={"ne": new, **metrics, "top1": 0.7},
            verdict=verdict,
            text=text,
            images=40,
        )
    )
    panel.on_event(DoneEvent(model=str(small_model), seconds=1))
    panel.refresh()
    return tuple(
        button.grab().toImage().pixelColor(6, button.height() // 2).name()
        for button in (panel.use, panel.keep)
    )


@pytest.mark.parametrize(
    ("verdict", "title", "bold"),
    [
        ("better", "The new model is better", ("ne", "new")),
        ("worse", "The new model is worse", ("ne", "old")),
        ("no difference", "No difference to be seen", None),
        ("too few", "Too few images to tell", None),
        (None, "Not compared", None),
    ],
)
def test_the_verdict_stands_above_the_choice_and_chooses_the_main_button(
    retraining, small_model, verdict, title, bold
) -> None:
    panel = retraining.panel
    main, other = compared(panel, small_model, "better")
    assert main != other
    expected = (main, other) if verdict == "better" else (other, main)
    assert compared(panel, small_model, verdict) == expected
    assert panel.verdict.title.text() == title
    assert panel.verdict.text.text().startswith("The sentence.")
    assert ("Review about 20 more images" in panel.verdict.text.text()) == (verdict == "too few")
    cells = panel.metrics.cells
    assert [key for key in cells if "<b>" in cells[key].text()] == ([bold] if bold else [])
    shown = panel.verdict.mapTo(panel, panel.verdict.rect().bottomLeft()).y()
    assert 0 <= panel.use.mapTo(panel, panel.use.rect().topLeft()).y() - shown < 12
    everything = " ".join(
        label.text() for label in (panel.verdict.title, panel.verdict.text, panel.state)
    )
    assert ("better" in everything) == (verdict == "better")


def test_a_worse_model_with_a_lower_figure_is_not_called_better(retraining, small_model) -> None:
    panel = retraining.panel
    compared(panel, small_model, "no difference", old=0.03, new=0.01)
    assert (panel.use.objectName(), panel.keep.objectName()) == ("", "main")
    compared(
        panel, small_model, "too few", "It is early. Review about 20 more images, then train again."
    )
    assert panel.verdict.text.text().count("Review about") == 1


def test_another_run_clears_what_the_last_one_said(retraining, small_model) -> None:
    panel = retraining.panel
    compared(panel, small_model, "better")
    panel.on_event(NoticeEvent(message="Something."))
    panel.on_event(START)
    assert panel.verdict.isHidden()
    assert panel.notices.isHidden()
    assert (panel.use.objectName(), panel.keep.objectName()) == ("", "main")
    panel.on_event(DoneEvent(model=str(small_model), seconds=1))
    panel._on_finished()
    assert panel.verdict.title.text() == "Not compared"
    assert "no image to judge by" in panel.verdict.text.text()


def test_notices_and_divergence_are_shown_with_the_images(retraining) -> None:
    panel = retraining.panel
    panel.on_event(START)
    panel.on_event(NoticeEvent(message="Mirroring is <b>off</b>.", level="warning"))
    panel.on_event(NoticeEvent(message="Mirroring is <b>off</b>.", level="warning"))
    panel.on_event(
        LeftOutEvent(what="images that cannot be read", count=3, first=["a.png: cut off"])
    )
    images = [f"folder/{'long' * 30}{i}.jpg" for i in range(900)]
    panel.on_event(
        DivergenceEvent(step=12, head="paf.vector", loss="nan", policy="skip", images=images)
    )
    text = panel.notices.text()
    assert text.splitlines()[0] == "Mirroring is <b>off</b>."
    assert text.count("Mirroring") == 1
    assert "Left out: images that cannot be read: 3 (a.png: cut off)." in text
    assert "diverged at step 12 in paf.vector; the step was left out. Images: folder/" in text
    assert "and 897 more." in text
    assert len(text) < 700
    assert "lower learning rate" in panel.message.text()
    for i in range(1000):
        panel.on_event(NoticeEvent(message=f"{i} " + "word " * 100_000))
    assert panel.notices.text().startswith("999 earlier notices")
    assert len(panel.notices.text()) < 4000


def test_figures_without_bounds_are_shown(retraining) -> None:
    panel = retraining.panel
    panel.on_event(
        START.model_copy(update={"steps": 2**53 - 1, "epochs": 2**53 - 1, "device": "x" * 10_000})
    )
    for loss in (1e308, -1e308, 1e-308):
        panel.on_event(
            StepEvent(
                step=2**53 - 1,
                epoch=1,
                loss=loss,
                losses={"a": loss},
                lr=1e308,
                images_per_second=0,
            )
        )
    panel.on_event(DoneEvent(model="\0" * 10, seconds=1, why="w" * 5000))
    retraining.person.see()
    assert len(panel.state.text()) < 600
    assert panel.progress.value() == panel.progress.maximum()


def test_cancel_stops_the_training_and_offers_what_it_has(retraining) -> None:
    app, panel, qtbot = retraining, retraining.panel, retraining.person.qtbot
    panel.epochs.setValue(900)
    app.person.press(panel.retrain)
    qtbot.waitUntil(lambda: len(panel.curve.steps) > 1, timeout=120_000)
    app.person.press(panel.cancel)
    assert panel.cancel.text() == "Stop now"
    qtbot.waitUntil(lambda: not app.training.running, timeout=60_000)
    assert panel.model_path is not None
    assert "Stopped early" in panel.state.text()
    assert panel.cancel.text() == "Cancel"
    assert panel.metrics.cells["ne", "old"].text() != "–"  # noqa: RUF001


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


TRAINER = """
import json, signal, sys, time
from pathlib import Path
run = Path(sys.argv[3])
run.mkdir(exist_ok=True)
def emit(event):
    with (run / "events.jsonl").open("a") as log:
        log.write(json.dumps(event) + "\\n")
def stop(*_):
    time.sleep(SECONDS)
    emit(STOPPED)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
emit(START)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def training_window(qtbot, tmp_path, monkeypatch):
    """A window that may be closed, with a training that takes some seconds to save."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    jobs, windows = [], []

    def open_one(seconds=1.5):
        script = tmp_path / "trainer.py"
        stopped = StoppedEvent(model=str(tmp_path / "m.json"), step=1).to_dict()
        values = f"SECONDS, START, STOPPED = {seconds}, {START.to_dict()}, {stopped}\n"
        script.write_text(values + TRAINER)
        window = open_window()
        window.training = job = TrainJob([sys.executable, str(script)])
        job.start(tmp_path / "r.toml", tmp_path / "run")
        qtbot.waitUntil(lambda: bool(job.history), timeout=30_000)
        jobs.append(job._process)
        windows.append(window)
        return window, job._process

    yield open_one
    for process in jobs:
        process.kill()
        process.child.wait()
    monkeypatch.setattr(files, "ask_training", lambda *_: "leave")
    for window in windows:
        if window_module._windows.get(window.viewer) is window:
            window.viewer.close()


def test_a_window_that_closes_asks_and_waits_until_the_training_has_saved(
    training_window, monkeypatch
) -> None:
    window, process = training_window()
    asked = []
    monkeypatch.setattr(files, "ask_training", lambda *_: asked.append(1))
    window.dock.window().close()
    assert asked == [1]
    assert window.dock.window().isVisible()  # Cancel: nothing has happened
    assert process.alive
    assert window.training.running
    monkeypatch.setattr(files, "ask_training", lambda *_: "stop")
    window.viewer.close()
    log = window.training.run / "events.jsonl"
    assert log.read_text().count("stopped") == 1
    process.child.wait(30)
    assert process.status == 0
    assert find_left_alone().run == window.training.run  # a later window offers what it learned


def test_a_window_need_not_wait_for_the_save(training_window, monkeypatch) -> None:
    window, process = training_window(seconds=600)
    monkeypatch.setattr(files, "ask_training", lambda *_: "stop")
    shown = []

    def click(dialog):
        shown.append(dialog.text.text())
        dialog.leave.click()

    show = SavingDialog.show
    monkeypatch.setattr(SavingDialog, "show", lambda self: (show(self), click(self)))
    main = window.dock.window()
    main.close()
    assert not main.isVisible()
    assert process.alive
    assert "saves what it has learned" in shown[0]


def test_a_training_goes_on_without_the_window_and_a_later_one_shows_it(
    training_window, monkeypatch, qtbot
) -> None:
    window, process = training_window(seconds=0)
    monkeypatch.setattr(files, "ask_training", lambda *_: "leave")
    window.viewer.close()
    assert process.alive
    later = open_window()
    try:
        assert later.training.running
        assert "is still running: see the dock Retrain" in later.dock.message.text()
        qtbot.waitUntil(lambda: bool(later.training.history), timeout=30_000)
        panel = later.show_dock(RETRAIN)  # opened after the events had come in
        assert "3 images to train on" in panel.state.text()
        assert panel.cancel.isEnabled()
        assert not panel.retrain.isEnabled()
        panel.stop()
        qtbot.waitUntil(lambda: not later.training.running, timeout=30_000)
        assert "Stopped early" in panel.state.text()
        assert panel.use.isEnabled()
    finally:
        later.viewer.close()
    assert find_left_alone() is None


def test_a_training_that_ended_without_a_window_is_offered_by_the_next(
    training_window, monkeypatch, qtbot
) -> None:
    window, process = training_window(seconds=0)
    monkeypatch.setattr(files, "ask_training", lambda *_: "leave")
    window.viewer.close()
    process.terminate()
    process.child.wait(30)
    later = open_window()
    try:
        assert "has ended: see the dock Retrain" in later.dock.message.text()
        qtbot.waitUntil(lambda: not later.training.running, timeout=30_000)
        panel = later.show_dock(RETRAIN)
        assert panel.use.isEnabled()
        assert panel.verdict.title.text() == "Not compared"
    finally:
        later.viewer.close()
