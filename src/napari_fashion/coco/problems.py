"""What is odd in a data set, but does not stop anybody from working with it."""

from __future__ import annotations

import contextlib
import math
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId, TableName, is_id, other_form
from napari_fashion.coco.keypoints import (
    Order,
    far_outside,
    parse_box,
    parse_keypoints,
)
from napari_fashion.coco.provenance import KEY
from napari_fashion.coco.views import landmark_order, pixels
from napari_fashion.documents import shown
from napari_fashion.errors import CocoError
from napari_fashion.tally import EXAMPLES, Tally

WORK_SECONDS, REST_SECONDS = 0.001, 0.004
"""In the background: how long it works, and rests then."""

NO_IMAGES = "files that are no images"
"""What findings of `Dataset.left_out` are called."""

_NUMBERS = frozenset((int, float))
_VISIBILITIES = frozenset((0, 1, 2))


@dataclass(frozen=True)
class Problem:
    """One finding.

    Attributes
    ----------
    path
        The file, where there is one.
    place
        Where in the document, such as ``annotations[3].keypoints``.
    found, expected
        What stands there and what should.
    kind
        What findings of its kind are called, a plural.
    sentence
        All of it, where somebody has said it already.
    """

    path: Path | None
    place: str
    found: str
    expected: str
    kind: str = "oddities"
    sentence: str = ""

    def __str__(self) -> str:
        if self.sentence:
            return self.sentence
        where = f"{self.path}, {self.place}" if self.path else self.place
        return f"{where}: found {self.found}; expected {self.expected}."


class Problems:
    """How many oddities of each kind a data set has, and the first few of each.

    Its size is bounded by the number of kinds, however large and odd the file is.

    Attributes
    ----------
    tally
        How many of each kind, with the first few as sentences.
    first
        The first few of each kind, in the order in which they were found.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self.first: list[Problem] = []

    def __len__(self) -> int:
        return self.tally.total

    def __iter__(self) -> Iterator[Problem]:
        return iter(self.first)

    def __repr__(self) -> str:
        return f"Problems({self.tally.counts})"

    def __str__(self) -> str:
        return str(self.tally)

    def lines(self) -> Iterator[str]:
        """Yield a line a kind, and under it the first few (`Tally.lines`)."""
        return self.tally.lines()

    def add(self, problem: Problem) -> None:
        """Count a finding."""
        known = self.tally.examples.get(problem.kind, ())
        if len(known) < EXAMPLES:
            self.first.append(problem)
            self.tally.add(problem.kind, str(problem))
        else:
            self.tally.add(problem.kind)


def find_problems(dataset: Dataset, *, stop: Event | None = None) -> Problems:
    """Count the oddities in the records, and keep the first few of each kind.

    No file but the document is looked at. It may run in a thread of its own while the data set is
    edited: a record that goes meanwhile is passed over.

    Parameters
    ----------
    stop
        For a search in the background: setting it ends the search. It then works a millisecond at a
        time and lets others work in between: a thread that never rests makes a window slow, since
        Python runs one of the two at a time.
    """
    search = _Search(dataset, None if stop is None else _Pause(stop))
    with contextlib.suppress(_StoppedError):
        search.run()
    return search.found


def missing_images(dataset: Dataset) -> list[Problem]:
    """Look for every image's file, and return which are not there."""
    kind, expected = "missing images", "an image file"
    return [
        Problem(dataset.path, f"images[{i}].file_name", found, expected, kind)
        for i, found in dataset.missing_images()
    ]


class _StoppedError(Exception):
    """Nobody wants to know any more."""


class _Pause:
    """Rests for most of the time."""

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._since = time.perf_counter()

    def __call__(self) -> None:
        if time.perf_counter() - self._since > WORK_SECONDS:
            if self._stop.wait(REST_SECONDS):
                raise _StoppedError
            self._since = time.perf_counter()


