"""Processes that train, followed by their logs; each is a real one that writes what a test wants."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from napari_fashion.app.jobs import train_processes
from napari_fashion.app.jobs.train import KEPT_STEPS, TrainJob
from napari_fashion.app.jobs.train_processes import ProcessId, TrainRecord, find_left_alone
from napari_fashion.engine.train.events import StartEvent, TrainEvent
from napari_fashion.errors import FashionError

START = StartEvent(
    run="run", epochs=1, steps=1000, epoch=0, step=0, train_images=3, val_images=1, device="cpu"
)
DONE = {"event": "done", "model": "m.json", "seconds": 1}
PRELUDE = f"""
import json, os, signal, sys, time
from pathlib import Path
assert sys.argv[2] == "--run" and sys.argv[4:] == ["--events", "jsonl"]
START, DONE = {START.to_dict()}, {DONE}
run = Path(sys.argv[3])
run.mkdir(exist_ok=True)
log = (run / "events.jsonl").open("ab", buffering=0)
def emit(**event):
    log.write(json.dumps({{"time": "2026-01-01T00:00:00+00:00", **event}}).encode() + b"\\n")
def step(i, **more):
    emit(event="step", step=i, epoch=0, loss=1.0, losses=None, lr=0.1, images_per_second=1.0, **more)
"""
STOPS = """
def stop(*_):
    emit(event="stopped", model="m.json", step=1)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
emit(**START)
while True:
    time.sleep(0.05)
"""
DEAF = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
emit(**START)
while True:
    time.sleep(0.05)
"""


class Followed:
    """A job with what it reported."""

    def __init__(self, job: TrainJob) -> None:
        self.job = job
        self.events: list[TrainEvent] = []
        self.failures: list[str] = []
        job.event.connect(self.events.append)
        job.failed.connect(self.failures.append)

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]


@pytest.fixture
def start(qtbot, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    started: list[TrainJob] = []

    def start(script: str) -> Followed:
        path = tmp_path / "trainer.py"
        path.write_text(PRELUDE + textwrap.dedent(script))
        followed = Followed(TrainJob([sys.executable, str(path)]))
        followed.job.start(tmp_path / "recipe.toml", tmp_path / "run")
        started.append(followed.job)
        return followed

    yield start
    for job in started:
        job.kill()
        qtbot.waitUntil(lambda job=job: not job.running, timeout=30_000)


def ended(qtbot, followed: Followed) -> None:
    qtbot.waitUntil(lambda: not followed.job.running, timeout=60_000)


def test_the_events_of_the_log_come_in_and_what_is_printed_stands_beside_it(
    start, qtbot, tmp_path
) -> None:
    followed = start(
        """
        emit(**START)
        print("something a library prints", flush=True)
        print("and a warning", file=sys.stderr, flush=True)
        emit(**DONE)
        """
    )
    ended(qtbot, followed)
    assert followed.kinds == ["start", "done"]
    assert followed.failures == []
    printed = (tmp_path / "run.log").read_text().splitlines()
    assert set(printed) == {"something a library prints", "and a warning"}
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["events.jsonl"]


def test_bytes_that_are_no_utf8_and_events_that_are_none_hold_up_nothing(start, qtbot) -> None:
    followed = start(
        r"""
        emit(**START)
        os.write(1, b"\xff\xfe\x00 caf\xe9\n" * 1000)
        os.write(2, b"\x80" * 100_000)
        log.write(b"\xff\xfe{\n{\n[]\n{}\n\n\x00\x00\n")
        log.write(b'{"event": "step"}\n{"event": "step", "step": "many"}\n{"event": "done"}\n')
        log.write(b'{"time": "", "event": "step", "step": 1e999, "epoch": 0, "loss": NaN}\n')
        log.write(b'{"event": "epoch", "epoch": ' + b"9" * 5000 + b'}\n')
        log.write(b'{"event": "start", "steps": ' + b"9" * 300 + b'}\n')
        log.write(b'{"event": ' + b"[" * 100_000 + b'\n')
        log.write(b"x" * 3_000_000 + b'{"event": "done", "model": "no", "seconds": 1}\n')
        step(7)
        emit(**DONE)
        """
    )
    ended(qtbot, followed)
    assert followed.kinds == ["start", "step", "done"]
    assert followed.events[-1].model == "m.json"
    assert followed.failures == []
    assert followed.job._reader.bad > 10


def test_of_a_flood_of_steps_some_come_in_and_of_all_others_every_one(start, qtbot) -> None:
    followed = start(
        """
        emit(**START)
        for i in range(60_000):
            step(i)
            if i % 100 == 0:
                emit(event="notice", message=f"notice {i}")
        step(60_000)
        emit(event="compare", old={}, new={}, verdict="worse")
        emit(**DONE)
        """
    )
    beats = []
    qtbot.waitUntil(lambda: beats.append(1) or not followed.job.running, timeout=120_000)
    assert len(beats) > 2  # the window's own events were handled meanwhile
    assert followed.kinds.count("notice") == 600
    assert followed.kinds[-2:] == ["compare", "done"]
    steps = [e.step for e in followed.events if e.kind == "step"]
    assert steps == sorted(steps)
    assert steps[-1] == 60_000
    assert len(steps) < 6000
    history = followed.job.history
    assert history[0].kind == "start"
    assert sum(e.kind == "step" for e in history) <= KEPT_STEPS
    assert history[-1].kind == "done"


def test_a_log_that_is_cut_in_a_line_waits_for_its_rest(start, qtbot, tmp_path) -> None:
    followed = start(
        """
        emit(**START)
        log.write(b'{"event": "notice", "mess')
        while not (run.parent / "go").exists():
            time.sleep(0.01)
        log.write(b'age": "whole"}\\n{"event": "done", "model": "m.json", "seconds": 1}')
        """
    )
    qtbot.waitUntil(lambda: followed.kinds == ["start"], timeout=30_000)
    qtbot.wait(300)
    assert followed.kinds == ["start"]
    (tmp_path / "go").touch()
    ended(qtbot, followed)
    assert followed.kinds == [
        "start",
        "notice",
        "done",
    ]  # the last line has no end: nobody writes it now
    assert followed.events[1].message == "whole"


def test_a_listener_that_fails_does_not_end_the_following(start, qtbot, monkeypatch) -> None:
    caught = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: caught.append(error))
    followed = start("emit(**START)\nstep(1)\nemit(**DONE)\n")

    def fails(event):
        if event.kind == "step":
            raise ValueError("a fault")

    followed.job.event.connect(fails)
    with qtbot.captureExceptions() as exceptions:
        ended(qtbot, followed)
    assert len(exceptions) == 1
    assert followed.kinds == ["start", "step", "done"]


