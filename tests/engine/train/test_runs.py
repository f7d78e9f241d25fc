"""Run folders without a run: what may be there, and who trains in one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from napari_fashion.engine.train import events
from napari_fashion.engine.train.events import EventLog, parse_event
from napari_fashion.engine.train.runs import (
    checkpoint_paths,
    has_state,
    is_running,
    refuse_if_running,
    refuse_to_overwrite,
    training_in,
)
from napari_fashion.errors import CheckpointError

RECIPE = json.dumps({"data": {}, "optimiser": {}, "schedule": {}})


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(RECIPE if name == "recipe.json" else "")


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("recipe.json",),
        ("recipe.json", "split.json"),
        ("recipe.json", "split.json", "events.jsonl", "run.lock", "run.holder.json"),
        ("run.lock", ".fashion-abc-1-2.tmp", ".DS_Store"),
        ("data/1/mine.json", "tensorboard/events"),
        ("recipe.json", "stderr.txt"),  # where an older version's window began a run
        ("recipe.json", "checkpoints/.fashion-abc-1-2.tmp"),
    ],
)
def test_a_run_begins_in_an_empty_folder_or_one_without_a_state(tmp_path, names):
    refuse_to_overwrite(tmp_path / "none")
    make(tmp_path, *names)
    refuse_to_overwrite(tmp_path)
    assert not has_state(tmp_path)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("recipe.json", "checkpoints/step-00000003.safetensors"), "holds checkpoints, a run or a"),
        (("model.json",), "holds model.json, a run or a model already"),
        (("model.safetensors",), "holds model.safetensors, a run or a model already"),
        (("state.json",), "holds state.json, a run or a model already"),
        (("notes.txt",), "holds notes.txt; expected an empty folder or a run"),
        (("recipe.json", "notes.txt"), "holds notes.txt; expected"),
        (("photos/1.jpg",), "holds photos; expected"),
        (("a", "b", "c", "d", "e"), "holds a, b, c and 2 more; expected"),
        (("events.jsonl",), "holds events.jsonl; expected"),  # whose, without a recipe?
        (("split.json", "run.lock"), "holds split.json; expected"),
    ],
)
def test_a_folder_that_holds_something_else_is_refused(tmp_path, names, said):
    make(tmp_path, *names)
    with pytest.raises(CheckpointError, match=said):
        refuse_to_overwrite(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"steps": ["mix"]}', "[" * 9999])
def test_a_recipe_of_another_kind_is_not_written_over(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"holds recipe\.json; expected an empty folder"):
        refuse_to_overwrite(tmp_path)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(CheckpointError, match="is a file; expected the name of a folder"):
        refuse_to_overwrite(tmp_path / "x")
    with pytest.raises(CheckpointError, match="cannot be written"), training_in(tmp_path / "x"):
        pass


def test_checkpoints_are_ordered_by_step(tmp_path):
    names = ["step-00000010.safetensors", "step-00000009.safetensors", "step-123456789.safetensors"]
    make(tmp_path, *(f"checkpoints/{name}" for name in names), "checkpoints/step-7.safetensors")
    assert [path.name for path in checkpoint_paths(tmp_path)] == [names[2], names[0], names[1]]
    assert has_state(tmp_path)
    assert checkpoint_paths(tmp_path / "none") == []


TRAIN = """
import sys
from pathlib import Path
from napari_fashion.engine.train.runs import training_in
with training_in(Path(sys.argv[1])):
    print("here", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_one_processs_until_that_ends_however(tmp_path):
    run = tmp_path / "run"
    assert not is_running(run)
    assert not run.exists()
    command = [sys.executable, "-c", TRAIN, str(run)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "here\n"
        assert is_running(run)
        said = f"another process trains in this folder .*process {process.pid}"
        with pytest.raises(CheckpointError, match=said):
            refuse_if_running(run)
        with pytest.raises(CheckpointError, match=said), training_in(run):
            pass
        left = run / f".fashion-{host()}-{process.pid}-abc.tmp"
        left.write_text("half")
        process.send_signal(signal.SIGKILL)
    assert not is_running(run)
    refuse_if_running(run)
    with training_in(run):
        assert is_running(run)
        assert not left.exists()
    assert not is_running(run)
    assert sorted(os.listdir(run)) == ["run.lock"]


def host():
    from napari_fashion.files import _HOST

    return _HOST


def lines(path):
    return [parse_event(line) for line in path.read_bytes().splitlines()]


@pytest.mark.parametrize("cut", [b'{"event": "sto', b"\0" * 300_000, b"{}", b"\xff"])
def test_a_last_line_that_was_cut_is_dropped_when_the_log_goes_on(tmp_path, cut):
    path = tmp_path / "events.jsonl"
    first, second = events.NoticeEvent(message="a"), events.NoticeEvent(message="b" * 200_000)
    EventLog(path, lambda event: None)(first)
    for _ in range(2):
        with path.open("ab") as log:
            log.write(cut)
        EventLog(path, lambda event: None)(second)
    assert lines(path) == [first, second, second]
    path.write_bytes(cut)
    log = EventLog(path, lambda event: None)
    log(first)
    log(second)
    assert lines(path) == [first, second]


def test_a_log_that_cannot_be_written_is_one_sentence_and_nothing_is_passed_on(tmp_path):
    heard = []
    log = EventLog(tmp_path / "events.jsonl", heard.append)
    log.path.mkdir()
    with pytest.raises(CheckpointError, match=r"events\.jsonl: cannot be written \(Is a directory"):
        log(events.NoticeEvent(message="a"))
    assert heard == []
    log.path.rmdir()
    log(events.NoticeEvent(message="a"))
    assert lines(log.path) == heard
