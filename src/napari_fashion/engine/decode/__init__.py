"""From fields to garments: the greedy PifPaf decoder.

The method is that of Kreiss, Bertoni and Alahi, "PifPaf" (CVPR 2019) and "OpenPifPaf" (T-ITS
2021): a high-resolution confidence map f is accumulated from the PIF; its strong places are
seeds; from a placed landmark the PAF leads to the next one, the surest connection first, each
confirmed by the way back; what a garment occupies seeds no other and belongs to the better one.

Everything here is in cells. The loops are compiled by numba once, on the first call on a machine
(then read from its cache), and release the GIL: images can be decoded in threads.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode.options import PUBLISHED, DecoderOptions
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema

__all__ = [
    "PUBLISHED",
    "RESOLUTION",
    "DecodedGarment",
    "DecoderOptions",
    "confidence_map",
    "decode_fields",
]

Float32 = NDArray[np.float32]
_Function = TypeVar("_Function", bound=Callable[..., Any])

RESOLUTION = 4
"""Samples a cell of the high-resolution confidence map, along each axis."""

_REACH = 2.0  # a Gaussian ends after so many of its sigmas
_KERNEL = 0.5  # sigma of a PIF cell's Gaussian, in landmark sizes: half of what people differ by
_MAX_KERNEL = 4.0  # cells: an exploded size must not cost a map of work for each cell
_MIN_KERNEL = 0.25  # cells: the map's sampling step, below which a Gaussian falls between samples
_SHARPEST = 0.1  # cells: no PIF cell is surer of its place than this
_MIN_SPREAD = 1.0  # cells: a very sure PAF end still reaches the cells around it
_WINDOW = 3  # cells to each side in which PIF cells know about a landmark
_WEAK_PIF = 0.02  # what counts as evidence when every landmark must get a place
_GUESS = 1e-3  # score of a landmark that nothing at all speaks for, in landmark thresholds


@dataclass(frozen=True, eq=False)
class DecodedGarment:
    """One garment in cells.

    Attributes
    ----------
    xy
        (K, 2) float32, cells, x then y; 0 where the score is 0.
    scores
        (K,) float32, 0..1; 0 is a landmark that was not found.
    spread
        (K,) float32, cells: Laplace scale of the position; 0 where the score is 0.
    score
        Mean score over the landmarks that the garment's body type has.
    """

    xy: Float32
    scores: Float32
    spread: Float32
    score: float


def decode_fields(
    fields: Fields,
    schema: Schema | None = None,
    options: DecoderOptions | None = None,
    *,
    landmark_sets: Sequence[Sequence[int]] | None = None,
) -> list[DecodedGarment]:
    """Find the garments in the fields of one image, best score first.

    Parameters
    ----------
    fields
        Cells with a non-finite value count as confidence 0.
    schema
        Its body types are the sets of landmarks that a garment is scored over.
    options
        Thresholds and modes; the defaults when None.
    landmark_sets
        Instead of the schema's body types, such as those of one category. With neither, a
        garment is scored over all landmarks.

    Raises
    ------
    ValueError
        If schema or sets do not fit the K landmarks of the fields.
    """
    options = options or DecoderOptions()
    k = fields.n_landmarks
    sets = _set_masks(fields, schema, landmark_sets)
    if k == 0 or min(fields.grid) == 0:
        return []
    pif = tuple(
        map(_plain, (fields.pif_confidence, fields.pif_xy, fields.pif_size, fields.pif_spread))
    )
    paf = tuple(
        map(
            _plain,
            (
                fields.paf_confidence,
                fields.paf_xy1,
                fields.paf_xy2,
                fields.paf_spread1,
                fields.paf_spread2,
            ),
        )
    )
    starts, ways = _ways(k, fields.edges)
    n_cells = options.cells_per_landmark

    if options.single_instance:
        weak = _confidence(pif, _WEAK_PIF, n_cells, "weak")
        xy, scores, spread = _single(
            pif,
            paf,
            weak,
            starts,
            ways,
            # What is seen at all is a better place than any that is made up.
            0.0 if options.force_complete else options.landmark_threshold,
            options.paf_weight,
        )
    else:
        strong = _confidence(pif, options.pif_threshold, n_cells, "strong")
        xy, scores, spread = _greedy(
            pif,
            paf,
            strong,
            starts,
            ways,
            sets,
            options.seed_threshold,
            options.paf_threshold,
            options.paf_floor,
            options.landmark_threshold,
            options.garment_threshold,
            options.min_landmarks,
        )
    totals = [float(_garment_score(s, sets)) for s in scores]
    if options.force_complete and len(scores):
        if not options.single_instance:
            weak = _confidence(pif, _WEAK_PIF, n_cells, "weak")
        for i in range(len(scores)):
            _complete(
                pif,
                paf,
                weak,
                starts,
                ways,
                xy[i],
                scores[i],
                spread[i],
                options.landmark_threshold,
            )
    order = sorted(range(len(totals)), key=lambda i: -totals[i])
    return [DecodedGarment(xy[i], scores[i], spread[i], totals[i]) for i in order]


def confidence_map(
    fields: Fields, *, threshold: float = 0.3, cells_per_landmark: float = 16.0
) -> Float32:
    """High-resolution confidence f, (K, RESOLUTION * H, RESOLUTION * W), 0..1.

    ``f(x, y)`` is the sum over PIF cells of c N(x, y | x_cell, y_cell, sigma), N an unnormalised
    Gaussian that ends at 2 sigma, divided by how many of the `cells_per_landmark` cells in a square
    around the place are in the grid, and cut at 1. Sample i lies at cell
    ``(i + 0.5) / RESOLUTION - 0.5``.
    """
    pif = tuple(
        map(_plain, (fields.pif_confidence, fields.pif_xy, fields.pif_size, fields.pif_spread))
    )
    f = _confidence(pif, threshold, cells_per_landmark, "weak")
    return np.minimum(f, np.float32(1))


# -- arguments -----------------------------------------------------------------------------------


def _plain(array: Float32) -> Float32:
    """Return the array, writable: numba compiles anew for read-only ones."""
    return array if array.flags.writeable else array.copy()


def _set_masks(
    fields: Fields, schema: Schema | None, landmark_sets: Sequence[Sequence[int]] | None
) -> NDArray[np.bool_]:
    k = fields.n_landmarks
    if schema is not None and schema.n_landmarks != k:
        raise ValueError(
            f"The fields have {k} landmarks, schema {schema.name!r} has {schema.n_landmarks}; "
            "decode with the schema of the model that made the fields."
        )
    if landmark_sets is None:
        members = [range(k)] if schema is None else [m for _, m in schema.body_types]
        return _masks(k, tuple(map(tuple, members)))
    sets = tuple(tuple(int(i) for i in s) for s in landmark_sets)
    if not sets or any(not s or min(s) < 0 or max(s) >= k for s in sets):
        raise ValueError(f"landmark_sets is {sets}; expected non-empty sets of 0..{k - 1}.")
    return _masks(k, sets)


@lru_cache(maxsize=64)
def _masks(k: int, sets: tuple[tuple[int, ...], ...]) -> NDArray[np.bool_]:
    masks = np.zeros((len(sets), k), np.bool_)
    for mask, members in zip(masks, sets, strict=True):
        mask[list(members)] = True
    return masks


@lru_cache(maxsize=64)
def _ways(
    k: int, edges: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sort the 2E directed edges by their source.

    Returns
    -------
    starts
        (K + 1,): the ways from landmark k are ``ways[starts[k]:starts[k + 1]]``.
    ways
        (2E, 3): edge, 1 when it is walked against its direction, landmark it leads to.
    """
    outgoing: list[list[tuple[int, int, int]]] = [[] for _ in range(k)]
    for e, (a, b) in enumerate(edges):
        outgoing[a].append((e, 0, b))
        outgoing[b].append((e, 1, a))
    starts = np.cumsum([0, *map(len, outgoing)]).astype(np.int64)
    ways = np.array([way for group in outgoing for way in group], np.int64).reshape(-1, 3)
    return starts, ways


