"""Which prediction is which garment of the truth, by object keypoint similarity (OKS)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.engine.evaluation._arrays import Float64

SAME_OKS = 0.5
"""Two garments are the same if their OKS is above this.

The mean is taken over the landmarks of the garment that has fewer: a shirt and trousers share only the hem.
"""
SAME_IOU = 0.7
"""Two garments are the same, too, if the boxes of their landmarks overlap this much (IoU).

A person may have moved every landmark.
"""
FOUND_OKS = 0.5
"""A garment counts as found by a prediction with at least this OKS."""

Landmarks = tuple[NDArray[np.float64], NDArray[np.bool_]]
"""(K, 2) positions, xy pixels, and (K,) bool: which of them are set."""


def oks_matrix(
    pred_xy: ArrayLike,
    true_xy: ArrayLike,
    visibility: ArrayLike,
    area: ArrayLike,
    sigmas: ArrayLike,
) -> Float64:
    """Return the OKS of every prediction with every garment of one image.

    As COCO defines it: the mean over the labelled landmarks of ``exp(-d^2 / (2 area (2 sigma)^2))``.

    Parameters
    ----------
    pred_xy
        (P, K, 2) pixels.
    true_xy, visibility, area
        (G, K, 2) pixels, (G, K), (G,) square pixels.
    sigmas
        (K,) of the schema, as shares of the garment's size.

    Returns
    -------
    (P, G) float64 in 0..1; 0 for garments without a labelled landmark.
    """
    pred = np.asarray(pred_xy, np.float64)
    true = np.asarray(true_xy, np.float64)
    seen = np.asarray(visibility) > 0
    if len(pred) == 0 or len(true) == 0:
        return np.zeros((len(pred), len(true)))
    squared = ((pred[:, None] - true[None]) ** 2).sum(axis=-1)
    variance = (2 * np.asarray(sigmas, np.float64)) ** 2
    scale = np.asarray(area, np.float64)[:, None] + np.spacing(1)
    similar = np.exp(-squared / (2 * variance * scale)[None])
    labelled = seen.sum(axis=1)
    total = np.where(seen, similar, 0.0).sum(axis=-1)
    return np.asarray(np.divide(total, labelled, out=np.zeros_like(total), where=labelled > 0))


def same_garment(a: Landmarks, b: Landmarks, sigmas: ArrayLike) -> bool:
    """Return whether two sets of landmarks are of one garment, by `SAME_OKS` or `SAME_IOU`.

    Parameters
    ----------
    a, b
        Positions, and which of them are set.
    sigmas
        (K,) of the schema.
    """
    (xy_a, there_a), (xy_b, there_b) = a, b
    if not there_a.any() or not there_b.any():
        return False
    low_a, high_a = xy_a[there_a].min(0), xy_a[there_a].max(0)
    low_b, high_b = xy_b[there_b].min(0), xy_b[there_b].max(0)
    area_a, area_b = np.prod(high_a - low_a), np.prod(high_b - low_b)
    overlap = np.prod(np.clip(np.minimum(high_a, high_b) - np.maximum(low_a, low_b), 0, None))
    union = area_a + area_b - overlap
    if union > 0 and overlap / union >= SAME_IOU:
        return True
    both = there_a & there_b
    if not both.any():
        return False
    distance2 = ((xy_a - xy_b)[both] ** 2).sum(axis=1)
    spread2 = (2 * np.asarray(sigmas)[both]) ** 2 * max(area_a, area_b, 1.0)
    similarity = np.exp(-distance2 / (2 * spread2)).sum()
    return bool(similarity / min(there_a.sum(), there_b.sum()) > SAME_OKS)


def match_garments(
    similarity: ArrayLike, scores: ArrayLike, threshold: float = FOUND_OKS
) -> NDArray[np.int64]:
    """Match predictions with garments, one to one; the prediction with the highest score chooses first.

    Parameters
    ----------
    similarity
        (P, G), such as `oks_matrix`.
    scores
        (P,) of the predictions.
    threshold
        Least similarity of a match.

    Returns
    -------
    (P,) int64: the index of the garment that each prediction found, -1 for none.
    """
    table = np.array(similarity, np.float64, copy=True)
    matches = np.full(table.shape[0], -1, np.int64)
    if table.shape[1] == 0:
        return matches
    for p in np.argsort(-np.asarray(scores, np.float64), kind="stable"):
        g = int(np.argmax(table[p]))
        if table[p, g] >= threshold:
            matches[p] = g
            table[:, g] = -np.inf
    return matches
