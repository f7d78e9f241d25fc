"""Fields as arrays that are drawn; pure, neither Qt nor napari.

Places are xy pixels of the original image, unless something says cells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.app.viewer.layer_data import rgb
from napari_fashion.engine.decode.confidence import confidence_map
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema

Array = NDArray[np.float64]

MAX_ARROWS = 1500
"""More of them at once cannot be told apart, and painting them is felt."""
MIN_CONFIDENCE = 0.1
"""Cells below it are not drawn, unless a person wants them."""
PAF_CELLS = 6
"""Cells of an edge that are drawn: the surest ones, no two side by side."""
PAF_FROM = 0.85
"""Confidence from which on cells of an edge are drawn; where the best is less, from 9/10 of it on."""


@dataclass(frozen=True, eq=False)
class Arrows:
    """M arrows from the centres of cells.

    Attributes
    ----------
    start, end
        (M, 2) xy pixels.
    rgba
        (M, 4), 0..1: the colour of the landmark that it points to, and the cell's confidence.
    cells
        (M, 2) x and y of the cell that it starts from.
    channels
        (M,) landmark of a PIF, edge of a PAF.
    dots
        Whether their starts are marked and they have heads: those of a PAF.
    """

    start: Array
    end: Array
    rgba: Array
    cells: NDArray[np.int64]
    channels: NDArray[np.int64]
    dots: bool = False


NO_ARROWS = Arrows(
    np.empty((0, 2)),
    np.empty((0, 2)),
    np.empty((0, 4)),
    np.empty((0, 2), np.int64),
    np.empty(0, np.int64),
)


# -- as images ------------------------------------------------------------------------------------


def pif_confidence(
    fields: Fields, landmark: int | None, least: float = MIN_CONFIDENCE
) -> NDArray[np.float32]:
    """Return the (H, W) confidence of a landmark, or of all: their maximum; 0 where below `least`."""
    confidence = fields.pif_confidence
    shown = confidence.max(axis=0) if landmark is None else confidence[landmark]
    return np.where(shown >= least, shown, np.float32(0))


def fine_confidence(
    fields: Fields, landmark: int | None, least: float = MIN_CONFIDENCE
) -> NDArray[np.float32]:
    """Return the decoder's high-resolution map of a landmark, or the maximum of all landmarks' maps.

    Cells below `least` do not count.

    Returns
    -------
    (r H, r W), 0..1, with `decode.confidence.RESOLUTION` r samples a cell.
    """
    if landmark is not None:
        one = slice(landmark, landmark + 1)
        names = ("pif_confidence", "pif_xy", "pif_spread", "pif_size")
        only: dict[str, Any] = {name: getattr(fields, name)[one] for name in names}
        for name in ("paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2"):
            only[name] = getattr(fields, name)[:0]
        fields = replace(fields, pif_visible=None, edges=(), **only)
    return np.asarray(confidence_map(fields, threshold=least).max(axis=0))


def category_probability(fields: Fields, category: int) -> NDArray[np.float32]:
    """Return the (H, W) probability of a category, by cell."""
    logits = fields.category - fields.category.max(axis=0)
    odds = np.exp(logits)
    return np.asarray(odds[category] / odds.sum(axis=0), np.float32)


def placement(fields: Fields, samples: int = 1) -> dict[str, tuple[float, float]]:
    """Return the `scale` and `translate` that lay an image of a field on the image, y then x.

    Parameters
    ----------
    samples
        A cell, along each axis: `RESOLUTION` for the high-resolution map.
    """
    (sx, sy), (ox, oy) = fields.scale, fields.offset
    first = 0.5 / samples - 0.5  # cells: the centre of the first sample
    return {
        "scale": (sy / samples, sx / samples),
        "translate": (oy + first * sy, ox + first * sx),
    }


# -- as arrows ------------------------------------------------------------------------------------


def pif_arrows(
    fields: Fields,
    schema: Schema,
    landmark: int | None,
    least: float = MIN_CONFIDENCE,
    limit: int = MAX_ARROWS,
) -> Arrows:
    """Return arrows from cells to where they see a landmark, or any; the `limit` surest."""
    chosen = range(fields.n_landmarks) if landmark is None else (landmark,)
    channel, cells = _confident(fields.pif_confidence, chosen, least, limit)
    return _arrows(fields, fields.pif_confidence, fields.pif_xy, channel, cells, rgb(schema))


def edges_of(schema_edges: Sequence[tuple[int, int]], landmark: int | None) -> list[int]:
    """Return the edges that a landmark is an end of; all for None."""
    return [e for e, pair in enumerate(schema_edges) if landmark is None or landmark in pair]


def paf_arrows(
    fields: Fields,
    schema: Schema,
    edges: Collection[int],
    least: float = MIN_CONFIDENCE,
) -> Arrows:
    """Return two arrows a cell, to an edge's two ends, each in the colour of its landmark.

    Of each edge the `PAF_CELLS` surest cells, no two of them side by side.

    Returns
    -------
    2 M arrows: all to the first ends, then all to the second.
    """
    found = [(e, *cell) for e in sorted(edges) for cell in _surest(fields.paf_confidence[e], least)]
    table = np.array(found, np.int64).reshape(-1, 3)
    channel, cells = table[:, 0], table[:, 1:]
    ends = np.array(fields.edges, np.int64).reshape(-1, 2)
    colors = rgb(schema)
    first, second = (
        _arrows(fields, fields.paf_confidence, xy, channel, cells, colors[ends[:, end]])
        for end, xy in enumerate((fields.paf_xy1, fields.paf_xy2))
    )
    both = {
        name: np.concatenate([getattr(first, name), getattr(second, name)])
        for name in ("start", "end", "rgba", "cells", "channels")
    }
    return Arrows(**both, dots=True)


def _surest(confidence: NDArray[np.float32], least: float) -> list[tuple[int, int]]:
    """Return x and y of the surest cells of one edge, no two side by side."""
    least = max(least, min(PAF_FROM, 0.9 * float(confidence.max(initial=0))))
    y, x = np.nonzero(confidence >= least)
    kept: list[tuple[int, int]] = []
    for i in np.argsort(-confidence[y, x], kind="stable").tolist():
        cell = int(x[i]), int(y[i])
        if all(max(abs(cell[0] - a), abs(cell[1] - b)) > 1 for a, b in kept):
            kept.append(cell)
            if len(kept) == PAF_CELLS:
                break
    return kept


# -- read out -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PifCell:
    """What one cell of the PIF says.

    Attributes
    ----------
    landmark
        Of which it speaks.
    cell
        Column and row, from 0.
    confidence
        0..1.
    at, to
        Its centre and the place that it points to, xy pixels.
    spread
        Laplace scale of that place, pixels.
    """

    landmark: int
    cell: tuple[int, int]
    confidence: float
    at: tuple[float, float]
    to: tuple[float, float]
    spread: float


@dataclass(frozen=True)
class PafCell:
    """What one cell of the PAF says of an edge; as `PifCell`, with the edge's two ends."""

    edge: int
    cell: tuple[int, int]
    confidence: float
    at: tuple[float, float]
    ends: tuple[tuple[float, float], tuple[float, float]]


