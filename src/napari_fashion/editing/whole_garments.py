"""Whole garments, as edits: moved, turned, scaled, mirrored, copied; and pairs of landmarks.

What is moved here by a person becomes `human`, as with every landmark that a person moves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco import Dataset, Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.records import annotation_record
from napari_fashion.editing.edits import Change, Edit, insert_record
from napari_fashion.editing.operations import XY, category_change, move_landmarks, place_landmarks
from napari_fashion.errors import EditError

Array = NDArray[np.float64]
Move = Callable[[Array], Array]

ASIDE = 0.03
"""How far a copy on the same image is put beside the first, in shares of the image's longer side."""


@dataclass(frozen=True, eq=False)
class Copied:
    """A garment that was copied, to be pasted on an image.

    Attributes
    ----------
    image_id, size
        Of the image that it was copied from: its id, and width and height in pixels, None where the
        file does not say.
    category
        Index into the schema's.
    xy
        (K, 2) float64, pixels.
    visibility
        (K,) int64: 0, 1 or 2.
    """

    image_id: RecordId
    size: tuple[int, int] | None
    category: int
    xy: Array
    visibility: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset, garment: Garment) -> Copied:
        """Copy a garment."""
        size = None
        if dataset.has("images", garment.image_id):
            size = dataset.image(garment.image_id).known_size
        return cls(
            garment.image_id, size, garment.category, garment.xy.copy(), garment.visibility.copy()
        )


def move_garment(dataset: Dataset, garment_id: RecordId, dx: float, dy: float) -> Edit | None:
    """Move every landmark of a garment by dx, dy pixels."""
    shift = np.array([dx, dy])
    return _all_moved(dataset, garment_id, "Move", lambda xy: xy + shift)


