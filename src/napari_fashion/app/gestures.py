"""What a person does to garments, as edits; every landmark touched here becomes `human`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from napari_fashion.app.edits import (
    Edit,
    InsertRecord,
    Primitive,
    RecordId,
    RemoveRecord,
    record_changes,
)
from napari_fashion.coco import Dataset, Garment, category_record, landmark_changes, provenance
from napari_fashion.coco.landmarks import Landmark
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.errors import EditError

XY = tuple[float, float]


def move_landmarks(dataset: Dataset, garment_id: RecordId, places: Mapping[int, XY]) -> Edit | None:
    """Move landmarks of one garment; their visibility stays.

    Parameters
    ----------
    places
        For each landmark index its new position, xy pixels.

    Raises
    ------
    EditError
        If one of the landmarks is not placed yet.
    """
    garment = dataset.garment(garment_id)
    for k in places:
        _require_placed(dataset, garment, k)
    triplets = {k: (*xy, int(garment.visibility[k])) for k, xy in places.items()}
    return _landmark_edit(f"Move {_names(dataset, places)}", dataset, garment, triplets)


def place_landmark(
    dataset: Dataset, garment_id: RecordId, landmark: int, xy: XY, visibility: int = 2
) -> Edit | None:
    """Put a landmark at a position (xy pixels), whether it was missing or not."""
    garment = dataset.garment(garment_id)
    label = f"Place {_names(dataset, [landmark])}"
    return _landmark_edit(label, dataset, garment, {landmark: (*xy, visibility)})


def set_visibility(
    dataset: Dataset, garment_id: RecordId, landmarks: Iterable[int], visibility: int
) -> Edit | None:
    """Set the COCO visibility: 2 visible, 1 hidden, 0 not labelled, which deletes the landmark.

    Raises
    ------
    EditError
        If a landmark that is not placed shall become 1 or 2.
    """
    landmarks = list(landmarks)
    if visibility == 0:
        return delete_landmarks(dataset, garment_id, landmarks)
    garment = dataset.garment(garment_id)
    triplets = {}
    for k in landmarks:
        _require_placed(dataset, garment, k)
        triplets[k] = (*garment.xy[k].tolist(), visibility)
    word = {1: "hidden", 2: "visible"}[visibility]
    return _landmark_edit(f"Set {_names(dataset, landmarks)} {word}", dataset, garment, triplets)


def delete_landmarks(
    dataset: Dataset, garment_id: RecordId, landmarks: Iterable[int]
) -> Edit | None:
    """Delete landmarks: COCO's 0, 0, 0."""
    landmarks = list(landmarks)
    garment = dataset.garment(garment_id)
    label = f"Delete {_names(dataset, landmarks)}"
    return _landmark_edit(label, dataset, garment, dict.fromkeys(landmarks, (0.0, 0.0, 0)))


def swap_left_right(dataset: Dataset, garment_id: RecordId) -> Edit | None:
    """Exchange every left landmark of a garment with its right one."""
    garment = dataset.garment(garment_id)
    flips = dataset.schema.flips
    triplets = {
        k: (*garment.xy[twin].tolist(), int(garment.visibility[twin]))
        for k, twin in enumerate(flips)
        if twin != k and (garment.visibility[k] or garment.visibility[twin])
    }
    return _landmark_edit("Swap left and right", dataset, garment, triplets)


def add_garment(dataset: Dataset, image_id: RecordId, category: int) -> tuple[Edit, RecordId]:
    """Add a garment without landmarks; return the edit and the new garment's id."""
    changes, category_id = category_change(dataset, category)
    record = {
        "id": dataset.next_id("annotations"),
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": [0.0, 0.0, 0.0, 0.0],
        "area": 0.0,
        "num_keypoints": 0,
        "keypoints": [0.0, 0.0, 0] * dataset.schema.n_landmarks,
    }
    index = len(dataset.table("annotations"))
    changes.append(InsertRecord("annotations", index, record))
    label = f"Add {dataset.schema.category_names[category]}"
    return Edit(label, image_id, tuple(changes)), record["id"]


