"""All placed landmarks of a data set as flat arrays, whatever the number of landmarks of its schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.keypoints import parse_keypoints
from napari_fashion.coco.statistics import Columns, Once, keypoints_of

_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class Placed:
    """One row a placed landmark, garment by garment.

    Attributes
    ----------
    garment
        (P,) int64: the row of the annotation in the columns, ascending.
    landmark
        (P,) int64: index into the schema's landmarks.
    xy
        (P, 2) float64 pixels.
    visibility
        (P,) int64: 1 hidden or 2 visible.
    """

    garment: npt.NDArray[np.int64]
    landmark: npt.NDArray[np.int64]
    xy: npt.NDArray[np.float64]
    visibility: npt.NDArray[np.int64]


def placed_landmarks(dataset: Dataset, found: Columns) -> Placed:
    """Return the placed landmarks of all annotations that are no crowd.

    Parameters
    ----------
    found
        The columns of the same data set as it is now.
    """
    k = dataset.schema.n_landmarks
    order_of = Once(dataset.landmark_order)
    rows = np.flatnonzero(~found.crowd)
    pairs = keypoints_of(dataset, found.crowd)
    parts: list[Placed] = []
    for start in range(0, len(pairs), _BLOCK):
        of_block = rows[start : start + _BLOCK]
        plain, plain_rows = [], []
        for row, (category_id, flat) in zip(of_block, pairs[start : start + _BLOCK], strict=True):
            order = order_of(category_id)
            if order is None and isinstance(flat, list) and len(flat) == 3 * k:
                plain.append(flat)
                plain_rows.append(row)
            else:
                parts.append(_one(int(row), flat, k, order))
        parts.append(_block(np.array(plain_rows, np.int64), plain, k))
    return _joined(parts)


def _one(row: int, flat: Any, k: int, order: Any) -> Placed:
    read = parse_keypoints(flat, k, order)
    at = np.flatnonzero(read.visibility)
    return Placed(np.full(len(at), row), at, read.xy[at], read.visibility[at])


def _block(rows: npt.NDArray[np.int64], flats: list[Any], k: int) -> Placed:
    """Return the landmarks of lists of 3 K values; each is read alone if one has no numbers."""
    try:
        triplets = np.array(flats, dtype=np.float64).reshape(-1, k, 3)
    except (TypeError, ValueError, OverflowError):
        return _joined(
            [_one(int(row), flat, k, None) for row, flat in zip(rows, flats, strict=True)]
        )
    finite = np.isfinite(triplets).all(axis=2)
    v = np.where(finite, np.rint(np.where(finite, triplets[:, :, 2], 0)).clip(0, 2), 0)
    visibility = v.astype(np.int64)
    i, j = np.nonzero(visibility)
    return Placed(rows[i], j.astype(np.int64), triplets[i, j, :2], visibility[i, j])


def _joined(parts: list[Placed]) -> Placed:
    garment = np.concatenate([p.garment for p in parts] or [np.empty(0, np.int64)])
    order = np.argsort(garment, kind="stable")
    return Placed(
        garment[order],
        np.concatenate([p.landmark for p in parts] or [np.empty(0, np.int64)])[order],
        np.concatenate([p.xy for p in parts] or [np.empty((0, 2))])[order],
        np.concatenate([p.visibility for p in parts] or [np.empty(0, np.int64)])[order],
    )