# -- how it ends -------------------------------------------------------------------------------


def test_a_crash_tells_the_end_of_what_was_printed(start, qtbot) -> None:
    followed = start(
        r"""
        emit(**START)
        os.write(2, b"noise\n" * 10_000_000)
        print("Traceback: the GPU is out of memory \x1b[31m" + "x" * 9000, file=sys.stderr)
        sys.exit(3)
        """
    )
    ended(qtbot, followed)
    (why,) = followed.failures
    assert "status 3" in why
    assert "out of memory" in why
    assert "\x1b" not in why
    assert why.count("noise") <= 12
    assert len(why) < 2000
    assert followed.job.failure == why


def test_a_refusal_before_the_run_began_tells_its_message(start, qtbot) -> None:
    followed = start(
        """
        print(json.dumps({"event": "error", "message": "Recipe: epochs: expected 1"}), flush=True)
        print("napari-fashion: error", file=sys.stderr)
        sys.exit(1)
        """
    )
    ended(qtbot, followed)
    assert followed.failures == ["Recipe: epochs: expected 1"]


def test_an_error_in_the_log_is_told(start, qtbot) -> None:
    followed = start("emit(**START)\nemit(event='error', message='no images')\nsys.exit(1)\n")
    ended(qtbot, followed)
    assert followed.failures == ["no images"]
    assert followed.kinds == ["start", "error"]


def test_stop_lets_the_training_save(start, qtbot) -> None:
    followed = start(STOPS)
    qtbot.waitUntil(lambda: bool(followed.events), timeout=30_000)
    with pytest.raises(FashionError, match="running"):
        followed.job.start(Path("r.toml"), Path("run"))
    followed.job.stop()
    ended(qtbot, followed)
    assert followed.kinds[-1] == "stopped"
    assert followed.failures == []


def test_it_is_asked_to_stop_once_and_its_workers_are_not(start, qtbot, tmp_path) -> None:
    followed = start(
        """
        import subprocess
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        asked = []
        signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
        emit(**START)
        while not asked:
            time.sleep(0.02)
        time.sleep(1)
        emit(event="notice", message=f"{len(asked)} {worker.poll()}")
        emit(**DONE)
        worker.kill()
        """
    )
    qtbot.waitUntil(lambda: bool(followed.events), timeout=30_000)
    for _ in range(3):
        followed.job.stop()
        qtbot.wait(50)
    ended(qtbot, followed)
    assert followed.events[1].message == "1 None"


def test_one_that_does_not_listen_can_be_killed(start, qtbot) -> None:
    followed = start(DEAF)
    qtbot.waitUntil(lambda: bool(followed.events), timeout=30_000)
    followed.job.stop()
    qtbot.wait(300)
    assert followed.job.running
    followed.job.kill()
    ended(qtbot, followed)
    assert "status -9" in followed.failures[0]


