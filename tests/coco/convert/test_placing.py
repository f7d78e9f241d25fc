"""Images of a converted data set: left, linked or copied; what is written, and what never is."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from napari_fashion.cli import main, status
from napari_fashion.coco import Dataset
from napari_fashion.coco.convert import ConvertOptions, Faults, convert, register_format
from napari_fashion.coco.convert.registry import FORMATS
from napari_fashion.errors import ConvertError


@pytest.mark.parametrize("way", ["leave", "hardlink", "symlink", "copy"])
@pytest.mark.parametrize("name", ["deepfashion2", "fashionai", "deepfashion-l"])
def test_images_are_found_from_the_document(formats, tmp_path, way, name):
    source = tmp_path / "data"
    shutil.copytree(formats / name / "data", source)
    written = convert(name, source, tmp_path / "out", ConvertOptions(image_files=way))
    assert (tmp_path / "out" / "images").is_dir() is (way != "leave")
    for document in written:
        dataset = Dataset.load(document.path)
        for image in dataset.images:
            assert image.path.is_file()
            own = os.path.normpath(image.path).startswith(f"{tmp_path}/out/")
            assert own is (way != "leave")
            assert image.path.is_symlink() is (way == "symlink")
            assert (image.path.stat().st_nlink == 2) is (way == "hardlink")


def test_images_of_train_and_validation_with_one_name_stay_apart(formats, tmp_path):
    source = formats / "deepfashion2" / "data"
    convert("deepfashion2", source, tmp_path, ConvertOptions(image_files="copy"))
    for part in ("train", "validation"):
        ours, theirs = (f / part / "image" / "000001.jpg" for f in (tmp_path / "images", source))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_second_conversion_needs_overwrite_and_keeps_what_is_the_same(formats, tmp_path, capsys):
    source = str(formats / "deepfashion2" / "data")
    command = ["convert", "deepfashion2", source, "--out", str(tmp_path / "out")]
    command += ["--image-files", "symlink", "--processes", "0"]
    assert main(command) == status.DONE
    assert main(command) == status.FAILED
    assert "train.json, which exists" in capsys.readouterr().err
    before = os.lstat(tmp_path / "out" / "images" / "train" / "image" / "000001.jpg")
    assert main([*command, "--overwrite"]) == status.DONE
    assert (
        os.lstat(tmp_path / "out" / "images" / "train" / "image" / "000001.jpg").st_ino
        == before.st_ino
    )


def test_another_image_of_that_name_is_not_replaced_unasked(formats, tmp_path):
    other = tmp_path / "images" / "train" / "image" / "000002.jpg"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"mine")
    source = formats / "deepfashion2" / "data"
    with pytest.raises(ConvertError, match="exists already, and is another file than"):
        convert("deepfashion2", source, tmp_path, ConvertOptions(image_files="copy"))
    assert other.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.json"))
    convert("deepfashion2", source, tmp_path, ConvertOptions(image_files="copy"), overwrite=True)
    assert other.read_bytes() == (source / "train" / "image" / "000002.jpg").read_bytes()


def test_a_coco_file_is_never_written_over(tmp_path, capsys):
    data = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "x", "keypoints": ["a"]}],
    }
    (tmp_path / "a.json").write_text(json.dumps(data))
    for source in (tmp_path / "a.json", tmp_path):
        command = ["convert", "coco", str(source), "--out", str(tmp_path), "--overwrite"]
        assert main(command) == status.FAILED
        assert "inputs are never written over" in capsys.readouterr().err
    assert json.loads((tmp_path / "a.json").read_text()) == data


def test_names_that_lead_out_of_the_data_set_are_not_followed(formats, tmp_path):
    source = tmp_path / "data"
    shutil.copytree(formats / "deepfashion-l" / "data", source)
    outside = tmp_path / "secret.jpg"
    shutil.copy(source / "Img" / "img" / "img_00000008.jpg", outside)
    for path in (source / "Anno").iterdir():
        path.write_text(path.read_text().replace("img/img_00000008.jpg", "../../secret.jpg"))
    partition = source / "Eval" / "list_eval_partition.txt"
    partition.write_text(partition.read_text().replace("img/img_00000008.jpg", "../../secret.jpg"))
    faults = Faults()
    convert("deepfashion-l", source, tmp_path / "out", faults=faults)
    names = [
        i["file_name"] for i in json.loads((tmp_path / "out" / "train.json").read_text())["images"]
    ]
    assert "../../secret.jpg" not in names
    (line,) = faults.tally.lines()
    assert "leads out of" in line


def test_a_data_set_without_images_is_told_and_no_size_is_made_up(formats, tmp_path):
    source = tmp_path / "data"
    shutil.copytree(formats / "deepfashion-c-old" / "data", source)
    shutil.rmtree(source / "img")
    with pytest.raises(ConvertError, match="found neither img nor Img/img"):
        convert("deepfashion-c", source, tmp_path / "out")
    (source / "img").mkdir()
    faults = Faults()
    with pytest.raises(ConvertError, match="Nothing of the data set can be converted"):
        convert("deepfashion-c", source, tmp_path / "out", faults=faults)
    assert faults.tally.counts == {"images left out: cannot be read": 24}
    assert list((tmp_path / "out").iterdir()) == []


def test_images_can_lie_elsewhere(formats, tmp_path):
    source = tmp_path / "data"
    shutil.copytree(formats / "deepfashion-l" / "data", source)
    shutil.move(source / "Img", tmp_path / "elsewhere")
    for given in (tmp_path / "elsewhere", tmp_path / "elsewhere" / "img"):
        written = convert("deepfashion-l", source, tmp_path / "out", ConvertOptions(image_root=given),
                          overwrite=True)  # fmt: skip
        assert sum(w.images for w in written) == 22
        assert all(i.path.is_file() for i in Dataset.load(written[0].path).images)


@pytest.mark.parametrize(
    "name", ["deepfashion-c", "deepfashion-l", "deepfashion2", "fashionai", "coco"]
)
def test_another_folder_is_refused_with_what_was_expected(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConvertError, match="expected"):
        convert(name, tmp_path / "empty", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_breaks_in_the_middle_leaves_nothing(formats, tmp_path):
    seen = []

    def watch(text, done, total):
        seen.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert("deepfashion2", formats / "deepfashion2" / "data", tmp_path / "out", watch=watch)
    assert seen == [15]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_format_is_registered_once_and_with_options_that_there_are():
    with pytest.raises(ValueError, match="registered twice"):
        register_format("coco", title="", layout="")(lambda source, options, faults: None)
    with pytest.raises(ValueError, match="takes"):
        register_format("new", title="", layout="", options=("colour",))
    assert list(FORMATS) == ["coco", "deepfashion-c", "deepfashion-l", "deepfashion2", "fashionai"]
