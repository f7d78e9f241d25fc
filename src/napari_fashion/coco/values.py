"""New values of a record's fields after a change by a person or a model.

Each function returns new values by key and leaves the record alone: the change itself is an edit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.categories import CategoryAnswer, remembered_values
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.keypoints import (
    Landmark,
    all_numbers,
    flat_keypoints,
    is_count,
    landmark_box,
    landmark_changes,
    number,
    parse_keypoints,
    rounded,
)
from napari_fashion.coco.views import Garment
from napari_fashion.documents import shown
from napari_fashion.errors import EditError
from napari_fashion.schema import Schema

Values = dict[str, Any]


def landmark_values(
    dataset: Dataset,
    garment_id: RecordId,
    places: Mapping[int, Landmark],
    *,
    by_human: bool = True,
) -> Values:
    """Return what an annotation has to have when some of its landmarks change.

    Parameters
    ----------
    places
        For the index of each changed landmark x, y in pixels and its visibility.
    by_human
        Whether a person placed them: it is noted under our key.

    Raises
    ------
    EditError
        If the record's keypoints are no list of triplets that could be changed, or have no
        place for a landmark.
    """
    garment = dataset.garment(garment_id)
    record = dataset.store.record("annotations", garment_id)
    k = dataset.schema.n_landmarks
    order = dataset.landmark_order(garment.category_id)
    n = k if order is None else len(order)
    _require_triplets(garment, n)
    if not all(math.isfinite(v) for x, y, _ in places.values() for v in (x, y)):
        raise EditError(
            f"Landmarks cannot be put at {list(places.values())}; expected finite places."
        )
    _require_own_key(record, garment_id, "keypoint_sources", "edited", k=k)
    for i in places:
        if order is not None and i not in order:
            raise EditError(
                f"{garment.category_name} has no {dataset.schema.landmarks[i]!r} in this file; "
                f"expected one of its {n} landmarks."
            )
    values = landmark_changes(record, k, places, order)
    if values and by_human:
        values[provenance.KEY] = provenance.with_human(record, k, places.keys())
    return values


def _require_triplets(garment: Garment, n: int) -> None:
    """Raise EditError if a record's keypoints are no list of triplets that could be changed."""
    if garment.keypoints.problem:
        raise EditError(
            f"The keypoints of garment {garment.id!r} are {garment.keypoints.problem}; expected "
            f"{3 * n} numbers: x, y and visibility of {n} landmarks. They are left as they are; "
            "mend the file to edit them."
        )


def _require_own_key(
    record: Mapping[str, Any], record_id: RecordId, *fields: str, k: int = 0
) -> None:
    """Raise EditError if another tool keeps something of its own under our key.

    Parameters
    ----------
    fields
        What is about to be written there.
    k
        Number of landmarks.
    """
    value = record.get(provenance.KEY)
    if value is not None and not isinstance(value, dict):
        raise EditError(
            f"{record_id!r} has {shown(value)} under {provenance.KEY!r}; expected an object of ours. "
            "It is left as it is; rename the key in the file to edit this record."
        )
    for field in fields:
        found = provenance.of(record).get(field)
        expected = provenance.form_problem(field, found, k)
        if expected:
            raise EditError(
                f"{record_id!r} has {shown(found)} under {provenance.KEY}.{field}; expected {expected}. "
                "It is left as it is; mend the file to edit this record."
            )


def category_values(
    dataset: Dataset,
    garment_id: RecordId,
    category_id: RecordId,
    moves: Mapping[int, int] = MappingProxyType({}),
) -> Values:
    """Return what an annotation has to have when a person chooses its category.

    Parameters
    ----------
    category_id
        The file's id of it; the category may be about to be added.
    moves
        Landmarks that become others, by index: the category has other ones at their places.

    Raises
    ------
    EditError
        If the category has other landmarks, and the keypoints are no list of triplets.
    """
    garment = dataset.garment(garment_id)
    record = dataset.store.record("annotations", garment_id)
    schema = dataset.schema
    _require_own_key(record, garment_id, "category_source", "edited")
    values: Values = {
        "category_id": category_id,
        provenance.KEY: provenance.with_human(record, schema.n_landmarks, category=True),
    }
    order, new_order = (dataset.landmark_order(c) for c in (garment.category_id, category_id))
    if (moves or order != new_order) and "keypoints" in record:
        landmark_values(dataset, garment_id, {})  # refuses keypoints of another form
        xy, visibility = garment.xy.copy(), garment.visibility.copy()
        old, new = list(moves.keys()), list(moves.values())
        for part in (xy, visibility):
            part[new], part[old] = part[old], 0
        values[provenance.KEY] |= provenance.moved(
            values[provenance.KEY], schema.n_landmarks, moves
        )
        flat = flat_keypoints(xy.tolist(), visibility.tolist(), new_order)
        kept = parse_keypoints(flat, schema.n_landmarks, new_order)
        values["keypoints"] = flat
        if is_count(record.get("num_keypoints")):
            values["num_keypoints"] = int(np.count_nonzero(kept.visibility))
    return values


