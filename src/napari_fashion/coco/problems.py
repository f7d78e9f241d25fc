"""What is odd in a data set, but does not stop anybody from working with it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.keypoints import parse_keypoints
from napari_fashion.coco.provenance import KEY
from napari_fashion.coco.views import landmark_order
from napari_fashion.errors import CocoError

MAX_PROBLEMS = 1000
"""The search ends after so many; a file that is wrong throughout is known to be by then."""

WORK_SECONDS, REST_SECONDS = 0.001, 0.004
"""In the background: how long it works, and rests then."""

_VISIBILITIES = frozenset((0, 1, 2))
Report = Callable[[str, str, str], "Problem"]


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
    """

    path: Path | None
    place: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.path}, {self.place}" if self.path else self.place
        return f"{where}: found {self.found}; expected {self.expected}."


def find_problems(
    dataset: Dataset, limit: int = MAX_PROBLEMS, *, stop: Event | None = None
) -> list[Problem]:
    """Return the first oddities in the records; no file but the document is looked at.

    It may run in a thread of its own while the data set is edited: a record that goes meanwhile is passed
    over.

    Parameters
    ----------
    limit
        The search ends after so many.
    stop
        For a search in the background: setting it ends the search. It then works a millisecond at a
        time and lets others work in between: a thread that never rests makes a window slow, since
        Python runs one of the two at a time.
    """
    found: list[Problem] = []
    pause = None if stop is None else _Pause(stop)
    with contextlib.suppress(_StoppedError):
        for problem in _search(dataset, pause):
            found.append(problem)
            if len(found) >= limit:
                break
    return found


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


def missing_images(dataset: Dataset) -> list[Problem]:
    """Look for every image's file, and return which are not there."""
    return [
        Problem(dataset.path, f"images[{i}].file_name", found, "an image file")
        for i, found in dataset.missing_images()
    ]


def _search(dataset: Dataset, pause: Callable[[], None] | None = None) -> Iterator[Problem]:
    def problem(place: str, found: str, expected: str) -> Problem:
        return Problem(dataset.path, place, found, expected)

    for path, reason in dataset.left_out:
        yield Problem(path, "file", reason, "a picture")
    if dataset.schema_problem:
        yield problem("info.fashion.schema", dataset.schema_problem, "a schema that fits the file")
    k = dataset.schema.n_landmarks
    store = dataset.store
    for place, category in _records(dataset, "categories", pause):
        names = category.get("keypoints")
        if dataset.category_index(category["id"]) < 0:
            yield problem(
                f"{place}.name",
                f"{category.get('name')!r}",
                f"one of the categories of the schema {dataset.schema.name!r}",
            )
        elif names and not set(names) <= set(dataset.schema.landmarks):
            yield problem(
                f"{place}.keypoints",
                f"{len(names)} landmarks {_short(names)}",
                f"the {k} of the schema {dataset.schema.name!r}",
            )
        yield from _skeleton(problem, category, place, len(names or ()))

    for place, image in _records(dataset, "images", pause):
        if not isinstance(image.get("file_name"), str) or not image["file_name"]:
            yield problem(f"{place}.file_name", _short(image.get("file_name")), "a file's name")
        for key in ("width", "height"):
            value = image.get(key)
            if not isinstance(value, int) or value <= 0:
                yield problem(f"{place}.{key}", _short(value), "a number of pixels")
        yield from _fashion(problem, image, place)

    as_text: dict[str, Any] | None = None
    for place, annotation in _records(dataset, "annotations", pause):
        image_id = annotation.get("image_id")
        if not store.has("images", image_id):
            if as_text is None:
                as_text = {str(key): key for key in store.ids("images")}
            twin = as_text.get(str(image_id))
            yield problem(
                f"{place}.image_id",
                _short(image_id),
                "the id of an image" + ("" if twin is None else f"; there is {twin!r}"),
            )
        category_id = annotation.get("category_id")
        if not store.has("categories", category_id):
            yield problem(f"{place}.category_id", _short(category_id), "a category's id")
            order = None
        else:
            names = store.record("categories", category_id).get("keypoints")
            order = landmark_order(names, dataset.schema)
        yield from _keypoints(problem, annotation, place, k, order)
        yield from _fashion(problem, annotation, place)


def _records(
    dataset: Dataset, table: Any, pause: Callable[[], None] | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    for i, key in enumerate(list(dataset.store.ids(table))):
        if pause is not None:
            pause()
        try:
            record = dataset.store.record(table, key)
        except CocoError:  # removed meanwhile
            continue
        except RecursionError:
            yield f"{table}[{i}]", {"id": key}
            continue
        yield f"{table}[{i}]", record


def _skeleton(problem: Report, category: dict[str, Any], place: str, k: int) -> Iterator[Problem]:
    skeleton = category.get("skeleton")
    if not k or "skeleton" not in category:
        return
    expected = f"pairs of numbers from 1 to {k}"
    if not isinstance(skeleton, list):
        yield problem(f"{place}.skeleton", _short(skeleton), f"{expected}; it is read as none")
        return
    pairs = [p for p in skeleton if isinstance(p, list) and len(p) == 2]
    ends = [end for pair in pairs for end in pair]
    if len(pairs) < len(skeleton) or not all(type(end) is int for end in ends):
        yield problem(f"{place}.skeleton", _short(skeleton), expected)
    elif ends and min(ends) == 0 and max(ends) < k:
        yield problem(
            f"{place}.skeleton", "numbers that count from 0", f"{expected}; it is read so"
        )
    elif ends and not 1 <= min(ends) <= max(ends) <= k:
        odd = next(end for end in ends if not 1 <= end <= k)
        yield problem(
            f"{place}.skeleton", f"the number {odd}", f"{expected}; that edge is left out"
        )


def _keypoints(
    problem: Report, annotation: dict[str, Any], place: str, k: int, order: Any
) -> Iterator[Problem]:
    place = f"{place}.keypoints"
    flat = annotation.get("keypoints")
    if flat is None:
        return  # an annotation without landmarks is no problem: a box or a crowd, say
    n = k if order is None else len(order)
    if not isinstance(flat, list):
        yield problem(place, _short(flat), f"a list of {3 * n} numbers")
        return
    if len(flat) != 3 * n:
        yield problem(place, f"{len(flat)} numbers", f"{3 * n}: x, y, v for {n} landmarks")
    try:
        finite = all(map(math.isfinite, flat))
    except (TypeError, OverflowError):
        finite = False
    if not finite:
        yield problem(place, _short(flat), "finite numbers")
    elif not _VISIBILITIES.issuperset(flat[2::3]):
        odd = next(v for v in flat[2::3] if v not in _VISIBILITIES)
        yield problem(place, f"the visibility {odd!r}", "0, 1 or 2")
    elif len(flat) == 3 * n and (form := parse_keypoints(flat, k, order).problem):
        yield problem(place, form, "a flat list of numbers")


def _fashion(problem: Report, record: dict[str, Any], place: str) -> Iterator[Problem]:
    if KEY in record and not isinstance(record[KEY], dict):
        yield problem(f"{place}.{KEY}", _short(record[KEY]), "an object of ours; it is ignored")


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
