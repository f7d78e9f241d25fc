"""What is odd in the annotations of a data set: their references, landmarks and boxes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId, is_id, other_form
from napari_fashion.coco.keypoints import Order, far_outside, parse_box, parse_keypoints
from napari_fashion.coco.problems.findings import Report
from napari_fashion.documents import shown

_NUMBERS = frozenset((int, float))
_VISIBILITIES = frozenset((0, 1, 2))


class AnnotationChecks:
    """Checks single annotations against the images and categories of their data set.

    Parameters
    ----------
    dataset
        The data set.
    report
        Takes each finding.
    image_rows
        The place of each image in the file, by id.
    sizes
        (N, 2) width and height of the images in pixels; 0 where unknown.
    orders
        The landmark of each triplet of a category's annotations, by id.
    """

    def __init__(
        self,
        dataset: Dataset,
        report: Report,
        image_rows: Mapping[RecordId, int],
        sizes: npt.NDArray[np.int32],
        orders: Mapping[RecordId, Order | None],
    ) -> None:
        self._dataset = dataset
        self._report = report
        self._image_rows = image_rows
        self._sizes = sizes
        self._orders = orders
        self._k = dataset.schema.n_landmarks

    def check(self, annotation: dict[str, Any], place: str) -> None:
        """Report what is odd in an annotation, which stands at a place in the document."""
        row = self._image_row(annotation.get("image_id"), place)
        order = self._order(annotation.get("category_id"), place)
        size = (0, 0)
        if row is not None and row < len(self._sizes):
            w, h = self._sizes[row].tolist()
            size = (w, h) if w and h else size
        extent = self._keypoints(annotation, place, order, size)
        self._box(annotation, place, size, extent)

    def _image_row(self, image_id: RecordId, place: str) -> int | None:
        rows = self._image_rows
        row = rows.get(image_id) if is_id(image_id) else None
        if row is None:
            twin = other_form(image_id)
            row = None if twin is None else rows.get(twin)
            if row is not None:
                self._report_form(f"{place}.image_id", image_id, "image", twin)
            elif not self._dataset.has("images", image_id):
                self._report(
                    "annotations of no image",
                    f"{place}.image_id",
                    shown(image_id),
                    "the id of an image",
                )
        return row

    def _order(self, category_id: RecordId, place: str) -> Order | None:
        orders = self._orders
        if is_id(category_id) and category_id in orders:
            return orders[category_id]
        twin = other_form(category_id)
        if twin is not None and twin in orders:
            self._report_form(f"{place}.category_id", category_id, "category", twin)
            return orders[twin]
        if not self._dataset.has("categories", category_id):
            self._report(
                "annotations of no category",
                f"{place}.category_id",
                shown(category_id),
                "a category's id",
            )
        return None

    def _report_form(self, place: str, reference: RecordId, what: str, twin: RecordId) -> None:
        forms = ("text", "number") if isinstance(reference, str) else ("a number", "text")
        self._report(
            "ids that are text in one place and numbers in another",
            place,
            f"{shown(reference)}, {forms[0]}",
            f"the {what}'s id, the {forms[1]} {shown(twin)}; they are taken for the same",
        )

    def _keypoints(
        self, annotation: dict[str, Any], place: str, order: Order | None, size: tuple[int, int]
    ) -> tuple[float, float] | None:
        """Check the landmarks; return width and height of their extent, None if none is readable."""
        flat = annotation.get("keypoints")
        if flat is None:
            return None  # an annotation without landmarks is no problem: it may be a box or a crowd
        form = "keypoints of another form"
        n = self._k if order is None else len(order)
        where = f"{place}.keypoints"
        if not isinstance(flat, list):
            self._report(form, where, shown(flat), f"a list of {3 * n} numbers")
            return None
        if len(flat) != 3 * n:
            self._report(form, where, f"{len(flat)} numbers", f"{3 * n}: x, y, v for {n} landmarks")
            if len(flat) > 3 * n:  # what comes after the last triplet is passed over
                flat = flat[: 3 * n]
        if not _NUMBERS.issuperset(map(type, flat)):
            try:
                finite = all(math.isfinite(v) for v in flat)
            except (TypeError, OverflowError):
                finite = False
            expected = "a flat list of numbers" if finite else "finite numbers"
            odd = parse_keypoints(flat, self._k, order).problem
            self._report(form, where, odd if finite and odd else shown(flat), expected)
            return None
        values = _floats(flat)
        if values is None or not all(map(math.isfinite, values)):
            self._report(
                "landmarks that are no finite numbers", where, shown(flat), "finite numbers"
            )
            return None
        if len(flat) != 3 * n:
            return None
        seen = flat[2::3]
        if not _VISIBILITIES.issuperset(seen):
            odd = next(v for v in seen if v not in _VISIBILITIES)
            self._report("unusual visibilities", where, f"the visibility {shown(odd)}", "0, 1 or 2")
        else:
            count, labelled = annotation.get("num_keypoints"), n - seen.count(0)
            if count is not None and (type(count) is not int or count != labelled):
                self._report(
                    "counts of landmarks that are others",
                    f"{place}.num_keypoints",
                    shown(count),
                    f"{labelled}, as the keypoints have them",
                )
        xs = [x for x, v in zip(values[0::3], seen, strict=True) if v > 0]
        ys = [y for y, v in zip(values[1::3], seen, strict=True) if v > 0]
        if not xs:
            return None
        self._places(where, xs, ys, size)
        return max(xs) - min(xs), max(ys) - min(ys)

    def _places(self, where: str, xs: list[float], ys: list[float], size: tuple[int, int]) -> None:
        """Check where the labelled landmarks are."""
        normalised = len(xs) > 1 and min(*xs, *ys) >= 0 and max(*xs, *ys) <= 1
        if normalised and (size == (0, 0) or max(size) > 2) and len({*xs, *ys}) > 1:
            self._report(
                "landmarks that all lie in 0..1",
                where,
                f"{len(xs)} landmarks whose x and y are all in 0..1",
                "pixels of the image; they may have been divided by its size",
            )
        elif size != (0, 0) and (
            far_outside(min(xs), min(ys), size) or far_outside(max(xs), max(ys), size)
        ):
            far = [xy for xy in zip(xs, ys, strict=True) if far_outside(*xy, size)]
            if far:
                x, y = far[0]
                self._report(
                    "landmarks far outside their image",
                    where,
                    f"{len(far)} of {len(xs)} landmarks far outside, such as ({x:g}, {y:g})",
                    f"places in the image of {size[0]} x {size[1]} pixels",
                )

    def _box(
        self,
        annotation: dict[str, Any],
        place: str,
        size: tuple[int, int],
        extent: tuple[float, float] | None,
    ) -> None:
        value = annotation.get("bbox")
        if value is None or value == []:
            return
        place = f"{place}.bbox"
        box = parse_box(value)
        if box is None:
            expected = "four finite numbers x, y, width, height; it counts as no box"
            self._report("boxes that are no four finite numbers", place, shown(value), expected)
            return
        if not _NUMBERS.issuperset(map(type, value)):
            self._report(
                "boxes of text", place, shown(value), "four numbers; they are read as such"
            )
        x, y, w, h = box
        flat = (w == 0 or h == 0) and (
            any(box) if extent is None else (w < extent[0] - 1 or h < extent[1] - 1)
        )
        if w < 0 or h < 0 or flat:
            self._report(
                "boxes without an area", place, shown(value), "a width and a height above 0"
            )
        elif size != (0, 0) and (far_outside(x, y, size) or far_outside(x + w, y + h, size)):
            self._report(
                "boxes far outside their image",
                place,
                shown(value),
                f"a box in the image of {size[0]} x {size[1]} pixels",
            )


def _floats(flat: list[Any]) -> list[float] | None:
    """Return numbers as floats; None if one is beyond what a float can be."""
    try:
        return list(map(float, flat))
    except OverflowError:
        return None
