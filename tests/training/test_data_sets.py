"""The commands of training/README.md from a data set's download layout to figures, run as written."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from napari_fashion.cli import main, status

ROOT = Path(__file__).resolve().parents[2]
FASTER = ["--set", "schedule.epochs=2"]
"""What is added to the training: as written it takes a minute."""


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """The first block of commands under "Data sets", in a folder that has what a clone has."""
    for name in ("tests", "training"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "training" / "README.md").read_text("utf-8")
    section = text.split("## Data sets\n")[1].split("\n## ")[0]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)[1].replace("\\\n", " ")
    return [shlex.split(line) for line in block.splitlines()]


def test_the_way_from_a_download_to_figures(commands, capsys):
    assert [command[:2] for command in commands] == [
        ["napari-fashion", name] for name in ("convert", "stats", "train", "evaluate")
    ]
    for _, *arguments in commands:
        if arguments[0] == "train":
            arguments += FASTER
        if arguments[0] in ("train", "evaluate"):
            arguments += ["--device", "cpu", "--threads", "1"]
        assert main(arguments) == status.DONE
    output = capsys.readouterr()
    assert "scratch/deepfashion/train.json: 16 images, 16 garments" in output.out
    assert "AVG NE, visible landmarks" in output.out
    assert "categories that the model lacks" not in output.err
