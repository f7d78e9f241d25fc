"""What there is to choose or to go through on a garment; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_fashion.app.viewer.layer_data import UNSURE
from napari_fashion.coco import Garment
from napari_fashion.coco.provenance import HUMAN
from napari_fashion.schema import Schema

TOP = 5
"""Number of the model's categories that stand first, on the digits 1 to 5."""


def unsure_landmarks(garment: Garment) -> list[int]:
    """Return the landmarks that a model placed with a score below `UNSURE`, in the schema's order."""
    scores, sources = garment.landmark_scores, garment.landmark_sources
    placed = np.flatnonzero(garment.visibility).tolist()
    return [k for k in placed if sources[k] != HUMAN and scores[k] < UNSURE]


def category_candidates(scores: Mapping[str, float], names: Sequence[str]) -> tuple[int, ...]:
    """Return all categories to choose from, as indices into `names`.

    The model's come first, the most probable one foremost, `TOP` at most; then the others by name.

    Parameters
    ----------
    scores
        The model's probabilities of some categories by name, 0..1.
    names
        The schema's categories.
    """
    known = [i for i, name in enumerate(names) if name in scores]
    first = sorted(known, key=lambda i: -scores[names[i]])[:TOP]
    others = sorted(set(range(len(names))) - set(first), key=lambda i: names[i].casefold())
    return (*first, *others)


def members(garment: Garment, schema: Schema) -> list[int]:
    """Return the landmarks that a garment can have, and those that it has all the same."""
    can = range(schema.n_landmarks)
    known = schema.landmarks_of_category(garment.category) if garment.category >= 0 else can
    return sorted({*known, *np.flatnonzero(garment.visibility).tolist()})


def missing(garment: Garment, schema: Schema) -> list[int]:
    """Return the landmarks that a garment of its body type has, and this one has not yet.

    A shirt of the upper body lacks no waistline, though a long one may have it.
    """
    placed = np.flatnonzero(garment.visibility).tolist()
    wanted = range(schema.n_landmarks)
    known = (
        schema.landmarks_of(schema.body_type_for(garment.category, placed))
        if garment.category >= 0
        else wanted
    )
    return [k for k in known if k not in placed]
