"""What a person does to garments, as edits; every landmark touched here becomes `human`.

Scripts can use them as well::

    editor = Editor(Dataset.load("garments.json"))
    editor.apply(operations.move_landmarks(editor.dataset, 7, {0: (12.5, 30)}))
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from napari_fashion.coco import Dataset, Garment
from napari_fashion.coco.categories import CategoryAnswer, CategoryRule
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.keypoints import Landmark
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.coco.records import annotation_record, category_record, category_records
from napari_fashion.coco.values import (
    category_record_values,
    category_values,
    image_rejected_values,
    landmark_values,
    rejected_values,
    rescaled_values,
    reviewed_values,
)
from napari_fashion.editing.edits import Change, Edit, insert_record, remove_record, set_values
from napari_fashion.errors import EditError
from napari_fashion.schema import Schema

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


def place_landmarks(
    label: str, dataset: Dataset, garment_id: RecordId, places: Mapping[int, Landmark]
) -> Edit | None:
    """Set x, y (pixels) and visibility of several landmarks of a garment: one step with a label."""
    return _landmark_edit(label, dataset, dataset.garment(garment_id), places)


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
    k = dataset.schema.n_landmarks
    record = annotation_record(
        dataset.next_id("annotations"),
        image_id,
        category_id,
        xy=np.zeros((k, 2)),
        visibility=np.zeros(k, np.int64),
        order=dataset.landmark_order(category_id),
    )
    changes.append(insert_record(dataset, "annotations", record))
    label = f"Add {dataset.schema.category_names[category]}"
    return Edit(label, image_id, tuple(changes)), record["id"]


def delete_garment(dataset: Dataset, garment_id: RecordId) -> Edit:
    """Delete a garment.

    One that a model found is remembered with its image (``fashion.rejected``), so that the
    next prediction doesn't bring it back.
    """
    garment = dataset.garment(garment_id)
    changes: list[Change] = [remove_record(dataset, "annotations", garment_id)]
    if garment.source != HUMAN and dataset.has("images", garment.image_id):
        gone = rejected_values(dataset, garment_id)
        changes += set_values(dataset, "images", garment.image_id, gone)
    label = f"Delete {garment.category_name}"
    return Edit(label, garment.image_id, tuple(changes))


def set_category(dataset: Dataset, garment_id: RecordId, category: int) -> Edit | None:
    """Set a garment's category (an index into the schema's).

    Landmarks that the category lacks become its landmarks at the same place (`Schema.places`).
    """
    garment = dataset.garment(garment_id)
    if garment.source == HUMAN and garment.category == category:
        return None
    schema = dataset.schema
    changes, category_id = category_change(dataset, category)
    values = category_values(dataset, garment_id, category_id, _moves(garment, schema, category))
    if garment.body_type and garment.body_type not in schema.categories[category].body_types:
        present = [k for k, v in enumerate(garment.visibility) if v > 0]
        values["body_type"] = schema.body_type_for(category, present)  # the photos' extra field
    changes += set_values(dataset, "annotations", garment_id, values)
    if not changes:
        return None
    label = f"Set category {schema.category_names[category]}"
    return Edit(label, garment.image_id, tuple(changes))


def _moves(garment: Garment, schema: Schema, category: int) -> dict[int, int]:
    """Return which landmarks of a garment become others if it gets a category."""
    return {
        i: j
        for i, j in schema.counterparts(category).items()
        if garment.visibility[i] and not garment.visibility[j]
    }


def set_reviewed(dataset: Dataset, image_id: RecordId, reviewed: bool) -> Edit | None:
    """Mark an image as reviewed: a person stands behind everything on it."""
    image = dataset.image(image_id)
    if image.reviewed == reviewed:
        return None
    label = "Mark reviewed" if reviewed else "Mark not reviewed"
    changes = set_values(dataset, "images", image_id, reviewed_values(dataset, image_id, reviewed))
    return Edit(label, image_id, tuple(changes))


def set_rejected(dataset: Dataset, image_id: RecordId, rejected: bool) -> Edit | None:
    """Reject an image, as one that is not to be annotated, or take it back.

    A rejected image is not reviewed: what a person had approved is approved no more.
    """
    if dataset.image(image_id).is_rejected == rejected:
        return None
    label = "Reject image" if rejected else "Take image back"
    values = image_rejected_values(dataset, image_id, rejected)
    return Edit(label, image_id, tuple(set_values(dataset, "images", image_id, values)))


def rescale_landmarks(dataset: Dataset, image_id: RecordId, size: tuple[int, int]) -> Edit | None:
    """Rescale everything that the file notes about an image to the size that the image has.

    Width and height, landmarks, boxes, areas and outlines, regions to ignore and deleted garments; one
    step to undo. Who placed a landmark stays.

    Parameters
    ----------
    size
        Width and height of the image as it is, pixels.

    Returns
    -------
    None where the file has this size already.

    Raises
    ------
    EditError
        If the image has another shape than the file notes, or something cannot be rescaled since its
        form was not understood; nothing is then.
    """
    if dataset.image(image_id).known_size == tuple(size):
        return None
    image, garments = rescaled_values(dataset, image_id, size)
    changes = set_values(dataset, "images", image_id, image)
    for garment_id, values in garments.items():
        changes += set_values(dataset, "annotations", garment_id, values)
    return Edit(f"Rescale to {size[0]} x {size[1]}", image_id, tuple(changes))


def remember_categories(
    dataset: Dataset,
    schema: Schema,
    answer: CategoryAnswer,
    image_id: RecordId | None = None,
) -> Edit | None:
    """Remember in the file what becomes of a model's categories that it does not have.

    Those that are mapped or left out are noted on category records under our key; those to be added come
    as new records. `CategoryRule.of` then finds the same without an answer.

    Parameters
    ----------
    schema
        The model's.
    answer
        The answer of the person.
    image_id
        The image at which it was asked; by default the first one.

    Returns
    -------
    None if the file has it already.

    Raises
    ------
    FashionError
        If the answer names a category that one of the sides does not have, or a record keeps something
        else under our key.
    """
    changes: list[Change] = []
    for key, values in category_record_values(dataset, schema, answer).items():
        changes += set_values(dataset, "categories", key, values)
    rule = CategoryRule.of(dataset, schema, answer)
    changes += [insert_record(dataset, "categories", record) for record in rule.new]
    if not changes:
        return None
    if image_id is None and len(dataset.images):
        image_id = dataset.images.ids[0]
    return Edit("Settle the model's categories", image_id, tuple(changes))


def add_images(dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> Edit | None:
    """Add images (`coco.records.image_records`), as when a folder has new ones."""
    if not records:
        return None
    changes = tuple(insert_record(dataset, "images", record) for record in records)
    return Edit(f"Add {len(records)} images", records[0]["id"], changes)


def category_change(dataset: Dataset, category: int) -> tuple[list[Change], RecordId]:
    """Return the id of a category, and what must be added where the file lacks it."""
    category_id = dataset.category_id(category)
    if category_id is not None:
        return [], category_id
    first = dataset.next_id("categories")
    if not dataset.ids("categories"):  # one alone would be given to every garment (`CategoryRule`)
        records = category_records(dataset.schema, first)
        changes = [insert_record(dataset, "categories", record) for record in records]
        return list(changes), first + category
    record = category_record(dataset.schema, category, first)
    return [insert_record(dataset, "categories", record)], record["id"]


def _landmark_edit(
    label: str, dataset: Dataset, garment: Garment, places: Mapping[int, Landmark]
) -> Edit | None:
    """Set x, y, v of landmarks, with everything in the record that follows from them."""
    xy, visibility = garment.xy, garment.visibility
    places = {
        k: place for k, place in places.items() if place != (*xy[k].tolist(), int(visibility[k]))
    }
    values = landmark_values(dataset, garment.id, places) if places else {}
    if not values:
        return None
    return Edit(
        label, garment.image_id, tuple(set_values(dataset, "annotations", garment.id, values))
    )


def _require_placed(dataset: Dataset, garment: Garment, landmark: int) -> None:
    if garment.visibility[landmark] == 0:
        raise EditError(
            f"{_names(dataset, [landmark]).capitalize()} is not placed yet; place it on the "
            "image first."
        )


def _names(dataset: Dataset, landmarks: Iterable[int]) -> str:
    names = [dataset.schema.landmarks[k].replace("_", " ") for k in landmarks]
    return names[0] if len(names) == 1 else f"{len(names)} landmarks"
