"""Every edit is in the journal before the next one; what the file lacks comes back with its undo."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edit_at_random import random_step
from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import Edit, SetValue
from napari_fashion.editing.journal import Entry, encode_line, read_journal, read_line
from napari_fashion.editing.opening import open_editor
from napari_fashion.editing.record_changes import journal_changes, unsaved_changes
from napari_fashion.editing.workfiles import JOURNAL, WorkFiles
from napari_fashion.errors import EditError
from small import SCHEMA, opened, small_document


def journal_of(path):
    return WorkFiles(path).find(JOURNAL)


def state(editor: Editor) -> tuple:
    return (
        b"".join(editor.dataset.chunks()),
        editor.history,
        editor.undo_label,
        editor.redo_label,
        editor.dirty,
    )


def by_id(dataset: Dataset) -> dict:
    return {
        (table, key): dataset.text(table, key)
        for table in ("images", "annotations", "categories")
        for key in dataset.store.ids(table)
    }


def test_an_edit_is_on_the_disk_when_apply_returns(dataset_file):
    editor = opened(dataset_file)
    assert journal_of(dataset_file) is None
    editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (41.5, 21)}))
    (line,) = journal_of(dataset_file).read_bytes().splitlines()
    found, edit = read_line(line)
    assert (found.v, found.n, found.do, found.base) == (1, 1, "edit", editor.state.digest)
    assert edit == editor.history[0]
    # and what it names, so that a merge knows what was meant
    named = [(table, key) for table, key, _ in found.was]
    shirt = editor.dataset.garment(11).category_id
    assert named == [("annotations", 11), ("images", 1), ("categories", shirt)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), save_at=st.none() | st.integers(0, 15))
def test_what_the_window_had_is_there_again(tmp_path_factory, seed, save_at):
    """Whatever was done, saved in between or not: the same data set, undo and redo."""
    rng = random.Random(seed)
    path = tmp_path_factory.mktemp("journal") / "small.json"
    path.write_text(json.dumps(small_document(), indent=rng.choice([None, 1])))
    editor = opened(path)
    for i in range(16):
        random_step(editor, rng)
        if i == save_at:
            editor.save()
    image_id, before = editor.image_id, state(editor)
    editor._keeper.journal.close()
    editor.work.release()  # as a killed process leaves it
    again = opened(path)
    again.go_to_image(image_id)
    after = state(again)
    if save_at is None:
        assert after == before
    else:  # what was removed before the save and came back after it is new to the saved file
        assert by_id(again.dataset) == by_id(editor.dataset)
        assert again.dirty == editor.dirty
    editor.work.lock()
    while again.can_undo:
        again.undo()
    if save_at is None:
        assert b"".join(again.dataset.chunks()) == path.read_bytes()
    again.let_go()


def test_nudges_come_back_as_one_step(dataset_file):
    editor = opened(dataset_file)
    for x in (41, 42, 43):
        editor.apply(operations.move_landmarks(editor.dataset, 11, {0: (x, 20)}), nudge=True)
    assert len(editor.history) == 1
    editor.let_go()
    again = opened(dataset_file)
    assert again.history == editor.history
    again.undo()
    assert not again.dirty


def test_a_torn_last_line_costs_that_line(dataset_file):
    editor = opened(dataset_file)
    for i, x in enumerate((41, 51, 61)):
        editor.apply(operations.move_landmarks(editor.dataset, 11, {i % 2: (x, 20)}))
    editor.let_go()
    journal = journal_of(dataset_file)
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for crop in (1, len(lines[2]) // 2, len(lines[2]) - 1):
        journal.write_bytes(whole[:-crop])
        pending = read_journal(journal, editor.state.digest)
        assert (len(pending.entries), pending.damage) == (2, "")
    again = opened(dataset_file)
    assert len(again.history) == 2
    again.apply(operations.set_reviewed(again.dataset, 1, True))
    again.let_go()
    assert len(opened(dataset_file).history) == 3


def test_a_damaged_line_ends_the_reading_and_says_so(dataset_file):
    editor = opened(dataset_file)
    for i, x in enumerate((41, 51, 61)):
        editor.apply(operations.move_landmarks(editor.dataset, 11, {i % 2: (x, 20)}))
    editor.let_go()
    journal = journal_of(dataset_file)
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b"51", b"52", 1)
    journal.write_bytes(b"".join(lines))
    opening = open_editor(dataset_file, schema=SCHEMA)
    assert len(opening.pending.entries) == 1
    assert "Line 2 of the journal" in str(opening.pending)
    assert "2 lines from there on are left out" in str(opening.pending)
    opening.restore()
    assert opening.editor.history == editor.history[:1]
    kept = list(journal.parent.glob("edits-*.jsonl"))
    assert [path.read_bytes() for path in kept] == [b"".join(lines)]
    opening.editor.let_go()
    assert opened(dataset_file).history == editor.history[:1]


def test_taken_back_wholly_leaves_nothing_behind(dataset_file):
    editor = opened(dataset_file)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    editor.undo()
    editor.let_go()
    assert journal_of(dataset_file) is None
    assert open_editor(dataset_file, schema=SCHEMA).pending is None


DYING = """
import os, sys
from napari_fashion.editing import operations
from napari_fashion.editing.opening import open_editor
from napari_fashion.schema import Schema

editor = open_editor(sys.argv[1], schema=Schema.load("garments")).editor
editor.apply(operations.set_reviewed(editor.dataset, 1, True))
replace = os.replace

def dying(a, b):
    if sys.argv[2] == "after":
        replace(a, b)
    os._exit(9)

