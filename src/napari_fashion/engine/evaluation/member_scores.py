"""The scores that the members of a model set give to garments of each body type, and their calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.calibration import fit_platt
from napari_fashion.engine.evaluation.cuts import CUTS, show
from napari_fashion.engine.evaluation.judged import Region, body_type_of
from napari_fashion.engine.evaluation.predictor import Advance, Predictor
from napari_fashion.engine.evaluation.protocols import ONE_GARMENT
from napari_fashion.engine.inference.calibration import platt
from napari_fashion.engine.model_set import ModelSet
from napari_fashion.engine.model_set_file import ScoreCalibration
from napari_fashion.errors import FashionError
from napari_fashion.images.transforms import RGBImage
from napari_fashion.tally import Tally

LEAST = 20
"""Garments of each member's body types without which nothing is fitted."""

_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class MemberScores:
    """Scores of N garments by M members, before any calibration.

    Attributes
    ----------
    scores
        (N, M) float64.
    member
        (N,) int64: the member for the garment's true body type.
    body_types
        N names.
    """

    scores: Float64
    member: NDArray[np.int64]
    body_types: tuple[str, ...]

    def right(self, calibrations: Sequence[ScoreCalibration]) -> Bool:
        """Return (N,) whether the member for the garment's type has the best score, if calibrated so."""
        columns = zip(self.scores.T, calibrations, strict=True)
        calibrated = [platt(column, c.scale, c.offset) for column, c in columns]
        right: Bool = np.argmax(calibrated, axis=0) == self.member
        return right

    def share_right(self, calibrations: Sequence[ScoreCalibration]) -> float:
        """Return the share of garments for which `right` holds: the mean over the members."""
        right = self.right(calibrations)
        return float(np.mean([right[self.member == m].mean() for m in np.unique(self.member)]))


def member_scores(
    models: ModelSet,
    images: Sequence[AnnotatedImage],
    *,
    batch: int = 16,
    advance: Advance = lambda n: None,
    tally: Tally | None = None,
) -> MemberScores:
    """Let every member predict crops of annotated garments, by the box of their labelled landmarks.

    Parameters
    ----------
    models
        The set.
    images
        Annotated images. Garments without a member for their body type are left out, and those that
        cannot be judged.
    batch, advance, tally
        See `evaluate_images`; each image is counted once for each member.

    Raises
    ------
    ImageError
        If an image cannot be read, and there is no `tally`.
    """
    of_type = {name: m for m, member in enumerate(models.members) for name in member.body_types}
    cut = CUTS["hull"]
    jobs: list[tuple[AnnotatedImage, int]] = []
    types: list[str] = []
    for image in images:
        for i in range(len(image.category)):
            name = body_type_of(image, i, models.schema)
            if name in of_type and not image.why_not_judged(i, cut.least):
                jobs.append((image, i))
                types.append(name)

    def view(pixels: RGBImage, image: AnnotatedImage, i: int) -> tuple[RGBImage, Region]:
        return show(cut, pixels, image, i, 0.0)

    number = {(id(image), i): n for n, (image, i) in enumerate(jobs)}
    scores = np.full((len(jobs), len(models.members)), np.nan)
    for m, member in enumerate(models.members):
        options = member.options(models.inference.overridden(decoder=ONE_GARMENT))
        predictor = Predictor(member.model, options, batch, advance, tally)
        for image, i, _, prediction in predictor.predict(jobs, view, crop=True):
            scores[number[id(image), i], m] = prediction.garments[0].score
    read = np.isfinite(scores).all(1)
    return MemberScores(
        scores[read],
        np.array([of_type[name] for name in types], np.int64)[read],
        tuple(name for name, kept in zip(types, read.tolist(), strict=True) if kept),
    )


def fit_members(models: ModelSet, found: MemberScores) -> list[ScoreCalibration]:
    """Fit the calibration of each member's scores: that a garment is of its body types.

    Garments of each member's types count alike in sum, however many there are.

    Parameters
    ----------
    models, found
        The set, and the scores of its members.

    Raises
    ------
    FashionError
        If there are too few garments of a member's body types.
    """
    counts = np.bincount(found.member, minlength=len(models.members))
    if counts.min() < LEAST:
        have = ", ".join(
            f"{n} {' or '.join(member.body_types)}"
            for n, member in zip(counts.tolist(), models.members, strict=True)
        )
        raise FashionError(
            f"Scores of members cannot be calibrated: found {have} garments that can be judged; expected "
            f"{LEAST} or more for each member. Name data that have more."
        )
    weights = (len(found.member) / len(counts) / counts)[found.member]
    made = []
    for m in range(len(counts)):
        scale, offset = fit_platt(found.scores[:, m], found.member == m, weights=weights)
        made.append(
            ScoreCalibration(scale=round(scale, _DECIMALS), offset=round(offset, _DECIMALS))
        )
    return made
