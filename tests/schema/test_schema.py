from __future__ import annotations

import json
import os
import pickle
from dataclasses import FrozenInstanceError

import pytest

from napari_fashion.errors import SchemaError
from napari_fashion.schema import BUNDLED, Category, Schema

LANDMARKS = (
    "left_collar",
    "right_collar",
    "left_sleeve",
    "right_sleeve",
    "left_waistline",
    "right_waistline",
    "left_hem",
    "right_hem",
)


def small(**changes) -> dict:
    """A schema of three landmarks in dictionary form, with changes."""
    data = {
        "name": "small",
        "default_skeleton": "only",
        "landmarks": [
            {"name": n, "sigma": 0.1, "color": "#ff0000"} for n in ("left_a", "right_a", "tip")
        ],
        "flip_pairs": [["left_a", "right_a"]],
        "skeletons": {"only": [[1, 2], [2, 3]], "other": [[1, 3]]},
        "body_types": {"all": [1, 2, 3], "pair": [1, 2]},
        "categories": [
            {"name": "Hat", "body_types": ["all", "pair"]},
            {"name": "Sock", "body_types": ["pair"]},
        ],
    }
    return data | changes


EIGHT = ("garments", "deepfashion")
"""Bundled schemas with the landmarks of DeepFashion."""


@pytest.mark.parametrize("name", EIGHT)
def test_bundled_schemas_have_the_facts_of_deepfashion(name):
    schema = Schema.load(name)
    assert schema.name == name
    assert schema.landmarks == LANDMARKS
    assert schema.n_landmarks == 8
    assert schema.sigmas == (0.079, 0.079, 0.062, 0.062, 0.107, 0.107, 0.089, 0.089)
    assert schema.flips == (1, 0, 3, 2, 5, 4, 7, 6)
    assert schema.landmarks_of("upper") == (0, 1, 2, 3, 6, 7)
    assert schema.landmarks_of("lower") == (4, 5, 6, 7)
    assert schema.landmarks_of("full") == tuple(range(8))


def test_deepfashion_has_its_50_categories_in_the_order_of_the_data_set():
    schema = Schema.load("deepfashion")
    by_type = [(c.name, c.body_types) for c in schema.categories]
    assert len(by_type) == 50
    assert by_type[0] == ("Anorak", ("upper",))
    assert by_type[19] == ("Turtleneck", ("upper",))
    assert by_type[20] == ("Capris", ("lower",))
    assert by_type[35] == ("Trunks", ("lower",))
    assert by_type[36] == ("Caftan", ("full",))
    assert by_type[49] == ("Sundress", ("full",))


def test_garments_has_15_categories():
    names = Schema.load("garments").category_names
    assert len(names) == 15
    assert names == tuple(sorted(names))


def test_every_body_type_of_the_default_skeleton_is_one_connected_piece():
    schema = Schema.load("deepfashion")
    for body_type in schema.body_type_names:
        members = set(schema.landmarks_of(body_type))
        reached = {min(members)}
        for _ in members:
            for a, b in schema.edges:
                if {a, b} <= members and {a, b} & reached:
                    reached |= {a, b}
        assert reached == members, body_type


def test_skeletons_a_and_b_leave_an_upper_garment_in_two_pieces():
    schema = Schema.load("deepfashion")
    pieces = [(0, 1, 2, 3), (6, 7)]
    for label, of_full in (("A", [(0, 1, 2, 3), (4, 5, 6, 7)]), ("B", [tuple(range(8))])):
        other = schema.with_skeleton(label)
        assert other.pieces_of("upper") == pieces
        assert other.pieces_of("full") == of_full
        assert other.pieces_of("lower") == [(4, 5, 6, 7)]
    assert schema.with_edges([]).pieces_of("lower") == [(4,), (5,), (6,), (7,)]


