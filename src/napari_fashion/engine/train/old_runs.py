"""Runs of versions without checkpoints: their state as today's checkpoint. Nothing else knows their form.

``state.json`` had numbers, ``state.safetensors`` the network, the optimiser by the positions of its
parameters and the random state; the average was the model, after a share of the start was mixed in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, ValidationError
from torch import Tensor

from napari_fashion.documents import ended, shown
from napari_fashion.engine.model_file import parse_description, read_model_file
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.transfer import Origin
from napari_fashion.engine.train.checkpoint import About, Checkpoint, Manifest, Progress, Validation
from napari_fashion.engine.train.ema import unmix_states
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import (
    MODEL,
    OLD_STATE,
    RECIPE,
    checkpoint_paths,
    read_run_json,
)
from napari_fashion.engine.weights import Shapes, expect_shapes_of, read_weights
from napari_fashion.errors import CheckpointError
from napari_fashion.options import Options, told
from napari_fashion.schema import Schema

_STATE, _TENSORS = OLD_STATE


class _OldState(Options):
    """What ``state.json`` holds, as far as it is still used."""

    model_config = ConfigDict(extra="ignore")

    epoch: int = Field(ge=0, lt=1 << 53)
    step: int = Field(ge=0, lt=1 << 53)
    seconds: float = Field(ge=0)
    lr_factor: float = Field(gt=0, le=1)
    fingerprint: str
    optimiser: dict[str, Any]
    scaler: dict[str, int | float]


def is_old(run: Path) -> bool:
    """Whether a run's folder holds a state of a version without checkpoints, and none of today's."""
    return not checkpoint_paths(run) and (run / _STATE).exists()


def recipe_of(run: Path) -> Recipe:
    """Return the recipe in a run's folder.

    Runs of versions without checkpoints have the network and the input size that their model has:
    the recipes of those that started from a model do not name them.

    Raises
    ------
    RecipeError, CheckpointError
        If there is none, or the model of an old run does not describe one.
    """
    recipe = Recipe.load_json(run / RECIPE)
    if not is_old(run):
        return recipe
    path = run / MODEL
    try:
        made = parse_description(read_run_json(path), path)
    except CheckpointError as error:
        raise CheckpointError(f"{error} The run cannot be resumed; start a new one.") from error
    inference = recipe.inference.model_copy(update={"input_size": made.inference.input_size})
    return recipe.model_copy(update={"network": made.network, "inference": inference})


def schema_of(run: Path) -> Schema | None:
    """Return the schema of the model in a run's folder; None if it has no model yet.

    Runs of older versions do not name it in their recipes if they started from a model.

    Raises
    ------
    CheckpointError, SchemaError
        If the model's description is damaged.
    """
    path = run / MODEL
    if not os.path.lexists(path):
        return None
    return Schema.from_dict(parse_description(read_run_json(path), path).schema_)


def read_old_state(
    run: Path,
    network: Network,
    recipe: Recipe,
    origin: Origin | None,
    check: Callable[[Shapes], None],
) -> Checkpoint:
    """Read the state in an old run's folder.

    Parameters
    ----------
    run
        The folder.
    network
        Of the run's shape.
    recipe
        Of the run.
    origin
        What the run started from; None if it started from nothing.
    check
        Called with the shapes of a checkpoint's tensors; what it raises stops the reading.

    Raises
    ------
    CheckpointError, ValueError
        If the files are damaged, or do not belong together.
    """
    path = run / _STATE
    try:
        state = _OldState.model_validate(read_run_json(path))
    except ValidationError as error:
        raise CheckpointError(
            f"{path}: no state of a run: {ended(told(error, _OldState))}"
        ) from error
    names = _names_by_position(network, recipe)
    average, metrics = _read_model(run, network, origin, recipe.optimiser.keep_start)

    def renamed(name: str) -> str:
        match name.split("."):
            case ["network" | "random", *_]:
                return name
            case ["optimiser", i, key] if i.isascii() and i.isdecimal() and len(i) < 9:
                if int(i) < len(names):
                    return f"optimiser.{key}.{names[int(i)]}"
        raise ValueError(f"{shown(name)} is not of this run")

    def check_renamed(found: Shapes) -> None:
        averages = {f"average.{name}": tuple(value.shape) for name, value in average.items()}
        check({**averages, **{renamed(name): shape for name, shape in found.items()}})

    read = read_weights(run / _TENSORS, check_renamed)
    if read.metadata.get("step") != str(state.step):
        raise ValueError(
            f"tensors of step {shown(read.metadata.get('step'))}, {_STATE} of step {state.step}"
        )
    scalars = {
        names[int(i)]: dict(values)
        for i, values in state.optimiser.get("scalars", {}).items()
        if int(i) < len(names)
    }
    manifest = Manifest(
        progress=Progress(
            epoch=state.epoch,
            step=state.step,
            whole_epoch=False,  # it is not known
            seconds=state.seconds,
            lr_factor=state.lr_factor,
        ),
        about=About(fingerprint=state.fingerprint, schema_digest="", recipe_digest="", start=None),
        validation=Validation(step=0, metrics=metrics) if metrics else None,  # of an earlier step
        optimiser="SGD" if recipe.optimiser.kind == "sgd" else "AdamW",
        scalars=scalars,
        scaler=state.scaler,
    )
    tensors = {renamed(name): value for name, value in read.tensors.items()}
    return Checkpoint(manifest, tensors | {f"average.{k}": v for k, v in average.items()})


def _read_model(
    run: Path, network: Network, origin: Origin | None, keep: float
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the average in an old run's model, and the model's metrics."""
    file = read_model_file(run / MODEL)
    check = expect_shapes_of(network, file.weights, "the run has", "The run cannot be resumed.")
    weights = read_weights(file.weights, check)
    file.check_digest(weights.sha256)
    average = weights.tensors if origin is None else unmix_states(weights.tensors, origin, keep)
    return average, file.description.metrics


def _names_by_position(network: Network, recipe: Recipe) -> list[str]:
    """Return the names of the parameters in the order of an old optimiser's groups."""
    backbone = {id(parameter) for parameter in network.backbone.parameters()}

    def group(named: tuple[str, Tensor]) -> tuple[bool, bool]:
        inner = recipe.optimiser.backbone_lr != 1 and id(named[1]) in backbone
        return inner, named[1].ndim <= 1

    return [name for name, _ in sorted(network.named_parameters(), key=group)]
