"""Opening, saving and their conflicts: nothing is overwritten, or lost, without a word."""

from __future__ import annotations

import difflib
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from napari_fashion.coco import Dataset
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.opening import (
    adopt,
    merge_with_disk,
    open_editor,
    pending_of,
    take_theirs,
    with_journal,
    write_with_journal,
)
from napari_fashion.editing.workfiles import JOURNAL, KEPT_VERSIONS, WorkFiles
from napari_fashion.errors import CocoError, ConflictError, EditError
from small import SCHEMA, opened, small_document


def move(editor: Editor, garment: int, x: float) -> None:
    landmark = 0 if garment == 11 else 4
    editor.apply(operations.move_landmarks(editor.dataset, garment, {landmark: (x, 20)}))


def x_of(dataset: Dataset, garment: int) -> float:
    return float(dataset.garment(garment).xy[0 if garment == 11 else 4, 0])


def other_program(path: Path, change, indent=1) -> None:
    """Read, change and write the file as programs do that know nothing of us."""
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=indent))


# -- saving ------------------------------------------------------------------------------------


def test_save_writes_the_opened_file_and_only_what_changed(dataset_file):
    before = dataset_file.read_text()
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    assert editor.dirty
    editor.save()
    assert not editor.dirty
    after = dataset_file.read_text()
    assert Dataset.load(dataset_file).garment(11).xy[0].tolist() == [41.5, 20]
    changed = [
        line[0] + line[1:].strip()
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if line[0] in "+-"
    ]
    assert changed == ["-40,", "+41.5,", "+},", '+"fashion": {', '+"edited": true']
    assert WorkFiles(dataset_file).find(JOURNAL) is None
    editor.undo()
    editor.save()
    assert dataset_file.read_text() == before


def test_the_last_versions_are_kept_and_can_be_restored(dataset_file):
    editor = opened(dataset_file)
    texts = [dataset_file.read_bytes()]
    for i in range(KEPT_VERSIONS + 2):
        move(editor, 11, 50 + i)
        editor.save()
        texts.append(dataset_file.read_bytes())
    versions = editor.work.versions()
    assert [v.path.read_bytes() for v in versions] == texts[-2 : -2 - KEPT_VERSIONS : -1]
    editor.work.restore(versions[2])
    assert dataset_file.read_bytes() == texts[-4]
    assert editor.work.versions()[0].path.read_bytes() == texts[-1]
    fresh, aside = take_theirs(editor)
    assert (x_of(fresh.dataset, 11), aside) == (50 + KEPT_VERSIONS - 2, None)


def test_save_as_goes_on_in_the_new_file(dataset_file, tmp_path):
    before = dataset_file.read_bytes()
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    target = tmp_path / "elsewhere" / "b.json"
    editor.save(target)
    assert dataset_file.read_bytes() == before
    assert pending_of(dataset_file) is None
    move(editor, 11, 42.5)
    assert len(pending_of(target).entries) == 1
    editor.save()
    again = Dataset.load(target)
    assert x_of(again, 11) == 42.5
    assert again.image_root.resolve() == dataset_file.parent.resolve()
    assert again.schema == SCHEMA
    other = tmp_path / "taken.json"
    other.write_text("{}")
    with pytest.raises(CocoError, match="exists already; nothing was written"):
        editor.save(other)


def test_what_cannot_be_written_is_said_and_the_work_stays_dirty(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    before = dataset_file.read_bytes()
    real = os.fsync
    for number, text in (
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.EIO, "Input/output error"),
    ):

        def fail(_fd, number=number):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(
            CocoError, match=f"cannot be written \\({text}\\); what was there before"
        ):
            editor.save()
        monkeypatch.setattr(os, "fsync", real)
        assert editor.dirty
        assert dataset_file.read_bytes() == before
    assert not list(dataset_file.parent.glob("*.tmp"))
    assert not list(dataset_file.parent.glob(".*.tmp"))
    editor.save()
    assert not editor.dirty


