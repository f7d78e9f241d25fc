from __future__ import annotations

import json

import pytest

from exported import document, write
from napari_fashion.cli import main, status
from napari_fashion.coco import Dataset


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in")


def test_a_file_is_exported_with_what_is_left_out_said(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["export-data", str(source), "--to", "yolo", "--out", str(out)]) == status.DONE
    told = capsys.readouterr()
    assert told.out == f"Wrote 3 garments in 4 images to {out}.\n"
    assert "crowd regions, which YOLO cannot hold, left out: annotation 13 of a.png" in told.err
    assert (out / "data.yaml").is_file()
    assert main(["export-data", str(source), "--to", "yolo", "--out", str(out)]) == status.FAILED
    assert "expected a new or empty folder" in capsys.readouterr().err


def test_options_reach_the_export(source, tmp_path):
    out = tmp_path / "out"
    val = write(tmp_path / "in", name="val.json")
    command = ["export-data", str(source), "--val", str(val), "--to", "coco", "--out", str(out),
               "--extras", "--predictions", "--image-files", "copy", "--schema", "deepfashion"]  # fmt: skip
    assert main(command) == status.DONE
    assert sorted(p.name for p in out.iterdir()) == ["images", "train.json", "val.json"]
    again = Dataset.load(out / "train.json")
    assert again.schema.name == "deepfashion"
    assert again.garment(14).source == "model:m"
    assert again.image_root == out / "images"


def test_one_file_is_no_two_parts(source, tmp_path, capsys):
    (tmp_path / "link.json").symlink_to(source)
    command = ["export-data", str(source), "--to", "coco", "--out", str(tmp_path / "out")]
    for again in (source, tmp_path / "link.json"):
        assert main([*command, "--val", str(again)]) == status.FAILED
        assert "is given for train and for val" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_reviewed_images_only(tmp_path, capsys):
    content = document()
    content["images"][1]["fashion"] = {"reviewed": True}
    source = write(tmp_path / "in", content)
    command = ["export-data", str(source), "--to", "coco", "--out", str(tmp_path / "out")]
    assert main([*command, "--only-reviewed"]) == status.DONE
    found = json.loads((tmp_path / "out/annotations.json").read_text())
    assert [r["id"] for r in found["annotations"]] == [14]


@pytest.mark.parametrize("wrong", [["--to", "yola"], ["--image-files", "move"], []])
def test_wrong_usage(source, tmp_path, wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export-data", str(source), "--out", str(tmp_path / "out"), *wrong])
    assert ended.value.code == status.USAGE
    assert not (tmp_path / "out").exists()


def test_an_unknown_schema_is_said(source, tmp_path, capsys):
    command = ["export-data", str(source), "--to", "coco", "--out", str(tmp_path / "out")]
    assert main([*command, "--schema", "trousers"]) == status.FAILED
    assert "No schema 'trousers'" in capsys.readouterr().err
