"""The rules of every export: a folder that is new, whole or not at all, and image files in it."""

from __future__ import annotations

import json
import os

import pytest

from exported import SIZES, document, export, write
from napari_fashion.coco import Dataset
from napari_fashion.coco.convert.out import export_data, format_of, formats
from napari_fashion.coco.convert.out.placing import MISSING, RENAMED
from napari_fashion.coco.convert.writers import register_writer
from napari_fashion.errors import CocoError

ALL = [form.name for form in formats() if form.name != "parquet"]


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in")


def files(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_every_format_of_the_issue_is_registered():
    names = [form.name for form in formats()]
    assert names == ["coco", "deepfashion", "mmpose", "openpifpaf", "csv", "parquet", "yolo"]
    with pytest.raises(CocoError, match="did you mean 'yolo'"):
        format_of("yoloo")
    with pytest.raises(ValueError, match="registered twice"):
        register_writer("yolo", title="", images="leave")(lambda work: None)


@pytest.mark.parametrize("name", ALL)
def test_an_export_is_the_same_each_time_and_leaves_the_source_alone(source, tmp_path, name):
    before = {p: p.read_bytes() for p in source.parent.rglob("*") if p.is_file()}
    for folder in ("one", "two"):
        result = export(source, tmp_path / folder, name)
    assert {p: p.read_bytes() for p in source.parent.rglob("*") if p.is_file()} == before
    assert files(tmp_path / "one") == files(tmp_path / "two")
    for file in files(tmp_path / "one"):
        if file != "data.yaml":  # it names the folder
            assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert result.garments > 0
    assert not [p for p in os.listdir(tmp_path) if p.startswith(".fashion")]


@pytest.mark.parametrize("name", ALL)
def test_a_folder_with_something_in_it_is_refused(source, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(CocoError, match="not empty"):
        export(source, out, name)
    assert files(out) == ["mine.txt"]
    with pytest.raises(CocoError, match="no folder"):
        export(source, out / "mine.txt", name)
    (out / "mine.txt").unlink()
    export(source, out, name)
    assert files(out)


@pytest.mark.parametrize("name", ALL)
def test_an_export_that_is_ended_leaves_nothing(source, tmp_path, name):
    done = []

    def advance(n):
        done.append(n)
        if len(done) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_data(
            {"train": Dataset.load(source)}, tmp_path / "out", format_of(name), advance=advance
        )
    assert sorted(os.listdir(tmp_path)) == ["in"]


@pytest.mark.parametrize("how", ["hardlink", "copy", "leave"])
def test_images_are_linked_copied_or_left(source, tmp_path, how):
    export(source, tmp_path / "out", "coco", images=how)
    again = Dataset.load(tmp_path / "out" / "annotations.json")
    assert [image.file_name for image in again.images] == list(SIZES)
    for image in again.images:
        there, original = image.path, source.parent / image.file_name
        assert there.read_bytes() == original.read_bytes()
        assert there.samefile(original) == (how != "copy")
        assert there.resolve().is_relative_to(tmp_path / "out") == (how != "leave")


def test_images_of_one_name_get_two_and_none_leaves_the_folder(tmp_path):
    content = document()
    content["images"][2]["file_name"] = "../a.png"
    source = write(tmp_path / "deep" / "in", content)
    write(tmp_path / "deep")  # ../a.png
    dataset = Dataset.load(source, allow_roots=[tmp_path / "deep"])
    result = export_data({"train": dataset}, tmp_path / "out", format_of("mmpose"))
    assert result.tally.counts[RENAMED] == 1
    assert [f for f in files(tmp_path / "out") if f.startswith("images")] == [
        "images/a-2.png", "images/a.png", "images/empty.png", "images/sub/b b.png"
    ]  # fmt: skip
    records = json.loads((tmp_path / "out/annotations/train.json").read_text())["images"]
    assert records[2]["file_name"] == "a-2.png"


@pytest.mark.parametrize("name", ["mmpose", "yolo", "deepfashion", "openpifpaf"])
def test_missing_images_are_counted(source, tmp_path, name):
    (source.parent / "a.jpg").unlink()
    result = export(source, tmp_path / "out", name)
    assert result.tally.counts[MISSING] == 1
    assert "a.jpg" in result.tally.examples[MISSING][0]


def test_nothing_to_export_is_an_error(source, tmp_path):
    with pytest.raises(CocoError, match="nothing is left to export"):
        export(source, tmp_path / "out", "coco", only_reviewed=True)
    assert sorted(os.listdir(tmp_path)) == ["in"]


@pytest.mark.parametrize("name", ALL)
def test_unseen_guesses_are_left_out_and_counted(source, tmp_path, name):
    result = export(source, tmp_path / "out", name)
    assert result.tally.counts["predicted garments that nobody has reviewed, left out"] == 1
    more = export(source, tmp_path / "more", name, include_predictions=True)
    assert more.garments == result.garments + 1


def test_parts_have_to_share_their_landmarks(source, tmp_path):
    content = document()
    for category in content["categories"]:
        category["keypoints"] = [f"mark {i}" for i in range(8)]
    other = write(tmp_path / "other", content)
    for name in ("yolo", "mmpose", "openpifpaf"):
        with pytest.raises(CocoError, match="expected those of"):
            export({"train": source, "val": other}, tmp_path / "out", name)
    assert not (tmp_path / "out").exists()
