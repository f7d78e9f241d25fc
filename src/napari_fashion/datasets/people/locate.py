"""Where the photos and their landmark files lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from napari_fashion.datasets.locating import locate_photos
from napari_fashion.paths import data_folder

ENVIRONMENT = "NAPARI_FASHION_PEOPLE"
"""Names the photos' folder, before every other place."""

DATA = Path(__file__).resolve().parent / "data"
"""Folder of the landmark files in the package."""


def landmarks(part: Literal["train", "test"]) -> Path:
    """Return a landmark file that the package carries; its categories are the 23 tags.

    With the photos: ``Dataset.load(landmarks("test"), image_root=locate() / "images")``.
    """
    return DATA / f"{part}.json"


def locate() -> Path | None:
    """Return the folder of photos already fetched (it holds ``images/``), or None.

    The environment variable NAPARI_FASHION_PEOPLE, if it is set, is the only place looked at. Otherwise
    the default folder of `fetch`; then, for developers, ``shared/data/people`` beside a source checkout.
    """
    return locate_photos(ENVIRONMENT, default_folder(), "people")


def default_folder() -> Path:
    """Return where `fetch` puts the photos by default: the user's data folder of the system."""
    return data_folder() / "people"
