"""Garments and fields as arrays for napari layers; pure, no napari.

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
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema

Array = NDArray[np.float64]

HUMAN = "human"
UNSURE = 0.5
"""A landmark of the model with a lower score is drawn faint."""
MAX_ARROWS = 4000
"""napari rebuilds vectors on the CPU; above some 5,000 of them it is felt."""
MAX_PAF_ARROWS = 800
"""They are long: more of them hide the image."""
MIN_CONFIDENCE = 0.1
"""Cells below it get no arrow."""

FAR = 1e5
"""Pixels. What a file puts farther away than this is drawn here: napari cannot draw 1e30."""

_WHITE = (1.0, 1.0, 1.0)
_DARK = (0.08, 0.08, 0.10)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The landmarks on an image, one row a placed landmark.

    Attributes
    ----------
    yx
        (N, 2) pixels.
    features
        Columns of length N: garment, landmark (index), name, visibility, score, source, label.
        The label is what is written beside the point: the name in the selected garment, else
        nothing.
    face, border
        (N, 4) RGBA. A hidden landmark is hollow.
    size
        (N,) relative to the usual size: 1 in the selected garment, smaller elsewhere.
    border_width
        (N,) relative to the point's size.
    """

    yx: Array
    features: dict[str, NDArray[Any]]
    face: Array
    border: Array
    size: Array
    border_width: Array


def landmarks(
    garments: Sequence[Garment],
    schema: Schema,
    selected: Any = None,
    current: int | None = None,
) -> Landmarks:
    """Return the placed landmarks of all garments of an image.

    They are in the order in which they lie on each other, and a press is for the topmost: those of
    the selected garment come last, and the selected landmark very last.

    Parameters
    ----------
    selected
        Id of the selected garment.
    current
        The landmark of it that is selected.
    """
    colors = rgb(schema)
    rows = [(g, k) for g in garments for k in np.flatnonzero(g.visibility).tolist()]
    rows.sort(key=lambda row: (row[0].id == selected, row[0].id == selected and row[1] == current))
    n = len(rows)
    yx = np.empty((n, 2))
    face, border = np.ones((n, 4)), np.ones((n, 4))
    size, border_width = np.ones(n), np.full(n, 0.12)
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("garment", "landmark", "name", "visibility", "score", "source", "label")
    }
    for i, (garment, k) in enumerate(rows):
        yx[i] = _drawn(garment.xy[k])
        hidden = garment.visibility[k] == 1
        source, score = garment.landmark_sources[k], float(garment.landmark_scores[k])
        of_selected = garment.id == selected
        alpha = 0.45 if source != HUMAN and score < UNSURE else 1.0
        face[i] = (*colors[k], 0.0 if hidden else alpha)
        outline = _WHITE if of_selected else _DARK
        border[i] = (*(colors[k] if hidden else outline), alpha if of_selected else 0.8 * alpha)
        border_width[i] = 0.22 if hidden else 0.12
        size[i] = 1.0 if of_selected else 0.75
        if of_selected and k == current:
            size[i] = 1.35
        columns["garment"].append(garment.id)
        columns["landmark"].append(k)
        columns["name"].append(schema.landmarks[k])
        columns["visibility"].append(int(garment.visibility[k]))
        columns["score"].append(score)
        columns["source"].append(source)
        columns["label"].append(title(schema, k) if of_selected else "")
    dtypes = {"landmark": int, "visibility": int, "score": float}
    features: dict[str, NDArray[Any]] = {
        name: np.array(values, dtype=dtypes.get(name, object)) for name, values in columns.items()
    }
    return Landmarks(yx, features, face, border, size, border_width)


def categories(
    garments: Sequence[Garment], selected: Any = None, height: int = 400
) -> tuple[Array, list[str]]:
    """Return where each garment's category is written, (N, 2) yx, and what: "Dress 84%".

    Above the garment's landmarks, inside the image of `height` pixels.
    """
    yx, texts = [], []
    for garment in garments:
        placed = np.clip(garment.xy[garment.visibility > 0], -FAR, FAR)
        if not len(placed):
            continue
        top, left = float(placed[:, 1].min()), float(placed[:, 0].min())
        yx.append((max(top - height / 14, height / 20), left))
        score = garment.category_scores.get(garment.category_name)
        sure = score is not None and garment.category_source != HUMAN
        texts.append(f"{garment.category_name} {score:.0%}" if sure else garment.category_name)
    return np.array(yx, dtype=np.float64).reshape(-1, 2), texts


