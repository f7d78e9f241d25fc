"""Predictions and the truth, compared garment by garment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.average_precision import average_precision
from napari_fashion.engine.evaluation.landmark_metrics import normalised_errors
from napari_fashion.engine.evaluation.matching import match_garments, oks_matrix, precision_recall
from napari_fashion.engine.evaluation.report import Judged
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a protocol found: garments compared, and shares of what was detected.

    Attributes
    ----------
    judged
        One per garment of the truth.
    detection
        ``precision``, ``recall`` and `average_precision`; empty if the protocol gives the garment.
    images
        See `Evaluation.images`.
    """

    judged: list[Judged]
    detection: dict[str, float | None] = field(default_factory=dict)
    images: dict[str, float | None] = field(default_factory=dict)


class Detections:
    """Predictions on whole images, matched with the truth as they come."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.images: list[AnnotatedImage] = []
        self.judged: list[Judged] = []
        self.matches: list[NDArray[np.int64]] = []
        self.results: list[dict[str, Any]] = []
        self.single_found: list[bool] = []
        self.single_more: list[bool] = []
        self.none_found: list[bool] = []

    def add(self, image: AnnotatedImage, prediction: Prediction) -> None:
        """Match the predictions on one image with its garments."""
        garments = prediction.garments
        real = image.judgeable
        similarity = oks_matrix(
            np.array([g.xy for g in garments]).reshape(-1, *image.xy.shape[1:]),
            image.xy[real],
            image.visibility[real],
            image.box_area[real],
            self.schema.sigmas,
        )
        matches = match_garments(similarity, [g.score for g in garments])
        nearest = _match_remaining(matches, similarity)
        for row, i in enumerate(real):
            found = np.flatnonzero(nearest == row)
            garment = garments[int(found[0])] if len(found) else None
            categories = len(self.schema.categories)
            self.judged.append(
                compare(image, i, garment, np.zeros(2), image.size, categories),
            )
        if len(real) == 1 and len(image.category) == 1:
            self.single_found.append(bool((matches >= 0).any()))
            self.single_more.append(len(garments) > 1)
        elif not len(image.category):
            self.none_found.append(not garments)
        self.matches.append(matches)
        self.results += [_result(len(self.images), garment) for garment in garments]
        self.images.append(image)

    def judgement(self) -> Judgement:
        """Return what was found on all images."""
        n = sum(len(image.judgeable) for image in self.images)
        precision, recall = precision_recall(self.matches, n)
        truth = _truth(self.images, self.schema)
        return Judgement(
            self.judged,
            {
                "precision": precision,
                "recall": recall,
                **average_precision(truth, self.results, self.schema.sigmas),
            },
            {
                "one garment: found": _share(self.single_found),
                "one garment: a second, false one found": _share(self.single_more),
                "no garment: none found": _share(self.none_found),
            },
        )


def _match_remaining(
    matches: NDArray[np.int64], similarity: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Match each garment that was not found with the most similar prediction that is left.

    A prediction that is far off still has an error to count, but takes no garment from another.

    Parameters
    ----------
    matches, similarity
        (P,) of `match_garments`, and the (P, G) similarities.

    Returns
    -------
    (P,) int64, -1 where nothing is left.
    """
    completed = matches.copy()
    left = similarity.copy()
    left[matches >= 0] = -1.0
    left[:, matches[matches >= 0]] = -1.0
    while left.size and left.max() > 0:
        p, g = np.unravel_index(int(left.argmax()), left.shape)
        completed[p] = g
        left[p], left[:, g] = -1.0, -1.0
    return completed


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def compare(
    image: AnnotatedImage,
    i: int,
    found: PredictedGarment | None,
    origin: NDArray[np.float64],
    size: tuple[float, float],
    categories: int,
) -> Judged:
    """Compare garment `i` of an image with what was found in a view of it.

    Parameters
    ----------
    found
        The prediction, in the view's pixels; None if there is none.
    origin
        (2,) the view's corner in the image, xy pixels.
    size
        Width and height in pixels that errors are divided by.
    categories
        C, the number of the model's categories.
    """
    truth = image.xy[i].astype(np.float64)
    labelled = truth[image.visibility[i] > 0]
    extent = np.maximum(labelled.max(0) - labelled.min(0), 1.0)
    predicted = np.zeros_like(truth) if found is None else found.xy.astype(np.float64)
    predicted = predicted + origin
    return Judged(
        image.key,
        normalised_errors(predicted, truth, size),
        normalised_errors(predicted, truth, extent),
        image.visibility[i],
        int(image.category[i]),
        np.zeros(categories) if found is None else found.category.astype(np.float64),
    )


def _truth(images: Sequence[AnnotatedImage], schema: Schema) -> dict[str, Any]:
    """Return the truth as the COCO document that `average_precision` takes; ids are positions."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        for i in range(len(image.category)):
            triplets = np.concatenate([image.xy[i], image.visibility[i][:, None]], axis=1)
            x0, y0, x1, y1 = image.box[i].tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": int(image.crowd[i]),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(image.box_area[i]),
                    "keypoints": triplets.ravel().tolist(),
                }
            )
    return {
        "images": [
            {"id": n, "width": image.size[0], "height": image.size[1]}
            for n, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "garment", "keypoints": list(schema.landmarks)}],
    }


def _result(image_id: int, garment: PredictedGarment) -> dict[str, Any]:
    triplets = np.concatenate([garment.xy, np.full((len(garment.xy), 1), 2.0)], axis=1)
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": triplets.ravel().tolist(),
        "score": garment.score,
    }
