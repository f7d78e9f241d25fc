"""Where landmarks are said to be that were not found: a registry of fallbacks.

The artificial skeleton has fixed places relative to what the model was shown (the report, section 6.1).
Those of DeepFashion's eight landmarks stand in ``skeleton.toml``; for others they are the mean places in
a file that the caller names, such as the training part of the data set (`mean_places`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import listed, parse_toml
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.cuts import CUTS
from napari_fashion.engine.evaluation.judged import Region
from napari_fashion.errors import FashionError
from napari_fashion.registry import Registry
from napari_fashion.schema import Schema

Places = Mapping[str, tuple[float, float]]
"""Relative places by the names of landmarks: shares of the width and the height."""


class Fallback(Protocol):
    """Where landmarks are said to be that were not found.

    Attributes
    ----------
    name, title
        Its name in the registry, and the rule in words.
    """

    name: str
    title: str

    def relative(self, schema: Schema, places: Places | None) -> NDArray[np.float64]:
        """Return (K, 2) relative places: shares of the width and the height of what is shown.

        Parameters
        ----------
        schema
            The model's.
        places
            What the caller knows of them; None for the package's own.

        Raises
        ------
        FashionError
            If the place of a landmark is not known.
        """


class Corner:
    """All landmarks at the upper left corner."""

    name = "corner"
    title = "the corner"

    def relative(self, schema: Schema, places: Places | None) -> NDArray[np.float64]:
        """Return zeros."""
        return np.zeros((schema.n_landmarks, 2))


class Skeleton:
    """The artificial skeleton: each landmark at its usual place."""

    name = "skeleton"
    title = "an artificial skeleton"

    def relative(self, schema: Schema, places: Places | None) -> NDArray[np.float64]:
        """Return the places of the schema's landmarks."""
        known = _own_places() if places is None else places
        lacking = [name for name in schema.landmarks if name not in known]
        if lacking:
            remedy = "Name a file whose mean places count (--skeleton-from), or use the corner."
            raise FashionError(
                f"The artificial skeleton has no place for {listed(lacking)}; expected one for each "
                f"landmark of schema {schema.name!r}. {remedy}"
            )
        return np.array([known[name] for name in schema.landmarks], np.float64).reshape(-1, 2)


FALLBACKS: Registry[Fallback] = Registry("fallback")
"""The fallbacks by name."""


for _fallback in (Corner(), Skeleton()):
    FALLBACKS.register(_fallback.name, _fallback)


def in_region(relative: NDArray[np.float64], region: Region) -> NDArray[np.float64]:
    """Return the places (K, 2) in pixels of the image, xy; those at 0, 0 are the corner pixel's centre."""
    origin = np.array([region.left, region.top], np.float64)
    return origin + relative * (np.array([region.width, region.height]) - 1.0)


def mean_places(
    images: Sequence[AnnotatedImage], schema: Schema, cut: str, margin: float
) -> dict[str, tuple[float, float]]:
    """Return the mean place of each labelled landmark relative to what a cut shows.

    Parameters
    ----------
    images
        Annotated images, such as those that a model learns from: not those that it is judged by.
    schema
        Theirs.
    cut, margin
        See `Protocol`.
    """
    total = np.zeros((schema.n_landmarks, 2))
    count = np.zeros(schema.n_landmarks)
    for image in images:
        for i in np.flatnonzero(~image.crowd).tolist():
            labelled = image.visibility[i] > 0
            if labelled.sum() < CUTS[cut].least:
                continue
            low, size = _shown(image, i, cut, margin)
            total[labelled] += (image.xy[i][labelled] - low) / size
            count[labelled] += 1
    return {
        name: (float(total[k, 0] / count[k]), float(total[k, 1] / count[k]))
        for k, name in enumerate(schema.landmarks)
        if count[k]
    }


def _shown(
    image: AnnotatedImage, i: int, cut: str, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corner and the size of what a cut shows, without reading the image."""
    corners = CUTS[cut].corners(image, i)
    last = np.array(image.size, np.float64) - 1
    if corners is None:
        return np.zeros(2), np.maximum(last, 1.0)
    low, high = corners.min(0).astype(np.float64), corners.max(0).astype(np.float64)
    grow = margin * np.maximum(high - low, 1.0)
    low, high = np.clip(low - grow, 0, last), np.clip(high + grow, 0, last)
    return low, np.maximum(high - low, 1.0)


@cache
def _own_places() -> dict[str, tuple[float, float]]:
    """Return the places in the package, by landmark."""
    file = resources.files(__package__) / "skeleton.toml"
    data = parse_toml(file.read_text("utf-8"), str(file), FashionError, "places by landmark")
    return {name: (float(x), float(y)) for name, (x, y) in data["places"].items()}
