"""What the inputs name: globs end, whatever links to what."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from napari_fashion.cli.inputs import open_dataset
from napari_fashion.coco import Dataset
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally


@pytest.fixture
def found(monkeypatch) -> Callable[[str], list[str]]:
    """Return what a glob gives; the files are no images and are not opened."""
    given: list[Path] = []

    def from_files(files: list[Path], schema: Schema) -> SimpleNamespace:
        given[:] = files
        return SimpleNamespace(left_out=[], passed_over=Tally())

    monkeypatch.setattr(Dataset, "from_files", from_files)

    def found(pattern: str) -> list[str]:
        open_dataset([pattern], Schema.load("garments"))
        return sorted(os.path.relpath(path) for path in given)

    return found


@pytest.fixture
def tree(tmp_path: Path, monkeypatch) -> Path:
    for name in (
        "1.png", "a/2.png", "a/b/3.png", "a/b/c/4.png", "a/[b]/5.png", "a/.hidden/6.png",
        ".top/7.png", "a/b/.8.png", "d/b/9.png", "d/x.png/10.png", "d/b/11.txt",
    ):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "**/*.png", "a/**/*.png", "**", "a/**", "a/**/", "**/**/*.png", "**/b/**/*.png", "*/**/*.png",
        "**/b/*.png", "a/**/4.png", "**/.*/*.png", ".top/**", "a/[[]b]/**", "**/[[]b]/*", "**/../*.png",
        "*/*.png", "a**/*.png", "**b/*.png", "./**/*.png", "a//**//*.png", "{here}/**/*.png",
        "none/**/*.png", "**/none.png",
    ],
)  # fmt: skip
def test_a_glob_gives_what_the_standard_one_gives(tree: Path, pattern: str, found) -> None:
    pattern = pattern.replace("{here}", glob.escape(str(tree)))
    expected = sorted(
        {os.path.relpath(p) for p in glob.glob(pattern, recursive=True) if os.path.isfile(p)}
    )
    if not expected:
        with pytest.raises(FashionError, match="nothing matches it as a glob"):
            found(pattern)
        return
    # A name may lead over "..", one file by several names.
    assert sorted(set(found(pattern))) == expected


def test_a_glob_over_links_in_circles_ends(tmp_path: Path, monkeypatch, found) -> None:
    monkeypatch.chdir(tmp_path)
    loop = tmp_path / "loop"
    (loop / "sub").mkdir(parents=True)
    for i in range(12):
        (loop / f"{i}").symlink_to(loop, target_is_directory=True)
        (loop / "sub" / f"{i}").symlink_to(loop, target_is_directory=True)
    (loop / "nothing").symlink_to(loop / "nothing")
    (loop / "sub" / "1.png").touch()
    assert found("loop/**/*.png") == ["loop/sub/1.png"]
    assert found("loop/**/sub/**/*.png") == ["loop/sub/1.png"]


def test_a_linked_folder_is_entered_once(tmp_path: Path, monkeypatch, found) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("in/z", "out/deep"):
        Path(folder).mkdir(parents=True)
        Path(folder, "1.png").touch()
    Path("in/a").symlink_to("z")
    for name in ("other", "same"):
        Path("in", name).symlink_to("../out")
    assert found("in/**/*.png") == ["in/other/deep/1.png", "in/z/1.png"]
