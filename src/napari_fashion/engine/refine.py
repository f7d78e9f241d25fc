"""A closer look: what was found in a whole picture is cut out, garment by garment, and seen again.

The first look says which garments there are; in the second each fills the network's input, so that
its landmarks are placed more exactly. Detection first and keypoints in the cut is how top-down pose
estimation works; here one network does both, since it learns from whole pictures and from cuts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from napari_fashion.engine.pictures import Cut, Picture, cut_box
from napari_fashion.engine.prediction import PredictedGarment

AGREE = 0.4
"""Distance of a landmark's two places, in widths and heights of the garment's box, up to which they
are taken for the same landmark; beyond it may be another garment's (training/model-card.md)."""


class RefineOptions(BaseModel):
    """How a model looks closer at what it has found in a whole picture.

    Attributes
    ----------
    margin
        How much around the box of a garment's landmarks the cut shows, as a share of the box.
    find_size
        Longer side at which the whole picture is seen, pixels; None for the model's own sizes.
        The first look is a single one, without the mirrored picture.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    margin: float = Field(default=0.25, ge=0, le=2)
    find_size: int | None = Field(default=None, ge=32)


def cut_around(
    picture: Picture, garment: PredictedGarment, landmark_threshold: float, margin: float
) -> Cut | None:
    """Cut a found garment out of its picture, to look closer.

    Parameters
    ----------
    picture
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
    sure = garment.found & (garment.scores >= landmark_threshold)
    placed = sure if sure.sum() >= 2 else garment.found
    return cut_box(picture, garment.xy[placed], margin) if placed.sum() >= 2 else None


def merge(first: PredictedGarment, second: PredictedGarment, cut: Cut) -> PredictedGarment:
    """Return a garment as two looks see it together.

    A landmark lies where the second look sees it, unless that is so far off (`AGREE`) that it may
    be another garment's, and it was surer there in the first; what only one look finds, that one
    says. The category is the mean of both. The garment's own score stays: it says how sure it is
    that there is one.

    Parameters
    ----------
    first
        In the picture's pixels.
    second
        In the cut's.
    cut
        What the second look saw.
    """
    moved = second.xy + np.asarray(cut.origin, np.float32)
    apart = np.linalg.norm((moved - first.xy) / np.asarray(cut.extent, np.float32), axis=-1)
    same = (apart <= AGREE) | (second.scores > first.scores)
    use = second.found & (same | ~first.found)
    return replace(
        first,
        xy=np.where(use[:, None], moved, first.xy).astype(np.float32),
        scores=np.where(use, second.scores, first.scores),
        spread=np.where(use, second.spread, first.spread),
        category=((first.category + second.category) / 2).astype(np.float32),
    )
