from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from drawn import SCHEMA
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.inference.refinement import (
    AGREEMENT,
    SMALL,
    crop_around,
    may_hide_more,
    merge,
    sees_more,
)
from napari_fashion.engine.model import Model
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.images.transforms import PADDING, Crop

IMAGE = np.zeros((100, 200, 3), np.uint8)


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
    made_up = crop_around(IMAGE, garment(three, [0.9, 0.8, 0.01]), 0.15, 0.25)
    assert made_up.origin == (10, 0)  # 20.5 - 10 and 10.5 - 10, rounded down
    assert made_up.image.shape[:2] == (61, 61)
    assert made_up.extent == (40, 40)
    faint = crop_around(IMAGE, garment(three, [0.9, 0.1, 0.01]), 0.15, 0.0)
    assert faint.extent == (170, 80)  # one sure landmark has no box: all of them
    assert crop_around(IMAGE, garment(three, [0.9, 0.0, 0.0]), 0.15, 0.25) is None


def test_landmarks_in_a_row_are_cut_with_something_around_them():
    row = garment([(50, 40), (150, 40)], [0.9, 0.8])
    crop = crop_around(IMAGE, row, 0.15, 0.0)
    assert crop.extent == (100, 25)
    assert (crop.origin, crop.image.shape[:2]) == ((50, 28), (26, 101))
    same = crop_around(IMAGE, garment([(50, 40)] * 2, [0.9, 0.8]), 0.15, 0.25)
    assert min(same.image.shape[:2]) >= 1


CUT = Crop(IMAGE[10:60, 20:120], (20, 10), (100, 50))


def test_the_refined_position_of_what_both_passes_find_counts():
    first = garment(
        [(30, 20), (50, 40), (90, 50), (70, 30), (0, 0), (0, 0)],
        [0.5, 0.5, 0.1, 0.5, 0.0, 0.0],
        (0.9, 0.1),
    )
    second = garment(
        [(14, 12), (30 + 101 * AGREEMENT, 30), (70 - 101 * AGREEMENT, 40), (0, 0), (5, 6), (0, 0)],
        [0.1, 0.6, 0.05, 0.0, 0.3, 0.0],
        (0.3, 0.7),
        0.1,
    )
    both = merge(first, second, CUT, [], 0.15)
    assert both.xy[0].tolist() == [34, 22]  # near: the closer look, however sure
    assert both.xy[1].tolist() == [50, 40]  # far off: the first look had found it
    assert both.xy[2] == pytest.approx([90 - 101 * AGREEMENT, 50])  # far off: that one was made up
    assert both.xy[3].tolist() == [70, 30]  # seen only by the first look
    assert both.xy[4].tolist() == [25, 16]  # only by the closer one
    assert both.scores == pytest.approx([0.1, 0.5, 0.05, 0.5, 0.3, 0.0])
    assert both.found.tolist() == [True] * 5 + [False]
    assert both.category == pytest.approx([0.6, 0.4])
    assert both.score == 0.7
    assert both.xy.dtype == both.scores.dtype == both.category.dtype == np.float32


def test_what_another_garment_has_is_left_to_it():
    mine = garment([(30, 20), (60, 20), (0, 0)], [0.5, 0.5, 0.0])
    other = garment([(62, 22), (75, 20), (110, 50)], [0.5, 0.5, 0.5])
    second = garment([(15, 12), (54, 11), (88, 42)], [0.9, 0.9, 0.9])
    both = merge(mine, second, CUT, [other], 0.15)
    assert both.xy[0].tolist() == [35, 22]  # the other's is elsewhere
    assert both.xy[1].tolist() == [60, 20]  # 74, 21: the other's
    assert not both.found[2]  # 108, 52: the other's
    faint = replace(other, scores=np.full(3, 0.01, np.float32))
    both = merge(mine, second, CUT, [faint], 0.15)
    assert both.xy[1].tolist() == [74, 21]
    assert both.found.all()


@pytest.fixture
def model(trained):
    """A small model that predicts full images in a single pass, unless it is told otherwise."""
    loaded = Model.load(trained[0], "cpu")
    loaded.info.inference = InferenceOptions(
        input_size=96, flip_tta=False, crop_aspect=1.0, refinement=None
    )
    return loaded


