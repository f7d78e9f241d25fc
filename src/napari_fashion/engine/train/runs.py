"""Run folders: what is in them, and whether a run is finished.

This module imports no torch.
"""

from __future__ import annotations

import os
from pathlib import Path

from napari_fashion.engine.train.events import DoneEvent, last_event
from napari_fashion.errors import CheckpointError

MODEL = "model.json"
STATE, STATE_TENSORS = "state.json", "state.safetensors"
TENSORBOARD = "tensorboard"
"""Folder of the files for TensorBoard."""
RECIPE, SPLIT, EVENTS = "recipe.json", "split.json", "events.jsonl"
RESULTS = (MODEL, "model.safetensors", STATE, STATE_TENSORS)
RUN_FILES = (*RESULTS, RECIPE, SPLIT, EVENTS)
"""Files that a run writes: no run begins in a folder that has one of them."""


def finished(run: Path) -> bool:
    """Whether a run's folder holds a model whose training came to its end."""
    if not ((run / EVENTS).is_file() and (run / MODEL).is_file()):
        return False
    return isinstance(last_event(run / EVENTS), DoneEvent)


def refuse_to_overwrite(run: Path) -> None:
    """Raise CheckpointError if a run's folder holds a run or a model already, or is a file."""
    if os.path.lexists(run) and not run.is_dir():
        raise CheckpointError(f"{run}: is a file; expected the name of a folder for the run.")
    there = [name for name in RUN_FILES if os.path.lexists(run / name)]
    if not set(there) & set(RESULTS) and {RECIPE, EVENTS} <= set(there):
        return  # a run that ended before it had learned anything
    if there:
        raise CheckpointError(
            f"{run}: holds {there[0]}, a run or a model already; it is not written over."
        )
