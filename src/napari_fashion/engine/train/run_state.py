"""The state of a run between its steps: into checkpoints, and back from files that are not trusted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from napari_fashion import __version__
from napari_fashion.documents import shown
from napari_fashion.engine.train.checkpoint import (
    About,
    Checkpoint,
    Manifest,
    Progress,
    Validation,
)
from napari_fashion.engine.train.checkpoints import Checkpoints
from napari_fashion.engine.train.disk import writing
from napari_fashion.engine.train.runs import CHECKPOINTS
from napari_fashion.engine.weights import Shapes
from napari_fashion.errors import CheckpointError

_MOST_RANDOM_BYTES = 1 << 20
"""Greatest length of a random generator's state."""


class Part(Protocol):
    """A part of a run with a state of its own, which checkpoints keep."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as JSON values; numbers are finite."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state; raise ValueError, TypeError or KeyError if it is none."""


@dataclass(frozen=True, eq=False)
class Learning:
    """What of a run learns.

    Attributes
    ----------
    network
        Its weights are updated.
    average
        Holds their moving average.
    optimiser, scaler
        Update them.
    device
        Where; its random state is saved as well.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    device: torch.device


class RunState:
    """Saves and restores the whole state of a run: it goes on from it to the very same weights.

    Parameters
    ----------
    learning
        What learns.
    about
        What the run is about.
    checkpoints
        Where states are kept.

    Attributes
    ----------
    parts
        Parts of the run with a state of their own, by name. One that a checkpoint does not have stays
        as it is when that is loaded.
    notices
        What a person should know of the state that was loaded, a sentence each.
    """

    def __init__(self, learning: Learning, about: About, checkpoints: Checkpoints) -> None:
        self.checkpoints = checkpoints
        self.parts: dict[str, Part] = {}
        self.notices: list[str] = []
        self._learning, self._about = learning, about

    @property
    def can_go_back(self) -> bool:
        """Whether there is a checkpoint of an epoch that the divergence guard called good."""
        return self.checkpoints.last_good_epoch() is not None

    def save(self, progress: Progress, validation: Validation | None, *, good: bool = True) -> Path:
        """Write a checkpoint; return its path.

        Parameters
        ----------
        progress
            How far the run has come.
        validation
            The latest one.
        good
            Whether the divergence guard calls the state good.

        Raises
        ------
        CheckpointError
            If it cannot be written; the others are then still there.
        """
        optimiser, scalars = self._optimiser_state()
        learning = self._learning
        tensors = {f"network.{k}": v for k, v in learning.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in learning.average.state_dict().items()}
        tensors |= optimiser
        tensors["random.cpu"] = torch.get_rng_state()
        if learning.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(learning.device)
        manifest = Manifest(
            progress=progress,
            about=self._about,
            validation=validation,
            optimiser=type(learning.optimiser).__name__,
            scalars=scalars,
            scaler=learning.scaler.state_dict(),
            state={name: part.state_dict() for name, part in self.parts.items()},
            good=good,
        )
        with writing(self.checkpoints.run / CHECKPOINTS):
            return self.checkpoints.write(manifest, tensors)

    def load(self) -> Manifest:
        """Go to the state of the newest checkpoint that is intact; return its manifest.

        Raises
        ------
        CheckpointError
            If there is none, or it does not belong to this run.
        """
        return self._load(lambda: self.checkpoints.read_newest(self.check))

    def load_old(self, read: Callable[[], Checkpoint]) -> Manifest:
        """Go to a state that an older version left, as `read` returns it; see `load`."""
        return self._load(read)

    def go_back(self) -> Manifest:
        """Go back to the last epoch that the divergence guard called good; see `load`."""
        path = self.checkpoints.last_good_epoch()
        if path is None:
            raise CheckpointError(f"{self.checkpoints.run}: no checkpoint to go back to.")
        return self._load(lambda: self.checkpoints.read(path, self.check))

    def read_best(self) -> Checkpoint | None:
        """Read the checkpoint of the best validation; None if no checkpoint is of a validated step.

        Raises
        ------
        CheckpointError
            If it is damaged.
        """
        path = self.checkpoints.best()
        if path is None:
            return None
        with _refusing_to_resume(self.checkpoints.run):
            return self.checkpoints.read(path, self.check)

    def check(self, found: Shapes) -> None:
        """Check that tensors are those of this run's network, optimiser and random state.

        Raises
        ------
        ValueError
            If one is missing, or is not of this run.
        """
        learning = self._learning
        expected = {f"network.{k}": v for k, v in learning.network.state_dict().items()}
        expected |= {f"average.{k}": v for k, v in learning.average.state_dict().items()}
        moving = {name: tuple(p.shape) for name, p in learning.network.named_parameters()}
        for name in [*expected, "random.cpu"]:
            if name not in found:
                raise ValueError(f"{name} is missing")
        for name, shape in found.items():
            match name.split(".", 2):
                case ["network" | "average", *_]:
                    fits = name in expected and tuple(expected[name].shape) == shape
                case ["optimiser", key, parameter]:
                    fits = moving.get(parameter) == shape or (
                        parameter in moving and key == "step" and shape in ((), (1,))
                    )
                case ["random", "cpu" | "cuda"]:
                    fits = len(shape) == 1 and shape[0] <= _MOST_RANDOM_BYTES
                case _:
                    fits = False
            if not fits:
                raise ValueError(
                    f"{shown(name)} of the shape {shown(list(shape))} is not of this run"
                )

    def _optimiser_state(self) -> tuple[dict[str, Tensor], dict[str, dict[str, int | float]]]:
        """Return the optimiser's tensors, and its other values, by the names of parameters."""
        tensors: dict[str, Tensor] = {}
        scalars: dict[str, dict[str, int | float]] = {}
        for name, parameter in self._learning.network.named_parameters():
            for key, value in self._learning.optimiser.state.get(parameter, {}).items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{key}.{name}"] = value
                elif value is not None:
                    scalars.setdefault(name, {})[key] = value
        return tensors, scalars

    def _load(self, read: Callable[[], Checkpoint]) -> Manifest:
        with _refusing_to_resume(self.checkpoints.run):
            checkpoint = read()
            self.notices = [
                f"{problem} The checkpoint before it is used."
                for problem in self.checkpoints.problems
            ]
            self.notices += self._differences(checkpoint.manifest)
            self._restore(checkpoint)
        return checkpoint.manifest

    def _differences(self, manifest: Manifest) -> list[str]:
        """Return what has changed since the checkpoint, in sentences; refuse other annotations."""
        then, now = manifest.about, self._about
        if then.fingerprint != now.fingerprint:
            raise ValueError("the annotations have changed since")
        if then.schema_digest not in ("", now.schema_digest):
            raise ValueError("the landmark schema has changed since")
        kind = type(self._learning.optimiser).__name__
        if manifest.optimiser != kind:
            raise ValueError(f"the optimiser is {kind}, and was {shown(manifest.optimiser)}")
        changed = []
        same_version = manifest.napari_fashion == __version__  # another has other defaults
        if same_version and then.recipe_digest not in ("", now.recipe_digest):
            changed.append("recipe.json")
        if then.recipe_digest and then.start != now.start:
            changed.append(f"the model that the run started from (it was {shown(then.start)})")
        return [
            f"Changed since the checkpoint of step {manifest.progress.step}: {what}. The weights will "
            "not be those of an undisturbed run."
            for what in changed
        ]

    def _restore(self, checkpoint: Checkpoint) -> None:
        learning, manifest = self._learning, checkpoint.manifest
        learning.network.load_state_dict(checkpoint.under("network."))
        learning.average.load_state_dict(checkpoint.under("average."))
        self._restore_optimiser(checkpoint)
        if manifest.scaler and learning.scaler.is_enabled():
            learning.scaler.load_state_dict(manifest.scaler)
        for name, part in self.parts.items():
            if name in manifest.state:
                part.load_state_dict(manifest.state[name])
        torch.set_rng_state(checkpoint.tensors["random.cpu"])  # last: loading may draw from it
        cuda = checkpoint.tensors.get("random.cuda")
        if cuda is not None and learning.device.type == "cuda":
            torch.cuda.set_rng_state(cuda, learning.device)

    def _restore_optimiser(self, checkpoint: Checkpoint) -> None:
        optimiser = self._learning.optimiser
        values: dict[str, dict[str, Any]] = {
            name: dict(scalars) for name, scalars in checkpoint.manifest.scalars.items()
        }
        parameters = dict(self._learning.network.named_parameters())
        for key, tensor in checkpoint.under("optimiser.").items():
            what, name = key.split(".", 1)
            if tensor.shape == parameters[name].shape:  # in the parameter's layout, as it was
                tensor = torch.empty_like(parameters[name]).copy_(tensor)
            values.setdefault(name, {})[what] = tensor.detach()
        order = [p for group in optimiser.param_groups for p in group["params"]]
        index = {id(parameter): i for i, parameter in enumerate(order)}
        moments = {index[id(parameters[name])]: state for name, state in values.items()}
        groups = optimiser.state_dict()["param_groups"]  # the recipe's
        optimiser.load_state_dict({"state": moments, "param_groups": groups})


def digest_of(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON document, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


@contextmanager
def _refusing_to_resume(folder: Path) -> Iterator[None]:
    """Turn whatever a state's damage raises into one `CheckpointError`."""
    try:
        yield
    except (
        *(AttributeError, IndexError, KeyError, TypeError),
        *(RuntimeError, ValueError, OverflowError, OSError, CheckpointError),
    ) as error:
        raise CheckpointError(
            f"{folder}: the saved state cannot be resumed ({error}). Start a new run from its "
            "model instead (start_from)."
        ) from error
