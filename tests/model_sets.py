"""Small models of one body type each, with random weights, and sets of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model import Model, ModelInfo
from napari_fashion.engine.model_set_file import combine, model_set_bytes
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
INFERENCE = InferenceOptions(input_size=64, flip_tta=False, crop_aspect=1.0, refinement=None)
OF_TYPE = {
    "upper": SCHEMA.of_category("T-Shirt"),
    "lower": SCHEMA.of_category("Pants"),
    "full": SCHEMA,
}
"""Six landmarks, four, and all eight."""


def small_member(
    folder: Path, name: str, schema: Schema, seed: int = 0, **inference: object
) -> str:
    """Write a model with random weights; return its source."""
    torch.manual_seed(seed)
    config = NetworkConfig(backbone="shufflenet_v2_x0_5", neck="plain", upsample=1)
    info = ModelInfo(name=name, inference=INFERENCE.model_copy(update=inference))
    Model.create(config, schema, info, torch.device("cpu")).save(folder / name / "model")
    return str(folder / name)


def small_set(folder: Path, **inference: object) -> Path:
    """Write a set of three members with landmarks of their own; return its file."""
    members = {
        small_member(folder, name, replace(schema, name=name), seed, **inference): [name]
        for seed, (name, schema) in enumerate(OF_TYPE.items())
    }
    path = folder / "combined.json"
    return write_set(path, members)


def write_set(path: Path, members: dict[str, list[str]], name: str = "combined") -> Path:
    """Write the file of a set of the whole schema; return it."""
    path.write_bytes(model_set_bytes(combine(path, name, SCHEMA, members)))
    return path
