"""The recipes of training/recipes: what they resolve to, and that the report's trains."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_fashion.datasets.opening import unlabelled_of
from napari_fashion.datasets.source import Source
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.events import DoneEvent, StepEvent
from napari_fashion.engine.train.options import PlateauOptions
from napari_fashion.engine.train.recipe import Recipe

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
RESOLVED = json.loads((Path(__file__).parent / "resolved_recipes.json").read_text())
"""The whole recipes by which the bundled model and those beside it were trained, by name."""
LATER = {
    "optimiser": {"accumulate": 1},
    "schedule": {"plateau": PlateauOptions().model_dump()},  # for a kind that none of them has
    "data": {"split": None, "limit": None},
    "network": {
        "visibility": False,
        "layers": {},
        "bounded_spread": True,
        "category_region": "garment",
    },
    "inference": {"visibility": VisibilityOptions().model_dump(), "padding": [124, 124, 124]},
    "augment": {
        "elastic": 0.0,
        "elastic_amplitude": 0.03,
        "elastic_smoothness": 0.08,
        "padding": None,
    },
    "loss": {"smooth_l1_radius": None},
}
"""Options that were not there yet, with the values by which what is learned stays the same."""
LATER_OF_SOURCES = {"body_types": None, "others": "ignore", "shared_landmarks": False}
NOT_LEARNED_BY = {"early_stopping", "tensorboard", "checkpoints", "divergence"}
"""Parts that end, watch and keep a run; none of these runs diverged."""


def resolved(name):
    """Return a recipe with what it inherits from those that it starts from."""
    recipe = Recipe.load(RECIPES / f"{name}.toml")
    if recipe.start_from is None:
        return recipe
    start = resolved(Path(recipe.start_from).stem)
    return recipe.going_on_from(start.network, start.to_dict(), start.inference)


@pytest.mark.parametrize("name", sorted(RESOLVED))
def test_a_recipe_is_the_one_that_its_model_was_trained_by(name):
    recipe = resolved(name)
    found, expected = recipe.to_dict(), dict(RESOLVED[name])
    found["pretrained"] = recipe.backbone_weights
    assert found["schema"] is None
    found["schema"] = "garments"  # the default, and that of every start
    assert found["optimiser"].pop("new_rows_lr") > 0  # there are none
    assert found.pop("skeleton") is None
    if recipe.start_from is not None:
        found["start_from"] = Path(recipe.start_from).name
    if recipe.schedule.sizes is None:
        size = recipe.inference.input_size
        sizes = [recipe.schedule.size_at(done, size) for done in (0.0, 0.399, 0.4, 0.99)]
        assert sizes[:1] * 2 + sizes[2:3] * 2 == sizes
        found["schedule"]["sizes"] = [[0.0, sizes[0]], [0.4, sizes[2]]]
    for part, options in LATER.items():
        for option, value in options.items():
            assert found[part].pop(option) == value
    if found["inference"]["refinement"] is not None:
        assert found["inference"]["refinement"].pop("flip_tta") is None
    assert found["loss"]["weights"].pop("pif.visible") > 0  # no network of theirs says it
    for source in [*found["data"]["train"], *found["data"]["validation"]]:
        assert unlabelled_of(Source.model_validate(source)) == "unknown"
        del source["unlabelled"]
        for key, value in LATER_OF_SOURCES.items():
            assert source.pop(key) == value
    assert found["early_stopping"] is None
    assert found["divergence"]["policy"] == expected["divergence"]["policy"]
    for part in NOT_LEARNED_BY:
        found.pop(part)
        expected.pop(part, None)
    assert found == expected


@pytest.mark.parametrize("name", ["second", "third", "bundled"])
def test_a_long_training_that_starts_from_a_model_sets_its_batch_itself(name):
    """Without it, the batch of fine-tuning on a few images would be chosen."""
    recipe = Recipe.load(RECIPES / f"{name}.toml")
    assert recipe.sets("schedule", "batch")
    assert recipe.schedule.batch == 32


def test_every_recipe_is_here():
    assert {path.stem for path in RECIPES.glob("*.toml")} == {
        *RESOLVED,
        "report",
        "miniature",
        "combined",
        "people-start",
        "people-layers",
        "people",
    }


def test_the_reports_recipe_trains(drawn, tmp_path):
    whole = Recipe.load(RECIPES / "report.toml").to_dict()
    assert whole["network"]["backbone"] == "shufflenetv2k16"
    assert whole["optimiser"]["momentum"] == 0.95
    recipe = Recipe.from_dict(
        whole
        | {
            "inference": whole["inference"] | {"input_size": 64},
            "data": whole["data"]
            | {"train": [{"file": str(drawn)}], "validation": [], "canvas": 96},
            "schedule": whole["schedule"] | {"batch": 4, "max_steps": 3},
        }
    )
    events = []
    train(recipe, tmp_path / "run", device="cpu", emit=events.append)
    steps = [event for event in events if isinstance(event, StepEvent)]
    assert len(steps) == 3
    assert all(step.loss is not None and step.lr == 1e-4 for step in steps)
    assert isinstance(events[-1], DoneEvent)
