"""Landmarks of images with several garments whose categories are known, and nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.places import unfold_prediction
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.images.transforms import RGBImage
from napari_fashion.schema import Schema

LEAST_PROBABILITY = 0.1
"""A find is not a garment of a category that the teacher gives less than this."""

_Reading = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class TaggedGarment:
    """One garment of an image, as a teacher reads it in the image and in its mirror image.

    Attributes
    ----------
    garment
        Of the image; K landmarks, in its pixels.
    agreed
        (K,) bool: landmarks that both readings found, at one place.
    disagreement
        (K,) float32: distance of the readings as a share of the garment's box; infinite where one of them
        found nothing.
    """

    garment: PredictedGarment
    agreed: NDArray[np.bool_]
    disagreement: NDArray[np.float32]


def read_tagged(
    teacher: GarmentModel,
    image: RGBImage,
    categories: Sequence[int],
    tolerance: float,
    share: float,
) -> list[TaggedGarment] | str:
    """Find the garments of an image, if they are those that its tags name.

    The image and its mirror image are predicted as usual (detection and refinement). An image is
    taken whole or not at all: a garment of it that was not found would be learned as background.

    Parameters
    ----------
    teacher
        Its schema has to know left from right.
    image
        (H, W, 3) uint8.
    categories
        Indices of the categories of all its garments.
    tolerance
        Largest distance of a landmark's two readings, as a share of the garment's box.
    share
        Least share of the landmarks that were found on which the readings agree, for each garment.

    Returns
    -------
    For each of `categories` its garment; or why there are none, as a plural.
    """
    width, height = image.shape[1], image.shape[0]
    both = teacher.predict([image, np.ascontiguousarray(image[:, ::-1])])
    found, mirrored = (unfold_prediction(p, teacher.schema).garments for p in both)
    if len(found) != len(categories):
        return "images in which more or fewer garments were found than the tags name"
    order = assigned(found, categories)
    if order is None:
        return "images in which garments of other categories were found than the tags name"
    turned = [_turned_back(g, width, teacher.schema.file_schema) for g in mirrored]
    result = []
    for place in order:
        read = _compared(found[place], turned, (width, height), tolerance)
        if read.agreed.sum() < max(2, share * found[place].found.sum()):
            return "images whose readings do not agree"
        result.append(read)
    return result


def assigned(found: Sequence[PredictedGarment], categories: Sequence[int]) -> list[int] | None:
    """Return which find is the garment of each category, by their probabilities together.

    Returns
    -------
    Places among as many finds; None if a garment would get a category that it hardly has.
    """
    likely = np.array([[garment.category[c] for garment in found] for c in categories])
    rows, columns = linear_sum_assignment(-np.log(likely.clip(1e-9)))
    if likely[rows, columns].min(initial=1.0) < LEAST_PROBABILITY:
        return None
    return [int(column) for column in columns]


def _turned_back(garment: PredictedGarment, width: int, schema: Schema) -> _Reading:
    """Return the landmarks (K, 2) and which were found, of a garment of the mirror image."""
    flips = list(schema.flips)
    xy = garment.xy[flips].copy()
    xy[:, 0] = width - 1 - xy[:, 0]
    return xy, garment.found[flips]


def _compared(
    garment: PredictedGarment,
    others: Sequence[_Reading],
    size: tuple[int, int],
    tolerance: float,
) -> TaggedGarment:
    """Compare a garment with the one of the mirror image that agrees with it best."""
    own = garment.xy[garment.found]
    extent = np.maximum(np.ptp(own, axis=0) if len(own) else np.zeros(2), 0.02 * max(size))
    best = np.full(len(garment.xy), np.inf, np.float32)
    for xy, found in others:
        apart = np.linalg.norm((xy - garment.xy) / extent, axis=1)
        apart = np.where(garment.found & found, apart, np.inf).astype(np.float32)
        if (apart <= tolerance).sum() > (best <= tolerance).sum():
            best = apart
    return TaggedGarment(garment, best <= tolerance, best)
