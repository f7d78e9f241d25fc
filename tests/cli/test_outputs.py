"""The rule of what commands write: never an input, never an existing file without --overwrite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import napari_fashion
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.json"
    path.write_text("{}")
    return path


def names_of(path: Path, folder: Path) -> list[Path]:
    """The same file under other names: relative, by dots, a link, a hard link, a linked folder."""
    link, hard, linked = folder / "link.json", folder / "hard.json", folder / "linked"
    link.symlink_to(path)
    os.link(path, hard)
    linked.symlink_to(path.parent, target_is_directory=True)
    return [path, path.parent / "x" / ".." / path.name, link, hard, linked / path.name]


def test_an_input_is_never_written_under_whatever_name(source: Path, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    for name in names_of(source, tmp_path):
        for overwrite in (False, True):
            with pytest.raises(FashionError, match="never written over"):
                Outputs([source], overwrite=overwrite).file(name, "--out")
    assert source.read_text() == "{}"


def test_an_input_that_is_not_there_yet_is_not_written_either(tmp_path: Path) -> None:
    with pytest.raises(FashionError, match="never written over"):
        Outputs([tmp_path / "later.json"]).file(tmp_path / "later.json", "--out")


def test_existing_files_need_overwrite(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FashionError, match=r"--out is .*source\.json, which exists.*--overwrite"):
        Outputs().file(source, "--out")
    assert Outputs(overwrite=True).file(source, "--out") == source
    dangling = tmp_path / "dangling.json"
    dangling.symlink_to(tmp_path / "nowhere.json")
    with pytest.raises(FashionError, match="which exists"):
        Outputs().file(dangling, "--out")


def test_what_is_written_has_the_name_of_what_it_is(tmp_path: Path) -> None:
    for name in ("photo.jpg", "out", "out.json.gz"):
        with pytest.raises(FashionError, match=r"expected a name that ends in \.json"):
            Outputs().file(tmp_path / name, "--out")
    assert Outputs().file(tmp_path / "OUT.JSON", "--out").name == "OUT.JSON"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folder.json", "a folder"),
        ("file.txt/out.json", "cannot be written"),
        ("x" * 300 + ".json", "cannot be written"),
        (".small.json.fashion/out.json", "where the annotator keeps its work"),
        ("a\0b.json", "cannot be the name of a file"),
    ],
)
def test_where_nothing_can_be_written_is_found_out_first(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(FashionError, match=reason):
        Outputs(overwrite=True).file(tmp_path / name, "--out")


def test_a_folder_that_takes_no_file_is_found_out_first() -> None:
    if not Path("/proc").is_dir():
        pytest.skip("there is no folder here that takes no file from root")
    with pytest.raises(FashionError, match="cannot be written"):
        Outputs().file(Path("/proc/out.json"), "--out")
    with pytest.raises(FashionError, match="cannot be written"):
        Outputs().folder(Path("/proc/drawn"), "--overlays")


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    Outputs().file(tmp_path / "new" / "out.json", "--out")
    assert list(tmp_path.iterdir()) == []


def test_two_outputs_are_two_files(tmp_path: Path) -> None:
    outputs = Outputs(overwrite=True)
    outputs.file(tmp_path / "a.json", "--out")
    with pytest.raises(FashionError, match="--annotations and --out name the same file"):
        outputs.file(tmp_path / "." / "a.json", "--annotations")


def test_what_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    outputs = Outputs()
    path = outputs.file(tmp_path / "out.json", "--out")
    path.write_text("somebody's")
    with pytest.raises(FashionError, match="which exists"):
        outputs.write(path, b"ours", "--out")
    assert path.read_text() == "somebody's"
    Outputs(overwrite=True).write(path, b"ours", "--out")
    assert path.read_text() == "ours"


def test_a_folder_may_be_there_and_a_file_may_not(tmp_path: Path, source: Path) -> None:
    assert Outputs().folder(tmp_path, "--overlays") == tmp_path
    with pytest.raises(FashionError, match="which is a file; expected a folder"):
        Outputs().folder(source, "--overlays")


def test_the_bundled_model_is_the_packages_and_no_file_of_that_name(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    models = Path(napari_fashion.__file__).parent / "models"
    outputs = Outputs(overwrite=True)
    outputs.reads_models(["bundled"])
    assert outputs.file(Path("bundled.json"), "--out") == Path("bundled.json")
    for suffix in (".json", ".safetensors"):
        with pytest.raises(FashionError, match="never written over"):
            outputs.check(models / f"bundled{suffix}", "--out")


def test_a_model_in_a_file_is_both_its_files(tmp_path: Path) -> None:
    outputs = Outputs(overwrite=True)
    outputs.reads_models([str(tmp_path / "mine.safetensors"), str(tmp_path / "bundled")])
    for name in ("mine.json", "mine.safetensors", "bundled.json"):
        with pytest.raises(FashionError, match="never written over"):
            outputs.check(tmp_path / name, "--out")
