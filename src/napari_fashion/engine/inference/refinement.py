"""A closer look: what was found in a whole image is cut out, garment by garment, and seen again.

Where several garments lie in the image, or what was found is small in it, the whole image is seen
once more first, at a greater size, so that none is missed.

The first look says which garments there are; in the second each fills the network's input, so that
its landmarks are placed more exactly. Detection first and keypoints in the cut is how top-down pose
estimation works; here one network does both, since it learns from whole images and from cuts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.images.transforms import Crop, RGBImage, crop_to_box

AGREE = 0.4
"""Distance of a landmark's two places, in widths and heights of the garment's box, up to which they
are taken for the same landmark; beyond it may be another garment's (training/model-card.md)."""

TAKEN = 0.1
"""Distance to another garment's landmark, in the same measure, up to which a place is that one's."""

SLIMMEST = 0.25
"""A cut's sides differ by no more than this ratio before the margin: a few landmarks in a row have a
box without a width, which shows nothing of the garment."""


SMALL = 0.5
"""Length of a garment, as a share of its image's longer side, up to which it is small: images of
one garment have it longer (98 % of those that the bundled model learned from, 94 % of the test
split)."""


def may_hide_more(prediction: Prediction, landmark_threshold: float) -> bool:
    """Whether an image may hold more garments than were found in it at a small size.

    It may where several were found, or none that is as long as `SMALL` of the image. An image of
    many small garments can show one long one at a small size, made of their landmarks; there are
    others beside it, then.

    Parameters
    ----------
    prediction
        Of a whole image.
    landmark_threshold
        As for `crop_around`.

    Returns
    -------
    False where none was found: looked at again, images of other things begin to show garments
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


def sees_more(again: Prediction, first: Prediction) -> bool:
    """Whether another look at a greater size counts instead of the first one.

    It does where either found several garments, unless it finds none: then it tells them apart. Of
    a single one it tells nothing that the closer look will not, and may be wrong about it.

    Parameters
    ----------
    again, first
        Of the same whole image.
    """
    found = len(again.garments)
    return found > 0 and max(found, len(first.garments)) > 1


def crop_around(
    image: RGBImage, garment: PredictedGarment, landmark_threshold: float, margin: float
) -> Crop | None:
    """Cut a found garment out of its image, to look closer.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    garment
        Of it, in its pixels.
    landmark_threshold
        Only landmarks that score so much say where the garment is, if there are two of them:
        places that were made up for the others do not.
    margin
        How much around their box is shown, as a share of it.

    Returns
    -------
    None where fewer than two landmarks were found: they have no box.
    """
    box = _box_of(garment, landmark_threshold)
    if box is None:
        return None
    low, high = box
    lacking = np.maximum(SLIMMEST * (high - low).max() - (high - low), 0) / 2
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
    first: PredictedGarment,
    second: PredictedGarment,
    crop: Crop,
    others: Sequence[PredictedGarment],
    landmark_threshold: float,
) -> PredictedGarment:
    """Return a garment as two looks see it together.

    A landmark lies where the second look sees it, unless that is so far off (`AGREE`) that it may
    be another landmark, and the first look had found it; or unless it is another garment's
    (`TAKEN`). What only one look finds, that one says. The category is the mean of both. The
    garment's own score stays: it says how sure it is that there is one.

    Parameters
    ----------
    first
        In the image's pixels.
    second
        In the cut's.
    cut
        What the second look saw.
    others
        The image's other garments, as the first look saw them.
    landmark_threshold
        From this score on a landmark was found; below, a place was made up for it.
    """
    moved = (second.xy + np.asarray(crop.origin, np.float32)).astype(np.float32)

    def away(xy: NDArray[np.float32]) -> NDArray[np.float64]:
        apart: NDArray[np.float64] = np.linalg.norm((moved - xy) / np.asarray(crop.extent), axis=-1)
        return apart

    apart = np.where(first.found, away(first.xy), np.inf)
    use = second.found & ((apart <= AGREE) | (first.scores < landmark_threshold))
    for other in others:
        there = away(other.xy)
        theirs = (other.scores >= landmark_threshold) & other.found
        use &= ~(theirs & (there <= TAKEN) & (there < apart))
    return replace(
        first,
        xy=np.where(use[:, None], moved, first.xy),
        scores=np.where(use, second.scores, first.scores),
        spread=np.where(use, second.spread, first.spread),
        category=((first.category + second.category) / 2).astype(np.float32),
    )
