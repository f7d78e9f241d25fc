"""The flat ``keypoints`` of an annotation, and what follows from a change of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

DECIMALS = 2
"""Coordinates that we write are rounded to a hundredth of a pixel."""

Record = Mapping[str, Any]
Landmark = tuple[float, float, int]
"""x and y in pixels of the picture, and the visibility 0, 1 or 2."""


def read_keypoints(
    annotation: Record, k: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Read an annotation's landmarks, tolerantly; the record stays as it is.

    A missing or short list reads as landmarks that are not labelled, numbers after the K-th
    triplet are passed over, a visibility beyond 0, 1, 2 becomes the nearest of them, and a place
    that is no finite number counts as not labelled.

    Returns
    -------
    xy
        (K, 2), pixels of the picture, x then y; 0 where not labelled.
    visibility
        (K,): 0 not labelled, 1 hidden, 2 visible.
    """
    raw = annotation.get("keypoints")
    flat = raw[: 3 * k] if isinstance(raw, list) else []
    flat = flat[: len(flat) // 3 * 3]
    values = np.zeros((k, 3))
    if flat:
        numbers = np.array([_number(value) for value in flat])
        values[: len(flat) // 3] = numbers.reshape(-1, 3)
    labelled = np.isfinite(values).all(axis=1) & (values[:, 2] > 0)
    values[~labelled] = 0
    visibility = np.clip(np.rint(values[:, 2]), 0, 2).astype(np.int64)
    values[visibility == 0] = 0
    return values[:, :2], visibility


def landmark_changes(annotation: Record, k: int, changes: Mapping[int, Landmark]) -> dict[str, Any]:
    """Return the fields of an annotation that change when some of its landmarks do.

    Only the triplets named are written anew; the others, and whatever follows the K-th, keep
    their numbers. The box follows the landmarks if it was their box before (within 1 px), or
    if there was none; likewise the area if it was the box's. Otherwise they say something of
    their own (the garment's silhouette, say) and are left alone. Where no landmark is left, a box that
    followed is empty.

    Parameters
    ----------
    annotation
        The raw record; not changed.
    k
        Number of landmarks of the schema.
    changes
        For the index of each changed landmark its new x, y (pixels) and visibility. A visibility
        of 0 writes x = y = 0.

    Returns
    -------
    dict
        New values of ``keypoints``, ``num_keypoints``, ``bbox`` and ``area``, as far as they
        differ from the record's.
    """
    raw = annotation.get("keypoints")
    flat: list[Any] = list(raw) if isinstance(raw, list) else []
    whole = bool(flat) and all(type(value) is int for value in flat)
    nought = 0 if whole else 0.0
    while len(flat) < 3 * k:
        flat.append(0 if len(flat) % 3 == 2 else nought)
    for i, (x, y, v) in changes.items():
        if not 0 <= i < k:
            raise IndexError(f"landmark {i} of {k}")
        place = [_rounded(x, whole), _rounded(y, whole)] if v else [nought, nought]
        flat[3 * i : 3 * i + 3] = [*place, int(v)]

    before = landmark_box(*read_keypoints(annotation, k))
    xy, visibility = read_keypoints({"keypoints": flat}, k)
    after = landmark_box(xy, visibility)
    new: dict[str, Any] = {
        "keypoints": flat,
        "num_keypoints": int(np.count_nonzero(visibility)),
    }
    box = _box(annotation)
    follows = box is None or box[2:] == (0.0, 0.0)
    if box is not None and before is not None:
        follows |= all(abs(a - b) <= 1 for a, b in zip(box, before, strict=True))
    if follows and (after is not None or before is not None):
        after = after or (0.0, 0.0, 0.0, 0.0)
        new["bbox"] = [_rounded(value, whole) for value in after]
        area: Any = annotation.get("area")
        old = 0.0 if box is None else box[2] * box[3]
        if not math.isfinite(_number(area)) or abs(area - old) <= max(1.0, 1e-3 * old):
            new["area"] = _rounded(after[2] * after[3], whole)
    return {key: value for key, value in new.items() if not _same(annotation.get(key), value)}


def landmark_box(
    xy: npt.NDArray[np.float64], visibility: npt.NDArray[np.int64]
) -> tuple[float, float, float, float] | None:
    """Return the box x, y, width, height of the labelled landmarks, or None without any.

    Parameters
    ----------
    xy
        (K, 2), pixels.
    visibility
        (K,); 0 is not labelled.
    """
    if not visibility.any():
        return None
    labelled = xy[visibility > 0]
    (x1, y1), (x2, y2) = labelled.min(axis=0), labelled.max(axis=0)
    return float(x1), float(y1), float(x2 - x1), float(y2 - y1)


def flat_keypoints(xy: Sequence[Sequence[float]], visibility: Sequence[int]) -> list[float | int]:
    """Return COCO's flat list x, y, v of (K, 2) places and K visibilities."""
    flat: list[float | int] = []
    for (x, y), v in zip(xy, visibility, strict=True):
        flat += [_rounded(x, False), _rounded(y, False), int(v)] if v else [0.0, 0.0, 0]
    return flat


def _box(annotation: Record) -> tuple[float, float, float, float] | None:
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4:
        return None
    x, y, w, h = (_number(value) for value in box)
    return (x, y, w, h) if math.isfinite(x + y + w + h) else None


def _number(value: object) -> float:
    try:
        return float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        return math.nan


def _rounded(value: float, whole: bool) -> float | int:
    """Round to what we write: whole numbers stay integers in a file that has integers."""
    number = round(float(value), DECIMALS) + 0.0  # no -0.0
    return int(number) if whole and number.is_integer() else number


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)