def test_a_command_that_is_not_there_is_an_error(tmp_path, qtbot) -> None:
    job = TrainJob([str(tmp_path / "nobody")])
    with pytest.raises(OSError, match="nobody"):
        job.start(tmp_path / "r.toml", tmp_path / "run")
    assert not job.running


# -- going on without a window -----------------------------------------------------------------


def test_a_training_that_is_let_go_is_found_and_followed_from_its_beginning(start, qtbot) -> None:
    first = start(STOPS)
    qtbot.waitUntil(lambda: bool(first.events), timeout=30_000)
    assert find_left_alone() is None  # this window follows it
    process = first.job.let_go()
    assert not first.job.running
    assert process.alive
    second = Followed(TrainJob())
    record = find_left_alone()
    second.job.attach(record)
    assert find_left_alone() is None
    qtbot.waitUntil(lambda: bool(second.events), timeout=30_000)
    assert second.events == [START]
    second.job.stop()
    ended(qtbot, second)
    assert second.kinds == ["start", "stopped"]
    assert first.kinds == ["start"]
    assert not record.path.exists()


def test_one_that_ended_without_a_window_is_shown_as_well(start, qtbot, tmp_path) -> None:
    first = start("emit(**START)\nstep(3)\nemit(**DONE)\ntime.sleep(0.5)\n")
    process = first.job.let_go()
    process.child.wait(60)
    second = Followed(TrainJob())
    second.job.attach(find_left_alone())
    ended(qtbot, second)
    assert second.kinds == ["start", "step", "done"]
    assert second.failures == []


def test_one_that_died_without_a_window_says_how_to_go_on(start, qtbot, tmp_path) -> None:
    first = start(DEAF)
    qtbot.waitUntil(lambda: bool(first.events), timeout=30_000)
    process = first.job.let_go()
    process.kill()
    process.child.wait(60)
    second = Followed(TrainJob())
    second.job.attach(find_left_alone())
    ended(qtbot, second)
    assert f"--resume --run {tmp_path / 'run'}" in second.failures[0]


def test_the_training_outlives_a_window_that_is_killed(qtbot, tmp_path, monkeypatch) -> None:
    """Another program starts it, as a window does, and dies."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    script = tmp_path / "trainer.py"
    script.write_text(PRELUDE + STOPS)
    window = tmp_path / "window.py"
    window.write_text(
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from qtpy.QtCore import QCoreApplication\n"
        "app = QCoreApplication([])\n"
        "from napari_fashion.app.jobs.train import TrainJob\n"
        f"job = TrainJob([sys.executable, {str(script)!r}])\n"
        f"job.start(Path('r.toml'), Path({str(tmp_path / 'run')!r}))\n"
        f"while not os.path.exists({str(tmp_path / 'run' / 'events.jsonl')!r}):\n"
        "    time.sleep(0.02)\n"
        "os.killpg(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, str(window)], env=env, start_new_session=True, check=False)
    record = find_left_alone()
    assert record is not None
    assert record.process.alive
    assert not record.window.alive
    followed = Followed(TrainJob())
    followed.job.attach(record)
    qtbot.waitUntil(lambda: bool(followed.events), timeout=30_000)
    followed.job.stop()
    ended(qtbot, followed)
    assert followed.kinds == ["start", "stopped"]


def test_a_number_that_another_process_has_now_is_not_the_training() -> None:
    own = ProcessId.of(os.getpid())
    assert own.alive
    assert not ProcessId(own.number, own.began - 1000).alive
    assert not ProcessId(2**40, 0.0).alive
    dead = subprocess.Popen([sys.executable, "-c", ""])
    of_dead = ProcessId.of(dead.pid)
    time.sleep(0)
    dead.wait()
    assert not of_dead.alive


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"run": 3}', '{"run": "/x", "output": "/y", "process": [1], "window": null}'],
)
def test_a_file_that_is_no_record_is_removed(tmp_path, monkeypatch, content) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = train_processes._folder()
    folder.mkdir(parents=True)
    (folder / "a.json").write_text(content)
    assert find_left_alone() is None
    assert not list(folder.iterdir())


def test_the_one_that_trains_still_is_found_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    own, gone = ProcessId.of(os.getpid()), ProcessId(2**30, time.time() + 1000)
    records = [
        TrainRecord(tmp_path / "a", tmp_path / "a.log", gone, None),
        TrainRecord(tmp_path / "b", tmp_path / "b.log", own, gone),
        TrainRecord(tmp_path / "c", tmp_path / "c.log", own, own),
        TrainRecord(tmp_path / "nowhere" / "d", tmp_path / "d.log", own, None),
    ]
    for record in records:
        record.save()
    assert find_left_alone() == records[1]
    records[1].remove()
    assert find_left_alone() == records[0]
    assert json.loads(records[0].path.read_text())["window"] is None