def test_edges_of_ones_own_are_named_by_landmarks():
    schema = Schema.load("deepfashion")
    own = schema.with_edges([("left_collar", "left_hem"), ("right_hem", "left_hem")])
    assert own.edges == ((0, 6), (7, 6))
    assert own.default_skeleton == "own"
    assert dict(own.skeletons)["B"] == dict(schema.skeletons)["B"]
    assert Schema.from_dict(own.to_dict()) == own
    assert own.with_edges([("left_hem", "right_hem")]).edges == ((6, 7),)
    for edges, words in (
        ([("left_collar", "left_hen")], r"no landmark 'left_hen'.*did you mean 'left_hem'\?"),
        ([("left_hem", "left_hem")], "joins a landmark to itself"),
        ([("left_hem", "right_hem"), ("right_hem", "left_hem")], "is there twice"),
    ):
        with pytest.raises(SchemaError, match=words):
            schema.with_edges(edges)


def test_the_skeleton_of_places_is_that_of_the_files():
    """Otherwise fields of places could not be given back to the landmarks of the files."""
    shared = Schema.load("deepfashion2").shared()
    own = shared.with_edges([("neckline_1", "neckline_4")])
    assert own.edges == ((0, 3),)
    files = own.file_schema
    ends = {tuple(files.places[i] for i in edge) for edge in files.edges}
    assert ends == {("neckline_1", "neckline_4")}
    assert len(files.edges) == sum(
        "neckline_4" in {files.places[i] for i in m} for _, m in files.body_types
    )
    assert own.with_skeleton("contour").edges == shared.edges


def test_skeleton_a_is_b_without_the_edges_from_collar_to_waist():
    skeletons = dict(Schema.load("deepfashion").skeletons)
    assert set(skeletons["B"]) - set(skeletons["A"]) == {(0, 4), (5, 1)}


def test_loads_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ndefault_skeleton = "s"\n[[landmarks]]\nname = "a"\nsigma = 0.1\n'
        'color = "#000000"\n[[landmarks]]\nname = "b"\nsigma = 0.2\ncolor = "#ffffff"\n'
        "[skeletons]\ns = [[1, 2]]\n[body_types]\nall = [1, 2]\n"
        '[[categories]]\nname = "Thing"\nbody_types = ["all"]\n'
    )
    schema = Schema.load(path)
    assert schema.landmarks == ("a", "b")
    assert schema.edges == ((0, 1),)
    assert schema.flips == (0, 1)


def test_unknown_names_and_broken_files_say_what_to_do(tmp_path):
    with pytest.raises(SchemaError, match=r"No schema 'nope'.*garments.*\.toml"):
        Schema.load("nope")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = ")
    with pytest.raises(SchemaError, match=r"broken\.toml, at its end: not valid TOML"):
        Schema.load(broken)


@pytest.mark.parametrize("name", BUNDLED)
def test_the_dictionary_form_makes_the_same_schema(name):
    schema = Schema.load(name)
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert hash(again) == hash(schema)
    assert again.fingerprint == schema.fingerprint
    assert pickle.loads(pickle.dumps(schema)) == schema


def test_is_frozen_and_compared_by_content():
    schema = Schema.from_dict(small())
    with pytest.raises(FrozenInstanceError):
        schema.name = "other"
    assert schema != Schema.from_dict(small(name="other"))
    assert Schema.load("garments").fingerprint != Schema.load("deepfashion").fingerprint
    assert len({schema, Schema.from_dict(small())}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"landmarks": [], "flip_pairs": []}, "no landmarks"),
        ({"landmarks": small()["landmarks"][:1] * 3, "flip_pairs": []}, "landmark 'left_a' twice"),
        ({"flip_pairs": [["left_a", "right_a"], ["right_a", "tip"]]}, "undoes itself"),
        (
            {"flip_pairs": [["left_a", "nobody"]]},
            r"flip_pairs\[0\]: found .*; expected the names of two",
        ),
        ({"skeletons": {"only": [[1, 4]]}}, r"edge \(1, 4\) does not join"),
        ({"skeletons": {"only": [[2, 2]]}}, r"edge \(2, 2\)"),
        ({"skeletons": {"another": [[1, 2]]}}, "default skeleton 'only' is not one of"),
        ({"body_types": {"all": [], "pair": [1, 2]}}, "body type 'all'"),
        ({"body_types": {"all": [1, 9], "pair": [1]}}, r"of 1\.\.3, found \[1, 9\]"),
        (
            {"categories": [{"name": "Hat", "body_types": ["none"]}]},
            r"'Hat': body types \['none'\]",
        ),
        ({"categories": [{"name": "Hat", "body_types": []}]}, "'Hat': body types"),
        ({"categories": small()["categories"][:1] * 2}, "category 'Hat' twice"),
        (
            {"landmarks": [dict(entry, sigma=0) for entry in small()["landmarks"]]},
            "positive sigmas",
        ),
        ({"body_types": None}, "malformed: body_types: found nothing; expected a table"),
    ],
)
def test_malformed_schemas_are_refused_with_a_reason(changes, message):
    with pytest.raises(SchemaError, match=message):
        Schema.from_dict(small(**changes))


