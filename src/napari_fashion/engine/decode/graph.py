"""From a placed landmark to the next one: what the PAF says, edge by edge."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode.arguments import Adjacency, Cells, Float32, Int64, Paf
from napari_fashion.engine.decode.confidence import MIN_SPREAD, look_up

_SAMPLE = 8  # one of this many cells of an edge is in its sample

_Index = int | np.uint64


class Connections(NamedTuple):
    """The PAF cells that lead somewhere, edge by edge."""

    starts: Int64
    """(E + 1,): the rows of edge e are ``rows[starts[e]:starts[e + 1]]``."""
    rows: Float32
    """(n, 8): x1, y1, b1, x2, y2, b2, confidence rescored at end 2, rescored at end 1."""


def connections_of(
    paf: Paf, cells: Cells, adjacency: Adjacency, f: Float32, threshold: float, floor: float
) -> Connections:
    """Rescore the PAF cells by the confidence map f at their ends; keep those above the threshold.

    A PAF cell is as trustworthy as the landmark that it leads to: one that leads to nothing keeps only
    the share `floor` of its confidence.
    """
    connections = Connections(
        np.zeros(len(cells.starts), np.int64), np.empty((len(cells.flat), 8), np.float32)
    )
    _connect_cells(paf, cells, adjacency.ends, f, threshold, floor, connections)
    return connections


@compiled
def _connect_cells(
    paf: Paf,
    cells: Cells,
    ends: Int64,
    f: Float32,
    threshold: float,
    floor: float,
    connections: Connections,
) -> None:
    rows = connections.rows
    n_cells = paf.confidence.shape[1]
    n = 0
    for e in range(ends.shape[0]):
        for m in range(cells.starts[e], cells.starts[e + 1]):
            p = cells.flat[m] - e * n_cells
            c = paf.confidence[e, p]
            if not (c >= threshold and math.isfinite(c)):
                continue
            c = min(c, np.float32(1))
            x1, y1, b1 = paf.xy1[e, 0, p], paf.xy1[e, 1, p], paf.spread1[e, p]
            x2, y2, b2 = paf.xy2[e, 0, p], paf.xy2[e, 1, p], paf.spread2[e, p]
            if not math.isfinite(x1 + y1 + x2 + y2 + b1 + b2):
                continue
            forward = c * (
                floor + (1 - floor) * look_up(f, ends[e, 1], np.float64(x2), np.float64(y2))
            )
            backward = c * (
                floor + (1 - floor) * look_up(f, ends[e, 0], np.float64(x1), np.float64(y1))
            )
            if forward < threshold and backward < threshold:
                continue
            rows[n, 0], rows[n, 1], rows[n, 2] = x1, y1, max(b1, MIN_SPREAD)
            rows[n, 3], rows[n, 4], rows[n, 5] = x2, y2, max(b2, MIN_SPREAD)
            rows[n, 6] = forward if forward >= threshold else 0.0
            rows[n, 7] = backward if backward >= threshold else 0.0
            n += 1
        connections.starts[e + 1] = n


@inner
def connect(
    connections: Connections, edge: int, backward: int, x: float, y: float
) -> tuple[float, float, float, float]:
    """Follow an edge from a placed landmark.

    The best cell by c exp(-|x - a1| / b1) f2(a2) says where to; the others that agree with it,
    weighted by that score, sharpen the place.

    Parameters
    ----------
    connections
        Of all edges.
    edge, backward
        The edge; 1 if it is walked against its direction.
    x, y
        The placed landmark, cells.

    Returns
    -------
    score, x, y, spread
        Score 0 if no cell starts near the landmark.
    """
    rows = connections.rows
    # Unsigned, since a signed index might count from the end, which costs a test for each access.
    start, stop = np.uint64(connections.starts[edge]), np.uint64(connections.starts[edge + 1])
    source = np.uint64(3 if backward else 0)
    target = np.uint64(0 if backward else 3)
    rescored = np.uint64(7 if backward else 6)
    # Most cells belong to other garments. The nearest of a sample gives a score that those do not reach.
    nearest: int | np.int64 = -1
    least = np.float32(np.inf)
    for r in range(start, stop, np.uint64(_SAMPLE)):
        u = rows[r, source] - x
        v = rows[r, source + 1] - y
        if u * u + v * v < least and rows[r, rescored] > 0:
            least = u * u + v * v
            nearest = np.int64(r)
    floor = 0.0
    if nearest >= 0:
        floor = 0.9999 * _score_of(rows, np.uint64(nearest), source, rescored, x, y)
    best = 0.0
    index: int | np.int64 = -1
    for r in range(start, stop):
        u = rows[r, source] - x
        v = rows[r, source + 1] - y
        b = rows[r, source + 2]
        # exp(-t) < 1 / (1 + t^2 / 2)
        if 2 * b * b * rows[r, rescored] < floor * (2 * b * b + u * u + v * v):
            continue
        s = _score_of(rows, r, source, rescored, x, y)
        if s > best:
            best = s
            index = np.int64(r)
            floor = max(floor, 0.9999 * best)
    if index < 0:
        return 0.0, 0.0, 0.0, 0.0
    tx, ty, b = rows[index, target], rows[index, target + 1], rows[index, target + 2]
    weight = sum_x = sum_y = 0.0
    for r in range(start, stop):
        u = rows[r, target] - tx
        v = rows[r, target + 1] - ty
        if rows[r, rescored] <= 0 or u * u + v * v > b * b:
            continue
        s = _score_of(rows, r, source, rescored, x, y)
        weight += s
        sum_x += s * rows[r, target]
        sum_y += s * rows[r, target + 1]
    return best, sum_x / weight, sum_y / weight, b


@inner
def _score_of(
    rows: Float32, r: _Index, source: np.uint64, rescored: np.uint64, x: float, y: float
) -> float:
    """Score of a row's cell from a placed landmark: c exp(-|x - a1| / b1) f2(a2)."""
    u, v = np.float64(rows[r, source] - x), np.float64(rows[r, source + 1] - y)
    d = np.float32(math.sqrt(u * u + v * v))  # what hypotf does, in line
    return float(rows[r, rescored] * math.exp(-d / rows[r, source + 2]))
