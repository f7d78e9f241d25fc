"""Thresholds and modes of the decoder."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from napari_fashion.options import Options


class DecoderOptions(Options):
    """Thresholds and modes of the decoder.

    The defaults are the best known settings for full images, chosen on validation photos with the
    bundled model (`training/model-card.md`); `PUBLISHED` has those of the published method.

    Attributes
    ----------
    pif_threshold
        PIF cells below it do not count in the confidence map.
    seed_threshold
        Map value from which a PIF cell starts a garment.
    paf_threshold
        PAF cells whose confidence, rescored by the map at their target, is below it do not count.
    paf_floor
        Share of a PAF cell's confidence that is kept if the map has nothing at its target.
    landmark_threshold
        Landmarks with a lower score are not found.
    garment_threshold
        Garments with a lower score are dropped. A garment's score is the mean over the landmarks
        that its body type has, so that it means the same in schemas of 8 and of 294 landmarks.
    min_landmarks
        Garments with fewer landmarks are dropped, if their landmarks have edges at all.
    cells_per_landmark
        Number of PIF cells, in a square, that the targets of training give a landmark. The map is
        divided by the number of them inside the grid (fewer at the image's border), and so is 1
        if all of them are sure.
    paf_weight
        With `single_instance`: weight of an edge's agreement against a place's own evidence, when a
        landmark's candidates are chosen from. On validation photos 0 to 0.5 give equal results
        (`training/model-card.md`).
    force_complete
        Give every landmark of every garment a position, however unsure: the best PAF target, nearly
        without a threshold, else the best place in or around the garment, else in the image. The
        score of these landmarks is below `landmark_threshold` and above 0. With `single_instance`
        every place that some cell points at counts as seen, and keeps its score.
    single_instance
        Return exactly one garment, for crops of one garment: each landmark at its best place, the
        PAF deciding between candidates. Without `force_complete`, landmarks below
        `landmark_threshold` are not found (possibly all of them).
    """

    pif_threshold: float = Field(default=0.1, ge=0, le=1)
    seed_threshold: float = Field(default=0.2, ge=0, le=1)
    paf_threshold: float = Field(default=0.1, ge=0, le=1)
    paf_floor: float = Field(default=0.1, ge=0, le=1)
    landmark_threshold: float = Field(default=0.15, ge=0, le=1)
    garment_threshold: float = Field(default=0.15, ge=0, le=1)
    min_landmarks: int = Field(default=2, ge=1, le=1_000_000)
    cells_per_landmark: float = Field(default=16.0, ge=1e-6, le=1e6)
    paf_weight: float = Field(default=0.1, ge=0, le=1)
    force_complete: bool = False
    single_instance: bool = False


PUBLISHED: Final = DecoderOptions(pif_threshold=0.3, paf_threshold=0.3, garment_threshold=0.2)
"""Thresholds of the published method, as OpenPifPaf 0.13.11 shows them when it is run on fields made to
find them; the garment threshold is ours, since OpenPifPaf averages over all landmarks of the schema.
They were the defaults of format 1 of models and recipes."""