def rotate_garment(dataset: Dataset, garment_id: RecordId, degrees: float) -> Edit | None:
    """Turn a garment about the centre of its landmarks' box, clockwise as seen on the image."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return _about_centre(dataset, garment_id, "Rotate", turn)


def scale_garment(dataset: Dataset, garment_id: RecordId, factor: float) -> Edit | None:
    """Scale a garment about the centre of its landmarks' box.

    Raises
    ------
    EditError
        If the factor is not above 0.
    """
    if not factor > 0:
        raise EditError(f"A garment cannot be scaled by {factor}; expected a factor above 0.")
    return _about_centre(dataset, garment_id, "Scale", np.eye(2) * factor)


def mirror_garment(dataset: Dataset, garment_id: RecordId) -> Edit | None:
    """Put a garment's mirror image in its place: left and right change sides on the image.

    It is mirrored about the upright line through the centre of its landmarks' box, and every left
    landmark becomes the right one, so that names stay true.
    """
    garment = dataset.garment(garment_id)
    placed = _placed(garment)
    mirrored = _mirrored(garment.xy, placed)
    flips = np.array(dataset.schema.flips)
    xy, visibility = mirrored[flips], garment.visibility[flips]
    places = {
        k: (*xy[k].tolist(), int(visibility[k]))
        for k in range(len(flips))
        if visibility[k] or garment.visibility[k]
    }
    return place_landmarks(f"Mirror {garment.category_name}", dataset, garment_id, places)


def move_pair(dataset: Dataset, garment_id: RecordId, landmark: int, xy: XY) -> Edit | None:
    """Move a landmark to xy pixels, and its twin of the other side as `pair_places` says."""
    return move_landmarks(dataset, garment_id, pair_places(dataset, garment_id, landmark, xy))


def pair_places(dataset: Dataset, garment_id: RecordId, landmark: int, xy: XY) -> dict[int, XY]:
    """Return where a landmark and its twin of the other side come to lie if it moves to xy pixels.

    The twin's step is the landmark's, mirrored about the garment's axis, which is at right angles to the
    mean direction from its left landmarks to the right ones. Without a placed twin it moves alone.
    """
    garment = dataset.garment(garment_id)
    twin = dataset.schema.flips[landmark]
    places: dict[int, XY] = {landmark: xy}
    if twin != landmark and garment.visibility[landmark] and garment.visibility[twin]:
        step = np.array(xy) - garment.xy[landmark]
        across = _across(garment, dataset.schema.flips)
        other = garment.xy[twin] + step - 2 * (step @ across) * across
        places[twin] = (float(other[0]), float(other[1]))
    return places


def paste_garments(
    dataset: Dataset, image_id: RecordId, copies: Sequence[Copied], label: str
) -> tuple[Edit | None, list[RecordId]]:
    """Add copies of garments to an image, as a person's; return the edit and the new garments' ids.

    On an image of another size than that they were copied from, places are scaled to it. On the
    same image they are put a little aside (`ASIDE`), so that both are seen.

    Raises
    ------
    EditError
        If a garment's category is none of the schema's.
    """
    changes: list[Change] = []
    ids: list[RecordId] = []
    size = dataset.image(image_id).known_size
    first = dataset.next_id("annotations")
    for copied in copies:
        if copied.category < 0:
            raise EditError(
                "The garment's category is none of the schema's; expected one to copy. Choose its "
                "category first."
            )
        more, category_id = category_change(dataset, copied.category)
        known = {change.record_key for change in changes}
        changes += [change for change in more if change.record_key not in known]
        record = annotation_record(
            first + len(ids),
            image_id,
            category_id,
            xy=_brought(copied, image_id, size),
            visibility=copied.visibility,
            order=dataset.landmark_order(category_id),
        )
        changes.append(insert_record(dataset, "annotations", record))
        ids.append(record["id"])
    return (Edit(label, image_id, tuple(changes)) if changes else None), ids


def _brought(copied: Copied, image_id: RecordId, size: tuple[int, int] | None) -> Array:
    """Return (K, 2) places on another image, pixels."""
    if copied.image_id == image_id:
        return copied.xy + ASIDE * max(size or (400, 400))
    if size is None or copied.size is None or size == copied.size:
        return copied.xy
    scaled: Array = (copied.xy + 0.5) * (np.array(size) / np.array(copied.size)) - 0.5
    return scaled


def _placed(garment: Garment) -> NDArray[np.bool_]:
    placed: NDArray[np.bool_] = garment.visibility > 0
    if not placed.any():
        raise EditError("The garment has no landmarks; expected at least one. Place them first.")
    return placed


def _centre(xy: Array, placed: NDArray[np.bool_]) -> Array:
    centre: Array = (xy[placed].min(axis=0) + xy[placed].max(axis=0)) / 2
    return centre


def _mirrored(xy: Array, placed: NDArray[np.bool_]) -> Array:
    mirrored = xy.copy()
    mirrored[:, 0] = 2 * _centre(xy, placed)[0] - mirrored[:, 0]
    return mirrored


def _across(garment: Garment, flips: Sequence[int]) -> Array:
    """Return the unit vector, (2,), from the first side of a garment's pairs to the other."""
    total = np.zeros(2)
    for k, twin in enumerate(flips):
        if k < twin and garment.visibility[k] and garment.visibility[twin]:
            total += garment.xy[twin] - garment.xy[k]
    length = float(np.linalg.norm(total))
    return total / length if length > 0 else np.array([1.0, 0.0])


def _about_centre(dataset: Dataset, garment_id: RecordId, what: str, matrix: Array) -> Edit | None:
    garment = dataset.garment(garment_id)
    centre = _centre(garment.xy, _placed(garment))
    return _all_moved(dataset, garment_id, what, lambda xy: (xy - centre) @ matrix.T + centre)


def _all_moved(dataset: Dataset, garment_id: RecordId, what: str, move: Move) -> Edit | None:
    garment = dataset.garment(garment_id)
    placed = np.flatnonzero(_placed(garment)).tolist()
    xy = move(garment.xy)
    places = {k: (*xy[k].tolist(), int(garment.visibility[k])) for k in placed}
    return place_landmarks(f"{what} {garment.category_name}", dataset, garment_id, places)
