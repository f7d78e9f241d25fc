"""The packaged model for garments on people is whole, small, and as good as its card says."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.schema import Schema

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


@pytest.fixture(scope="module")
def people():
    return Model.load("people", "cpu")


def test_it_is_small_and_tells_nothing_of_the_machine_that_made_it(people):
    folder = resources.files("napari_fashion").joinpath("models")
    files = [f for f in folder.iterdir() if f.name.startswith("people.")]
    assert {f.name for f in files} == {"people.json", "people.safetensors"}
    assert sum(len(f.read_bytes()) for f in files) < 10_000_000
    description = folder.joinpath("people.json").read_text("utf-8")
    assert '"/' not in description  # an absolute path
    assert people.id in description
    assert people.schema == Schema.load("garments")


def test_it_is_used_as_its_recipe_says(people):
    start = Model.load("bundled", "cpu")
    layers = Recipe.load(RECIPES / "people-layers.toml").going_on_from(
        start.config, start.info.recipe, start.info.inference
    )
    recipe = Recipe.load(RECIPES / "people.toml")
    assert Path(recipe.start_from) == RECIPES / "people-layers.toml"
    recipe = recipe.going_on_from(layers.network, layers.to_dict(), layers.inference)
    assert people.inference == recipe.inference
    assert people.config == recipe.network
    assert people.inference.visibility.visible_scale != 1  # calibrated


def test_it_finds_procedural_garments_and_says_what_is_visible(people):
    images = load_sources([Source(file="samples:12:70000")], people.schema)
    result = evaluate_images(people, images, protocol="whole", rounds=0)
    assert result.report.recall > 0.8
    (garment, *_) = people.predict([images[0].read()])[0].garments
    assert garment.visible.shape == garment.present.shape == (8,)
    assert set(garment.visibility) <= {0, 1, 2}
    assert np.array_equal(garment.visibility > 0, garment.found)


@pytest.mark.shared
def test_it_finds_garments_on_people_that_it_never_saw(people, people_dir):
    images = load_sources([Source(file="people:validation")], people.schema)
    assert not {p.key for p in images} & set(people.info.data["split"]["train"])
    result = evaluate_images(people, images[::3], protocol="whole", rounds=0)
    assert result.report.recall > 0.65
    assert result.report.precision > 0.65
    assert result.report.tells_visibility
