from __future__ import annotations

import json
import math
from typing import Any

import pytest

from napari_fashion.coco import Dataset, export
from napari_fashion.editing import operations
from napari_fashion.errors import EditError
from small import SCHEMA, category_id, small_dataset, small_document


def apply(dataset, edit):
    edit.apply(dataset)
    return edit


def test_move_of_a_models_landmark_makes_it_human_and_the_box_follows(dataset) -> None:
    edit = apply(dataset, operations.move_landmarks(dataset, 12, {6: (30.123, 119.0)}))
    garment = dataset.garment(12)
    assert edit.label == "Move left hem"
    assert garment.xy[6].tolist() == [30.12, 119.0]
    assert garment.landmark_sources[6] == "human"
    assert set(garment.landmark_sources) - {"human"} == {"model:old"}
    assert garment.source == "model:old"
    assert garment.bbox == pytest.approx((30.12, 12, 54.88, 107))
    assert dataset.store.record("annotations", 12)["area"] == pytest.approx(54.88 * 107, abs=0.01)


def test_a_box_of_its_own_and_unknown_fields_stay(dataset) -> None:
    apply(dataset, operations.move_landmarks(dataset, 11, {0: (1, 1)}))
    record = dataset.store.record("annotations", 11)
    assert (record["bbox"], record["area"]) == ([5, 5, 110, 110], 9000.5)
    assert record["kept"] == {"by": "us"}
    assert record["fashion"] == {"edited": True}


def test_a_move_to_the_same_place_is_no_edit(dataset) -> None:
    assert operations.move_landmarks(dataset, 11, {0: (40, 20)}) is None


@pytest.mark.parametrize(
    ("keypoints", "problem"),
    [
        ([1, 2] * 8, "16 numbers"),
        ([[1, 2, 2]] * 8, "a list of lists"),
        ([1, 2, 2, None] * 6, "None among the numbers"),
        ([1, "2", 2] * 8, "'2' among the numbers"),
        ({"left": 1}, r"\{'left': 1\}"),
        ("text", "'text'"),
    ],
)
def test_keypoints_of_another_form_are_left_alone(dataset, keypoints, problem) -> None:
    dataset.set_value("annotations", 11, ("keypoints",), keypoints)
    with pytest.raises(EditError, match=f"garment 11 are {problem}; expected 24 numbers"):
        operations.place_landmark(dataset, 11, 4, (33, 44))
    assert dataset.store.record("annotations", 11)["keypoints"] == keypoints


def test_visibility(dataset) -> None:
    edit = apply(dataset, operations.set_visibility(dataset, 11, [2], 1))
    assert edit.label == "Set left sleeve hidden"
    assert dataset.garment(11).visibility.tolist() == [2, 2, 1, 2, 0, 0, 2, 2]
    apply(dataset, operations.set_visibility(dataset, 11, [2, 3], 0))
    assert dataset.store.record("annotations", 11)["keypoints"][6:12] == [0, 0, 0, 0, 0, 0]
    assert dataset.store.record("annotations", 11)["num_keypoints"] == 4


def test_a_missing_landmark_has_to_be_placed_first(dataset) -> None:
    with pytest.raises(EditError, match="Left waistline is not placed yet"):
        operations.set_visibility(dataset, 11, [4], 2)
    with pytest.raises(EditError, match="not placed yet"):
        operations.move_landmarks(dataset, 11, {4: (3, 3)})
    apply(dataset, operations.place_landmark(dataset, 11, 4, (33, 44)))
    assert dataset.garment(11).visibility[4] == 2


def test_a_deleted_landmark_of_a_model_remembers_that_a_person_did_it(dataset) -> None:
    apply(dataset, operations.delete_landmarks(dataset, 12, [5]))
    garment = dataset.garment(12)
    assert garment.visibility[5] == 0
    assert garment.landmark_sources[5] == "human"


