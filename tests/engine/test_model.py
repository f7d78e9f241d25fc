from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from drawn import SCHEMA
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.preprocess import place
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import CheckpointError
from napari_fashion.images import read_image
from napari_fashion.images.transforms import crop_to_box


@pytest.fixture(scope="module")
def model(trained):
    return Model.load(trained[0], "cpu")


@pytest.fixture(scope="module")
def images(drawn):
    return load_sources([Source(file=str(drawn))], SCHEMA)


def test_save_and_load_keep_the_model(model, images, tmp_path):
    path = model.save(tmp_path / "deep" / "copy")
    assert path == tmp_path / "deep" / "copy.json"
    image = read_image(images[0].path)
    for source in (path, path.with_suffix(".safetensors")):
        again = Model.load(source, "cpu")
        assert again.id == model.id
        assert again.schema == model.schema
        np.testing.assert_array_equal(again.fields(image).pif_xy, model.fields(image).pif_xy)


def test_what_is_no_model_is_refused(model, tmp_path):
    with pytest.raises(CheckpointError, match="no model there"):
        Model.load(tmp_path / "none")
    (tmp_path / "evil.pt").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(CheckpointError, match="pickled"):
        Model.load(tmp_path / "evil.pt")
    (tmp_path / "other.json").write_text('{"images": []}')
    with pytest.raises(CheckpointError, match="not a napari-fashion model"):
        Model.load(tmp_path / "other.json")
    path = model.save(tmp_path / "m")
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(CheckpointError, match="found pickled data without a header"):
        Model.load(path)
    path = model.save(tmp_path / "m")
    state = load_file(tmp_path / "m.safetensors")
    save_file(state | {"pif.conv.weight": -state["pif.conv.weight"]}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="other weights"):
        Model.load(path)
    state.pop("pif.conv.weight")
    save_file(state, tmp_path / "m.safetensors")
    document = json.loads(path.read_text())
    weights = (tmp_path / "m.safetensors").read_bytes()
    path.write_text(json.dumps(document | {"weights_sha256": hashlib.sha256(weights).hexdigest()}))
    with pytest.raises(CheckpointError, match="not of the network"):
        Model.load(path)
    document["version"] = 99
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match="version 99"):
        Model.load(path)
    with pytest.raises(
        CheckpointError, match=r"Device .cuda:77. is not on this machine; expected auto"
    ):
        Model.load(model.save(tmp_path / "m"), "cuda:77")


def test_predictions_lie_on_the_garments(model, images):
    loaded = [read_image(p.path) for p in images[:12]]
    found, errors = 0, []
    for p, prediction in zip(images, model.predict(loaded), strict=False):
        assert prediction.model_id == model.id
        if not prediction.garments:
            continue
        found += 1
        garment = prediction.garments[0]
        assert garment.category_index == p.category[0]
        assert garment.category.sum() == pytest.approx(1, abs=1e-5)
        both = garment.found & (p.visibility[0] > 0)
        errors += np.linalg.norm((garment.xy - p.xy[0])[both], axis=1).tolist()
        foreign = np.setdiff1d(np.arange(8), SCHEMA.landmarks_of_category(int(p.category[0])))
        assert not garment.found[foreign].any()
    assert found >= 9
    assert len(errors) >= 3 * found
    assert np.median(errors) < 4


@pytest.mark.parametrize("size", [(96, 96), (96, 50), (50, 96), (200, 131), (1000, 700), (9, 300)])
def test_any_size_and_any_kind_of_image(model, size):
    rng = np.random.default_rng(0)
    for shape in ((size[1], size[0]), (size[1], size[0], 3), (size[1], size[0], 4)):
        fields = model.fields(rng.integers(0, 255, shape, dtype=np.uint8))
        # The cells cover the image and not more than a cell beyond it.
        for axis in range(2):
            cells = fields.pif_confidence.shape[2 - axis]
            end = (cells - 0.5) * fields.scale[axis] + fields.offset[axis]
            assert size[axis] - 0.5 <= end + 1e-3 < size[axis] - 0.5 + fields.scale[axis] + 1e-2


def test_batches_give_what_single_images_give(model, images):
    loaded = [read_image(p.path) for p in images[:3]] + [np.zeros((40, 90, 3), np.uint8)]
    together = model.fields_batch(loaded)
    for image, fields in zip(loaded, together, strict=True):
        alone = model.fields(image)
        np.testing.assert_allclose(fields.pif_confidence, alone.pif_confidence, atol=1e-4)
        np.testing.assert_allclose(fields.pif_xy, alone.pif_xy, atol=1e-2)


