"""References by value: 1 and "1" name one record where that is unambiguous."""

from __future__ import annotations

import json

import pytest

from napari_fashion.coco import Dataset, columns, export, find_problems, statistics
from napari_fashion.coco.ids import other_form
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.merge import merge
from napari_fashion.editing.record_changes import known_to, unsaved_changes
from napari_fashion.schema import Schema

LANDMARKS = list(Schema.load("garments").landmarks)


def document(image_ids=(1, 2), named=("1", 2), category_id=1, named_category=1) -> dict:
    flat = [
        40,
        20,
        2,
        80,
        20,
        2,
        10,
        90,
        2,
        110,
        90,
        2,
        45,
        70,
        2,
        75,
        70,
        2,
        30,
        110,
        2,
        90,
        110,
        2,
    ]
    return {
        "images": [
            {"id": i, "file_name": f"{n}.png", "width": 120, "height": 120}
            for n, i in enumerate(image_ids)
        ],
        "annotations": [
            {"id": n, "image_id": i, "category_id": named_category, "keypoints": flat}
            for n, i in enumerate(named, start=10)
        ],
        "categories": [{"id": category_id, "name": "T-Shirt", "keypoints": LANDMARKS}],
    }


@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, "1"),
        ("1", 1),
        (-3, "-3"),
        (2.5, "2.5"),
        ("2.5", 2.5),
        (2.0, "2"),
        ("007", None),
        ("1e3", None),
        (" 1", None),
        ("nan", None),
        ("a", None),
        ("", None),
        (None, None),
        (True, None),
        ([1], None),
        ("9" * 50, None),
        (10**50, None),
    ],
)
def test_the_other_form_of_an_id(value, other):
    assert other_form(value) == other
    assert type(other_form(value)) is type(other)


@pytest.mark.parametrize(("image_id", "named"), [(1, "1"), ("1", 1)])
def test_text_and_number_are_one(image_id, named, tmp_path):
    dataset = Dataset.from_document(document([image_id], [named, named]))
    assert [g.id for g in dataset.garments_of(image_id)] == [10, 11]
    assert dataset.garment(10).image_id == image_id
    assert type(dataset.garment(10).image_id) is type(image_id)
    assert columns(dataset).annotation_image.tolist() == [0, 0]
    assert statistics(dataset).without_garments == 0
    found = find_problems(dataset)
    assert found.tally.counts == {"ids that are text in one place and numbers in another": 2}
    assert [g.id for g in dataset.subset([image_id]).garments] == [10, 11]
    export(dataset, tmp_path / "e.json")
    written = json.loads((tmp_path / "e.json").read_text())
    assert [a["image_id"] for a in written["annotations"]] == [named, named]


def test_where_both_forms_are_images_each_has_its_own():
    dataset = Dataset.from_document(document([1, "1"], ["1", 1, "1"]))
    assert [g.id for g in dataset.garments_of(1)] == [11]
    assert [g.id for g in dataset.garments_of("1")] == [10, 12]
    assert not find_problems(dataset)


def test_the_order_is_the_file_s():
    dataset = Dataset.from_document(document([1], ["1", 1, "1"]))
    assert [g.id for g in dataset.garments_of(1)] == [10, 11, 12]


def test_an_image_that_comes_or_goes_takes_its_own():
    dataset = Dataset.from_document(document([1], ["1", 1]))
    dataset.insert_record("images", {"id": "1", "file_name": "x.png", "width": 9, "height": 9})
    assert [g.id for g in dataset.garments_of("1")] == [10]
    assert [g.id for g in dataset.garments_of(1)] == [11]
    dataset.remove_record("images", "1")
    assert [g.id for g in dataset.garments_of(1)] == [10, 11]
    dataset.remove_record("annotations", 10)
    assert [g.id for g in dataset.garments_of(1)] == [11]


@pytest.mark.parametrize(("category_id", "named"), [(1, "1"), ("1", 1)])
def test_categories_too(category_id, named):
    dataset = Dataset.from_document(document(category_id=category_id, named_category=named))
    assert dataset.garment(10).category_name == "T-Shirt"
    assert dataset.garment(10).category_id == category_id
    assert statistics(dataset).categories == {"T-Shirt": 2}


def test_an_edit_leaves_the_reference_as_it_is():
    editor = Editor(Dataset.from_document(document()))
    edit = operations.move_landmarks(editor.dataset, 10, {0: (41, 21)})
    assert edit.image_id == 1
    editor.apply(edit)
    assert editor.dataset.to_document()["annotations"][0]["image_id"] == "1"
    editor.apply(operations.delete_garment(editor.dataset, 10))
    assert editor.dataset.garments_of(1) == []
    editor.undo()
    assert [g.id for g in editor.dataset.garments_of(1)] == [10]


def test_a_merge_finds_the_image_by_its_name():
    """The other program counted the images anew, from 5."""
    mine = Dataset.from_document(document())
    mine.set_value("annotations", 10, ("keypoints", 0), 41)
    theirs = document([6, 5], [5, 6])
    theirs["images"][0]["file_name"], theirs["images"][1]["file_name"] = "1.png", "0.png"
    other = Dataset.from_document(theirs)
    merged = merge(unsaved_changes(mine), other, known_to(mine))
    assert merged.conflicts == []
    for edit in merged.edits():
        assert edit.image_id == 5
        edit.apply(other)
    assert other.garment(10).image_id == 5
    assert other.garment(10).xy[0, 0] == 41
