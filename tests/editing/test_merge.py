"""Two sides of one file: what each changed is kept, ids mean what their records say, clashes show."""

from __future__ import annotations

import json

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import Edit, remove_record
from napari_fashion.editing.merge import merge
from napari_fashion.editing.opening import adopt, merge_with_disk, open_editor
from napari_fashion.editing.record_changes import known_to, unsaved_changes
from small import SCHEMA, small_dataset, small_document

BLAZER = SCHEMA.category_index("Blazer")


@pytest.fixture
def editor(dataset_file) -> Editor:
    return open_editor(dataset_file, schema=SCHEMA).editor


def theirs(editor: Editor, change) -> None:
    document = json.loads(editor.path.read_text())
    change(document)
    editor.path.write_text(json.dumps(document, indent=1))


def merged(editor: Editor, choices=None) -> Dataset:
    result = merge_with_disk(editor)
    reasons = [c.reason for c in result.conflicts]
    assert (reasons == []) == (choices is None), reasons
    return adopt(editor, result, choices or {}).dataset


def add(editor: Editor, image_id: int, category: int = BLAZER) -> int:
    edit, key = operations.add_garment(editor.dataset, image_id, category)
    editor.apply(edit)
    return key


def test_new_ids_are_above_those_of_both_sides(editor):
    add(editor, 3)
    add(editor, 2)
    theirs(editor, lambda d: d["annotations"].append({**d["annotations"][0], "id": 13}))
    after = merged(editor)
    assert sorted((g.id, g.image_id) for g in after.garments) == [
        (11, 1),
        (12, 2),
        (13, 1),
        (14, 2),
        (15, 3),
    ]


def test_images_that_they_counted_anew_keep_our_garments(editor):
    key = add(editor, 3)
    editor.apply(operations.set_reviewed(editor.dataset, 3, True))

    def change(document):
        for image in document["images"]:
            image["id"] = 4 - image["id"]
        for annotation in document["annotations"]:
            annotation["image_id"] = 4 - annotation["image_id"]

    theirs(editor, change)
    after = merged(editor)
    assert after.image(after.garment(key).image_id).file_name == "3.png"
    assert [i.file_name for i in after.images if i.reviewed] == ["3.png"]
    assert after.image(after.garment(11).image_id).file_name == "1.png"


def test_categories_that_they_counted_anew_keep_their_names(editor):
    key = add(editor, 3)

    def change(document):
        n = len(document["categories"])
        for category in document["categories"]:
            category["id"] = n + 1 - category["id"]
        for annotation in document["annotations"]:
            annotation["category_id"] = n + 1 - annotation["category_id"]

    theirs(editor, change)
    assert merged(editor).garment(key).category_name == "Blazer"


def test_an_image_that_both_added_is_one_and_another_of_its_id_is_not(editor):
    record = {"id": 4, "file_name": "mine.png", "width": 5, "height": 5}
    editor.apply(operations.add_images(editor.dataset, [record]))
    key = add(editor, 4)
    other = {"id": 4, "file_name": "theirs.png", "width": 6, "height": 6}
    theirs(editor, lambda d: d["images"].append(other))
    after = merged(editor)
    assert [i.file_name for i in after.images][3:] == ["theirs.png", "mine.png"]
    assert after.image(after.garment(key).image_id).file_name == "mine.png"


def test_an_image_that_both_added_under_other_ids_is_one(editor):
    record = {"id": 4, "file_name": "4.png", "width": 5, "height": 5}
    editor.apply(operations.add_images(editor.dataset, [record]))
    key = add(editor, 4)
    theirs(editor, lambda d: d["images"].append({**record, "id": 9}))
    after = merged(editor)
    assert [i.id for i in after.images] == [1, 2, 3, 9]
    assert after.garment(key).image_id == 9


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: d["images"].pop(2), "its image is not on the disk any more"),
        (
            lambda d: d["images"][2].update(file_name="x.png"),
            "its image is not on the disk any more",
        ),
        (
            lambda d: d.update(categories=[c for c in d["categories"] if c["name"] != "Blazer"]),
            "its category is not on the disk any more",
        ),
    ],
)
def test_a_garment_whose_image_or_category_went_is_a_conflict(editor, change, reason):
    key = add(editor, 3)
    theirs(editor, change)
    (conflict,) = merge_with_disk(editor).conflicts
    assert conflict.key == ("annotations", key)
    assert conflict.reason.startswith(reason)


def test_an_image_that_we_removed_and_they_annotated_is_a_conflict(editor):
    dataset = editor.dataset
    editor.apply(Edit("Drop image", 3, (remove_record(dataset, "images", 3),)))
    theirs(
        editor, lambda d: d["annotations"].append({**d["annotations"][0], "id": 13, "image_id": 3})
    )
    after = merged(editor, {("images", 3): "theirs"})
    assert after.garment(13).image_id == 3
    assert after.has("images", 3)


def test_landmarks_in_another_order_are_put_in_theirs(editor):
    editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (41.5, 21)}))

    def change(document):
        for category in document["categories"]:
            category["keypoints"].reverse()
        for annotation in document["annotations"]:
            flat = annotation["keypoints"]
            annotation["keypoints"] = [v for i in range(21, -1, -3) for v in flat[i : i + 3]]

    theirs(editor, change)
    after = merged(editor)
    left = after.schema.landmarks.index("left_collar")
    assert after.garment(11).xy[left].tolist() == [41.5, 21]


