"""napari's way in: what the annotator opens (a COCO file, results, a folder of images) opens there."""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_fashion.app.session import DEFAULT_SCHEMA
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.image_layer import within
from napari_fashion.coco import Dataset
from napari_fashion.coco.dataset import LISTING
from napari_fashion.editing.workfiles import ANNOTATIONS
from napari_fashion.errors import FashionError
from napari_fashion.files import is_file
from napari_fashion.images import SUFFIXES, read_image
from napari_fashion.schema import Schema

MOST_VISITED = 20_000
"""Maximum number of files and folders that are visited in a folder without an image."""

_LISTS_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*\{')

LayerData = tuple[Any, dict[str, Any], str]
OPEN = "napari_fashion_open"
"""In a layer's metadata: the data set that this layer stands for until the annotator has it."""


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return a reader of what the annotator opens, else None (`fits`)."""
    if not isinstance(path, str):
        if len(path) != 1:
            return None
        path = path[0]
    return _read if fits(Path(path)) else None


def fits(place: Path) -> bool:
    """Whether a path is the annotator's: a COCO file, results of `predict`, a folder of images.

    Nothing is parsed; what else is JSON, and folders of other things, are left to other readers.
    A folder is searched until an image is found, and no further than `MOST_VISITED`.
    """
    try:
        if os.path.isdir(place):
            return _has_images(place) or _is_coco(place / ANNOTATIONS)
        return place.suffix.lower() == ".json" and (_is_coco(place) or _is_results(place))
    except (OSError, ValueError):  # a name that the system refuses, a file that may not be read
        return False


def _read(path: str | Sequence[str]) -> list[LayerData]:
    place = Path(path if isinstance(path, str) else path[0])
    if os.path.isdir(place) and not _is_coco(place / ANNOTATIONS):
        dataset = Dataset.from_folder(place, schema=Schema.load(DEFAULT_SCHEMA))
    else:
        file = place / ANNOTATIONS if os.path.isdir(place) else place
        dataset = Dataset.load(file, fallback=Schema.load(DEFAULT_SCHEMA))
    return in_annotator(dataset, place)


def in_annotator(dataset: Dataset, place: Path) -> list[LayerData]:
    """Return the first image with its landmarks as layers, and open all in the annotator.

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
    garments = dataset.garments_of(image.id)
    try:
        pixels = read_image(image.path, size=image.known_size)
    except FashionError as error:
        show_warning(str(error))
        width, height = within(image.known_size or (400, 400))
        pixels = np.full((height, width, 3), 60, np.uint8)
        garments = []
    if image.known_size not in (None, pixels.shape[1::-1]):
        garments = []  # they would lie in the wrong places
    points = layer_data.landmarks(garments, dataset.schema)
    metadata = {OPEN: str(place)}
    layers: list[LayerData] = [(pixels, {"name": "image", "metadata": metadata}, "image")]
    if len(points.yx):
        style = {
            "name": "landmarks",
            "features": pd.DataFrame(points.features),
            "face_color": points.face,
            "size": max(pixels.shape[:2]) / 45,
            "metadata": metadata,
        }
        layers.append((points.yx, style, "points"))
    return layers


def _take_over(viewer: Any, place: Path) -> None:
    from napari_fashion.app.viewer.window import ANNOTATOR, window_of

    window = window_of(viewer)
    dock = window.show_dock(ANNOTATOR)  # asks about what is open, before anything changes
    agreed = window.may_discard()
    for layer in list(viewer.layers):
        if layer.metadata.get(OPEN) == str(place):
            viewer.layers.remove(layer)
    if agreed:
        dock.open(place, asked=True)
    else:
        window.layers.activate()


def _is_coco(path: Path) -> bool:
    """Whether a JSON file lists images as COCO does; searches for the words, and parses nothing."""
    if not is_file(path) or path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return _LISTS_IMAGES.search(text) is not None and text.find(b'"file_name"') >= 0


def _is_results(path: Path) -> bool:
    """Whether a JSON file is a list with the file that lists its images beside it."""
    if not is_file(path.with_name(path.stem + LISTING)) or not is_file(path):
        return False
    with path.open("rb") as file:
        return file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _has_images(folder: Path) -> bool:
    visited = 0
    for _, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                return True
        visited += len(folders) + len(names)
        if visited > MOST_VISITED:
            break
    return False