@pytest.fixture(scope="module")
def bundled():
    return Model.load("bundled", "cpu")


@pytest.fixture(scope="module")
def samples():
    """Images with one procedural garment each."""
    images = load_sources([Source(file="samples:16:70000")], SCHEMA)
    return [p for p in images if len(p.category) == 1 and p.can_be_judged][:8]


def in_a_corner(image):
    """The image at the top left of a canvas twice as wide and high."""
    pixels = image.read()
    height, width = pixels.shape[:2]
    canvas = np.full((2 * height, 2 * width, 3), PADDING, np.uint8)
    canvas[:height, :width] = pixels
    return canvas


def test_small_garments_are_placed_more_exactly(bundled, samples):
    errors = {False: [], True: []}
    for p in samples:
        canvas = in_a_corner(p)
        (once,), (closer,) = (predict(bundled, [canvas], refine=refine) for refine in errors)
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


def predict(model, images, *, crop=None, **changes):
    """Predict with some of the model's options changed."""
    return model.predict(images, model.inference.overridden(**changes), crop=crop)


def noted_passes(model, monkeypatch):
    """A list that grows by (number of images, sizes, flip) with every pass."""
    passes, fields = [], model.pipeline.fields

    def noting(images, sizes, *, flip, **how):
        passes.append((len(images), list(sizes), flip))
        return fields(images, sizes, flip=flip, **how)

    monkeypatch.setattr(model.pipeline, "fields", noting)
    return passes


def grid_at(model, image, size):
    """The grid of an image's fields at one size."""
    return model.fields_batch([image], model.inference.overridden(sizes=[size]))[0].grid


def refine_by(model, *, flip_tta=False, flip_tta_refined=None, **refinement):
    refined = RefinementOptions(flip_tta=flip_tta_refined, **refinement)
    options = {"flip_tta": flip_tta, "refinement": refined}
    model.info.inference = model.info.inference.model_copy(update=options)


def test_it_goes_by_the_recipe_unless_it_is_told_otherwise(model, drawn):
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    plain = model.predict([image])[0].garments[0]
    closer = predict(model, [image], refine=True)[0].garments[0]
    assert not np.array_equal(plain.category, closer.category)
    refine_by(model)
    ((fields, by_recipe),) = model.predict_with_fields([image])
    assert np.array_equal(by_recipe.garments[0].category, closer.category)
    assert fields.grid == model.fields(image).grid  # of the whole image
    once = predict(model, [image], refine=False)[0].garments[0]
    assert np.array_equal(once.category, plain.category)
    refine_by(model, margin=0.25, detection_size=64)
    ((small, _),) = model.predict_with_fields([image])
    assert small.grid == grid_at(model, image, 64) != fields.grid


def seen_in(*garments):
    return Prediction(garments, 200, 100, "m")


def test_an_image_may_hide_more_where_its_one_garment_is_small_by_what_is_sure_of_it():
    long = 200 * SMALL
    assert not may_hide_more(seen_in(), 0.15)
    small = garment([(10, 10), (10 + long - 1, 40)], [0.9, 0.8])
    large = garment([(10, 10), (10 + long, 40)], [0.9, 0.8])
    assert may_hide_more(seen_in(small), 0.15)
    assert may_hide_more(seen_in(garment([(10, 0), (20, 99)], [0.9, 0.8])), 0.15)  # upright
    assert not may_hide_more(seen_in(large), 0.15)
    made_up = garment([(10, 10), (40, 40), (190, 90)], [0.9, 0.8, 0.01])
    assert may_hide_more(seen_in(made_up), 0.15)
    assert not may_hide_more(seen_in(made_up), 0.005)
    assert not may_hide_more(seen_in(garment([(10, 10)], [0.9])), 0.15)  # it has no box


def test_an_image_may_hide_more_where_several_were_found():
    large = garment([(10, 10), (190, 40)], [0.9, 0.8])
    assert may_hide_more(seen_in(large, large), 0.15)


