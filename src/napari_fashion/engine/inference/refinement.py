"""The parts of redetection and refinement: which images to detect in again, crops, and merging.

The detection pass says which garments there are. In the refinement pass each garment fills the
network's input, which localises its landmarks more precisely. Detection first and keypoints in the
crop is how top-down pose estimation works; here one network does both, since it learns from full
images and from crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.images.transforms import Crop, RGBImage, crop_to_box

AGREEMENT = 0.4
"""Maximum distance between a landmark's positions in both passes, in widths and heights of the
garment's box. Positions that are farther apart may be of two garments (training/model-card.md)."""

OTHERS_REACH = 0.1
"""Distance to another garment's landmark, in the same measure, within which a position belongs to
it."""

MIN_ASPECT = 0.25
"""Minimum ratio of a crop's sides before its margin: the box of a few landmarks in a row has no
width, and shows nothing of the garment."""

SMALL = 0.5
"""A garment is small up to this length, as a share of its image's longer side: in images of one
garment it is longer (98 % of those that the bundled model learned from, 94 % of the test split)."""


def may_hide_more(prediction: Prediction, landmark_threshold: float) -> bool:
    """Whether an image may hold more garments than the detection pass found.

    It may if several were found, or none that is longer than `SMALL` of the image. In an image of
    many small garments the detection pass can find a long one, made of their landmarks, beside
    others.

    Parameters
    ----------
    prediction
        Of a full image.
    landmark_threshold
        As for `crop_around`.

    Returns
    -------
    False if no garment was found: at a greater size, images without garments begin to show some
    (training/model-card.md).
    """
    if len(prediction.garments) > 1:
        return True
    longest = 0.0
    for garment in prediction.garments:
        box = _box_of(garment, landmark_threshold)
        if box is not None:
            longest = max(longest, float((box[1] - box[0]).max()))
    return 0 < longest < SMALL * max(prediction.width, prediction.height)


def sees_more(redetected: Prediction, detected: Prediction) -> bool:
    """Whether the second detection pass replaces the first.

    It does if either found several garments, unless the second found none: the greater size
    separates them. Of a single garment it tells nothing that refinement does not, and may be wrong.

    Parameters
    ----------
    redetected, detected
        Of the same full image.
    """
    found = len(redetected.garments)
    return found > 0 and max(found, len(detected.garments)) > 1


def crop_around(
    image: RGBImage, garment: PredictedGarment, landmark_threshold: float, margin: float
) -> Crop | None:
    """Crop an image around a detected garment.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    garment
        Of it, in its pixels.
    landmark_threshold
        If at least two landmarks score this much, only these say where the garment is: positions that
        complete a garment do not.
    margin
        Margin around their box, as a share of it.

    Returns
    -------
    None if fewer than two landmarks were found: they have no box.
    """
    box = _box_of(garment, landmark_threshold)
    if box is None:
        return None
    low, high = box
    lacking = np.maximum(MIN_ASPECT * (high - low).max() - (high - low), 0) / 2
    return crop_to_box(image, np.stack([low - lacking, high + lacking]), margin)


def _box_of(garment: PredictedGarment, landmark_threshold: float) -> NDArray[np.float32] | None:
    """Return least and greatest x, y of a garment's sure landmarks, (2, 2); see `crop_around`."""
    sure = garment.found & (garment.scores >= landmark_threshold)
    placed = sure if sure.sum() >= 2 else garment.found
    if placed.sum() < 2:
        return None
    xy = garment.xy[placed]
    return np.stack([xy.min(0), xy.max(0)])


def merge(
    detected: PredictedGarment,
    refined: PredictedGarment,
    crop: Crop,
    others: Sequence[PredictedGarment],
    landmark_threshold: float,
) -> PredictedGarment:
    """Merge what the detection and the refinement pass found of one garment.

    A landmark takes the refined position, unless that is farther than `AGREEMENT` from a detected
    one that is above the threshold, or belongs to another garment (`OTHERS_REACH`). A landmark of
    only one pass keeps that one's position. The category is the mean of both. The garment's own
    score stays: it says how sure the detection is.

    Parameters
    ----------
    detected
        In the image's pixels.
    refined
        In the crop's.
    crop
        The refinement pass's image.
    others
        The image's other garments, as detected.
    landmark_threshold
        Landmarks with a lower score complete a garment, and were not found.
    """
    moved = (refined.xy + np.asarray(crop.origin, np.float32)).astype(np.float32)

    def distance(xy: NDArray[np.float32]) -> NDArray[np.float64]:
        apart: NDArray[np.float64] = np.linalg.norm((moved - xy) / np.asarray(crop.extent), axis=-1)
        return apart

    apart = np.where(detected.found, distance(detected.xy), np.inf)
    use = refined.found & ((apart <= AGREEMENT) | (detected.scores < landmark_threshold))
    for other in others:
        to_other = distance(other.xy)
        theirs = (other.scores >= landmark_threshold) & other.found
        use &= ~(theirs & (to_other <= OTHERS_REACH) & (to_other < apart))
    visible = detected.visible
    if visible is not None and refined.visible is not None:
        visible = np.where(use, refined.visible, visible)
    return replace(
        detected,
        xy=np.where(use[:, None], moved, detected.xy),
        scores=np.where(use, refined.scores, detected.scores),
        spread=np.where(use, refined.spread, detected.spread),
        category=((detected.category + refined.category) / 2).astype(np.float32),
        visible=visible,
    )
