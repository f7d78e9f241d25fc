"""A network's weights to and from files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model_file import TOGETHER, ModelFile
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.weights import expect_shapes_of, read_weights
from napari_fashion.errors import CheckpointError


def state_of(network: Network) -> dict[str, Tensor]:
    """Return the network's weights by name, on the CPU."""
    return {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}


def rounded(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Return weights rounded to float16; `path` is named in errors.

    Raises
    ------
    CheckpointError
        If a weight is too great for it.
    """
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    if not all(v.isfinite().all() for v in half.values()):
        raise CheckpointError(
            f"{path}: a weight exceeds float16 (65504). Save the model without half."
        )
    return half


def in_full(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in float32."""
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def id_of(name: str, state: dict[str, Tensor]) -> str:
    """Return a model's id: its name and a digest of its float32 weights."""
    return f"{name}-{hashlib.sha256(save(state)).hexdigest()[:8]}"


def load_network(file: ModelFile) -> Network:
    """Build the network that a model's file describes, with its weights.

    Raises
    ------
    CheckpointError
        If the weights are damaged, of another network, or not those that the description was saved with.
    """
    schema, config = file.schema, file.description.network
    fields = Layers.of(schema, config.layers).field_schema
    sizes = (fields.n_landmarks, len(fields.edges), len(fields.categories))
    try:
        with torch.device("meta"):  # shapes without memory, however large they are
            shapes = Network(config, *sizes)
    except CheckpointError as error:
        raise CheckpointError(f"{file.path}: its network cannot be built. {error}") from error
    described = f"{file.path.name} describes"
    check = expect_shapes_of(shapes, file.weights, described, TOGETHER)
    weights = read_weights(file.weights, check)
    file.check_digest(weights.sha256)
    network = Network(config, *sizes)
    network.load_state_dict(in_full(weights.tensors))
    return network
