"""One pass over the records of a data set that counts what is odd in them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId, TableName
from napari_fashion.coco.keypoints import Order, landmark_order
from napari_fashion.coco.problems.annotations import AnnotationChecks
from napari_fashion.coco.problems.findings import Problem, Problems
from napari_fashion.coco.provenance import KEY
from napari_fashion.coco.views import pixels
from napari_fashion.documents import counted, shown
from napari_fashion.errors import CocoError

NO_IMAGES = "files that are no images"
"""What findings of `Dataset.left_out` are called."""


class Search:
    """One pass over the records of a data set.

    Parameters
    ----------
    dataset
        The data set.
    pause
        Called before each record: it rests, or raises to end the search.

    Attributes
    ----------
    found
        What was found so far.
    """

    def __init__(self, dataset: Dataset, pause: Callable[[], None] | None) -> None:
        self.dataset = dataset
        self.found = Problems()
        self._pause = pause
        self._k = dataset.schema.n_landmarks
        self._image_rows: dict[RecordId, int] = {}
        self._sizes: npt.NDArray[np.int32] = np.zeros((0, 2), np.int32)
        self._orders: dict[RecordId, Order | None] = {}

    def run(self) -> None:
        """Check all records."""
        dataset = self.dataset
        for path, reason in dataset.left_out:
            self.found.add(Problem(path, "file", reason, "an image", NO_IMAGES, reason))
        if dataset.schema_problem:
            self._report(
                "schemas that do not fit",
                "info.fashion.schema",
                dataset.schema_problem,
                "a schema that fits the file",
            )
        for place, key, first in dataset.store.repeated:
            found = f"{shown(key)}, the id of {first}"
            self._report("ids that another record has", place, found, "every id once")
        self._search_categories()
        self._search_images()
        self._search_annotations()

    def _report(self, kind: str, place: str, found: str, expected: str) -> None:
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
                    self._report(
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
                    self._report_twins(place, name, first[name], bool(names))
                else:
                    first[name] = i, bool(names)
            if dataset.category_index(category["id"]) < 0:
                self._report(
                    "categories that the schema lacks",
                    f"{place}.name",
                    shown(name),
                    f"one of the categories of the schema {dataset.schema.name!r}",
                )
            elif names and not set(names) <= set(dataset.schema.landmarks):
                self._report(
                    "categories with other landmarks",
                    f"{place}.keypoints",
                    counted(list(map(str, names)), "landmarks"),
                    f"the {self._k} of the schema {dataset.schema.name!r}",
                )
            self._skeleton(category, place, len(names))
            self._fashion(category, place)

    def _report_twins(self, place: str, name: str, other: tuple[int, bool], has: bool) -> None:
        row, other_has = other
        used = row if other_has or not has else int(place[len("categories[") : -1])
        self._report(
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
            self._report(kind, place, shown(skeleton), f"{expected}; it is read as none")
            return
        pairs = [p for p in skeleton if isinstance(p, list) and len(p) == 2]
        ends = [end for pair in pairs for end in pair]
        if len(pairs) < len(skeleton) or not all(type(end) is int for end in ends):
            self._report(kind, place, shown(skeleton), expected)
        elif ends and min(ends) == 0 and max(ends) < k:
            self._report(kind, place, "numbers that count from 0", f"{expected}; it is read so")
        elif ends and not 1 <= min(ends) <= max(ends) <= k:
            odd = next(end for end in ends if not 1 <= end <= k)
            found = f"the number {shown(odd)}"
            self._report(kind, place, found, f"{expected}; that edge is left out")

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
                self._report(
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
                    self._report(
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
        """Report which images have the file of an earlier one; the names are given as hashes."""
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
                self._report(
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
        checks = AnnotationChecks(
            self.dataset, self._report, self._image_rows, self._sizes, self._orders
        )
        for _, place, annotation in self._records("annotations"):
            checks.check(annotation, place)
            self._flag(annotation, "iscrowd", place)
            self._fashion(annotation, place)

    # -- of all records --------------------------------------------------------------------

    def _flag(self, record: dict[str, Any], key: str, place: str) -> None:
        value = record.get(key)
        if value is None or value is True or value is False:
            return
        if type(value) is not int or value not in (0, 1):
            self._report(
                "flags that are neither 0 nor 1",
                f"{place}.{key}",
                shown(value),
                "true or false" if key == "reviewed" else "0 or 1",
            )

    def _fashion(self, record: dict[str, Any], place: str) -> None:
        if KEY in record and not isinstance(record[KEY], dict):
            self._report(
                "values of other tools under our key",
                f"{place}.{KEY}",
                shown(record[KEY]),
                "an object of ours; it is ignored",
            )