def test_another_look_counts_where_there_are_several_garments():
    one = garment([(10, 10), (60, 40)], [0.9, 0.8])
    none, single, several = seen_in(), seen_in(one), seen_in(one, one)
    assert sees_more(several, single)
    assert sees_more(several, several)
    assert sees_more(single, several)  # it tells that one of them is none
    assert not sees_more(single, single)
    assert not sees_more(none, single)
    assert not sees_more(none, several)


def several_in_a_room(samples):
    """Two images on a canvas four times as wide and high, in opposite corners."""
    rooms = [in_a_corner(p) for p in samples]
    height, width = (sum(room.shape[i] for room in rooms) for i in (0, 1))
    canvas = np.full((height, width, 3), PADDING, np.uint8)
    canvas[: rooms[0].shape[0], : rooms[0].shape[1]] = rooms[0]
    canvas[-rooms[1].shape[0] :, -rooms[1].shape[1] :] = rooms[1]
    return canvas


def test_images_that_may_hide_more_are_seen_again_larger(bundled, samples, monkeypatch):
    image, room = samples[0].read(), in_a_corner(samples[0])
    two = several_in_a_room(samples[:2])
    monkeypatch.setattr(bundled.info, "inference", bundled.info.inference)
    refine_by(bundled, margin=0.2, detection_size=224, redetect_size=448)
    grids = grid_at(bundled, image, 224), grid_at(bundled, room, 224), grid_at(bundled, two, 448)
    passes = noted_passes(bundled, monkeypatch)
    (large, one), (small, other), (fields, both) = bundled.predict_with_fields([image, room, two])
    assert len(one.garments) == len(other.garments) == 1
    assert len(both.garments) == 2
    own = list(bundled.inference.sizes)
    assert passes == [(3, [224], False), (2, [448], False), (4, own, False)]
    assert large.grid == grids[0]
    assert small.grid == grids[1]  # a single one stays as it was detected
    assert fields.grid == grids[2]  # the fields are those that the garments were detected in
    scores = [g.score for g in bundled.decode(fields, two.shape[1::-1]).garments]
    assert [g.score for g in both.garments] == scores  # as sure as the other look is
    for changes in ({"sizes": [224]}, {"refine": False}):
        passes.clear()
        predict(bundled, [room, two], **changes)
        assert [448] not in [sizes for _, sizes, _ in passes]
    passes.clear()
    empty = np.full((90, 120, 3), PADDING, np.uint8)
    assert not bundled.predict([empty])[0].garments
    assert passes == [(1, [224], False)]  # nothing is detected, and there is no second pass
    refine_by(bundled, margin=0.2, detection_size=224)
    passes.clear()
    bundled.predict([two])
    assert passes[0] == (1, [224], False)
    assert all(sizes == own for _, sizes, _ in passes[1:])


def test_many_images_are_seen_again_a_few_at_a_time(bundled, samples, monkeypatch):
    two = several_in_a_room(samples[:2])
    passes = noted_passes(bundled, monkeypatch)
    alone = bundled.predict([two])[0]
    passes.clear()
    for prediction in bundled.predict([two] * 6):
        assert len(prediction.garments) == 2
        for g, h in zip(prediction.garments, alone.garments, strict=True):
            np.testing.assert_allclose(g.xy, h.xy, atol=1e-2)
    assert [n for n, sizes, _ in passes if sizes == [448]] == [4, 2]


def test_the_detection_pass_has_no_flip_tta_and_the_refinement_pass_does(model, drawn, monkeypatch):
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    refine_by(model, flip_tta=True, margin=0.25)
    passes = noted_passes(model, monkeypatch)
    for flip in (None, True, False):
        predict(model, [image], flip_tta=flip)
    assert [flip for _, _, flip in passes] == [False, True, False, True, False, False]


def test_the_bundled_model_looks_closer(bundled, samples):
    assert bundled.inference.refinement is not None
    image = samples[0].read()
    (as_usual,), (closer,) = (predict(bundled, [image], refine=r) for r in (None, True))
    np.testing.assert_array_equal(as_usual.garments[0].xy, closer.garments[0].xy)