def renewed_values(
    dataset: Dataset,
    garment_id: RecordId,
    places: Mapping[int, Landmark],
    *,
    fashion: Mapping[str, Any],
    category_id: RecordId | None,
) -> Values:
    """Return what a partly corrected annotation has to have after a new prediction of it.

    Parameters
    ----------
    places
        The landmarks that no person placed, as the model sees them now.
    fashion
        The values of the model under our key (`provenance.of_model`).
    category_id
        The model's category, or None if a person's stays.
    """
    record = dataset.store.record("annotations", garment_id)
    source = fashion["source"]
    sources = [
        who if who == provenance.HUMAN else source
        for who in dataset.garment(garment_id).landmark_sources
    ]
    numbers = {
        name: [
            None if who == provenance.HUMAN else number
            for who, number in zip(sources, fashion[name], strict=True)
        ]
        for name in provenance.NUMBERS
        if name in fashion
    }
    values = landmark_values(dataset, garment_id, places, by_human=False)
    before = {  # what an earlier model said of landmarks, and this one does not, is no longer true
        name: value
        for name, value in provenance.of(record).items()
        if name not in provenance.NUMBERS
    }
    values[provenance.KEY] = {
        **before,
        **fashion,
        **numbers,
        "keypoint_sources": sources,
    }
    if category_id is not None:
        values["category_id"] = category_id
    return values


def category_record_values(
    dataset: Dataset, schema: Schema, answer: CategoryAnswer
) -> dict[RecordId, Values]:
    """Return what category records have to have to remember an answer (`CategoryRule`)."""
    found = remembered_values(dataset, schema, answer)
    for key in found:
        record = dataset.store.record("categories", key)
        fields = (provenance.MODEL_CATEGORIES, provenance.READ_AS, provenance.LEFT_OUT)
        _require_own_key(record, key, *fields)
    return {key: {provenance.KEY: ours} for key, ours in found.items()}


def reviewed_values(dataset: Dataset, image_id: RecordId, reviewed: bool) -> Values:
    """Return what an image has to have when it is marked as reviewed, or not."""
    record = dataset.store.record("images", image_id)
    _require_own_key(record, image_id, "reviewed")
    return {provenance.KEY: provenance.with_reviewed(record, reviewed)}


def image_rejected_values(dataset: Dataset, image_id: RecordId, rejected: bool) -> Values:
    """Return what an image has to have when a person rejects it, or takes it back."""
    record = dataset.store.record("images", image_id)
    _require_own_key(record, image_id, "reviewed", provenance.IMAGE_REJECTED)
    return {provenance.KEY: provenance.with_image_rejected(record, rejected)}


def rejected_values(dataset: Dataset, garment_id: RecordId) -> Values:
    """Return what an image has to have when a person deletes a model's garment of it."""
    record = dataset.store.record("annotations", garment_id)
    image_id = dataset.garment(garment_id).image_id
    image = dataset.store.record("images", image_id)
    _require_own_key(image, image_id, "rejected")
    return {provenance.KEY: provenance.with_rejected(image, record)}


def rescaled_values(
    dataset: Dataset, image_id: RecordId, size: tuple[int, int]
) -> tuple[Values, dict[RecordId, Values]]:
    """Return what an image and its garments have to have when they are brought to another size.

    Landmarks are places of pixel centres, ``(x + 0.5) * scale - 0.5``; boxes and polygons have
    corners, ``x * scale``. A box that is the landmarks' own stays their own.

    Parameters
    ----------
    size
        Width and height of the image, pixels.

    Returns
    -------
    The image's new values, and each garment's.

    Raises
    ------
    EditError
        If the record has no size, one of another shape, or a place in the image is of a form that was
        not understood.
    """
    record = dataset.store.record("images", image_id)
    known = dataset.image(image_id).known_size
    if known is None:
        raise EditError(
            f"Image {image_id!r} has the width {shown(record.get('width'))} and the height "
            f"{shown(record.get('height'))} in the file; expected numbers of pixels. Its landmarks cannot "
            "be rescaled; mend the file."
        )
    _require_same_shape(image_id, known, size)
    _require_own_key(record, image_id, "rejected", "ignore")
    scale = (size[0] / known[0], size[1] / known[1])
    image: Values = {
        key: type(record[key])(new)  # text stays text
        for key, new in zip(("width", "height"), size, strict=True)
    }
    ours = dict(provenance.of(record))
    if ours.get("ignore"):
        ours["ignore"] = [_scaled_box(box, scale, image_id) for box in ours["ignore"]]
    if ours.get("rejected"):
        ours["rejected"] = [
            {**gone, "keypoints": _scaled_keypoints(gone["keypoints"], scale, image_id)}
            if gone.get("keypoints") is not None
            else gone
            for gone in ours["rejected"]
        ]
    if ours:
        image[provenance.KEY] = ours
    return image, {
        key: _rescaled_garment(dataset, key, scale) for key in dataset.store.of_image(image_id)
    }