# -- the confidence map --------------------------------------------------------------------------

_memory = threading.local()


def _confidence(
    pif: tuple[Float32, ...], threshold: float, cells_per_landmark: float, slot: str
) -> Float32:
    """Accumulate the map in memory that this thread's next call with the same slot uses again."""
    k, h, w = pif[0].shape
    shape = (k, h * RESOLUTION, w * RESOLUTION)
    f, extent = getattr(_memory, slot, (None, None))
    if f is None or extent is None or f.shape != shape:
        f = np.zeros(shape, np.float32)
        extent = _no_extent(k, h * RESOLUTION)
        setattr(_memory, slot, (f, extent))
    side = float(np.sqrt(cells_per_landmark))
    _accumulate(pif[0], pif[1], pif[2], np.float32(threshold), side, f, extent)
    return cast(Float32, f)


def _no_extent(k: int, rows: int) -> NDArray[np.int32]:
    extent = np.zeros((k, rows, 2), np.int32)
    extent[..., 0] = np.iinfo(np.int32).max
    return extent


def _compiled(function: _Function) -> _Function:
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


@_compiled
def _kernel(size: float) -> float:
    """Sigma of a PIF cell's Gaussian, cells."""
    return float(min(max(_KERNEL * size, _MIN_KERNEL), _MAX_KERNEL))


@_compiled
def _cells_there(at: float, cells: int, side: float) -> float:
    """How many of the `side` cells around a place, along one axis, the grid has; at least 1."""
    low = max(at - side / 2, -0.5)
    high = min(at + side / 2, cells - 0.5)
    return max(high - low, 1.0)


