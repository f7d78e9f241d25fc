"""Garments that several models found in one image: which of them are the same cloth, and whose counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_fashion.engine.inference.layering import similarity_of_common
from napari_fashion.engine.prediction import PredictedGarment

SAME_CLOTH = 0.7
"""Mean similarity of common landmarks from which garments of two models are the same cloth: a find that is
right has 0.5 or more with the truth, and garments that lie on each other have less than 0.9 in common
(training/README.md has what it was chosen by)."""

COMMON = 0.6
"""Share of the landmarks of the smaller of two garments that both have to have for that. A dress and its
lower half, as a model of lower garments finds it, have all of them in common, a shirt and trousers the hem
alone."""

Find = tuple[int, PredictedGarment]
"""The number of the model, and what it found."""


def best_of_each(
    finds: Sequence[Find], sigmas: Sequence[float], landmark_threshold: float
) -> list[Find]:
    """Leave out garments of other models at the place of a garment with a better score.

    Garments of different models that are the same cloth make groups: a dress, what a model of upper
    garments takes for a shirt, and what one of lower garments takes for a skirt, of which the last two have
    little in common. In each group the garments of the model with the best score stand; a model tells its
    own garments apart itself.

    Parameters
    ----------
    finds
        Of one image, K landmarks each.
    sigmas
        (K,) of the schema.
    landmark_threshold
        Landmarks with a lower score complete a garment, and do not count.

    Returns
    -------
    Those that are left, best score first.
    """
    ranked = sorted(finds, key=lambda find: -find[1].score)
    constants = np.asarray(sigmas, np.float64)
    group = list(range(len(ranked)))
    for i, (model, one) in enumerate(ranked):
        for j in range(i + 1, len(ranked)):
            other_model, other = ranked[j]
            if group[i] == group[j] or model == other_model:
                continue
            alike = similarity_of_common(
                one, other, constants, landmark_threshold, share=COMMON, of=min
            )
            if alike >= SAME_CLOTH:
                first, second = sorted((group[i], group[j]))
                group = [first if g == second else g for g in group]
    # A group is called after its first find, which has its best score.
    return [find for n, find in enumerate(ranked) if find[0] == ranked[group[n]][0]]