def skeleton(
    garments: Sequence[Garment], schema: Schema, selected: Any = None
) -> tuple[Array, Array]:
    """Return the skeletons' bones: (M, 2, 2) starts and projections, and (M, 4) RGBA.

    A bone is drawn between two placed landmarks, in the mean of their colours; it is fainter
    towards a hidden landmark and in garments that are not selected.
    """
    colors = rgb(schema)
    lines, rgba = [], []
    for garment in garments:
        for a, b in schema.edges:
            if garment.visibility[a] > 0 and garment.visibility[b] > 0:
                start, end = _drawn(garment.xy[a]), _drawn(garment.xy[b])
                lines.append((start, end - start))
                alpha = 0.9 if garment.id == selected else 0.5
                if 1 in (garment.visibility[a], garment.visibility[b]):
                    alpha *= 0.55
                rgba.append((*((colors[a] + colors[b]) / 2), alpha))
    return _lines(lines), np.array(rgba).reshape(-1, 4)


def pif_confidence(fields: Fields, landmark: int | None) -> Array:
    """Return the (H, W) confidence of a landmark, or of all: their maximum."""
    if landmark is None:
        return fields.pif_confidence.max(axis=0).astype(np.float64)
    return fields.pif_confidence[landmark].astype(np.float64)


def placement(fields: Fields) -> dict[str, tuple[float, float]]:
    """Return the `scale` and `translate` that lay a field's image on the image, y then x."""
    (sx, sy), (ox, oy) = fields.scale, fields.offset
    return {"scale": (sy, sx), "translate": (oy, ox)}


def pif_arrows(
    fields: Fields, schema: Schema, landmark: int | None, limit: int = MAX_ARROWS
) -> tuple[Array, Array]:
    """Return arrows from cells to where they see the landmark, in its colour.

    Returns
    -------
    (M, 2, 2) starts and projections, yx pixels, and (M, 4) RGBA; the `limit` most confident.
    """
    chosen = range(fields.n_landmarks) if landmark is None else (landmark,)
    channel, cell_xy = _confident(fields.pif_confidence, chosen, limit)
    return _arrows(fields, fields.pif_confidence, fields.pif_xy, channel, cell_xy, rgb(schema))


def paf_arrows(
    fields: Fields, schema: Schema, edge: int | None, limit: int = MAX_PAF_ARROWS
) -> tuple[Array, Array]:
    """Return two arrows a cell, to the edge's two ends, each in the colour of its landmark.

    Returns
    -------
    As `pif_arrows`; never half a pair.
    """
    chosen = range(len(fields.edges)) if edge is None else (edge,)
    channel, cell_xy = _confident(fields.paf_confidence, chosen, limit // 2)
    colors = rgb(schema)
    ends = [
        _arrows(
            fields,
            fields.paf_confidence,
            field_xy,
            channel,
            cell_xy,
            colors[[pair[end] for pair in fields.edges]].reshape(-1, 3),
        )
        for end, field_xy in enumerate((fields.paf_xy1, fields.paf_xy2))
    ]
    return np.concatenate([e[0] for e in ends]), np.concatenate([e[1] for e in ends])


def ink(image: NDArray[np.uint8], yx: Array) -> Array:
    """Return (N, 4) RGBA for names beside points: white on dark places, nearly black on light.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    yx
        (N, 2) pixels of the points.
    """
    h, w = image.shape[:2]
    reach = max(h, w) // 12 + 1
    rgba = np.ones((len(yx), 4))
    for i, (y, x) in enumerate(np.rint(yx).astype(int)):
        y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
        under = image[y : y + reach // 3 + 1, x : x + 2 * reach]  # where the name stands
        # Beside the image the canvas is black.
        light = under.sum(dtype=np.int64) / (3 * (reach // 3 + 1) * 2 * reach)
        if light > 150:
            rgba[i, :3] = _DARK
    return rgba


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


def _confident(
    confidence: NDArray[np.float32], channels: Sequence[int], limit: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return channel (M,) and cell xy (M, 2) of the most confident cells."""
    chosen = np.asarray(channels, dtype=np.intp)
    part = confidence[chosen]
    c, y, x = np.nonzero(part >= MIN_CONFIDENCE)
    if len(c) > limit:
        keep = np.argpartition(-part[c, y, x], limit)[:limit]
        c, y, x = c[keep], y[keep], x[keep]
    return chosen[c], np.stack([x, y], axis=-1)


def _arrows(
    fields: Fields,
    confidence: NDArray[np.float32],
    field_xy: NDArray[np.float32],
    channel: NDArray[np.intp],
    cell_xy: NDArray[np.intp],
    colors: Array,
) -> tuple[Array, Array]:
    x, y = cell_xy[:, 0], cell_xy[:, 1]
    start = fields.to_pixels(cell_xy)
    end = fields.to_pixels(field_xy[channel, :, y, x].reshape(-1, 2))
    lines = np.stack([yx_from_xy(start), yx_from_xy(end - start)], axis=1)
    alpha = 0.25 + 0.75 * confidence[channel, y, x].astype(np.float64)
    return lines, np.concatenate([colors[channel], alpha[:, None]], axis=1)


def _lines(lines: list[tuple[Array, Array]]) -> Array:
    return np.array(lines, dtype=np.float64).reshape(-1, 2, 2)