@_compiled
def _accumulate(
    confidence: Float32,
    xy: Float32,
    size: Float32,
    threshold: np.float32,
    side: float,
    f: Float32,
    extent: NDArray[np.int32],
) -> None:
    """Make the map; `extent` holds which part of each of its rows is not zero, start and stop."""
    n_landmarks, rows, columns = f.shape
    _, height, width = confidence.shape
    across = np.empty(columns, np.float32)
    for k in range(n_landmarks):
        for r in range(rows):
            if extent[k, r, 1] > 0:
                f[k, r, extent[k, r, 0] : extent[k, r, 1]] = 0
                extent[k, r, 0] = columns
                extent[k, r, 1] = 0
        for j in range(height):
            for i in range(width):
                c = confidence[k, j, i]
                if not c >= threshold:  # so written, NaN is passed over
                    continue
                x = (xy[k, 0, j, i] + 0.5) * RESOLUTION - 0.5
                y = (xy[k, 1, j, i] + 0.5) * RESOLUTION - 0.5
                s = _kernel(size[k, j, i]) * RESOLUTION
                if not (math.isfinite(c) and math.isfinite(x + y + size[k, j, i])):
                    continue
                reach = _REACH * s
                x0 = max(0, math.ceil(max(x - reach, -1.0)))
                x1 = min(columns, math.floor(min(x + reach, columns + 1.0)) + 1)
                y0 = max(0, math.ceil(max(y - reach, -1.0)))
                y1 = min(rows, math.floor(min(y + reach, rows + 1.0)) + 1)
                if x0 >= x1 or y0 >= y1:
                    continue
                # exp(-(x+1)^2/2s^2) follows from exp(-x^2/2s^2) by two products.
                narrow = 0.5 / (s * s)
                value = math.exp(-narrow * (x0 - x) ** 2)
                ratio = math.exp(-narrow * (2 * (x0 - x) + 1))
                bend = math.exp(-2 * narrow)
                for column in range(x0, x1):
                    across[column] = value
                    value *= ratio
                    ratio *= bend
                weight = min(c, np.float32(1)) / np.float32(
                    _cells_there(xy[k, 0, j, i], width, side)
                    * _cells_there(xy[k, 1, j, i], height, side)
                )
                value = math.exp(-narrow * (y0 - y) ** 2)
                ratio = math.exp(-narrow * (2 * (y0 - y) + 1))
                for row in range(y0, y1):
                    down = np.float32(weight * value)
                    line = f[k, row]
                    for column in range(x0, x1):
                        line[column] += down * across[column]
                    extent[k, row, 0] = min(extent[k, row, 0], x0)
                    extent[k, row, 1] = max(extent[k, row, 1], x1)
                    value *= ratio
                    ratio *= bend


@_compiled
def _look_up(f: Float32, k: int, x: float, y: float) -> float:
    """Map of landmark k at a position in cells, between its samples linearly; 0 outside."""
    rows, columns = f.shape[1:]
    u = (x + 0.5) * RESOLUTION - 0.5
    v = (y + 0.5) * RESOLUTION - 0.5
    # Half the landmarks at the very border are regressed to just outside of it.
    if not (-RESOLUTION <= u <= columns - 1 + RESOLUTION):
        return 0.0
    if not (-RESOLUTION <= v <= rows - 1 + RESOLUTION):
        return 0.0
    u = min(max(u, 0.0), columns - 1.0)
    v = min(max(v, 0.0), rows - 1.0)
    i = min(int(u), columns - 2)
    j = min(int(v), rows - 2)
    p = u - i
    q = v - j
    top = (1 - p) * f[k, j, i] + p * f[k, j, i + 1]
    bottom = (1 - p) * f[k, j + 1, i] + p * f[k, j + 1, i + 1]
    return float(min((1 - q) * top + q * bottom, 1.0))


# -- one landmark --------------------------------------------------------------------------------


