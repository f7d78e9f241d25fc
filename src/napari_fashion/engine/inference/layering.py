"""Garments that were found in the fields of several layers: which of them are one, which one is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.prediction import PredictedGarment

SAME = 0.9
"""Mean similarity (of COCO's keypoint kind, 0 to 1) of the landmarks from which two garments of different
layers may be one. Of 89 pairs in the people photos that share their landmarks, 39 are as similar as 0.6,
and 7 as 0.9 (training/several.md)."""

WEAKER = 0.6
"""Two garments at one place are one if the second's score is below this share of the first's: what the
network calls a jacket and, half as surely, a shirt. As sure ones are worn over each other."""

SHARED = 0.6
"""Share of the landmarks of the larger of two garments that both have to have for that: a shirt of which
only the collar is seen is not the jacket over it."""


def found_once(
    garments: Sequence[PredictedGarment], sigmas: Sequence[float], landmark_threshold: float
) -> list[PredictedGarment]:
    """Leave out garments that a surer one of another layer is, too; best score first.

    Parameters
    ----------
    garments
        Of one image, K landmarks each.
    sigmas
        (K,) of the schema.
    landmark_threshold
        Landmarks with a lower score complete a garment, and do not count.
    """
    ranked = sorted(garments, key=lambda garment: -garment.score)
    dropped: set[int] = set()
    for i, j in combinations(range(len(ranked)), 2):
        one, other = ranked[i], ranked[j]
        if i in dropped or j in dropped or one.layer == other.layer:
            continue
        if other.score >= WEAKER * one.score:
            continue
        alike = similarity_of_common(
            one, other, np.asarray(sigmas), landmark_threshold, share=SHARED, of=max
        )
        if alike >= SAME:
            dropped.add(j)
    return [garment for i, garment in enumerate(ranked) if i not in dropped]


def similarity_of_common(
    one: PredictedGarment,
    other: PredictedGarment,
    sigmas: NDArray[np.float64],
    landmark_threshold: float,
    *,
    share: float,
    of: Callable[[int, int], int],
) -> float:
    """Return the `similarity` of two garments; 0 if they have too few landmarks in common.

    Parameters
    ----------
    one, other, sigmas
        See `similarity`.
    landmark_threshold
        Landmarks with a lower score do not count.
    share
        Common landmarks that are needed, as a share of those of one of the garments.
    of
        Of which one, from the numbers of landmarks of both: `max` or `min`.
    """
    first, second = (g.found & (g.scores >= landmark_threshold) for g in (one, other))
    needed = share * of(int(first.sum()), int(second.sum()))
    if (first & second).sum() < max(1, needed):
        return 0.0
    return similarity(one, other, first, second, sigmas)


def similarity(
    one: PredictedGarment,
    other: PredictedGarment,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    sigmas: NDArray[np.float64],
) -> float:
    """Return how near the common landmarks of two garments lie, by COCO's similarity of keypoints.

    The area is that of the box of all their landmarks.

    Parameters
    ----------
    one, other
        Garments with K landmarks.
    first, second
        (K,) bool: the landmarks of each that count; some are common.
    sigmas
        (K,) of the schema.

    Returns
    -------
    The mean over the common landmarks, 0 to 1.
    """
    both = first & second
    places = np.concatenate([one.xy[first], other.xy[second]])
    area = float(np.prod(np.ptp(places, axis=0) + 1))
    squared = ((one.xy[both] - other.xy[both]) ** 2).sum(1)
    return float(np.exp(-squared / (2 * (2 * sigmas[both]) ** 2 * area)).mean())


def filling_most(
    garments: Sequence[PredictedGarment],
    size: tuple[int, int],
    landmark_threshold: float,
    mass: Sequence[float],
) -> list[PredictedGarment]:
    """Return the garment of a crop: of those that the layers hold, the sure one that fills it.

    How much of the crop a garment fills, how sure it is, and how much of its layer the category field
    shows are multiplied. Its category is the mean of all, weighted by that: which layer is meant may be
    less sure than where the landmarks are.

    Parameters
    ----------
    garments
        At most one for each layer.
    size
        The crop's width and height.
    landmark_threshold
        Landmarks with a lower score do not say where a garment is, if two others do.
    mass
        Of each layer, the probability of its categories in the whole crop.

    Returns
    -------
    One garment; none if there is none.
    """
    if not garments:
        return []

    def weight(garment: PredictedGarment) -> float:
        sure = garment.found & (garment.scores >= landmark_threshold)
        placed = sure if sure.sum() >= 2 else garment.found
        if not placed.any():
            return 0.0
        extent = np.ptp(garment.xy[placed], axis=0) / np.asarray(size)
        return garment.score * float(np.sqrt(extent).mean() * mass[garment.layer] ** 0.25)

    weights = np.array([weight(garment) for garment in garments])
    best = garments[int(weights.argmax())]
    if not weights.sum() > 0 or not best.category.size:
        return [best]
    categories = np.stack([garment.category for garment in garments])
    mixed = (weights[:, None] * categories).sum(0) / weights.sum()
    return [replace(best, category=mixed.astype(np.float32))]
