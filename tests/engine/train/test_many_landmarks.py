"""Networks with a field for each of 294 landmarks, or for each of the 81 places that they mark."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.model import Model
from napari_fashion.engine.places import unfold_prediction
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.overrides import load_recipe
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.schema import Schema

FILES = Schema.load("deepfashion2")
RECIPES = Path(__file__).resolve().parents[3] / "training" / "recipes" / "report"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    return write_dataset(folder, 6, 3, size=(90, 120), scenes=0, empty=0, landmarks="deepfashion2")


@pytest.mark.parametrize(("schema", "count"), [("deepfashion2", 294), ("deepfashion2-places", 81)])
def test_a_few_steps_learn_from_drawn_garments(schema, count, drawn, tmp_path):
    recipe = Recipe.from_dict(
        {
            "schema": schema,
            "pretrained": "none",
            "inference": {"input_size": 96, "flip_tta": False, "refinement": False},
            "network": {"backbone": "shufflenet_v2_x0_5", "width": 32, "blocks": 1},
            "data": {"train": [{"file": str(drawn)}], "validation_share": 0.0, "canvas": 96},
            "optimiser": {"lr": 3e-3, "ema": 0.5},
            "schedule": {"batch": 3, "epochs": 8, "warmup_epochs": 0.5, "sizes": []},
        }
    )
    losses = []

    def heard(event: object) -> None:
        if type(event).__name__ == "StepEvent":
            losses.append(event.loss)

    model = Model.load(train(recipe, tmp_path / "run", device="cpu", emit=heard), "cpu")
    assert len(losses) == 16
    assert np.mean(losses[-3:]) < 0.93 * np.mean(losses[:3])
    assert model.schema.n_landmarks == count
    images = load_sources([Source(file=str(drawn))], model.schema)
    assert {image.xy.shape[1] for image in images} == {count}
    options = model.inference.overridden(
        decoder=model.inference.decoder.model_copy(
            update={"single_instance": True, "force_complete": True, "pif_threshold": 0.0}
        )
    )
    (found,) = model.predict([images[0].read()], options)
    for garment in unfold_prediction(found, model.schema).garments:
        assert garment.xy.shape == (294, 2)
        own = FILES.landmarks_of_category(garment.category_index)
        assert set(np.flatnonzero(garment.scores)) <= set(own) or count == 294


def test_recipes_differ_by_their_schema_and_eight_landmarks_have_garments_of_their_own():
    many, places, few = (
        load_recipe(RECIPES / f"landmarks-{n}.toml", [], scale=scale)
        for n, scale in (("294", None), ("81", None), ("8", None))
    )
    assert (many.schema_name, places.schema_name) == ("deepfashion2", "deepfashion2-places")
    named = {"name", "schema"}
    assert _without(many, named) == _without(places, named)
    assert _without(many, {*named, "data"}) == _without(few, {*named, "data"})
    assert [s.file for s in few.data.train] == ["samples:4000:1"]
    small = load_recipe(RECIPES / "landmarks-81.toml", [], scale="small")
    assert [s.file for s in small.data.train] == ["samples:400:1:landmarks=deepfashion2"]
    assert small.data.validation == []


def _without(recipe: Recipe, keys: set[str]) -> dict[str, object]:
    return {key: value for key, value in recipe.to_dict().items() if key not in keys}
