"""Where disks, programs and people do the unexpected, what was done is still there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import sys

import filelock
import numpy as np
import pytest
from PIL import Image as PilImage

from napari_fashion.app.session import Session
from napari_fashion.coco import Dataset, columns, export, find_problems, statistics
from napari_fashion.coco.problems import missing_images
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import Edit, SetValue
from napari_fashion.editing.journal import Journal
from napari_fashion.editing.opening import (
    adopt,
    merge_with_disk,
    open_editor,
    pending_of,
    take_theirs,
)
from napari_fashion.editing.workfiles import JOURNAL, WorkFiles
from napari_fashion.errors import CocoError, ConflictError, EditError, FashionError
from small import SCHEMA, opened


def review(editor: Editor, image_id: int, reviewed: bool = True) -> None:
    editor.apply(operations.set_reviewed(editor.dataset, image_id, reviewed))


def killed(editor: Editor) -> None:
    """Leave everything as a killed process does."""
    if editor._keeper.journal is not None:
        editor._keeper.journal.close()
        editor._keeper.journal = None
    editor.work.release()


def reviewed(path) -> list:
    return [image.id for image in opened(path).dataset.images if image.reviewed]


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


# -- decisions ---------------------------------------------------------------------------------


def test_not_deciding_leaves_the_changes_for_the_next_time(dataset_file):
    editor = opened(dataset_file)
    review(editor, 1)
    killed(editor)
    opening = open_editor(dataset_file, schema=SCHEMA)
    for act in (lambda: review(opening.editor, 2), opening.editor.save):
        with pytest.raises(EditError, match="wait for a decision"):
            act()
    opening.editor.let_go()
    assert len(pending_of(dataset_file).entries) == 1
    assert reviewed(dataset_file) == [1]


def test_a_person_who_does_not_open_after_all_goes_on_as_before(dataset_file):
    session = Session()
    session.open(dataset_file)
    review(session.editor, 1)

    def decline(opening):
        raise FashionError("no")

    with pytest.raises(FashionError, match="no"):
        session.open(dataset_file, decline)
    assert session.editor.holder is None
    review(session.editor, 2)
    killed(session.editor)
    assert reviewed(dataset_file) == [1, 2]


def test_saving_over_a_file_with_a_journal_puts_that_aside(dataset_file, tmp_path):
    other = tmp_path / "b.json"
    shutil.copy(dataset_file, other)
    editor = opened(other)
    review(editor, 3)
    killed(editor)
    editor = opened(dataset_file)
    review(editor, 1)
    told = []
    editor.problem.connect(told.append)
    editor.save(other, overwrite=True)
    assert "had changes that were not saved" in told[0]
    review(editor, 2)
    killed(editor)
    assert reviewed(other) == [1, 2]
    assert len(list(WorkFiles(other).folders[0].glob("edits-*.jsonl"))) == 1


def test_a_window_that_may_only_look_stays_so(dataset_file):
    first = opened(dataset_file)
    review(first, 1)
    first.save()
    second = open_editor(dataset_file, schema=SCHEMA).editor
    with pytest.raises(CocoError, match="is open elsewhere"):
        second.work.restore(second.work.versions()[0])
    fresh, _ = take_theirs(second)
    assert fresh.holder is not None
    with pytest.raises(EditError, match="open elsewhere"):
        review(fresh, 2)


# -- the journal -------------------------------------------------------------------------------


def test_a_journal_that_failed_once_has_everything_when_it_works_again(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    told = []
    editor.problem.connect(told.append)
    review(editor, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "_append", full_disk)
        review(editor, 2)
        assert not editor.is_journaled
        assert "No space left on device" in told[0]
    review(editor, 3)
    assert editor.is_journaled
    killed(editor)
    assert reviewed(dataset_file) == [1, 2, 3]


def test_a_work_folder_that_vanished_is_made_again(dataset_file):
    editor = opened(dataset_file)
    review(editor, 1)
    shutil.rmtree(editor.work.folders[0])
    review(editor, 2)
    killed(editor)
    assert reviewed(dataset_file) == [1, 2]


def other_program(path, change=lambda d: d["images"][1].update(width=99)) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_merge_on_a_full_disk_leaves_the_old_journal(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    review(editor, 1)
    other_program(dataset_file)
    merged = merge_with_disk(editor)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(CocoError, match="the journal cannot be written"):
            adopt(editor, merged, {})
    review(editor, 3)
    killed(editor)
    assert reviewed(dataset_file) == [1, 3]


def test_a_merge_at_opening_that_fails_is_not_half_made(dataset_file):
    editor = opened(dataset_file)
    review(editor, 1)
    drop = [operations.remove_record(editor.dataset, "images", key) for key in (2, 3)]
    editor.apply(Edit("Drop images", 1, tuple(drop)))
    killed(editor)
    other_program(dataset_file, lambda d: d.update(images=d["images"][1:]))
    opening = open_editor(dataset_file, schema=SCHEMA)
    before = b"".join(opening.editor.dataset.chunks())
    merged = opening.merge()
    assert {c.key for c in merged.conflicts} == {("images", 1), ("images", 2)}
    with pytest.raises(EditError, match="would leave no image"):
        opening.adopt(merged, {("images", 2): "mine"})
    assert b"".join(opening.editor.dataset.chunks()) == before
    assert opening.pending is not None
    opening.settle()
    review(opening.editor, 3)
    killed(opening.editor)
    assert reviewed(dataset_file) == [3]


def test_a_garment_with_a_key_twice_can_be_deleted_and_comes_back(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(
        '{"images":[{"id":1,"file_name":"1.png","width":9,"height":9}],"annotations":[{"id":7,"image_id":1,'
        '"category_id":1,"iscrowd":0,"iscrowd":0}],"categories":[{"id":1,"name":"T","keypoints":["a"]}]}'
    )
    editor = opened(path)
    editor.apply(operations.delete_garment(editor.dataset, 7))
    review(editor, 1)
    killed(editor)
    again = opened(path)
    assert len(again.history) == 2
    again.undo()
    again.undo()
    assert b"".join(again.dataset.chunks()) == path.read_bytes()


def test_a_journal_cannot_be_kept_and_the_person_is_told(dataset_file, monkeypatch):
    monkeypatch.setattr(WorkFiles, "folder", full_disk)
    session = Session()
    opening = session.open(dataset_file)
    assert "No journal can be kept" in opening.note
    assert not opening.editor.is_journaled
    review(opening.editor, 1)
    opening.editor.save()  # without an earlier version, rather than not at all
    assert Dataset.load(dataset_file).image(1).reviewed


@pytest.mark.parametrize("why", [OSError(errno.ENOLCK, "no locks"), NotImplementedError()])
def test_two_windows_are_told_of_each_other_without_a_systems_lock(dataset_file, monkeypatch, why):
    def refuse(*_args, **_kwargs):
        raise why

    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    first, second = opened(dataset_file), open_editor(dataset_file, schema=SCHEMA).editor
    assert first.holder is None
    assert second.holder.process == os.getpid()
    first.let_go()
    second.take_up()
    assert second.holder is None


def test_what_a_journal_lacks_is_written_before_it_is_let_go_or_put_aside(
    dataset_file, monkeypatch
):
    for leave in ("let go", "take theirs", "adopt"):
        editor = opened(dataset_file)
        review(editor, 1)
        with monkeypatch.context() as patch:
            patch.setattr(Journal, "_append", full_disk)
            review(editor, 2)
        assert not editor.is_journaled
        if leave == "let go":
            editor.let_go()
            editor.take_up()
            review(editor, 3)
            killed(editor)
            assert reviewed(dataset_file) == [1, 2, 3]
            open_editor(dataset_file, schema=SCHEMA).put_aside()
            continue
        before = dataset_file.read_text()
        other_program(dataset_file, lambda d: d["images"][1].update(width=99))
        if leave == "take theirs":
            fresh, aside = take_theirs(editor)
        else:
            fresh = adopt(editor, merge_with_disk(editor), {("images", 2): "theirs"})
            aside = sorted(editor.work.folders[0].glob("edits-*.jsonl"), key=os.path.getmtime)[-1]
        assert aside.read_text().count('"Mark reviewed"') == 2
        fresh.let_go()
        dataset_file.write_text(before)
        for path in editor.work.folders[0].glob("*.jsonl"):
            path.unlink()


@pytest.mark.parametrize("torn", [b"", b"half a li"])
def test_what_comes_after_a_damaged_line_can_be_read(dataset_file, monkeypatch, torn):
    editor = opened(dataset_file)
    for image_id in (1, 2):
        review(editor, image_id)
    killed(editor)
    journal = WorkFiles(dataset_file).find(JOURNAL)
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1].replace(b"crc", b"CRC") + torn)
    opening = open_editor(dataset_file, schema=SCHEMA)
    assert "Line 2" in opening.pending.damage
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        opening.restore()
    assert not opening.editor.is_journaled
    review(opening.editor, 3)
    killed(opening.editor)
    assert reviewed(dataset_file) == [1, 3]


def test_a_journal_that_another_window_made_meanwhile_is_put_aside(dataset_file):
    editor = opened(dataset_file)
    review(editor, 1)
    editor.let_go()
    other = opened(dataset_file)
    review(other, 2)
    other.let_go()
    editor.take_up()
    review(editor, 3)
    killed(editor)
    assert reviewed(dataset_file) == [1, 3]
    (aside,) = editor.work.folders[0].glob("edits-*.jsonl")
    assert aside.read_text().count('"Mark reviewed"') == 2


# -- versions ----------------------------------------------------------------------------------


def test_a_save_that_failed_leaves_no_link_to_the_file(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    review(editor, 1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        with pytest.raises(CocoError, match="cannot be written"):
            editor.save()
    assert editor.work.versions() == []
    assert dataset_file.stat().st_nlink == 1


@pytest.mark.parametrize("other_name", ["hard", "symbolic"])
def test_a_version_of_a_file_with_another_name_is_a_copy(dataset_file, tmp_path, other_name):
    editor = opened(dataset_file)
    before = dataset_file.read_bytes()
    review(editor, 1)
    if other_name == "hard":
        os.link(dataset_file, tmp_path / "other.json")
    else:
        dataset_file.rename(tmp_path / "other.json")
        dataset_file.symlink_to(tmp_path / "other.json")
    editor.save()
    with (tmp_path / "other.json").open("r+b") as stream:
        stream.write(b"written into")
    assert editor.work.versions()[0].path.read_bytes() == before


def test_a_change_while_the_file_is_written_is_a_conflict(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    review(editor, 1)
    fsync = os.fsync
    done = []

    def slow(descriptor):
        if not done:
            done.append(1)
            other_program(dataset_file)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow)
    with pytest.raises(ConflictError):
        editor.save()
    assert json.loads(dataset_file.read_text())["images"][1]["width"] == 99


def test_versions_stay_in_order_when_the_clock_goes_back(dataset_file, monkeypatch):
    from napari_fashion.editing import workfiles

    editor = opened(dataset_file)
    moment = [10**18]
    monkeypatch.setattr(workfiles.time, "time_ns", lambda: moment[0])
    texts = []
    for i in range(8):
        texts.append(dataset_file.read_bytes())
        review(editor, 1, i % 2 == 0)
        editor.save()
        moment[0] -= 10**15
    assert [v.path.read_bytes() for v in editor.work.versions()] == texts[:-6:-1]


def test_versions_stay_when_a_restore_or_a_save_fails(dataset_file, monkeypatch):
    editor = opened(dataset_file)
    for i in range(6):
        review(editor, 1, i % 2 == 0)
        editor.save()
    before = [v.path.read_bytes() for v in editor.work.versions()]
    review(editor, 2)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        for _ in range(3):
            with pytest.raises(CocoError):
                editor.work.restore(editor.work.versions()[-1])
            with pytest.raises(CocoError):
                editor.save()
    assert [v.path.read_bytes() for v in editor.work.versions()] == before


def test_an_interrupt_after_the_file_has_its_name_is_a_save(dataset_file, monkeypatch):
    from napari_fashion import files

    editor = opened(dataset_file)
    before = dataset_file.read_bytes()
    review(editor, 1)

    def interrupt(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync_folder", interrupt)
        with pytest.raises(KeyboardInterrupt):
            editor.save()
    assert not editor.dirty
    assert [v.path.read_bytes() for v in editor.work.versions()] == [before]
    review(editor, 2)
    editor.save()


def test_a_file_saved_between_reading_and_locking_is_read_again(dataset_file, monkeypatch):
    lock = WorkFiles.lock

    def late(self):
        monkeypatch.setattr(WorkFiles, "lock", lock)
        other_program(dataset_file)
        return lock(self)

    monkeypatch.setattr(WorkFiles, "lock", late)
    editor = open_editor(dataset_file, schema=SCHEMA).editor
    assert editor.dataset.image(2).width == 99
    review(editor, 1)
    editor.save()


# -- folders -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "c"):
        PilImage.fromarray(np.full((30, 40, 3), 90, np.uint8)).save(tmp_path / f"{name}.png")
    return tmp_path


def image(folder, name) -> None:
    PilImage.new("RGB", (9, 9)).save(folder / name)


def test_a_base_that_the_journal_is_not_of_is_not_used(folder):
    editor = opened(folder)
    review(editor, 1)
    killed(editor)
    opening = open_editor(folder, schema=SCHEMA)
    opening.put_aside()
    killed(opening.editor)
    image(folder, "a.png")
    editor = opened(folder)
    editor.go_to(0)
    editor.apply(operations.add_garment(editor.dataset, editor.image_id, 0)[0])
    killed(editor)
    again = opened(folder)
    assert [i.file_name for i in again.dataset.images] == ["a.png", "b.png", "c.png"]
    assert [i.file_name for i in again.dataset.images if i.garments] == ["a.png"]


def test_images_stay_while_garments_are_on_them(folder):
    editor = opened(folder)
    review(editor, 1)
    editor.save()
    editor.let_go()
    for name in ("d.png", "e.png"):
        image(folder, name)
    editor = opened(folder)
    editor.go_to(3)
    editor.apply(operations.add_garment(editor.dataset, editor.image_id, 0)[0])
    editor.go_to(2)
    editor.undo()
    assert (len(editor.dataset.garments), editor.n_images) == (0, 4)
    editor.undo()
    assert editor.n_images == 2


def test_an_id_that_an_annotation_names_is_not_given_to_another_image(dataset_file):
    other_program(dataset_file, lambda d: d["annotations"][0].update(image_id=40))
    assert Dataset.load(dataset_file).next_id("images") == 41


def test_a_damaged_file_of_a_folder_is_not_passed_over(folder):
    editor = opened(folder)
    review(editor, 1)
    editor.save()
    editor.let_go()
    path = folder / "annotations.json"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CocoError, match="is damaged"):
        open_editor(folder, schema=SCHEMA)


def test_images_are_found_from_a_file_of_another_name_beside(tmp_path, dataset_file):
    (tmp_path / "photos").mkdir()
    for i in (1, 2, 3):
        image(tmp_path / "photos", f"{i}.png")
    path = tmp_path / "photos.json"
    shutil.copy(dataset_file, path)
    for i in (1, 2, 3):
        (tmp_path / f"{i}.png").unlink(missing_ok=True)
    editor = opened(path)
    editor.save(tmp_path / "photos-annotated.json")
    assert missing_images(Dataset.load(tmp_path / "photos-annotated.json")) == []


# -- records -----------------------------------------------------------------------------------


def test_another_tools_value_under_our_key_is_not_overwritten(dataset_file):
    other_program(
        dataset_file,
        lambda d: [r.update(fashion=["vintage"]) for r in (d["annotations"][0], d["images"][0])],
    )
    editor = opened(dataset_file)
    for act in (
        lambda: operations.move_landmarks(editor.dataset, 11, {0: (1, 2)}),
        lambda: operations.set_category(editor.dataset, 11, 0),
        lambda: operations.set_reviewed(editor.dataset, 1, True),
    ):
        with pytest.raises(EditError, match="expected an object of ours"):
            editor.apply(act())


def test_numbers_beside_ours_keep_their_text(tmp_path, dataset_file):
    text = dataset_file.read_text().replace(
        '"score": 0.8', '"score": 0.80,\n "big": 12345678901234567890.5'
    )
    dataset_file.write_text(text)
    editor = opened(dataset_file)
    editor.apply(operations.move_landmarks(editor.dataset, 12, {4: (1, 2)}))
    assert '"score": 0.80,\n "big": 12345678901234567890.5' in editor.dataset.text(
        "annotations", 12
    )


@pytest.mark.parametrize("place", [(float("nan"), 1), (1, float("inf"))])
def test_a_landmark_is_put_at_finite_places_only(dataset, place):
    with pytest.raises(EditError, match="expected finite places"):
        operations.move_landmarks(dataset, 11, {0: place})


def test_an_edit_that_fails_in_an_unexpected_way_is_taken_back_whole(dataset, monkeypatch):
    before = b"".join(dataset.chunks())
    good = SetValue("images", 1, ("width",), "120", "121")
    bad = SetValue("images", 2, ("width",), "120", "121")

    def explode(self, _):
        raise RecursionError

    monkeypatch.setattr(
        SetValue, "apply", lambda self, d: (explode if self.id == 2 else apply)(self, d)
    )
    apply = lambda self, d: d.set_text(self.table, self.id, self.path, self.after)  # noqa: E731
    with pytest.raises(RecursionError):
        Edit("x", 1, (good, bad)).apply(dataset)
    assert b"".join(dataset.chunks()) == before


def test_of_a_landmark_named_twice_the_first_triplet_counts_in_both_directions():
    names = ["a", "b", "a"]
    dataset = Dataset.from_document(
        {
            "images": [{"id": 1, "file_name": "1.png", "width": 9, "height": 9}],
            "annotations": [
                {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 2]}
            ],
            "categories": [{"id": 1, "name": "T", "keypoints": names}],
        }
    )
    Editor(dataset).apply(operations.move_landmarks(dataset, 1, {0: (7, 8)}))
    assert dataset.garment(1).xy[0].tolist() == [7, 8]


LONG = "n" * 300
HUGE = 10**400
ODD = {
    "info null": lambda d: d.update(info=None),
    "long file name": lambda d: d["images"][0].update(file_name=LONG),
    "long root": lambda d: d["info"].update(fashion={"image_root": LONG}),
    "null character": lambda d: d["info"].update(fashion={"image_root": "a\0b"}),
    "half surrogate": lambda d: d["info"].update(fashion={"image_root": "\ud800"}),
    "huge scores": lambda d: d["annotations"][1].update(
        fashion={"source": "model:x", "score": HUGE, "keypoint_scores": [HUGE] * 8}
    ),
    "huge category score": lambda d: d["annotations"][1].update(
        fashion={"category_scores": {"Dress": HUGE}}
    ),
    "huge count": lambda d: d["annotations"][0].update(num_keypoints=10**30),
    "huge keypoint": lambda d: d["annotations"][0]["keypoints"].__setitem__(0, HUGE),
    "huge sigma": lambda d: d["info"].update(
        fashion={"schema": {**SCHEMA.to_dict(), "landmarks": [{"name": "a", "sigma": HUGE}]}}
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_values_end_in_an_answer_or_a_sentence(dataset_file, tmp_path, name):
    other_program(dataset_file, ODD[name])
    dataset = Dataset.load(dataset_file)
    assert all(map(str, find_problems(dataset)))
    assert all(map(str, missing_images(dataset)))
    columns(dataset)
    statistics(dataset)
    for garment in dataset.garments:
        assert (garment.score, garment.landmark_scores.shape) is not None
    target = tmp_path / "out" / "a.json"
    export(dataset, target, include_predictions=True)
    Dataset.load(target)
    assert opened(dataset_file).dataset.images


@pytest.mark.parametrize("data", [b"[", b'[{"a": 1', b"[\xff]", b"[" * 5000 + b"]" * 5000, b"[3]"])
def test_results_that_cannot_be_read_are_a_sentence(tmp_path, dataset_file, data):
    shutil.copy(dataset_file, tmp_path / "r.images.json")
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(CocoError):
        Dataset.load(tmp_path / "r.json")


@pytest.mark.parametrize("name", ["a\0b.json", "\ud800.json", LONG + ".json"])
def test_names_that_no_file_can_have_are_a_sentence(tmp_path, dataset_file, name):
    with pytest.raises(CocoError):
        open_editor(tmp_path / name, schema=SCHEMA)
    editor = opened(dataset_file)
    with pytest.raises(CocoError):
        editor.save(tmp_path / name)


def test_the_other_program_left_nothing(dataset_file):
    editor = opened(dataset_file)
    review(editor, 1)
    other_program(dataset_file, lambda d: d.update(images=[], annotations=[]))
    for act in (take_theirs, merge_with_disk):
        with pytest.raises(CocoError, match="has no images now"):
            act(editor)
    assert editor.is_journaled
    dataset_file.write_text("{")
    for act in (take_theirs, merge_with_disk):
        with pytest.raises(CocoError, match="not valid JSON"):
            act(editor)
    editor.save(keep_mine=True)
    assert reviewed_in(dataset_file) == [1]


def reviewed_in(path) -> list:
    return [image.id for image in Dataset.load(path).images if image.reviewed]


def test_a_deep_record_is_edited_or_refused_and_never_lost(dataset_file):
    depth = sys.getrecursionlimit() - 60
    deep = "[" * depth + "]" * depth
    text = dataset_file.read_text().replace(
        '"file_name": "1.png"', f'"file_name": "1.png", "x": {deep}'
    )
    dataset_file.write_text(text)
    with contextlib.suppress(FashionError):
        editor = opened(dataset_file)
        review(editor, 2)
        with contextlib.suppress(FashionError):  # by how deep the caller is
            review(editor, 1)
        editor.save()
    assert deep in dataset_file.read_text()


def test_many_landmarks_are_one_change(dataset):
    edit = operations.delete_landmarks(dataset, 11, range(8))
    assert edit.changes[0].path == ("keypoints",)
    before = b"".join(dataset.chunks())
    editor = Editor(dataset)
    editor.apply(edit)
    assert not dataset.garment(11).visibility.any()
    editor.undo()
    assert b"".join(dataset.chunks()) == before


def test_a_journal_is_found_whichever_name_the_file_goes_by(dataset_file, tmp_path):
    editor = opened(dataset_file)
    review(editor, 1)
    killed(editor)
    (tmp_path / "link.json").symlink_to(dataset_file)
    assert WorkFiles(tmp_path / "link.json").find(JOURNAL) is not None
