"""Run folders: what is in them, whether a run is finished, and who trains in one.

This module imports no torch.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_fashion.documents import listed, read_json
from napari_fashion.engine.train.disk import writing
from napari_fashion.engine.train.events import DoneEvent, last_event
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write, remove_stale_files
from napari_fashion.locking import Holder, ProcessLock

MODEL, WEIGHTS = "model.json", "model.safetensors"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
"""Folder of the files for TensorBoard."""
RECIPE, SPLIT, EVENTS = "recipe.json", "split.json", "events.jsonl"
LOCK, HOLDER = "run.lock", "run.holder.json"
OLD_STATE = ("state.json", "state.safetensors")
"""What versions without checkpoints kept a run's state in (`old_runs`)."""
RUN_FILES = (MODEL, WEIGHTS, RECIPE, SPLIT, EVENTS)
"""Files that a run writes, beside its checkpoints and its lock."""

_OTHERS = (
    CHECKPOINTS,
    "data",
    TENSORBOARD,
    LOCK,
    f"{LOCK}.soft",
    HOLDER,
    *OLD_STATE,
    "stderr.txt",
)
"""What else can be in a run's folder: `data` are copies of its sources; older versions of the window
kept the trainer's messages in `stderr.txt`."""
_PASSED_OVER = re.compile(r"\.fashion-.*\.tmp|\.DS_Store|Thumbs\.db|desktop\.ini", re.IGNORECASE)
"""What killed processes and file managers leave."""
_NAME = re.compile(r"step-(\d{8,18})\.safetensors")
_LOCK_SECONDS = 2.0
"""How long a run's lock is waited for: whoever looks whether it is held has it for a moment."""


def checkpoint_paths(run: Path) -> list[Path]:
    """Return the checkpoints in a run's folder by the steps in their names, the newest first."""
    try:
        found = [
            (int(match[1]), run / CHECKPOINTS / name)
            for name in os.listdir(run / CHECKPOINTS)
            if (match := _NAME.fullmatch(name)) is not None
        ]
    except OSError:
        return []
    return [path for _, path in sorted(found, reverse=True)]


def has_state(run: Path) -> bool:
    """Whether a run's folder holds a state to go on from: a checkpoint, or what older versions kept."""
    return bool(checkpoint_paths(run)) or os.path.lexists(run / OLD_STATE[0])


def finished(run: Path) -> bool:
    """Whether a run's folder holds a model whose training came to its end."""
    if not ((run / EVENTS).is_file() and (run / MODEL).is_file()):
        return False
    return isinstance(last_event(run / EVENTS), DoneEvent)


def is_running(run: Path) -> bool:
    """Whether a process trains in a run's folder."""
    return _lock(run).holder() is not None


def refuse_to_overwrite(run: Path) -> None:
    """Check that a run can begin in a folder: it is not there, is empty, or holds a run without a state.

    Raises
    ------
    CheckpointError
        If the folder is a file, or holds a run with a state, a model, or anything else.
    """
    if os.path.lexists(run) and not run.is_dir():
        raise CheckpointError(f"{run}: is a file; expected the name of a folder for the run.")
    try:
        names = sorted(os.listdir(run))
    except FileNotFoundError:
        return
    except OSError as error:
        raise CheckpointError(
            f"{run}: cannot be read ({error.strerror}); expected a folder for the run."
        ) from error
    there = {name for name in names if not _PASSED_OVER.fullmatch(name)}
    for name in (MODEL, WEIGHTS, OLD_STATE[0]):
        if name in there:
            raise CheckpointError(
                f"{run}: holds {name}, a run or a model already; it is not written over."
            )
    if checkpoint_paths(run):
        raise CheckpointError(
            f"{run}: holds {CHECKPOINTS}, a run or a model already; it is not written over."
        )
    other = sorted(there.difference(RUN_FILES, _OTHERS))
    if not _is_recipe(run / RECIPE):  # then these are not a run's either
        other = sorted(there.difference(_OTHERS))
    if other:
        raise CheckpointError(
            f"{run}: holds {listed(other, 3)}; expected an empty folder or a run."
        )


def _is_recipe(path: Path) -> bool:
    """Whether a file is the recipe of a run."""
    try:
        data = read_run_json(path)
    except CheckpointError:
        return False
    return isinstance(data, dict) and {"data", "optimiser", "schedule"} <= data.keys()


@contextmanager
def training_in(run: Path) -> Iterator[None]:
    """Hold a run's folder, which is made if it isn't there, and remove what killed processes left.

    Raises
    ------
    CheckpointError
        If another process trains in it, or it cannot be written.
    """
    lock = _lock(run)
    with writing(run / LOCK):
        run.mkdir(parents=True, exist_ok=True)
        try:
            holder = lock.acquire(_LOCK_SECONDS)
        except RuntimeError as error:
            raise OSError(str(error)) from error
    if holder is not None:
        raise _taken(run, holder)
    try:
        for folder in (run, run / CHECKPOINTS):
            remove_stale_files(folder)
        yield
    finally:
        lock.release()


def refuse_if_running(run: Path) -> None:
    """Raise CheckpointError if a process trains in a run's folder."""
    if (holder := _lock(run).holder()) is not None:
        raise _taken(run, holder)


def _taken(run: Path, holder: Holder) -> CheckpointError:
    return CheckpointError(
        f"{run}: another process trains in this folder ({holder}); expected a folder for this run "
        "alone. Wait until it ends, stop it, or give another folder."
    )


def _lock(run: Path) -> ProcessLock:
    return ProcessLock(run / LOCK, run / HOLDER)


def read_run_json(path: Path) -> Any:
    """Read a JSON file of a run's folder.

    Raises
    ------
    CheckpointError
        If it is missing or not JSON.
    """
    return read_json(path, CheckpointError, expected="a file of a training run (JSON)")


def write_run_json(path: Path, data: Any) -> None:
    """Write a JSON file of a run's folder, whole or not at all.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    with writing(path):
        atomic_write(path, json.dumps(data, indent=1).encode() + b"\n")
