"""Data sets with damage anywhere: a conversion or one clear error, never another exception."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.coco.convert import ConvertOptions, Faults, convert
from napari_fashion.errors import FashionError

CASES = {
    "deepfashion-c-old": ("deepfashion-c", {}),
    "deepfashion-c": ("deepfashion-c", {"annotations": "fine", "visibility": "coarse"}),
    "deepfashion-l": ("deepfashion-l", {}),
    "deepfashion2": ("deepfashion2", {}),
    "fashionai": ("fashionai", {}),
    "coco": ("coco", {}),
}
ROUNDS = 60
WORDS = [
    *(
        b"",
        b"-1",
        b"0",
        b"1e999",
        b"NaN",
        b"99999999999999999999",
        b"x",
        b"\x00",
        b"\xff",
        b"\n",
        b" ",
    ),
    *(
        b"{",
        b"[",
        b'"',
        b",",
        b"_",
        b"null",
        b"true",
        b"[[[[[[[[",
        b"../../etc/passwd",
        b"/etc/passwd",
    ),
]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Change, cut, repeat or replace some of the bytes."""
    for _ in range(rng.choice((1, 1, 2, 8))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((0, 1, 3, 40)))
        match rng.randrange(4):
            case 0:
                data = data[:at] + rng.choice(WORDS) + data[end:]
            case 1:
                data = data[:at] + data[end:]
            case 2:
                data = data[:end] + data[at:]
            case 3:
                data = (
                    data[:at]
                    if rng.random() < 0.2
                    else data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
                )
    return data


@pytest.mark.parametrize("name", CASES)
def test_damage_is_told_and_never_a_traceback(formats, tmp_path, name):
    rng = random.Random(name)
    source = tmp_path / "data"
    if name == "coco":
        convert("deepfashion-c", formats / "deepfashion-c-old" / "data", source)
    else:
        shutil.copytree(formats / name / "data", source)
    files = sorted(p for p in source.rglob("*") if p.suffix in (".txt", ".json", ".csv"))
    kind, options = CASES[name]
    converted, refused = 0, []
    for i in range(ROUNDS):
        file: Path = rng.choice(files)
        whole = file.read_bytes()
        file.write_bytes(mutated(whole, rng))
        faults = Faults()
        try:
            written = convert(
                kind, source, tmp_path / f"out-{i}", ConvertOptions(**options), faults=faults
            )
        except FashionError as error:
            refused.append(str(error))
        else:
            converted += 1
            for document in written:
                dataset = Dataset.load(document.path)
                assert len(dataset.images) == document.images
                assert all("etc/passwd" not in image.file_name for image in dataset.images)
        assert len("\n".join(faults.tally.lines())) < 20_000
        file.write_bytes(whole)
    assert converted > 10
    assert all(len(text) > 20 for text in refused)