def test_the_refinement_pass_may_do_without_flip_tta(model, drawn, monkeypatch):
    images = load_sources([Source(file=str(drawn))], SCHEMA)[:2]
    refine_by(model, flip_tta=True, margin=0.25, flip_tta_refined=False)
    passes = noted_passes(model, monkeypatch)
    evaluate_images(model, images, protocol="whole", rounds=0)
    assert passes
    assert not any(flip for _, _, flip in passes)
    passes.clear()
    evaluate_images(model, images, rounds=0)  # crops by the box have no refinement pass
    assert all(flip for _, _, flip in passes)
    passes.clear()
    asked = model.inference.overridden(flip_tta=True)  # of all passes that can have it
    evaluate_images(model, images, protocol="whole", inference=asked, rounds=0)
    assert [flip for _, _, flip in passes] == [False, True]


def test_crops_of_one_garment_need_no_refinement(model, drawn, monkeypatch):
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    one = DecoderOptions(single_instance=True, force_complete=True)
    before = predict(model, [image], decoder=one)[0].garments[0].xy
    refine_by(model, margin=0.25)
    passes = noted_passes(model, monkeypatch)
    assert np.array_equal(predict(model, [image], decoder=one)[0].garments[0].xy, before)
    predict(model, [image], crop=False, decoder=one)
    predict(model, [image], crop=True)
    assert len(passes) == 3
    predict(model, [image])
    assert len(passes) == 5


def test_an_image_without_a_garment_and_one_with_go_together(model, drawn):
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    empty = np.full((90, 120, 3), 124, np.uint8)
    none, one = predict(model, [empty, image], refine=True)
    assert not none.garments
    alone = predict(model, [image], refine=True)[0]
    np.testing.assert_allclose(one.garments[0].xy, alone.garments[0].xy, atol=1e-2)
    assert predict(model, [], refine=True) == []


def test_landmarks_that_the_category_of_both_looks_lacks_are_left_out(model, drawn, monkeypatch):
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    shirt, pants = (
        np.eye(len(SCHEMA.categories))[SCHEMA.category_index(c)] for c in ("T-Shirt", "Pants")
    )
    xy = np.array([(20, 20), (40, 20), (10, 40), (50, 40), (20, 50), (40, 50), (20, 80), (40, 80)])
    looks = iter([(shirt, [0, 1, 2, 3, 6, 7]), (0.2 * shirt + 0.8 * pants, [4, 5, 6, 7])])

    def find(fields, size, options, layer=None):
        category, found = next(looks)
        scores = np.isin(np.arange(8), found) * 0.9
        origin = np.array([0, 0]) if size == image.shape[1::-1] else np.array([2, 0])
        return Prediction((garment(xy - origin, scores, category),), *size, model.id)

    monkeypatch.setattr(model.pipeline, "find", find)
    (both,) = predict(model, [image], refine=True)[0].garments
    assert both.category.argmax() == SCHEMA.category_index("T-Shirt")
    assert both.found.all()  # 0.6 for an upper garment, 0.4 for a lower one
    looks = iter([(shirt, [0, 1, 2, 3, 6, 7]), (0.7 * shirt + 0.3 * pants, [4, 5, 6, 7])])
    (both,) = predict(model, [image], refine=True)[0].garments
    assert both.found.tolist() == [True] * 4 + [False] * 2 + [True] * 2
    assert not both.xy[~both.found].any()


def test_each_garment_is_looked_at_by_itself(bundled, samples, monkeypatch):
    one, two = (p.read() for p in samples[:2])
    height = max(len(one), len(two))
    both = np.full((height, one.shape[1] + two.shape[1], 3), PADDING, np.uint8)
    both[: len(one), : one.shape[1]] = one
    both[: len(two), one.shape[1] :] = two
    monkeypatch.setattr(bundled.info, "inference", bundled.info.inference)
    refine_by(bundled, margin=0.2)  # the first look as usual
    once, closer = (
        predict(bundled, [both], refine=refine, flip_tta=False)[0].garments
        for refine in (False, True)
    )
    assert len(once) == len(closer) == 2
    for before, after in zip(once, closer, strict=True):
        assert after.score == before.score
        moved = np.linalg.norm(after.xy - before.xy, axis=1)[before.found & after.found]
        assert len(moved) >= 4
        assert 0 < moved.max() < 0.2 * height
    monkeypatch.setattr("napari_fashion.engine.inference.pipeline.MAX_CROPS", 1)
    alone = predict(bundled, [both], refine=True, flip_tta=False)[0].garments
    for after, again in zip(closer, alone, strict=True):
        np.testing.assert_allclose(after.xy, again.xy, atol=1e-2)


