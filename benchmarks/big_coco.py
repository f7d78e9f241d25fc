"""Large COCO keypoint files for benchmarks: always the same bytes for the same numbers.

Laid out as ``json.dumps`` writes a document: one line, a space after each comma and colon. The records
are written block by block, so that a file of 300,000 images needs little memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.records import category_records
from napari_fashion.schema import Schema

VERSION = 1
"""Part of the file's name: another version's file is not taken for this one's."""
SEED = 20161
BLOCK = 10_000
STYLES = ("Sheer_Pleated-Front_Blouse", "Striped_Knit_Sweater", "Faded_Denim_Jacket", "Lace_Dress")
IMAGE = '{"id": %d, "file_name": "img/%s_%d/img_%08d.jpg", "width": %d, "height": %d}'
ANNOTATION = (
    '{"id": %d, "image_id": %d, "category_id": %d, "iscrowd": 0, "bbox": [%s, %s, %s, %s],'
    ' "area": %s, "num_keypoints": %d, "keypoints": [%s],'
    ' "fashion": {"clothes_type": %d, "variation_type": %d}}'
)


def big_coco(folder: Path, images: int, landmarks: int = 8, *, decimals: bool = False) -> Path:
    """Return a file with one garment an image; it is written where it is not there yet.

    With 8 landmarks it has the form of DeepFashion: its 50 categories, 4 to 8 landmarks labelled, and
    the type of clothes and the variation under ``fashion``. With another number there are
    13 categories, as in DeepFashion2, larger images, and every landmark is labelled.

    Parameters
    ----------
    decimals
        Write coordinates in hundredths of a pixel, as `predict` does, instead of whole pixels.
    """
    kind = "-decimals" if decimals else ""
    path = folder / f"coco-v{VERSION}-{images}-images-{landmarks}-landmarks{kind}.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w", encoding="ascii") as stream:
            stream.writelines(_parts(images, landmarks, decimals))
        unfinished.replace(path)
    return path


def _parts(images: int, landmarks: int, decimals: bool) -> Iterator[str]:
    categories = _categories(landmarks)
    random = np.random.default_rng([SEED, images, landmarks])
    width, height = (200, 300) if landmarks == 8 else (600, 800)
    widths = random.integers(width, width + 100, images)
    yield '{"info": {"description": "A made-up data set for benchmarks"}, "images": ['
    for start in range(0, images, BLOCK):
        numbers = range(start, min(start + BLOCK, images))
        yield (", " if start else "") + ", ".join(
            IMAGE % (i + 1, STYLES[i // 50 % 4], i // 50, i + 1, w, height)
            for i, w in zip(numbers, widths[start : start + BLOCK].tolist(), strict=True)
        )
    yield '], "annotations": ['
    for start in range(0, images, BLOCK):
        n = min(BLOCK, images - start)
        xy = random.integers(1, (width, height), (n, landmarks, 2)).astype(float)
        if decimals:
            xy += random.integers(0, 100, xy.shape) / 100
        seen = random.integers(1, 3, (n, landmarks))
        clothes = random.integers(1, 4, n)
        kinds = random.integers(1, len(categories) + 1, n)
        if landmarks == 8:  # an upper garment has no waist, trousers have no collar
            seen[clothes == 1, 4:6] = 0
            seen[clothes == 2, 0:4] = 0
        xy[seen == 0] = 0
        yield (", " if start else "") + ", ".join(
            _annotations(start + 1, xy, seen, clothes, kinds, decimals)
        )
    yield f'], "categories": {json.dumps(categories)}}}'


def _annotations(
    first: int,
    xy: npt.NDArray[np.float64],
    seen: npt.NDArray[np.int64],
    clothes: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.int64],
    decimals: bool,
) -> Iterator[str]:
    low = np.where(seen[..., None] > 0, xy, np.inf).min(axis=1)
    size = xy.max(axis=1) - low
    boxes = np.column_stack([low, size, size.prod(axis=1)]).round(2)
    if not decimals:
        xy, boxes = xy.astype(np.int64), boxes.astype(np.int64)
    places = xy.round(2).tolist()
    rows = zip(
        kinds.tolist(), boxes.tolist(), (seen > 0).sum(axis=1).tolist(),
        places, seen.tolist(), clothes.tolist(), strict=True,
    )  # fmt: skip
    for i, (kind, box, labelled, points, visible, of_clothes) in enumerate(rows, first):
        flat = ", ".join(f"{x}, {y}, {v}" for (x, y), v in zip(points, visible, strict=True))
        yield ANNOTATION % (i, i, kind, *box, labelled, flat, of_clothes, i % 2 + 1)


def _categories(landmarks: int) -> list[dict[str, object]]:
    if landmarks == 8:
        return category_records(Schema.load("deepfashion"))
    names = [f"point_{i}" for i in range(1, landmarks + 1)]
    edges = [[i, i + 1] for i in range(1, landmarks)]
    return [
        {"id": i, "name": f"kind {i}", "supercategory": "clothing"}
        | {"keypoints": names, "skeleton": edges}
        for i in range(1, 14)
    ]
