"""Garments as arrays for napari layers; pure, no napari.

Everything that leaves here is in yx pixels of the original image, which is napari's world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.app.viewer.coordinates import yx_from_xy
from napari_fashion.coco import Garment
from napari_fashion.schema import Schema

Array = NDArray[np.float64]

HUMAN = "human"
UNSURE = 0.7
"""A score of the model below this is one that a person should look at."""

FAR = 1e5
"""Pixels. What a file puts farther away than this is drawn here: napari cannot draw 1e30."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks on an image, one row a placed landmark.

    Attributes
    ----------
    yx
        (N, 2) pixels.
    features
        Columns of length N: garment, landmark (index), name, visibility, score, source.
    face
        (N, 4) RGBA. A hidden landmark is hollow.
    """

    yx: Array
    features: dict[str, NDArray[Any]]
    face: Array


def landmarks(
    garments: Sequence[Garment],
    schema: Schema,
    selected: Any = None,
    current: int | None = None,
    near: float = 0.0,
) -> Landmarks:
    """Return the placed landmarks of all garments of an image.

    They are in the order in which they lie on each other, and a press is for the topmost: those of
    the selected garment come last, and the selected landmark very last where another of its garment
    is near.

    Parameters
    ----------
    selected
        Id of the selected garment.
    current
        The landmark of it that is selected.
    near
        Pixels to each side from which on landmarks do not lie on each other.
    """
    rows = [(g, k) for g in garments for k in np.flatnonzero(g.visibility).tolist()]
    rows.sort(key=lambda row: row[0].id == selected)
    places = {g.id: _drawn(g.xy) for g in garments}
    yx = np.array([places[g.id][k] for g, k in rows]).reshape(-1, 2)
    chosen = [i for i, (g, k) in enumerate(rows) if g.id == selected and k == current]
    first = next((i for i, (g, _) in enumerate(rows) if g.id == selected), len(rows))
    if chosen and (np.abs(yx[first:] - yx[chosen[0]]).max(axis=1) <= near).sum() > 1:
        rows.append(rows.pop(chosen[0]))
        yx = np.append(np.delete(yx, chosen[0], axis=0), yx[chosen], axis=0)
    visibility = {g.id: g.visibility for g in garments}
    scores = {g.id: g.landmark_scores for g in garments}
    columns = {
        "garment": [g.id for g, _ in rows],
        "landmark": [k for _, k in rows],
        "name": [schema.landmarks[k] for _, k in rows],
        "visibility": [int(visibility[g.id][k]) for g, k in rows],
        "score": [float(scores[g.id][k]) for g, k in rows],
        "source": [g.landmark_sources[k] for g, k in rows],
    }
    dtypes = {"landmark": int, "visibility": int, "score": float}
    features: dict[str, NDArray[Any]] = {
        name: np.array(values, dtype=dtypes.get(name, object)) for name, values in columns.items()
    }
    face = np.ones((len(rows), 4))
    face[:, :3] = rgb(schema)[features["landmark"]]
    face[:, 3] = features["visibility"] != 1
    return Landmarks(yx, features, face)


def rgb(schema: Schema) -> Array:
    """Return the (K, 3) colours of the landmarks, 0..1."""
    return np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in schema.colors])


def title(schema: Schema, landmark: int) -> str:
    """Return a landmark's name for people: "left collar"."""
    return schema.landmarks[landmark].replace("_", " ")


def told(garment: Garment, landmark: int) -> tuple[str, str]:
    """Return how sure the model is of a landmark, in short and in full; empty of a person's.

    In short: whether it is visible, with the probability of that, as "hidden, 83 %"; the score of a
    model that does not tell visibility, as "0.87".
    """
    score = float(garment.landmark_scores[landmark])
    v = int(garment.visibility[landmark])
    if garment.landmark_sources[landmark] == HUMAN or not v or not score > 0:
        return "", ""
    full = [f"score {score:.2f}"]
    visible = float(garment.landmark_visible[landmark])
    present = float(garment.landmark_present[landmark])
    if present == present:
        full.append(f"there with {present:.0%}".replace("%", " %"))
    if visible != visible:
        return f"{score:.2f}", ", ".join(full)
    probability = f"{visible if v == 2 else 1 - visible:.0%}".replace("%", " %")
    state = "visible" if v == 2 else "hidden"
    return f"{state}, {probability}", ", ".join([*full, f"{state} with {probability}"])


def _drawn(xy: Array) -> Array:
    """Return yx of a place in a file, brought near enough to be drawn."""
    return yx_from_xy(np.clip(xy, -FAR, FAR))
