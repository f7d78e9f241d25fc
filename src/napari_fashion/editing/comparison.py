"""Two readings of one image side by side: which garments are the same, and how far apart landmarks are.

Readings are what is in the file, what a person checked, or what a model predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco import Garment
from napari_fashion.engine.prediction import PredictedGarment

FAR = 0.02
"""Landmarks farther apart than this share of the garment's diagonal are shown as different."""
SAME = 0.35
"""Garments whose common landmarks are farther apart than this on average are two garments."""


@dataclass(frozen=True, eq=False)
class Reading:
    """One garment of a reading.

    Attributes
    ----------
    xy
        (K, 2) pixels.
    visibility
        (K,) 0, 1 or 2; 0 where there is no landmark.
    category
        Its name; empty if it has none.
    """

    xy: NDArray[np.float64]
    visibility: NDArray[np.int64]
    category: str

    @classmethod
    def of_file(cls, garment: Garment) -> Reading:
        """Return a garment of a data set."""
        return cls(garment.xy, np.asarray(garment.visibility), garment.category_name)

    @classmethod
    def of_prediction(cls, garment: PredictedGarment, categories: Sequence[str]) -> Reading:
        """Return a garment that a model found; `categories` are the names of its schema."""
        category = categories[int(np.argmax(garment.category))] if len(garment.category) else ""
        return cls(np.asarray(garment.xy, np.float64), garment.visibility, category)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """(K,) which landmarks it has."""
        return self.visibility > 0

    @property
    def diagonal(self) -> float:
        """Of the box of its landmarks, pixels, at least 1."""
        placed = self.xy[self.placed]
        return max(float(np.hypot(*np.ptp(placed, axis=0))), 1.0) if len(placed) else 1.0


@dataclass(frozen=True, eq=False)
class Pair:
    """A garment of one reading and the same garment of the other.

    Attributes
    ----------
    ours, theirs
        Their places in the readings; None where a reading lacks it.
    in_ours, in_theirs
        (K,) which landmarks each has.
    pixels, distance
        (K,) between their landmarks, in pixels and as a share of the diagonal of ours; nan where a
        reading lacks one.
    """

    ours: int | None
    theirs: int | None
    in_ours: NDArray[np.bool_]
    in_theirs: NDArray[np.bool_]
    pixels: NDArray[np.float64]
    distance: NDArray[np.float64]

    @property
    def far(self) -> NDArray[np.bool_]:
        """(K,) whose landmarks lie farther apart than `FAR`."""
        return self.distance > FAR


def compare(ours: Sequence[Reading], theirs: Sequence[Reading]) -> list[Pair]:
    """Return the garments of two readings in pairs: ours in their order, then what only they have.

    Every garment is in one pair; pairs are those whose common landmarks are nearest in all.
    """
    apart = np.array([[_apart(one, other) for other in theirs] for one in ours])
    partner: dict[int, int] = {}
    if apart.size:
        from scipy.optimize import (
            linear_sum_assignment,  # slow to import, and a window starts without
        )

        rows, columns = linear_sum_assignment(np.minimum(apart, 10.0))
        partner = {
            int(i): int(j) for i, j in zip(rows, columns, strict=True) if apart[i, j] <= SAME
        }
    pairs = [_pair(i, one, partner.get(i), theirs) for i, one in enumerate(ours)]
    alone = set(range(len(theirs))) - set(partner.values())
    return pairs + [_pair(None, None, j, theirs) for j in sorted(alone)]


def _pair(i: int | None, one: Reading | None, j: int | None, theirs: Sequence[Reading]) -> Pair:
    other = None if j is None else theirs[j]
    known = one or other
    assert known is not None
    nowhere = np.zeros(len(known.xy), np.bool_)
    pixels = np.full(len(known.xy), np.nan)
    if one is not None and other is not None:
        pixels = _pixels(one, other)
    return Pair(
        i,
        j,
        nowhere if one is None else one.placed,
        nowhere if other is None else other.placed,
        pixels,
        pixels / known.diagonal,
    )


def _pixels(one: Reading, other: Reading) -> NDArray[np.float64]:
    pixels: NDArray[np.float64] = np.linalg.norm(one.xy - other.xy, axis=1)
    pixels[~(one.placed & other.placed)] = np.nan
    return pixels


def _apart(one: Reading, other: Reading) -> float:
    pixels = _pixels(one, other)
    return float("inf") if np.isnan(pixels).all() else float(np.nanmean(pixels)) / one.diagonal
