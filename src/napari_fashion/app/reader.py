"""napari's way in: a COCO keypoint file or a folder of pictures opens in the annotator."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_fashion.app import layer_data
from napari_fashion.app.session import DEFAULT_SCHEMA
from napari_fashion.coco import Dataset
from napari_fashion.errors import FashionError
from napari_fashion.images import SUFFIXES, read_image
from napari_fashion.schema import Schema

LayerData = tuple[Any, dict[str, Any], str]
OPEN = "napari_fashion_open"
"""In a layer's metadata: the data set that this layer stands for until the annotator has it."""


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader of a COCO keypoint file or of a folder of pictures, else None."""
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    place = Path(path)
    fits = _has_pictures(place) if place.is_dir() else _is_coco(place)
    return _read if fits else None


def _read(path: str | Sequence[str]) -> list[LayerData]:
    place = Path(path if isinstance(path, str) else path[0])
    if place.is_dir():
        dataset = Dataset.from_folder(place, schema=Schema.load(DEFAULT_SCHEMA))
    else:
        dataset = Dataset.load(place, fallback=Schema.load(DEFAULT_SCHEMA))
    return in_annotator(dataset, place)


def in_annotator(dataset: Dataset, place: Path) -> list[LayerData]:
    """Return the first picture with its landmarks as layers, and open all in the annotator.

    napari wants layers of a reader. In a window the annotator takes over as soon as napari has
    added them; without one (a script, another program) they are what was read.
    """
    import napari
    from napari.utils.notifications import show_warning

    viewer = napari.current_viewer()
    if viewer is not None:
        from qtpy.QtCore import QTimer

        QTimer.singleShot(0, lambda: _take_over(viewer, place))
    if not dataset.images:
        return []
    image = dataset.images[0]
    try:
        picture = read_image(image.path, size=image.size)
    except FashionError as error:  # its garments are shown all the same
        show_warning(str(error))
        width, height = image.known_size or (400, 400)
        picture = np.full((height, width, 3), 60, np.uint8)
    garments = dataset.garments_of(image.id)
    points = layer_data.landmarks(garments, dataset.schema)
    metadata = {OPEN: str(place)}
    layers: list[LayerData] = [(picture, {"name": "picture", "metadata": metadata}, "image")]
    if len(points.yx):
        style = {
            "name": "landmarks",
            "features": pd.DataFrame(points.features),
            "face_color": points.face,
            "size": max(picture.shape[:2]) / 45,
            "metadata": metadata,
        }
        layers.append((points.yx, style, "points"))
    return layers


def _take_over(viewer: Any, place: Path) -> None:
    from napari_fashion.app.window import window_of

    for layer in list(viewer.layers):
        if layer.metadata.get(OPEN) == str(place):
            viewer.layers.remove(layer)
    window_of(viewer).open(place)


def _is_coco(path: Path) -> bool:
    """Whether a JSON file is a COCO keypoint file; looks for the words, and parses nothing."""
    if path.suffix.lower() != ".json" or not path.is_file() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        words = (b'"images"', b'"categories"', b'"keypoints"')
        return all(text.find(word) >= 0 for word in words)


def _has_pictures(folder: Path) -> bool:
    return any(p.suffix.lower() in SUFFIXES for p in folder.iterdir())
