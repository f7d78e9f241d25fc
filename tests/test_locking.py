"""Locks between processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from napari_fashion import locking
from napari_fashion.locking import Holder, ProcessLock

HOLD = """
import sys
from pathlib import Path
from napari_fashion.locking import ProcessLock
lock = ProcessLock(Path(sys.argv[1]), Path(sys.argv[2]))
print(lock.acquire(), flush=True)
sys.stdin.read()
lock.release()
"""


@pytest.fixture
def places(tmp_path):
    return tmp_path / "x.lock", tmp_path / "holder.json"


@contextmanager
def held_elsewhere(places):
    """Another process holds the lock."""
    command = [sys.executable, "-c", HOLD, *map(str, places)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "None\n"
        yield process
        process.stdin.close()


def test_another_process_is_named_and_its_end_frees_the_lock(places):
    lock = ProcessLock(*places)
    assert lock.holder() is None
    assert not places[0].exists()  # looking makes nothing
    with held_elsewhere(places) as process:
        holder = lock.acquire()
        assert (holder.process, holder.host) == (process.pid, socket.gethostname())
        assert f"process {process.pid} since" in str(holder)
        assert lock.holder() == holder
        assert not lock.is_held
    assert not places[1].exists()
    assert lock.holder() is None
    assert lock.acquire() is None
    assert lock.is_held
    assert lock.acquire() is None  # it has it
    assert lock.holder().process == os.getpid()
    lock.release()
    lock.release()
    assert ProcessLock(*places).holder() is None


def test_a_killed_process_gives_its_lock_back(places):
    lock = ProcessLock(*places)
    with held_elsewhere(places) as process:
        process.kill()
        process.wait()
    assert places[1].exists()  # what it left
    assert lock.holder() is None
    assert lock.acquire(1.0) is None
    assert json.loads(places[1].read_text())["process"] == os.getpid()
    lock.release()


def test_a_lock_that_a_dead_process_left_to_its_helpers_is_waited_for(places, monkeypatch):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock, waits = ProcessLock(*places), []
    with held_elsewhere(places) as helper:
        document = json.loads(places[1].read_text()) | {"process": gone.pid}
        places[1].write_text(json.dumps(document))
        assert lock.holder() is None  # nobody trains any more

        def sleep(seconds):
            waits.append(seconds)
            if len(waits) == 3:
                helper.kill()
                helper.wait()

        monkeypatch.setattr(locking.time, "sleep", sleep)
        assert lock.acquire(0.001) is None
    assert len(waits) >= 3
    lock.release()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"user": 1, "host": "h", "process": "x", "since": ""}', "[" * 99_999, "\xff"],
)
def test_whatever_stands_in_the_holders_file_there_is_a_holder(places, text):
    with held_elsewhere(places):
        places[1].write_text(text, "latin-1")
        assert ProcessLock(*places).acquire() == Holder()
        assert ProcessLock(*places).holder() == Holder()


def test_a_lock_that_cannot_be_made_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    lock = ProcessLock(tmp_path / "file" / "x.lock", tmp_path / "holder.json")
    with pytest.raises(OSError, match="file"):
        lock.acquire()
    assert not lock.is_held