def test_swap_left_right(dataset) -> None:
    before = dataset.garment(11).xy
    apply(dataset, operations.swap_left_right(dataset, 11))
    assert dataset.garment(11).xy.tolist() == before[list(SCHEMA.flips)].tolist()
    apply(dataset, operations.swap_left_right(dataset, 11))
    assert dataset.garment(11).xy.tolist() == before.tolist()


def test_add_and_delete_garments(dataset) -> None:
    edit, new = operations.add_garment(dataset, 3, 0)
    apply(dataset, edit)
    assert edit.label == "Add Blazer"
    assert [g.id for g in dataset.garments_of(3)] == [new]
    assert dataset.garment(new).source == "human"
    apply(dataset, operations.place_landmark(dataset, new, 0, (5, 6)))
    apply(dataset, operations.place_landmark(dataset, new, 1, (25, 9)))
    assert dataset.garment(new).bbox == (5, 6, 20, 3)
    apply(dataset, operations.delete_garment(dataset, new))
    assert dataset.garments_of(3) == []
    assert dataset.text("images", 3, ("fashion",)) is None


def test_a_deleted_garment_of_a_model_is_remembered(dataset) -> None:
    keypoints = list(dataset.store.record("annotations", 12)["keypoints"])
    edit = apply(dataset, operations.delete_garment(dataset, 12))
    assert dataset.store.record("images", 2)["fashion"]["rejected"] == [{"keypoints": keypoints}]
    edit.inverse().apply(dataset)
    assert dataset.text("images", 2, ("fashion",)) is None


def test_category(dataset) -> None:
    index = SCHEMA.category_index("Shorts")
    edit = apply(dataset, operations.set_category(dataset, 12, index))
    assert edit.label == "Set category Shorts"
    assert dataset.garment(12).category == index
    assert dataset.garment(12).category_source == "human"
    assert operations.set_category(dataset, 11, SCHEMA.category_index("Shirt")) is None


def test_confirming_a_models_category_makes_it_human(dataset) -> None:
    apply(dataset, operations.set_category(dataset, 12, SCHEMA.category_index("Pants")))
    assert dataset.garment(12).category_source == "human"


def test_a_category_that_the_file_lacks_is_added_with_the_edit() -> None:
    dataset = small_dataset(categories=["Shirt", "Pants"])
    index = SCHEMA.category_index("Dress")
    edit = apply(dataset, operations.set_category(dataset, 11, index))
    assert dataset.garment(11).category_name == "Dress"
    edit.inverse().apply(dataset)
    assert [c["name"] for c in dataset.to_document()["categories"]] == ["Pants", "Shirt"]
    assert dataset.store.record("annotations", 11)["category_id"] == category_id("Shirt")


def test_the_body_type_of_the_photos_follows_the_category(dataset) -> None:
    dataset.set_value("annotations", 11, ("body_type",), "upper")
    apply(dataset, operations.set_category(dataset, 11, SCHEMA.category_index("Dress")))
    assert dataset.store.record("annotations", 11)["body_type"] == "full"


def test_reviewed(dataset) -> None:
    apply(dataset, operations.set_reviewed(dataset, 1, True))
    assert dataset.image(1).reviewed
    assert operations.set_reviewed(dataset, 1, True) is None


# -- what was not understood is never rewritten --------------------------------------------------

UNLIKE = [{"a": 1}, "text", ["1", 2], [[1, 2]], True, math.nan, "9000", ["5", "5", "110", "110"]]


def strange(**changes: Any) -> Dataset:
    """A garment whose box, area and count are the landmarks' own, but for the changes."""
    document = small_document()
    document["annotations"][1] |= changes
    return Dataset.from_document(document, schema=SCHEMA)