os.replace = dying
editor.save()
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_moment_when_the_file_gets_its_name_is_no_conflict(dataset_file, moment):
    """Before it the journal fits the old file; afterwards it says that the new one has everything."""
    done = subprocess.run([sys.executable, "-c", DYING, str(dataset_file), moment], check=False)
    assert done.returncode == 9
    assert journal_of(dataset_file) is not None
    assert Dataset.load(dataset_file).image(1).reviewed == (moment == "after")
    opening = open_editor(dataset_file, schema=SCHEMA)
    assert not opening.conflict
    assert (opening.pending is not None) == (moment == "before")
    opening.settle()
    assert opening.editor.dataset.image(1).reviewed


def test_a_journal_that_cannot_be_written_is_told_and_the_edit_is_made(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    told = []
    editor.problem.connect(told.append)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(editor._keeper.journal, "_append", full)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    assert editor.dataset.image(1).reviewed
    assert "No space left on device" in told[0]
    assert "save now" in told[0]


def test_the_journal_alone_tells_what_was_changed(dataset_file):
    rng = random.Random(5)
    editor = opened(dataset_file)
    for _ in range(30):
        random_step(editor, rng)
    pending = read_journal(journal_of(dataset_file), editor.state.digest)
    changes = {c.key: (c.base, c.mine) for c in journal_changes(pending)[0]}
    assert changes == {c.key: (c.base, c.mine) for c in unsaved_changes(editor.dataset)}


def test_a_folder_that_cannot_be_written_keeps_its_journal_in_the_state_folder(
    dataset_file, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    beside = dataset_file.with_name(f".{dataset_file.name}.fashion")
    beside.write_text("in the way")  # as root, a read-only folder does not stop anybody
    editor = opened(dataset_file)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    assert journal_of(dataset_file).is_relative_to(tmp_path / "state")
    editor.let_go()
    assert opened(dataset_file).dataset.image(1).reviewed


STRANGE = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b'{"crc":"00000000"}',
    b'{"crc":"zzzzzzzz","v":1}',
    b"\xff\xfe",
    b"[" * 100_000,
    encode_line({"v": 1}),
    encode_line({"v": 99, "n": 1, "time": "2026-11-29T00:00:00", "base": "", "do": "edit"}),
    encode_line({"v": 1, "n": 1, "time": "yesterday", "base": "", "do": "edit", "edit": {}}),
    encode_line({"v": 1, "n": 1, "time": "2026-11-29T00:00:00", "base": "", "do": "edit"}),
    encode_line({"v": 1, "n": 1, "time": "2026-11-29T00:00:00", "base": "", "do": "saving"}),
    encode_line(
        {"v": 1, "n": 1, "time": "2026-11-29T00:00:00", "base": "", "do": "edit", "edit": [1]}
    ),
]


@pytest.mark.parametrize("line", STRANGE)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(EditError):
        read_line(line)


EDIT = Edit("Move", 1, (SetValue("annotations", 7, ("keypoints", 0), "1.10", "2"),)).to_dict()


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": 0},
        {"v": "1"},
        {"label": 3},
        {"image": [1]},
        {"image": True},
        {"changes": 3},
        {"changes": [3]},
        {"changes": [{"op": "?"}]},
        {"changes": [{"op": "set", "table": "people", "id": 1, "path": ["a"]}]},
        {"changes": [{"op": "set", "table": "images", "id": None, "path": ["a"]}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": []}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": ["id"], "after": "2"}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": [1.5], "after": "2"}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": ["a"], "after": "{"}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": ["a"], "after": 2}]},
        {"changes": [{"op": "set", "table": "images", "id": 1, "path": ["a"], "x": "2"}]},
        {"changes": [{"op": "insert", "table": "images", "id": 1, "record": "3"}]},
        {"changes": [{"op": "insert", "table": "images", "id": 1, "record": '{"id":2}'}]},
        {"changes": [{"op": "remove", "table": "images", "id": 1}]},
        {"more": 1},
    ],
)
def test_what_is_no_edit_is_refused(change):
    assert Edit.from_dict(EDIT).to_dict() == EDIT
    with pytest.raises(EditError):
        Edit.from_dict({**EDIT, **change})


def test_number_texts_survive_the_journal(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"images":[{"id":1,"file_name":"a.png","width":9,"height":9}],"annotations":[{"id":7,"image_id":1,'
        '"category_id":1,"keypoints":[1.10,2.50,2,12345678901234567890,1e1,2]}],'
        '"categories":[{"id":1,"name":"T","keypoints":["left_a","right_a"]}]}'
    )
    editor = opened(path)
    editor.apply(operations.swap_left_right(editor.dataset, 7))
    editor.apply(operations.delete_garment(editor.dataset, 7))
    editor.let_go()
    again = opened(path)
    again.undo()
    again.undo()
    assert b"".join(again.dataset.chunks()) == path.read_bytes()


def test_an_edit_that_does_not_fit_puts_the_journal_aside(dataset_file):
    editor = opened(dataset_file)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    stale = Edit("x", 1, (SetValue("images", 2, ("width",), "77", "78"),))
    editor._keeper.journal.note(Entry(2, datetime.now(), "edit", stale))
    editor.let_go()
    opening = open_editor(dataset_file, schema=SCHEMA)
    told = []
    opening.editor.problem.connect(told.append)
    assert opening.restore() == 1
    assert "found 120, expected 77" in told[0]
    assert len(list(WorkFiles(dataset_file).folders[0].glob("edits-*.jsonl"))) == 1
    opening.editor.let_go()
    again = opened(dataset_file)  # what fits is protected as before
    assert again.dataset.image(1).reviewed
    again.undo()
    assert not again.dirty
