"""A small data set with images on the disk and everything that some format cannot hold, to export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from napari_fashion.coco import Dataset
from napari_fashion.coco.convert.out import ExportOptions, export_data, format_of
from napari_fashion.coco.convert.out.exporting import ExportResult
from napari_fashion.coco.records import category_records
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
SIZES = {"a.png": (120, 100), "sub/b b.png": (60, 80), "a.jpg": (50, 50), "empty.png": (40, 30)}
NOTHING = (0.0, 0.0, 0)
SHIRT = [
    (40, 20, 2),
    (80, 20.25, 2),
    (10, 90, 1),
    (110, 90, 2),
    NOTHING,
    NOTHING,
    (30, 95, 2),
    (90, 95, 2),
]
TROUSERS = [NOTHING] * 4 + [(45, 12, 2), (55.5, 12, 2), (35, 70, 2), NOTHING]
DRESS = [
    (10.125, 5, 2),
    (30, 5, 2),
    (-4, 20, 2),
    (45, 20, 1),
    (12, 25, 2),
    (28, 25, 2),
    (8, 49, 2),
    (31, 50, 2),
]


def annotation(number: int, image: int, marks: Any, category: str, **more: Any) -> dict[str, Any]:
    flat = [value for mark in marks for value in mark]
    return {
        "id": number,
        "image_id": image,
        "category_id": SCHEMA.category_index(category) + 1,
        "iscrowd": 0,
        "bbox": [5, 6, 100, 80.5],
        "area": 8000.5,
        "num_keypoints": sum(v > 0 for v in flat[2::3]),
        "keypoints": flat,
        **more,
    }


def document() -> dict[str, Any]:
    """Four images: two shirts and a crowd; a model's trousers; a dress that reaches out; nothing."""
    outline = [[5, 6, 105, 6, 105, 86.5, 5, 86.5]]
    return {
        "info": {"description": "small"},
        "licenses": [{"id": 1, "name": "CC0-1.0"}],
        "images": [
            {"id": i, "file_name": name, "width": w, "height": h}
            for i, (name, (w, h)) in enumerate(SIZES.items(), 1)
        ],
        "annotations": [
            annotation(11, 1, SHIRT, "Shirt", segmentation=outline),
            annotation(12, 1, SHIRT, "T-Shirt", bbox=[0, 0, 10, 10], area=100),
            annotation(13, 1, [NOTHING] * 8, "Shirt", iscrowd=1),
            annotation(
                14,
                2,
                TROUSERS,
                "Pants",
                bbox=[30, 10, 30, 65],
                area=1950,
                fashion={
                    "source": "model:m",
                    "score": 0.75,
                    "keypoint_scores": [0, 0, 0, 0, 0.5, 0.25, 1, 0],
                },
            ),
            annotation(15, 3, DRESS, "Dress", bbox=[-4, 5, 60, 45], area=2700, pattern="dots"),
        ],
        "categories": category_records(SCHEMA),
    }


def write(folder: Path, content: dict[str, Any] | None = None, name: str = "garments.json") -> Path:
    """Write the data set with its images; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    for file_name, size in SIZES.items():
        path = folder / file_name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", size, "white").save(path)
    path = folder / name
    path.write_text(json.dumps(content or document()), "utf-8")
    return path


def export(source: Path | dict[str, Path], folder: Path, name: str, **options: Any) -> ExportResult:
    """Export one file or several."""
    files = source if isinstance(source, dict) else {"train": source}
    datasets = {part: Dataset.load(path) for part, path in files.items()}
    return export_data(datasets, folder, format_of(name), ExportOptions(**options))
