"""A set predicts what its members predict, in the landmarks of its schema."""

from __future__ import annotations

import json

import numpy as np
import pytest

from model_sets import OF_TYPE, SCHEMA, small_member, small_set, write_set
from napari_fashion.engine.export import export_model
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import read_model_file
from napari_fashion.engine.model_set import ModelSet, load_model
from napari_fashion.engine.model_set_file import (
    combine,
    common_schema,
    member_sources,
    model_set_bytes,
    read_models,
)
from napari_fashion.errors import CheckpointError


@pytest.fixture(scope="module")
def set_file(tmp_path_factory):
    return small_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def loaded(set_file):
    return load_model(set_file, "cpu")


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(5)
    return [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for h, w in ((60, 48), (64, 64))]


def single(model, *, complete=False):
    decoder = model.inference.decoder.model_copy(
        update={"single_instance": True, "force_complete": complete}
    )
    return model.inference.overridden(decoder=decoder)


def test_members_are_named_relative_to_the_file(set_file):
    document = json.loads(set_file.read_text())
    expected = {"calibration": {"scale": 1.0, "offset": 0.0}}
    assert document["members"] == [
        {"model": name, "body_types": [name], **expected} for name in OF_TYPE
    ]
    assert document["schema"] == "garments"


def test_a_set_can_be_moved_with_its_members(set_file, loaded, tmp_path):
    moved = tmp_path / "moved"
    set_file.parent.rename(moved)
    try:
        assert load_model(moved / "combined.json", "cpu").id == loaded.id
    finally:
        moved.rename(set_file.parent)


def test_a_set_in_a_linked_or_new_folder(set_file, loaded, tmp_path):
    members = {str(set_file.parent / name): [name] for name in OF_TYPE}
    later = tmp_path / "to" / "be" / "made.json"
    data = model_set_bytes(combine(later, "combined", SCHEMA, members))
    later.parent.mkdir(parents=True)
    later.write_bytes(data)
    (tmp_path / "link").symlink_to(later.parent)
    for path in (later, tmp_path / "link" / "made.json"):
        assert load_model(path, "cpu").id == loaded.id
    through = tmp_path / "link" / "through.json"
    write_set(through, members)
    assert load_model(later.with_name("through.json"), "cpu").id == loaded.id


def test_a_member_predicts_for_its_body_type(loaded, set_file, images):
    for name in ("upper", "lower"):
        alone = Model.load(set_file.parent / name, "cpu")
        own = alone.predict(images, single(alone, complete=True))
        wide = loaded.only([name]).predict(images, single(loaded, complete=True))
        at = [SCHEMA.landmarks.index(landmark) for landmark in alone.schema.landmarks]
        for one, other in zip(own, wide, strict=True):
            (a,), (b,) = one.garments, other.garments
            assert np.array_equal(a.xy, b.xy[at])
            assert np.array_equal(a.scores, b.scores[at])
            assert np.flatnonzero(b.found).tolist() == sorted(at)
            assert a.score == b.score
            assert name in SCHEMA.categories[b.category_index].body_types
            assert other.model_id == loaded.id


def test_of_a_crop_the_best_score_counts(loaded, images):
    options = single(loaded, complete=True)
    by_type = [loaded.only([name]).predict(images, options) for name in OF_TYPE]
    for n, prediction in enumerate(loaded.predict(images, options)):
        scores = [of_type[n].garments[0].score for of_type in by_type]
        (garment,) = prediction.garments
        assert garment.score == max(scores)
        assert np.array_equal(garment.xy, by_type[int(np.argmax(scores))][n].garments[0].xy)


