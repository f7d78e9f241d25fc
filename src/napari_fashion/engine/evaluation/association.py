"""Which of the landmarks that were found belong to the right garment, and which to a neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.matching import match_garments, oks_matrix
from napari_fashion.engine.prediction import Prediction
from napari_fashion.schema import Schema

IN_PLACE = 0.1
"""A landmark is found in its place within this distance, in widths and heights of the garment's box."""


@dataclass(frozen=True, eq=False)
class Association:
    """The G garments of an image beside what was predicted; crowds and garments without labels left out.

    Attributes
    ----------
    garments
        (G,) int64: their indices in the image.
    found
        (G,) bool: whether a prediction of its own has an OKS of at least `matching.FOUND_OKS`.
    labelled
        (G, K) bool: landmarks of the truth.
    own
        (G, K) bool: those that the garment's own prediction has in their place (`IN_PLACE`).
    astray
        (G, K) bool: those that only another prediction has in their place, though it is nearer to them than
        to the same landmark of its own garment, if it has one.
    false
        Number of predictions that are no garment's, without those in the middle of a region to ignore.
    """

    garments: NDArray[np.int64]
    found: Bool
    labelled: Bool
    own: Bool
    astray: Bool
    false: int


def associate(image: AnnotatedImage, prediction: Prediction, schema: Schema) -> Association:
    """Compare the garments of an image with what was predicted for the whole image.

    Each garment has at most one prediction of its own: all together are chosen so that the most landmarks
    are in their place, and of equal choices the greatest sum of OKS (Kuhn 1955).

    Parameters
    ----------
    image
        The truth.
    prediction
        For the same image, in its pixels.
    schema
        K landmarks.
    """
    chosen = np.flatnonzero(~image.crowd & (image.visibility > 0).any(axis=1))
    truth = image.xy[chosen].astype(np.float64)
    labelled = image.visibility[chosen] > 0
    n_found = len(prediction.garments)
    k = schema.n_landmarks
    xy = np.array([g.xy for g in prediction.garments], np.float64).reshape(n_found, k, 2)
    there = np.array([g.found for g in prediction.garments], np.bool_).reshape(n_found, k)
    scores = [g.score for g in prediction.garments]
    box = image.box[chosen].astype(np.float64)
    extent = np.maximum(box[:, 2:] - box[:, :2], 1.0)
    # (P, G, K): from each predicted landmark to each garment's same one, in boxes of that garment.
    apart = np.linalg.norm((xy[:, None] - truth[None]) / extent[:, None], axis=-1)
    apart = np.where(there[:, None] & labelled[None], apart, np.inf)
    similar = oks_matrix(xy, truth, image.visibility[chosen], image.area[chosen], schema.sigmas)
    matches = match_garments(similar, scores)
    near = apart <= IN_PLACE
    owners = _owners(near.sum(axis=-1), similar)
    own = np.zeros(labelled.shape, np.bool_)
    astray = np.zeros(labelled.shape, np.bool_)
    garment_of = {p: g for g, p in enumerate(owners.tolist()) if p >= 0}
    for g, owner in enumerate(owners.tolist()):
        if owner >= 0:
            own[g] = near[owner, g]
        for p in range(n_found):
            if p != owner:
                theirs = apart[p, garment_of[p]] if p in garment_of else np.full(k, np.inf)
                astray[g] |= near[p, g] & (apart[p, g] < theirs)
    found = np.isin(np.arange(len(chosen)), matches[matches >= 0])
    false = sum(
        m < 0 and not _ignored(xy[p][there[p]], image) for p, m in enumerate(matches.tolist())
    )
    return Association(chosen, found, labelled, own, astray & ~own, false)


def _owners(in_place: NDArray[np.int64], similar: Float64) -> NDArray[np.int64]:
    """Return the (G,) index of each garment's own prediction, -1 for none, from (P, G) tables."""
    owners = np.full(in_place.shape[1], -1, np.int64)
    predictions, garments = linear_sum_assignment(
        in_place + similar / (2 * max(len(owners), 1)), maximize=True
    )
    for p, g in zip(predictions.tolist(), garments.tolist(), strict=True):
        if in_place[p, g] > 0:
            owners[g] = p
    return owners


def _ignored(xy: Float64, image: AnnotatedImage) -> bool:
    """Whether the middle of a prediction's (n, 2) landmarks lies in a region to ignore."""
    if not len(xy):
        return False
    middle = 0.5 * (xy.min(axis=0) + xy.max(axis=0))
    regions = image.box[image.crowd]
    inside = (regions[:, :2] <= middle) & (middle <= regions[:, 2:])
    return bool(inside.all(axis=1).any())
