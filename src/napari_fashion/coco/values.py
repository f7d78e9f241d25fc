"""What fields of a record become when a person or a model says something new about it.

Each function returns new values by key and leaves the record alone: the change itself is an edit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from napari_fashion.coco import provenance
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.keypoints import (
    Landmark,
    flat_keypoints,
    is_count,
    landmark_changes,
    parse_keypoints,
    short,
)
from napari_fashion.coco.spans import RecordId
from napari_fashion.errors import EditError

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
    if garment.keypoints.problem:
        raise EditError(
            f"The keypoints of garment {garment_id!r} are {garment.keypoints.problem}; expected "
            f"{3 * n} numbers: x, y and visibility of {n} landmarks. They are left as they are; "
            "mend the file to edit them."
        )
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


def _require_own_key(
    record: Mapping[str, Any], record_id: RecordId, *fields: str, k: int = 0
) -> None:
    """Raise EditError where another tool keeps something of its own under our key.

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
            f"{record_id!r} has {short(value)} under {provenance.KEY!r}; expected an object of ours. "
            "It is left as it is; rename the key in the file to edit this record."
        )
    for field in fields:
        found = provenance.of(record).get(field)
        expected = provenance.form_problem(field, found, k)
        if expected:
            raise EditError(
                f"{record_id!r} has {short(found)} under {provenance.KEY}.{field}; expected {expected}. "
                "It is left as it is; mend the file to edit this record."
            )


def category_values(dataset: Dataset, garment_id: RecordId, category_id: RecordId) -> Values:
    """Return what an annotation has to have when a person chooses its category.

    Parameters
    ----------
    category_id
        The file's id of it; the category may be about to be added.

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
    if order != new_order and "keypoints" in record:  # categories with landmarks of their own
        landmark_values(dataset, garment_id, {})  # refuses keypoints of another form
        flat = flat_keypoints(garment.xy.tolist(), garment.visibility.tolist(), new_order)
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
        What the model says under our key (`provenance.of_model`).
    category_id
        The model's category, or None where a person's stays.
    """
    record = dataset.store.record("annotations", garment_id)
    source = fashion["source"]
    sources = [
        who if who == provenance.HUMAN else source
        for who in dataset.garment(garment_id).landmark_sources
    ]
    scores = [
        None if who == provenance.HUMAN else score
        for who, score in zip(sources, fashion["keypoint_scores"], strict=True)
    ]
    values = landmark_values(dataset, garment_id, places, by_human=False)
    values[provenance.KEY] = {
        **provenance.of(record),
        **fashion,
        "keypoint_scores": scores,
        "keypoint_sources": sources,
    }
    if category_id is not None:
        values["category_id"] = category_id
    return values


def reviewed_values(dataset: Dataset, image_id: RecordId, reviewed: bool) -> Values:
    """Return what an image has to have when it is marked as reviewed, or not."""
    record = dataset.store.record("images", image_id)
    _require_own_key(record, image_id, "reviewed")
    return {provenance.KEY: provenance.with_reviewed(record, reviewed)}


def rejected_values(dataset: Dataset, garment_id: RecordId) -> Values:
    """Return what an image has to have when a person deletes a model's garment of it."""
    record = dataset.store.record("annotations", garment_id)
    image_id = dataset.garment(garment_id).image_id
    image = dataset.store.record("images", image_id)
    _require_own_key(image, image_id, "rejected")
    return {provenance.KEY: provenance.with_rejected(image, record)}


def says_the_same(dataset: Dataset, garment_id: RecordId, record: Mapping[str, Any]) -> bool:
    """Whether an annotation says what a new record would, but for the id."""
    old = {**dataset.store.record("annotations", garment_id), "id": None}
    return old == {**record, "id": None}