def test_a_read_only_file_is_refused(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    dataset_file.chmod(0o444)
    with pytest.raises(CocoError, match="the file is read-only"):
        editor.save()
    assert editor.dirty
    dataset_file.chmod(0o640)
    editor.save()
    assert dataset_file.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_vanished_comes_back_with_the_save(dataset_file, tmp_path):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    gone = dataset_file.parent
    hidden = tmp_path.parent / f"{tmp_path.name}-gone"
    gone.rename(hidden)
    move(editor, 11, 42.5)  # the journal's open file went along
    editor.save()
    assert x_of(Dataset.load(dataset_file), 11) == 42.5


def test_links_are_followed_and_loops_and_long_names_are_sentences(dataset_file, tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to(dataset_file.name)
    editor = opened(link)
    move(editor, 11, 41.5)
    assert len(pending_of(dataset_file).entries) == 1  # one file, one journal
    editor.save()
    assert link.is_symlink()
    assert x_of(Dataset.load(dataset_file), 11) == 41.5
    loop = tmp_path / "loop.json"
    loop.symlink_to("loop.json")
    for target in (loop, tmp_path / ("n" * 300 + ".json")):
        with pytest.raises(CocoError, match="cannot be written"):
            editor.save(target)
        assert editor.path == link
    with pytest.raises(CocoError, match="cannot be read"):
        open_editor(tmp_path / ("n" * 300 + ".json"), schema=SCHEMA)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes of Linux")
def test_extended_attributes_survive(dataset_file):
    try:
        os.setxattr(dataset_file, "user.tag", b"kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    editor.save()
    assert os.getxattr(dataset_file, "user.tag") == b"kept"


# -- another program ---------------------------------------------------------------------------


def test_a_file_that_another_program_changed_is_not_overwritten(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    other_program(dataset_file, lambda d: d["images"][1].update(width=99))
    theirs = dataset_file.read_bytes()
    for _ in range(2):
        with pytest.raises(ConflictError, match="another program changed this file"):
            editor.save()
        assert dataset_file.read_bytes() == theirs
        assert editor.dirty
    editor.save(keep_mine=True)
    assert x_of(Dataset.load(dataset_file), 11) == 41.5
    assert editor.work.versions()[0].path.read_bytes() == theirs


def test_a_file_that_was_only_touched_is_no_conflict(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    data = dataset_file.read_bytes()
    dataset_file.unlink()
    dataset_file.write_bytes(data)
    editor.save()
    assert not editor.dirty


def test_a_change_of_the_same_size_in_the_same_moment_is_seen(dataset_file):
    status = dataset_file.stat()
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    data = dataset_file.read_bytes()
    with dataset_file.open("r+b") as stream:
        stream.write(data.replace(b'"small"', b'"SMALL"'))
    os.utime(dataset_file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(ConflictError):
        editor.save()


def test_theirs_can_be_taken_and_mine_is_put_aside(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    other_program(dataset_file, lambda d: d["images"][1].update(width=99))
    fresh, aside = take_theirs(editor)
    assert fresh.dataset.image(2).width == 99
    assert x_of(fresh.dataset, 11) == 40
    assert not fresh.dirty
    assert b"41.5" in aside.read_bytes()
    move(fresh, 11, 43)
    fresh.save()


def test_different_records_are_merged_and_the_history_comes_along(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    editor.apply(operations.set_reviewed(editor.dataset, 3, True))

    def change(document):
        document["annotations"][1]["keypoints"][12] = 77
        document["images"].append({"id": 4, "file_name": "4.png", "width": 5, "height": 5})
        document["x"] = "theirs"

    other_program(dataset_file, change, indent=None)
    merged = merge_with_disk(editor)
    assert merged.conflicts == []
    fresh = adopt(editor, merged, {})
    fresh.save()
    again = Dataset.load(dataset_file)
    assert (x_of(again, 11), x_of(again, 12)) == (41.5, 77)
    assert again.image(3).reviewed
    assert again.image(4).file_name == "4.png"
    assert again.to_document()["x"] == "theirs"
    assert fresh.undo_label == "Move left collar"  # though their program laid it out anew
    while fresh.can_undo:
        fresh.undo()
    fresh.save()
    again = Dataset.load(dataset_file)
    assert (x_of(again, 11), x_of(again, 12)) == (40, 77)


def test_the_same_layout_keeps_the_history_edit_by_edit(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    move(editor, 11, 42.5)
    other_program(dataset_file, lambda d: d["images"][1].update(width=99))
    fresh = adopt(editor, merge_with_disk(editor), {})
    assert [edit.label for edit in fresh.history] == ["Move left collar"] * 2
    fresh.undo()
    assert (x_of(fresh.dataset, 11), fresh.dataset.image(2).width) == (41.5, 99)


def test_records_that_both_changed_are_shown_and_decided(dataset_file):
    editor = opened(dataset_file)
    move(editor, 11, 41.5)
    move(editor, 12, 42.5)

    def change(document):
        document["annotations"][0]["keypoints"][0] = 77
        document["annotations"][1]["keypoints"][12] = 78

    other_program(dataset_file, change)
    merged = merge_with_disk(editor)
    assert [c.key for c in sorted(merged.conflicts, key=lambda c: c.key)] == [
        ("annotations", 11),
        ("annotations", 12),
    ]
    for conflict in merged.conflicts:
        assert "41.5" in conflict.mine or "42.5" in conflict.mine
        assert "77" in conflict.theirs or "78" in conflict.theirs
        assert conflict.reason == "changed here and on the disk"
    fresh = adopt(editor, merged, {("annotations", 11): "mine"})
    assert (x_of(fresh.dataset, 11), x_of(fresh.dataset, 12)) == (41.5, 78)
    fresh.undo()
    assert (x_of(fresh.dataset, 11), x_of(fresh.dataset, 12)) == (77, 78)


def test_a_change_made_and_taken_back_here_does_not_undo_theirs(dataset_file):
    """The second of two edits would fit their file, and put back what they changed."""
    editor = opened(dataset_file)
    move(editor, 11, 77)
    move(editor, 11, 40)
    other_program(dataset_file, lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 77))
    merged = merge_with_disk(editor)
    fresh = adopt(editor, merged, {})
    expected = 40 if merged.conflicts == [] and fresh.dirty else 77
    assert x_of(fresh.dataset, 11) == expected == 77


def test_new_records_of_both_sides_are_two_records(dataset_file):
    editor = opened(dataset_file)
    dress = SCHEMA.category_index("Dress")
    edit, mine = operations.add_garment(editor.dataset, 3, dress)
    editor.apply(edit)
    editor.apply(operations.place_landmark(editor.dataset, mine, 0, (5, 6)))

    def change(document):
        document["annotations"].append({**document["annotations"][0], "id": mine, "image_id": 2})

    other_program(dataset_file, change)
    merged = merge_with_disk(editor)
    assert (merged.conflicts, merged.renumbered) == ([], {("annotations", 13): 14})
    fresh = adopt(editor, merged, {})
    assert fresh.dataset.garment(13).image_id == 2
    assert fresh.dataset.garment(14).image_id == 3
    assert fresh.dataset.garment(14).xy[0].tolist() == [5, 6]


def test_a_category_that_both_added_is_one(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(small_document(categories=["Pants", "Shirt"]), indent=1))
    dataset = Dataset.load(path, schema=SCHEMA)
    editor = Editor(dataset)
    editor.apply(operations.set_category(dataset, 11, SCHEMA.category_index("Dress")))
    new = dataset.garment(11).category_id

    def change(document):
        skirt = {**document["categories"][0], "id": new, "name": "Skirt"}
        theirs = {**document["categories"][0], "id": new + 1, "name": "Dress"}
        document["categories"] += [skirt, theirs]

    other_program(path, change)
    merged = merge_with_disk(editor)
    assert merged.conflicts == []
    fresh = adopt(editor, merged, {})
    assert fresh.dataset.garment(11).category_id == new + 1
    assert fresh.dataset.category_name(new) == "Skirt"


@pytest.mark.parametrize(
    ("mine", "theirs", "reason"),
    [
        ("change", "remove", "changed here, removed on the disk"),
        ("remove", "change", "removed here, changed on the disk"),
        ("add", "remove image", "its image is not on the disk any more, or called otherwise"),
        ("remove", "remove", None),
    ],
)
def test_what_one_side_removed_and_the_other_changed_is_a_conflict(
    dataset_file, mine, theirs, reason
):
    editor = opened(dataset_file)
    match mine:
        case "change":
            move(editor, 11, 41.5)
        case "remove":
            editor.apply(operations.delete_garment(editor.dataset, 11))
        case "add":
            editor.apply(operations.add_garment(editor.dataset, 1, 0)[0])

    def change(document):
        match theirs:
            case "remove":
                del document["annotations"][0]
            case "change":
                document["annotations"][0]["keypoints"][0] = 77
            case "remove image":
                del document["images"][0]

    other_program(dataset_file, change)
    merged = merge_with_disk(editor)
    assert [c.reason for c in merged.conflicts] == ([reason] if reason else [])
    adopt(editor, merged, {c.key: "mine" for c in merged.conflicts})


# -- the journal and another program -----------------------------------------------------------


def left_behind(path) -> None:
    editor = opened(path)
    move(editor, 11, 41.5)
    editor.let_go()


def test_opening_says_how_many_changes_since_when(dataset_file):
    left_behind(dataset_file)
    opening = open_editor(dataset_file, schema=SCHEMA)
    assert not opening.conflict
    since = opening.pending.entries[0].time
    assert str(opening.pending) == f"1 change since {since:%Y-%m-%d %H:%M} is not saved."
    assert x_of(opening.editor.dataset, 11) == 40
    opening.restore()
    assert x_of(opening.editor.dataset, 11) == 41.5
    assert opening.editor.undo_label == "Move left collar"


def test_pending_changes_can_be_put_aside_as_a_file(dataset_file):
    left_behind(dataset_file)
    opening = open_editor(dataset_file, schema=SCHEMA)
    aside = opening.put_aside()
    assert b"41.5" in aside.read_bytes()
    opening.editor.let_go()
    assert open_editor(dataset_file, schema=SCHEMA).pending is None


def test_a_journal_of_another_version_of_the_file_is_a_conflict_and_merges(dataset_file):
    left_behind(dataset_file)
    other_program(dataset_file, lambda d: d["annotations"][1]["keypoints"].__setitem__(12, 77))
    opening = open_editor(dataset_file, schema=SCHEMA)
    assert opening.conflict
    merged = opening.merge()
    assert merged.conflicts == []
    opening.adopt(merged, {})
    editor = opening.editor
    assert (x_of(editor.dataset, 11), x_of(editor.dataset, 12)) == (41.5, 77)
    editor.undo()
    assert x_of(editor.dataset, 11) == 40
    assert len(list(editor.work.folders[0].glob("edits-*.jsonl"))) == 1


def test_a_journal_that_clashes_waits_for_a_person(dataset_file):
    left_behind(dataset_file)
    other_program(dataset_file, lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 77))
    opening = open_editor(dataset_file, schema=SCHEMA)
    (conflict,) = opening.merge().conflicts
    assert ("41.5" in conflict.mine, "77" in conflict.theirs) == (True, True)
    opening.settle()  # nobody to ask
    assert x_of(opening.editor.dataset, 11) == 77
    assert "do not fit the file; they are in" in opening.note


def test_commands_can_apply_a_journal(dataset_file):
    assert pending_of(dataset_file) is None
    left_behind(dataset_file)
    before = dataset_file.read_bytes()
    pending = pending_of(dataset_file)
    dataset = Dataset.load(dataset_file)
    assert x_of(dataset, 11) == 40
    assert x_of(with_journal(dataset, pending), 11) == 41.5
    assert dataset_file.read_bytes() == before
    other_program(dataset_file, lambda d: d["annotations"][0]["keypoints"].__setitem__(0, 77))
    with pytest.raises(CocoError, match="1 records that another program changed as well"):
        with_journal(Dataset.load(dataset_file), pending_of(dataset_file))


@pytest.mark.parametrize("place", [".", "../images", "../photos"])
def test_a_copy_with_its_journal_finds_its_images_without_the_list(tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))  # nothing can be remembered there
    file = tmp_path / "set" / "in" / "small.json"
    file.parent.mkdir(parents=True)
    document = small_document()
    if place == "../photos":
        document["info"] = {"fashion": {"image_root": place}}
    file.write_text(json.dumps(document))
    for image in document["images"]:
        path = file.parent / place / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        PilImage.new("RGB", (120, 120)).save(path)
    left_behind(file)
    copy = write_with_journal(file, pending_of(file), tmp_path / "far" / "away")
    dataset = Dataset.load(copy)
    assert x_of(dataset, 11) == 41.5
    assert not dict(dataset.missing_images())
    copy.rename(copy.with_name("other.json"))  # any other file that notes the same is not believed
    other = Dataset.load(copy.with_name("other.json"))
    assert bool(dict(other.missing_images())) == (place != ".")


# -- two windows -------------------------------------------------------------------------------

HOLD = """
import sys, time
from napari_fashion.editing.workfiles import WorkFiles
from pathlib import Path
work = WorkFiles(Path(sys.argv[1]))
print(work.lock(), flush=True)
sys.stdin.read()
"""


def test_a_second_window_is_told_who_has_it_and_may_read(dataset_file):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(dataset_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "None\n"
        opening = open_editor(dataset_file, schema=SCHEMA)
        editor = opening.editor
        assert editor.holder.process == other.pid
        assert x_of(editor.dataset, 11) == 40
        with pytest.raises(EditError, match=f"open elsewhere.*process {other.pid}"):
            move(editor, 11, 41.5)
        with pytest.raises(EditError, match="open elsewhere"):
            editor.save()
        assert not editor.dirty
        other.kill()  # however it ends
        other.wait()
    editor.take_up()
    assert editor.holder is None
    move(editor, 11, 41.5)


def test_two_windows_of_one_program_are_two_windows(dataset_file):
    first, second = opened(dataset_file), opened(dataset_file)
    assert first.holder is None
    assert second.holder.process == os.getpid()
    first.let_go()
    second.take_up()
    assert second.holder is None


# -- folders -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a", "b"):
        image = np.full((30, 40, 3), 90, np.uint8)
        PilImage.fromarray(image).save(tmp_path / f"{name}.png")
    return tmp_path


def test_a_folder_is_saved_to_one_file_in_it_and_opens_there(folder):
    editor = opened(folder)
    assert not editor.dirty
    assert sorted(p.name for p in folder.glob("[!.]*")) == ["a.png", "b.png"]
    editor.apply(operations.add_garment(editor.dataset, 1, 0)[0])
    editor.save()
    assert editor.path == folder / "annotations.json"
    editor.let_go()
    again = opened(folder)
    assert len(again.dataset.garments) == 1
    assert again.dataset.image(1).path.is_file()
    document = json.loads((folder / "annotations.json").read_text())
    assert document["info"]["fashion"] == {"schema": "garments", "image_root": "."}


def test_edits_of_a_folder_that_was_never_saved_come_back_to_their_images(folder):
    editor = opened(folder)
    editor.apply(operations.set_reviewed(editor.dataset, 2, True))
    editor.let_go()
    PilImage.new("RGB", (9, 9)).save(folder / "0.png")  # it would be the first by name
    again = opened(folder)
    assert [i.file_name for i in again.dataset.images if i.reviewed] == ["b.png"]
    again.save()
    again.let_go()
    opening = open_editor(folder, schema=SCHEMA)
    assert opening.note == "1 new images of the folder were added."
    assert [i.file_name for i in opening.editor.dataset.images] == ["a.png", "b.png", "0.png"]
    opening.editor.undo()
    assert opening.editor.n_images == 2


def test_another_file_of_that_name_is_left_alone(folder):
    (folder / "annotations.json").write_text('{"something": "else"}')
    editor = opened(folder)
    editor.apply(operations.set_reviewed(editor.dataset, 1, True))
    editor.save()
    assert (folder / "annotations.json").read_text() == '{"something": "else"}'
    assert editor.path == folder / "annotations-2.json"


def test_results_open_as_the_models_annotations_and_are_saved_beside(folder):
    from napari_fashion.coco import write_results

    listing = Dataset.from_folder(folder, schema=SCHEMA)
    listing.save(folder / "found.images.json")
    result = {
        "image_id": 2,
        "category_id": 4,
        "keypoints": [1.5, 2, 2] * 8,
        "score": 0.75,
        "keypoint_scores": [0.5] * 8,
        "bbox": [1.5, 2, 0, 0],
        "category_scores": {"Dress": 0.9},
        "source": "model:abc",
        "x-mine": 1,
    }
    write_results([result], folder / "found.json")
    editor = opened(folder / "found.json")
    (garment,) = editor.dataset.garments_of(2)
    assert (garment.source, garment.score, garment.category_name) == ("model:abc", 0.75, "Dress")
    assert not garment.touched_by_human
    assert garment.landmark_scores.tolist() == [0.5] * 8
    editor.save()
    assert editor.path == folder / "found-annotated.json"
    assert json.loads((folder / "found.json").read_text()) == [result]
    record = json.loads(editor.path.read_text())["annotations"][0]
    assert (record["x-mine"], record["num_keypoints"]) == (1, 8)


def test_temporary_files_of_dead_processes_are_gone_after_the_next_open(dataset_file):
    from napari_fashion import files

    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    dead = dataset_file.with_name(f".fashion-{files._HOST}-{int(done.stdout)}-00ff.tmp")
    alive = dataset_file.with_name(f".fashion-{files._HOST}-{os.getpid()}-00ff.tmp")
    foreign = dataset_file.with_name(".fashion-zzzzzz-1-00ff.tmp")
    for path in (dead, alive, foreign):
        path.write_bytes(b"half")
    opened(dataset_file).let_go()
    assert [p.exists() for p in (dead, alive, foreign)] == [False, True, True]
