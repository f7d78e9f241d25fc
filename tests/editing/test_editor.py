from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.predictions import take_prediction
from napari_fashion.editing.viewing import Selection
from napari_fashion.errors import CocoError, ConflictError, FashionError
from small import (
    SCHEMA,
    SHIRT_XY,
    TROUSERS_XY,
    predicted,
    prediction,
    small_dataset,
    small_document,
)

number = st.floats(-5, 130, allow_nan=False) | st.integers(0, 120)
gesture = st.one_of(
    st.tuples(st.just("move"), st.integers(0, 7), number, number),
    st.tuples(st.just("place"), st.integers(0, 7), number, number),
    st.tuples(st.just("visibility"), st.integers(0, 7), st.integers(0, 2)),
    st.tuples(st.just("swap")),
    st.tuples(st.just("add"), st.integers(0, 14)),
    st.tuples(st.just("delete")),
    st.tuples(st.just("category"), st.integers(0, 14)),
    st.tuples(st.just("reviewed"), st.booleans()),
    st.tuples(st.just("predict"), st.floats(-8, 8), st.booleans()),
    st.tuples(st.just("go"), st.integers(0, 2)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def perform(editor: Editor, name: str, *args) -> None:
    dataset, garment = editor.dataset, editor.selection.garment_id
    match name:
        case "go":
            editor.go_to(*args)
        case "undo":
            editor.undo()
        case "redo":
            editor.redo()
        case "add":
            editor.apply(operations.add_garment(dataset, editor.image_id, *args)[0])
        case "reviewed":
            editor.apply(operations.set_reviewed(dataset, editor.image_id, *args))
        case "predict":
            shift, both = args
            found = [predicted(SHIRT_XY, "Shirt", shift=shift)]
            if both:
                found.append(predicted(TROUSERS_XY, "Dress", shift=-shift))
            taken = take_prediction(dataset, editor.image_id, prediction(*found), SCHEMA)
            editor.apply(taken.edit)
        case _ if garment is None:
            pass
        case "move":
            landmark, x, y = args
            if dataset.garment(garment).visibility[landmark]:
                edit = operations.move_landmarks(dataset, garment, {landmark: (x, y)})
                editor.apply(edit, nudge=True)
        case "place":
            landmark, x, y = args
            editor.apply(operations.place_landmark(dataset, garment, landmark, (x, y)))
        case "visibility":
            landmark, v = args
            if dataset.garment(garment).visibility[landmark]:
                editor.apply(operations.set_visibility(dataset, garment, [landmark], v))
        case "swap":
            editor.apply(operations.swap_left_right(dataset, garment))
        case "delete":
            editor.apply(operations.delete_garment(dataset, garment))
        case "category":
            editor.apply(operations.set_category(dataset, garment, *args))


def state(dataset: Dataset) -> bytes:
    """The file as it would be written."""
    return b"".join(dataset.chunks())


@settings(max_examples=150, deadline=None)
@given(
    st.lists(gesture, max_size=25),
    st.sampled_from([None, ["Pants", "Shirt"]]),
    st.lists(st.integers(0, 2)),
)
def test_undone_wholly_is_the_document_as_it_was_and_redone_as_it_became(
    steps, names, looks
) -> None:
    dataset = small_dataset(categories=names)
    opened = state(dataset)
    editor = Editor(dataset)
    for step in steps:
        perform(editor, *step)
    while editor.can_redo:  # what a step undid of another image could still be redone
        editor.redo()
    became = state(dataset)
    labels = sorted(edit.label for edit in editor.history)
    looks = iter(looks)
    while editor.can_undo:
        editor.go_to(next(looks, editor.index))  # so images are undone in any order
        label, history = editor.undo_label, editor.history
        editor.undo()
        assert editor.redo_label == label
        assert len(editor.history) == len(history) - 1
    assert state(dataset) == opened
    assert not editor.dirty
    for _ in labels:
        editor.go_to(next(looks, editor.index))
        editor.redo()
    assert state(dataset) == became
    assert sorted(edit.label for edit in editor.history) == labels
    again = small_dataset(categories=names)
    for edit in editor.history:
        edit.apply(again)
    assert state(again) == state(dataset)


def test_undo_is_of_the_image_in_view_while_it_has_edits(dataset) -> None:
    editor = Editor(dataset)
    editor.apply(operations.move_landmarks(dataset, 11, {0: (1, 1)}))
    editor.apply(operations.set_reviewed(dataset, 2, True))
    assert editor.undo_label == "Move left collar"
    editor.undo()
    assert (editor.image_id, dataset.garment(11).xy[0].tolist()) == (1, [40, 20])
    assert dataset.image(2).reviewed
    editor.undo()
    assert (editor.image_id, dataset.image(2).reviewed) == (2, False)


def test_records_come_back_to_their_places_out_of_order(dataset) -> None:
    before = state(dataset)
    editor = Editor(dataset)
    for garment_id in (11, 12):
        editor.apply(operations.delete_garment(dataset, garment_id))
    editor.undo()
    assert [garment.id for garment in dataset.garments] == [11]
    editor.undo()
    assert state(dataset) == before


def test_a_category_that_another_image_uses_is_not_taken_from_it(dataset) -> None:
    dataset = small_dataset(categories=["Pants", "Shirt"])
    dress = SCHEMA.category_names.index("Dress")
    editor = Editor(dataset)
    editor.apply(operations.set_category(dataset, 11, dress))
    editor.apply(operations.set_category(dataset, 12, dress))
    editor.undo()
    assert (editor.image_id, dataset.garment(12).category_name) == (2, "Pants")
    editor.undo()
    assert [c["name"] for c in dataset.to_document()["categories"]] == ["Pants", "Shirt"]
    editor.go_to_image(2)
    editor.redo()  # first what the other one needs
    assert (editor.image_id, dataset.garment(11).category_name) == (1, "Dress")


def test_the_journal_line_by_line_gives_the_same_document(dataset) -> None:
    from napari_fashion.editing.edits import Edit

    editor = Editor(dataset)
    for step in [
        ("move", 0, 3.5, 4),
        ("category", 3),
        ("go", 2),
        ("add", 1),
        ("predict", 1.0, True),
    ]:
        perform(editor, *step)
    other = small_dataset()
    for edit in editor.history:
        Edit.from_json(edit.to_json()).apply(other)
    assert state(other) == state(dataset)


def test_undo_goes_to_the_image_of_the_edit(dataset) -> None:
    editor = Editor(dataset)
    editor.apply(operations.move_landmarks(dataset, 11, {0: (1, 1)}))
    editor.go_to(2)
    seen = []
    editor.image_changed.connect(seen.append)
    editor.undo()
    assert (editor.image_id, seen) == (1, [1])
    editor.go_to(2)
    editor.redo()
    assert editor.image_id == 1


def test_signals_say_what_changed(dataset) -> None:
    editor = Editor(dataset)
    changes, history = [], []
    editor.changed.connect(changes.append)
    editor.history_changed.connect(lambda: history.append((editor.undo_label, editor.redo_label)))
    edit = operations.move_landmarks(dataset, 11, {0: (1, 1)})
    editor.apply(edit)
    editor.undo()
    assert [(c.image_id, c.garment_ids) for c in changes] == [(1, (11,)), (1, (11,))]
    assert history == [("Move left collar", ""), ("", "Move left collar")]
    editor.redo()
    assert [(c.do, c.number, c.merged) for c in changes] == [
        ("edit", 1, False),
        ("undo", 1, False),
        ("redo", 1, False),
    ]
    assert [c.edit for c in changes] == [edit] * 3


def test_nudges_close_in_time_are_one_step(dataset) -> None:
    now = [0.0]
    editor = Editor(dataset, clock=lambda: now[0])
    changes = []
    editor.changed.connect(changes.append)
    for x in (41, 42, 43):
        now[0] += 0.1
        editor.apply(operations.move_landmarks(dataset, 11, {0: (x, 20)}), nudge=True)
    assert len(editor.history) == 1
    assert [(c.do, c.number, c.merged) for c in changes] == [
        ("edit", 1, False),
        ("edit", 1, True),
        ("edit", 1, True),
    ]
    now[0] += 5
    editor.apply(operations.move_landmarks(dataset, 11, {0: (44, 20)}), nudge=True)
    assert len(editor.history) == 2
    editor.undo()
    assert dataset.garment(11).xy[0, 0] == 43
    editor.undo()
    assert dataset.garment(11).xy[0, 0] == 40


def test_a_new_edit_forgets_what_was_undone(dataset) -> None:
    editor = Editor(dataset)
    editor.apply(operations.set_reviewed(dataset, 1, True))
    editor.undo()
    editor.apply(operations.move_landmarks(dataset, 11, {0: (1, 1)}))
    assert not editor.can_redo


def test_a_new_edit_leaves_what_was_undone_on_other_images(dataset) -> None:
    editor = Editor(dataset)
    editor.apply(operations.add_garment(dataset, 1, 0)[0])
    editor.undo()
    editor.apply(operations.delete_garment(dataset, 12))
    editor.redo()
    assert [garment.id for garment in dataset.garments_of(1)] == [11, 13]
    editor.undo()
    editor.undo()
    assert state(dataset) == state(small_dataset())


def test_dirty_until_saved_and_again_after_undo(dataset, tmp_path) -> None:
    editor = Editor(dataset)
    assert not editor.dirty
    editor.apply(operations.set_reviewed(dataset, 1, True))
    assert editor.dirty
    editor.save(tmp_path / "out.json")
    assert not editor.dirty
    editor.undo()
    assert editor.dirty
    editor.redo()
    assert not editor.dirty
    editor.apply(operations.set_reviewed(dataset, 1, False))
    assert editor.dirty
    editor.apply(operations.set_reviewed(dataset, 1, True))  # as it was saved
    assert not editor.dirty


def test_a_change_taken_back_by_hand_leaves_nothing_to_save(dataset) -> None:
    dataset.set_value("images", 1, ("fashion",), {"reviewed": True})
    dataset.store.mark_saved()
    editor = Editor(dataset)
    editor.apply(operations.set_reviewed(dataset, 1, False))
    assert editor.dirty
    editor.apply(operations.set_reviewed(dataset, 1, True))
    assert not editor.dirty
    assert len(editor.history) == 2


@pytest.mark.parametrize(
    "odd", ['{ "reviewed":false }', '{"reviewed": false, "rejected": [\n {"keypoints": null}]}']
)
def test_what_was_taken_back_by_hand_can_be_undone_whatever_the_files_layout(tmp_path, odd) -> None:
    """The record is the file's again, to the byte; the edits still know how it was written."""
    document = small_document()
    document["images"][0]["fashion"] = "ours"
    text = json.dumps(document).replace('"ours"', odd)
    (tmp_path / "odd.json").write_text(text)
    editor = Editor(Dataset.load(tmp_path / "odd.json"))
    for reviewed in (True, False):
        editor.apply(operations.set_reviewed(editor.dataset, 1, reviewed))
    assert not editor.dirty
    assert state(editor.dataset).decode() == text
    editor.undo()
    assert editor.dataset.image(1).reviewed
    editor.undo()
    assert state(editor.dataset).decode() == text
    editor.redo()
    assert editor.dataset.image(1).reviewed
    editor.redo()
    assert state(editor.dataset).decode() == text


def test_saving_again_needs_no_word_and_keeps_what_was_there(dataset_file) -> None:
    editor = Editor(Dataset.load(dataset_file))
    assert editor.path == dataset_file
    old = dataset_file.read_bytes()
    written = []
    editor.saved.connect(written.append)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    editor.save()
    assert Dataset.load(dataset_file).image(1).reviewed
    versions = dataset_file.parent / ".small.json.fashion" / "versions"
    assert [path.read_bytes() for path in versions.iterdir()] == [old]
    editor.undo()
    editor.save()
    assert dataset_file.read_bytes() == old
    assert written == [dataset_file, dataset_file]


def test_another_file_that_the_work_is_saved_in_becomes_the_editors(dataset_file, tmp_path) -> None:
    old = dataset_file.read_bytes()
    editor = Editor(Dataset.load(dataset_file))
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    other = tmp_path / "other.json"
    editor.save(other)
    assert (editor.path, editor.is_saved_at(other)) == (other, True)
    assert not editor.is_saved_at(dataset_file)
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    editor.save()
    assert [i.reviewed for i in Dataset.load(other).images] == [True, True, False]
    assert dataset_file.read_bytes() == old


def test_what_another_program_wrote_is_not_overwritten(dataset_file) -> None:
    editor = Editor(Dataset.load(dataset_file))
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    theirs = dataset_file.read_bytes() + b"\n"
    dataset_file.write_bytes(theirs)
    with pytest.raises(ConflictError, match="another program changed this file"):
        editor.save()
    assert dataset_file.read_bytes() == theirs
    assert editor.dirty
    editor.save(keep_mine=True)
    assert Dataset.load(dataset_file).image(1).reviewed
    assert not editor.dirty


def test_a_data_set_without_a_file_has_to_be_given_one(dataset) -> None:
    editor = Editor(dataset)
    assert editor.path is None
    with pytest.raises(CocoError, match="no file yet"):
        editor.save()


def test_a_failed_save_leaves_it_dirty(dataset, tmp_path) -> None:
    editor = Editor(dataset)
    editor.apply(operations.set_reviewed(dataset, 1, True))
    (tmp_path / "out.json").write_text("precious")
    with pytest.raises(FashionError):
        editor.save(tmp_path / "out.json")
    assert editor.dirty
    assert (tmp_path / "out.json").read_text() == "precious"


def test_a_failed_edit_changes_nothing(dataset) -> None:
    editor = Editor(dataset)
    edit = operations.move_landmarks(dataset, 11, {0: (1, 1)})
    editor.apply(edit)
    before = state(dataset)
    with pytest.raises(FashionError):
        editor.apply(edit)
    assert state(dataset) == before
    assert len(editor.history) == 1


def test_selection_follows_what_is_there(dataset) -> None:
    editor = Editor(dataset)
    assert editor.selection == Selection(11)
    editor.select(11, 3)
    editor.apply(operations.delete_garment(dataset, 11))
    assert editor.selection == Selection()
    editor.undo()
    assert editor.selection == Selection(11)
    editor.go_to(1)
    assert editor.selection == Selection(12)
    editor.go_to(99)
    assert (editor.index, editor.selection) == (2, Selection())
