"""What a person would correct on an image, the one correction after the other; no window.

The shown garments are compared with the truth. A landmark is right if it lies within a share of the sides
of the true garment's box of its true place, and is visible, hidden or absent as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.comparison import Reading, compare

TOLERANCE = 0.02
"""Share of the box's sides."""


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
    pairs = compare(*([Reading.of_file(one) for one in side] for side in (shown, truth)))
    return {
        shown[pair.ours].id: truth[pair.theirs]
        for pair in pairs
        if pair.ours is not None and pair.theirs is not None
    }


def sides(garment: Garment) -> np.ndarray:
    """Return width and height of the box of a garment's landmarks, (2,) pixels, 1 at least."""
    placed = garment.xy[garment.visibility > 0]
    return np.maximum(placed.max(axis=0) - placed.min(axis=0), 1.0)


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