def cell_size(fields: Fields) -> tuple[float, float]:
    """Return width and height of a cell, pixels."""
    return float(fields.scale[0]), float(fields.scale[1])


def pif_cell_at(
    fields: Fields, landmark: int | None, xy: ArrayLike, least: float = MIN_CONFIDENCE
) -> PifCell | None:
    """Return what the PIF's cell at a place says of a landmark, or of its surest one.

    None outside the cells, and where the confidence is below `least`.
    """
    cell = _cell_at(fields, xy)
    if cell is None:
        return None
    x, y = cell
    here = fields.pif_confidence[:, y, x]
    k = int(here.argmax()) if landmark is None else landmark
    if not here[k] >= least:
        return None
    spread = float(fields.pif_spread[k, y, x]) * float(np.mean(fields.scale))
    to = fields.to_pixels(fields.pif_xy[k, :, y, x])
    return PifCell(k, cell, float(here[k]), _pair(fields.to_pixels(cell)), _pair(to), spread)


def paf_cell_at(fields: Fields, arrows: Arrows, xy: ArrayLike, reach: float) -> PafCell | None:
    """Return what the drawn cell nearest to a place says; None beyond `reach` pixels."""
    half = len(arrows.start) // 2
    if not half:
        return None
    distances = np.linalg.norm(arrows.start[:half] - np.asarray(xy), axis=1)
    i = int(distances.argmin())
    if distances[i] > reach:
        return None
    (x, y), e = arrows.cells[i].tolist(), int(arrows.channels[i])
    confidence = float(fields.paf_confidence[e, y, x])
    ends = _pair(arrows.end[i]), _pair(arrows.end[i + half])
    return PafCell(e, (x, y), confidence, _pair(arrows.start[i]), ends)


def spread_at(fields: Fields, landmark: int, xy: ArrayLike) -> float | None:
    """Return how far off the PIF thinks that a landmark at a place may be, pixels.

    The mean spread of the confident cells around the place, weighed by their confidence; None where
    there are none.
    """
    cell = _cell_at(fields, xy)
    if cell is None:
        return None
    x, y = cell
    near = (slice(max(y - 1, 0), y + 2), slice(max(x - 1, 0), x + 2))
    weights = fields.pif_confidence[landmark][near]
    weights = np.where(weights >= MIN_CONFIDENCE, weights, 0)
    if not weights.sum() > 0:
        return None
    mean = float((weights * fields.pif_spread[landmark][near]).sum() / weights.sum())
    return mean * float(np.mean(fields.scale))


def _cell_at(fields: Fields, xy: ArrayLike) -> tuple[int, int] | None:
    x, y = np.rint(fields.to_cells(xy)).astype(int).tolist()
    rows, columns = fields.grid
    return (x, y) if 0 <= x < columns and 0 <= y < rows else None


def _pair(xy: ArrayLike) -> tuple[float, float]:
    x, y = np.asarray(xy, np.float64).tolist()
    return x, y


def _confident(
    confidence: NDArray[np.float32], channels: Sequence[int], least: float, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return channel (M,) and cell xy (M, 2) of the most confident cells."""
    chosen = np.asarray(channels, dtype=np.int64)
    part = confidence[chosen]
    c, y, x = np.nonzero(part >= least)
    if len(c) > limit:
        keep = np.argpartition(-part[c, y, x], limit)[:limit]
        c, y, x = c[keep], y[keep], x[keep]
    return chosen[c], np.stack([x, y], axis=-1)


def _arrows(
    fields: Fields,
    confidence: NDArray[np.float32],
    field_xy: NDArray[np.float32],
    channel: NDArray[np.int64],
    cells: NDArray[np.int64],
    colors: Array,
) -> Arrows:
    x, y = cells[:, 0], cells[:, 1]
    start = fields.to_pixels(cells)
    end = fields.to_pixels(field_xy[channel, :, y, x].reshape(-1, 2))
    alpha = confidence[channel, y, x].astype(np.float64)
    rgba = np.concatenate([colors[channel], alpha[:, None]], axis=1)
    return Arrows(start, end, rgba, cells, channel)
