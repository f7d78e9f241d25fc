"""What a person would correct on an image, the one correction after the other; no window.

The shown garments are compared with the truth. A landmark is right if it lies within a share of the sides
of the true garment's box of its true place, and is visible, hidden or absent as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId

TOLERANCE = 0.02
"""Share of the box's sides."""
SAME = 0.35
"""Garments whose common landmarks lie farther apart than this share of the box, on average, are two."""


@dataclass(frozen=True)
class Correction:
    """One thing to put right.

    Attributes
    ----------
    kind
        ``delete`` or ``add`` a garment, its ``category``, or a landmark: ``remove``, ``place``,
        ``move``, or its ``visibility``.
    garment_id
        The shown garment; None for one that is missing.
    truth
        What it should be; None for one that is not there.
    landmark
        Of the garment.
    """

    kind: str
    garment_id: RecordId | None
    truth: Garment | None = None
    landmark: int | None = None


def next_correction(
    shown: Sequence[Garment], truth: Sequence[Garment], tolerance: float = TOLERANCE
) -> Correction | None:
    """Return the first thing that differs, or None where all is right."""
    pairs = matched(shown, truth)
    for garment in shown:
        if garment.id not in pairs:
            return Correction("delete", garment.id)
    for true in truth:
        if true.id not in [one.id for one in pairs.values()]:
            return Correction("add", None, true)
    for garment in shown:
        true = pairs[garment.id]
        if garment.category_name != true.category_name:
            return Correction("category", garment.id, true)
        for k in range(len(true.visibility)):
            if kind := _wrong(garment, true, k, tolerance):
                return Correction(kind, garment.id, true, k)
    return None


def matched(shown: Sequence[Garment], truth: Sequence[Garment]) -> dict[RecordId, Garment]:
    """Return the true garment of each shown one that is near enough to be it."""
    if not shown or not truth:
        return {}
    apart = np.array([[_apart(garment, true) for true in truth] for garment in shown])
    rows, columns = linear_sum_assignment(np.minimum(apart, 10.0))
    return {
        shown[i].id: truth[j] for i, j in zip(rows, columns, strict=True) if apart[i, j] <= SAME
    }


def sides(garment: Garment) -> np.ndarray:
    """Return width and height of the box of a garment's landmarks, (2,) pixels, 1 at least."""
    placed = garment.xy[garment.visibility > 0]
    return np.maximum(placed.max(axis=0) - placed.min(axis=0), 1.0)


def _apart(garment: Garment, true: Garment) -> float:
    """Return the mean distance of common landmarks, as a share of the box's diagonal; inf if none."""
    common = (garment.visibility > 0) & (true.visibility > 0)
    if not common.any():
        return float("inf")
    distances = np.linalg.norm(garment.xy[common] - true.xy[common], axis=1)
    return float(distances.mean() / np.linalg.norm(sides(true)))


def _wrong(garment: Garment, true: Garment, k: int, tolerance: float) -> str:
    """Return what is wrong with a landmark; empty where it is right."""
    found, wanted = int(garment.visibility[k]), int(true.visibility[k])
    if not found and not wanted:
        return ""
    if not wanted:
        return "remove"
    if not found:
        return "place"
    if (np.abs(garment.xy[k] - true.xy[k]) > tolerance * sides(true)).any():
        return "move"
    return "visibility" if found != wanted else ""