def test_a_missing_key_is_named():
    data = small()
    del data["skeletons"]
    with pytest.raises(SchemaError, match="skeletons: it is missing; expected a table"):
        Schema.from_dict(data)


def test_asking():
    schema = Schema.from_dict(small())
    assert schema.category_index("Sock") == 1
    assert schema.landmarks_of_category(0) == (0, 1, 2)
    assert schema.landmarks_of_category(1) == (0, 1)
    with pytest.raises(SchemaError, match="no category 'Glove'; it has Hat, Sock"):
        schema.category_index("Glove")
    with pytest.raises(SchemaError, match="no body type 'left'; it has all, pair"):
        schema.landmarks_of("left")


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ((0, 1), "pair"),
        ((0, 1, 2), "all"),
        ((2,), "all"),
        ((0,), "pair"),
        ((), "pair"),
    ],
)
def test_body_type_for_what_is_there(present, expected):
    assert Schema.from_dict(small()).body_type_for(0, present) == expected


def test_body_type_of_a_tie_is_the_usual_one():
    assert Schema.load("garments").body_type_for(0, (0, 1, 2, 3, 6, 7)) == "upper"
    assert Schema.load("garments").body_type_for(0, range(8)) == "full"


def test_with_skeleton_and_categories():
    schema = Schema.from_dict(small())
    assert schema.with_skeleton("other").edges == ((0, 2),)
    with pytest.raises(SchemaError, match="default skeleton 'none'"):
        schema.with_skeleton("none")
    other = schema.with_categories([Category("Glove", ("pair",))])
    assert other.category_names == ("Glove",)
    assert schema.category_names == ("Hat", "Sock")


def points(name: str, keypoints: list[str], **more) -> dict:
    return {"id": 1, "name": name, "keypoints": keypoints, **more}


def test_from_coco_finds_a_bundled_schema():
    schema = Schema.load("garments")
    categories = [
        {"id": 7 * i, "name": name, "keypoints": list(LANDMARKS), "skeleton": []}
        for i, name in enumerate(reversed(schema.category_names))
    ]
    assert Schema.from_coco(categories) == schema
    assert Schema.from_coco(categories[:3]) == schema


def test_from_coco_takes_the_bundled_schema_that_has_the_categories():
    deepfashion = Schema.load("deepfashion")
    categories = [points(name, list(LANDMARKS)) for name in deepfashion.category_names]
    assert Schema.from_coco(categories) == deepfashion
    assert Schema.from_coco(categories[5:9]) == deepfashion
    assert Schema.from_coco([points("Dress", list(LANDMARKS))]) == Schema.load("garments")


def test_from_coco_with_known_landmarks_and_other_categories():
    schema = Schema.from_coco([points(n, list(LANDMARKS)) for n in ("Dress", "Toga")])
    assert schema.sigmas == Schema.load("garments").sigmas
    assert schema.categories[0] == Category("Dress", ("full",))
    assert schema.categories[1] == Category("Toga", ("upper", "lower", "full"))


def test_from_coco_makes_a_schema_of_its_own():
    names = ["left_ear", "right_ear", "nose"]
    schema = Schema.from_coco([points("cat", names, skeleton=[[1, 3], [2, 3]])])
    assert schema.landmarks == tuple(names)
    assert schema.flips == (1, 0, 2)
    assert schema.edges == ((0, 2), (1, 2))
    assert schema.category_names == ("cat",)
    assert schema.landmarks_of("all") == (0, 1, 2)
    assert len(set(schema.colors)) == 3


def test_from_coco_needs_landmarks():
    with pytest.raises(SchemaError, match="No category of the document has 'keypoints'"):
        Schema.from_coco([{"id": 1, "name": "box"}])


