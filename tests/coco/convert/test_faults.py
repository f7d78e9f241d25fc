"""Data sets with one fault each: told with file, line, found and expected, by the command itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from miniatures import FORMATS, differences, faults
from napari_fashion.cli import main, status

NAMES = sorted(path.name for path in (FORMATS / "faults").iterdir())
DOCUMENTS = {
    "deepfashion-c-old": ("deepfashion-c", "", {"train": "train", "val": "val", "test": "test"}),
    "deepfashion-c": ("deepfashion-c", "fine", {"train": "train", "val": "val", "test": "test"}),
    "deepfashion-l": ("deepfashion-l", "", {"train": "train", "val": "val", "test": "test"}),
    "deepfashion2": ("deepfashion2", "", {"train": "train", "validation": "validation"}),
    "fashionai": ("fashionai", "", {"train": "train", "warm-up": "warm_up_train"}),
}
SILENT = ("06-name-outside-ascii", "12-no-line-end")
STOPS = ("09-empty-file",)


@pytest.fixture
def faulty(formats, tmp_path):
    """Build a data set with a fault; return what it says of itself, its folder and the format."""

    def build(name):
        faults.build(str(formats / "faults"), name, str(tmp_path / "built"))
        fault = json.loads((formats / "faults" / name / "fault.json").read_text())
        return fault, tmp_path / "built", DOCUMENTS[fault["base"]]

    return build


def converted(name, folder, out, *more):
    """Run the command; the fine lists are meant where the data set has them."""
    fine = ["--annotations", "fine"] if (folder / "data" / "Anno_fine").is_dir() else []
    command = ["convert", name, str(folder / "data"), "--out", str(out), "--processes", "0"]
    return main([*command, *fine, *more])


def said(formats, name, text, tmp_path):
    """Whether `faults.py check` finds file, line and what was found in a text."""
    report = tmp_path / "report.txt"
    report.write_text(text)
    return faults.check(str(formats / "faults"), name, str(report)) == 0


def test_there_are_18():
    assert len(NAMES) == 18


@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_told_and_all_else_converted(formats, faulty, tmp_path, capsys, name):
    fault, folder, (kind, within, documents) = faulty(name)
    capsys.readouterr()
    result = converted(kind, folder, tmp_path / "out")
    output = capsys.readouterr()
    assert said(formats, name, output.err, tmp_path)
    assert "Traceback" not in output.err
    if name in STOPS:
        assert result == status.FAILED
        assert not list((tmp_path / "out").glob("*.json"))
        return
    assert result == status.DONE
    if name in SILENT:
        notes = [
            line for line in output.err.splitlines() if "left out" in line or "expected" in line
        ]
        assert notes == []
    for expected, ours in documents.items():
        path = tmp_path / "out" / f"{ours}.json"
        wanted = json.loads((folder / "expected" / within / f"{expected}.json").read_text())
        if not path.is_file():  # nothing of this part is left
            assert {i["file_name"] for i in wanted["images"]} <= set(fault["affected"])
            continue
        assert (
            differences(folder / "expected" / within / f"{expected}.json", path, fault["affected"])
            == []
        )


@pytest.mark.parametrize("name", NAMES)
def test_strict_tells_the_same_and_writes_nothing(formats, faulty, tmp_path, capsys, name):
    _, folder, (kind, within, documents) = faulty(name)
    out = tmp_path / "out"
    capsys.readouterr()
    result = converted(kind, folder, out, "--strict")
    output = capsys.readouterr()
    assert said(formats, name, output.err, tmp_path)
    if name in SILENT:
        assert result == status.DONE
        for expected, ours in documents.items():
            path = folder / "expected" / within / f"{expected}.json"
            assert differences(path, out / f"{ours}.json") == []
    else:
        assert result == status.FAILED
        assert not out.exists() or list(out.iterdir()) == []


def test_thousands_of_faults_are_a_few_lines_and_a_count(formats, tmp_path, capsys):
    source = tmp_path / "data"
    shutil.copytree(formats / "deepfashion-c-old" / "data", source)
    boxes = source / "Anno" / "list_bbox.txt"
    more = "".join(f"img/No_Such_Folder/img_{i:08d}.jpg 1 2 x\n" for i in range(5000))
    boxes.write_text(boxes.read_text() + more)
    assert main(["convert", "deepfashion-c", str(source), "--out", str(tmp_path / "out"),
                 "--processes", "0"]) == status.DONE  # fmt: skip
    error = capsys.readouterr().err
    assert "a line makes no sense: 5,000" in error
    assert "... and 4,997 more" in error
    assert "found the count 24, and 5024 lines follow the header" in error
    assert len(error) < 2000
    assert Path(tmp_path / "out" / "train.json").is_file()
