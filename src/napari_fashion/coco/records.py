"""The one place where annotation, category and result records are made; plain arrays in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco import provenance
from napari_fashion.coco.keypoints import DECIMALS, Order, flat_keypoints, landmark_box
from napari_fashion.errors import ImageError
from napari_fashion.images.folder import ImageFolder
from napari_fashion.images.reading import image_size
from napari_fashion.schema import Schema

TOP_CATEGORIES = 5
"""Number of category probabilities kept per garment."""

Record = dict[str, Any]


def category_record(schema: Schema, index: int, record_id: Any) -> Record:
    """Return a COCO category record for a category of the schema."""
    return {
        "id": record_id,
        "name": schema.categories[index].name,
        "supercategory": "clothing",
        "keypoints": list(schema.landmarks),
        "skeleton": [[a + 1, b + 1] for a, b in schema.edges],
    }


def category_records(schema: Schema, first_id: int = 1) -> list[Record]:
    """Return the records of all categories of a schema; their ids count from `first_id`."""
    return [category_record(schema, i, first_id + i) for i in range(len(schema.categories))]


def image_record(record_id: Any, file_name: str, width: int, height: int) -> Record:
    """Return a COCO image record; the size is in pixels.

    >>> image_record(1, "a.jpg", 640, 480)
    {'id': 1, 'file_name': 'a.jpg', 'width': 640, 'height': 480}
    """
    return {"id": record_id, "file_name": file_name, "width": width, "height": height}


def annotation_record(
    annotation_id: Any,
    image_id: Any,
    category_id: Any,
    *,
    xy: npt.ArrayLike,
    visibility: npt.ArrayLike,
    bbox: tuple[float, float, float, float] | None = None,
    order: Order | None = None,
    fashion: Mapping[str, Any] | None = None,
) -> Record:
    """Return the annotation record of a garment.

    Parameters
    ----------
    annotation_id, image_id, category_id
        Ids of the file (`Dataset.next_id`, `Dataset.category_id`).
    xy
        (K, 2) places of the landmarks in pixels of the image, x then y.
    visibility
        (K,): 0 for the landmarks that the garment does not have or that were not found; 2 (or 1)
        for those to keep.
    bbox
        x, y, width, height in pixels; by default the box of the landmarks.
    order
        The landmark of each triplet, where the category has a list of its own
        (`Dataset.landmark_order`).
    fashion
        What stands under our key; by default nothing does.
    """
    places = np.asarray(xy, dtype=float)
    seen = np.asarray(visibility, dtype=np.int64)
    box = bbox or landmark_box(places, seen) or (0.0, 0.0, 0.0, 0.0)
    x, y, w, h = (round(float(v), DECIMALS) for v in box)
    record = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": [x, y, w, h],
        "area": round(w * h, DECIMALS),
        "num_keypoints": int(np.count_nonzero(seen)),
        "keypoints": flat_keypoints(places.tolist(), seen.tolist(), order),
    }
    return record if fashion is None else {**record, provenance.KEY: dict(fashion)}


def converted_record(
    annotation_id: Any,
    image_id: Any,
    category_id: Any,
    *,
    keypoints: list[Any],
    bbox: Sequence[float],
    more: Mapping[str, Any],
    fashion: Mapping[str, Any],
) -> Record:
    """Return the annotation record of a garment whose numbers are COCO's already; none is rounded.

    Parameters
    ----------
    annotation_id, image_id, category_id
        Ids of the file.
    keypoints
        Flat triplets x, y, v of the category's landmarks, pixels.
    bbox
        x, y, width, height in pixels.
    more
        Further fields, and other values of those that follow from the first.
    fashion
        What stands under our key; without any the key is left out.
    """
    record = {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": list(bbox),
        "area": bbox[2] * bbox[3],
        "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
        "keypoints": keypoints,
        **more,
    }
    return {**record, provenance.KEY: dict(fashion)} if fashion else record


def predicted_record(
    annotation_id: Any,
    image_id: Any,
    category_id: Any,
    *,
    xy: npt.ArrayLike,
    scores: npt.NDArray[np.floating[Any]],
    visibility: npt.ArrayLike,
    score: float,
    category_scores: Mapping[str, float],
    source: str,
    present: npt.ArrayLike | None = None,
    visible: npt.ArrayLike | None = None,
    order: Order | None = None,
) -> Record:
    """Return the annotation record of a garment that a model predicted (`annotation_record`).

    Parameters
    ----------
    annotation_id, image_id, category_id
        Ids of the file.
    xy
        (K, 2) places of the landmarks in pixels of the image, x then y.
    scores
        (K,) scores of the landmarks, 0..1; 0 for those that were not found.
    visibility
        (K,): 0 not found, 1 hidden, 2 visible (`PredictedGarment.visibility`).
    score
        Score of the garment, 0..1.
    category_scores
        Probabilities of categories by name (`top_categories`).
    source
        ``model:<id>``.
    present, visible
        (K,) probabilities of the landmarks, if the model tells them.
    order
        The landmark of each triplet, if the category has a list of its own.
    """
    return annotation_record(
        annotation_id,
        image_id,
        category_id,
        xy=xy,
        visibility=visibility,
        order=order,
        fashion=provenance.of_model(
            source, score, scores.tolist(), category_scores, present=present, visible=visible
        ),
    )


def result_record(annotation: Mapping[str, Any]) -> Record:
    """Return one COCO result of a predicted annotation (`annotation_record`).

    A result has no id and no key of ours: the scores stand beside COCO's own fields, which
    pycocotools passes over. Its ``score`` ranks the garments, ``keypoint_scores`` has one number a
    landmark, and so have ``keypoint_present`` and ``keypoint_visible``, the probabilities that it is
    there and that it is visible, of a model that tells them.
    """
    ours = annotation[provenance.KEY]
    return {
        "image_id": annotation["image_id"],
        "category_id": annotation["category_id"],
        "keypoints": annotation["keypoints"],
        "score": ours["score"],
        **{name: ours[name] for name in provenance.NUMBERS if name in ours},
        "bbox": annotation["bbox"],
        "area": annotation["area"],
        "category_scores": ours["category_scores"],
        "source": ours["source"],
    }


def annotation_of_result(result: Mapping[str, Any], annotation_id: Any) -> Record:
    """Return the annotation that a COCO result stands for; the model stays its source.

    Keys that we do not know are kept.
    """
    known = ("score", *provenance.NUMBERS, "category_scores")
    ours = {key: result[key] for key in known if key in result}
    source = result.get("source")
    named = isinstance(source, str) and source.startswith(provenance.MODEL)
    ours = {"source": source if named else f"{provenance.MODEL}unknown", **ours}
    keypoints = result.get("keypoints")
    flat = keypoints if isinstance(keypoints, list) else []
    record = {"id": annotation_id, "image_id": None, "category_id": None, "iscrowd": 0, **result}
    for key in (*ours, "source"):
        record.pop(key, None)
    record["num_keypoints"] = sum(bool(v) for v in flat[2::3])
    return {**record, provenance.KEY: ours}


def top_categories(
    schema: Schema, probabilities: npt.ArrayLike, n: int = TOP_CATEGORIES
) -> dict[str, float]:
    """Return the `n` most probable of (C,) categories by name, in descending order."""
    p = np.asarray(probabilities, dtype=float)
    order = np.argsort(-p, kind="stable")[:n]
    return {schema.category_names[i]: float(p[i]) for i in order}


def image_records(
    folder: ImageFolder, names: Iterable[str], first_id: int = 1
) -> tuple[list[dict[str, Any]], list[tuple[Path, str]]]:
    """Read the sizes of image files below a folder.

    Returns
    -------
    The records of those that can be read, and the path and reason of the others.
    """
    images: list[dict[str, Any]] = []
    left_out: list[tuple[Path, str]] = []
    for name in names:
        try:
            width, height = image_size(folder.path(name))
        except ImageError as error:
            left_out.append((folder.root / name, str(error)))
            continue
        images.append(image_record(first_id + len(images), name, width, height))
    return images, left_out
