from __future__ import annotations

import math
from typing import get_args

import pytest

from napari_fashion.engine.losses.confidence import CONFIDENCE_LOSSES
from napari_fashion.engine.losses.options import COMPONENTS, WEIGHTS, LossOptions
from napari_fashion.engine.losses.vector import VECTOR_LOSSES
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.errors import RecipeError


def test_every_loss_that_can_be_named_is_there():
    for field, losses in (("confidence", CONFIDENCE_LOSSES), ("vector", VECTOR_LOSSES)):
        assert set(get_args(LossOptions.model_fields[field].annotation)) == set(losses)


@pytest.mark.parametrize(
    ("weights", "toml", "said"),
    [
        ({"paf.vectors": 1}, '"paf.vectors" = 1', "'paf.vectors' is no loss; did you mean"),
        ({"PIF.vector": 1}, '"PIF.vector" = 1', "is no loss"),
        ({"": 1}, '"" = 1', "is no loss"),
        ({"pif.size": -0.1}, '"pif.size" = -0.1', r"pif\.size is -0\.1; expected 0 to 1000000"),
        ({"category": 1e7}, "category = 1e7", "expected 0 to 1000000"),
        ({"category": math.nan}, "category = nan", "finite|not a number|nan"),
        ({"category": math.inf}, "category = inf", "finite|infinit|inf"),
        ({"category": "much"}, 'category = "much"', "expected a number"),
        ({"pif": {"size": 1}}, "pif.size = 1", "weights.pif: found .* expected a number"),
    ],
)
def test_weights_of_unknown_and_negative_losses_are_refused_in_every_way_in(
    weights, toml, said, tmp_path
):
    plain = {"data": {"train": [{"file": "a.json"}]}}
    with pytest.raises(RecipeError, match=said):
        Recipe.from_dict({**plain, "loss": {"weights": weights}})
    path = tmp_path / "recipe.toml"
    path.write_text(f'[[data.train]]\nfile = "a.json"\n[loss.weights]\n{toml}\n')
    with pytest.raises(RecipeError, match=said):
        Recipe.load(path)


def test_weights_that_are_not_given_are_the_usual_ones():
    options = LossOptions(weights={"pif.vector": 2.0})
    assert options.weights == {**WEIGHTS, "pif.vector": 2.0}
    assert set(WEIGHTS) < set(COMPONENTS)


def test_a_radius_belongs_to_smooth_l1():
    plain = {"data": {"train": [{"file": "a.json"}]}}
    options = {"vector": "smooth_l1", "smooth_l1_radius": 1.5}
    assert Recipe.from_dict({**plain, "loss": options}).loss.smooth_l1_radius == 1.5
    with pytest.raises(
        RecipeError, match=r'radius is 1\.5 and vector is .laplace.; expected vector = "smooth_l1"'
    ):
        Recipe.from_dict({**plain, "loss": {"smooth_l1_radius": 1.5}})
    with pytest.raises(RecipeError, match="smooth_l1_radius: found 0; expected more than 0"):
        Recipe.from_dict({**plain, "loss": {**options, "smooth_l1_radius": 0}})
