"""Lay photos out together, several in an image, as a data set with several garments an image.

    python training/lay_out.py photos:test --count 4 --out several
    napari-fashion evaluate several/annotations.json --protocol whole

The photos show one garment each, so images of several are made of them: in random order (of a seed),
in rows, each scaled so that its longer side has 600 pixels, on grey. Their landmarks go along.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from napari_fashion.coco.records import annotation_record, category_records, image_record
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.files import atomic_write
from napari_fashion.images.transforms import PADDING, resize
from napari_fashion.schema import Schema

CELL = 600


def main() -> None:
    """Write the images and their annotations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", help="such as photos:test, or a COCO file")
    parser.add_argument("--count", type=int, default=4, help="photos in an image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    options = parser.parse_args()
    schema = Schema.load("garments")
    photos = [p for p in load_sources([Source(file=options.source)], schema) if p.can_be_judged]
    if not photos:
        parser.error(
            f"{options.source} has no photo with landmarks that a person placed or reviewed."
        )
    print(lay_out(photos, options.count, options.out, schema, options.seed))


def lay_out(
    photos: Sequence[AnnotatedImage], count: int, folder: Path, schema: Schema, seed: int = 0
) -> Path:
    """Write images of `count` photos each, the last with what is left; return the COCO file."""
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(len(photos))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for start in range(0, len(photos), count):
        name = f"{len(images):04}.jpg"
        some = [photos[i] for i in order[start : start + count]]
        image, placed = _together(some)
        Image.fromarray(image).save(folder / name, quality=95)
        image_id = len(images) + 1
        height, width = image.shape[:2]
        images.append(image_record(image_id, name, width, height))
        for photo, xy in placed:
            for i in np.flatnonzero((photo.visibility > 0).any(axis=1)).tolist():
                record = annotation_record(
                    len(annotations) + 1,
                    image_id,
                    int(photo.category[i]) + 1,
                    xy=xy[i],
                    visibility=photo.visibility[i],
                )
                annotations.append(record)
    document = {
        "images": images,
        "annotations": annotations,
        "categories": category_records(schema),
    }
    path = folder / "annotations.json"
    atomic_write(path, json.dumps(document).encode() + b"\n")
    return path


def _together(
    photos: Sequence[AnnotatedImage],
) -> tuple[np.ndarray, list[tuple[AnnotatedImage, np.ndarray]]]:
    """Return the image, and each photo's landmarks (N, K, 2) in it."""
    columns = math.ceil(math.sqrt(len(photos)))
    small = []
    for photo in photos:
        factor = CELL / max(photo.size)
        small.append(
            resize(photo.read(), (round(photo.size[0] * factor), round(photo.size[1] * factor)))
        )
    rows = [small[i : i + columns] for i in range(0, len(small), columns)]
    width = max(sum(s.shape[1] for s in row) for row in rows)
    image = np.full((sum(max(map(len, row)) for row in rows), width, 3), PADDING, np.uint8)
    placed = []
    top = 0
    for r, row in enumerate(rows):
        left = 0
        for c, s in enumerate(row):
            photo = photos[r * columns + c]
            image[top : top + s.shape[0], left : left + s.shape[1]] = s
            scale = np.array([s.shape[1], s.shape[0]]) / photo.size
            placed.append((photo, (photo.xy + 0.5) * scale - 0.5 + (left, top)))
            left += s.shape[1]
        top += max(map(len, row))
    return image, placed


if __name__ == "__main__":
    main()
