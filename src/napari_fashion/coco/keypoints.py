"""The flat ``keypoints`` of an annotation: arrays from it, and what follows from a change of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.documents import shown
from napari_fashion.schema import Schema

DECIMALS = 2
"""Coordinates that we write are rounded to a hundredth of a pixel."""

Record = Mapping[str, Any]
Landmark = tuple[float, float, int]
"""x and y in pixels of the image, and the visibility 0, 1 or 2."""
Order = Sequence[int]
"""For each triplet of a record the landmark's index in the schema; -1 where the schema lacks it."""


@dataclass(frozen=True, eq=False)
class Keypoints:
    """The landmarks of one annotation; the arrays are shared and read-only.

    Attributes
    ----------
    xy
        (K, 2) float64, pixels of the image, x then y; 0 if not labelled.
    visibility
        (K,) int64: 0 not labelled, 1 hidden, 2 visible.
    problem
        Why the list cannot be edited ("16 numbers"); empty if it can.
    """

    xy: npt.NDArray[np.float64]
    visibility: npt.NDArray[np.int64]
    problem: str = ""


def parse_keypoints(value: Any, k: int, order: Order | None = None) -> Keypoints:
    """Read a ``keypoints`` value, tolerantly.

    A missing or short list reads as landmarks that are not labelled, numbers after the last triplet
    are passed over, a visibility beyond 0, 1, 2 becomes the nearest of them, and a place that
    is no finite number counts as not labelled. What is no flat list of numeric triplets is read
    as far as it can be, and has a `problem`.

    Parameters
    ----------
    value
        What the record has.
    k
        Number K of landmarks of the schema.
    order
        The landmark of each triplet, where the record's category has a list of its own; by default
        0 to K - 1.
    """
    n = k if order is None else len(order)
    triplets, problem = _triplets(value, n)
    labelled = np.isfinite(triplets).all(axis=1) & (triplets[:, 2] > 0)
    triplets[~labelled] = 0
    seen = np.clip(np.rint(triplets[:, 2]), 0, 2).astype(np.int64)
    triplets[seen == 0] = 0
    xy, visibility = np.ascontiguousarray(triplets[:, :2]), seen
    if order is not None:
        places = np.asarray(order, dtype=np.intp)
        known = np.flatnonzero(places >= 0)[::-1]  # of two for one landmark, the first counts
        xy, visibility = np.zeros((k, 2)), np.zeros(k, np.int64)
        xy[places[known]], visibility[places[known]] = triplets[known, :2], seen[known]
    xy.flags.writeable = visibility.flags.writeable = False
    return Keypoints(xy, visibility, problem)


def landmark_order(names: Any, schema: Schema) -> Order | None:
    """Return where a category's landmarks are in the schema; None if they are the schema's."""
    if not isinstance(names, list) or not names or tuple(names) == schema.landmarks:
        return None
    places = {name: i for i, name in enumerate(schema.landmarks)}
    order = tuple(places.get(str(name), -1) for name in names)
    return order if any(i >= 0 for i in order) else None


