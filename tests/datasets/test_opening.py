from __future__ import annotations

import json
from pathlib import Path

import pytest

from drawn import SCHEMA
from napari_fashion.coco import Dataset
from napari_fashion.datasets import photos
from napari_fashion.datasets.opening import (
    _KINDS,
    image_identity,
    open_source,
    register_source,
    unlabelled_of,
)
from napari_fashion.datasets.source import Source
from napari_fashion.errors import CocoError, RecipeError
from napari_fashion.registry import Registry


@pytest.mark.parametrize(
    ("file", "kind", "argument"),
    [
        ("photos:test", "photos", "test"),
        ("samples:3:5", "samples", "3:5"),
        ("train.json", "", "train.json"),
        ("C:/data/train.json", "", "C:/data/train.json"),
        ("some folder/a:b.json", "", "some folder/a:b.json"),
        ("https://there/x.json", "https", "//there/x.json"),
    ],
)
def test_kind_and_argument(file, kind, argument) -> None:
    source = Source(file=file)
    assert (source.kind, source.argument) == (kind, argument)


def test_paths_are_taken_from_the_recipes_folder(tmp_path) -> None:
    source = Source(
        file="a.json", images="photos", categories="map.toml", allow_roots=["../other"]
    ).resolved(tmp_path / "here")
    assert Path(source.file) == tmp_path / "here" / "a.json"
    assert Path(source.images) == tmp_path / "here" / "photos"
    assert Path(source.categories) == tmp_path / "here" / "map.toml"
    assert [Path(root) for root in source.allow_roots] == [tmp_path / "other"]
    named = Source(file="photos:train", images=str(tmp_path))
    assert named.resolved(tmp_path / "here") == named


@pytest.mark.parametrize("file", ["photo:train", "https://there/a.json", "webdataset:x"])
def test_an_unknown_kind_names_the_known_ones(file) -> None:
    with pytest.raises(RecipeError) as raised:
        open_source(Source(file=file))
    message = str(raised.value)
    assert file in message
    for kind in _KINDS.values():
        assert kind.expected in message
    assert ("Did you mean photos:train?" in message) == (file == "photo:train")


def test_a_file_whose_name_looks_like_a_kind_is_a_file(drawn, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("first:half.json").write_bytes(drawn.read_bytes())
    assert len(open_source(Source(file="first:half.json")).images) == 48
    with pytest.raises(CocoError):
        open_source(Source(file="nothing.json"))


def test_a_kind_is_registered_once_and_opens(monkeypatch) -> None:
    kinds = Registry("source kind")
    kinds.update(_KINDS)
    monkeypatch.setattr("napari_fashion.datasets.opening._KINDS", kinds)

    @register_source("nothing-yet", expected="nothing-yet:NAME", names="source")
    def opener(argument: str, source: Source) -> Dataset:
        document = {"images": [{"id": 1, "file_name": argument}], "annotations": []}
        return Dataset.from_document(document | {"categories": []}, fallback=SCHEMA)

    source = Source(file="nothing-yet:a.png")
    assert open_source(source).images[0].file_name == "a.png"
    assert image_identity(source, "a.png") == ("nothing-yet:a.png/a.png",) * 2
    with pytest.raises(ValueError, match="'nothing-yet' is registered twice"):
        register_source("nothing-yet", expected="")(opener)


def test_images_are_known_by_name_and_grouped_by_sender(drawn) -> None:
    name, sender = next(iter(photos.senders().items()))
    for file in ("photos:train", str(drawn)):  # an export of the photos, too
        key, group = image_identity(Source(file=file), f"images/{name}.jpg")
        assert (key, group) == (f"{name}.jpg", sender)
        assert image_identity(Source(file=file), "a/001.png") == ("a/001.png",) * 2
    drawn_key = image_identity(Source(file="samples:2:7"), f"images/{name}.jpg")
    assert drawn_key == (f"samples:2:7/images/{name}.jpg",) * 2


def test_what_visibility_0_means_is_known_of_named_sources() -> None:
    absent = ("photos:train", "photos:test", "people:test:tags", "people:validation", "samples:3:1")
    unknown = ("photos:pseudo", "photos:unlabelled", "people:tagged", "people:x", "a.json", "x:y")
    assert {unlabelled_of(Source(file=name)) for name in absent} == {"absent"}
    assert {unlabelled_of(Source(file=name)) for name in unknown} == {"unknown"}


def test_samples_are_rendered_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_fashion.datasets.opening.cache_folder", lambda: tmp_path / "cache")
    first = open_source(Source(file="samples:2:3"))
    (folder,) = (tmp_path / "cache").iterdir()
    written = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    again = open_source(Source(file="samples:2:3"))
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == written
    assert len(first.images) == len(again.images) == 2
    document = json.loads((folder / "annotations.json").read_text())
    assert [image.file_name for image in again.images] == [
        image["file_name"] for image in document["images"]
    ]
