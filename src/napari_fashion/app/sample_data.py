"""What File > Open Sample offers: garments to try the annotator on.

Some images of each sample come without annotations, to predict and correct; the others have
theirs, to view and to retrain on.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from napari_fashion.app.viewer.reader import LayerData, in_annotator
from napari_fashion.coco import Dataset, export
from napari_fashion.datasets import photos as cc0
from napari_fashion.datasets.procedural import ANNOTATIONS, demo_dataset
from napari_fashion.errors import FashionError

PROCEDURAL_OPEN = 6
"""Number of the 12 procedural images that come without annotations."""
PHOTOS_OPEN = 24
FILE = "to-annotate.json"


def procedural() -> list[LayerData]:
    """Return the first of the procedural garments, and open all in the annotator."""
    path = procedural_file()
    return in_annotator(Dataset.load(path), path)


def photos() -> list[LayerData]:
    """Return the first of the CC0 photos' test split, and open all in the annotator.

    Where the photos are not here yet, the annotator offers to fetch them.
    """
    import napari

    if cc0.locate() is None and (viewer := napari.current_viewer()) is not None:
        from napari_fashion.app.viewer.window import ANNOTATOR, window_of

        window_of(viewer).show_dock(ANNOTATOR).open_photos()
        return []
    path = photos_file()
    return in_annotator(Dataset.load(path), path)


def procedural_file(folder: Path | None = None) -> Path:
    """Render the procedural garments, where they aren't yet, and return their COCO file."""
    folder = folder or cc0.default_folder().parent / "samples" / "procedural"
    if not (folder / ANNOTATIONS).is_file():
        demo_dataset(folder)
    return _without_some(Dataset.load(folder / ANNOTATIONS), folder / FILE, PROCEDURAL_OPEN)


def photos_file(folder: Path | None = None) -> Path:
    """Return a COCO file of the photos' test split.

    Raises
    ------
    FashionError
        If the photos are not here yet, with how to get them.
    """
    place = cc0.locate()
    if place is None:
        raise FashionError(
            "The CC0 garment photos are not on this machine yet. Get them once with "
            "`napari-fashion fetch`, or set NAPARI_FASHION_PHOTOS to a folder that has them."
        )
    folder = folder or cc0.default_folder().parent / "samples" / "photos"
    dataset = Dataset.load(cc0.landmarks("test"), image_root=place / "images")
    return _without_some(dataset, folder / FILE, PHOTOS_OPEN)


def _without_some(dataset: Dataset, path: Path, n: int) -> Path:
    """Write a data set without the annotations of its first `n` images.

    Once: a person may have saved over it since, and opening the sample again shows that.
    """
    if path.is_file():
        return path
    empty: Collection[Any] = {image.id for image in dataset.images[:n]}
    for garment in list(dataset.garments):
        if garment.image_id in empty:
            dataset.remove_record("annotations", garment.id)
    export(dataset, path, include_predictions=True)
    return path