def test_categories_with_lists_of_their_own_share_one_schema():
    schema = Schema.from_coco(
        [
            points("top", ["left_collar", "right_collar", "hem"], skeleton=[[1, 2], [2, 3]]),
            points("skirt", ["waist", "hem"], skeleton=[[1, 2]]),
        ]
    )
    assert schema.landmarks == ("left_collar", "right_collar", "hem", "waist")
    assert schema.edges == ((0, 1), (1, 2), (3, 2))
    assert schema.landmarks_of_category(0) == (0, 1, 2)
    assert schema.landmarks_of_category(1) == (2, 3)
    assert schema.flips == (1, 0, 2, 3)


@pytest.mark.parametrize(
    ("skeleton", "edges"),
    [
        (None, ()),
        ("all", ()),
        ([[1, 2], [2, 3]], ((0, 1), (1, 2))),
        ([[0, 1], [1, 2]], ((0, 1), (1, 2))),
        ([[1, 2], [2, 9]], ((0, 1),)),
        ([[1, 2], [3], [1, "x"], [2, 2]], ((0, 1),)),
    ],
)
def test_a_skeleton_is_read_as_far_as_it_can_be(skeleton, edges):
    assert Schema.from_coco([points("cat", ["a", "b", "c"], skeleton=skeleton)]).edges == edges


def test_a_file_notes_a_bundled_schema_by_name_and_another_one_whole():
    schema = Schema.load("deepfashion")
    assert schema.to_note() == "deepfashion"
    assert Schema.from_note("deepfashion") == schema
    other = schema.with_skeleton("A")
    assert Schema.from_note(json.loads(json.dumps(other.to_note()))) == other
    for note in ("nobody's", 3, {"name": "x"}):
        with pytest.raises(SchemaError):
            Schema.from_note(note)


def entry(**changes) -> dict:
    return {"landmarks": [dict(one, **changes) for one in small()["landmarks"]]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (entry(sigma=float("nan")), "the sigma is nan; expected positive sigmas"),
        (entry(sigma=float("inf")), "expected positive sigmas, up to 10"),
        (entry(sigma=-1), r"the sigma is -1\.0; expected positive sigmas"),
        (entry(sigma="0.1"), r"landmarks\[0\]\.sigma: found '0\.1'; expected a number"),
        (entry(sigma=True), r"landmarks\[0\]\.sigma: found True; expected a number"),
        (entry(sigma=10**5000), "expected positive sigmas"),
        (entry(color="red"), "the colour is 'red'; expected one such as '#ff8800'"),
        (entry(color=7), r"landmarks\[0\]\.color: found 7; expected text"),
        (entry(name=7), r"landmarks\[0\]\.name: found 7; expected text"),
        ({"landmarks": [{}] * 1_000_000}, "has 1,000,000 landmarks; expected at most 4,096"),
        ({"landmarks": 5}, "landmarks: found 5; expected a list"),
        ({"landmarks": [5]}, r"landmarks\[0\]: found 5; expected a table"),
        ({"flip_pairs": [["left_a"]]}, r"flip_pairs\[0\]: found \['left_a'\]; expected the names"),
        ({"flip_pairs": [["left_a", ["tip"]]]}, r"flip_pairs\[0\]: found .* expected the names"),
        ({"skeletons": {"only": [[1, 2]] * 20_000}}, r"skeletons\.only: found .*at most 16,384"),
        (
            {"skeletons": {"only": [[1.5, 2]]}},
            r"skeletons\.only: found \[1\.5, 2\]; expected pairs",
        ),
        ({"skeletons": {"only": [[True, 2]]}}, "expected pairs of landmarks' numbers"),
        ({"skeletons": {"only": 3}}, r"skeletons\.only: found 3; expected a list"),
        (
            {"body_types": {"all": ["a"]}},
            r"body_types\.all: found \['a'\]; expected a list of landm",
        ),
        (
            {"categories": [{"name": "Hat", "body_types": "all"}]},
            "found 'all'; expected a list of t",
        ),
        ({"name": None}, "name: found nothing; expected text"),
    ],
)
def test_hostile_schemas_are_refused_at_once_by_key(changes, message):
    with pytest.raises(SchemaError, match=message) as caught:
        Schema.from_dict(small(**changes))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff", r"s\.toml, line 1: byte 0 is not UTF-8"),
        (b"a = " + b"[" * 9999, r"s\.toml, line 1: lists and tables nested"),
        (b"", r"s\.toml: Schema .* is malformed: landmarks: it is missing; expected a list"),
        (b"name = 'a\\tb'", "landmarks: it is missing"),
    ],
)
def test_a_schema_file_that_cannot_be_read_is_named(tmp_path, text, message):
    (tmp_path / "s.toml").write_bytes(text)
    with pytest.raises(SchemaError, match=message):
        Schema.load(tmp_path / "s.toml")