def test_a_field_peak_lies_where_the_landmark_is_at_several_scales(model, images):
    pants = [p for p in images if p.category[0] == SCHEMA.category_index("Pants")][:8]
    errors = {1: [], 2: [], 5: []}
    moved = []
    for p in pants:
        image = read_image(p.path)
        first = {}
        for factor, distances in errors.items():
            big = np.repeat(np.repeat(image, factor, 0), factor, 1)
            fields = model.fields(big)
            for k in np.flatnonzero(p.visibility[0] > 0):
                flat = fields.pif_confidence[k].argmax()
                cell = np.unravel_index(flat, fields.pif_confidence[k].shape)
                xy = fields.to_pixels(fields.pif_xy[k][:, cell[0], cell[1]])
                truth = (p.xy[0, k] + 0.5) * factor - 0.5
                distances.append(np.linalg.norm(xy - truth) / factor)
                # The same image, only larger: the same place, but for how it was resampled.
                place = (xy + 0.5) / factor
                moved.append(np.abs(place - first.setdefault(k, place)).max())
                # The most confident cell is within the square that regresses to the landmark.
                at = fields.to_pixels(np.array([cell[1], cell[0]], np.float32))
                assert np.abs(at - truth).max() <= 3 * max(fields.scale)
    for distances in errors.values():
        assert len(distances) == 8 * 4
        assert np.median(distances) < 3
    assert np.median(moved) < 0.25
    assert max(moved) < 4  # half a cell


def test_averaging_with_the_mirrored_image_mirrors_exactly(model, images):
    """Fields averaged so are the mirror image of those of the mirrored image."""
    image = read_image(images[1].path)
    flipped = model.inference.overridden(flip_tta=True)
    one = model.fields_batch([image], flipped)[0]
    two = model.fields_batch([np.ascontiguousarray(image[:, ::-1])], flipped)[0]
    order = list(SCHEMA.flips)
    np.testing.assert_allclose(one.pif_confidence, two.pif_confidence[order][..., ::-1], atol=1e-4)
    width = one.pif_confidence.shape[2]
    mirrored = two.pif_xy[order][..., ::-1].copy()
    mirrored[:, 0] = width - 1 - mirrored[:, 0]
    np.testing.assert_allclose(one.pif_xy, mirrored, atol=1e-2)
    np.testing.assert_allclose(one.category, two.category[..., ::-1], atol=1e-3)


def test_evaluation_agrees_with_the_training_and_with_plain_arithmetic(model, trained, images):
    val = [p for p in images if p.key in model.info.data["split"]["validation"]]
    box = evaluate_images(model, val, protocol="box", rounds=20)
    assert box.summary()["ne"] == pytest.approx(model.info.metrics["ne"])
    slow = []
    for p in val:
        crop = crop_to_box(read_image(p.path), p.xy[0][p.visibility[0] > 0])
        options = DecoderOptions(single_instance=True, force_complete=True)
        single = model.inference.overridden(decoder=options)
        garment = model.predict([crop.image], single)[0].garments[0]
        seen = crop.image.shape[1::-1]  # errors are divided by what the model saw
        delta = (garment.xy + np.array(crop.origin) - p.xy[0]) / np.array(seen)
        slow.append(np.where(p.visibility[0] == 2, np.linalg.norm(delta, axis=1), np.nan))
    assert box.report.average_error == pytest.approx(np.nanmean(np.nanmean(slow, axis=0)), rel=1e-4)
    whole = evaluate_images(model, val, protocol="whole", rounds=0)
    assert whole.report.recall > 0.7
    assert whole.report.n_garments == len(val)
    assert whole.report.images["one garment: found"] > 0.7
    json.dumps([box.to_dict(), whole.to_dict()])
    rows = {name: figure for name, figure, _ in box.rows()}
    assert rows["AVG NE, visible landmarks"] == f"{box.report.average_error:.4f}"
    assert "whole" not in box.title.lower()


def test_cut_is_the_box_in_whole_pixels():
    image = np.zeros((50, 60, 3), np.uint8)
    xy = np.array([[10.0, 5.4], [29.6, 40.0]], np.float32)
    crop = crop_to_box(image, xy)
    assert crop.origin == (10, 5)
    assert crop.image.shape[:2] == (40 - 5 + 1, 30 - 10 + 1)
    assert crop.extent == pytest.approx((19.6, 34.6))
    outside = crop_to_box(image, np.array([[-5.0, -5.0], [99.0, 99.0]], np.float32))
    assert outside.image.shape == image.shape


