"""Which landmarks and categories a run has."""

from __future__ import annotations

import json

import pytest

from drawn import SCHEMA
from grown import more_landmarks
from napari_fashion.datasets.source import Source
from napari_fashion.engine.train.run_schema import choose_schema, extended
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema


def renamed(path, to, names, **changes):
    """Write a drawn data set whose categories have other names; return it as a source."""
    document = json.loads(path.read_text())
    for category in document["categories"]:
        category["name"] = names.get(category["name"], category["name"])
        category |= changes.get(category["name"], {})
    to.write_text(json.dumps(document))
    return Source(file=str(to), images=str(path.parent / "images"))


@pytest.fixture
def kilts(drawn, tmp_path):
    """The drawn trousers are called kilts, and nobody wears the capes."""
    return renamed(drawn, tmp_path / "kilts.json", {"Pants": "Kilt", "Dress": "Cape"})


def test_without_a_start_it_is_the_bundled_one(drawn):
    assert choose_schema(None, [Source(file=str(drawn))], None) == SCHEMA


def test_without_a_start_it_is_the_datas(kilts, drawn, tmp_path):
    assert {"Kilt", "Cape"} <= set(choose_schema(None, [kilts], None).category_names)
    document = json.loads(drawn.read_text())
    document["info"] = {"fashion": {"schema": "deepfashion"}}
    for category in document["categories"]:
        category["name"] = {"T-Shirt": "Tee", "Pants": "Jeans"}.get(category["name"], "Coat")
    noted = tmp_path / "noted.json"
    noted.write_text(json.dumps(document))
    assert choose_schema(None, [Source(file=str(noted))], None) == Schema.load("deepfashion")
    for category in document["categories"]:
        del category["keypoints"], category["skeleton"]
    del document["info"]
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps(document))
    assert choose_schema(None, [Source(file=str(bare))], None).landmarks == SCHEMA.landmarks


def test_the_starts_is_extended_by_the_categories_that_garments_have(kilts):
    schema = choose_schema(None, [kilts], SCHEMA)
    assert schema.category_names == (*SCHEMA.category_names, "Kilt")
    assert schema.landmarks == SCHEMA.landmarks
    assert schema.edges == SCHEMA.edges
    assert choose_schema(None, [kilts], schema) == schema  # it has them now


def test_a_named_schema_is_that_one(kilts, drawn, tmp_path):
    assert choose_schema("garments", [kilts], SCHEMA) == SCHEMA
    assert choose_schema("deepfashion", [kilts], SCHEMA) == Schema.load("deepfashion")
    names = choose_schema("from-data", [kilts], SCHEMA).category_names
    assert {"Kilt", "Cape"} <= set(names)
    assert "Pants" not in names
    both = choose_schema("from-data", [Source(file=str(drawn)), kilts], None).category_names
    assert set(both) == {*SCHEMA.category_names, "Kilt", "Cape"}


def test_what_a_map_says_a_category_stands_for_is_not_new(kilts, tmp_path):
    table = tmp_path / "map.toml"
    table.write_text('[categories]\n"Pants" = "Kilt"\n')
    mapped = kilts.model_copy(update={"categories": str(table)})
    assert choose_schema(None, [mapped], SCHEMA) == SCHEMA


def test_what_the_file_remembers_is_not_new(drawn, tmp_path):
    answers = {"Kilt": {"fashion": {"model_categories": ["Pants", "Shorts"]}}}
    source = renamed(drawn, tmp_path / "kilts.json", {"Pants": "Kilt"}, **answers)
    assert choose_schema(None, [source], SCHEMA) == SCHEMA


def test_categories_of_what_only_a_model_said_are_not_new(drawn, tmp_path):
    source = renamed(drawn, tmp_path / "kilts.json", {"Pants": "Kilt"})
    document = json.loads((tmp_path / "kilts.json").read_text())
    for annotation in document["annotations"]:
        annotation["fashion"] = {"source": "model:x", "score": 0.9}
    (tmp_path / "kilts.json").write_text(json.dumps(document))
    assert choose_schema(None, [source], SCHEMA) == SCHEMA
    pseudo = source.model_copy(update={"pseudo": True})
    assert "Kilt" in choose_schema(None, [pseudo], SCHEMA).category_names


def test_other_landmarks_bring_their_own_schema(drawn, tmp_path):
    path = more_landmarks(drawn, tmp_path / "more.json", 12)
    source = Source(file=str(path), images=str(drawn.parent / "images"))
    schema = choose_schema(None, [source], SCHEMA)
    assert schema.n_landmarks == 12
    assert set(SCHEMA.landmarks) < set(schema.landmarks)


def test_a_source_that_is_not_there_is_named():
    with pytest.raises(RecipeError, match="photos:nothing"):
        choose_schema(None, [Source(file="photos:nothing")], SCHEMA)


def test_body_types_are_taken_over_by_their_landmarks():
    other = Schema.from_dict(
        SCHEMA.to_dict()
        | {
            "body_types": {"top": [1, 2, 3, 4, 7, 8], "upper": [1, 2]},
            "categories": [
                {"name": "Poncho", "body_types": ["top"]},
                {"name": "Scarf", "body_types": ["upper"]},
            ],
        }
    )
    schema = extended(SCHEMA, other, ["Poncho", "Scarf", "Kilt", "Dress"])
    kinds = {c.name: c.body_types for c in schema.categories}
    members = {kind: set(schema.landmarks_of(kind)) for kind in schema.body_type_names}
    assert [members[kind] for kind in kinds["Poncho"]] == [{0, 1, 2, 3, 6, 7}]
    assert [members[kind] for kind in kinds["Scarf"]] == [{0, 1}]
    assert kinds["Scarf"] != ("upper",)  # the start's own has other landmarks
    assert set(kinds["Kilt"]) == set(SCHEMA.body_type_names)
    assert kinds["Dress"] == SCHEMA.categories[SCHEMA.category_index("Dress")].body_types


def test_a_category_that_is_spelled_otherwise_is_not_new(drawn, tmp_path):
    lower = renamed(drawn, tmp_path / "lower.json", {"Pants": "pants", "T-Shirt": "t shirt"})
    assert choose_schema(None, [lower], SCHEMA) == SCHEMA
    both = choose_schema("from-data", [Source(file=str(drawn)), lower], None)
    assert (
        both.category_names
        == choose_schema("from-data", [Source(file=str(drawn))], None).category_names
    )