@pytest.mark.parametrize("value", UNLIKE, ids=repr)
@pytest.mark.parametrize("field", ["bbox", "area", "num_keypoints", "iscrowd", "segmentation"])
def test_a_field_of_another_form_is_left_alone_by_edits(field, value) -> None:
    if field == "area" and value != value:
        pytest.skip("NaN is a number: the area follows the box")
    dataset = strange(**{field: value})
    before = dataset.text("annotations", 12, (field,))
    for edit in (
        operations.move_landmarks(dataset, 12, {4: (46.0, 13.0)}),
        operations.delete_landmarks(dataset, 12, [4]),
        operations.set_category(dataset, 12, SCHEMA.category_index("Shorts")),
    ):
        apply(dataset, edit)
        assert dataset.text("annotations", 12, (field,)) == before
        edit.inverse().apply(dataset)


@pytest.mark.parametrize("value", [{"a": 1}, "text", ["human"], 3], ids=repr)
@pytest.mark.parametrize(
    ("table", "field", "edit"),
    [
        (
            "annotations",
            "keypoint_sources",
            lambda d: operations.move_landmarks(d, 12, {4: (46, 13)}),
        ),
        ("images", "rejected", lambda d: operations.delete_garment(d, 12)),
    ],
)
def test_a_value_of_ours_of_another_form_is_refused(table, field, edit, value) -> None:
    document = small_document()
    record = document[table][1]
    record["fashion"] = {**record.get("fashion", {}), field: value}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    before = dataset.to_document()
    with pytest.raises(EditError, match=f"under fashion.{field}; expected a list"):
        edit(dataset)
    assert dataset.to_document() == before


@pytest.mark.parametrize("value", [{"a": 1}, "text", ["human"]], ids=repr)
def test_other_values_of_ours_are_refused_too(value) -> None:
    document = small_document()
    document["annotations"][1]["fashion"]["category_source"] = value
    document["images"][2]["fashion"] = {"reviewed": value}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    if not isinstance(value, str):
        with pytest.raises(EditError, match=r"under fashion.category_source; expected text"):
            operations.set_category(dataset, 12, 0)
    with pytest.raises(EditError, match=r"under fashion.reviewed; expected true or false"):
        operations.set_reviewed(dataset, 3, True)


def test_export_keeps_what_it_does_not_know_among_the_regions(tmp_path) -> None:
    document = small_document()
    document["annotations"].append(json.loads(json.dumps(document["annotations"][1])) | {"id": 13})
    document["annotations"][1]["fashion"]["category_source"] = "human"
    document["images"][1]["fashion"] = {"ignore": [[1, 2, 3, 4], "a region"]}
    export(Dataset.from_document(document, schema=SCHEMA), tmp_path / "e.json")
    written = json.loads((tmp_path / "e.json").read_text())
    assert written["images"][1]["fashion"]["ignore"] == [
        [1, 2, 3, 4],
        "a region",
        [35.0, 12.0, 50.0, 103.0],
    ]


# -- an image of another size than its record ----------------------------------------------------


def larger(**changes: Any) -> dict[str, Any]:
    """The second image's record says 240 x 240, and its garment is of that size."""
    document = small_document()
    document["images"][1] |= {"width": 240, "height": 240}
    document["annotations"][1] |= changes
    return document


