"""Columns over all records as NumPy arrays, and what is counted from them.

A table of 300,000 images is made of these in a second, without decoding a record; the window and the
command line count alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from napari_fashion.coco import jsontext, provenance
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId, other_form
from napari_fashion.coco.keypoints import flag, parse_keypoints
from napari_fashion.schema import Schema

_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class Columns:
    """One row per image or annotation, in file order.

    Attributes
    ----------
    image_ids
        (N,) object: the images' ids.
    reviewed
        (N,) bool: whether a person stands behind the image.
    rejected
        (N,) bool: whether a person does not want it annotated.
    garments, unseen, edited
        (N,) int64: annotations of the image; those that a model made and no person touched; those that a
        person changed.
    lowest_score
        (N,) float64: the lowest score of the image's garments; NaN if none has one.
    annotation_ids
        (M,) object.
    annotation_image
        (M,) int64: the row of the image; -1 if there is none.
    category
        (M,) int64: index into the schema's categories; -1 if it has none.
    by_human
        (M,) bool: whether a person made the garment or changed anything in it.
    crowd
        (M,) bool.
    labelled
        (M,) int64: ``num_keypoints``, or what it should be where it is missing.
    score
        (M,) float64: the model's score of the garment; NaN if there is none.
    """

    image_ids: npt.NDArray[np.object_]
    reviewed: npt.NDArray[np.bool_]
    rejected: npt.NDArray[np.bool_]
    garments: npt.NDArray[np.int64]
    unseen: npt.NDArray[np.int64]
    edited: npt.NDArray[np.int64]
    lowest_score: npt.NDArray[np.float64]
    annotation_ids: npt.NDArray[np.object_]
    annotation_image: npt.NDArray[np.int64]
    category: npt.NDArray[np.int64]
    by_human: npt.NDArray[np.bool_]
    crowd: npt.NDArray[np.bool_]
    labelled: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]


class _Image(msgspec.Struct, gc=False):
    fashion: msgspec.Raw = msgspec.Raw(b"")


class _Annotation(msgspec.Struct, gc=False):
    image_id: Any = None
    category_id: Any = None
    iscrowd: Any = 0
    num_keypoints: Any = None
    score: Any = None
    source: Any = None
    fashion: msgspec.Raw = msgspec.Raw(b"")


def reviewed_ids(dataset: Dataset) -> set[RecordId]:
    """Return the ids of the images that a person stands behind; annotations are not looked at."""
    ids = dataset.store.ids("images")
    return {ids[i] for i in np.flatnonzero(_settled(dataset)[0]).tolist()}


def _settled(dataset: Dataset) -> npt.NDArray[np.bool_]:
    """Return which images are reviewed, and which are rejected, (2, N)."""
    settled = np.zeros((2, dataset.store.count("images")), np.bool_)
    for i, fashion in enumerate(_images(dataset)):
        if b"reviewed" in fashion or b"image_rejected" in fashion or b"\\" in fashion:
            record = {provenance.KEY: jsontext.loads(fashion)}
            settled[:, i] = provenance.is_reviewed(record), provenance.is_rejected(record)
    return settled


def columns(dataset: Dataset) -> Columns:
    """Return the columns of a data set as it is now."""
    store = dataset.store
    image_ids = store.ids("images")
    reviewed, rejected = _settled(dataset)

    rows = _annotations(dataset)
    m = len(rows)
    places = dict(zip(image_ids, range(len(image_ids)), strict=True))
    annotation_image = np.fromiter((_row(places, r.image_id) for r in rows), np.int64, m)
    index = Once(dataset.category_index)
    category = np.fromiter((index(r.category_id) for r in rows), np.int64, m)
    crowd = np.fromiter((r.iscrowd not in (0, None) and bool(r.iscrowd) for r in rows), np.bool_, m)
    labelled = np.zeros(m, np.int64)
    by_human = np.ones(m, np.bool_)
    edited = np.zeros(m, np.bool_)
    score = np.full(m, np.nan)
    for i, row in enumerate(rows):
        count = row.num_keypoints
        labelled[i] = count if type(count) is int and 0 <= count < 1 << 31 else -1
        fashion = bytes(row.fashion)
        if row.source is not None or row.score is not None or _says_who(fashion):
            record = {"source": row.source, "score": row.score}
            if fashion:
                record[provenance.KEY] = jsontext.loads(fashion)
            by_human[i] = provenance.touched_by_human(record)
            edited[i] = provenance.edited(record)
            score[i] = np.nan if (s := provenance.score(record)) is None else s
    for row_index in np.flatnonzero(labelled < 0).tolist():
        labelled[row_index] = int((dataset.garments[row_index].visibility > 0).sum())

    n = len(image_ids)
    known = annotation_image >= 0
    at = annotation_image[known]
    lowest = np.full(n, np.inf)
    np.minimum.at(lowest, at, np.where(np.isnan(score), np.inf, score)[known])
    lowest[np.isinf(lowest)] = np.nan
    return Columns(
        image_ids=_objects(image_ids),
        reviewed=reviewed,
        rejected=rejected,
        garments=np.bincount(at, minlength=n),
        unseen=np.bincount(annotation_image[known & ~by_human], minlength=n),
        edited=np.bincount(annotation_image[known & edited], minlength=n),
        lowest_score=lowest,
        annotation_ids=_objects(store.ids("annotations")),
        annotation_image=annotation_image,
        category=category,
        by_human=by_human,
        crowd=crowd,
        labelled=labelled,
        score=score,
    )


@dataclass(frozen=True)
class Statistics:
    """Counts over a data set.

    Attributes
    ----------
    images, reviewed, without_garments
        Images, those that are reviewed, and those without an annotation.
    garments, by_human, by_model
        Annotations that are no crowd, and who is behind them: a model's untouched ones are `by_model`.
    crowds
        Annotations that mark a crowd.
    categories
        Garments of each category of the schema that occurs.
    landmarks
        For each landmark, how many garments have it visible, hidden and not labelled.
    landmarks_by_category
        The same for each category that occurs, with the landmarks that it can have or that are labelled.
    """

    images: int
    reviewed: int
    without_garments: int
    garments: int
    by_human: int
    by_model: int
    crowds: int
    categories: dict[str, int]
    landmarks: dict[str, tuple[int, int, int]]
    landmarks_by_category: dict[str, dict[str, tuple[int, int, int]]]

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        return asdict(self)


class _Keypoints(msgspec.Struct, gc=False):
    category_id: Any = None
    iscrowd: Any = 0
    keypoints: Any = None


def statistics(dataset: Dataset) -> Statistics:
    """Count a data set as it is now."""
    found = columns(dataset)
    one = ~found.crowd
    schema = dataset.schema
    count = np.bincount(
        found.category[one & (found.category >= 0)], minlength=len(schema.categories)
    )
    seen = _visibilities(dataset, found)
    return Statistics(
        images=len(found.image_ids),
        reviewed=int(found.reviewed.sum()),
        without_garments=int((found.garments == 0).sum()),
        garments=int(one.sum()),
        by_human=int((one & found.by_human).sum()),
        by_model=int((one & ~found.by_human).sum()),
        crowds=int(found.crowd.sum()),
        categories={
            name: int(n) for name, n in zip(schema.category_names, count, strict=True) if n
        },
        landmarks=_rows(schema, seen.sum(axis=0), range(schema.n_landmarks)),
        landmarks_by_category={
            schema.category_names[i]: _rows(schema, seen[i], _members(schema, i, seen[i]))
            for i in np.flatnonzero(count).tolist()
        },
    )


def _members(schema: Schema, category: int, seen: npt.NDArray[np.int64]) -> list[int]:
    """Return the landmarks that a category can have, and those that some garment of it has."""
    labelled = np.flatnonzero(seen[:, 1:].any(axis=1)).tolist()
    return sorted({*schema.landmarks_of_category(category), *labelled})


def _rows(
    schema: Schema, seen: npt.NDArray[np.int64], members: Iterable[int]
) -> dict[str, tuple[int, int, int]]:
    """Return visible, hidden, not labelled by name; `seen` is (K, 3), by visibility."""
    return {
        schema.landmarks[i]: (int(seen[i, 2]), int(seen[i, 1]), int(seen[i, 0])) for i in members
    }


def _visibilities(dataset: Dataset, found: Columns) -> npt.NDArray[np.int64]:
    """Return (C + 1, K, 3): garments by category, the last one none, landmark and visibility."""
    k, c = dataset.schema.n_landmarks, len(dataset.schema.categories)
    seen = np.zeros((c + 1, k, 3), np.int64)
    every = np.arange(k)
    plain: list[Any] = []
    plain_category: list[int] = []
    order_of = Once(dataset.landmark_order)
    categories = found.category[~found.crowd].tolist()
    for (category_id, flat), category in zip(
        keypoints_of(dataset, found.crowd), categories, strict=True
    ):
        order = order_of(category_id)
        if order is None and isinstance(flat, list) and len(flat) == 3 * k:
            plain.append(flat)
            plain_category.append(category)
        else:
            seen[category, every, parse_keypoints(flat, k, order).visibility] += 1
    for start in range(0, len(plain), _BLOCK):
        block = plain[start : start + _BLOCK]
        of_block = np.array(plain_category[start : start + _BLOCK])
        try:
            triplets = np.array(block, dtype=np.float64).reshape(-1, k, 3)
        except (TypeError, ValueError, OverflowError):
            for flat, category in zip(block, of_block.tolist(), strict=True):
                seen[category, every, parse_keypoints(flat, k).visibility] += 1
            continue
        v = np.where(np.isfinite(triplets).all(axis=2), np.rint(triplets[:, :, 2]).clip(0, 2), 0)
        for value in range(3):
            np.add.at(seen[:, :, value], of_block, v == value)
    return seen


class Once:
    """Asks a function once for each argument; there are few categories and many annotations."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function
        self._known: dict[Any, Any] = {}

    def __call__(self, key: Any) -> Any:
        """Return the function's answer."""
        try:
            return self._known[key]
        except KeyError:
            answer = self._known[key] = self._function(key)
            return answer
        except TypeError:  # not hashable
            return self._function(key)


