from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_fashion.engine.data import load_sources
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluate import evaluate_pictures
from napari_fashion.engine.model import Model
from napari_fashion.engine.pictures import PADDING, Cut
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.engine.recipe import Recipe, Source
from napari_fashion.engine.refine import AGREE, RefineOptions, cut_around, merge

from .drawn import SCHEMA, tiny_recipe

PICTURE = np.zeros((100, 200, 3), np.uint8)


def garment(places, scores, category=(0.5, 0.5), score=0.7):
    scores = np.array(scores, np.float32)
    return PredictedGarment(
        np.where(scores[:, None] > 0, np.array(places, np.float32), 0).astype(np.float32),
        scores,
        np.full(len(scores), 3, np.float32),
        np.array(category, np.float32),
        score,
    )


def test_the_cut_is_that_of_the_landmarks_that_were_found():
    three = [(20, 10), (60, 50), (190, 90)]
    made_up = cut_around(PICTURE, garment(three, [0.9, 0.8, 0.01]), 0.15, 0.25)
    assert made_up.origin == (10, 0)  # 20.5 - 10 and 10.5 - 10, rounded down
    assert made_up.picture.shape[:2] == (61, 61)
    assert made_up.extent == (40, 40)
    faint = cut_around(PICTURE, garment(three, [0.9, 0.1, 0.01]), 0.15, 0.0)
    assert faint.extent == (170, 80)  # one sure landmark has no box: all of them
    assert cut_around(PICTURE, garment(three, [0.9, 0.0, 0.0]), 0.15, 0.25) is None


def test_the_closer_look_places_what_both_see():
    cut = Cut(PICTURE[10:60, 20:120], (20, 10), (100, 50))
    first = garment(
        [(30, 20), (50, 40), (90, 50), (70, 30), (0, 0), (0, 0)],
        [0.5, 0.5, 0.5, 0.5, 0.0, 0.0],
        (0.9, 0.1),
    )
    second = garment(
        [(14, 12), (30 + 101 * AGREE, 30), (70 - 101 * AGREE, 40), (0, 0), (5, 6), (0, 0)],
        [0.1, 0.4, 0.6, 0.0, 0.3, 0.0],
        (0.3, 0.7),
        0.1,
    )
    both = merge(first, second, cut)
    assert both.xy[0].tolist() == [34, 22]  # near: the closer look, however sure
    assert both.xy[1].tolist() == [50, 40]  # far off and less sure: the first look
    assert both.xy[2] == pytest.approx([90 - 101 * AGREE, 50])  # far off and surer: the closer one
    assert both.xy[3].tolist() == [70, 30]  # seen only by the first look
    assert both.xy[4].tolist() == [25, 16]  # only by the closer one
    assert both.scores == pytest.approx([0.1, 0.5, 0.6, 0.5, 0.3, 0.0])
    assert both.found.tolist() == [True] * 5 + [False]
    assert both.category == pytest.approx([0.6, 0.4])
    assert both.score == 0.7
    assert both.xy.dtype == both.scores.dtype == both.category.dtype == np.float32


@pytest.fixture
def model(trained):
    return Model.load(trained[0], "cpu")


@pytest.fixture(scope="module")
def bundled():
    return Model.load("bundled", "cpu")


@pytest.fixture(scope="module")
def samples():
    """Pictures with one procedural garment each."""
    pictures = load_sources([Source(file="samples:16:70000")], SCHEMA)
    return [p for p in pictures if len(p.category) == 1 and p.can_be_judged][:8]


def in_a_corner(picture):
    """The picture at the top left of a canvas twice as wide and high."""
    pixels = picture.read()
    height, width = pixels.shape[:2]
    canvas = np.full((2 * height, 2 * width, 3), PADDING, np.uint8)
    canvas[:height, :width] = pixels
    return canvas


def test_small_garments_are_placed_more_exactly(bundled, samples):
    errors = {False: [], True: []}
    for p in samples:
        canvas = in_a_corner(p)
        (once,), (closer,) = (bundled.predict([canvas], refine=refine) for refine in errors)
        if not once.garments:
            continue
        assert len(closer.garments) == len(once.garments)
        for refine, prediction in ((False, once), (True, closer)):
            found = prediction.garments[0]
            both = found.found & (p.visibility[0] > 0)
            errors[refine] += np.linalg.norm((found.xy - p.xy[0])[both], axis=1).tolist()
    assert len(errors[False]) > 15
    assert len(errors[True]) >= len(errors[False])
    assert np.median(errors[True]) < 0.8 * np.median(errors[False])


