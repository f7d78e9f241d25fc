from __future__ import annotations

import json

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.edits import (
    Edit,
    InsertRecord,
    RemoveRecord,
    SetValue,
    joined,
    set_values,
)
from napari_fashion.errors import EditError, FashionError
from small import small_document


def state(dataset: Dataset) -> bytes:
    """The file as it would be written."""
    return b"".join(dataset.chunks())


def test_an_edit_survives_json_as_one_line(dataset) -> None:
    edits = [
        operations.move_landmarks(dataset, 11, {0: (41.25, 21.0)}),
        operations.set_reviewed(dataset, 1, True),
        operations.delete_garment(dataset, 12),
        operations.add_garment(dataset, 3, 2)[0],
    ]
    for edit in edits:
        line = edit.to_json()
        assert "\n" not in line
        assert Edit.from_json(line) == edit


@pytest.mark.parametrize(
    "line", ["", "{}", "[1]", '{"label":"x","image":1,"changes":[{"op":"?"}]}']
)
def test_what_is_no_edit_is_refused(line) -> None:
    with pytest.raises(EditError, match="Not an edit"):
        Edit.from_json(line)


def test_absent_and_null_are_two_things(dataset) -> None:
    (change,) = set_values(dataset, "images", 1, {"note": None})
    assert (change.before, change.after) == (None, "null")
    Edit("Note", 1, (change,)).apply(dataset)
    assert dataset.text("images", 1, ("note",)) == "null"
    again = Edit.from_json(Edit("Note", 1, (change,)).to_json())
    again.inverse().apply(dataset)
    assert dataset.text("images", 1, ("note",)) is None
    assert "note" not in dataset.to_document()["images"][0]


def test_a_document_changed_behind_the_editor_is_refused_whole(dataset) -> None:
    before = state(dataset)
    good = SetValue("images", 1, ("file_name",), '"1.png"', '"x.png"')
    stale = SetValue("images", 2, ("file_name",), '"other.png"', '"y.png"')
    with pytest.raises(EditError, match=r"other\.png"):
        Edit("Rename", 1, (good, stale)).apply(dataset)
    assert state(dataset) == before


@pytest.mark.parametrize(
    "stale",
    [
        SetValue("images", 2, ("note",), "1", None),
        SetValue("images", 2, ("width",), None, "7"),
        SetValue("images", 99, ("width",), "120", "7"),
        InsertRecord("images", 2, '{"id": 2}'),
        RemoveRecord("images", 2, '{"id": 2}'),
        RemoveRecord("images", 99, '{"id": 99}'),
    ],
)
def test_an_edit_is_made_whole_or_not_at_all(dataset, stale) -> None:
    before = state(dataset)
    gone = operations.delete_garment(dataset, 12)
    with pytest.raises(FashionError):
        Edit("Two things", 2, (*gone.changes, stale)).apply(dataset)
    assert state(dataset) == before


def test_a_list_changes_element_by_element(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (41, 20)})
    assert [c.path for c in edit.changes] == [("keypoints", 0), ("fashion",)]


def test_numbers_keep_their_kind(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (41.0, 20.5)})
    edit.apply(dataset)
    assert dataset.text("annotations", 11, ("keypoints",)).startswith("[41, 20.5, 2, 80, 20, 2,")


def test_numbers_keep_their_text(tmp_path) -> None:
    """What the edit is not about is not rewritten, and undo brings back what it is about."""
    text = json.dumps(small_document()).replace(
        "[40, 20, 2, 80, 20, 2, 10, 90, 2,",
        "[1.10, 1e5, 2,80,20.00,2, 12345678901234567890, -0.0, 2,",
    )
    assert "12345678901234567890" in text
    path = tmp_path / "exact.json"
    path.write_text(text)
    dataset = Dataset.load(path)
    edit = operations.move_landmarks(dataset, 11, {1: (81.5, 20)})
    assert [c.path for c in edit.changes] == [("keypoints", 3), ("fashion",)]
    assert (edit.changes[0].before, edit.changes[0].after) == ("80", "81.5")
    edit.apply(dataset)
    known = dataset.text("annotations", 11, ("keypoints",))
    assert known.startswith("[1.10, 1e5, 2,81.5,20.00,2, 12345678901234567890, -0.0, 2,")
    assert text.count("\n") == state(dataset).decode().count("\n")
    edit.inverse().apply(dataset)
    assert state(dataset).decode() == text

    edit = operations.move_landmarks(dataset, 11, {0: (5, 6), 2: (7, 8)})
    assert [c.before for c in edit.changes[:4]] == ["1.10", "1e5", "12345678901234567890", "-0.0"]
    edit.apply(dataset)
    Edit.from_json(edit.to_json()).inverse().apply(dataset)
    assert state(dataset).decode() == text

    edit = operations.delete_garment(dataset, 11)
    edit.apply(dataset)
    Edit.from_json(edit.to_json()).inverse().apply(dataset)
    assert state(dataset).decode() == text


def test_equal_values_are_no_change(dataset) -> None:
    known = dataset.to_document()["annotations"][0]
    values = {key: known[key] for key in ("keypoints", "bbox", "area", "kept")}
    assert set_values(dataset, "annotations", 11, values) == []
    assert [
        c.path for c in set_values(dataset, "annotations", 11, {"bbox": [5, 5.0, 110, 110]})
    ] == [("bbox", 1)]


def test_joined_is_one_step(dataset) -> None:
    one = operations.move_landmarks(dataset, 11, {0: (41, 20)})
    two = operations.move_landmarks(dataset, 11, {1: (81, 20)})
    both = joined("Move 2 landmarks", [one, None, two])
    assert both.label == "Move 2 landmarks"
    assert both.changes == one.changes + two.changes
    assert joined("Nothing", [None]) is None