def _triplets(value: Any, n: int) -> tuple[npt.NDArray[np.float64], str]:
    """Return (n, 3) float64, and what is wrong with the form."""
    triplets = np.zeros((n, 3))
    if value is None:
        return triplets, ""
    if not isinstance(value, list):
        return triplets, f"{shown(value)}"
    flat = value[: 3 * n]
    strange = next((v for v in flat if type(v) is not float and type(v) is not int), None)
    if strange is not None or any(v is None for v in flat):
        if isinstance(strange, (list, dict)):
            return triplets, f"a list of {type(strange).__name__}s"
        problem = f"{'None' if strange is None else shown(strange)} among the numbers"
    else:
        problem = ""
    if len(value) % 3 and len(value) < 3 * n:
        return triplets, f"{len(value)} numbers"
    flat = flat[: len(flat) // 3 * 3]
    numbers = np.array([number(v) for v in flat]).reshape(-1, 3)
    if 2 * n == len(value) and not np.isin(numbers[:, 2], (0, 1, 2)).all():
        return triplets, f"{len(value)} numbers, as of x, y pairs"
    triplets[: len(numbers)] = numbers
    return triplets, problem


def landmark_changes(
    annotation: Record, k: int, changes: Mapping[int, Landmark], order: Order | None = None
) -> dict[str, Any]:
    """Return the fields of an annotation that change when some of its landmarks do.

    Only the triplets named are replaced; the others, and whatever follows the last triplet, keep
    their numbers. The box follows the landmarks if it was their box before (within 1 px), or
    if there was none; likewise the area if it was the box's. Otherwise they mean something of
    their own (for example the garment's silhouette) and are left alone, and so is a box, an area or a count
    of another form (for example text). If no landmark is left, a box that followed is empty.

    Parameters
    ----------
    annotation
        The raw record; not changed.
    k
        Number of landmarks of the schema.
    changes
        For the index of each changed landmark its new x, y (pixels) and visibility. A visibility
        of 0 writes x = y = 0.
    order
        As of `parse_keypoints`.

    Returns
    -------
    dict
        New values of ``keypoints``, ``num_keypoints``, ``bbox`` and ``area``, as far as they
        differ from the record's.

    Raises
    ------
    IndexError
        If the record has no place for a landmark.
    """
    raw = annotation.get("keypoints")
    flat: list[Any] = list(raw) if isinstance(raw, list) else []
    places = list(range(k)) if order is None else list(order)
    whole = bool(flat) and all(type(value) is int for value in flat)
    nought = 0 if whole else 0.0
    while len(flat) < 3 * len(places):
        flat.append(0 if len(flat) % 3 == 2 else nought)
    for i, (x, y, v) in changes.items():
        if i not in places:
            raise IndexError(f"landmark {i} of {k}")
        at = 3 * places.index(i)
        place = [rounded(x, whole), rounded(y, whole)] if v else [nought, nought]
        flat[at : at + 3] = [*place, int(v)]

    old, new = parse_keypoints(raw, k, order), parse_keypoints(flat, k, order)
    before = landmark_box(old.xy, old.visibility)
    after = landmark_box(new.xy, new.visibility)
    values: dict[str, Any] = {"keypoints": flat}
    if is_count(annotation.get("num_keypoints")):
        values["num_keypoints"] = int(np.count_nonzero(new.visibility))
    theirs: Any = annotation.get("bbox")
    box = parse_box(theirs)
    follows = theirs in (None, []) or (box is not None and box[2:] == (0.0, 0.0))
    if box is not None and before is not None:
        follows |= all(abs(a - b) <= 1 for a, b in zip(box, before, strict=True))
    follows &= box is None or all_numbers(theirs)
    if follows and (after is not None or before is not None):
        after = after or (0.0, 0.0, 0.0, 0.0)
        values["bbox"] = [rounded(value, whole) for value in after]
        area: Any = annotation.get("area")
        size = 0.0 if box is None else box[2] * box[3]
        if area is None or (
            all_numbers([area])
            and (not math.isfinite(number(area)) or abs(area - size) <= max(1.0, 1e-3 * size))
        ):
            values["area"] = rounded(after[2] * after[3], whole)
    return {key: value for key, value in values.items() if not _same(annotation.get(key), value)}


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

    Examples
    --------
    >>> landmark_box(np.array([[2.0, 3.0], [6.0, 4.0], [9.0, 9.0]]), np.array([2, 1, 0]))
    (2.0, 3.0, 4.0, 1.0)
    """
    if not visibility.any():
        return None
    labelled = xy[visibility > 0]
    (x1, y1), (x2, y2) = labelled.min(axis=0), labelled.max(axis=0)
    return float(x1), float(y1), float(x2 - x1), float(y2 - y1)


def flat_keypoints(
    xy: Sequence[Sequence[float]], visibility: Sequence[int], order: Order | None = None
) -> list[float | int]:
    """Return COCO's flat list x, y, v of (K, 2) places and K visibilities.

    Parameters
    ----------
    order
        As of `parse_keypoints`: the landmark of each triplet.

    Examples
    --------
    >>> flat_keypoints([[2.25, 3.0], [6.0, 4.0]], [2, 0])
    [2.25, 3.0, 2, 0.0, 0.0, 0]
    """
    flat: list[float | int] = []
    for k in range(len(visibility)) if order is None else order:
        (x, y), v = (xy[k], visibility[k]) if k >= 0 else ((0.0, 0.0), 0)
        flat += [rounded(x, False), rounded(y, False), int(v)] if v else [0.0, 0.0, 0]
    return flat


def parse_box(value: Any) -> tuple[float, float, float, float] | None:
    """Return a box x, y, width, height, or None if it is not four finite numbers."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    x, y, w, h = (number(v) for v in value)
    return (x, y, w, h) if math.isfinite(x + y + w + h) else None


def number(value: object) -> float:
    """Return a JSON value as a float, a number in text too; NaN if it is none."""
    try:
        return float(value) if isinstance(value, (int, float, str)) else math.nan
    except (OverflowError, ValueError):
        return math.nan


def box_problem(value: Any) -> str:
    """Return why a box cannot be used; empty if it can, or if there is none.

    Four zeros are none: a garment without landmarks has them.
    """
    if value is None or value == []:
        return ""
    box = parse_box(value)
    if box is None:
        return f"{shown(value)}, no four finite numbers"
    if any(box) and (box[2] <= 0 or box[3] <= 0):
        return f"{shown(value)}, without an area"
    return ""


def all_numbers(values: Sequence[Any]) -> bool:
    """Whether all of some JSON values are numbers, not text that has one, nor true or false."""
    return all(type(value) is int or type(value) is float for value in values)


def is_count(value: object) -> bool:
    """Whether a value can be a number of landmarks, or none is given."""
    return value is None or type(value) is int


def rounded(value: float, whole: bool) -> float | int:
    """Round to what we write: whole numbers stay integers in a file that has integers."""
    value = round(float(value), DECIMALS) + 0.0  # no -0.0
    return int(value) if whole and value.is_integer() else value


def _same(old: Any, new: Any) -> bool:
    return type(old) is type(new) and bool(old == new)


def flag(value: object) -> bool:
    """Return the truth of a flag by its value: ``"0"``, ``"false"`` and what is no flag are no."""
    if isinstance(value, str):
        value = value.strip().lower()
        if value == "true":
            return True
    return abs(number(value)) > 0  # NaN is not


def far_outside(x: float, y: float, size: tuple[int, int]) -> bool:
    """Whether a place is more than an image's own width or height away from it.

    A landmark a little outside is no mistake: the garment goes on beyond the image.

    Parameters
    ----------
    x, y
        Pixels.
    size
        Width and height of the image, pixels.
    """
    width, height = size
    return not (-width <= x <= 2 * width and -height <= y <= 2 * height)
