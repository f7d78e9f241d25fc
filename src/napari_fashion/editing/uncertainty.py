"""How unsure a model is of an image: the number of corrections that it expects itself.

Of each landmark that it placed, the probability that it is not there by its score, and that it is visible
where the model says hidden or the other way round; of each landmark that it left out, the probability that
it is there; of the category, the probability that it is another one. What a person placed or chose adds
nothing. `training/uncertainty.py` compares it with the corrections that the truth asks for.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN


def expected_corrections(garments: Iterable[Garment]) -> float:
    """Return the number of corrections that a model expects on an image; 0 without a garment of a model."""
    return float(sum(_of(garment) for garment in garments))


def _of(garment: Garment) -> float:
    placed = np.asarray(garment.visibility) > 0
    of_model = np.array([source != HUMAN for source in garment.landmark_sources])
    scores = _known(garment.landmark_scores)
    expected = (1 - scores)[placed & of_model & ~np.isnan(garment.landmark_scores)].sum()
    expected += _known(garment.landmark_present)[~placed & of_model].sum()
    visible = _known(garment.landmark_visible)
    expected += np.minimum(visible, 1 - visible)[placed & of_model].sum()
    if garment.category_source != HUMAN and garment.category_scores:
        expected += 1 - garment.category_scores.get(garment.category_name, 0.0)
    return float(expected)


def _known(values: object) -> np.ndarray:
    """Return probabilities with 0 for those that the model does not tell."""
    return np.nan_to_num(np.asarray(values, np.float64))