@_compiled
def _settle(
    pif: tuple[Float32, ...], k: int, x: float, y: float, least: float
) -> tuple[float, float, float, float, float]:
    """Move a position to the mean of what the PIF cells around it say: one mean-shift step.

    A cell counts by its confidence and, as a measurement does, over the square of its spread.

    Returns
    -------
    x, y, spread, size, weight
        Weight 0 says that no cell speaks for the place; the position is then the given one.
    """
    confidence, xy, size, spread = pif
    height, width = confidence.shape[1:]
    column = round(min(max(x, 0.0), width - 1.0))
    row = round(min(max(y, 0.0), height - 1.0))
    weight = sum_x = sum_y = sum_spread = sum_size = 0.0
    for j in range(max(row - _WINDOW, 0), min(row + _WINDOW + 1, height)):
        for i in range(max(column - _WINDOW, 0), min(column + _WINDOW + 1, width)):
            c = confidence[k, j, i]
            if not (c >= least and math.isfinite(c)):
                continue
            u = xy[k, 0, j, i]
            v = xy[k, 1, j, i]
            if not math.isfinite(size[k, j, i]):
                continue
            s = _kernel(size[k, j, i])
            d = ((u - x) ** 2 + (v - y) ** 2) / (s * s)
            if not d <= _REACH * _REACH:
                continue
            g = min(c, np.float32(1)) * math.exp(-0.5 * d)
            b = spread[k, j, i] if math.isfinite(spread[k, j, i]) else np.float32(1)
            g /= max(b, _SHARPEST) ** 2
            weight += g
            sum_x += g * u
            sum_y += g * v
            sum_size += g * min(size[k, j, i], np.float32(_MAX_KERNEL / _KERNEL))
            sum_spread += g * b
    if weight <= 0:
        return x, y, 0.0, 0.0, 0.0
    return sum_x / weight, sum_y / weight, sum_spread / weight, sum_size / weight, weight


@_compiled
def _associations(
    paf: tuple[Float32, ...],
    edges: NDArray[np.int64],
    f: Float32,
    threshold: float,
    floor: float,
) -> tuple[NDArray[np.int64], Float32]:
    """Gather the PAF cells that lead somewhere.

    Returns
    -------
    starts
        (E + 1,): the rows of edge e are ``rows[starts[e]:starts[e + 1]]``.
    rows
        (n, 8): x1, y1, b1, x2, y2, b2, confidence rescored at end 2, rescored at end 1.
    """
    confidence, xy1, xy2, spread1, spread2 = paf
    n_edges, height, width = confidence.shape
    n = 0
    for e in range(n_edges):
        for j in range(height):
            for i in range(width):
                if confidence[e, j, i] >= threshold:
                    n += 1
    starts = np.zeros(n_edges + 1, np.int64)
    rows = np.empty((n, 8), np.float32)
    n = 0
    for e in range(n_edges):
        for j in range(height):
            for i in range(width):
                c = confidence[e, j, i]
                if not (c >= threshold and math.isfinite(c)):
                    continue
                c = min(c, np.float32(1))
                x1, y1 = xy1[e, 0, j, i], xy1[e, 1, j, i]
                x2, y2 = xy2[e, 0, j, i], xy2[e, 1, j, i]
                b1, b2 = spread1[e, j, i], spread2[e, j, i]
                if not math.isfinite(x1 + y1 + x2 + y2 + b1 + b2):
                    continue
                forward = c * (floor + (1 - floor) * _look_up(f, edges[e, 1], x2, y2))
                backward = c * (floor + (1 - floor) * _look_up(f, edges[e, 0], x1, y1))
                if forward < threshold and backward < threshold:
                    continue
                rows[n, 0], rows[n, 1], rows[n, 2] = x1, y1, max(b1, _MIN_SPREAD)
                rows[n, 3], rows[n, 4], rows[n, 5] = x2, y2, max(b2, _MIN_SPREAD)
                rows[n, 6] = forward if forward >= threshold else 0.0
                rows[n, 7] = backward if backward >= threshold else 0.0
                n += 1
        starts[e + 1] = n
    return starts, rows[:n]


@_compiled
def _connect(
    rows: Float32, start: int, stop: int, backward: int, x: float, y: float
) -> tuple[float, float, float, float]:
    """Follow an edge from a placed landmark.

    The best cell by c exp(-|x - a1| / b1) f2(a2) says where to; the others that agree with it,
    weighted by that score, sharpen the place.

    Returns
    -------
    score, x, y, spread
        Score 0 where no cell starts near the landmark.
    """
    source = 3 if backward else 0
    target = 0 if backward else 3
    rescored = 7 if backward else 6
    best = 0.0
    index = -1
    for r in range(start, stop):
        s = rows[r, rescored]
        if s <= best:
            continue
        d = math.hypot(rows[r, source] - x, rows[r, source + 1] - y)
        s *= math.exp(-d / rows[r, source + 2])
        if s > best:
            best = s
            index = r
    if index < 0:
        return 0.0, 0.0, 0.0, 0.0
    tx, ty, b = rows[index, target], rows[index, target + 1], rows[index, target + 2]
    weight = sum_x = sum_y = 0.0
    for r in range(start, stop):
        u = rows[r, target] - tx
        v = rows[r, target + 1] - ty
        if rows[r, rescored] <= 0 or u * u + v * v > b * b:
            continue
        d = math.hypot(rows[r, source] - x, rows[r, source + 1] - y)
        s = rows[r, rescored] * math.exp(-d / rows[r, source + 2])
        weight += s
        sum_x += s * rows[r, target]
        sum_y += s * rows[r, target + 1]
    return best, sum_x / weight, sum_y / weight, b


# -- greedy decoding -----------------------------------------------------------------------------


