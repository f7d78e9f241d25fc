"""A recipe's skeleton: one of the schema's, or one's own; the model keeps it."""

from __future__ import annotations

import pytest

from drawn import SCHEMA, tiny_recipe
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.notices import skeleton_notices
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.run_schema import with_skeleton
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema

OWN = [["left_collar", "left_hem"], ["left_hem", "right_hem"]]


def short(path, **changes) -> Recipe:
    return Recipe.from_dict(
        tiny_recipe(path, schedule={"epochs": 1, "batch": 16, "max_steps": 2}, **changes)
    )


@pytest.mark.parametrize(("label", "edges"), [("A", 7), ("B", 9), ("B-hem", 11), (None, 11)])
def test_the_reports_skeletons_have_names(label, edges):
    schema = with_skeleton(Schema.load("deepfashion"), label)
    assert len(schema.edges) == edges
    assert ((0, 4) in schema.edges) is (label != "A")
    assert ((0, 6) in schema.edges) is (label in ("B-hem", None))


def test_what_the_schema_lacks_is_refused():
    with pytest.raises(
        RecipeError, match="none called 'C'; expected one of A, B, B-hem, or a list"
    ):
        with_skeleton(SCHEMA, "C")
    with pytest.raises(RecipeError, match=r"skeleton: .*no landmark 'hem'"):
        with_skeleton(SCHEMA, [("left_hem", "hem")])


@pytest.mark.parametrize("wrong", [3, True, [1, 2], [["a"]], [["a", "b", "c"]], [["a", 2]], {}])
def test_a_skeleton_of_another_form_is_refused(wrong):
    with pytest.raises(RecipeError, match=r"skeleton: found .*expected the name of one"):
        short("mine.json", skeleton=wrong)


def test_a_person_is_told_of_garments_in_pieces():
    assert skeleton_notices(SCHEMA) == []
    (notice,) = skeleton_notices(SCHEMA.with_skeleton("B"))
    assert notice.level == "warning"
    assert "upper (2 pieces)" in notice.message
    assert "| left_hem, right_hem." in notice.message


def test_a_model_keeps_its_skeleton_and_one_that_goes_on_may_have_other_edges(drawn, tmp_path):
    events = []
    train(short(drawn, skeleton="A"), tmp_path / "a", device="cpu", emit=events.append)
    first = Model.load(tmp_path / "a", "cpu")
    assert first.schema == SCHEMA.with_skeleton("A")
    assert any("in pieces" in getattr(event, "message", "") for event in events)

    going_on = {
        "start_from": str(tmp_path / "a"),
        "data": {"train": [{"file": str(drawn)}]},
        "schedule": {"epochs": 1, "max_steps": 1},
    }
    same = Recipe.from_dict(going_on)
    train(same, tmp_path / "same", device="cpu")
    assert Model.load(tmp_path / "same", "cpu").schema == first.schema

    events.clear()
    changed = Recipe.from_dict(going_on | {"skeleton": OWN})
    train(changed, tmp_path / "own", device="cpu", emit=events.append)
    model = Model.load(tmp_path / "own", "cpu")
    assert model.schema.edges == ((0, 6), (6, 7))
    assert model.info.recipe["skeleton"] == OWN
    assert model.network.paf.conv.out_channels == 2 * len(model.network.paf.spec)
    assert any(
        "New: 1 of 2 edges" in getattr(event, "message", "") for event in events
    )  # that of the hem is A's


def test_a_run_without_edges_learns_landmarks_alone(drawn, tmp_path):
    train(short(drawn, skeleton=[]), tmp_path / "run", device="cpu")
    model = Model.load(tmp_path / "run", "cpu")
    assert model.schema.edges == ()
    assert model.network.paf is None
