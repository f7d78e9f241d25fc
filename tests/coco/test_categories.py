"""Which of the file's categories a model's become: one rule, and an answer that is remembered."""

from __future__ import annotations

import pytest

from napari_fashion.coco import Dataset, categories
from napari_fashion.coco.categories import (
    FOREIGN,
    UNCLEAR,
    CategoryAnswer,
    CategoryRule,
    read_category_map,
)
from napari_fashion.editing import operations
from napari_fashion.errors import EditError, FashionError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

MODEL = Schema.load("garments")
BLOUSE, DRESS, SHIRT = (MODEL.category_index(n) for n in ("Blouse", "Dress", "Shirt"))


def dataset(*names: str, points: bool = True, **more) -> Dataset:
    keypoints = {"keypoints": list(MODEL.landmarks)} if points else {}
    return Dataset.from_document(
        {
            "images": [{"id": 1, "file_name": "1.png", "width": 9, "height": 9}],
            "annotations": [],
            "categories": [
                {"id": 10 + i, "name": name, **keypoints, **more} for i, name in enumerate(names)
            ],
        },
        fallback=MODEL,
    )


def reopened(data: Dataset) -> Dataset:
    return Dataset.from_document(data.to_document(), fallback=MODEL)


@pytest.mark.parametrize("name", ["clothing", "Shirt"])
@pytest.mark.parametrize("points", [True, False])
def test_one_category_is_given_to_every_garment(name, points) -> None:
    rule = CategoryRule.of(dataset(name, points=points), MODEL)
    assert {rule.id_of(i) for i in range(-1, len(MODEL.categories))} == {10}
    assert (rule.unknown, rule.left_out, rule.new) == ([], [], [])


def test_two_of_one_name_are_one_category_the_one_with_keypoints() -> None:
    document = dataset("T-Shirt").to_document()
    document["categories"].insert(0, {"id": 0, "name": "T-Shirt", "supercategory": "none"})
    rule = CategoryRule.of(Dataset.from_document(document), MODEL)
    assert {rule.id_of(i) for i in range(len(MODEL.categories))} == {10}


def test_the_heading_of_the_others_is_no_category() -> None:
    """Roboflow writes the project as category 0."""
    document = dataset("clothing", supercategory="wardrobe").to_document()
    document["categories"].insert(0, {"id": 0, "name": "wardrobe", "supercategory": "none"})
    rule = CategoryRule.of(Dataset.from_document(document), MODEL)
    assert {rule.id_of(i) for i in range(len(MODEL.categories))} == {10}


def test_else_by_name_and_never_a_guess() -> None:
    rule = CategoryRule.of(dataset("Shirt", "Dress"), MODEL)
    assert (rule.id_of(SHIRT), rule.id_of(DRESS)) == (10, 11)
    assert rule.id_of(BLOUSE) is None
    assert rule.id_of(-1) is None
    assert rule.unknown == [n for n in MODEL.category_names if n not in ("Shirt", "Dress")]
    assert rule.left_out == []


def test_a_file_that_only_lists_images_takes_the_models() -> None:
    rule = CategoryRule.of(dataset(), MODEL)
    assert [rule.id_of(i) for i in range(len(MODEL.categories))] == list(
        range(1, len(MODEL.categories) + 1)
    )
    assert [r["name"] for r in rule.new] == list(MODEL.category_names)
    assert rule.unknown == []


def test_the_answers() -> None:
    data = dataset("Shirt", "Dress")
    skip = CategoryRule.of(data, MODEL, CategoryAnswer("skip"))
    assert (skip.unknown, len(skip.left_out)) == ([], len(MODEL.categories) - 2)
    add = CategoryRule.of(data, MODEL, CategoryAnswer("add"))
    assert add.unknown == add.left_out == []
    assert len({add.id_of(i) for i in range(len(MODEL.categories))}) == len(MODEL.categories)
    assert {r["id"]: r["name"] for r in add.new}[add.id_of(BLOUSE)] == "Blouse"
    mapped = CategoryRule.of(data, MODEL, CategoryAnswer("skip", {"Blouse": "Shirt", "Dress": ""}))
    assert (mapped.id_of(BLOUSE), mapped.id_of(DRESS)) == (10, None)
    assert "Dress" in mapped.left_out