def test_evaluation_of_whole_images_can_look_closer(bundled, samples):
    once, closer = (
        evaluate_images(
            bundled,
            samples,
            protocol="whole",
            inference=bundled.inference.overridden(refine=refine),
            rounds=0,
        )
        for refine in (False, True)
    )
    assert closer.report.average_error < once.report.average_error
    assert closer.report.recall >= once.report.recall
    crop, plain = (
        evaluate_images(
            bundled, samples, inference=bundled.inference.overridden(refine=refine), rounds=0
        )
        for refine in (True, None)
    )
    assert crop.report.average_error == plain.report.average_error  # cuts are seen as they are


def test_recipes_say_it_and_what_goes_on_from_them_inherits_it(drawn, tmp_path):
    refinement = {"margin": 0.3, "detection_size": 64, "redetect_size": 128}
    old = InferenceOptions(input_size=96, refinement=refinement)
    network = NetworkConfig()

    def inherited(inference, old=old):
        recipe = {
            "start_from": "bundled",
            "data": {"train": [{"file": str(drawn)}]},
            "inference": inference,
        }
        return Recipe.from_dict(recipe).going_on_from(network, {}, old).inference

    assert inherited({"input_size": 96}).refinement == RefinementOptions(**refinement)
    assert inherited({"refinement": None}).refinement is None
    both = old.model_copy(update={"multi_scale": [96, 64]})
    larger = inherited({"input_size": 128}, both)
    assert larger.refinement == RefinementOptions(margin=0.3)  # the sizes are of another input size
    assert larger.multi_scale == []
    assert inherited({"input_size": 96}, both).multi_scale == [96, 64]
    (tmp_path / "r.toml").write_text(
        'start_from = "bundled"\n[inference]\nrefinement = false\n[[data.train]]\nfile = "photos:train"\n'
    )
    off = Recipe.load(tmp_path / "r.toml").going_on_from(network, {}, old)
    assert off.inference.refinement is None
    assert InferenceOptions(refinement=True).refinement == RefinementOptions()
    with pytest.raises(ValidationError, match="margin"):
        RefinementOptions(margin=-0.1)


@pytest.mark.parametrize(("layer", "moves"), [(0, False), (1, True)])
def test_only_garments_of_its_own_layer_hold_a_landmark(model, drawn, monkeypatch, layer, moves):
    """A jacket's collar may be refined to where the shirt's is: they are in fields of their own."""
    image = load_sources([Source(file=str(drawn))], SCHEMA)[0].read()
    category = np.eye(len(SCHEMA.categories))[SCHEMA.category_index("Dress")]
    xy = np.array([(20, 20), (40, 20), (10, 40), (50, 40), (20, 50), (40, 50), (20, 80), (40, 80)])
    shirt = xy + (np.arange(8) < 2)[:, None] * (0, 6)  # its collars are 6 pixels below
    scores = np.full(8, 0.9)
    jacket, other = garment(xy, scores, category), garment(shirt, scores, category, 0.5)
    whole = (jacket, replace(other, layer=layer))

    def find(fields, size, options, layer=None):
        if size == image.shape[1::-1] and layer is None:
            return Prediction(whole, *size, model.id)
        left_top = np.array([0, 0]) if size == image.shape[1::-1] else origins[size]
        return Prediction((garment(shirt - left_top, scores, category),), *size, model.id)

    crop = crop_around(image, jacket, 0.15, RefinementOptions().margin)
    origins = {crop.image.shape[1::-1]: np.array(crop.origin)}
    crop = crop_around(image, other, 0.15, RefinementOptions().margin)
    origins.setdefault(crop.image.shape[1::-1], np.array(crop.origin))
    monkeypatch.setattr(model.pipeline, "find", find)
    refined = predict(model, [image], refine=True)[0].garments[0]
    expected = shirt if moves else xy
    np.testing.assert_allclose(refined.xy[:2], expected[:2], atol=1e-4)
    np.testing.assert_allclose(refined.xy[2:], xy[2:], atol=1e-4)