def delete_garment(dataset: Dataset, garment_id: RecordId) -> Edit:
    """Delete a garment.

    One that a model found is remembered with its picture (``fashion.rejected``), so that the
    next prediction doesn't bring it back.
    """
    garment = dataset.garment(garment_id)
    changes: list[Primitive] = [
        RemoveRecord(
            "annotations", dataset.position("annotations", garment_id), dict(garment.record)
        )
    ]
    if garment.source != HUMAN:
        image = dataset.image(garment.image_id).record
        fashion = provenance.of(image)
        rejected = [*fashion.get("rejected", ()), {"keypoints": garment.record["keypoints"]}]
        changes += record_changes(
            "images", image, {provenance.KEY: {**fashion, "rejected": rejected}}
        )
    label = f"Delete {garment.category_name}"
    return Edit(label, garment.image_id, tuple(changes))


def set_category(dataset: Dataset, garment_id: RecordId, category: int) -> Edit | None:
    """Set a garment's category (an index into the schema's)."""
    garment = dataset.garment(garment_id)
    if garment.source == HUMAN and garment.category == category:
        return None
    record = garment.record
    changes, category_id = category_change(dataset, category)
    values: dict[str, Any] = {"category_id": category_id}
    schema = dataset.schema
    values[provenance.KEY] = provenance.with_human(record, schema.n_landmarks, category=True)
    body_type = record.get("body_type")
    fitting = schema.categories[category].body_types
    if body_type in schema.body_type_names and body_type not in fitting:
        present = [k for k, v in enumerate(garment.visibility) if v > 0]
        values["body_type"] = schema.body_type_for(category, present)  # the photos' extra field
    changes += record_changes("annotations", record, values)
    if not changes:
        return None
    label = f"Set category {dataset.schema.category_names[category]}"
    return Edit(label, garment.image_id, tuple(changes))


def set_reviewed(dataset: Dataset, image_id: RecordId, reviewed: bool) -> Edit | None:
    """Mark a picture as reviewed: a person stands behind everything on it."""
    image = dataset.image(image_id)
    if image.reviewed == reviewed:
        return None
    value = provenance.with_reviewed(image.record, reviewed)
    label = "Mark reviewed" if reviewed else "Mark not reviewed"
    return Edit(
        label, image_id, tuple(record_changes("images", image.record, {provenance.KEY: value}))
    )


def category_change(dataset: Dataset, category: int) -> tuple[list[Primitive], RecordId]:
    """Return the id of a category, and what must be added where the document lacks it."""
    category_id = dataset.category_id(category)
    if category_id is not None:
        return [], category_id
    category_id = dataset.next_id("categories")
    record = category_record(dataset.schema, category, category_id)
    return [InsertRecord("categories", len(dataset.table("categories")), record)], category_id


def _landmark_edit(
    label: str, dataset: Dataset, garment: Garment, places: Mapping[int, Landmark]
) -> Edit | None:
    """Set x, y, v of landmarks, with everything in the record that follows from them."""
    xy, visibility = garment.xy, garment.visibility
    places = {
        k: place for k, place in places.items() if place != (*xy[k].tolist(), int(visibility[k]))
    }
    k = dataset.schema.n_landmarks
    values = landmark_changes(garment.record, k, places)
    if not places or not values:
        return None
    values[provenance.KEY] = provenance.with_human(garment.record, k, places.keys())
    changes = record_changes("annotations", garment.record, values)
    return Edit(label, garment.image_id, tuple(changes))


def _require_placed(dataset: Dataset, garment: Garment, landmark: int) -> None:
    if garment.visibility[landmark] == 0:
        raise EditError(
            f"{_names(dataset, [landmark]).capitalize()} is not placed yet; place it on the "
            "picture first."
        )


def _names(dataset: Dataset, landmarks: Iterable[int]) -> str:
    names = [dataset.schema.landmarks[k].replace("_", " ") for k in landmarks]
    return names[0] if len(names) == 1 else f"{len(names)} landmarks"