def _says_who(fashion: bytes) -> bool:
    """Whether the value under our key may name who made a garment; quick for what converters write."""
    return b"source" in fashion or b"score" in fashion or b"edited" in fashion or b"\\" in fashion


def _images(dataset: Dataset) -> list[bytes]:
    try:
        return [bytes(row.fashion) for row in dataset.store.bulk("images", _Image)]
    except msgspec.MsgspecError:
        return [_fashion_text(dataset, "images", key) for key in dataset.store.ids("images")]


def _annotations(dataset: Dataset) -> list[_Annotation]:
    try:
        rows: list[_Annotation] = dataset.store.bulk("annotations", _Annotation)
    except msgspec.MsgspecError:
        rows = []
        for key in dataset.store.ids("annotations"):
            record = dataset.store.record("annotations", key)
            known = {f: record.get(f) for f in _Annotation.__struct_fields__ if f != "fashion"}
            ours = _fashion_text(dataset, "annotations", key)
            rows.append(_Annotation(**known, fashion=msgspec.Raw(ours)))
    for row in rows:
        if type(row.iscrowd) is not int:
            row.iscrowd = flag(row.iscrowd)
    return rows


def keypoints_of(dataset: Dataset, crowd: npt.NDArray[np.bool_]) -> list[tuple[Any, Any]]:
    """Return category id and ``keypoints`` of each annotation that is no crowd, in file order."""
    try:
        rows = dataset.store.bulk("annotations", _Keypoints)
        pairs = [(row.category_id, row.keypoints) for row in rows]
    except msgspec.MsgspecError:
        records = (dataset.store.record("annotations", k) for k in dataset.store.ids("annotations"))
        pairs = [(r.get("category_id"), r.get("keypoints")) for r in records]
    return [pair for pair, skip in zip(pairs, crowd, strict=True) if not skip]


def _fashion_text(dataset: Dataset, table: Any, key: Any) -> bytes:
    text = dataset.text(table, key, (provenance.KEY,))
    return b"" if text is None else text.encode()


def _row(places: dict[Any, int], image_id: Any) -> int:
    try:
        row = places.get(image_id, -1)
    except TypeError:
        return -1
    return row if row >= 0 else places.get(other_form(image_id), -1)


def _objects(values: list[Any]) -> npt.NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