class _Search:
    """One pass over the records."""

    def __init__(self, dataset: Dataset, pause: Callable[[], None] | None) -> None:
        self.dataset = dataset
        self.found = Problems()
        self._pause = pause
        self._k = dataset.schema.n_landmarks
        self._image_rows: dict[RecordId, int] = {}
        self._sizes: npt.NDArray[np.int32] = np.zeros((0, 2), np.int32)
        self._orders: dict[RecordId, Order | None] = {}

    def run(self) -> None:
        dataset = self.dataset
        for path, reason in dataset.left_out:
            self.found.add(Problem(path, "file", reason, "an image", NO_IMAGES, reason))
        if dataset.schema_problem:
            self._say(
                "schemas that do not fit",
                "info.fashion.schema",
                dataset.schema_problem,
                "a schema that fits the file",
            )
        self._search_categories()
        self._search_images()
        self._search_annotations()

    def _say(self, kind: str, place: str, found: str, expected: str) -> None:
        self.found.add(Problem(self.dataset.path, place, found, expected, kind))

    def _records(self, table: TableName) -> Iterator[tuple[int, str, dict[str, Any]]]:
        store = self.dataset.store
        for i, key in enumerate(list(store.ids(table))):
            if self._pause is not None:
                self._pause()
            try:
                record = store.record(table, key)
            except CocoError:
                if store.has(table, key):  # else it was removed meanwhile
                    self._say(
                        "records that cannot be read",
                        f"{table}[{i}]",
                        "a record that is nested too deeply",
                        "a record that can be read",
                    )
                continue
            yield i, f"{table}[{i}]", record

    # -- categories ------------------------------------------------------------------------

    def _search_categories(self) -> None:
        dataset = self.dataset
        first: dict[str, tuple[int, bool]] = {}
        for i, place, category in self._records("categories"):
            listed = category.get("keypoints")
            names = list(map(str, listed)) if isinstance(listed, list) else []
            name = category.get("name")
            self._orders[category["id"]] = landmark_order(listed, dataset.schema)
            if isinstance(name, str):
                if name in first:
                    self._say_twins(place, name, first[name], bool(names))
                else:
                    first[name] = i, bool(names)
            if dataset.category_index(category["id"]) < 0:
                self._say(
                    "categories that the schema lacks",
                    f"{place}.name",
                    shown(name),
                    f"one of the categories of the schema {dataset.schema.name!r}",
                )
            elif names and not set(names) <= set(dataset.schema.landmarks):
                self._say(
                    "categories with other landmarks",
                    f"{place}.keypoints",
                    f"{len(names)} landmarks {shown(names)}",
                    f"the {self._k} of the schema {dataset.schema.name!r}",
                )
            self._skeleton(category, place, len(names))
            self._fashion(category, place)

    def _say_twins(self, place: str, name: str, other: tuple[int, bool], has: bool) -> None:
        row, other_has = other
        used = row if other_has or not has else int(place[len("categories[") : -1])
        self._say(
            "categories of one name",
            f"{place}.name",
            f"{shown(name)}, which categories[{row}] has too",
            f"one category of a name; categories[{used}] is given to garments",
        )

    def _skeleton(self, category: dict[str, Any], place: str, k: int) -> None:
        skeleton = category.get("skeleton")
        if not k or "skeleton" not in category:
            return
        kind, place = "skeletons of another form", f"{place}.skeleton"
        expected = f"pairs of numbers from 1 to {k}"
        if not isinstance(skeleton, list):
            self._say(kind, place, shown(skeleton), f"{expected}; it is read as none")
            return
        pairs = [p for p in skeleton if isinstance(p, list) and len(p) == 2]
        ends = [end for pair in pairs for end in pair]
        if len(pairs) < len(skeleton) or not all(type(end) is int for end in ends):
            self._say(kind, place, shown(skeleton), expected)
        elif ends and min(ends) == 0 and max(ends) < k:
            self._say(kind, place, "numbers that count from 0", f"{expected}; it is read so")
        elif ends and not 1 <= min(ends) <= max(ends) <= k:
            odd = next(end for end in ends if not 1 <= end <= k)
            found = f"the number {shown(odd)}"
            self._say(kind, place, found, f"{expected}; that edge is left out")

    # -- images ----------------------------------------------------------------------------

    def _search_images(self) -> None:
        names = array("q")  # the names' hashes: a set of the names themselves would be large
        rows = array("l")
        n = len(self.dataset.store.ids("images"))
        self._sizes = np.zeros((n, 2), np.int32)
        for i, place, image in self._records("images"):
            self._image_rows[image["id"]] = i
            name = image.get("file_name")
            if isinstance(name, str) and name:
                names.append(hash(name))
                rows.append(i)
            else:
                self._say(
                    "images without a file's name",
                    f"{place}.file_name",
                    shown(name),
                    "a file's name",
                )
            for axis, key in enumerate(("width", "height")):
                value = image.get(key)
                size = pixels(value)
                if i < n:  # else it was added meanwhile
                    self._sizes[i, axis] = size
                if type(value) is not int or value <= 0:
                    read = f"; it is read as {size}" if size else ""
                    self._say(
                        "sizes that are no whole numbers",
                        f"{place}.{key}",
                        shown(value),
                        f"a number of pixels{read}",
                    )
            self._fashion(image, place)
            ours = image.get(KEY)
            if isinstance(ours, dict):
                self._flag(ours, "reviewed", f"{place}.{KEY}")
        self._same_files(np.array(names, np.int64), np.array(rows, np.int64))

    def _same_files(self, names: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> None:
        """Say which images have the file of an earlier one; the names are given as hashes."""
        order = np.argsort(names, kind="stable")
        ordered = names[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        counts = np.diff(np.concatenate([starts, [len(ordered)]]))
        twins: dict[int, int] = {}
        for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True):
            group = rows[order[start : start + count]].tolist()
            twins |= dict.fromkeys(group[1:], group[0])
        for row in sorted(twins):
            if self._pause is not None:
                self._pause()
            first, name = (self._file_name(i) for i in (twins[row], row))
            if name is not None and name == first:
                self._say(
                    "files under several ids",
                    f"images[{row}].file_name",
                    f"{shown(name)}, which images[{twins[row]}] has too",
                    "one image of a file",
                )

    def _file_name(self, row: int) -> Any:
        store = self.dataset.store
        try:
            return store.record("images", store.ids("images")[row]).get("file_name")
        except (CocoError, IndexError):  # removed meanwhile
            return None

    # -- annotations -----------------------------------------------------------------------

    def _search_annotations(self) -> None:
        for _, place, annotation in self._records("annotations"):
            image_id = annotation.get("image_id")
            row = self._image_row(image_id, place)
            category_id = annotation.get("category_id")
            order = self._order(category_id, place)
            size = (0, 0)
            if row is not None and row < len(self._sizes):
                w, h = self._sizes[row].tolist()
                size = (w, h) if w and h else size
            extent = self._keypoints(annotation, place, order, size)
            self._box(annotation, place, size, extent)
            self._flag(annotation, "iscrowd", place)
            self._fashion(annotation, place)

    def _image_row(self, image_id: RecordId, place: str) -> int | None:
        rows = self._image_rows
        row = rows.get(image_id) if is_id(image_id) else None
        if row is None:
            twin = other_form(image_id)
            row = None if twin is None else rows.get(twin)
            if row is not None:
                self._say_form(f"{place}.image_id", image_id, "image", twin)
            elif not self.dataset.has("images", image_id):
                self._say(
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
            self._say_form(f"{place}.category_id", category_id, "category", twin)
            return orders[twin]
        if not self.dataset.has("categories", category_id):
            self._say(
                "annotations of no category",
                f"{place}.category_id",
                shown(category_id),
                "a category's id",
            )
        return None

    def _say_form(self, place: str, said: RecordId, what: str, twin: RecordId) -> None:
        forms = ("text", "number") if isinstance(said, str) else ("a number", "text")
        self._say(
            "ids that are text in one place and numbers in another",
            place,
            f"{shown(said)}, {forms[0]}",
            f"the {what}'s id, the {forms[1]} {shown(twin)}; they are taken for the same",
        )

    def _keypoints(
        self, annotation: dict[str, Any], place: str, order: Order | None, size: tuple[int, int]
    ) -> tuple[float, float] | None:
        """Look at the landmarks; return their extent, where they can be read and some are labelled."""
        flat = annotation.get("keypoints")
        if flat is None:
            return None  # an annotation without landmarks is no problem: a box or a crowd, say
        form = "keypoints of another form"
        n = self._k if order is None else len(order)
        where = f"{place}.keypoints"
        if not isinstance(flat, list):
            self._say(form, where, shown(flat), f"a list of {3 * n} numbers")
            return None
        if len(flat) != 3 * n:
            self._say(form, where, f"{len(flat)} numbers", f"{3 * n}: x, y, v for {n} landmarks")
            if len(flat) > 3 * n:  # what comes after the last triplet is passed over
                flat = flat[: 3 * n]
        if not _NUMBERS.issuperset(map(type, flat)):
            try:
                finite = all(math.isfinite(v) for v in flat)
            except (TypeError, OverflowError):
                finite = False
            expected = "a flat list of numbers" if finite else "finite numbers"
            odd = parse_keypoints(flat, self._k, order).problem
            self._say(form, where, odd if finite and odd else shown(flat), expected)
            return None
        values = _floats(flat)
        if values is None or not all(map(math.isfinite, values)):
            self._say("landmarks that are no finite numbers", where, shown(flat), "finite numbers")
            return None
        if len(flat) != 3 * n:
            return None
        seen = flat[2::3]
        if not _VISIBILITIES.issuperset(seen):
            odd = next(v for v in seen if v not in _VISIBILITIES)
            self._say("unusual visibilities", where, f"the visibility {shown(odd)}", "0, 1 or 2")
        else:
            count, labelled = annotation.get("num_keypoints"), n - seen.count(0)
            if count is not None and (type(count) is not int or count != labelled):
                self._say(
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
        """Look at where the labelled landmarks are."""
        normalised = len(xs) > 1 and min(*xs, *ys) >= 0 and max(*xs, *ys) <= 1
        if normalised and (size == (0, 0) or max(size) > 2) and len({*xs, *ys}) > 1:
            self._say(
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
                self._say(
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
            self._say("boxes that are no four finite numbers", place, shown(value), expected)
            return
        if not _NUMBERS.issuperset(map(type, value)):
            self._say("boxes of text", place, shown(value), "four numbers; they are read as such")
        x, y, w, h = box
        flat = (w == 0 or h == 0) and (
            any(box) if extent is None else (w < extent[0] - 1 or h < extent[1] - 1)
        )
        if w < 0 or h < 0 or flat:
            self._say("boxes without an area", place, shown(value), "a width and a height above 0")
        elif size != (0, 0) and (far_outside(x, y, size) or far_outside(x + w, y + h, size)):
            self._say(
                "boxes far outside their image",
                place,
                shown(value),
                f"a box in the image of {size[0]} x {size[1]} pixels",
            )

    def _flag(self, record: dict[str, Any], key: str, place: str) -> None:
        value = record.get(key)
        if value is None or value is True or value is False:
            return
        if type(value) is not int or value not in (0, 1):
            self._say(
                "flags that are neither 0 nor 1",
                f"{place}.{key}",
                shown(value),
                "true or false" if key == "reviewed" else "0 or 1",
            )

    def _fashion(self, record: dict[str, Any], place: str) -> None:
        if KEY in record and not isinstance(record[KEY], dict):
            self._say(
                "values of other tools under our key",
                f"{place}.{KEY}",
                shown(record[KEY]),
                "an object of ours; it is ignored",
            )


def _floats(flat: list[Any]) -> list[float] | None:
    """Return numbers as floats; None where one is beyond what a float can be."""
    try:
        return list(map(float, flat))
    except OverflowError:
        return None
