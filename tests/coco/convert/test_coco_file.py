"""COCO-like files in the forms that other tools write, as clean ones."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from pycocotools.coco import COCO

from napari_fashion.coco import Dataset
from napari_fashion.coco.convert import ConvertOptions, Faults, convert
from napari_fashion.errors import CocoError, ConvertError
from napari_fashion.schema import Schema

NAMES = list(Schema.load("deepfashion").landmarks)


def document(keypoints, **annotation):
    return {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 60, "licence": 3}],
        "annotations": [
            {
                "id": 5,
                "image_id": 7,
                "category_id": 2,
                "bbox": [1, 2, 30, 40],
                "keypoints": keypoints,
            }
            | annotation
        ],
        "categories": [
            {"id": 2, "name": "Tee", "keypoints": ["left", "right", "tip"], "skeleton": [[1, 3]]}
        ],
        "licenses": [{"id": 3, "name": "CC0"}],
    }


def clean(tmp_path, data, **options):
    (tmp_path / "theirs.json").write_text(json.dumps(data))
    faults = Faults()
    written = convert("coco", tmp_path / "theirs.json", tmp_path / "out", ConvertOptions(**options),
                      faults=faults, overwrite=True)  # fmt: skip
    assert [w.path.name for w in written] == ["theirs.json"]
    return json.loads((tmp_path / "out" / "theirs.json").read_text()), faults


@pytest.mark.parametrize(
    ("keypoints", "expected"),
    [
        ([1, 2, 2, 3, 4, 1, 9, 9, 0], [1, 2, 2, 3, 4, 1, 0, 0, 0]),
        (["1", "2.5", "2", "3", "4", "1", "0", "0", "0"], [1, 2.5, 2, 3, 4, 1, 0, 0, 0]),
        ([1, 2, 3, 4, 0, 0], [1, 2, 2, 3, 4, 2, 0, 0, 0]),
        ([[1, 2, 2], [3, 4, 1], [0, 0, 0]], [1, 2, 2, 3, 4, 1, 0, 0, 0]),
        ([[1, 2], [3, 4], [5.5, 6]], [1, 2, 2, 3, 4, 2, 5.5, 6, 2]),
        ([1, 2, 2, 3, 4, 1.0, None, None, 0], [1, 2, 2, 3, 4, 1, 0, 0, 0]),
    ],
)
def test_every_form_of_keypoints_becomes_triplets(tmp_path, keypoints, expected):
    found, faults = clean(tmp_path, document(keypoints))
    assert not faults
    (annotation,) = found["annotations"]
    assert annotation["keypoints"] == expected
    assert [type(v) for v in annotation["keypoints"][2::3]] == [int] * 3
    assert annotation["num_keypoints"] == sum(v > 0 for v in expected[2::3])


@pytest.mark.parametrize(
    ("keypoints", "expected", "told"),
    [
        ([1, 2, 7, 3, 4, 1, 0, 0, 0], [1, 2, 2, 3, 4, 1, 0, 0, 0],
         ["landmarks of visibility 2, whose visibility makes no sense: theirs.json, annotation 5, "
          "landmark 1: found visibility 7; expected 0, 1 or 2."]),
        ([1, 2, 0.4, 3, 4, 1, 0, 0, 0], [0, 0, 0, 3, 4, 1, 0, 0, 0],
         ["landmarks that are not labelled, whose visibility makes no sense: theirs.json, annotation 5, "
          "landmark 1: found visibility 0.4; expected 0, 1 or 2."]),
        ([1, 2, 2, 3, 4, 1, float("nan"), 9, 2], [1, 2, 2, 3, 4, 1, 0, 0, 0],
         ["landmarks that are not labelled: their place makes no sense: theirs.json, annotation 5, "
          "landmark 3: found x nan, y 9; expected finite numbers."]),
        ([], [0] * 9,
         ["garments kept without a landmark: no keypoints: theirs.json, annotation 5: found none; "
          "expected 9 numbers, x, y and visibility of 3 landmarks."]),
        (None, [0] * 9,
         ["garments kept without a landmark: no keypoints: theirs.json, annotation 5: found none; "
          "expected 9 numbers, x, y and visibility of 3 landmarks."]),
    ],
)  # fmt: skip
def test_landmarks_whose_numbers_change_are_told(tmp_path, keypoints, expected, told):
    found, faults = clean(tmp_path, document(keypoints))
    assert found["annotations"][0]["keypoints"] == expected
    assert list(faults.tally.lines()) == told


def test_other_values_that_change_are_told(tmp_path):
    Image.new("L", (33, 44)).save(tmp_path / "a.jpg")
    data = document([1, 2, 2, 5, 9, 1, 0, 0, 0], iscrowd=2, area=-3, bbox=[1, 2, 0, 4])
    data["images"][0]["width"] = 0
    found, faults = clean(tmp_path, data)
    annotation, image = found["annotations"][0], found["images"][0]
    assert (annotation["iscrowd"], annotation["area"]) == (1, 28)
    assert annotation["bbox"] == [1, 2, 4, 7]
    assert (image["width"], image["height"]) == (33, 44)
    assert sorted(faults.tally.lines()) == [
        "garments with iscrowd 1 in place of what makes no sense: theirs.json, annotation 5: found "
        "iscrowd 2; expected 0 or 1.",
        "garments with the area of their box: theirs.json, annotation 5: found area -3; expected a "
        "number of pixels.",
        "garments with the box of their landmarks: theirs.json, annotation 5: found [1, 2, 0, 4], "
        "without an area; expected x, y, width and height, four finite numbers with an area.",
        "images with the width and height of the file, not of the record: theirs.json, image 7: found "
        "width 0 and height 60; expected whole numbers above 0.",
    ]


@pytest.mark.parametrize(
    "keypoints",
    [[1, 2, 2], "1 2 2", {"left": [1, 2, 2]}, [[1, 2], [1, 2, 2], [3, 4]], [1] * 12, [[[1]]] * 3],
)
def test_keypoints_that_mean_nothing_are_told_and_left_out(tmp_path, keypoints):
    found, faults = clean(tmp_path, document(keypoints))
    assert found["annotations"] == []
    (line,) = faults.tally.lines()
    assert "theirs.json, annotation 5: found" in line
    assert "expected 9 numbers, x, y and visibility of 3 landmarks" in line


def test_all_else_is_kept(tmp_path):
    data = document([1, 2, 2] * 3, area=77.5, segmentation=[[1, 1, 5, 1, 5, 5]], occluded=True,
                    fashion={"source": "model:x", "score": 0.5})  # fmt: skip
    data["info"] = {"year": 2026, "fashion": {"image_root": "."}}
    data["more"] = [1, 2]
    found, faults = clean(tmp_path, data)
    assert not faults
    (image,), (annotation,), (category,) = (
        found[k] for k in ("images", "annotations", "categories")
    )
    assert (image["id"], image["licence"]) == (7, 3)
    assert (annotation["id"], annotation["image_id"], annotation["category_id"]) == (5, 7, 2)
    assert annotation["area"] == 77.5
    assert annotation["segmentation"] == [[1, 1, 5, 1, 5, 5]]
    assert annotation["occluded"] is True
    assert annotation["fashion"] == {"source": "model:x", "score": 0.5}
    assert category["keypoints"] == ["left", "right", "tip"]
    assert category["skeleton"] == [[1, 3]]
    assert (found["info"]["year"], found["licenses"], found["more"]) == (
        2026,
        [{"id": 3, "name": "CC0"}],
        [1, 2],
    )
    assert found["info"]["fashion"]["image_root"] == ".."


def test_text_becomes_numbers(tmp_path):
    data = document(["1", "2", "2"] * 3, bbox=["1", "2", "30", "40.5"], area="9", iscrowd="0")
    data["images"][0] |= {"width": "40", "height": 60.0}
    found, _ = clean(tmp_path, data)
    (annotation,) = found["annotations"]
    assert annotation["bbox"] == [1, 2, 30, 40.5]
    assert (annotation["area"], annotation["iscrowd"]) == (9, 0)
    assert (found["images"][0]["width"], found["images"][0]["height"]) == (40, 60)


def test_ids_of_text_are_numbered_anew(tmp_path):
    data = document([1, 2, 2] * 3)
    data["images"][0]["id"] = data["annotations"][0]["image_id"] = "a"
    data["annotations"][0]["id"] = "first"
    data["categories"][0]["id"] = data["annotations"][0]["category_id"] = "tee"
    found, faults = clean(tmp_path, data)
    assert not faults
    (annotation,) = found["annotations"]
    assert (annotation["id"], annotation["image_id"], annotation["category_id"]) == (1, 1, 1)
    assert (found["images"][0]["id"], found["categories"][0]["id"]) == (1, 1)
    assert COCO(tmp_path / "out" / "theirs.json").anns[1]["keypoints"][:3] == [1, 2, 2]


def test_a_box_that_is_missing_is_that_of_the_landmarks(tmp_path):
    data = document([1, 2, 2, 5, 9, 1, 0, 0, 0])
    del data["annotations"][0]["bbox"]
    found, faults = clean(tmp_path, data)
    assert found["annotations"][0]["bbox"] == [1, 2, 4, 7]
    assert faults.notes == ["theirs.json: boxes that were missing, made of the landmarks: 1"]


def test_sizes_that_are_missing_are_read_from_the_images(tmp_path):
    data = document([1, 2, 2] * 3)
    del data["images"][0]["width"]
    Image.new("L", (33, 44)).save(tmp_path / "a.jpg")
    data["images"].append({"id": 8, "file_name": "gone.jpg"})
    found, faults = clean(tmp_path, data)
    (image,) = found["images"]
    assert (image["width"], image["height"]) == (33, 44)
    (line,) = faults.tally.lines()
    assert line.startswith("images left out: cannot be read: theirs.json, image 8: ")


def test_a_file_that_names_no_landmarks_takes_a_schema(tmp_path):
    data = document([1, 2, 2] * 8)
    del data["categories"][0]["keypoints"]
    with pytest.raises(CocoError, match="keypoints"):
        clean(tmp_path, data)
    found, faults = clean(tmp_path, data, schema="deepfashion")
    assert not faults
    assert found["categories"][0]["keypoints"] == NAMES
    assert Dataset.load(tmp_path / "out" / "theirs.json").schema == Schema.load("deepfashion")


def test_annotations_of_nothing_are_told(tmp_path):
    data = document([1, 2, 2] * 3)
    data["annotations"] += [
        {"id": 6, "image_id": 99, "category_id": 2},
        {"id": 8, "image_id": 7, "category_id": 9},
    ]
    found, faults = clean(tmp_path, data)
    assert len(found["annotations"]) == 1
    lines = list(faults.tally.lines())
    assert any(
        "annotation 6: found image_id 99; expected the id of an image" in line for line in lines
    )
    assert any(
        "annotation 8: found category_id 9; expected the id of a category" in line for line in lines
    )


def test_a_folder_of_files_is_converted_whole_and_an_empty_one_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(document([1, 2, 2] * 3)))
    written = convert("coco", tmp_path, tmp_path / "out")
    assert [w.path.name for w in written] == ["a.json", "b.json"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConvertError, match="expected a COCO keypoint file"):
        convert("coco", tmp_path / "empty", tmp_path / "out")