def _require_same_shape(image_id: RecordId, known: tuple[int, int], size: tuple[int, int]) -> None:
    (w, h), (width, height) = known, size
    sizes = f"Image {image_id!r} has {w} x {h} pixels in the file and {width} x {height} as it is"
    if abs(w * height / h - width) <= 1 or abs(width * h / height - w) <= 1:
        return
    if abs(h * height / w - width) <= 1 or abs(width * w / height - h) <= 1:
        raise EditError(
            f"{sizes}: width and height are exchanged, as by a program that ignores the image's "
            "orientation (EXIF). Rescaling would not put the landmarks right; annotate the image as "
            "it stands, or mend the file."
        )
    raise EditError(
        f"{sizes}: another shape, so that the landmarks are of another crop of the image. They cannot be "
        "rescaled; find the image that they were made on, or place them again."
    )


def _rescaled_garment(dataset: Dataset, garment_id: RecordId, scale: tuple[float, float]) -> Values:
    garment = dataset.garment(garment_id)
    record = dataset.store.record("annotations", garment_id)
    values: Values = {}
    if record.get("keypoints") is not None:
        order = dataset.landmark_order(garment.category_id)
        n = dataset.schema.n_landmarks if order is None else len(order)
        _require_triplets(garment, n)
        if len(record["keypoints"]) > 3 * n:
            _refuse_place(garment_id, "keypoints", record["keypoints"], f"{3 * n} numbers")
        values["keypoints"] = _scaled_keypoints(record["keypoints"], scale, garment_id)
    box = record.get("bbox")
    if box not in (None, []):
        values["bbox"] = _scaled_box(box, scale, garment_id)
        before = landmark_box(garment.xy, garment.visibility)
        if before is not None and all(abs(a - b) <= 1 for a, b in zip(box, before, strict=True)):
            k, order = dataset.schema.n_landmarks, dataset.landmark_order(garment.category_id)
            new = parse_keypoints(values["keypoints"], k, order)
            after = landmark_box(new.xy, new.visibility) or (0.0, 0.0, 0.0, 0.0)
            values["bbox"] = [rounded(v, _whole(box)) for v in after]
    area = record.get("area")
    if area is not None:
        if not _finite([area]):
            _refuse_place(garment_id, "area", area, "a finite number")
        values["area"] = rounded(area * scale[0] * scale[1], _whole([area]))
        if garment.bbox is not None and abs(area - garment.bbox[2] * garment.bbox[3]) <= 1:
            values["area"] = rounded(values["bbox"][2] * values["bbox"][3], _whole([area]))
    outline = record.get("segmentation")
    if outline not in (None, []):
        fits = isinstance(outline, list) and all(
            isinstance(part, list) and len(part) % 2 == 0 and _finite(part) for part in outline
        )
        if not fits:
            _refuse_place(garment_id, "segmentation", outline, "polygons, lists of x, y")
        values["segmentation"] = [
            [rounded(v * scale[i % 2], _whole(part)) for i, v in enumerate(part)]
            for part in outline
        ]
    return values


def _scaled_keypoints(value: Any, scale: tuple[float, float], record_id: RecordId) -> list[Any]:
    """Return a flat list of triplets at another scale; what is not labelled, at 0, 0, stays."""
    if not (isinstance(value, list) and len(value) % 3 == 0 and _finite(value)):
        _refuse_place(record_id, "keypoints", value, "finite numbers: x, y, v of each landmark")
    whole, flat = _whole(value), list(value)
    for at in range(0, len(flat), 3):
        x, y, v = flat[at : at + 3]
        if v or x or y:
            flat[at] = rounded((x + 0.5) * scale[0] - 0.5, whole)
            flat[at + 1] = rounded((y + 0.5) * scale[1] - 0.5, whole)
    return flat


def _scaled_box(value: Any, scale: tuple[float, float], record_id: RecordId) -> list[Any]:
    if not (isinstance(value, list) and len(value) == 4 and _finite(value)):
        _refuse_place(record_id, "box", value, "four finite numbers x, y, width, height")
    return [rounded(v * scale[i % 2], _whole(value)) for i, v in enumerate(value)]


def _refuse_place(record_id: RecordId, what: str, found: Any, expected: str) -> NoReturn:
    raise EditError(
        f"The {what} of {record_id!r} is {shown(found)}; expected {expected}. Nothing of the image was "
        "rescaled; mend the file first."
    )


def _finite(values: list[Any]) -> bool:
    return all_numbers(values) and all(math.isfinite(number(v)) for v in values)


def _whole(values: list[Any]) -> bool:
    return all(type(v) is int for v in values)


def matches_record(dataset: Dataset, garment_id: RecordId, record: Mapping[str, Any]) -> bool:
    """Whether an annotation equals a new record except for the id."""
    old = {**dataset.store.record("annotations", garment_id), "id": None}
    return old == {**record, "id": None}
