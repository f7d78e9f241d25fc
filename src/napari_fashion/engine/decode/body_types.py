"""What the category says about a decoded garment: which of its landmarks can be there at all.

A body type (upper, lower, full, ...) is a set of landmarks, and a category has one or several of them.
Body types compete with each other, not with a fixed probability: among 13 of them even the right one
may have a probability of 0.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.schema import Schema

POSSIBLE_SHARE = 0.25
"""A body type is possible if its mass is at least this share of the likeliest body type's mass. Of two
body types, the second is possible from a mass of 0.2."""


def possible_landmarks(schema: Schema, category: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Find the landmarks that some possible body type has.

    The mass of a body type is the sum of the probabilities of the categories that can have it.

    Parameters
    ----------
    schema
        K landmarks, C categories.
    category
        (C,) probabilities, or (0,) if the model knows no categories.

    Returns
    -------
    (K,) bool; all True if nothing is known: no categories, or no category with a probability above 0.
    """
    n_landmarks = schema.n_landmarks
    mass = dict.fromkeys(schema.body_type_names, 0.0)
    for index, probability in enumerate(category):
        for body_type in schema.categories[index].body_types:
            mass[body_type] += float(probability)
    most = max(mass.values(), default=0.0)
    if not most > 0:  # negated so that NaN knows nothing either
        return np.ones(n_landmarks, np.bool_)
    possible = np.zeros(n_landmarks, np.bool_)
    for body_type, m in mass.items():
        if m >= POSSIBLE_SHARE * most:
            possible[list(schema.landmarks_of(body_type))] = True
    return possible


def without_impossible(
    garment: PredictedGarment, schema: Schema, *, min_landmarks: int
) -> PredictedGarment | None:
    """Leave out the landmarks that no possible body type has; drop garments with too few others.

    Parameters
    ----------
    garment
        K landmarks, C categories.
    schema
        K landmarks, C categories.
    min_landmarks
        As in `DecoderOptions`: garments with fewer landmarks are dropped, if the schema has edges at
        any of their landmarks.

    Returns
    -------
    The garment, or None if it is dropped. A garment without any landmark always is.
    """
    keep = garment.found & possible_landmarks(schema, garment.category)
    if not keep.any():
        return None
    joined = any(keep[a] or keep[b] for a, b in schema.edges)
    if joined and keep.sum() < min_landmarks:
        return None

    return garment.keeping(keep)
