"""Flips by names and by lists, and what follows where they are not known."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.coco import Dataset, export
from napari_fashion.errors import SchemaError
from napari_fashion.schema import BUNDLED, Schema
from napari_fashion.schema._flips import KEYS, find_flips

FORMATS = Path(__file__).parents[2] / ".." / "shared" / "formats"


def pairs(names, flips) -> set[tuple[str, str]]:
    return {(names[i], names[j]) for i, j in enumerate(flips.order) if i < j}


@pytest.mark.parametrize(
    "names",
    [
        "left_hem right_hem neck",
        "Left-Hem Right-Hem Neck",
        "LEFT.HEM RIGHT.HEM NECK",
        "hem_left hem_right hem_center",
        "cuff_left_in cuff_right_in crotch",
        "l_hem r_hem neck",
        "hem_l hem_r neck",
        "L.hem R.hem neck",
        "hem.L hem.R neck",
        "hem-L hem-R hem",
        "LHem RHem Neck",
        "lHem rHem neck",
        "hemL hemR hem",
        "leftHem rightHem neck",
        "HemLeft HemRight Hem",
        "lefthem righthem neck",
        "lhem rhem neck",
        "Lhem Rhem neck",
        "lt_hem rt_hem neck",
        "lhs_hem rhs_hem neck",
        "L1 R1 C1",
        "left1 right1 top",
        "L R C",
        "left RIGHT middle",
        "left_hem r_hem neck",
        "左下摆 右下摆 领口",
        "left_hem_right_edge right_hem_left_edge neck",
        "left_upright right_upright upright",
        "left_hem right_hem bright_spot",
    ],
)
def test_sides_are_found_in_names(names):
    names = names.split()
    flips = find_flips(names)
    assert flips == ((1, 0, 2), "")


@pytest.mark.parametrize(
    ("names", "expected", "problem"),
    [
        ("a b c", set(), "no landmark has a side in its name ('a', 'b')"),
        ("p1 p2 p3", set(), "'p1' and 'p2' are numbered and have no side"),
        (
            "left_a right_a neck_1 neck_2",
            {("left_a", "right_a")},
            "'neck_1' and 'neck_2' are numbered and have no side",
        ),
        (
            "left_a right_a left_b tip",
            {("left_a", "right_a")},
            "'left_b' has a side, and no landmark is its other side",
        ),
        (
            "left_a LEFT-A right_a",
            set(),
            "'left_a' has a side, and more than one landmark is its other side",
        ),
        ("lhip rhip lknee", {("lhip", "rhip")}, "'lknee' may have a side"),
        ("collar shoulder heel", set(), "no landmark has a side"),
        ("j k l m r", set(), "no landmark has a side"),
        ("size_l size_m", set(), "'size_l' has a side, and no landmark is its other side"),
    ],
)
def test_where_a_side_is_open_nothing_is_mirrored(names, expected, problem):
    names = names.split()
    flips = find_flips(names)
    assert problem in flips.problem
    assert pairs(names, flips) <= expected | {(b, a) for a, b in expected}


def test_a_single_landmark_is_its_own_mirror_image():
    assert find_flips(["tip"]) == ((0,), "")


@given(st.lists(st.text("lrLReftigh_ 1.", min_size=1), min_size=1, max_size=12, unique=True))
def test_flips_of_any_names_undo_themselves(names):
    order = find_flips(names).order
    assert sorted(order) == list(range(len(names)))
    assert all(order[order[i]] == i for i in order)


def category(keypoints, **more) -> dict:
    return {"id": 1, "name": "thing", "keypoints": list(keypoints), **more}


POINTS = "abcdef"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("flip_pairs", [["a", "b"], ["c", "d"]]),
        ("flip_pairs", [[0, 1], [2, 3]]),
        ("flip_pairs", [[1, 2], [3, 4], [6, 6]]),
        ("flip_idx", [1, 0, 3, 2, 4, 5]),
        ("flip_indices", [2, 1, 4, 3, 5, 6]),
        ("swap", ["b", "a", "d", "c", "", None]),
        ("keypoint_flip_map", {"a": "b", "c": "d"}),
        ("symmetries", [["b", "a"], ["a", "b"], ["d", "c"]]),
    ],
)
def test_a_files_own_list_is_used(key, value):
    assert key in KEYS
    schema = Schema.from_coco([category(POINTS, **{key: value})])
    assert schema.flips == (1, 0, 3, 2, 4, 5)
    assert schema.mirrors
    assert schema.mirror_problem == ""


@pytest.mark.parametrize(
    "value",
    [
        "left_right", 7, {"a": 1}, [["a"]], [["a", "g"]], [["a", "b"], ["b", "c"]], [[1, 2], [3, 4]],
        [[0, 6]], [[0, 9]], [1, 0], [1, 2, 0, 3, 4, 5], [0.5] * 6, [True] * 6, [[["a"], "b"]],
        ["b", "a"], [["a", "b"]] * 5000, [[-1, 0]],
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_read_switches_mirroring_off(value):
    schema = Schema.from_coco([category(POINTS, flip_pairs=value)])
    assert not schema.mirrors
    assert schema.mirror_problem


@pytest.mark.parametrize("empty", [None, [], {}, "", 0])
def test_an_empty_list_says_nothing(empty):
    schema = Schema.from_coco([category(["left_a", "right_a"], flip_pairs=empty)])
    assert (schema.flips, schema.mirrors) == ((1, 0), True)


def test_pairs_that_could_count_from_0_or_1_are_read_as_the_names_say():
    names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "tail"]
    schema = Schema.from_coco([category(names, flip_pairs=[[1, 2], [3, 4]])])
    assert (schema.flips, schema.mirrors) == ((0, 2, 1, 4, 3, 5), True)
    names = ["left_eye", "right_eye", "left_ear", "right_ear", "nose", "tail"]
    schema = Schema.from_coco([category(names, flip_pairs=[[1, 2], [3, 4]])])
    assert (schema.flips, schema.mirrors) == ((1, 0, 3, 2, 4, 5), True)


def test_lists_of_several_categories_and_names_are_joined():
    top = category(["x", "y", "hem"], flip_pairs=[["x", "y"]])
    skirt = category(["waist_l", "waist_r", "hem"])
    skirt["name"] = "skirt"
    schema = Schema.from_coco([top, skirt])
    assert schema.landmarks == ("x", "y", "hem", "waist_l", "waist_r")
    assert (schema.flips, schema.mirrors) == ((1, 0, 2, 4, 3), True)
    skirt["flip_pairs"] = [["waist_l", "hem"]]
    schema = Schema.from_coco([top, skirt])
    assert not schema.mirrors
    assert all(schema.flips[schema.flips[i]] == i for i in range(5))


@pytest.mark.skipif(not FORMATS.is_dir(), reason="the data sets of ../shared are not here")
@pytest.mark.parametrize(("name", "mirrors"), [("fashionai", True), ("deepfashion2", False)])
def test_the_names_of_public_data_sets(name, mirrors):
    document = json.loads((FORMATS / name / "expected" / "train.json").read_text())
    schema = Schema.from_coco(document["categories"])
    assert schema.mirrors is mirrors
    if mirrors:
        found = {(schema.landmarks[i], schema.landmarks[j]) for i, j in enumerate(schema.flips)}
        assert ("cuff_left_in", "cuff_right_in") in found
        assert ("bottom_right_out", "bottom_left_out") in found
        assert {a for a, b in found if a == b} == {"center_front", "crotch"}


# -- the dictionary form -----------------------------------------------------------------------


def form(names, **more) -> dict:
    return {
        "name": "own",
        "default_skeleton": "s",
        "landmarks": [{"name": n, "sigma": 0.1, "color": "#000000"} for n in names],
        "skeletons": {"s": []},
        "body_types": {"all": [1]},
        **more,
    }


@pytest.mark.parametrize(
    ("data", "flips", "mirrors"),
    [
        (form(["left_a", "right_a"]), (1, 0), True),
        (form(["left_a", "right_a"], flip_pairs=[]), (1, 0), True),
        (form(["a", "b"]), (0, 1), False),
        (form(["a", "b"], mirrors=True), (0, 1), True),
        (form(["a", "b"], flip_pairs=[["a", "b"]]), (1, 0), True),
        (form(["left_a", "right_a", "left_b"]), (1, 0, 2), False),
        (form(["left_a", "right_a", "left_b"], flip_pairs=[["left_a", "right_a"]]), (1, 0, 2), True),
        (form(["left_a", "right_a"], mirrors=False), (0, 1), False),
        (form(["left_a", "right_a"], flip_pairs=[["left_a", "right_a"]], mirrors=False), (1, 0), False),
        (form(["tip"]), (0,), True),
    ],
)  # fmt: skip
def test_a_schema_file_gives_flips_or_they_are_found(data, flips, mirrors):
    schema = Schema.from_dict(data)
    assert (schema.flips, schema.mirrors) == (flips, mirrors)
    assert bool(schema.mirror_problem) is not mirrors
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema


@pytest.mark.parametrize("name", BUNDLED)
def test_where_flips_are_known_the_form_is_as_it_was(name):
    schema = Schema.load(name)
    assert schema.mirrors
    assert "mirrors" not in schema.to_dict()


def test_mirrors_is_true_or_false():
    with pytest.raises(SchemaError, match="mirrors: found 1; expected true or false"):
        Schema.from_dict(form(["a"], mirrors=1))


def test_an_export_keeps_that_nothing_is_mirrored(tmp_path):
    schema = Schema.from_coco([category(["a", "b"])])
    document = {"images": [], "annotations": [], "categories": [category(["a", "b"])]}
    dataset = Dataset.from_document(document, schema=schema)
    assert not dataset.schema.mirrors
    export(dataset, tmp_path / "export.json")
    assert Dataset.load(tmp_path / "export.json").schema == schema


def test_thousands_of_landmarks_are_read_in_linear_time():
    names = [f"{side}_{i}_{'x' * 200}" for i in range(2048) for side in ("left", "right")]
    for more in ({}, {"flip_pairs": [[2 * i, 2 * i + 1] for i in range(2048)]}):
        schema = Schema.from_coco([category(names, **more)])
        assert schema.mirrors
        assert schema.flips[:4] == (1, 0, 3, 2)
    letters = [f"{'lr'[i % 2]}x{i // 2}" for i in range(4096)]
    assert find_flips(letters).order[:4] == (1, 0, 3, 2)
    assert find_flips(["l" * 1_000_000, "r" + "l" * 999_999]).order == (1, 0)
