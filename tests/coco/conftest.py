"""A small document with everything odd that a real one has, and ways to compare."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from napari_fashion.coco import Dataset
from napari_fashion.schema import Schema

NOTHING = [0.0, 0.0, 0]
LANDMARKS = list(Schema.load("garments").landmarks)


def document() -> dict[str, Any]:
    """Three images; two garments, none, and one; ids that count oddly; fields of others."""
    return {
        "info": {"description": "Röcke und Hüte", "version": 1.0, "x-tool": {"a": [1, 1.0, None]}},
        "licenses": [{"id": 1, "name": "CC0-1.0"}],
        "x-top": [True, "\u2028"],
        "images": [
            {"id": 30, "file_name": "a.jpg", "width": 100, "height": 200, "license": 1},
            {"width": 50, "id": 10, "height": 60, "file_name": "sub/b.jpg", "x": {"y": []}},
            {"id": 20, "file_name": "c.jpg", "width": 70, "height": 80},
        ],
        "annotations": [
            {
                "id": 5,
                "image_id": 30,
                "category_id": 9,
                "iscrowd": 0,
                "bbox": [10.0, 20.0, 30.0, 50.0],
                "area": 1500.0,
                "num_keypoints": 4,
                "keypoints": [
                    10.0,
                    20.0,
                    2,
                    40.0,
                    20.0,
                    2,
                    *NOTHING * 4,
                    15.5,
                    70.0,
                    1,
                    35.0,
                    60.0,
                    2,
                ],
                "body_type": "upper",
            },
            {"id": 7, "image_id": 20, "category_id": 4, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {
                "id": 6,
                "x-first": 1,
                "image_id": 30,
                "category_id": 4,
                "segmentation": {"counts": "abc", "size": [200, 100]},
                "iscrowd": 1,
            },
        ],
        "categories": [
            {"id": 9, "name": "T-Shirt", "supercategory": "clothing", "keypoints": LANDMARKS},
            {"id": 4, "name": "Dress", "keypoints": LANDMARKS, "skeleton": [[1, 2]]},
        ],
    }


@pytest.fixture
def doc() -> dict[str, Any]:
    return document()


@pytest.fixture
def dataset(doc) -> Dataset:
    return Dataset.from_document(doc)


@pytest.fixture
def coco_file(tmp_path, doc) -> Path:
    path = tmp_path / "in" / "garments.json"
    path.parent.mkdir()
    path.write_text(json.dumps(doc, ensure_ascii=False), "utf-8")
    return path


@pytest.fixture(scope="session")
def exact() -> Callable[[str], Any]:
    """Read JSON so that equal means equal: order of keys, and numbers by their text."""

    def number(text: str) -> tuple[str, str]:
        return "number", text

    def load(text: str) -> Any:
        return json.loads(
            text,
            parse_float=number,
            parse_int=number,
            parse_constant=number,
            object_pairs_hook=lambda pairs: ("object", pairs),
        )

    return load
