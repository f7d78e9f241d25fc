"""Fetching the street photos: scaled as the landmark files expect, and known again by their look."""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_fashion.coco.categories import read_category_map
from napari_fashion.datasets import fetching, people
from napari_fashion.datasets.people import fetch
from napari_fashion.datasets.people.fetch import MEAN_DIFFERENCE, look
from napari_fashion.datasets.people.locate import DATA
from napari_fashion.images import image_size, read_image
from photo_server import Server, serving

# The package has the function under the module's name.
module = importlib.import_module("napari_fashion.datasets.people.fetch")

SIZES = {
    "images/0001.jpg": (48, 72),
    "images/0002.jpg": (72, 50),
    "images/0003.jpg": (47, 72),
    "unlabelled/1005.jpg": (40, 64),
}


def drawn(seed: int, size: tuple[int, int]) -> Image.Image:
    """A picture of coarse coloured patches."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, quality: int = 90) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


BESIDE = ("train.json", "test.json", "tags.csv", "categories.csv", "README.md")
ORIGINALS = {
    f"photos/{Path(path).name}": jpeg(drawn(i, (round(w * 1.45), round(h * 1.45))))
    for i, (path, (w, h)) in enumerate(SIZES.items())
}
KEPT = {path: jpeg(drawn(i, size), 84) for i, (path, size) in enumerate(SIZES.items())}


@pytest.fixture(autouse=True)
def package_data(tmp_path, monkeypatch) -> Path:
    """A package's data of four photos; no pause is slept."""
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [["path", "width", "height", "sha256", "look"]]
    for path, data in KEPT.items():
        seen = look(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
        sha256 = hashlib.sha256(data).hexdigest()
        rows.append([path, *map(str, SIZES[path]), sha256, base64.b64encode(seen).decode()])
    with (folder / "photos.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    for name in BESIDE:
        (folder / name).write_text(name)
    (folder / "source.toml").write_text('address = "http://127.0.0.1:9/nowhere"\n')
    monkeypatch.setattr(module, "DATA", folder)
    monkeypatch.setattr(fetching, "_pause", lambda seconds: None)
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(ORIGINALS) as server:
        yield server


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def photos_in(folder: Path) -> list[str]:
    rooms = (folder / "images", folder / "unlabelled")
    return sorted(p.relative_to(folder).as_posix() for room in rooms for p in room.glob("*"))


def test_the_public_originals_are_scaled(server, tmp_path, package_data):
    (package_data / "source.toml").write_text(f'address = "{server.address}"\n')
    report = fetch(tmp_path / "t", what="all")
    assert (report.wanted, report.fetched, report.failed) == (4, 4, {})
    assert photos_in(tmp_path / "t") == sorted(SIZES)  # and nothing half done
    for path, size in SIZES.items():
        assert image_size(tmp_path / "t" / path) == size
        ours = read_image(tmp_path / "t" / path).astype(int)
        theirs = np.asarray(Image.open(io.BytesIO(KEPT[path]))).astype(int)
        assert np.abs(ours - theirs).mean() < 8  # the same picture in the same place
    assert sorted(server.times()) == sorted(ORIGINALS)  # nothing is asked for elsewhere first
    assert fetch(tmp_path / "t", what="all").present == 4


def test_those_with_landmarks_alone_and_what_lies_beside_them(tmp_path):
    source = written(tmp_path / "source", KEPT)
    report = fetch(tmp_path / "t", source=source)
    assert (report.wanted, report.fetched) == (3, 3)
    assert photos_in(tmp_path / "t") == sorted(SIZES)[:3]
    for name in BESIDE:
        assert (tmp_path / "t" / name).read_text() == name
    for name in ("garments", "deepfashion"):
        found = read_category_map(tmp_path / "t" / f"{name}.toml")
        assert found == people.category_map(name)
    (tmp_path / "t" / "garments.toml").write_text("mine")
    again = fetch(tmp_path / "t", source=source)
    assert again.kept == [tmp_path / "t" / "garments.toml"]
    assert (tmp_path / "t" / "garments.toml").read_text() == "mine"


@pytest.mark.parametrize(
    "files", [KEPT, ORIGINALS, KEPT | ORIGINALS], ids=["kept", "originals", "both"]
)
def test_a_folder_of_scaled_photos_or_of_originals(tmp_path, files):
    report = fetch(tmp_path / "t", source=written(tmp_path / "source", files), what="all")
    assert report.complete
    same = [(tmp_path / "t" / path).read_bytes() == data for path, data in KEPT.items()]
    assert all(same) if files is not ORIGINALS else not any(same)


def test_a_mirror_of_scaled_photos(tmp_path):
    with serving(KEPT) as server:
        assert fetch(tmp_path / "t", source=server.address, what="all").complete
    assert all((tmp_path / "t" / path).read_bytes() == data for path, data in KEPT.items())


def test_what_is_not_the_photo_does_not_get_its_name(tmp_path, server):
    originals = server.photos
    originals["photos/0001.jpg"] = jpeg(drawn(99, (70, 104)))  # another picture of its shape
    originals["photos/0002.jpg"] = jpeg(drawn(1, (90, 90)))  # another shape
    originals["photos/0003.jpg"] = originals["photos/0003.jpg"][:700]
    report = fetch(tmp_path / "t", source=server.address, what="all")
    assert photos_in(tmp_path / "t") == ["unlabelled/1005.jpg"]
    failed = report.failed
    assert failed["images/0001.jpg"].startswith("what came is another picture (its brightness")
    assert "90 x 90 pixels large (expected 72 x 50, or larger" in failed["images/0002.jpg"]
    assert failed["images/0003.jpg"] == "what came is no image that can be read"


@pytest.mark.parametrize("size", [(24, 36), (47, 72), (48, 71)])
def test_no_smaller_and_no_cropped_photo_is_taken(tmp_path, size):
    files = {**KEPT, "images/0001.jpg": jpeg(drawn(0, size))}
    report = fetch(tmp_path / "t", source=written(tmp_path / "source", files))
    assert list(report.failed) == ["images/0001.jpg"]


def test_the_photo_saved_anew_counts_and_another_file_is_kept(tmp_path):
    source = written(tmp_path / "source", KEPT)
    mine = written(
        tmp_path / "t",
        {
            "images/0001.jpg": jpeg(drawn(0, SIZES["images/0001.jpg"]), 95),
            "images/0002.jpg": b"mine",
        },
    )
    report = fetch(mine, source=source)
    assert (report.present, report.fetched) == (1, 1)
    assert list(report.failed) == ["images/0002.jpg"]
    assert (mine / "images/0002.jpg").read_bytes() == b"mine"


def test_a_part_of_an_original_goes_on(server, tmp_path):
    part = {"images/0001.jpg.part": ORIGINALS["photos/0001.jpg"][:500]}
    written(tmp_path / "t", part)
    assert fetch(tmp_path / "t", source=server.address).complete
    assert ("photos/0001.jpg", "bytes=500-") in server.requests
    assert photos_in(tmp_path / "t") == sorted(SIZES)[:3]


def test_no_link_is_written_through(server, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / "t" / "images").mkdir(parents=True)
    (tmp_path / "t" / "images" / "0001.jpg.part.scaled").symlink_to(victim)
    assert fetch(tmp_path / "t", source=server.address).complete
    assert victim.read_bytes() == b"mine"


# -- the package's -----------------------------------------------------------------------------


def package_rows() -> list[dict[str, str]]:
    with (DATA / "photos.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_looks_tell_the_photos_apart():
    """No two photos could be taken for each other, by far."""
    rows = package_rows()
    seen = np.array(
        [np.frombuffer(base64.b64decode(row["look"]), np.uint8) for row in rows], np.int16
    )
    assert seen.shape == (1957, 64)
    nearest = []
    for i, one in enumerate(seen):
        distance = np.abs(seen - one).mean(1)
        distance[i] = np.inf
        nearest.append(distance.min())
    assert min(nearest) > 5 * MEAN_DIFFERENCE
    assert round(min(nearest)) == 12  # the figure in data/README.md


@pytest.mark.shared
def test_the_real_photos(people_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DATA", DATA)
    report = fetch(tmp_path / "t", source=people_dir, what="all")
    assert (report.wanted, report.fetched, report.failed) == (1957, 1957, {})
    assert (tmp_path / "t" / "train.json").read_bytes() == (DATA / "train.json").read_bytes()


@pytest.mark.shared
def test_the_real_photos_are_known_again_however_they_are_scaled(people_dir, tmp_path, monkeypatch):
    """Enlarged and saved as an original would be, they are scaled back and taken; another one is not."""
    monkeypatch.setattr(module, "DATA", DATA)
    photos = module._wanted("all", originals_first=True)[::40]
    file = tmp_path / "original.jpg"
    for photo, other in pairwise(photos):
        image = Image.open(people_dir / photo.path).convert("RGB")
        larger = image.resize([round(side * 1.47) for side in image.size], Image.Resampling.LANCZOS)
        file.write_bytes(jpeg(larger, 85))
        ready = photo.prepared(file)
        assert image_size(ready) == photo.size
        assert not photo.problem(ready)
        seen = np.frombuffer(base64.b64decode(photo.look), np.uint8).astype(int)
        differences = np.abs(look(read_image(ready)) - seen)
        assert differences.mean() <= 0.3  # the figures in data/README.md
        assert differences.max() <= 2
        other_here = jpeg(Image.open(people_dir / other.path).convert("RGB").resize(photo.size))
        file.write_bytes(other_here)
        assert photo.problem(file).startswith("another picture")
