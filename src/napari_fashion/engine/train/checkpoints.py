"""The checkpoints of a run: which are there, which are kept, and the newest that is intact."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from napari_fashion.engine.train.checkpoint import (
    Checkpoint,
    DamagedCheckpointError,
    Manifest,
    read_checkpoint,
    read_manifest,
    write_checkpoint,
)
from napari_fashion.engine.train.checkpoint_options import CheckpointOptions
from napari_fashion.engine.train.runs import CHECKPOINTS, OLD_STATE, checkpoint_paths
from napari_fashion.engine.weights import Shapes
from napari_fashion.errors import CheckpointError

KEPT = 2
"""Number of the latest checkpoints that are kept."""


class Checkpoints:
    """The checkpoints in a run's folder. Which one is the best is read from the files themselves.

    Parameters
    ----------
    run
        The run's folder.
    options
        Which are kept.

    Attributes
    ----------
    problems
        What is wrong with checkpoints that were passed over, a sentence each.
    """

    def __init__(self, run: Path, options: CheckpointOptions) -> None:
        self.run, self.options = run, options
        self.problems: list[str] = []
        self._damaged: set[Path] = set()
        self._known: dict[Path, Manifest] = {}

    def write(self, manifest: Manifest, tensors: Mapping[str, Tensor]) -> Path:
        """Write a checkpoint, then remove those that are not kept; return its path.

        Raises
        ------
        OSError
            If it cannot be written; all others are then still there.
        """
        path = self._path(manifest.progress.step)
        write_checkpoint(path, manifest, tensors)
        self._known[path] = manifest
        self._damaged.discard(path)
        self._remove_others()
        return path

    def read_newest(self, check: Callable[[Shapes], None]) -> Checkpoint:
        """Read the newest checkpoint that is intact.

        Parameters
        ----------
        check
            See `read_checkpoint`.

        Raises
        ------
        CheckpointError
            If none is intact, or the newest that is intact is not of this version.
        ValueError
            What `check` raises.
        """
        paths = checkpoint_paths(self.run)
        for path in paths:
            try:
                return self.read(path, check)
            except DamagedCheckpointError as error:
                self._damaged.add(path)
                self.problems.append(str(error))
        if not paths:
            raise CheckpointError(f"{self.run}: no checkpoint there; expected one of a run.")
        raise CheckpointError(f"no checkpoint is intact ({len(paths)} found): {self.problems[0]}")

    def read(self, path: Path, check: Callable[[Shapes], None]) -> Checkpoint:
        """Read one of the checkpoints; see `read_checkpoint`."""
        checkpoint = read_checkpoint(path, check)
        step = checkpoint.manifest.progress.step
        if path != self._path(step):
            raise DamagedCheckpointError(
                f"{path}: is of step {step}; expected the one of its name."
            )
        self._known[path] = checkpoint.manifest
        return checkpoint

    def best(self) -> Path | None:
        """Return the checkpoint with the least normalised error on the validation images.

        Of equal ones it is the first. None if no checkpoint is of a validated step.
        """
        errors = [
            (manifest.error, manifest.progress.step, path)
            for path, manifest in self._manifests().items()
            if manifest.error is not None
        ]
        return min(errors)[2] if errors else None

    def last_good_epoch(self) -> Path | None:
        """Return the newest checkpoint at the end of an epoch that the divergence guard called good.

        Checkpoints within epochs are left out: when they are written depends on the machine's speed,
        and what is learned must not.
        """
        manifests = self._manifests().items()
        return next((p for p, m in manifests if m.good and m.progress.whole_epoch), None)

    def _path(self, step: int) -> Path:
        return self.run / CHECKPOINTS / f"step-{step:08d}.safetensors"

    def _manifests(self) -> dict[Path, Manifest]:
        """Return the manifests of all checkpoints that can be read, the newest first."""
        found: dict[Path, Manifest] = {}
        for path in checkpoint_paths(self.run):
            if path in self._damaged:
                continue
            if path not in self._known:
                try:
                    self._known[path] = read_manifest(path)
                except CheckpointError:
                    self._damaged.add(path)
                    continue
            found[path] = self._known[path]
        return found

    def _remove_others(self) -> None:
        """Remove the checkpoints that are not kept, and the state of an older version."""
        manifests = self._manifests()
        every = self.options.keep_every
        kept = set(list(manifests)[:KEPT]) | {self.best(), self.last_good_epoch()}
        if every:
            kept |= {
                path
                for path, manifest in manifests.items()
                if manifest.progress.whole_epoch and manifest.progress.epoch % every == 0
            }
        others = [path for path in checkpoint_paths(self.run) if path not in kept]
        for path in (*others, *(self.run / name for name in OLD_STATE)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
