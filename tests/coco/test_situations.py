"""Situations that people met with files of this kind, as small inputs; each stands for its kind."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_fashion.app.viewer import layer_data
from napari_fashion.coco import Dataset, find_problems, views
from napari_fashion.coco.problems import missing_images
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import EditError
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")
XY = [(40, 20), (80, 20), (10, 90), (110, 90), (45, 70), (75, 70), (30, 110), (90, 110)]
FLAT = [v for x, y in XY for v in (x, y, 2)]


def document(**changes: Any) -> dict[str, Any]:
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": FLAT, "bbox": [0, 0, 9, 9]}
    category = {"id": 1, "name": "Shirt", "keypoints": list(GARMENTS.landmarks)}
    return {
        "images": [{"id": 1, "file_name": "1.png", "width": 120, "height": 120}],
        "annotations": [{**annotation, **changes.pop("annotation", {})}],
        "categories": [{**category, **changes.pop("category", {})}],
        **changes,
    }


STRANGE = {
    "x, y pairs": [v for place in XY for v in place],
    "numbers as text": [str(v) for v in FLAT],
    "nested triplets": [[x, y, 2] for x, y in XY],
    "an object": {"left": [1, 2]},
    "text": "40,20,2",
    "nulls": [None, None, 0] * 8,
    "a number missing": FLAT[:-1],
    "truths": [True, *FLAT[1:]],
}


@pytest.mark.parametrize("form", STRANGE)
def test_keypoints_of_another_form_open_are_named_and_are_not_edited(form):
    dataset = Dataset.from_document(document(annotation={"keypoints": STRANGE[form]}))
    before = b"".join(dataset.chunks())
    assert {p.place for p in find_problems(dataset)} == {"annotations[0].keypoints"}
    editor = Editor(dataset)
    with pytest.raises(EditError, match=r"keypoints of garment 1 are .*; expected 24 numbers"):
        editor.apply(operations.place_landmark(dataset, 1, 2, (12.0, 88.0)))
    assert b"".join(dataset.chunks()) == before


@pytest.mark.parametrize(
    ("value", "crowd"),
    [
        (0, False),
        (1, True),
        ("0", False),
        ("1", True),
        ("false", False),
        (None, False),
        (0.0, False),
    ],
)
def test_a_flag_is_read_by_its_value(value, crowd):
    dataset = Dataset.from_document(document(annotation={"iscrowd": value}))
    assert dataset.garment(1).is_crowd is crowd


def test_of_two_categories_of_one_name_the_one_with_keypoints_is_meant():
    base = document()
    box = {"id": 0, "name": "Shirt", "supercategory": "none"}
    dataset = Dataset.from_document({**base, "categories": [box, *base["categories"]]})
    assert dataset.category_id(dataset.schema.category_index("Shirt")) == 1


@pytest.mark.parametrize("skeleton", [None, "all", [[0, 1], [1, 2]], [[1, 99]]])
def test_a_skeleton_never_decides_whether_a_file_opens(skeleton):
    names = ["a", "b", "c"]
    category = {"name": "cloth", "keypoints": names, "skeleton": skeleton}
    annotation = {"keypoints": [1, 2, 2] * 3}
    dataset = Dataset.from_document(document(category=category, annotation=annotation))
    assert dataset.schema.n_landmarks == 3
    assert [p.place for p in find_problems(dataset)] == ["categories[0].skeleton"]


@pytest.mark.parametrize(
    "box", [[float("nan"), 0, 1, 1], ["1", "2", "x", "4"], [1, 2], None, "box"]
)
def test_a_box_that_is_no_box_is_none(box):
    assert Dataset.from_document(document(annotation={"bbox": box})).garment(1).bbox is None


@pytest.mark.parametrize("info", ["spytensor created", ["a"], 3])
def test_the_images_are_found_where_info_is_no_object(tmp_path, info):
    (tmp_path / "data").mkdir()
    Image.new("RGB", (120, 120)).save(tmp_path / "data" / "1.png")
    (tmp_path / "data" / "a.json").write_text(json.dumps(document(info=info)))
    target = tmp_path / "out" / "deep" / "s.json"
    Editor(Dataset.load(tmp_path / "data" / "a.json")).save(target)
    again = Dataset.load(target)
    assert missing_images(again) == []
    assert again.to_document()["info"] == info
    again.save(tmp_path / "further" / "t.json")
    assert missing_images(Dataset.load(tmp_path / "further" / "t.json")) == []


def test_a_garment_of_294_landmarks_is_parsed_once_a_drawing(monkeypatch):
    names = [f"p{i}" for i in range(294)]
    dataset = Dataset.from_document(
        document(category={"keypoints": names}, annotation={"keypoints": [1, 2, 2] * 294})
    )
    calls = []
    parse = views.parse_keypoints
    monkeypatch.setattr(views, "parse_keypoints", lambda *a: (calls.append(1), parse(*a))[1])
    for _ in range(3):
        layer_data.landmarks(dataset.garments_of(1), dataset.schema)
    assert len(calls) == 1


@pytest.mark.parametrize("size", [(120.0, 120.0), ("120", "120")])
def test_sizes_are_read_by_their_value(size):
    base = document()
    base["images"][0] |= dict(zip(("width", "height"), size, strict=True))
    assert Dataset.from_document(base).image(1).known_size == (120, 120)


@pytest.mark.skipif(os.name != "posix", reason="file names of bytes")
def test_names_that_are_no_unicode_are_written_and_found_again(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "1.png").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png"))
    dataset = Dataset.from_folder(folder, schema=GARMENTS)
    dataset.save(folder / "a.json")
    again = Dataset.load(folder / "a.json")
    assert missing_images(again) == []
    editor = Editor(again)
    editor.apply(operations.set_reviewed(again, 1, True))
    editor.save()
    assert Dataset.load(folder / "a.json").image(1).reviewed


def test_results_joined_by_hand_are_no_persons_work():
    joined = {"source": "model:abc", "score": 0.9, "keypoint_scores": [0.8] * 8}
    dataset = Dataset.from_document(document(annotation=joined))
    garment = dataset.garment(1)
    assert (garment.source, garment.score, garment.touched_by_human) == ("model:abc", 0.9, False)
    Editor(dataset).apply(operations.move_landmarks(dataset, 1, {0: (1, 2)}))
    assert garment.landmark_sources[:2] == ("human", "model:abc")
    assert np.isnan(garment.landmark_scores[0])
    assert garment.landmark_scores[1] == 0.8


@pytest.mark.parametrize("source", ["manual", "shop", "file", 3, None])
def test_another_tools_source_is_a_persons(source):
    """CVAT and DeepFashion2 have a `source` of their own."""
    for place in ({"source": source}, {"fashion": {"source": source}}):
        assert Dataset.from_document(document(annotation=place)).garment(1).touched_by_human


def test_categories_with_landmarks_of_their_own_open_as_one_schema_and_are_edited():
    base = document()
    base["categories"] = [
        {"id": 1, "name": "top", "keypoints": ["left_collar", "right_collar", "hem"]},
        {"id": 2, "name": "skirt", "keypoints": ["waist", "hem"]},
    ]
    base["annotations"] = [
        {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 1]},
        {"id": 2, "image_id": 1, "category_id": 2, "keypoints": [7, 8, 2, 9, 10, 2]},
    ]
    dataset = Dataset.from_document(base)
    assert dataset.schema.landmarks == ("left_collar", "right_collar", "hem", "waist")
    assert not find_problems(dataset)
    assert dataset.garment(2).xy.tolist() == [[0, 0], [0, 0], [9, 10], [7, 8]]
    assert dataset.garment(2).visibility.tolist() == [0, 0, 2, 2]
    before = b"".join(dataset.chunks())
    editor = Editor(dataset)
    editor.apply(operations.move_landmarks(dataset, 2, {3: (70, 80)}))
    assert dataset.text("annotations", 2, ("keypoints",)) == "[70, 80, 2, 9, 10, 2]"
    with pytest.raises(EditError, match="skirt has no 'left_collar' in this file"):
        operations.place_landmark(dataset, 2, 0, (1, 1))
    editor.apply(operations.set_category(dataset, 2, 0))
    assert dataset.garment(2).xy.tolist() == [[0, 0], [0, 0], [9, 10], [0, 0]]
    editor.apply(operations.add_garment(dataset, 1, 1)[0])
    assert dataset.text("annotations", 3, ("keypoints",)) == "[0.0, 0.0, 0, 0.0, 0.0, 0]"
    while editor.can_undo:
        editor.undo()
    assert b"".join(dataset.chunks()) == before


def test_a_file_names_its_schema(tmp_path):
    schema = GARMENTS.with_skeleton("A")
    base = document(info={"fashion": {"schema": schema.to_note()}})
    dataset = Dataset.from_document(base)
    assert dataset.schema == schema
    dataset.save(tmp_path / "a.json")
    assert Dataset.load(tmp_path / "a.json").schema == schema
    named = Dataset.from_document(document(info={"fashion": {"schema": "deepfashion"}}))
    assert named.schema == Schema.load("deepfashion")


@pytest.mark.parametrize("note", ["nobody's", 3, {"name": "x"}, "garments"])
def test_a_schema_that_does_not_fit_is_a_problem(note):
    names = ["a", "b"]
    base = document(
        info={"fashion": {"schema": note}},
        category={"keypoints": names},
        annotation={"keypoints": [1, 2, 2] * 2},
    )
    dataset = Dataset.from_document(base)
    assert dataset.schema.landmarks == ("a", "b")
    assert [p.place for p in find_problems(dataset)] == ["info.fashion.schema"]