def as_toml(data: dict) -> str:
    """Write a schema of ours as TOML; its strings are written as JSON's."""
    lines = [
        f"{key} = {json.dumps(data[key])}" for key in ("name", "default_skeleton", "flip_pairs")
    ]
    for table in ("skeletons", "body_types"):
        lines += [f"[{table}]", *(f"{json.dumps(k)} = {v}" for k, v in data[table].items())]
    for table in ("landmarks", "categories"):
        for one in data[table]:
            lines += [f"[[{table}]]", *(f"{k} = {json.dumps(v)}" for k, v in one.items())]
    return "\n".join(lines)


def test_a_schema_file_with_a_byte_order_mark_is_read_and_names_must_be_shown(tmp_path):
    path = tmp_path / "s.TOML"
    path.write_text(as_toml(small()), "utf-8-sig")
    assert Schema.load(path) == Schema.from_dict(small())
    for name in ("a\u001b[31m", "", "  ", "two\nlines", "x" * 2000):
        path.write_text(as_toml(small(categories=[{"name": name, "body_types": ["all"]}])))
        with pytest.raises(SchemaError, match=r"TOML: categories: found the name .* can be shown"):
            Schema.load(path)


def test_a_pipe_is_no_schema(tmp_path):
    os.mkfifo(tmp_path / "s.toml")
    with pytest.raises(SchemaError, match="No schema"):
        Schema.load(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("categories", "landmarks"),
    [
        ([points("cat", ["a", "b"], skeleton=[[1, 2]] * 10_000_000)], 2),
        ([points("cat", ["a"] * 10_000_000)], 1),
        ([points(f"cat {i}", ["a", f"b {i}"]) for i in range(4000)], 4001),
        ([points("cat", ["a", f"b {i}"]) for i in range(4000)], 4001),
        (
            [
                points(
                    "cat", [f"left {i // 2}" if i % 2 else f"right {i // 2}" for i in range(4000)]
                )
            ],
            4000,
        ),
    ],
    ids=["skeleton", "one name", "categories", "one category's name", "landmarks"],
)
def test_large_categories_are_read_in_linear_time(categories, landmarks):
    assert Schema.from_coco(categories).n_landmarks == landmarks


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (
            [points("cat", [str(i) for i in range(1_000_000)])],
            "name 1,000,000 landmarks; expected at",
        ),
        ([points(f"cat {i}", ["a"]) for i in range(20_000)], "20,000 categories name landmarks"),
        ([points("cat", "left"), points("dog", 5)], "No category of the document has 'keypoints'"),
    ],
    ids=["landmarks", "categories", "no lists"],
)
def test_categories_without_bounds_are_refused(categories, message):
    with pytest.raises(SchemaError, match=message):
        Schema.from_coco(categories)


def test_two_categories_of_one_name_keep_their_own_landmarks():
    schema = Schema.from_coco([points("cat", ["a", "b"]), points("cat", ["b", "c"])])
    assert schema.landmarks == ("a", "b", "c")
    assert schema.categories == (Category("cat", ("cat", "cat 2")),)
    assert schema.landmarks_of("cat") == (0, 1)
    assert schema.landmarks_of("cat 2") == (1, 2)


def test_names_that_are_numbers_and_edges_between_equal_names_are_read():
    schema = Schema.from_coco([points(7, ["a", 3, "a"], skeleton=[[1, 2], [1, 3]])])
    assert schema.landmarks == ("a", "3")
    assert schema.edges == ((0, 1),)
    assert schema.category_names == ("7",)
