"""The report's choices as keys of a recipe, in short trainings from the file to the prediction."""

from __future__ import annotations

import numpy as np
import pytest

from drawn import draw_dataset, tiny_recipe
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference.postprocess import category_probabilities
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import DivergenceEvent, StepEvent
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.errors import CheckpointError, RecipeError
from napari_fashion.images import read_image

AUGMENT = {"rotation": 180, "elastic": 0.5, "elastic_amplitude": 0.04, "padding": "random"}
LOSS = {"vector": "smooth_l1", "smooth_l1_radius": 2.0, "confidence": "smooth_l1"}
ONE_CATEGORY = {"category_pool": "max", "category_region": "image"}


def test_all_of_them_together_from_the_file_to_the_figures(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        skeleton="A",
        augment=AUGMENT,
        loss=LOSS,
        network=ONE_CATEGORY,
        schedule={"epochs": 2, "batch": 12},
    )
    events = []
    train(Recipe.from_dict(recipe), tmp_path / "run", device="cpu", emit=events.append)
    losses = [event.loss for event in events if isinstance(event, StepEvent)]
    assert len(losses) == 6
    assert np.isfinite(losses).all()
    model = Model.load(tmp_path / "run", "cpu")
    assert model.config.category_region == "image"
    assert model.info.recipe["augment"]["elastic_amplitude"] == 0.04
    assert model.info.recipe["loss"]["smooth_l1_radius"] == 2.0

    image = read_image(drawn.parent / "images" / "001.png")
    decoder = DecoderOptions(single_instance=True, force_complete=True)
    options = model.inference.overridden(decoder=decoder)
    ((fields, prediction),) = model.predict_with_fields([image], options, crop=True)
    whole = category_probabilities(fields, np.zeros((0, 2)), "max")
    np.testing.assert_allclose(prediction.garments[0].category, whole, rtol=1e-6)

    images = load_sources([Source(file=str(drawn))], model.schema)[:6]
    result = evaluate_images(model, images, protocol="published")
    for judged in result.judged:
        assert judged.found
        assert judged.probabilities.sum() == pytest.approx(1, abs=1e-5)


def test_the_divergence_guard_sees_a_spread_without_a_bound_explode(tmp_path):
    """Vectors far off, and a spread that says they are not: e^300 is no number of float32."""
    path = draw_dataset(tmp_path, 16)
    recipe = tiny_recipe(
        path,
        network={"bounded_spread": False},
        schedule={"epochs": 4, "batch": 8},
        data={"validation_share": 0.0},
        divergence={"policy": "skip", "patience": 3},
    )
    events = []
    trainer = Trainer(
        Recipe.from_dict(recipe), tmp_path / "run", resume=False, device="cpu", emit=explode(events)
    )
    events.append(trainer)
    with pytest.raises(CheckpointError, match="3 steps in a row diverged"):
        trainer.run(lambda: False)
    found = [event for event in events if isinstance(event, DivergenceEvent)]
    assert found[0].step == 3
    assert found[0].head.endswith("vector")


def explode(events):
    """Return what keeps events, and says after the second step that every spread is tiny."""

    def emit(event):
        if isinstance(event, StepEvent) and event.step == 2:
            head = events[0].network.pif
            bias = head.conv.bias.data.view(-1, len(head.spec), head.shuffle.upscale_factor**2)
            bias[:, head.spec.index("log_spread")] = -300.0
        events.append(event)

    return emit


def test_a_model_of_unbounded_spread_is_trained_and_used(drawn, tmp_path):
    recipe = tiny_recipe(
        drawn,
        network={"bounded_spread": False},
        schedule={"epochs": 1, "batch": 12, "max_steps": 3},
    )
    train(Recipe.from_dict(recipe), tmp_path / "run", device="cpu")
    model = Model.load(tmp_path / "run", "cpu")
    assert model.config.bounded_spread is False
    fields = model.fields(read_image(drawn.parent / "images" / "001.png"))
    assert np.isfinite(fields.pif_spread).all()
    for key, value, usual in (
        ("category_region", "image", "garment"),
        ("bounded_spread", True, False),
    ):
        going_on = {
            "start_from": str(tmp_path / "run"),
            "network": {key: value},
            "data": {"train": [{"file": str(drawn)}]},
        }
        said = rf"network\.{key} is {value!r}; expected {usual!r}, as the model has it"
        with pytest.raises(RecipeError, match=said):
            train(Recipe.from_dict(going_on), tmp_path / "never", device="cpu")
