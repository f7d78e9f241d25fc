from __future__ import annotations

import math
from pathlib import Path

import pytest

from napari_fashion.coco import Dataset, Problem, find_problems
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")


def test_a_sound_document_has_none(dataset):
    assert not find_problems(dataset)


@pytest.mark.parametrize(
    ("table", "i", "change", "text"),
    [
        (
            "annotations",
            1,
            {"image_id": "20"},
            "annotations[1].image_id: found '20', text; expected the image's id, the number 20; they "
            "are taken for the same.",
        ),
        (
            "annotations",
            1,
            {"image_id": 99},
            "annotations[1].image_id: found 99; expected the id of an image.",
        ),
        (
            "annotations",
            1,
            {"category_id": 99},
            "annotations[1].category_id: found 99; expected a category's id.",
        ),
        (
            "annotations",
            0,
            {"keypoints": [1, 2, 2]},
            "annotations[0].keypoints: found 3 numbers; expected 24: x, y, v for 8 landmarks.",
        ),
        (
            "annotations",
            0,
            {"keypoints": [1, 2, 3] * 8},
            "annotations[0].keypoints: found the visibility 3; expected 0, 1 or 2.",
        ),
        (
            "annotations",
            0,
            {"keypoints": [math.nan, 2, 2] * 8},
            "annotations[0].keypoints: found [nan, 2, 2, nan",
        ),
        (
            "annotations",
            0,
            {"keypoints": ["1", 2, 2] * 8},
            "annotations[0].keypoints: found ['1', 2, 2, '1'",
        ),
        (
            "annotations",
            0,
            {"keypoints": {"left": 1}},
            "annotations[0].keypoints: found {'left': 1}; expected a list of 24 numbers.",
        ),
        (
            "annotations",
            0,
            {"fashion": 3},
            "annotations[0].fashion: found 3; expected an object of ours; it is ignored.",
        ),
        ("images", 2, {"file_name": None}, "images[2].file_name: found nothing; expected a file's"),
        (
            "images",
            2,
            {"width": "70"},
            "images[2].width: found '70'; expected a number of pixels; it is read as 70.",
        ),
        ("images", 2, {"height": 0}, "images[2].height: found 0; expected a number of pixels."),
        (
            "categories",
            0,
            {"name": "Toga"},
            "categories[0].name: found 'Toga'; expected one of the categories of the schema "
            "'garments'.",
        ),
        (
            "categories",
            0,
            {"keypoints": ["a", "b"]},
            "categories[0].keypoints: found 2 landmarks ['a', 'b']; expected the 8 of the schema "
            "'garments'.",
        ),
        (
            "categories",
            1,
            {"skeleton": None},
            "categories[1].skeleton: found nothing; expected pairs of numbers from 1 to 8; it is",
        ),
        (
            "categories",
            1,
            {"skeleton": 7},
            "categories[1].skeleton: found 7; expected pairs of numbers from 1 to 8; it is read as",
        ),
        (
            "annotations",
            0,
            {"keypoints": [True, 2, 2, *[1, 2, 2] * 7]},
            "annotations[0].keypoints: found True among the numbers; expected a flat list of",
        ),
    ],
)
def test_each_finding_says_where_what_and_what_was_expected(doc, table, i, change, text):
    doc[table][i].update(change)
    found = list(map(str, find_problems(Dataset.from_document(doc, schema=GARMENTS))))
    assert len(found) == 1
    assert found[0].startswith(text)
    assert "; expected " in found[0]
    assert found[0].endswith(".")


def test_the_file_is_named():
    problem = Problem(Path("a.json"), "images[0].width", "0", "a number of pixels")
    assert str(problem) == "a.json, images[0].width: found 0; expected a number of pixels."


def test_boxes_crowds_and_masks_are_no_problem(doc):
    doc["annotations"] += [
        {"id": 90, "image_id": 10, "category_id": 9, "bbox": [0, 0, 5, 5]},
        {"id": 91, "image_id": 10, "category_id": 9, "segmentation": [[0, 0, 5, 0, 5, 5]]},
    ]
    assert not find_problems(Dataset.from_document(doc))
