"""A model with other `VisibilityOptions`: the same weights, and a description that says so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_fashion.documents import read_json
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model_file import (
    ModelFile,
    ModelInfo,
    read_model_file,
    stem_of,
    write_description,
)
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write, read_regular

CALIBRATED = "calibrated"
"""Key of `ModelInfo.history`."""


def with_options(info: ModelInfo, options: VisibilityOptions, **history: Any) -> ModelInfo:
    """Return a model's description with these options; `history` says where they are from."""
    inference = info.inference.model_copy(update={"visibility": options})
    return replace(info, inference=inference, history={**info.history, CALIBRATED: history})


def files_of(source: Path | str, out: Path) -> tuple[Path, Path]:
    """Return where a copy of a model would be written: its JSON and its weights.

    Raises
    ------
    CheckpointError
        If there is no model at `source`.
    """
    weights = read_model_file(source).weights.suffix
    stem = stem_of(out)
    return stem.with_name(stem.name + ".json"), stem.with_name(stem.name + weights)


def write_calibrated(
    source: Path | str, out: Path, options: VisibilityOptions, model_id: str, **history: Any
) -> Path:
    """Copy a model, with other options; return the path of the copy's JSON.

    Parameters
    ----------
    source
        The model, as `Model.load` takes it; safetensors or ONNX.
    out
        Path of the copy, with an ending of its files or none.
    options
        Its new options.
    model_id
        Id of the model; its weights stay.
    history
        Where the options are from.

    Raises
    ------
    CheckpointError
        If the weights are not those that were saved with the description, or cannot be read.
    OSError
        If the copy cannot be written.
    """
    file = read_model_file(source)
    target, weights = files_of(source, out)
    try:
        data = read_regular(file.weights)
    except OSError as error:
        raise CheckpointError(
            f"{file.weights}: cannot be read ({error.strerror or error})."
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    file.check_digest(digest)
    atomic_write(weights, data)
    described = file.description
    write_description(
        target,
        with_options(described.info, options, **history),
        described.network,
        file.schema,
        model_id=model_id,
        weights=described.weights,
        weights_sha256=digest,
        parameters=_parameters(file),
    )
    return target


def _parameters(file: ModelFile) -> int:
    """Return the number of parameters that the description tells its readers; 0 if it tells none."""
    document = read_json(file.path, CheckpointError, expected="a model's description")
    found = document.get("parameters") if isinstance(document, dict) else None
    return found if isinstance(found, int) else 0
