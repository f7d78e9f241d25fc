from __future__ import annotations

import copy
import json

import pytest

from napari_fashion.editing import operations
from napari_fashion.editing.edits import Edit, SetValue, joined, record_changes
from napari_fashion.coco import ABSENT
from napari_fashion.errors import EditError


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
    record = dataset.record("images", 1)
    (change,) = record_changes("images", record, {"note": None})
    assert change.before is ABSENT
    Edit("Note", 1, (change,)).apply(dataset)
    assert record["note"] is None
    again = Edit.from_json(Edit("Note", 1, (change,)).to_json())
    again.inverse().apply(dataset)
    assert "note" not in record


def test_a_document_changed_behind_the_editor_is_refused_whole(dataset) -> None:
    before = copy.deepcopy(dataset.to_document())
    good = SetValue("images", 1, ("file_name",), "1.png", "x.png")
    stale = SetValue("images", 2, ("file_name",), "other.png", "y.png")
    with pytest.raises(EditError, match=r"other\.png"):
        Edit("Rename", 1, (good, stale)).apply(dataset)
    assert dataset.to_document() == before


def test_a_list_changes_element_by_element(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (41, 20)})
    assert [c.path for c in edit.changes] == [("keypoints", 0), ("fashion",)]


def test_numbers_keep_their_kind(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (41.0, 20.5)})
    edit.apply(dataset)
    assert (
        json.dumps(dataset.record("annotations", 11)["keypoints"][:6]) == "[41, 20.5, 2, 80, 20, 2]"
    )


def test_joined_is_one_step(dataset) -> None:
    one = operations.move_landmarks(dataset, 11, {0: (41, 20)})
    two = operations.move_landmarks(dataset, 11, {1: (81, 20)})
    both = joined("Move 2 landmarks", [one, None, two])
    assert both.label == "Move 2 landmarks"
    assert both.changes == one.changes + two.changes
    assert joined("Nothing", [None]) is None