@_compiled
def _seeds(
    pif: tuple[Float32, ...], f: Float32, least: float
) -> tuple[NDArray[np.int64], Float32, Float32]:
    """Landmark (n,), position (n, 2) and score (n,) of the PIF cells strong enough; best first."""
    confidence, xy, size, _ = pif
    n_landmarks, height, width = confidence.shape
    where = []
    for k in range(n_landmarks):
        for j in range(height):
            for i in range(width):
                # A sure map needs several sure cells, and one of them is at least as sure.
                if not confidence[k, j, i] >= least:
                    continue
                value = _look_up(f, k, xy[k, 0, j, i], xy[k, 1, j, i])
                if value >= least and math.isfinite(size[k, j, i]):
                    where.append((value, k, xy[k, 0, j, i], xy[k, 1, j, i]))
    n = len(where)
    scores = np.empty(n, np.float32)
    for s in range(n):
        scores[s] = where[s][0]
    order = np.argsort(-scores, kind="mergesort")
    landmarks = np.empty(n, np.int64)
    positions = np.empty((n, 2), np.float32)
    for s in range(n):
        _, landmarks[s], positions[s, 0], positions[s, 1] = where[order[s]]
    return landmarks, positions, scores[order]


@_compiled
def _grow(
    pif: tuple[Float32, ...],
    row_starts: NDArray[np.int64],
    rows: Float32,
    starts: NDArray[np.int64],
    ways: NDArray[np.int64],
    seed: int,
    least: float,
    xy: Float32,
    scores: Float32,
    spread: Float32,
    sizes: Float32,
) -> None:
    """Grow one garment from its seed, which is in place, along the surest connection first."""
    n_landmarks = xy.shape[0]
    offers = np.zeros((n_landmarks, 5), np.float32)  # score, x, y, spread, its way
    tried = np.zeros(ways.shape[0], np.bool_)
    landmark = seed
    while True:
        for w in range(starts[landmark], starts[landmark + 1]):
            target = ways[w, 2]
            if scores[target] == 0:
                _offer(row_starts, rows, ways, w, landmark, xy, scores, offers)
        while True:
            landmark = int(np.argmax(offers[:, 0]))
            score = offers[landmark, 0]
            if score < least or score <= 0:
                return
            x, y = offers[landmark, 1], offers[landmark, 2]
            w = int(offers[landmark, 4])
            offers[landmark, 0] = 0
            tried[w] = True
            edge, backward, _ = ways[w]
            source = _source(starts, w)
            back, u, v, _ = _connect(
                rows, row_starts[edge], row_starts[edge + 1], 1 - backward, x, y
            )
            tolerance = max(sizes[source], _MIN_SPREAD)
            if back > 0 and math.hypot(u - xy[source, 0], v - xy[source, 1]) <= tolerance:
                break
            # Refused: the next best way that leads here from what is already placed.
            for other in range(starts[landmark], starts[landmark + 1]):
                origin = ways[other, 2]
                if scores[origin] > 0:
                    for w in range(starts[origin], starts[origin + 1]):
                        if ways[w, 2] == landmark and not tried[w]:
                            _offer(row_starts, rows, ways, w, origin, xy, scores, offers)
        b = offers[landmark, 3]
        x, y, settled_spread, size, weight = _settle(pif, landmark, x, y, _WEAK_PIF)
        xy[landmark, 0], xy[landmark, 1] = x, y
        scores[landmark] = min(score, 1.0)
        spread[landmark] = settled_spread if weight > 0 else b
        sizes[landmark] = size


@_compiled
def _offer(
    row_starts: NDArray[np.int64],
    rows: Float32,
    ways: NDArray[np.int64],
    w: int,
    landmark: int,
    xy: Float32,
    scores: Float32,
    offers: Float32,
) -> None:
    """Keep where way `w` leads from a placed landmark if nothing leads there more surely."""
    edge, backward, target = ways[w]
    s, x, y, b = _connect(
        rows, row_starts[edge], row_starts[edge + 1], backward, xy[landmark, 0], xy[landmark, 1]
    )
    # A landmark is as sure as its connection and where it comes from: the geometric mean.
    score = math.sqrt(s * scores[landmark])
    if score > offers[target, 0]:
        offers[target, 0] = score
        offers[target, 1] = x
        offers[target, 2] = y
        offers[target, 3] = b
        offers[target, 4] = w


@_compiled
def _source(starts: NDArray[np.int64], w: int) -> int:
    """Landmark that a way starts from."""
    return int(np.searchsorted(starts, w, side="right")) - 1