def test_a_file_laid_out_anew_has_no_changes_of_its_own(editor):
    editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (41.5, 21)}))
    editor.path.write_text(json.dumps(json.loads(editor.path.read_text()), indent=3))
    result = merge_with_disk(editor)
    fresh = adopt(editor, result, {})
    assert [edit.label for edit in fresh.history] == ["Move left collar"]
    fresh.undo()
    assert not fresh.dirty


def recount(document) -> None:
    """Count images anew, as a program does that keeps no ids."""
    new = {image["id"]: i for i, image in enumerate(document["images"], 1)}
    for image in document["images"]:
        image["id"] = new[image["id"]]
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] in new]
    for annotation in document["annotations"]:
        annotation["image_id"] = new[annotation["image_id"]]


def test_ours_chosen_comes_beside_theirs_and_not_over_it(editor):
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))

    def change(document):
        document["images"] = document["images"][1:]
        recount(document)

    theirs(editor, change)
    (conflict,) = merge_with_disk(editor).conflicts
    assert conflict.theirs is None
    after = merged(editor, {conflict.key: "mine"})
    assert [i.file_name for i in after.images] == ["2.png", "3.png", "1.png"]
    assert [i.file_name for i in after.images if i.reviewed] == ["1.png"]


def test_a_garment_chosen_brings_its_image_and_category_along(editor):
    key = add(editor, 2)

    def change(document):
        document["images"] = [i for i in document["images"] if i["id"] != 2]
        recount(document)
        document["categories"] = [c for c in document["categories"] if c["name"] != "Blazer"]
        for i, category in enumerate(document["categories"], 50):
            for annotation in document["annotations"]:
                if annotation["category_id"] == category["id"]:
                    annotation["category_id"] = -i
            category["id"] = -i

    theirs(editor, change)
    result = merge_with_disk(editor)
    mine = {c.key: "mine" for c in result.conflicts if c.key == ("annotations", key)}
    after = merged(editor, mine)
    garment = after.garment(key)
    assert after.image(garment.image_id).file_name == "2.png"
    assert garment.category_name == "Blazer"


def test_a_placed_landmark_that_they_do_not_have_is_a_conflict(editor):
    editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (41.5, 21)}))

    def change(document):
        for category in document["categories"]:
            del category["keypoints"][0]
        for annotation in document["annotations"]:
            del annotation["keypoints"][:3]

    theirs(editor, change)
    (conflict,) = merge_with_disk(editor).conflicts
    assert conflict.reason == "the category on the disk lacks a landmark that is placed here"


def test_scores_and_sources_follow_their_landmarks(editor):
    editor.apply(operations.move_landmarks(editor.dataset, 12, {4: (50, 20)}))
    scores = dict(zip(SCHEMA.landmarks, editor.dataset.garment(12).landmark_scores, strict=True))

    def change(document):
        for category in document["categories"]:
            category["keypoints"].reverse()
        for annotation in document["annotations"]:
            flat = annotation["keypoints"]
            annotation["keypoints"] = [v for i in range(21, -1, -3) for v in flat[i : i + 3]]
            if "fashion" in annotation:
                annotation["fashion"]["keypoint_scores"].reverse()

    theirs(editor, change)
    after = merged(editor)
    garment, names = after.garment(12), after.schema.landmarks
    found = dict(zip(names, garment.landmark_scores, strict=True))
    assert {k: str(v) for k, v in found.items()} == {k: str(v) for k, v in scores.items()}
    assert garment.landmark_sources[names.index("left_waistline")] == "human"


@pytest.mark.parametrize("choice", ["mine", "theirs"])
def test_no_garment_is_left_without_its_image(editor, choice):
    """We remove an image and its garment; they changed the garment."""
    dataset = editor.dataset
    gone = tuple(remove_record(dataset, *key) for key in (("annotations", 11), ("images", 1)))
    editor.apply(Edit("Drop image", 1, gone))
    theirs(editor, lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 77))
    result = merge_with_disk(editor)
    assert {c.key for c in result.conflicts} == {("annotations", 11), ("images", 1)}
    after = merged(editor, {("images", 1): choice})
    assert all(after.has("images", g.image_id) for g in after.garments)
    assert after.has("images", 1) == (choice == "theirs")


def test_an_image_that_both_added_and_we_reviewed_is_shown(editor):
    record = {"id": 4, "file_name": "4.png", "width": 5, "height": 5}
    editor.apply(operations.add_images(editor.dataset, [record]))
    editor.apply(operations.set_reviewed(editor.dataset, 4, True))
    theirs(editor, lambda d: d["images"].append(record))
    (conflict,) = merge_with_disk(editor).conflicts
    assert conflict.reason == "added here and on the disk"
    assert merged(editor, {conflict.key: "mine"}).image(4).reviewed


def test_of_two_categories_of_one_name_on_the_disk_ours_is_the_one_with_keypoints():
    mine = small_dataset(categories=["Shirt", "Pants"])
    mine.set_value("annotations", 11, ("keypoints", 0), 41)
    theirs = small_document(categories=["Shirt", "Pants"])
    for record in theirs["categories"]:
        record["id"] += 100
    for record in theirs["annotations"]:
        record["category_id"] += 100
    shirt = next(c for c in theirs["categories"] if c["name"] == "Shirt")
    theirs["categories"].insert(0, {"id": 50, "name": "Shirt", "supercategory": "none"})
    other = Dataset.from_document(theirs, schema=SCHEMA)
    merged = merge(unsaved_changes(mine), other, known_to(mine))
    assert merged.conflicts == []
    for edit in merged.edits():
        edit.apply(other)
    assert other.garment(11).category_id == shirt["id"]
    assert other.garment(11).xy[0, 0] == 41
