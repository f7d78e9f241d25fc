"""The schemas of DeepFashion2 and FashionAI, and the places that landmarks share."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from napari_fashion.errors import SchemaError
from napari_fashion.schema import BUNDLED, Category, Schema

TABLE = Path(__file__).resolve().parents[2].parent / "shared" / "deepfashion2-landmarks.csv"
RANGES = {
    "short sleeve top": (1, 25), "long sleeve top": (26, 58), "short sleeve outwear": (59, 89),
    "long sleeve outwear": (90, 128), "vest": (129, 143), "sling": (144, 158), "shorts": (159, 168),
    "trousers": (169, 182), "skirt": (183, 190), "short sleeve dress": (191, 219),
    "long sleeve dress": (220, 256), "vest dress": (257, 275), "sling dress": (276, 294),
}  # fmt: skip
FASHIONAI = [
    *("neckline_left", "neckline_right", "center_front", "shoulder_left", "shoulder_right"),
    *("armpit_left", "armpit_right", "waistline_left", "waistline_right"),
    *("cuff_left_in", "cuff_left_out", "cuff_right_in", "cuff_right_out"),
    *("top_hem_left", "top_hem_right", "waistband_left", "waistband_right"),
    *("hemline_left", "hemline_right", "crotch"),
    *("bottom_left_in", "bottom_left_out", "bottom_right_in", "bottom_right_out"),
]


def test_each_category_of_deepfashion2_has_its_own_range_of_the_294_landmarks():
    schema = Schema.load("deepfashion2")
    assert schema.n_landmarks == 294
    assert schema.category_names == tuple(RANGES)
    for index, (first, last) in enumerate(RANGES.values()):
        assert schema.landmarks_of_category(index) == tuple(range(first - 1, last))


def test_its_landmarks_have_81_places_of_which_several_categories_share_most():
    schema = Schema.load("deepfashion2")
    assert len(set(schema.places)) == 81
    categories = defaultdict(set)
    for index in range(len(schema.categories)):
        for i in schema.landmarks_of_category(index):
            categories[schema.places[i]].add(index)
    assert sum(map(len, categories.values())) == 294
    assert len(categories["neckline_1"]) == 10
    assert len(categories["crotch"]) == 2


@pytest.mark.skipif(
    not TABLE.is_file(), reason="the table of landmarks is not beside the repository"
)
def test_places_and_mirror_partners_are_those_of_the_table():
    schema = Schema.load("deepfashion2")
    rows = list(csv.DictReader(TABLE.read_text().splitlines()))
    assert [r["place"] for r in rows] == list(schema.places)
    assert [int(r["mirror_landmark"]) - 1 for r in rows] == list(schema.flips)
    assert [f"{r['category']}_{r['place']}" for r in rows] == list(schema.landmarks)


@pytest.mark.parametrize("name", ["deepfashion2", "fashionai"])
def test_every_category_is_one_connected_piece(name):
    schema = Schema.load(name)
    for index in range(len(schema.categories)):
        members = set(schema.landmarks_of_category(index))
        reached = {min(members)}
        for _ in members:
            for a, b in schema.edges:
                if {a, b} <= members and {a, b} & reached:
                    reached |= {a, b}
        assert reached == members, schema.category_names[index]


@pytest.mark.parametrize("name", ["deepfashion2", "fashionai"])
def test_the_skeleton_is_its_own_mirror_image(name):
    schema = Schema.load(name)
    edges = {frozenset(edge) for edge in schema.edges}
    assert {frozenset(schema.flips[i] for i in edge) for edge in edges} == edges
    assert len(edges) == len(schema.edges)


def test_fashionai_has_the_24_landmarks_of_its_header():
    schema = Schema.load("fashionai")
    assert schema.landmarks == tuple(FASHIONAI)
    assert schema.category_names == ("blouse", "outwear", "trousers", "skirt", "dress")
    assert [len(schema.landmarks_of_category(i)) for i in range(5)] == [13, 14, 7, 4, 15]
    assert schema.flips[FASHIONAI.index("cuff_left_in")] == FASHIONAI.index("cuff_right_in")


@pytest.mark.parametrize("category", RANGES)
def test_each_category_has_a_schema_of_its_own(category):
    whole = Schema.load("deepfashion2")
    name = f"deepfashion2-{category.replace(' ', '-')}"
    schema = Schema.load(name)
    first, last = RANGES[category]
    assert schema.name == name == schema.to_note()
    assert schema.landmarks == whole.landmarks[first - 1 : last]
    assert schema.places == whole.places[first - 1 : last]
    assert schema.sigmas == whole.sigmas[first - 1 : last]
    assert [schema.landmarks[i] for i in schema.flips] == [
        whole.landmarks[whole.flips[i]] for i in range(first - 1, last)
    ]
    assert schema.category_names == (category,)
    assert schema.mirrors
    assert Schema.from_note(name) == schema == Schema.from_dict(schema.to_dict())


def test_a_category_without_a_mirror_partner_is_not_flipped():
    schema = Schema.from_dict(
        {
            "name": "gloves",
            "default_skeleton": "s",
            "landmarks": [
                {"name": n, "sigma": 0.1, "color": "#ffffff"} for n in ("left", "right", "tip")
            ],
            "flip_pairs": [["left", "right"]],
            "skeletons": {"s": [[1, 3], [2, 3]]},
            "body_types": {"left": [1, 3], "right": [2, 3]},
            "categories": [{"name": "Left Glove", "body_types": ["left"]}],
        }
    )
    own = schema.of_category("Left Glove")
    assert own.name == "gloves-left-glove"
    assert own.landmarks == ("left", "tip")
    assert own.edges == ((0, 1),)
    assert not own.mirrors


@pytest.mark.parametrize(
    "name", ["deepfashion2-", "deepfashion2-hat", "hat-skirt", "deepfashion2--skirt"]
)
def test_an_unknown_category_is_refused_with_what_there_is(name):
    with pytest.raises(SchemaError, match=r"expected one of .*deepfashion2-skirt"):
        Schema.load(name)


def test_a_file_of_own_landmarks_has_the_bundled_schema_without_a_note():
    schema = Schema.load("deepfashion2")
    records = [
        {"id": i, "name": name, "keypoints": list(schema.own_landmarks(name))}
        for i, name in enumerate(schema.category_names, 1)
    ]
    assert Schema.from_coco(records) is schema
    assert Schema.from_coco(records[6:8]) is schema
    assert Schema.from_coco(records[8:9]) == Schema.load("deepfashion2-skirt")
    assert Schema.from_coco([{**records[8], "keypoints": list(schema.landmarks)}]) is schema
    other = [{**records[8], "name": "kilt"}]
    assert Schema.from_coco(other).landmarks == schema.own_landmarks("skirt")
    assert Schema.from_coco(other).name == "data set"


def placed(places, **changes):
    data = {
        "name": "two",
        "default_skeleton": "s",
        "landmarks": [
            {"name": n, "sigma": 0.1, "color": "#ffffff"} | ({"place": p} if p else {})
            for n, p in zip(("a_left", "a_right", "b_left", "b_right"), places, strict=True)
        ],
        "skeletons": {"s": [[1, 2], [3, 4]]},
        "body_types": {"a": [1, 2], "b": [3, 4]},
        "categories": [
            {"name": "A", "body_types": ["a"]},
            {"name": "B", "body_types": ["b"]},
        ],
    }
    return Schema.from_dict(data | changes)


def test_places_are_read_and_kept():
    schema = placed(["left", "right", "left", "right"])
    assert schema.places == ("left", "right", "left", "right")
    assert Schema.from_dict(schema.to_dict()) == schema
    assert schema != placed([None] * 4)
    assert placed([None] * 4).places == ()
    assert "place" not in placed([None] * 4).to_dict()["landmarks"][0]


def test_a_landmark_without_a_place_has_one_of_its_own():
    assert placed(["left", "right", None, None]).places == ("left", "right", "b_left", "b_right")


def test_a_category_that_may_be_anything_keeps_the_places():
    schema = Schema.load("deepfashion2")
    more = schema.with_categories([*schema.categories, Category("robe", schema.body_type_names)])
    assert more.places == schema.places


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["left", "left", "x", "y"], "body type 'a': 'a_left' and 'a_right' are both at the place 'left'"),
        (["left", "right", "left", "other"], "one mirror place for each place"),
        ([7, "right", "left", "right"], r"landmarks\[0\].place: found 7; expected text"),
    ],
)  # fmt: skip
def test_wrong_places_are_refused(places, message):
    with pytest.raises(SchemaError, match=message):
        placed(places)


def test_bundled_names_are_those_of_the_files():
    assert BUNDLED == ("garments", "deepfashion", "deepfashion2", "fashionai")