@_compiled
def _garment_score(scores: Float32, sets: NDArray[np.bool_]) -> float:
    """Mean over the landmarks of the set that fits the found ones best, and those beside it.

    Best is the set that lacks the fewest of the found landmarks, then the one of which the
    fewest are missing.
    """
    n_sets, n_landmarks = sets.shape
    total = 0.0
    for k in range(n_landmarks):
        total += scores[k]
    best_foreign = n_landmarks + 1
    best_missing = n_landmarks + 1
    count = n_landmarks
    for s in range(n_sets):
        foreign = missing = found = 0
        for k in range(n_landmarks):
            if scores[k] > 0:
                found += 1
                foreign += not sets[s, k]
            else:
                missing += sets[s, k]
        if foreign < best_foreign or (foreign == best_foreign and missing < best_missing):
            best_foreign = foreign
            best_missing = missing
            count = found + missing
    return float(total / max(count, 1))


@_compiled
def _greedy(
    pif: tuple[Float32, ...],
    paf: tuple[Float32, ...],
    f: Float32,
    starts: NDArray[np.int64],
    ways: NDArray[np.int64],
    sets: NDArray[np.bool_],
    seed_threshold: float,
    paf_threshold: float,
    paf_floor: float,
    landmark_threshold: float,
    garment_threshold: float,
    min_landmarks: int,
) -> tuple[Float32, Float32, Float32]:
    """Decode all garments: (n, K, 2) positions, (n, K) scores, (n, K) spreads."""
    n_landmarks = f.shape[0]
    edges = np.zeros((paf[0].shape[0], 2), np.int64)
    for w in range(ways.shape[0]):
        edges[ways[w, 0], 1 - ways[w, 1]] = ways[w, 2]
    row_starts, rows = _associations(paf, edges, f, paf_threshold, paf_floor)
    seed_landmarks, seed_xy, seed_scores = _seeds(pif, f, seed_threshold)

    capacity = 8
    n = 0
    xy = np.zeros((capacity, n_landmarks, 2), np.float32)
    # Score, spread and size of the landmarks.
    values = np.zeros((3, capacity, n_landmarks), np.float32)
    for s in range(len(seed_landmarks)):
        k = seed_landmarks[s]
        if _occupied(xy, values, n, k, seed_xy[s, 0], seed_xy[s, 1]):
            continue
        x, y, b, size, _ = _settle(pif, k, seed_xy[s, 0], seed_xy[s, 1], _WEAK_PIF)
        if n == capacity:
            capacity *= 2
            more_xy = np.zeros((capacity, n_landmarks, 2), np.float32)
            more_xy[:n] = xy
            xy = more_xy
            more = np.zeros((3, capacity, n_landmarks), np.float32)
            more[:, :n] = values
            values = more
        xy[n, k, 0], xy[n, k, 1] = x, y
        values[0, n, k] = max(_look_up(f, k, x, y), seed_scores[s])
        values[1, n, k] = b
        values[2, n, k] = size
        _grow(
            pif,
            row_starts,
            rows,
            starts,
            ways,
            k,
            landmark_threshold,
            xy[n],
            values[0, n],
            values[1, n],
            values[2, n],
        )
        n += 1

    # A place belongs to the better garment.
    totals = np.empty(n, np.float32)
    for i in range(n):
        totals[i] = _garment_score(values[0, i], sets)
    order = np.argsort(-totals, kind="mergesort")
    kept_xy = np.zeros((n, n_landmarks, 2), np.float32)
    kept = np.zeros((3, n, n_landmarks), np.float32)
    m = 0
    for i in order:
        found = 0
        joined = False
        for k in range(n_landmarks):
            if values[0, i, k] > 0 and not _occupied(kept_xy, kept, m, k, xy[i, k, 0], xy[i, k, 1]):
                found += 1
                joined |= starts[k + 1] > starts[k]
                kept_xy[m, k] = xy[i, k]
                kept[:, m, k] = values[:, i, k]
            else:
                kept_xy[m, k] = 0
                kept[:, m, k] = 0
        enough = found >= min_landmarks or (found > 0 and not joined)
        if enough and _garment_score(kept[0, m], sets) >= garment_threshold:
            m += 1
    return kept_xy[:m], kept[0, :m], kept[1, :m]


@_compiled
def _occupied(xy: Float32, values: Float32, n: int, k: int, x: float, y: float) -> bool:
    """Whether landmark k of one of the first n garments is nearer than its size."""
    for i in range(n):
        if values[0, i, k] > 0:
            radius = max(values[2, i, k], 2 * _MIN_KERNEL)
            if (xy[i, k, 0] - x) ** 2 + (xy[i, k, 1] - y) ** 2 < radius * radius:
                return True
    return False


# -- every landmark ------------------------------------------------------------------------------


