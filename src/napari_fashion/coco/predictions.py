"""What a model found, as annotation records; plain arrays in, no engine needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco import provenance
from napari_fashion.coco.landmarks import DECIMALS, flat_keypoints, landmark_box
from napari_fashion.schema import Schema

TOP_CATEGORIES = 5
"""So many of the category probabilities are kept."""


def annotation_record(
    annotation_id: Any,
    image_id: Any,
    category_id: Any,
    *,
    xy: npt.ArrayLike,
    visibility: npt.ArrayLike,
    scores: npt.ArrayLike,
    score: float,
    source: str,
    category_scores: Mapping[str, float],
) -> dict[str, Any]:
    """Return the annotation record of a predicted garment.

    Parameters
    ----------
    annotation_id, image_id, category_id
        Ids of the file (`Dataset.next_id`, `Dataset.category_id`).
    xy
        (K, 2) places of the landmarks in pixels of the picture, x then y.
    visibility
        (K,): 0 for the landmarks that the garment does not have or that were not found; 2 (or 1)
        for those to keep.
    scores
        (K,) the model's score of each landmark, 0..1; kept for those left out as well.
    score
        The garment's score, 0..1.
    source
        ``model:<id>``.
    category_scores
        Probabilities by category name (`top_categories`).
    """
    places = np.asarray(xy, dtype=float)
    seen = np.asarray(visibility, dtype=np.int64)
    x, y, w, h = (round(v, DECIMALS) for v in landmark_box(places, seen) or (0.0, 0.0, 0.0, 0.0))
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category_id,
        "iscrowd": 0,
        "bbox": [x, y, w, h],
        "area": round(w * h, DECIMALS),
        "num_keypoints": int(np.count_nonzero(seen)),
        "keypoints": flat_keypoints(places.tolist(), seen.tolist()),
        provenance.KEY: provenance.of_model(
            source, score, np.asarray(scores, dtype=float).tolist(), category_scores
        ),
    }


def top_categories(
    schema: Schema, probabilities: npt.ArrayLike, n: int = TOP_CATEGORIES
) -> dict[str, float]:
    """Return the `n` likeliest categories of (C,) probabilities by name, the likeliest first."""
    p = np.asarray(probabilities, dtype=float)
    order = np.argsort(-p, kind="stable")[:n]
    return {schema.category_names[i]: float(p[i]) for i in order}