def test_everything_of_an_image_is_rescaled_in_one_step() -> None:
    document = larger(segmentation=[[0, 0, 240.0, 0, 240, 240.5]])
    document["images"][1]["fashion"] = {
        "ignore": [[10, 20, 30, 41]],
        "rejected": [{"keypoints": [39, 19, 2, *[0] * 21]}],
    }
    crowd = {"id": 13, "image_id": "2", "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 240, 120]}
    document["annotations"].append(crowd)
    dataset = Dataset.from_document(document, schema=SCHEMA)
    before = dataset.to_document()
    edit = apply(dataset, operations.rescale_landmarks(dataset, 2, (120, 120)))
    assert edit.image_id == 2
    after = dataset.to_document()
    image, garment = after["images"][1], after["annotations"][1]
    assert (image["width"], image["height"]) == (120, 120)
    assert image["fashion"]["ignore"] == [[5, 10, 15, 20.5]]
    assert image["fashion"]["rejected"] == [{"keypoints": [19.25, 9.25, 2, *[0] * 21]}]
    assert garment["keypoints"][12:15] == [22.25, 5.75, 2]  # (45 + 0.5) / 2 - 0.5
    assert garment["keypoints"][:12] == [0, 0, 0] * 4
    assert garment["bbox"] == [17.25, 5.75, 25.0, 51.5]  # the landmarks' own stays their own
    assert garment["area"] == 25 * 51.5
    assert garment["segmentation"] == [[0.0, 0.0, 120.0, 0.0, 120.0, 120.25]]
    assert garment["fashion"] == before["annotations"][1]["fashion"]
    assert after["annotations"][2] == crowd | {"bbox": [0, 0, 120, 60]}
    assert after["annotations"][0] == before["annotations"][0]
    edit.inverse().apply(dataset)
    assert dataset.to_document() == before
    assert operations.rescale_landmarks(dataset, 2, (240, 240)) is None


def test_a_silhouettes_box_is_rescaled_by_its_corners() -> None:
    document = larger(bbox=[0, 0, 240, 240], area=30_000)
    document["images"][1] |= {"width": "240", "height": 240.0}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    apply(dataset, operations.rescale_landmarks(dataset, 2, (480, 480)))
    garment = dataset.to_document()["annotations"][1]
    assert (garment["bbox"], garment["area"]) == ([0, 0, 480, 480], 120_000)
    image = dataset.to_document()["images"][1]
    assert (image["width"], image["height"]) == ("480", 480.0)


@pytest.mark.parametrize(
    ("size", "words"),
    [((120, 200), "another crop of the image"), ((121, 120), None), ((120, 119), None)],
)
def test_another_shape_is_no_rescaling(size, words) -> None:
    dataset = Dataset.from_document(larger(), schema=SCHEMA)
    if words is None:  # rounded by whoever made it smaller
        edit = operations.rescale_landmarks(dataset, 2, size)
        assert edit is not None
        return
    with pytest.raises(EditError, match=words):
        operations.rescale_landmarks(dataset, 2, size)


def test_exchanged_sides_are_said_to_be_so() -> None:
    document = larger()
    document["images"][1] |= {"width": 300, "height": 200}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    with pytest.raises(EditError, match=r"300 x 200 pixels in the file and 100 x 150.*exchanged"):
        operations.rescale_landmarks(dataset, 2, (100, 150))


@pytest.mark.parametrize(
    "changes",
    [
        {"keypoints": [40, 20] * 8},
        {"keypoints": [math.nan, 20, 2] * 8},
        {"keypoints": ["40", "20", "2"] * 8},
        {"keypoints": [40, 20, 2] * 9},
        {"bbox": "10 20 30 40"},
        {"bbox": [math.nan] * 4},
        {"bbox": ["1", 2, 3, 4]},
        {"area": "9000"},
        {"area": [9000]},
        {"segmentation": {"counts": "abc", "size": [240, 240]}},
        {"segmentation": [[1, 2, 3]]},
        {"segmentation": [["1", 2]]},
        {"fashion": "ours"},
    ],
    ids=repr,
)
def test_what_was_not_understood_is_not_rescaled(changes) -> None:
    dataset = Dataset.from_document(larger(**changes), schema=SCHEMA)
    if "fashion" in changes:  # nothing of it is written
        assert operations.rescale_landmarks(dataset, 2, (120, 120)) is not None
        return
    before = dataset.to_document()
    with pytest.raises(EditError, match="expected"):
        operations.rescale_landmarks(dataset, 2, (120, 120))
    assert repr(dataset.to_document()) == repr(before)


@pytest.mark.parametrize("size", [(None, 240), ("wide", 240), (0, 240), (-240, 240)])
def test_without_a_known_size_there_is_nothing_to_rescale_from(size) -> None:
    document = larger()
    document["images"][1] |= {"width": size[0], "height": size[1]}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    with pytest.raises(EditError, match="expected numbers of pixels"):
        operations.rescale_landmarks(dataset, 2, (120, 120))
