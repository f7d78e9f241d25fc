"""merge, split, validate and stats."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from exported import DRESS, SCHEMA, annotation, document, write
from napari_fashion.cli import main, status
from napari_fashion.coco import Dataset


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "in")


def tree(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_merge_writes_a_file_that_reads(source, tmp_path, capsys):
    other = write(tmp_path / "other")
    before = tree(tmp_path)
    out = tmp_path / "out.json"
    assert main(["merge", str(source), str(other), "--out", str(out)]) == status.DONE
    told = capsys.readouterr()
    assert told.out == f"Wrote 10 garments in 8 images of 2 files to {out}.\n"
    assert "images with another id, since an earlier file has theirs: 4" in told.err
    merged = Dataset.load(out)
    assert len(merged.garments) == 10
    assert all(image.path.is_file() for image in merged.images)
    assert before.items() <= tree(tmp_path).items()
    assert main(["merge", str(source), str(other), "--out", str(out)]) == status.FAILED
    command = ["merge", str(source), str(other), "--out", str(source), "--overwrite"]
    assert main(command) == status.FAILED
    assert "inputs are never written over" in capsys.readouterr().err
    assert before.items() <= tree(tmp_path).items()


def test_split_copies_records_as_they_are(source, tmp_path, capsys):
    out = tmp_path / "parts"
    command = ["split", str(source), "--val", "0.4", "--test", "0.3", "--out", str(out)]
    assert main([*command, "--group", "image"]) == status.DONE
    table = capsys.readouterr().out
    assert "train" in table
    parts = {name: Dataset.load(out / f"{name}.json") for name in ("train", "val", "test")}
    records = [
        r for part in parts.values() for r in json.loads(part.path.read_text())["annotations"]
    ]
    assert sorted(records, key=lambda r: r["id"]) == document()["annotations"]
    names = [image.file_name for part in parts.values() for image in part.images]
    assert sorted(names) == sorted(i["file_name"] for i in document()["images"])
    for part in parts.values():
        assert all(image.path.is_file() for image in part.images)
        assert {g.image_id for g in part.garments} <= set(part.images.ids)
    first = tree(out)
    assert main(command) == status.FAILED  # they exist
    assert main([*command, "--overwrite"]) == status.DONE
    assert tree(out) == first


@pytest.mark.parametrize(
    "wrong", [["--group", "colour"], ["--val", "0"], ["--val", "0.6", "--test", "0.5"]]
)
def test_split_says_what_it_cannot_do(source, tmp_path, wrong, capsys):
    command = ["split", str(source), "--val", "0.5", "--out", str(tmp_path / "parts"), *wrong]
    assert main(command) == status.FAILED
    assert "expected" in capsys.readouterr().err
    assert not (tmp_path / "parts").exists()


def test_split_by_a_key_that_not_all_have(tmp_path, capsys):
    content = document()
    content["images"][1]["pair"] = content["images"][2]["pair"] = 5
    file = write(tmp_path / "in", content)
    command = ["split", str(file), "--val", "0.5", "--out", str(tmp_path / "parts"), "--group"]
    assert main([*command, "key:pear"]) == status.FAILED
    assert "no image and no garment has a number or text under 'pear'" in capsys.readouterr().err
    assert not (tmp_path / "parts").exists()
    assert main([*command, "key:pair"]) == status.DONE
    assert "images without pair, each a group by itself: 2" in capsys.readouterr().err


def test_validate_by_severity(source, tmp_path, capsys):
    assert main(["validate", str(source), "--image-files"]) == status.DONE
    assert capsys.readouterr().out.endswith("4 images, 5 garments, 0 errors, 0 warnings.\n")
    content = document()
    content["annotations"][0]["num_keypoints"] = 1
    odd = write(tmp_path / "in", content, "odd.json")
    assert main(["validate", str(odd)]) == status.DONE
    assert "counts of landmarks that are others  warning      1" in capsys.readouterr().out
    assert main(["validate", str(odd), "--strict"]) == status.INVALID
    capsys.readouterr()
    content["annotations"].append(annotation(77, 99, DRESS, "Dress"))
    bad = write(tmp_path / "in", content, "bad.json")
    assert main(["validate", str(bad), "--json"]) == status.INVALID
    found = json.loads(capsys.readouterr().out)
    assert (found["errors"], found["warnings"]) == (1, 1)
    assert found["problems"][0] == {
        "severity": "error",
        "kind": "annotations of no image",
        "count": 1,
        "examples": [
            {"place": "annotations[5].image_id", "found": "99", "expected": "the id of an image"}
        ],
    }


def test_validate_lists_ids_that_several_records_have(tmp_path, capsys):
    content = document()
    content["annotations"][1]["id"] = content["annotations"][2]["id"] = 11
    content["images"][3]["id"] = 1
    content["annotations"][4]["image_id"] = 99
    bad = write(tmp_path / "in", content)
    assert main(["validate", str(bad), "--json"]) == status.INVALID
    found = {p["kind"]: p for p in json.loads(capsys.readouterr().out)["problems"]}
    assert found["annotations of no image"]["count"] == 1
    assert found["ids that another record has"]["count"] == 3
    examples = [(e["place"], e["found"]) for e in found["ids that another record has"]["examples"]]
    assert examples == [
        ("images[3].id", "1, the id of images[0]"),
        ("annotations[1].id", "11, the id of annotations[0]"),
        ("annotations[2].id", "11, the id of annotations[0]"),
    ]
    assert main(["stats", str(bad)]) == status.FAILED
    assert "is taken by" in capsys.readouterr().err


def test_validate_reads_headers_when_asked(source, capsys):
    content = document()
    content["images"][0]["width"] = 121
    bad = write(source.parent, content, "bad.json")
    (source.parent / "a.jpg").unlink()
    (source.parent / "empty.png").write_bytes(b"no image")
    assert main(["validate", str(bad)]) == status.DONE
    capsys.readouterr()
    assert main(["validate", str(bad), "--image-files", "--json"]) == status.INVALID
    kinds = {p["kind"]: p for p in json.loads(capsys.readouterr().out)["problems"]}
    assert set(kinds) == {
        "missing images", "files that are no images", "images of another size than their record"
    }  # fmt: skip
    assert kinds["images of another size than their record"]["examples"][0]["place"] == "images[0]"


def test_validate_says_once_what_an_image_without_a_name_lacks(tmp_path, capsys):
    content = document()
    del content["images"][3]["file_name"]
    bad = write(tmp_path / "in", content)
    assert main(["validate", str(bad), "--image-files"]) == status.INVALID
    told = capsys.readouterr().out
    place = "images[3].file_name: found image 4: no file_name"
    assert f"{place}; expected the name of an image file.\n" in told


def test_stats_as_json_and_csv_have_the_same_numbers(source, capsys):
    assert main(["stats", str(source), "--json"]) == status.DONE
    found = json.loads(capsys.readouterr().out)
    assert main(["stats", str(source), "--csv"]) == status.DONE
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    value = {
        (r["what"], r["category"], r["landmark"], r["number"]): float(r["value"]) for r in rows
    }
    assert len(value) == len(rows)
    assert value["garments", "Shirt", "", "count"] == found["categories"]["Shirt"] == 1
    single = [r for r in document()["annotations"] if not r["iscrowd"]]
    for i, name in enumerate(SCHEMA.landmarks):
        seen = [r["keypoints"][3 * i + 2] for r in single]
        expected = [seen.count(2), seen.count(1), seen.count(0)]
        assert found["landmarks"][name] == expected
        fields = ("visible", "hidden", "not labelled")
        assert [value["landmarks", "", name, v] for v in fields] == expected
    assert found["landmarks_by_category"]["Pants"] == {
        "left_waistline": [1, 0, 0], "right_waistline": [1, 0, 0], "left_hem": [1, 0, 0],
        "right_hem": [0, 0, 1],
    }  # fmt: skip
    widths = [i["width"] for i in document()["images"]]
    assert found["sizes"]["width"] == [min(widths), np.median(widths), max(widths)]
    assert value["image_width", "", "", "median"] == np.median(widths)
    assert found["sizes"]["garments"]["Pants"] == [65, 65, 65]
    assert found["sizes"]["garments_per_image"] == {
        "0": 1, "1": 2, "2": 1, "3": 0, "4": 0, "5 or more": 0
    }  # fmt: skip


def test_stats_of_odd_records(tmp_path, capsys):
    content = document()
    content["images"][0]["width"] = None
    content["annotations"][0]["bbox"] = ["a"]
    content["annotations"][1]["keypoints"] = [1, 2]
    assert main(["stats", str(write(tmp_path / "in", content)), "--json"]) == status.DONE
    found = json.loads(capsys.readouterr().out)
    assert found["sizes"]["images_of_unknown_size"] == 1
    assert found["sizes"]["garments_without_box"] == 1
    assert main(["stats", str(tmp_path / "in" / "garments.json")]) == status.DONE
    assert "garments: Pants" in capsys.readouterr().out


def test_what_split_and_merge_write_reads_the_images(tmp_path, capsys):
    source = write(tmp_path / "photos")
    noted = document()
    noted["info"]["fashion"] = {"image_root": "../photos"}
    file = tmp_path / "notes" / "a.json"
    file.parent.mkdir()
    file.write_text(json.dumps(noted))
    parts, joined = tmp_path / "x" / "parts", tmp_path / "x" / "y" / "joined.json"
    assert main(["split", str(file), "--val", "0.4", "--out", str(parts)]) == status.DONE
    again = tmp_path / "z" / "u" / "v" / "joined.json"
    assert (
        main(["merge", str(parts / "train.json"), str(parts / "val.json"), "--out", str(joined)])
        == 0
    )
    assert main(["merge", str(joined), "--out", str(again)]) == status.DONE
    assert "no image" not in capsys.readouterr().err
    for path in (parts / "train.json", parts / "val.json", joined, again):
        found = Dataset.load(path)
        assert len(found.images)
        assert not list(found.missing_images())
    assert source.is_file()


@pytest.mark.parametrize(
    "command", [["split", "--val", "0.4", "--out", "o"], ["merge", "--out", "o.json"]]
)
def test_images_that_are_not_where_the_file_says_are_told(tmp_path, monkeypatch, capsys, command):
    source = write(tmp_path / "photos")
    file = tmp_path / "a.json"
    source.rename(file)
    monkeypatch.chdir(tmp_path)
    assert main([command[0], str(file), *command[1:]]) == status.DONE
    told = capsys.readouterr().err
    assert "no image can be read where the file says" in told
    assert "--images" in told
    more = ["--images", "photos", "--overwrite"]
    assert main([command[0], str(file), *command[1:], *more]) == status.DONE
    assert "no image" not in capsys.readouterr().err
    for path in [*tmp_path.glob("o/*.json"), *tmp_path.glob("o.json")]:
        assert not list(Dataset.load(path).missing_images())
