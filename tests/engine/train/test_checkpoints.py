"""The checkpoints of a run: which are kept, and which one is gone on from."""

from __future__ import annotations

import errno
import os
import shutil

import pytest
import torch

from napari_fashion.engine.train import checkpoint as module
from napari_fashion.engine.train.checkpoint import About, Manifest, Progress, Validation
from napari_fashion.engine.train.checkpoint_options import CheckpointOptions
from napari_fashion.engine.train.checkpoints import Checkpoints
from napari_fashion.engine.train.runs import checkpoint_paths
from napari_fashion.errors import CheckpointError

ABOUT = About(fingerprint="f", schema_digest="s", recipe_digest="r", start=None)


def write(checkpoints, step, *, error=None, whole=True, good=True, epoch=None):
    progress = Progress(
        epoch=step if epoch is None else epoch,
        step=step, whole_epoch=whole, seconds=1.0, lr_factor=1.0,
    )  # fmt: skip
    validation = None if error is None else Validation(step=step, metrics={"ne": error})
    one = Manifest(
        progress=progress, about=ABOUT, validation=validation, optimiser="SGD", good=good
    )
    return checkpoints.write(one, {"network.w": torch.full((2,), float(step))})


def steps(run):
    return [int(path.stem.removeprefix("step-")) for path in reversed(checkpoint_paths(run))]


def accept(shapes):
    pass


def test_the_last_two_the_best_and_every_nth_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions(keep_every=4))
    errors = [0.9, 0.2, 0.5, 0.4, 0.3, 0.2, 0.6, 0.7, 0.8, 0.8]
    kept = []
    for step, error in enumerate(errors, 1):
        write(checkpoints, step, error=error)
        kept.append(steps(tmp_path))
    assert kept[:5] == [[1], [1, 2], [2, 3], [2, 3, 4], [2, 4, 5]]
    assert kept[-1] == [2, 4, 8, 9, 10]  # of equal errors the first is the best
    assert checkpoints.best().name == "step-00000002.safetensors"
    again = Checkpoints(tmp_path, CheckpointOptions())
    assert again.best() == checkpoints.best()
    write(again, 11, error=0.1)
    assert steps(tmp_path) == [10, 11]
    assert again.best().name == "step-00000011.safetensors"


def test_within_an_epoch_nothing_is_of_every_nth_and_no_error_is_known(tmp_path):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions(keep_every=1))
    for step in range(1, 5):
        write(checkpoints, step, whole=step == 1, epoch=1)
    assert steps(tmp_path) == [1, 3, 4]
    assert checkpoints.best() is None


def test_the_last_good_epoch_is_kept_to_go_back_to(tmp_path):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions())
    assert checkpoints.last_good_epoch() is None
    write(checkpoints, 1, whole=False)
    assert checkpoints.last_good_epoch() is None
    for step in range(2, 5):
        write(checkpoints, step)
    for step in range(5, 9):
        write(checkpoints, step, good=False)
        write(checkpoints, step + 10, whole=False)
    assert checkpoints.last_good_epoch().name == "step-00000004.safetensors"
    assert steps(tmp_path) == [4, 17, 18]


def test_of_a_damaged_newest_the_one_before_is_used_and_it_goes_with_the_next(tmp_path):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions())
    write(checkpoints, 1)
    newest = write(checkpoints, 2)
    data = bytearray(newest.read_bytes())
    data[-1] ^= 1
    newest.write_bytes(data)
    again = Checkpoints(tmp_path, CheckpointOptions())
    assert again.read_newest(accept).manifest.progress.step == 1
    assert len(again.problems) == 1
    assert "step-00000002.safetensors: is damaged" in again.problems[0]
    write(again, 3)
    assert steps(tmp_path) == [1, 3]
    for path in checkpoint_paths(tmp_path):
        path.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"no checkpoint is intact \(2 found\): .*step-00000003"
    ):
        Checkpoints(tmp_path, CheckpointOptions()).read_newest(accept)
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.raises(CheckpointError, match="no checkpoint there; expected one of a run"):
        Checkpoints(tmp_path, CheckpointOptions()).read_newest(accept)


def test_a_checkpoint_of_another_name_or_version_is_not_gone_on_from(tmp_path):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions())
    first = write(checkpoints, 1)
    shutil.copy(first, first.with_name("step-00000009.safetensors"))
    again = Checkpoints(tmp_path, CheckpointOptions())
    assert again.read_newest(accept).manifest.progress.step == 1
    assert "is of step 1; expected the one of its name" in again.problems[0]
    for name in (
        "step-1.safetensors",
        "step-0000000x.safetensors",
        "step-00000010.safetensors.tmp",
    ):
        shutil.copy(first, first.with_name(name))
    assert steps(tmp_path) == [1, 9]


def test_a_newer_version_is_not_passed_over(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions())
    write(checkpoints, 1)
    dump = Manifest.model_dump
    monkeypatch.setattr(Manifest, "model_dump", lambda self: dump(self) | {"version": 2})
    write(checkpoints, 2)
    with pytest.raises(CheckpointError, match="format version 2; expected 1"):
        Checkpoints(tmp_path, CheckpointOptions()).read_newest(accept)


def test_on_a_full_disk_all_others_stay(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, CheckpointOptions())
    write(checkpoints, 1)
    write(checkpoints, 2)

    def full(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(module, "atomic_write", full)
        with pytest.raises(OSError, match="No space left"):
            write(checkpoints, 3)
    assert steps(tmp_path) == [1, 2]
    write(checkpoints, 4)
    assert steps(tmp_path) == [2, 4]


def test_what_an_older_version_kept_goes_with_the_first_checkpoint(tmp_path):
    for name in ("state.json", "state.safetensors"):
        (tmp_path / name).write_text("")
    write(Checkpoints(tmp_path, CheckpointOptions()), 1)
    assert sorted(os.listdir(tmp_path)) == ["checkpoints"]