@pytest.mark.parametrize(
    "answer",
    [
        CategoryAnswer("skip"),
        CategoryAnswer("add"),
        CategoryAnswer("ask", {"Blouse": "Shirt", "Dress": ""}),
        CategoryAnswer("skip", {"Blouse": "Dress", "Shirt": "Dress"}),
        CategoryAnswer("add", {"Blouse": "Dress"}),
        CategoryAnswer("skip", {"Blouse": ("Shirt", "Dress")}),
        CategoryAnswer("skip", {"Blouse": ("Dress", "Shirt"), "Skirt": ("Dress",), "Shirt": ""}),
    ],
    ids=repr,
)
def test_an_answer_is_remembered_in_the_file(answer) -> None:
    data = dataset("Shirt", "Dress")
    before = data.to_document()
    given = CategoryRule.of(data, MODEL, answer)
    edit = operations.remember_categories(data, MODEL, answer)
    assert edit is not None
    assert edit.image_id == 1
    edit.apply(data)
    for again in (data, reopened(data)):
        rule = CategoryRule.of(again, MODEL)
        assert rule.ids == given.ids
        assert rule.unknown == given.unknown
        assert sorted(rule.left_out) == sorted(given.left_out)
        assert rule.new == []
        assert [rule.index_of(key) for key in (10, 11)] == [given.index_of(key) for key in (10, 11)]
        assert operations.remember_categories(again, MODEL, answer) is None
    edit.inverse().apply(data)
    assert data.to_document() == before


def test_a_later_answer_goes_before_an_earlier_one() -> None:
    data = dataset("Shirt", "Dress")
    for names in ({"Blouse": "Shirt", "Skirt": ""}, {"Blouse": "Dress", "Skirt": "Dress"}):
        operations.remember_categories(data, MODEL, CategoryAnswer("ask", names)).apply(data)
    rule = CategoryRule.of(data, MODEL)
    assert rule.id_of(BLOUSE) == rule.id_of(MODEL.category_index("Skirt")) == 11
    operations.remember_categories(data, MODEL, CategoryAnswer("ask", {"Blouse": ""})).apply(data)
    assert CategoryRule.of(data, MODEL).left_out == ["Blouse"]


def test_categories_that_were_added_are_the_data_sets_at_once() -> None:
    data = dataset("Shirt", "Dress")
    own = data.schema
    edit = operations.remember_categories(data, MODEL, CategoryAnswer("add"))
    edit.apply(data)
    assert set(data.schema.category_names) == set(MODEL.category_names)
    added = data.schema.categories[data.schema.category_index("Blouse")]
    assert added == MODEL.categories[BLOUSE]
    edit.inverse().apply(data)
    assert data.schema == own


def test_categories_that_were_added_stay_where_the_file_names_a_schema() -> None:
    document = dataset("Shirt", "Dress").to_document()
    few = MODEL.with_categories(c for c in MODEL.categories if c.name in ("Shirt", "Dress"))
    document["info"] = {"fashion": {"schema": few.to_note()}}
    data = Dataset.from_document(document)
    assert data.schema == few
    operations.remember_categories(data, MODEL, CategoryAnswer("add")).apply(data)
    assert reopened(data).schema == data.schema
    assert set(data.schema.category_names) == set(MODEL.category_names)


def test_what_another_tool_keeps_there_is_left_alone() -> None:
    data = dataset("Shirt", "Dress", fashion={"left_out": {"a": 1}})
    assert CategoryRule.of(data, MODEL).left_out == []
    with pytest.raises(EditError, match="expected a list of names"):
        operations.remember_categories(data, MODEL, CategoryAnswer("skip"))


def test_names_that_nobody_has() -> None:
    data = dataset("Shirt", "Dress")
    with pytest.raises(FashionError, match=r"'Blous', which is none of the model's .*'Blouse'"):
        CategoryRule.of(data, MODEL, CategoryAnswer("ask", {"Blous": "Shirt"}))
    with pytest.raises(FashionError, match=r"'Shirts', which is none of the .*'Shirt'.*expected"):
        CategoryRule.of(data, MODEL, CategoryAnswer("ask", {"Blouse": "Shirts"}))


def test_the_models_category_of_the_files() -> None:
    data = dataset("Shirt", "Dress", "Toga", "Tunic")
    answer = CategoryAnswer("ask", {"Blouse": "Toga", "Skirt": "Tunic", "Shorts": "Tunic"})
    rule = CategoryRule.of(data, MODEL, answer)
    assert [rule.index_of(key) for key in (10, 11, 12)] == [SHIRT, DRESS, BLOUSE]
    assert rule.index_of(13) == UNCLEAR  # it stands for two
    assert rule.index_of(99) == UNCLEAR  # nothing is recorded
    assert CategoryRule.of(data, MODEL).index_of(12) == FOREIGN