def test_it_goes_by_the_recipe_unless_it_is_told_otherwise(model, drawn):
    picture = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    plain = model.predict([picture])[0].garments[0]
    closer = model.predict([picture], refine=True)[0].garments[0]
    assert not np.array_equal(plain.category, closer.category)
    model.info.recipe["refine"] = {"margin": 0.25, "find_size": None}
    ((fields, by_recipe),) = model.look([picture])
    assert np.array_equal(by_recipe.garments[0].category, closer.category)
    assert fields.grid == model.fields(picture).grid  # of the whole picture
    once = model.predict([picture], refine=False)[0].garments[0]
    assert np.array_equal(once.category, plain.category)
    model.info.recipe["refine"] = {"margin": 0.25, "find_size": 64}
    ((small, _),) = model.look([picture])
    assert small.grid == model.fields_batch([picture], sizes=[64])[0].grid != fields.grid


def test_the_first_look_has_no_mirror_and_the_closer_one_does(model, drawn, monkeypatch):
    picture = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    model.info.recipe |= {"refine": {"margin": 0.25}, "mirror": True}
    seen = []
    forward = model._forward
    monkeypatch.setattr(
        model, "_forward", lambda x, flip, places: (seen.append(flip), forward(x, flip, places))[1]
    )
    for flip in (None, True, False):
        model.predict([picture], flip=flip)
    assert seen == [False, True, True, True, False, False]


def test_cuts_are_as_close_as_can_be(model, drawn):
    picture = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    one = DecoderOptions(single=True, complete=True)
    before = model.predict([picture], options=one)[0].garments[0].xy
    model.info.recipe["refine"] = {"margin": 0.25}
    assert np.array_equal(model.predict([picture], options=one)[0].garments[0].xy, before)
    with pytest.raises(ValueError, match="refine is for whole pictures"):
        model.predict([picture], options=one, refine=True)
    with pytest.raises(ValueError, match="refine is for whole pictures"):
        model.predict([picture], cut=True, refine=True)


def test_a_picture_without_a_garment_and_one_with_go_together(model, drawn):
    picture = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    empty = np.full((90, 120, 3), 124, np.uint8)
    none, one = model.predict([empty, picture], refine=True)
    assert not none.garments
    alone = model.predict([picture], refine=True)[0]
    np.testing.assert_allclose(one.garments[0].xy, alone.garments[0].xy, atol=1e-2)
    assert model.predict([], refine=True) == []


def test_landmarks_that_the_category_lacks_stay_out(model, drawn):
    pictures = load_sources([Source(file=str(drawn))], SCHEMA)
    for p in pictures[:8]:
        for found in model.predict([p.read()], refine=True)[0].garments:
            kinds = SCHEMA.landmarks_of_category(found.category_index)
            if found.category[found.category_index] > 0.85:
                assert not found.found[np.setdiff1d(np.arange(8), kinds)].any()
            assert not found.xy[~found.found].any()


def test_evaluation_of_whole_pictures_can_look_closer(bundled, samples):
    once, closer = (
        evaluate_pictures(bundled, samples, protocol="whole", refine=refine, rounds=0)
        for refine in (False, True)
    )
    assert closer.report.average_error < once.report.average_error
    assert closer.report.recall >= once.report.recall
    cut, plain = (
        evaluate_pictures(bundled, samples, refine=refine, rounds=0) for refine in (True, None)
    )
    assert cut.report.average_error == plain.report.average_error  # cuts are seen as they are


def test_recipes_say_it_and_what_goes_on_from_them_inherits_it(drawn):
    said = {"margin": 0.3, "find_size": 64}
    old = Recipe.from_dict(tiny_recipe(drawn, refine=said)).to_dict()
    assert old["refine"] == said
    plain = {"data": {"train": [{"file": str(drawn)}]}}
    assert Recipe.from_dict(plain).inheriting(old).refine == RefineOptions(**said)
    assert Recipe.from_dict(plain | {"refine": None}).inheriting(old).refine is None
    with pytest.raises(ValidationError, match="margin"):
        RefineOptions(margin=-0.1)
