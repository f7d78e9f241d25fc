"""What is odd in a data set, but does not stop anybody from working with it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_fashion.coco.provenance import KEY

if TYPE_CHECKING:
    from napari_fashion.coco.dataset import Dataset

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
    """

    path: Path | None
    place: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"{self.path}, {self.place}" if self.path else self.place
        return f"{where}: found {self.found}; expected {self.expected}."


def find_problems(dataset: Dataset) -> Iterator[Problem]:
    """Yield what is odd in the records; no file but the document is looked at."""

    def problem(place: str, found: str, expected: str) -> Problem:
        return Problem(dataset.path, place, found, expected)

    k = dataset.schema.n_landmarks
    for i, category in enumerate(dataset.table("categories")):
        place = f"categories[{i}]"
        names = category.get("keypoints")
        if dataset.category_index(category["id"]) < 0:
            yield problem(
                f"{place}.name",
                f"{category.get('name')!r}",
                f"one of the categories of the schema {dataset.schema.name!r}",
            )
        elif names and tuple(names) != dataset.schema.landmarks:
            yield problem(
                f"{place}.keypoints",
                f"{len(names)} landmarks {_short(names)}",
                f"the {k} of the schema {dataset.schema.name!r}",
            )

    for i, image in enumerate(dataset.table("images")):
        place = f"images[{i}]"
        if not isinstance(image.get("file_name"), str) or not image["file_name"]:
            yield problem(f"{place}.file_name", _short(image.get("file_name")), "a file's name")
        for key in ("width", "height"):
            value = image.get(key)
            if not isinstance(value, int) or value <= 0:
                yield problem(f"{place}.{key}", _short(value), "a number of pixels")
        yield from _fashion(problem, image, place)

    image_ids = {image["id"] for image in dataset.table("images")}
    as_text = {str(key): key for key in image_ids}
    for i, annotation in enumerate(dataset.table("annotations")):
        place = f"annotations[{i}]"
        image_id = annotation.get("image_id")
        if image_id not in image_ids:
            twin = as_text.get(str(image_id))
            yield problem(
                f"{place}.image_id",
                _short(image_id),
                "the id of an image" + ("" if twin is None else f"; there is {twin!r}"),
            )
        if not dataset.has_category(annotation.get("category_id")):
            yield problem(
                f"{place}.category_id", _short(annotation.get("category_id")), "a category's id"
            )
        yield from _keypoints(problem, annotation, place, k)
        yield from _fashion(problem, annotation, place)


def _keypoints(problem: Any, annotation: dict[str, Any], place: str, k: int) -> Iterator[Problem]:
    place = f"{place}.keypoints"
    flat = annotation.get("keypoints")
    if flat is None:
        return  # an annotation without landmarks is no problem: a box or a crowd, say
    if not isinstance(flat, list):
        yield problem(place, _short(flat), f"a list of {3 * k} numbers")
        return
    if len(flat) != 3 * k:
        yield problem(place, f"{len(flat)} numbers", f"{3 * k}: x, y, v for {k} landmarks")
    try:
        finite = all(map(math.isfinite, flat))
    except (TypeError, OverflowError):
        finite = False
    if not finite:
        yield problem(place, _short(flat), "finite numbers")
    elif not _VISIBILITIES.issuperset(flat[2::3]):
        odd = next(v for v in flat[2::3] if v not in _VISIBILITIES)
        yield problem(place, f"the visibility {odd!r}", "0, 1 or 2")


def _fashion(problem: Any, record: dict[str, Any], place: str) -> Iterator[Problem]:
    if KEY in record and not isinstance(record[KEY], dict):
        yield problem(f"{place}.{KEY}", _short(record[KEY]), "an object of ours; it is ignored")


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
