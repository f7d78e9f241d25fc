"""The state of a run between its steps: to files, and back from files that are not trusted.

``state.json`` has numbers, ``state.safetensors`` tensors. The averaged weights are the run's model
and not part of the state.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ConfigDict, Field, ValidationError
from safetensors.torch import save
from torch import Tensor, nn

from napari_fashion.documents import ended, read_json, shown
from napari_fashion.engine.train.runs import STATE, STATE_TENSORS
from napari_fashion.engine.weights import Shapes, read_weights
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write
from napari_fashion.options import Options, told

_MOST_RANDOM_BYTES = 1 << 20
"""Greatest length of a random generator's state."""


class Progress(Options):
    """How far a run has come.

    Attributes
    ----------
    epoch, step
        Number of those that are done.
    seconds
        Of training, over all sessions.
    lr_factor
        Of the learning rate: below 1 after the divergence policy ``"back"``.
    good
        Whether the divergence guard calls the state good.
    state
        States of other parts of the run, by name: JSON values.
    """

    epoch: int = Field(ge=0, lt=1 << 53)
    step: int = Field(ge=0, lt=1 << 53)
    seconds: float = Field(ge=0)
    lr_factor: float = Field(gt=0, le=1)
    good: bool = False
    state: dict[str, dict[str, Any]] = Field(default_factory=dict, max_length=100)


class _State(Progress):
    """What ``state.json`` holds."""

    model_config = ConfigDict(extra="ignore")

    fingerprint: str
    optimiser: dict[str, Any]
    scaler: dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Saves and loads the state of a run.

    Attributes
    ----------
    folder
        Of the run.
    network, optimiser, scaler
        What learns, with its state.
    device
        Its random state is saved as well.
    fingerprint
        Of the annotations: a state of others is refused.
    """

    folder: Path
    network: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    device: torch.device
    fingerprint: str

    @property
    def good(self) -> bool:
        """Whether a state was saved that the divergence guard called good."""
        return (self.folder / STATE).exists() and self._read().good

    def save(self, progress: Progress) -> None:
        """Write the state; the run goes on from it to the very same weights."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        state = self.optimiser.state_dict()
        scalars: dict[str, dict[str, Any]] = {}
        for index, values in state["state"].items():
            for key, value in values.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser.{index}.{key}"] = value
                elif value is not None:
                    scalars.setdefault(str(index), {})[key] = value
        tensors["random.cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.device)
        tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
        written = save(tensors, metadata={"step": str(progress.step)})
        atomic_write(self.folder / STATE_TENSORS, written)
        document = {
            **progress.model_dump(),
            "fingerprint": self.fingerprint,
            "optimiser": {"param_groups": state["param_groups"], "scalars": scalars},
            "scaler": self.scaler.state_dict(),
        }
        write_json(self.folder / STATE, document)

    def load(self) -> Progress:
        """Read the state into the network, the optimiser and the random generators.

        Raises
        ------
        CheckpointError
            If there is no state, or it does not belong to this run.
        """
        state = self._read()
        with refusing_to_resume(self.folder):
            self._restore(state)
        return state

    def _restore(self, state: _State) -> None:
        if state.fingerprint != self.fingerprint:
            raise ValueError("the annotations have changed since")
        read = read_weights(self.folder / STATE_TENSORS, self._check)
        step, tensors = int(read.metadata["step"]), read.tensors
        if step != state.step:
            raise ValueError(f"tensors of step {step}, {STATE} of step {state.step}")
        self.network.load_state_dict(_under("network.", tensors))
        moments: dict[int, dict[str, Any]] = {
            int(i): dict(v) for i, v in state.optimiser.get("scalars", {}).items()
        }
        for key, value in _under("optimiser.", tensors).items():
            index, name = key.split(".", 1)
            moments.setdefault(int(index), {})[name] = value
        groups = self.optimiser.state_dict()["param_groups"]  # the recipe's, not the file's
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})
        self.scaler.load_state_dict(state.scaler)
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self.device)

    def _read(self) -> _State:
        path = self.folder / STATE
        try:
            return _State.model_validate(read_run_json(path))
        except ValidationError as error:
            raise CheckpointError(
                f"{path}: no state of a run: {ended(told(error, _State))}"
            ) from error

    def _check(self, found: Shapes) -> None:
        """Refuse tensors that are not those of this run's network, optimiser and random state."""
        network = {f"network.{k}": tuple(v.shape) for k, v in self.network.state_dict().items()}
        groups = self.optimiser.param_groups
        moving = [tuple(p.shape) for group in groups for p in group["params"]]
        for name in network.keys() - found.keys():
            raise ValueError(f"{name} is missing in {STATE_TENSORS}")
        for name, shape in found.items():
            match name.split("."):
                case ["network", *_]:
                    fits = network.get(name) == shape
                case ["optimiser", i, _] if i.isascii() and i.isdecimal() and len(i) < 9:
                    fits = int(i) < len(moving) and shape in ((), (1,), moving[int(i)])
                case ["random", "cpu" | "cuda"]:
                    fits = len(shape) == 1 and shape[0] <= _MOST_RANDOM_BYTES
                case _:
                    fits = False
            if not fits:
                raise ValueError(
                    f"{shown(name)} of the shape {shown(list(shape))} is not of this run"
                )


@contextmanager
def refusing_to_resume(folder: Path) -> Iterator[None]:
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


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def read_run_json(path: Path) -> Any:
    """Read a JSON file of a run's folder.

    Raises
    ------
    CheckpointError
        If it is missing or not JSON.
    """
    return read_json(path, CheckpointError, expected="a file of a training run (JSON)")


def write_json(path: Path, data: Any) -> None:
    """Write a JSON file of a run's folder, whole or not at all."""
    atomic_write(path, json.dumps(data, indent=1).encode() + b"\n")