def test_the_id_follows_the_weights(model):
    before = model.id
    again = Model.create(model.config, model.schema, model.info, torch.device("cpu"))
    assert again.id != before
    assert again.id.startswith("tiny-")


def test_a_false_detection_takes_no_garment_from_the_right_ones(model, images, monkeypatch):
    """Two garments an image, perfectly predicted, and a surer false one: no error but precision."""
    pair = []
    for one, two in zip(images[:8:2], images[1:8:2], strict=True):
        joined = {
            name: np.concatenate([getattr(one, name), getattr(two, name)])
            for name in ("xy", "visibility", "member", "box", "category", "crowd")
        }
        area = np.concatenate([one.area, two.area])
        pair.append(replace(one, **joined, given_area=area))

    def perfect(fields, size, options=None):
        image = next(todo)
        scores = np.ones(8, np.float32)
        garments = [
            PredictedGarment(np.full((8, 2), 5, np.float32), scores, scores, np.eye(15)[0], 0.99)
        ]
        for i in range(2):
            probabilities = np.eye(15, dtype=np.float32)[image.category[i]]
            garments.append(PredictedGarment(image.xy[i], scores, scores, probabilities, 0.5))
        return Prediction(tuple(garments), *size, "perfect")

    todo = iter(pair)
    monkeypatch.setattr(model.pipeline, "find", perfect)
    report = evaluate_images(model, pair, protocol="whole", rounds=0).report
    assert report.average_error == pytest.approx(0, abs=1e-6)
    assert report.top1 == 1
    assert (report.recall, report.precision) == (1, pytest.approx(2 / 3))


def test_half_the_size_and_the_same_model_again(model, images, tmp_path):
    full = model.save(tmp_path / "full").with_suffix(".safetensors")
    half = model.save(tmp_path / "half", half=True).with_suffix(".safetensors")
    assert half.stat().st_size < 0.6 * full.stat().st_size
    loaded = Model.load(half, "cpu")
    assert {v.dtype for v in loaded.network.state_dict().values()} == {torch.float32, torch.int64}
    assert loaded.id == json.loads(half.with_suffix(".json").read_text())["id"]
    again = loaded.save(tmp_path / "again").with_suffix(".json")
    assert json.loads(again.read_text())["id"] == loaded.id  # whichever way it is stored
    one, two = (m.predict([images[0].read()])[0].garments[0] for m in (model, loaded))
    assert np.abs(one.xy - two.xy).max() < 0.2


def test_a_weight_beyond_half_precision_is_refused(trained, tmp_path):
    model = Model.load(trained[0], "cpu")
    with torch.no_grad():
        next(model.network.parameters()).view(-1)[0] = 1e6
    with pytest.raises(CheckpointError, match="exceeds float16"):
        model.save(tmp_path / "m", half=True)
    assert not list(tmp_path.iterdir())


def test_a_recipe_decides_whether_the_mirror_is_asked(trained, images):
    model = Model.load(trained[0], "cpu")
    image = images[0].read()
    plain = model.fields(image).pif_confidence
    plainly, both = (model.inference.overridden(flip_tta=flip) for flip in (False, True))
    flipped = model.fields_batch([image], both)[0].pif_confidence
    assert not np.allclose(plain, flipped)
    model.info.inference = InferenceOptions(
        input_size=96, flip_tta=True, crop_aspect=1.0, refinement=None
    )
    assert np.allclose(model.fields(image).pif_confidence, flipped)
    assert np.allclose(model.fields_batch([image], plainly)[0].pif_confidence, plain)


def test_images_are_seen_at_several_sizes(trained, images):
    model = Model.load(trained[0], "cpu")
    image = read_image(images[0].path)
    usual = model.fields(image)
    assert model.inference.sizes == (96,)
    (small,) = model.fields_batch([image], model.inference.overridden(sizes=[64]))
    (both,) = model.fields_batch([image], model.inference.overridden(sizes=[96, 64]))
    assert small.grid < both.grid == usual.grid
    assert both.scale == usual.scale
    assert not np.allclose(both.pif_confidence, usual.pif_confidence)
    model.info.inference = InferenceOptions(
        input_size=96, multi_scale=[96, 64], flip_tta=False, crop_aspect=1.0, refinement=None
    )
    assert model.inference.sizes == (96, 64)
    np.testing.assert_array_equal(model.fields(image).pif_xy, both.pif_xy)
    # What one look sees, both see, at the same place.
    options = DecoderOptions(single_instance=True, force_complete=True)
    prediction, one = (
        model.predict([image], model.inference.overridden(sizes=s, decoder=options))[0].garments[0]
        for s in (None, [96])
    )
    there = images[0].visibility[0] > 0
    assert np.median(np.linalg.norm(prediction.xy - one.xy, axis=1)[there]) < 3
    error = np.linalg.norm(prediction.xy - images[0].xy[0], axis=1)[there]
    assert np.median(error) < 4


