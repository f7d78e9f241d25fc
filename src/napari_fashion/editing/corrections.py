"""What a person would correct on an image whose truth is known: the measure of effort, and of real error.

A landmark is right if it lies within a share of the sides of the true garment's box of its true place, and
is visible, hidden or absent as there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.comparison import Reading, compare

TOLERANCE = 0.02
"""Share of the box's sides."""

Kind = Literal["delete", "add", "category", "remove", "place", "move", "visibility"]


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

    kind: Kind
    garment_id: RecordId | None
    truth: Garment | None = None
    landmark: int | None = None


def corrections(
    shown: Sequence[Garment],
    truth: Sequence[Garment],
    tolerance: float = TOLERANCE,
    least: float = 0.0,
) -> Iterator[Correction]:
    """Yield what differs: garments too many, garments that are missing, then what is wrong in each.

    Of a missing garment its landmarks follow, to be placed; one without landmarks is not asked for.

    Parameters
    ----------
    tolerance
        Share of the sides of the true garment's box by which a landmark may be off, along each.
    least
        Pixels by which it may be off in any case: of a thin garment a share may be less than can be seen.
    """
    pairs = compare(*([Reading.of_file(one) for one in side] for side in (shown, truth)))
    for pair in pairs:
        if pair.ours is not None and pair.theirs is None:
            yield Correction("delete", shown[pair.ours].id)
    for pair in pairs:
        if pair.ours is None and pair.theirs is not None and pair.in_theirs.any():
            missing = truth[pair.theirs]
            yield Correction("add", None, missing)
            for k in np.flatnonzero(missing.visibility).tolist():
                yield Correction("place", None, missing, k)
    for pair in pairs:
        if pair.ours is not None and pair.theirs is not None:
            yield from _of_garment(shown[pair.ours], truth[pair.theirs], tolerance, least)


def _of_garment(
    garment: Garment, true: Garment, tolerance: float, least: float
) -> Iterator[Correction]:
    if garment.category_name != true.category_name:
        yield Correction("category", garment.id, true)
    if not (true.visibility > 0).any():
        return
    allowed = np.maximum(tolerance * box_sides(true), least)
    for k in range(len(true.visibility)):
        if (kind := _wrong(garment, true, k, allowed)) is not None:
            yield Correction(kind, garment.id, true, k)


def box_sides(garment: Garment) -> NDArray[np.float64]:
    """Return width and height of the box of a garment's landmarks, (2,) pixels, at least 1."""
    placed = garment.xy[garment.visibility > 0]
    return np.asarray(np.maximum(np.ptp(placed, axis=0), 1.0))


def _wrong(garment: Garment, true: Garment, k: int, allowed: NDArray[np.float64]) -> Kind | None:
    """Return what is wrong with a landmark; None where it is right."""
    found, wanted = int(garment.visibility[k]), int(true.visibility[k])
    if not found and not wanted:
        return None
    if not wanted:
        return "remove"
    if not found:
        return "place"
    if (np.abs(garment.xy[k] - true.xy[k]) > allowed).any():
        return "move"
    return "visibility" if found != wanted else None