def test_a_map_of_categories(tmp_path) -> None:
    path = tmp_path / "map.toml"
    path.write_bytes(b'\xef\xbb\xbf[categories]\n"Blouse" = "Shirt"\nSkirt = ""\n')
    assert read_category_map(path) == CategoryAnswer("ask", {"Blouse": "Shirt", "Skirt": ""})
    path.write_text('[categories]\nOutwear = ["coat", "cape"]\nTop = ["vest"]\n')
    names = {"Outwear": ("coat", "cape"), "Top": ("vest",)}
    assert read_category_map(path) == CategoryAnswer("ask", names)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", r"found no \[categories\]; expected one table"),
        ("categories = 3", r"found no \[categories\]"),
        ("[categories]\n[more]\n", "found the keys 'more'; expected one table"),
        ("[categories]\nBlouse = 3\n", r"categories.Blouse: found 3; expected the name"),
        ("[categories]\nBlouse = []\n", r"categories.Blouse: found \[\]; .* a list of such names"),
        ('[categories]\nBlouse = ["a", ""]\n', r"categories.Blouse: found \['a', ''\]; expected"),
        ('[categories]\nBlouse = ["a", 3]\n', r"categories.Blouse: found \['a', 3\]; expected"),
        ("[categories", "not valid TOML"),
        ("\x00", "there is a null character; expected a map of categories"),
    ],
)
def test_a_map_that_is_none(tmp_path, text, words) -> None:
    path = tmp_path / "map.toml"
    path.write_text(text)
    with pytest.raises(FashionError, match=words):
        read_category_map(path)
    with pytest.raises(FashionError):
        read_category_map(tmp_path / "none.toml")


def test_several_of_the_files_stand_for_one_of_the_models() -> None:
    data = dataset("coat", "cape", "jacket", "Dress")
    outwear = MODEL.category_index("Outwear")
    answer = CategoryAnswer("skip", {"Outwear": ("jacket", "coat", "cape")})
    rule = CategoryRule.of(data, MODEL, answer)
    assert rule.id_of(outwear) == 12  # what predicted garments get: the first
    assert [rule.index_of(key) for key in (10, 11, 12, 13)] == [outwear] * 3 + [DRESS]
    both = CategoryAnswer("skip", {"Outwear": ("coat", "cape"), "Top": ("cape",)})
    assert CategoryRule.of(data, MODEL, both).index_of(11) == UNCLEAR
    with pytest.raises(FashionError, match=r"'Outwear' = 'cap', which is none of the .*'cape'"):
        CategoryRule.of(data, MODEL, CategoryAnswer("skip", {"Outwear": ("coat", "cap")}))


def test_a_later_answer_of_several_names_takes_the_place_of_an_earlier_one() -> None:
    data = dataset("coat", "cape", "jacket")
    outwear = MODEL.category_index("Outwear")
    for names in (("jacket", "cape"), ("cape", "coat")):
        edit = operations.remember_categories(
            data, MODEL, CategoryAnswer("ask", {"Outwear": names})
        )
        edit.apply(data)
    rule = CategoryRule.of(reopened(data), MODEL)
    assert rule.id_of(outwear) == 11
    assert [rule.index_of(key) for key in (10, 11, 12)] == [outwear, outwear, FOREIGN]


def test_a_name_that_is_spelled_otherwise_is_the_same() -> None:
    data = dataset("shirt", "dress", "t_shirt", "BLOUSE", "blouse")
    rule = CategoryRule.of(data, MODEL)
    assert (rule.id_of(SHIRT), rule.id_of(DRESS)) == (10, 11)
    assert rule.id_of(MODEL.category_index("T-Shirt")) == 12
    assert rule.id_of(BLOUSE) is None  # which of the two is not clear
    assert "Blouse" in rule.unknown
    found = [rule.index_of(10 + i) for i in range(5)]
    assert found == [SHIRT, DRESS, MODEL.category_index("T-Shirt"), FOREIGN, FOREIGN]
    tally = Tally()
    rule.count_spelled(tally, "a.json")
    assert tally.counts == {categories.SPELLED: 3}
    assert "a.json: 'shirt' is the model's 'Shirt'" in tally.examples[categories.SPELLED]


def test_the_very_name_and_an_answer_go_before_another_spelling() -> None:
    exact = CategoryRule.of(dataset("shirt", "Shirt", "Dress"), MODEL)
    assert exact.id_of(SHIRT) == 11
    assert [exact.index_of(10), exact.index_of(11)] == [FOREIGN, SHIRT]
    assert exact.spelled == {}
    answer = CategoryAnswer("skip", {"Shirt": "Dress", "Blouse": "shirt"})
    mapped = CategoryRule.of(dataset("shirt", "Dress"), MODEL, answer)
    assert (mapped.id_of(SHIRT), mapped.id_of(BLOUSE)) == (11, 10)
    assert mapped.index_of(10) == BLOUSE
