"""The processes that train for a window, and the records of those that may go on without it. No Qt.

A record is a small JSON file in the user's state folder. It says which process trains in which run,
and which window follows it, so that a window opened later finds a run that is followed by none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from napari_fashion.documents import read_json
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write
from napari_fashion.paths import state_folder

_log = logging.getLogger(__name__)

MAX_RECORD_BYTES = 1 << 16
_SAME_SECONDS = 5.0
"""Start times of a process as two programs compute them differ by less."""


@dataclass(frozen=True)
class ProcessId:
    """A process that its number alone would not name for ever: numbers are used again.

    Attributes
    ----------
    number
        The system's.
    began
        When it was started, seconds since the epoch.
    """

    number: int
    began: float

    @classmethod
    def of(cls, number: int) -> ProcessId:
        """Return the identity of a process that is there."""
        try:
            return cls(number, psutil.Process(number).create_time())
        except psutil.Error:  # it has ended already
            return cls(number, 0.0)

    @property
    def alive(self) -> bool:
        """Whether the process is there and has not ended."""
        try:
            process = psutil.Process(self.number)
            same = abs(process.create_time() - self.began) < _SAME_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.Error, ValueError, OverflowError):
            return False


@dataclass(frozen=True)
class TrainRecord:
    """A run that a process trains, and the window that follows it.

    Attributes
    ----------
    run, output
        The run's folder, and the file with what the process prints.
    process
        The one that trains.
    window
        The process of the window that follows the run; None if none does.
    """

    run: Path
    output: Path
    process: ProcessId
    window: ProcessId | None

    @property
    def path(self) -> Path:
        """Where the record is kept."""
        name = hashlib.sha256(os.fsencode(self.run)).hexdigest()[:24]
        return _folder() / f"{name}.json"

    def followed_here(self) -> TrainRecord:
        """Return the record of the same run with this process's window."""
        return replace(self, window=ProcessId.of(os.getpid()))

    def save(self) -> None:
        """Write the record; a window that cannot keep it is the only one to find the run."""
        data = {
            "run": str(self.run),
            "output": str(self.output),
            "process": [self.process.number, self.process.began],
            "window": None if self.window is None else [self.window.number, self.window.began],
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, json.dumps(data).encode())
        except OSError as error:
            _log.warning("%s: the record of a training cannot be kept (%s)", self.path, error)

    def remove(self) -> None:
        """Remove the record, once a person has seen how the run ended."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    @classmethod
    def read(cls, path: Path) -> TrainRecord | None:
        """Read a record; None if the file is none."""
        try:
            data = read_json(path, FashionError, limit=MAX_RECORD_BYTES)
            window = data["window"]
            return cls(
                Path(data["run"]),
                Path(data["output"]),
                _process(data["process"]),
                None if window is None else _process(window),
            )
        except (FashionError, KeyError, TypeError, ValueError, OverflowError):
            return None


def find_left_alone() -> TrainRecord | None:
    """Return the latest run that no living window follows: one that still trains before others."""
    found: list[tuple[bool, float, TrainRecord]] = []
    with contextlib.suppress(OSError):
        for path in _folder().glob("*.json"):
            record = TrainRecord.read(path)
            if record is None or not record.run.parent.is_dir():
                with contextlib.suppress(OSError):
                    path.unlink()
            elif record.window is None or not record.window.alive:
                found.append((record.process.alive, record.process.began, record))
    return max(found, key=lambda item: item[:2])[2] if found else None


def _process(value: Any) -> ProcessId:
    number, began = value
    return ProcessId(int(number), float(began))


def _folder() -> Path:
    return state_folder() / "trainings"


class TrainProcess:
    """A process that trains: one that this program started, or one that it found.

    Parameters
    ----------
    process
        The process.
    child
        Its handle if this program started it.
    """

    def __init__(self, process: ProcessId, child: subprocess.Popen[bytes] | None = None) -> None:
        self.process = process
        self.child = child
        self._asked = False

    @classmethod
    def start(cls, command: Sequence[str], output: Path) -> TrainProcess:
        """Start a process of its own session, which does not end with this one.

        Parameters
        ----------
        command
            What to run.
        output
            The file for all that it prints, as bytes: a file, unlike a pipe, never makes it wait.

        Raises
        ------
        OSError
            If it cannot be started, or the file cannot be made.
        """
        with output.open("wb") as stream:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,  # its workers end with it; a terminal's Ctrl+C spares it
                creationflags=_WINDOWS_FLAGS,
            )
        return cls(ProcessId.of(child.pid), child)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.alive if self.child is None else self.child.poll() is None

    @property
    def status(self) -> int | None:
        """Exit status of one that this program started and that has ended."""
        return None if self.child is None else self.child.poll()

    def terminate(self) -> None:
        """Ask it, once, to save and end: a second request would end it at once.

        Its workers are not asked: they end with it.
        """
        if self._asked or not self.alive:
            return
        self._asked = True
        with contextlib.suppress(OSError, psutil.Error):
            psutil.Process(self.process.number).terminate()

    def kill(self) -> None:
        """End it and its workers at once."""
        if not self.alive:
            return
        with contextlib.suppress(OSError, psutil.Error):
            if hasattr(os, "killpg"):
                os.killpg(self.process.number, signal.SIGKILL)
            else:  # Windows
                psutil.Process(self.process.number).kill()


_WINDOWS_FLAGS: int = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) | getattr(
    subprocess, "CREATE_NO_WINDOW", 0
)
