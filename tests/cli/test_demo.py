"""`demo` without a person: what it would write is checked first."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_fashion.app import demo
from napari_fashion.cli import demo as command
from napari_fashion.cli import main, status
from napari_fashion.datasets.procedural import demo_dataset, demo_files


@pytest.fixture
def runs(monkeypatch) -> list[dict[str, object]]:
    """What the demo is run with; nothing is done."""
    seen: list[dict[str, object]] = []
    monkeypatch.setattr(command, "app", lambda name: demo)  # needs no display
    monkeypatch.setattr(demo, "run", lambda **options: seen.append(options))
    return seen


COMMAND = ["demo", "--headless", "--samples"]


def test_the_files_of_the_sample_are_those_that_are_written(tmp_path: Path) -> None:
    demo_dataset(tmp_path, size=(60, 80))
    found = [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(found) == sorted(demo_files())


@pytest.mark.parametrize(
    "name", ["data/annotations.json", "data/images/sample_00012.png", "data/to-annotate.json"]
)
def test_no_file_of_a_person_is_written_over(tmp_path: Path, runs, capsys, name: str) -> None:
    mine = tmp_path / "out" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("my own")
    assert main([*COMMAND, "--out", str(tmp_path / "out")]) == status.FAILED
    assert f"{mine}, which exists. Name another one, or --overwrite." in capsys.readouterr().err
    assert runs == []
    assert main([*COMMAND, "--out", str(tmp_path / "out"), "--overwrite"]) == status.DONE
    assert len(runs) == 1


@pytest.mark.parametrize("name", ["images", "out/data", "out/data/images", "out/runs"])
def test_a_file_where_a_folder_goes_is_found_out_first(
    tmp_path: Path, runs, capsys, name: str
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("my own")
    folders = ["--out", str(tmp_path / "out"), "--images", str(tmp_path / "images")]
    assert main([*COMMAND, *folders, "--overwrite"]) == status.FAILED
    assert f"{file}, which is a file; expected a folder" in capsys.readouterr().err
    assert runs == []


def test_the_screenshots_are_not_copied_onto_themselves(tmp_path: Path, runs, capsys) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out", target_is_directory=True)
    for name in ("out", "link"):
        folders = ["--out", str(tmp_path / "out"), "--images", str(tmp_path / name)]
        assert main([*COMMAND, *folders]) == status.FAILED
        assert "--images and --out name the same folder" in capsys.readouterr().err
    assert runs == []
