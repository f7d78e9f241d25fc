from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.coco import Dataset, export
from napari_fashion.coco.export import trainable_images
from napari_fashion.editing import operations, whole_garments
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.whole_garments import ASIDE, Copied
from napari_fashion.errors import EditError
from small import SCHEMA, small_dataset, small_document

PLACED = [0, 1, 2, 3, 6, 7]


def apply(dataset, edit):
    edit.apply(dataset)
    return edit


def test_a_garment_is_moved_as_a_whole(dataset) -> None:
    before = dataset.garment(11).xy.copy()
    edit = apply(dataset, whole_garments.move_garment(dataset, 11, 3, -2.5))
    assert edit.label == "Move Shirt"
    assert np.allclose(dataset.garment(11).xy[PLACED], before[PLACED] + (3, -2.5))
    assert dataset.garment(11).visibility.tolist() == [2, 2, 2, 2, 0, 0, 2, 2]
    edit.inverse().apply(dataset)
    assert dataset.garment(11).xy.tolist() == before.tolist()


def test_a_quarter_turn_and_a_scale_keep_the_centre(dataset) -> None:
    apply(dataset, whole_garments.rotate_garment(dataset, 11, 90))
    # The box is 10..110 x 20..110, its centre 60, 65; clockwise on the image, x goes to y.
    assert dataset.garment(11).xy[0].tolist() == [60 + 45, 65 - 20]
    apply(dataset, whole_garments.rotate_garment(dataset, 11, -90))
    apply(dataset, whole_garments.scale_garment(dataset, 11, 0.5))
    assert dataset.garment(11).xy[0].tolist() == [50, 42.5]
    with pytest.raises(EditError, match=r"scaled by 0; expected a factor above 0"):
        whole_garments.scale_garment(dataset, 11, 0)


def test_the_mirror_image_has_left_and_right_at_their_sides(dataset) -> None:
    apply(dataset, operations.move_landmarks(dataset, 11, {0: (50, 25)}))
    apply(dataset, whole_garments.mirror_garment(dataset, 11))
    garment = dataset.garment(11)
    assert garment.xy[:2].tolist() == [[40, 20], [70, 25]]
    assert garment.visibility.tolist() == [2, 2, 2, 2, 0, 0, 2, 2]


def test_of_a_pair_the_twin_goes_the_mirrored_way(dataset) -> None:
    apply(dataset, whole_garments.move_pair(dataset, 11, 6, (24, 100)))
    assert dataset.garment(11).xy[6:].tolist() == [[24, 100], [96, 100]]
    apply(dataset, whole_garments.rotate_garment(dataset, 11, 90))
    left, right = dataset.garment(11).xy[6:].copy()
    apply(dataset, whole_garments.move_pair(dataset, 11, 6, (left[0] - 5, left[1] - 4)))
    steps = np.array([(-5, -4), (-5, 4)])
    assert np.allclose(dataset.garment(11).xy[6:], np.array([left, right]) + steps, atol=0.02)


def test_a_landmark_without_a_placed_twin_moves_alone(dataset) -> None:
    apply(dataset, operations.delete_landmarks(dataset, 11, [7]))
    apply(dataset, whole_garments.move_pair(dataset, 11, 6, (24, 100)))
    assert dataset.garment(11).xy[6:].tolist() == [[24, 100], [0, 0]]


def test_copies_are_a_persons_and_scaled_to_the_image() -> None:
    document = small_document()
    document["images"][2] |= {"width": 240, "height": 60}
    dataset = Dataset.from_document(document, schema=SCHEMA)
    copies = [Copied.of(dataset, dataset.garment(i)) for i in (11, 12)]
    edit, ids = whole_garments.paste_garments(dataset, 3, copies, "Copy")
    edit.apply(dataset)
    shirt, pants = (dataset.garment(i) for i in ids)
    assert [shirt.category_name, pants.category_name] == ["Shirt", "Pants"]
    assert shirt.xy[0].tolist() == [(40.5 * 2) - 0.5, (20.5 / 2) - 0.5]
    assert (pants.source, pants.image_id) == ("human", 3)
    edit, (copy_id,) = whole_garments.paste_garments(dataset, 1, copies[:1], "Copy")
    edit.apply(dataset)
    assert np.allclose(dataset.garment(copy_id).xy[0], np.array([40, 20]) + ASIDE * 120)


def test_a_garment_without_landmarks_cannot_be_moved(dataset) -> None:
    edit, garment_id = operations.add_garment(dataset, 3, 0)
    edit.apply(dataset)
    with pytest.raises(EditError, match="has no landmarks; expected at least one"):
        whole_garments.move_garment(dataset, garment_id, 1, 1)


# -- how far images are --------------------------------------------------------------------


def test_the_status_of_an_image() -> None:
    dataset = small_dataset()
    assert [image.status for image in dataset.images] == ["edited", "predicted", "new"]
    apply(dataset, operations.delete_garment(dataset, 12))
    assert dataset.image(2).status == "edited"
    apply(dataset, operations.set_reviewed(dataset, 2, True))
    assert dataset.image(2).status == "reviewed"
    apply(dataset, operations.set_rejected(dataset, 2, True))
    assert (dataset.image(2).status, dataset.image(2).reviewed) == ("rejected", False)
    apply(dataset, operations.set_reviewed(dataset, 2, True))
    assert dataset.image(2).status == "reviewed"
    assert operations.set_rejected(dataset, 2, False) is None


def test_rejected_images_are_neither_exported_nor_learned_from(tmp_path) -> None:
    dataset = small_dataset()
    apply(dataset, operations.set_rejected(dataset, 1, True))
    assert trainable_images(dataset) == []
    report = export(dataset, tmp_path / "out.json")
    assert (report.images, report.annotations) == (2, 0)


def test_undo_takes_back_what_led_to_an_image_before_what_that_had() -> None:
    editor = Editor(small_dataset())
    dataset = editor.dataset
    editor.apply(operations.set_visibility(dataset, 12, [5], 1))
    editor.apply_and_go(operations.set_reviewed(dataset, 1, True), 2)
    assert (editor.image_id, editor.undo_label) == (2, "Mark reviewed")
    editor.apply(operations.set_visibility(dataset, 12, [6], 1))
    assert editor.undo_label == "Set left hem hidden"
    editor.undo()
    editor.undo()
    assert (editor.image_id, editor.image.reviewed) == (1, False)
    editor.redo()
    assert (editor.image_id, editor.image.reviewed) == (1, True)
    editor.go_to(1)
    assert editor.undo_label == "Mark reviewed"


def test_a_garment_that_was_added_is_taken_back_with_what_was_done_to_it() -> None:
    editor = Editor(small_dataset())
    before = editor.dataset.to_document()
    edit, garment_id = operations.add_garment(editor.dataset, 1, 0)
    editor.apply(edit)
    editor.apply(operations.place_landmark(editor.dataset, garment_id, 0, (5, 5)))
    editor.apply(operations.delete_landmarks(editor.dataset, garment_id, [0]))
    editor.take_garment_back(garment_id)
    assert editor.dataset.to_document() == before
    assert not editor.can_undo
    assert not editor.can_redo


def test_several_landmarks_are_selected_and_one_of_them_is_current() -> None:
    editor = Editor(small_dataset())
    editor.select(11, landmarks=(3, 1))
    assert (editor.selection.landmark, editor.selection.landmarks) == (1, {1, 3})
    editor.select(11, 3, (1,))
    assert (editor.selection.landmark, editor.selection.landmarks) == (3, {1, 3})
    editor.select(11)
    assert (editor.selection.landmark, editor.selection.landmarks) == (None, frozenset())