def test_fields_are_those_of_the_member_with_the_best_garment(loaded, set_file, images):
    options = single(loaded, complete=True)
    # All in one batch: convolutions of other batches differ in the last digits.
    by_type = {name: loaded.only([name]).predict(images, options) for name in OF_TYPE}
    for n, (fields, prediction) in enumerate(loaded.predict_with_fields(images, options)):
        scores = {name: found[n].garments[0].score for name, found in by_type.items()}
        assert fields.member == max(scores, key=lambda name: scores[name])
        assert prediction.garments[0].score == max(scores.values())
        assert fields.edges == SCHEMA.edges
        own = Model.load(set_file.parent / fields.member, "cpu")
        alone, _ = own.predict_with_fields(images, single(own, complete=True))[n]
        for k, name in enumerate(SCHEMA.landmarks):
            if name in own.schema.landmarks:
                expected = alone.pif_confidence[own.schema.landmarks.index(name)]
                assert np.array_equal(fields.pif_confidence[k], expected)
    assert loaded.fields(images[0]).member in OF_TYPE


def test_one_model_has_no_member_to_name(set_file, images):
    alone = Model.load(set_file.parent / "full", "cpu")
    assert alone.fields(images[0]).member == ""
    assert alone.member_names == ()
    assert alone.only(["upper"]) is alone


def test_members_are_found_by_body_type(loaded):
    assert loaded.member_names == ("upper", "lower", "full")
    assert loaded.only(["upper", "full"]).member_names == ("upper", "full")
    assert loaded.only(["upper"]).id == loaded.id
    assert loaded.only(["nothing"]) is loaded
    assert loaded.only([]) is loaded


def test_the_id_follows_from_the_members(set_file, loaded, tmp_path):
    other = small_set(tmp_path)
    assert load_model(other, "cpu").id == loaded.id
    small_member(tmp_path, "upper", read_model_file(tmp_path / "upper").schema, seed=9)
    changed = load_model(other, "cpu")
    assert changed.id.startswith("combined-")
    assert changed.id != loaded.id
    document = json.loads(other.read_text())
    document["members"][2]["body_types"] = ["upper"]
    document["members"][0]["body_types"] = ["upper"]
    document["members"].pop(0)
    other.write_text(json.dumps(document))
    assert load_model(other, "cpu").id not in (loaded.id, changed.id)


def test_each_member_keeps_its_size_and_calibration(tmp_path, images):
    calibrated = VisibilityOptions(present_scale=2.0, present_offset=-1.0)
    paths = {
        small_member(tmp_path, "a", OF_TYPE["upper"], input_size=96): ["upper"],
        small_member(tmp_path, "b", OF_TYPE["lower"], visibility=calibrated): ["lower"],
    }
    path = tmp_path / "set.json"
    write_set(path, paths, "set")
    both = load_model(path, "cpu")
    assert isinstance(both, ModelSet)
    options = both.inference.overridden(flip_tta=True)
    first, second = (member.options(options) for member in both.members)
    assert (first.input_size, second.input_size) == (96, 64)
    assert (first.flip_tta, second.flip_tta) == (True, True)
    assert second.visibility.present_scale == 2.0
    assert (
        both.only(["upper"]).fields(images[1]).grid != both.only(["lower"]).fields(images[1]).grid
    )


def test_a_calibrated_score_decides(set_file, loaded, images):
    document = json.loads(set_file.read_text())
    document["members"][1]["calibration"] = {"scale": 0.5, "offset": 9.0}
    path = set_file.with_name("calibrated.json")
    path.write_text(json.dumps(document))
    calibrated = load_model(path, "cpu")
    assert calibrated.id != loaded.id
    options = single(loaded, complete=True)
    before = loaded.only(["lower"]).predict(images, options)
    for one, other in zip(before, calibrated.predict(images, options), strict=True):
        raw = one.garments[0].score
        assert np.array_equal(one.garments[0].xy, other.garments[0].xy)
        expected = 1 / (1 + np.exp(-(0.5 * np.log(raw / (1 - raw)) + 9)))
        assert other.garments[0].score == pytest.approx(expected, abs=1e-6)


