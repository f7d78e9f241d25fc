"""Predictions on whole images and the truth of these images, as COCO compares them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.average_precision import Matches, match
from napari_fashion.engine.evaluation.judged import body_type_of
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.schema import Schema

FOUND = "one garment: found"
SECOND = "one garment: a second, false one found"
NONE_FOUND = "no garment: none found"

COUNTS = ((1, "1 garment"), (2, "2 garments"), (3, "3 garments"), (4, "4 or more garments"))
"""Numbers of garments in an image by which figures are grouped; the last one has all above."""


class Detections:
    """Predictions on whole images, with their truth."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.images: list[AnnotatedImage] = []
        self.results: list[dict[str, Any]] = []

    def add(self, image: AnnotatedImage, prediction: Prediction) -> None:
        """Add an image with what was found in it."""
        self.results += [_result(len(self.images), garment) for garment in prediction.garments]
        self.images.append(image)

    def matched(self) -> MatchedImages:
        """Match what was found with the garments of all images."""
        truth, types = _truth(self.images, self.schema)
        sigmas = self.schema.sigmas

        def of(area: str = "all", only: list[int] | None = None) -> Matches:
            return match(truth, self.results, sigmas, area=area, only=only)

        by_type = {
            name: of(only=types[name]) for name in self.schema.body_type_names if types[name]
        }
        return MatchedImages(self.images, of(), of("medium"), of("large"), by_type)


@dataclass(frozen=True, eq=False)
class MatchedImages:
    """What was found in images, matched with their garments.

    Attributes
    ----------
    images
        The N images.
    all, medium, large
        Of all garments, and of those of COCO's ranges of area.
    by_body_type
        Of the garments of each body type; all others are ignored.
    """

    images: Sequence[AnnotatedImage]
    all: Matches
    medium: Matches
    large: Matches
    by_body_type: dict[str, Matches]

    def figures(self, weights: Float64) -> dict[str, float | None]:
        """Return all metrics of detection, by name.

        Parameters
        ----------
        weights
            (N,) how often each image counts.
        """
        precision, recall = self.all.precision_recall(weights)
        figures: dict[str, float | None] = {
            "precision": precision,
            "recall": recall,
            **self.all.average_precision(weights),
            "ap_medium": self.medium.average_precision(weights)["ap"],
            "ap_large": self.large.average_precision(weights)["ap"],
        }
        for name, matches in self.by_body_type.items():
            figures |= _group(f"by_body_type.{name}", matches, weights, with_precision=False)
        for name, chosen in self._by_count:
            figures |= _group(f"by_count.{name}", self.all, weights * chosen)
        for name, value in self._shares(weights).items():
            figures[f"images.{name}"] = value
        return figures

    def counts(self) -> dict[str, int]:
        """Return the number of garments to be found in each group of `figures`."""
        numbers = {
            f"by_body_type.{name}": int(matches.garments.sum())
            for name, matches in self.by_body_type.items()
        }
        for name, chosen in self._by_count:
            numbers[f"by_count.{name}"] = int((self.all.garments * chosen).sum())
        return numbers

    @cached_property
    def _by_count(self) -> list[tuple[str, Bool]]:
        """The groups of images by their number of garments: a name, and which images."""
        number = np.array([int((~image.crowd).sum()) for image in self.images], np.int64)
        groups = []
        for count, name in COUNTS:
            chosen = number >= count if count == COUNTS[-1][0] else number == count
            if chosen.any():
                groups.append((name, chosen))
        return groups

    @cached_property
    def _single_and_empty(self) -> tuple[Bool, Bool]:
        """(N,) bool: images that have one garment and nothing else, and those without annotations."""
        one = [
            len(image.category) == 1
            and not image.crowd.any()
            and bool((image.visibility > 0).any())
            for image in self.images
        ]
        empty = [not len(image.category) for image in self.images]
        return np.array(one, np.bool_), np.array(empty, np.bool_)

    def _shares(self, weights: Float64) -> dict[str, float | None]:
        """Return shares of the images that have one garment, or none, by what was found in them."""
        one, none = self._single_and_empty
        n = len(self.images)
        right = np.bincount(self.all.image, self.all.right[0], n) > 0
        found = np.bincount(self.all.image, minlength=n)
        return {
            FOUND: _share(right, weights * one),
            SECOND: _share(found > 1, weights * one),
            NONE_FOUND: _share(found == 0, weights * none),
        }


def _group(
    prefix: str, matches: Matches, weights: Float64, *, with_precision: bool = True
) -> dict[str, float | None]:
    """Return the figures of a group of garments or images, under its name.

    False finds are of no body type: they count in the average precision of each, and a body type has no
    precision of its own.
    """
    precision, recall = matches.precision_recall(weights)
    found = matches.average_precision(weights)
    figures = {"recall": recall, "ap": found["ap"], "ap50": found["ap50"]}
    if with_precision:
        figures["precision"] = precision
    return {f"{prefix}.{name}": value for name, value in figures.items()}


def _share(values: Bool, weights: Float64) -> float | None:
    total = float(weights.sum())
    return float(weights @ values) / total if total else None


def _truth(
    images: Sequence[AnnotatedImage], schema: Schema
) -> tuple[dict[str, Any], dict[str, list[int]]]:
    """Return the truth as the COCO document that `match` takes, and ids by body type.

    Ids are positions.
    """
    annotations: list[dict[str, Any]] = []
    types: dict[str, list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        area = image.area
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
                    "area": float(area[i]),
                    "keypoints": triplets.ravel().tolist(),
                }
            )
            if not image.crowd[i] and (image.visibility[i] > 0).any():
                types[body_type_of(image, i, schema)].append(len(annotations))
    document = {
        "images": [
            {"id": n, "width": image.size[0], "height": image.size[1]}
            for n, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "garment", "keypoints": list(schema.landmarks)}],
    }
    return document, types


def _result(image_id: int, garment: PredictedGarment) -> dict[str, Any]:
    triplets = np.concatenate([garment.xy, np.full((len(garment.xy), 1), 2.0)], axis=1)
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": triplets.ravel().tolist(),
        "score": garment.score,
    }