@_compiled
def _best_place(
    pif: tuple[Float32, ...],
    f: Float32,
    k: int,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    taken: Float32,
    radius: float,
) -> tuple[float, float, float]:
    """Value, x and y of the PIF target with the highest map inside a box.

    Ties, and places the map knows nothing of, go by the cell's own confidence. Targets nearer
    than `radius` to one of the (n, 2) `taken` are passed over. Value 0: there is none.
    """
    confidence, xy, _, _ = pif
    height, width = confidence.shape[1:]
    best = bx = by = 0.0
    for j in range(height):
        for i in range(width):
            c = confidence[k, j, i]
            if not (c > 0 and math.isfinite(c)):
                continue
            x, y = xy[k, 0, j, i], xy[k, 1, j, i]
            if not (x0 <= x <= x1 and y0 <= y <= y1):
                continue
            value = _look_up(f, k, x, y) + 1e-2 * min(c, np.float32(1))
            if value <= best:
                continue
            free = True
            for t in range(taken.shape[0]):
                if math.hypot(taken[t, 0] - x, taken[t, 1] - y) < radius:
                    free = False
                    break
            if free:
                best, bx, by = value, x, y
    return best, bx, by


@_compiled
def _complete(
    pif: tuple[Float32, ...],
    paf: tuple[Float32, ...],
    f: Float32,
    starts: NDArray[np.int64],
    ways: NDArray[np.int64],
    xy: Float32,
    scores: Float32,
    spread: Float32,
    landmark_threshold: float,
) -> None:
    """Place what is missing of one garment; see `DecoderOptions.force_complete`."""
    n_landmarks, height, width = pif[0].shape
    limit = max(landmark_threshold, 1e-3)
    # The garment's region: its box and half of its size around it.
    x0 = y0 = np.inf
    x1 = y1 = -np.inf
    for k in range(n_landmarks):
        if scores[k] > 0:
            x0, x1 = min(x0, xy[k, 0]), max(x1, xy[k, 0])
            y0, y1 = min(y0, xy[k, 1]), max(y1, xy[k, 1])
    if x0 > x1:
        x0, x1, y0, y1 = 0.0, width - 1.0, 0.0, height - 1.0
    margin = 0.5 * max(x1 - x0, y1 - y0) + _WINDOW
    x0, x1, y0, y1 = x0 - margin, x1 + margin, y0 - margin, y1 + margin

    nothing = np.zeros((0, 2), np.float32)
    offers = np.zeros((n_landmarks, 4), np.float32)  # score, x, y, spread
    fresh = scores > 0
    while True:
        for landmark in range(n_landmarks):
            if not fresh[landmark]:
                continue
            fresh[landmark] = False
            for w in range(starts[landmark], starts[landmark + 1]):
                target = ways[w, 2]
                if scores[target] == 0:
                    _faint_offer(paf, f, ways, w, xy[landmark], x0, y0, x1, y1, offers)
        k = int(np.argmax(offers[:, 0]))
        if offers[k, 0] < _WEAK_PIF:
            break
        x, y, b, _, weight = _settle(pif, k, offers[k, 1], offers[k, 2], _WEAK_PIF)
        xy[k, 0], xy[k, 1] = x, y
        scores[k] = limit * min(max(offers[k, 0], _GUESS), 0.99)
        spread[k] = b if weight > 0 else offers[k, 3]
        offers[k, 0] = 0
        fresh[k] = True

    for k in range(n_landmarks):
        if scores[k] > 0:
            continue
        value, x, y = _best_place(pif, f, k, x0, y0, x1, y1, nothing, 0.0)
        if value == 0:
            value, x, y = _best_place(
                pif, f, k, -1.0, -1.0, float(width), float(height), nothing, 0.0
            )
        if value == 0:
            x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
        x, y, b, _, weight = _settle(pif, k, x, y, 0.0)
        xy[k, 0] = min(max(x, -0.5), width - 0.5)
        xy[k, 1] = min(max(y, -0.5), height - 0.5)
        scores[k] = limit * min(max(value, _GUESS), 0.99)
        spread[k] = b if weight > 0 else margin


@_compiled
def _faint_offer(
    paf: tuple[Float32, ...],
    f: Float32,
    ways: NDArray[np.int64],
    w: int,
    origin: Float32,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    offers: Float32,
) -> None:
    """Keep the best that any PAF cell of way `w` says, without thresholds, inside a box."""
    confidence, xy1, xy2, spread1, spread2 = paf
    e, backward, target = ways[w]
    _, height, width = confidence.shape
    for j in range(height):
        for i in range(width):
            c = confidence[e, j, i]
            if not (c > offers[target, 0] and math.isfinite(c)):
                continue
            if backward:
                ax, ay, a = xy2[e, 0, j, i], xy2[e, 1, j, i], spread2[e, j, i]
                bx, by, b = xy1[e, 0, j, i], xy1[e, 1, j, i], spread1[e, j, i]
            else:
                ax, ay, a = xy1[e, 0, j, i], xy1[e, 1, j, i], spread1[e, j, i]
                bx, by, b = xy2[e, 0, j, i], xy2[e, 1, j, i], spread2[e, j, i]
            if not (x0 <= bx <= x1 and y0 <= by <= y1 and math.isfinite(ax + ay + a + b)):
                continue
            d = math.hypot(ax - origin[0], ay - origin[1])
            s = min(c, np.float32(1)) * math.exp(-d / max(a, _MIN_SPREAD))
            s *= 0.1 + 0.9 * _look_up(f, target, bx, by)
            if s > offers[target, 0]:
                offers[target, 0] = s
                offers[target, 1] = bx
                offers[target, 2] = by
                offers[target, 3] = b


