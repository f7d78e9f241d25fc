"""One garment of the truth beside what was predicted for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco.categories import UNCLEAR
from napari_fashion.coco.ids import RecordId
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.landmark_metrics import normalised_errors
from napari_fashion.engine.evaluation.matching import oks_matrix
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.schema import Schema


class Region(NamedTuple):
    """The part of an image that a model was shown, in whole pixels of the image."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class Judged:
    """One garment of the truth with what was predicted for it.

    Attributes
    ----------
    key
        The image's file name.
    errors
        (K,) float64: distance in coordinates divided by the width and height of what the model was shown:
        the crop, or the image.
    box_errors
        (K,) float64: the same, divided by the width and height of the garment's box: that of its
        labelled landmarks, or the annotation's if fewer than two are.
    side_errors
        (K,) float64: distance in pixels divided by the longer side of that box (PCK).
    visibility
        (K,) of the truth.
    scores
        (K,) float64 of the predicted landmarks; 0 for those that were not found and have the place that
        the fallback gives.
    category
        Index of the true category, `UNCLEAR` or `FOREIGN` (`coco.categories`).
    probabilities
        (C,) predicted; zeros if no garment was found.
    found
        Whether a garment was found; otherwise all places are the fallback's.
    body_type
        Name of the garment's body type; empty if it is not known.
    index
        Number of the garment in its image.
    garments
        Number of garments in its image, without crowds.
    truth, predicted
        (K, 2) float64 xy, pixels of the image.
    region
        What the model was shown.
    box
        (4,) the file's box, or that of the landmarks if it gives none: x0, y0, x1, y1 in pixels.
    oks
        Object keypoint similarity of the prediction with the garment; 0 if none was found.
    present, visible
        (K,) probabilities of the predicted landmarks that they are there, and that they are visible; None
        if the model does not tell them, or nothing was found.
    present_threshold, visible_threshold
        From which probabilities a landmark is there, and is visible (`VisibilityOptions`).
    absent
        Whether landmarks without a label are known not to be there (`AnnotatedImage.absent`).
    image_id, annotation_id, category_name
        The file's ids of the image and the garment, and its name of the category; None and empty for
        what is from no file.
    """

    key: str
    errors: NDArray[np.float64]
    box_errors: NDArray[np.float64]
    side_errors: NDArray[np.float64]
    visibility: NDArray[np.int64]
    scores: NDArray[np.float64]
    category: int
    probabilities: NDArray[np.float64]
    found: bool
    body_type: str
    index: int
    garments: int
    truth: NDArray[np.float64]
    predicted: NDArray[np.float64]
    region: Region
    box: NDArray[np.float64]
    image_id: RecordId | None = None
    annotation_id: RecordId | None = None
    category_name: str = ""
    oks: float = 0.0
    present: NDArray[np.float64] | None = None
    visible: NDArray[np.float64] | None = None
    present_threshold: float = 0.0
    visible_threshold: float = 0.5
    absent: bool = False


def compare(
    image: AnnotatedImage,
    i: int,
    found: PredictedGarment | None,
    region: Region,
    fallback: NDArray[np.float64],
    schema: Schema,
    present_threshold: float = 0.0,
) -> Judged:
    """Compare garment `i` of an image with what was found.

    Parameters
    ----------
    image, i
        The truth.
    found
        The prediction, in pixels of the image; None if there is none.
    region
        What the model was shown; errors are divided by its width and height.
    fallback
        (K, 2) xy, pixels of the image: places of the landmarks that were not found.
    schema
        The model's.
    present_threshold
        From which probability a landmark is there (`VisibilityOptions`).
    """
    truth = image.xy[i].astype(np.float64)
    box = _extent(image, i)
    scores = np.zeros(len(truth)) if found is None else found.scores.astype(np.float64)
    predicted = fallback
    if found is not None:
        predicted = np.where(found.found[:, None], found.xy.astype(np.float64), fallback)
    return Judged(
        key=image.key,
        errors=normalised_errors(predicted, truth, (region.width, region.height)),
        box_errors=normalised_errors(predicted, truth, box),
        side_errors=normalised_errors(predicted, truth, np.full(2, box.max())),
        visibility=image.visibility[i],
        scores=scores,
        category=int(image.category[i]),
        probabilities=np.zeros(len(schema.categories))
        if found is None
        else found.category.astype(np.float64),
        found=found is not None,
        body_type=body_type_of(image, i, schema),
        index=i,
        garments=int((~image.crowd).sum()),
        truth=truth,
        predicted=predicted,
        region=region,
        box=image.box[i].astype(np.float64),
        image_id=image.image_id,
        annotation_id=image.annotation_ids[i] if i < len(image.annotation_ids) else None,
        category_name=image.category_names[i] if i < len(image.category_names) else "",
        oks=0.0 if found is None else _similarity(image, i, found, schema),
        present=None if found is None else _doubles(found.present),
        visible=None if found is None else _doubles(found.visible),
        present_threshold=present_threshold,
        visible_threshold=0.5 if found is None else found.visible_threshold,
        absent=image.absent,
    )


def _similarity(image: AnnotatedImage, i: int, found: PredictedGarment, schema: Schema) -> float:
    one = slice(i, i + 1)
    truth = image.xy[one], image.visibility[one], image.area[one]
    return float(oks_matrix(found.xy[None], *truth, schema.sigmas)[0, 0])


def _doubles(values: NDArray[np.float32] | None) -> NDArray[np.float64] | None:
    return None if values is None else values.astype(np.float64)


def _extent(image: AnnotatedImage, i: int) -> NDArray[np.float64]:
    """Return width and height of a garment's box, at least a pixel each."""
    labelled = image.xy[i][image.visibility[i] > 0].astype(np.float64)
    corners = labelled if len(labelled) > 1 else image.box[i].reshape(2, 2).astype(np.float64)
    extent: NDArray[np.float64] = np.maximum(corners.max(0) - corners.min(0), 1.0)
    return extent


def body_type_of(image: AnnotatedImage, i: int, schema: Schema) -> str:
    """Return the name of a garment's body type; empty if it is not known."""
    if image.category[i] == UNCLEAR:
        return ""
    members = tuple(np.flatnonzero(image.member[i]).tolist())
    return next((name for name, own in schema.body_types if tuple(sorted(own)) == members), "")