def test_an_exported_member_predicts_the_same(set_file, loaded, images):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra 'onnx')")
    pytest.importorskip("onnxscript", reason="onnxscript is not installed (extra 'onnx')")
    exported = set_file.parent / "upper.onnx"
    export_model(Model.load(set_file.parent / "upper", "cpu"), exported)
    document = json.loads(set_file.read_text())
    document["members"][0]["model"] = "upper.onnx"
    mixed = set_file.with_name("mixed.json")
    mixed.write_text(json.dumps(document))
    other = load_model(mixed, "cpu")
    assert other.id == loaded.id
    assert other.runs_on == "cpuOnnxRuntime+cpuTorchRuntime"
    options = single(loaded, complete=True)
    pairs = zip(loaded.predict(images, options), other.predict(images, options), strict=True)
    for one, two in pairs:
        np.testing.assert_allclose(one.garments[0].xy, two.garments[0].xy, atol=0.05)


def test_a_packaged_model_can_be_a_member(tmp_path):
    own = small_member(
        tmp_path, "bundled", SCHEMA, **dict(read_model_file("bundled").description.inference)
    )
    path = tmp_path / "set.json"
    write_set(path, {"bundled": ["upper"], own: ["lower"]}, "set")
    names = [member["model"] for member in json.loads(path.read_text())["members"]]
    assert names == ["bundled", "./bundled"]
    assert member_sources(path) == ["bundled", str(tmp_path / "bundled")]
    packaged, other = read_models(path).members
    assert packaged.file.path == read_model_file("bundled").path
    assert other.file.path == tmp_path / "bundled" / "model.json"


# -- what is refused ------------------------------------------------------------------------------


def test_what_needs_one_model_refuses_a_set(set_file):
    for refused in (Model.load, read_model_file):
        with pytest.raises(
            CheckpointError, match=r"a set of models.*Name a member.*upper, lower, full"
        ):
            refused(set_file)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "format version 2 of a model set; expected 1"),
        ({"version": True}, "format version True"),
        ({"members": []}, "members: found .*; expected 2 or more items"),
        ({"members": [{"model": "upper"}]}, r"members\[0\].body_types is missing"),
        ({"schema": "none"}, "Found the schema 'none'"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name: found 5; expected text"),
    ],
)
def test_a_file_that_describes_no_set_is_told(set_file, tmp_path, change, told):
    path = set_file.with_name("wrong.json")
    path.write_text(json.dumps(json.loads(set_file.read_text()) | change))
    with pytest.raises(CheckpointError, match=told):
        read_models(path)


@pytest.mark.parametrize(
    ("member", "told"),
    [
        ({"model": "none"}, "a member cannot be read. .*none: no model there"),
        ({"model": "combined.json"}, "a member cannot be read. .*a set of models"),
        ({"model": "/upper"}, "names the member '/upper'; expected a path relative"),
        ({"model": "C:\\upper"}, "names the member .*; expected a path relative"),
        ({"body_types": ["uper"]}, "body type 'uper', which schema 'garments' lacks; did you mean 'upper'"),
        ({"body_types": ["lower"]}, "body type 'lower' has the members 'upper' and 'lower'"),
        ({"calibration": {"scale": -1}}, r"members\[0\].calibration.scale: found -1; expected 0.0 or more"),
        ({"model": "lower"}, "'lower' does not fit into the set: it lacks 4 landmarks"),
    ],
)  # fmt: skip
def test_a_member_that_does_not_fit_is_told(set_file, member, told):
    document = json.loads(set_file.read_text())
    document["members"][0] |= member
    path = set_file.with_name("wrong.json")
    path.write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=told):
        read_models(path)


def test_members_that_are_used_differently_are_told(set_file, tmp_path):
    members = {
        small_member(tmp_path, "a", OF_TYPE["upper"]): ["upper"],
        small_member(tmp_path, "b", OF_TYPE["lower"], flip_tta=True): ["lower"],
    }
    with pytest.raises(CheckpointError, match=r"'a' and 'b' are used differently \(flip_tta\)"):
        combine(tmp_path / "set.json", "set", SCHEMA, members)


def test_the_schema_of_a_set_has_what_all_members_find(set_file):
    upper, lower, full = (str(set_file.parent / name) for name in OF_TYPE)
    assert common_schema([upper, full, lower]).landmarks == SCHEMA.landmarks
    with pytest.raises(CheckpointError, match="None of the models finds what all others find"):
        common_schema([upper, lower])
