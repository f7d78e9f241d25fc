from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_fashion.coco import Dataset, Problem, columns, find_problems
from napari_fashion.errors import FashionError
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
            "categories[0].keypoints: found 2 landmarks (a, b); expected the 8 of the schema "
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


# -- kinds and counts ----------------------------------------------------------------------------


def kinds(document, **options) -> dict[str, int]:
    return find_problems(Dataset.from_document(document, **options)).tally.counts


def shirt(annotation_id: int, **changes) -> dict:
    xy = [(40, 20), (80, 20), (10, 90), (110, 90), (45, 70), (75, 70), (30, 110), (90, 110)]
    return {
        "id": annotation_id,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": [v for x, y in xy for v in (x, y, 2)],
        "num_keypoints": 8,
        "bbox": [10, 20, 100, 90],
        "area": 9000,
        **changes,
    }


def one(annotation=None, image=None, n: int = 1) -> dict:
    return {
        "images": [{"id": 1, "file_name": "1.png", "width": 120, "height": 120, **(image or {})}],
        "annotations": [shirt(i, **(annotation or {})) for i in range(n)],
        "categories": [{"id": 1, "name": "T-Shirt", "keypoints": list(GARMENTS.landmarks)}],
    }


def moved(x: float, y: float, scale: float = 1.0) -> list[float]:
    flat = shirt(1)["keypoints"]
    return [v if i % 3 == 2 else v * scale + (x if i % 3 == 0 else y) for i, v in enumerate(flat)]


@pytest.mark.parametrize(
    ("annotation", "kind", "text"),
    [
        (
            {"keypoints": moved(1000, 0)},
            "landmarks far outside their image",
            "8 of 8 landmarks far outside, such as (1040, 20); expected places in the image of "
            "120 x 120 pixels",
        ),
        (
            {"keypoints": moved(0, 0, 1 / 120)},
            "landmarks that all lie in 0..1",
            "8 landmarks whose",
        ),
        ({"keypoints": [1e308, -1e308, 2, *moved(0, 0)[3:]]}, "landmarks far outside", "1 of 8"),
        (
            {"keypoints": [10**400, 1, 2, *moved(0, 0)[3:]]},
            "landmarks that are no finite numbers",
            "expected finite numbers",
        ),
        ({"num_keypoints": 3}, "counts of landmarks", "found 3; expected 8"),
        ({"num_keypoints": "8"}, "counts of landmarks", "found '8'; expected 8"),
        ({"bbox": [math.nan] * 4}, "boxes that are no four finite numbers", "counts as no box"),
        ({"bbox": "10 20 100 90"}, "boxes that are no four finite numbers", "'10 20 100 90'"),
        ({"bbox": [1, 2, 3]}, "boxes that are no four finite numbers", "[1, 2, 3]"),
        ({"bbox": ["10", 20, 100, 90]}, "boxes of text", "they are read as such"),
        ({"bbox": [10, 20, -100, 90]}, "boxes without an area", "a width and a height above 0"),
        ({"bbox": [10, 20, 0, 90]}, "boxes without an area", "a width and a height above 0"),
        ({"bbox": [1e300, 20, 5, 90]}, "boxes far outside their image", "120 x 120"),
        ({"iscrowd": "0"}, "flags that are neither 0 nor 1", "iscrowd: found '0'; expected 0 or 1"),
        ({"iscrowd": 2}, "flags that are neither 0 nor 1", "found 2"),
        ({"category_id": "1"}, "ids that are text in one place", "the number 1; they are taken"),
    ],
)
def test_what_is_odd_about_a_garment(annotation, kind, text):
    found = find_problems(Dataset.from_document(one(annotation, n=50)))
    assert [name.startswith(kind) for name in found.tally.counts] == [True]
    assert len(found) == 50
    assert len(list(found)) == 3
    assert text in str(next(iter(found)))
    assert next(iter(found)).place.startswith("annotations[0].")
    assert text in str(found)
    assert "  ... and 47 more" in list(found.lines())


@pytest.mark.parametrize(
    "annotation",
    [
        {"keypoints": moved(-60, 0)},  # a sleeve goes on beyond the image
        {"bbox": [], "iscrowd": False},
        {"bbox": None},
        {"keypoints": [0] * 24, "num_keypoints": 0, "bbox": [0, 0, 0, 0], "area": 0},
        {"keypoints": [40, 20, 2, *[0] * 21], "num_keypoints": 1, "bbox": [40, 20, 0, 0]},
    ],
)
def test_what_is_no_problem(annotation):
    assert kinds(one(annotation)) == {}


def test_what_is_odd_about_images():
    document = one(image={"fashion": {"reviewed": "yes"}})
    document["images"] += [
        {"id": i, "file_name": "a.png", "width": 120.0, "height": 120} for i in (2, 3)
    ]
    document["images"] += [{"id": 4, "width": 120, "height": True}]
    dataset = Dataset.from_document(document)
    found = find_problems(dataset)
    assert found.tally.counts == {
        "flags that are neither 0 nor 1": 1,
        "sizes that are no whole numbers": 3,
        "images without a file's name": 1,
        "files under several ids": 1,
    }
    assert "images[2].file_name: found 'a.png', which images[1] has too" in str(found)
    assert "images[1].width: found 120.0; expected a number of pixels; it is read as 120" in str(
        found
    )
    assert not dataset.image(1).reviewed  # nobody said true


def test_categories_of_one_name_say_which_is_used():
    document = one()
    document["categories"].insert(0, {"id": 0, "name": "T-Shirt", "supercategory": "none"})
    dataset = Dataset.from_document(document)
    assert kinds(document) == {"categories of one name": 1}
    assert "categories[1] is given to garments" in str(find_problems(dataset))
    assert dataset.category_id(dataset.category_index(1)) == 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**4000), 1e308, -0.0, math.nan, math.inf, -math.inf])
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=26) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_value_of_any_field_ends_the_search(data):
    document = one()
    document["images"].append({"id": "x", "file_name": "2.png", "width": 5, "height": 5})
    for table, fields in FIELDS.items():
        for record in document[table]:
            for field in data.draw(st.lists(st.sampled_from(fields), max_size=3)):
                record[field] = data.draw(JSON)
    try:
        dataset = Dataset.from_document(document)
    except FashionError:  # said at the door
        return
    found = find_problems(dataset)
    assert all(len(str(problem)) < 1000 for problem in found)
    assert len(str(found)) < 20_000
    columns(dataset)
    for garment in dataset.garments:
        assert np.isfinite(garment.xy).all()
        _ = (garment.is_crowd, garment.bbox, garment.category_name, garment.image_id)
    for image in dataset.images:
        _ = (image.known_size, image.reviewed, image.garments, image.rejected)


FIELDS = {
    "images": ["file_name", "width", "height", "fashion", "x"],
    "annotations": [
        "image_id",
        "category_id",
        "iscrowd",
        "keypoints",
        "num_keypoints",
        "bbox",
        "area",
        "fashion",
        "segmentation",
    ],
    "categories": ["name", "skeleton", "supercategory", "fashion"],
}
