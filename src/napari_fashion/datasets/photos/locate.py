"""Where the photos and their landmark files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_fashion.datasets.locating import locate_photos
from napari_fashion.paths import data_folder

ENVIRONMENT = "NAPARI_FASHION_PHOTOS"
"""Names the photos' folder, before every other place."""

DATA = Path(__file__).resolve().parent / "data"
"""Folder of the landmark files in the package."""


def landmarks(split: Literal["train", "test"]) -> Path:
    """Return the landmark file of a split, which the package carries.

    With the photos: ``Dataset.load(landmarks("test"), image_root=locate() / "images")``.
    """
    return DATA / f"{split}.json"


def locate() -> Path | None:
    """Return the folder of photos already fetched (it holds ``images/``), or None.

    The environment variable NAPARI_FASHION_PHOTOS, where it is set, is the only place looked at.
    Otherwise the default folder of `fetch`; then, for developers, ``shared/data/garments`` beside
    a source checkout.
    """
    return locate_photos(ENVIRONMENT, default_folder(), "garments")


def default_folder() -> Path:
    """Return where `fetch` puts the photos by default: the user's data folder of the system."""
    return data_folder() / "photos"
