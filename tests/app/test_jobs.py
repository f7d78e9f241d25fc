from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from napari_fashion.app.jobs import Task, TrainJob, _predict
from napari_fashion.engine.train.events import StartEvent, TrainEvent
from napari_fashion.errors import FashionError
from napari_fashion.images import ImageFolder

START = StartEvent(
    run="run", epochs=1, steps=1000, epoch=0, step=0, train_images=3, val_images=1, device="cpu"
)
SPEAKS = """
import json, sys, time
assert sys.argv[2] == "--run" and sys.argv[4:] == ["--events", "jsonl"]
print(json.dumps(START), flush=True)
print("something a library prints", flush=True)
print(json.dumps({"event": "done", "model": "m.json", "seconds": 1}), flush=True)
"""
FAILS = """
import sys
print("Traceback: the GPU is out of memory", file=sys.stderr)
sys.exit(3)
"""
REFUSES = """
import json, sys
print(json.dumps({"event": "error", "message": "Recipe: epochs: expected 1 or more"}), flush=True)
sys.exit(1)
"""
STOPS = """
import json, signal, sys, time
def stop(*_):
    print(json.dumps({"event": "stopped", "model": "m.json", "step": 1}), flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print(json.dumps(START), flush=True)
while True:
    time.sleep(0.05)
"""
DEAF = """
import json, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(json.dumps(START), flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def job_of(qtbot, tmp_path: Path):
    jobs = []

    def start(script: str) -> tuple[TrainJob, list[TrainEvent], list[str]]:
        path = tmp_path / "trainer.py"
        path.write_text(f"START = {START.to_dict()}\n" + textwrap.dedent(script))
        job = TrainJob([sys.executable, str(path)])
        events: list[TrainEvent] = []
        failures: list[str] = []
        job.event.connect(events.append)
        job.failed.connect(failures.append)
        job.start(tmp_path / "recipe.toml", tmp_path / "run")
        jobs.append(job)
        return job, events, failures

    yield start
    for job in jobs:
        job.end_now()
        qtbot.waitUntil(lambda job=job: not job.running)


def test_events_come_in_and_other_lines_are_passed_over(job_of, qtbot) -> None:
    job, events, failures = job_of(SPEAKS)
    qtbot.waitUntil(lambda: not job.running)
    assert [e.kind for e in events] == ["start", "done"]
    assert failures == []


def test_a_crash_tells_the_end_of_its_errors(job_of, qtbot) -> None:
    job, _, failures = job_of(FAILS)
    qtbot.waitUntil(lambda: not job.running)
    assert "status 3" in failures[0]
    assert "out of memory" in failures[0]


def test_a_refusal_tells_its_message(job_of, qtbot) -> None:
    job, _, failures = job_of(REFUSES)
    qtbot.waitUntil(lambda: not job.running)
    assert failures == ["Recipe: epochs: expected 1 or more"]


def test_stop_lets_the_training_save(job_of, qtbot) -> None:
    job, events, failures = job_of(STOPS)
    qtbot.waitUntil(lambda: bool(events))
    with pytest.raises(FashionError, match="running"):
        job.start(Path("r.toml"), Path("run"))
    job.stop()
    qtbot.waitUntil(lambda: not job.running)
    assert events[-1].kind == "stopped"
    assert failures == []


def test_one_that_does_not_listen_is_killed(job_of, qtbot, monkeypatch) -> None:
    from napari_fashion.app import jobs

    monkeypatch.setattr(jobs, "GRACE_SECONDS", 0)
    job, events, failures = job_of(DEAF)
    qtbot.waitUntil(lambda: bool(events))
    job.stop()
    qtbot.waitUntil(lambda: not job.running)
    assert "status -9" in failures[0]


def test_closing_ends_it_at_once(job_of, qtbot) -> None:
    job, events, _ = job_of(STOPS)
    qtbot.waitUntil(lambda: bool(events))
    process = job._process
    job.end_now()
    assert process.poll() is not None
    assert events[0] == START


def test_an_image_that_may_not_be_read_is_this_image_s_failure(tmp_path):
    from PIL import Image

    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")

    class Looks:
        def predict_with_fields(self, images):
            return [(image.shape, "prediction") for image in images]

    tasks = [Task(1, "../b.png", None), Task(2, "a.png", (8, 6)), Task(3, "", None)]
    first, second, third = _predict(Looks(), "", tasks, ImageFolder(tmp_path), print)
    assert "leads out of" in first.problem
    assert "file_name" in third.problem
    assert (second.fields, second.prediction, second.problem) == ((6, 8, 3), "prediction", "")


class Fails:
    """Predicts images; the first one that it is shown is too much for it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def predict_with_fields(self, images):
        error, self.error = self.error, None
        if error is not None:
            raise error
        return [("fields", "prediction")]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate"), "a.png: out of memory."),
        (RuntimeError("DefaultCPUAllocator: not enough memory"), "a.png: out of memory."),
        (MemoryError(), "a.png: out of memory."),
        (ValueError("odd"), "a.png: a fault of the program (ValueError: odd). The details are in"),
        (RuntimeError("odd"), "a.png: a fault of the program (RuntimeError: odd)."),
    ],
)
def test_whatever_goes_wrong_with_an_image_is_this_image_s_failure(tmp_path, error, told):
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 6)).save(tmp_path / name)
    tasks = [Task(1, "a.png", (8, 6)), Task(2, "b.png", (8, 6))]
    first, second = _predict(Fails(error), "", tasks, ImageFolder(tmp_path), print)
    assert first.problem.startswith(told)
    assert (second.prediction, second.problem) == ("prediction", "")


def test_a_first_prediction_that_compiles_the_decoder_says_so(tmp_path):
    import numba
    from PIL import Image

    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")

    class Compiles:
        def predict_with_fields(self, images):
            def loop(n):
                return n + 1

            loop.__module__ = (
                "napari_fashion.engine.decode.graph"  # one of the decoder's, not cached
            )
            return [(numba.njit(loop)(1), "prediction") for _ in images]

    said = []
    tasks = [Task(1, "a.png", (8, 6)), Task(2, "a.png", (8, 6))]
    first, _ = _predict(Compiles(), "", tasks, ImageFolder(tmp_path), said.append)
    assert first.fields == 2
    assert len(said) == 1
    assert said[0].startswith("Compiling the decoder")


def test_a_model_that_cannot_be_loaded_ends_the_run_with_a_problem(
    qtbot, dataset_file, monkeypatch
):
    from napari_fashion.app.jobs import PredictJob
    from napari_fashion.app.session import Session
    from napari_fashion.engine.model import Model

    def load(source):
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(Model, "load", load)
    session = Session()
    session.open(dataset_file)
    said: list[tuple[str, str]] = []
    session.message.connect(lambda level, text: said.append((level, text)))
    job = PredictJob(session)
    job.start(everything=True)
    qtbot.waitUntil(lambda: not job.running)
    ((level, text),) = said
    assert level == "error"
    assert "the model cannot be loaded: out of memory." in text
    session.close()