# -- exactly one garment -------------------------------------------------------------------------

_RIVALS = 4  # places considered for each landmark


@_compiled
def _single(
    pif: tuple[Float32, ...],
    paf: tuple[Float32, ...],
    f: Float32,
    starts: NDArray[np.int64],
    ways: NDArray[np.int64],
    landmark_threshold: float,
    weight: float,
) -> tuple[Float32, Float32, Float32]:
    """One garment: each landmark's rivals by the map, chosen so that the PAF agrees.

    Maximises the sum of map values and of `weight` times the best PAF cell for each edge, one
    landmark at a time until nothing changes (iterated conditional modes).
    """
    n_landmarks, height, width = pif[0].shape
    place = np.zeros((n_landmarks, _RIVALS, 2), np.float32)
    value = np.zeros((n_landmarks, _RIVALS), np.float32)
    count = np.zeros(n_landmarks, np.int64)
    for k in range(n_landmarks):
        for r in range(_RIVALS):
            v, x, y = _best_place(
                pif,
                f,
                k,
                -1.0,
                -1.0,
                float(width),
                float(height),
                place[k, :r],
                float(_WINDOW),
            )
            if v == 0 or (r > 0 and v < 0.25 * value[k, 0]):
                break
            x, y, _, _, _ = _settle(pif, k, x, y, 0.0)
            place[k, r, 0], place[k, r, 1] = x, y
            value[k, r] = _look_up(f, k, x, y)
            count[k] = r + 1

    support = np.zeros((paf[0].shape[0], _RIVALS, _RIVALS), np.float32)
    for a in range(n_landmarks):
        for w in range(starts[a], starts[a + 1]):
            e, backward, b = ways[w]
            if not backward and count[a] * count[b] > 1:
                _support(paf, e, place[a, : count[a]], place[b, : count[b]], support[e])

    chosen = np.zeros(n_landmarks, np.int64)
    for _ in range(10):
        changed = False
        for k in range(n_landmarks):
            best = -1.0
            pick = chosen[k]
            for r in range(count[k]):
                total = value[k, r]
                for w in range(starts[k], starts[k + 1]):
                    e, backward, other = ways[w]
                    if backward:
                        total += weight * support[e, chosen[other], r]
                    else:
                        total += weight * support[e, r, chosen[other]]
                if total > best:
                    best = total
                    pick = r
            changed |= pick != chosen[k]
            chosen[k] = pick
        if not changed:
            break

    xy = np.zeros((1, n_landmarks, 2), np.float32)
    scores = np.zeros((1, n_landmarks), np.float32)
    spread = np.zeros((1, n_landmarks), np.float32)
    for k in range(n_landmarks):
        v = value[k, chosen[k]]
        if count[k] > 0 and v > 0 and v >= landmark_threshold:
            x, y, b, _, _ = _settle(pif, k, place[k, chosen[k], 0], place[k, chosen[k], 1], 0.0)
            xy[0, k, 0], xy[0, k, 1] = x, y
            scores[0, k] = v
            spread[0, k] = b
    return xy, scores, spread


@_compiled
def _support(
    paf: tuple[Float32, ...], e: int, first: Float32, second: Float32, support: Float32
) -> None:
    """For each pair of rivals the best c exp(-d1 / b1) exp(-d2 / b2) of the edge's cells."""
    confidence, xy1, xy2, spread1, spread2 = paf
    _, height, width = confidence.shape
    for j in range(height):
        for i in range(width):
            c = confidence[e, j, i]
            if not (c > _WEAK_PIF and math.isfinite(c)):
                continue
            x1, y1, b1 = xy1[e, 0, j, i], xy1[e, 1, j, i], spread1[e, j, i]
            x2, y2, b2 = xy2[e, 0, j, i], xy2[e, 1, j, i], spread2[e, j, i]
            if not math.isfinite(x1 + y1 + x2 + y2 + b1 + b2):
                continue
            c = min(c, np.float32(1))
            for p in range(first.shape[0]):
                d1 = math.hypot(x1 - first[p, 0], y1 - first[p, 1]) / max(b1, _MIN_SPREAD)
                if d1 >= 6:
                    continue
                for q in range(second.shape[0]):
                    d2 = math.hypot(x2 - second[q, 0], y2 - second[q, 1]) / max(b2, _MIN_SPREAD)
                    if d1 + d2 < 6:
                        s = c * math.exp(-d1 - d2)
                        if s > support[p, q]:
                            support[p, q] = s
