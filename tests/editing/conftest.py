"""The small data set, in memory and as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_fashion.coco import Dataset
from small import small_dataset, small_document


@pytest.fixture
def dataset() -> Dataset:
    return small_dataset()


@pytest.fixture
def dataset_file(tmp_path: Path) -> Path:
    """The small data set as a file, in a layout of its own."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(small_document(), indent=1))
    return path