def test_weights_that_change_in_place_count_at_once(trained, images):
    model = Model.load(trained[0], "cpu")
    image = read_image(images[0].path)
    before = model.fields(image).pif_confidence
    with torch.no_grad():
        model.network.pif.conv.bias.add_(1.0)
    assert (model.fields(image).pif_confidence > before).all()
    norm = next(m for m in model.network.modules() if isinstance(m, torch.nn.BatchNorm2d))
    before = model.fields(image).pif_confidence
    norm.running_mean.add_(0.5)
    assert not np.allclose(model.fields(image).pif_confidence, before)


def test_no_landmark_lies_beyond_the_image(model, images):
    image = read_image(images[0].path)
    fields = model.fields(image)
    options = DecoderOptions(single_instance=True, force_complete=True)
    size = (image.shape[1], image.shape[0])
    inside = model.decode(fields, size, options).garments[0]
    width = int(inside.xy[:, 0].max()) - 3  # as if the image ended before its outermost landmark
    crop = model.decode(fields, (width, size[1]), options).garments[0]
    beyond = inside.xy[:, 0] > width - 0.5
    assert beyond.any()
    assert (crop.xy[beyond, 0] == width - 0.5).all()
    np.testing.assert_array_equal(crop.xy[~beyond], inside.xy[~beyond])


def test_a_cut_can_show_what_is_around_the_box(model, images):
    image = np.arange(60 * 40 * 3, dtype=np.uint32).astype(np.uint8).reshape(60, 40, 3)
    xy = np.array([[10, 20], [29.4, 39]], np.float32)
    crop = crop_to_box(image, xy, 0.5)
    assert crop.origin == (0, 11)  # 10 - 9.7 and 20 - 9.5, in whole pixels
    assert crop.image.shape == (39, 40, 3)
    assert crop.extent == pytest.approx((19.4, 19.0))
    near = evaluate_images(model, images[:8], margin=0.25, rounds=0)
    tight = evaluate_images(model, images[:8], rounds=0)
    assert near.report.average_error != tight.report.average_error
    assert near.report.average_error < 0.2
    ratio = near.report.average_error_by_box / near.report.average_error
    assert 1.3 < ratio < 1.6  # errors are divided by the crop, which is larger by half


def test_a_sliver_has_cells_and_gets_its_landmarks(model):
    sliver = np.full((2, 180, 3), 90, np.uint8)
    assert place((180, 2), 96, model.config).size == (96, 3 * model.config.stride)
    fields = model.fields(sliver)
    assert fields.grid[0] == 3
    one = DecoderOptions(single_instance=True, force_complete=True)
    (garment,) = model.predict([sliver], model.inference.overridden(decoder=one))[0].garments
    assert ((garment.xy >= -0.5) & (garment.xy <= [179.5, 1.5])).all()


def test_images_cut_to_one_garment_have_the_recipes_shape(trained, images):
    model = Model.load(trained[0], "cpu")
    crops = [crop_to_box(p.read(), p.xy[0][p.visibility[0] > 0]).image for p in images]
    image = min(crops, key=lambda c: min(c.shape[:2]) / max(c.shape[:2]))
    height, width = image.shape[:2]
    one = DecoderOptions(single_instance=True, force_complete=True)
    (before,) = model.predict([image], model.inference.overridden(decoder=one))
    usual = model.fields(image)
    model.info.inference = InferenceOptions(
        input_size=96, crop_aspect=0.0, flip_tta=False, refinement=None
    )
    (crop,) = model.fields_batch([image], crop=True)
    assert crop.grid[0] == crop.grid[1] > 1.2 * min(usual.grid)
    assert model.fields(image).grid == usual.grid  # whole images keep their shape
    for n, scale, offset in zip((width, height), crop.scale, crop.offset, strict=True):
        assert offset == pytest.approx(scale / 2 - 0.5)
        assert scale * max(crop.grid) == pytest.approx(n)
    (after,) = model.predict([image], model.inference.overridden(decoder=one))
    assert not np.array_equal(before.garments[0].xy, after.garments[0].xy)
    assert (after.garments[0].xy <= [width - 0.5, height - 0.5]).all()
    off = np.abs(after.garments[0].xy - before.garments[0].xy) / [width, height]
    assert np.median(off[before.garments[0].scores > 0.3]) < 0.1  # the same places
