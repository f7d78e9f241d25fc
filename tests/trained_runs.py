"""Fixtures around a small model trained on drawn garments; a pytest plugin (`tests/conftest.py`)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from drawn import draw_dataset, tiny_recipe


@pytest.fixture(scope="session")
def drawn_garments(tmp_path_factory):
    """COCO file of 48 drawn garments, whatever a room calls `drawn`."""
    return draw_dataset(tmp_path_factory.mktemp("drawn"), 48)


@pytest.fixture(scope="session")
def drawn(drawn_garments):
    """COCO file of 48 drawn garments."""
    return drawn_garments


@pytest.fixture(scope="session")
def trained(drawn_garments, tmp_path_factory):
    """Run folder of a small model trained on them, and its events."""
    import torch

    from napari_fashion.engine.train.chain import train
    from napari_fashion.engine.train.recipe import Recipe

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("run") / "tiny"
    events = []
    recipe = Recipe.from_dict(
        tiny_recipe(drawn_garments, schedule={"epochs": 90, "validate_every": 5})
    )
    train(recipe, folder, device="cpu", emit=events.append)
    return folder, events


@pytest.fixture(scope="session")
def load_script():
    """Return a function that imports a script of training/ by its name."""

    def load(name):
        path = Path(__file__).parents[1] / "training" / f"{name}.py"
        spec = importlib.util.spec_from_file_location(f"training_{name}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load
