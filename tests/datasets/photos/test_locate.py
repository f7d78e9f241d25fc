from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest

from napari_fashion.coco import Dataset, find_problems
from napari_fashion.datasets import locating
from napari_fashion.datasets.photos import default_folder, landmarks, locate
from napari_fashion.datasets.photos.locate import DATA
from napari_fashion.schema import Schema


def with_photo(folder: Path) -> Path:
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").touch()
    return folder


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A source checkout elsewhere, and a user without photos."""
    monkeypatch.delenv("NAPARI_FASHION_PHOTOS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "home"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    room = tmp_path / "checkout" / "src" / "napari_fashion" / "datasets"
    monkeypatch.setattr(locating, "__file__", str(room / "locating.py"))
    return tmp_path / "checkout"


def test_nothing_is_nowhere(checkout):
    assert locate() is None


def test_the_places_in_their_order(checkout, tmp_path, monkeypatch):
    shared = with_photo(tmp_path / "shared" / "data" / "garments")
    assert locate() is None  # only beside a checkout
    checkout.mkdir()
    (checkout / "pyproject.toml").touch()
    assert locate() == shared
    usual = with_photo(default_folder())
    assert locate() == usual
    named = with_photo(tmp_path / "named")
    monkeypatch.setenv("NAPARI_FASHION_PHOTOS", str(named))
    assert locate() == named
    monkeypatch.setenv("NAPARI_FASHION_PHOTOS", str(tmp_path / "wrong"))
    assert locate() is None


def test_a_folder_without_photos_does_not_count(checkout):
    (default_folder() / "images").mkdir(parents=True)
    assert locate() is None


@pytest.mark.parametrize(("split", "n"), [("train", 2039), ("test", 193)])
def test_the_landmark_files_of_the_package(split, n):
    dataset = Dataset.load(landmarks(split))
    assert len(dataset.images) == len(list(dataset.garments)) == n
    assert not find_problems(dataset)
    assert dataset.schema == Schema.load("garments")


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_every_photo_has_a_checksum_and_a_split():
    checksums = {row["path"]: row["sha256"] for row in rows("checksums.csv")}
    splits = {f"images/{row['image']}.jpg": row["split"] for row in rows("split.csv")}
    assert set(checksums) == set(splits)
    assert all(re.fullmatch("[0-9a-f]{64}", sha) for sha in checksums.values())
    for split in ("train", "test"):
        names = {f"images/{i.file_name}" for i in Dataset.load(landmarks(split)).images}
        assert names == {path for path, s in splits.items() if s == split}


def test_no_sender_is_in_both_splits():
    senders = {split: set() for split in ("train", "test", "unlabelled", "no_garment")}
    for row in rows("split.csv"):
        senders[row["split"]].add(row["sender_id"])
    assert not senders["train"] & senders["test"]
    assert not senders["unlabelled"] & senders["test"]


def test_the_source_is_pinned():
    source = tomllib.loads((DATA / "source.toml").read_text("utf-8"))
    assert re.fullmatch("[0-9a-f]{40}", source["commit"])
    assert source["address"].endswith("/" + source["commit"])
    assert source["address"].startswith("https://")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["train.json", "test.json", "split.csv", "checksums.csv"])
def test_the_packages_files_are_those_of_the_photos(photos_dir, name):
    ours, theirs = (DATA / name).read_bytes(), (photos_dir / name).read_bytes()
    if name.endswith(".json"):
        mine, original = json.loads(ours), json.loads(theirs)
        changed = 0
        for annotation, before in zip(mine["annotations"], original["annotations"], strict=True):
            changed += annotation["category_id"] != before["category_id"]
            annotation["category_id"] = before["category_id"]
        assert mine == original
        # What was corrected since, and why: training/data-fixes.md. Never in the test split.
        assert changed == (28 if name == "train.json" else 0)
    elif name == "split.csv":
        mine, original = (
            list(csv.DictReader(text.decode().splitlines())) for text in (ours, theirs)
        )
        labels = 0
        for row, before in zip(mine, original, strict=True):
            if row["label"] != before["label"]:
                assert row["split"] == "unlabelled"
                labels += 1
                row["label"] = before["label"]
        assert mine == original
        assert labels == 35
    else:
        assert ours == theirs
