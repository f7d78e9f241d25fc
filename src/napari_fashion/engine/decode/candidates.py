"""The places that come into question for each landmark, with `DecoderOptions.single_instance`.

A candidate is the PIF target with the highest value (map, and a little of the cell's own confidence),
then the highest away from it, and so on. The whole map of every landmark would cost most of the time,
and nearly all of it is far below the best place. So every target's value is bounded from above first,
by the sum of the weights of all Gaussians that reach its cell; the map is made only where the bound
is high enough for a candidate. The result is that of the whole map, to the bit: Gaussians are added in
the same order.
"""

from __future__ import annotations

import math
import threading
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode.arguments import (
    ZERO,
    Cells,
    Float32,
    Float64,
    Int64,
    Pif,
    cells_from,
)
from napari_fashion.engine.decode.confidence import (
    RESOLUTION,
    WEAK_PIF,
    WINDOW,
    Int32,
    add_gaussian,
    clear,
    gaussian_of,
    kernel_of,
    look_up,
    settle,
    weight_of,
)

_CANDIDATES = 4  # places considered for each landmark
_SHARE = 0.25  # candidates have at least this share of the best one's value

_memory = threading.local()


class Workspace(NamedTuple):
    """Scratch memory of `_find_candidates`, for one landmark at a time."""

    f: Float32
    """(1, RESOLUTION * H, RESOLUTION * W): the map where it is needed."""
    extent: Int32
    """(1, RESOLUTION * H, 2): see `confidence.memory_of`."""
    sums: Float64
    """(H + 1, W + 1): sum of the Gaussians' weights that reach into a cell."""
    upper: Float32
    """(H * W,): upper bound of each PIF target's value; 0 for none."""
    needed: NDArray[np.uint8]
    """(H, W): cells in which the map is needed."""
    area: Int64
    """(4,): columns and rows of the needed cells, first and last."""
    boxes: Int32
    """(H * W, 4): what the Gaussians reach, in cells: columns and rows, first and last."""
    members: Int64
    """(H * W,): PIF cells whose target may be a candidate."""
    values: Float64
    """(H * W,): their values."""


class Candidates(NamedTuple):
    """The candidates of each landmark, best first."""

    xy: Float32
    """(K, 4, 2), cells"""
    value: Float32
    """(K, 4)"""
    n: Int64
    """(K,)"""


def candidates_of(pif: Pif, cells_per_landmark: float) -> Candidates:
    """Find the candidates of each landmark.

    Parameters
    ----------
    pif
        K landmarks.
    cells_per_landmark
        See `DecoderOptions`.
    """
    k, n = len(pif.confidence), _CANDIDATES
    candidates = Candidates(
        np.zeros((k, n, 2), np.float32), np.zeros((k, n), np.float32), np.zeros(k, np.int64)
    )
    cells = cells_from(pif.confidence, WEAK_PIF)
    side = float(np.sqrt(cells_per_landmark))
    _find_candidates(pif, cells, side, _workspace(pif.height, pif.width), candidates)
    return candidates


def _workspace(height: int, width: int) -> Workspace:
    """Return this thread's memory for a grid."""
    workspace = getattr(_memory, "workspace", None)
    if workspace is None or workspace.needed.shape != (height, width):
        n = height * width
        rows, columns = height * RESOLUTION, width * RESOLUTION
        workspace = Workspace(
            np.zeros((1, rows, columns), np.float32),
            np.zeros((1, rows, 2), np.int32),
            np.zeros((height + 1, width + 1)),
            np.empty(n, np.float32),
            np.zeros((height, width), np.uint8),
            np.array([width, -1, height, -1]),
            np.empty((n, 4), np.int32),
            np.empty(n, np.int64),
            np.empty(n),
        )
        workspace.extent[..., 0] = columns
        _memory.workspace = workspace
    return cast(Workspace, workspace)


@compiled
def _find_candidates(
    pif: Pif, cells: Cells, side: float, work: Workspace, candidates: Candidates
) -> None:
    """Find the candidates of each landmark."""
    n_cells = pif.height * pif.width
    for k in range(pif.confidence.shape[0]):
        _sum_weights(pif, cells, k, side, work)
        surest = _bound_values(pif, k, work)
        if surest < 0:
            continue
        least = 0.8 * _SHARE * _guess(pif, k, surest, side)
        while True:
            n = ZERO
            for p in range(n_cells):
                if work.upper[p] >= least and work.upper[p] > 0:
                    work.members[n] = p
                    n += 1
            _evaluate(pif, cells, k, side, n, work)
            best = _pick(pif, cells, k, side, n, work, candidates)
            # The best value, and what it admits beside it, are known now: seldom less than the guess.
            # What is no member is lower, so that the candidates are final.
            admitted = min(best, _SHARE * candidates.value[k, 0])
            if not admitted < least:  # negated so that NaN ends the loop too
                break
            least = 0.999 * admitted


@inner
def _sum_weights(pif: Pif, cells: Cells, k: int, side: float, work: Workspace) -> None:
    """For each cell, sum the weights of the Gaussians that reach the samples looked up in it."""
    rows, columns = work.f.shape[1:]
    sums, boxes = work.sums, work.boxes
    height, width = pif.height, pif.width
    for j in range(height + 1):
        for i in range(width + 1):
            sums[j, i] = 0
    # Differences at the corners of each box, then sums along both axes: four additions a Gaussian.
    first = cells.starts[k]
    for n in range(first, cells.starts[k + 1]):
        p = cells.flat[n] - k * height * width
        _, _, _, x0, x1, y0, y1 = gaussian_of(pif, k, p, rows, columns)
        m = n - first
        if x0 >= x1 or y0 >= y1:
            boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3] = 1, 0, 1, 0
            continue
        # What lies between the samples i and i + 1 is looked up in the cell of sample i.
        i0, i1 = max(x0 - 1, 0) // RESOLUTION, (x1 - 1) // RESOLUTION
        j0, j1 = max(y0 - 1, 0) // RESOLUTION, (y1 - 1) // RESOLUTION
        boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3] = i0, i1, j0, j1
        weight = weight_of(pif, k, p, side)
        sums[j0, i0] += weight
        sums[j0, i1 + 1] -= weight
        sums[j1 + 1, i0] -= weight
        sums[j1 + 1, i1 + 1] += weight
    for j in range(height):
        for i in range(1, width):
            sums[j, i] += sums[j, i - 1]
        if j > 0:
            for i in range(width):
                sums[j, i] += sums[j - 1, i]


@inner
def _cell_of(pif: Pif, x: float, y: float) -> tuple[int, int]:
    """Column and row of the cell in which the map at a position is looked up; see `look_up`."""
    columns, rows = pif.width * RESOLUTION, pif.height * RESOLUTION
    u = min(max((x + 0.5) * RESOLUTION - 0.5, 0.0), columns - 1.0)
    v = min(max((y + 0.5) * RESOLUTION - 0.5, 0.0), rows - 1.0)
    return min(int(u), columns - 2) // RESOLUTION, min(int(v), rows - 2) // RESOLUTION


@inner
def _bound_values(pif: Pif, k: int, work: Workspace) -> int:
    """Fill `upper`; return the PIF cell that is likely the best, -1 if no target is in the image."""
    surest = -1
    most = 0.0
    for p in range(pif.height * pif.width):
        work.upper[p] = 0
        c = pif.confidence[k, p]
        if not (c > 0 and math.isfinite(c)):
            continue
        x, y = pif.xy[k, 0, p], pif.xy[k, 1, p]
        if not (-1 <= x <= pif.width and -1 <= y <= pif.height):
            continue
        i, j = _cell_of(pif, np.float64(x), np.float64(y))
        # The map is summed in float32; the margin covers its rounding.
        c = min(c, np.float32(1))
        bound = min(1.01 * max(work.sums[j, i], 0.0) + 1e-5, 1.0) + 1e-2 * c
        work.upper[p] = bound
        if bound * c > most:
            most = bound * c
            surest = p
    return surest


@inner
def _guess(pif: Pif, k: int, p: int, side: float) -> float:
    """Guess the map at the target of PIF cell p from the cells around it."""
    x, y = pif.xy[k, 0, p], pif.xy[k, 1, p]
    row, column = p // pif.width, p % pif.width
    value = 0.0
    for j in range(max(row - WINDOW, 0), min(row + WINDOW + 1, pif.height)):
        for i in range(max(column - WINDOW, 0), min(column + WINDOW + 1, pif.width)):
            q = j * pif.width + i
            u, v = pif.xy[k, 0, q] - x, pif.xy[k, 1, q] - y
            sigma = kernel_of(pif.size[k, q])
            d = (u * u + v * v) / (2 * sigma * sigma)
            if pif.confidence[k, q] > WEAK_PIF and d <= 2:
                value += float(weight_of(pif, k, q, side)) * math.exp(-d)
    return min(value, 1.0)


@inner
def _evaluate(pif: Pif, cells: Cells, k: int, side: float, n: int, work: Workspace) -> None:
    """Compute the `values` of the first n `members`, from the map where it is needed for them."""
    area = work.area
    for j in range(area[2], area[3] + 1):
        for i in range(area[0], area[1] + 1):
            work.needed[j, i] = 0
    area[0], area[1], area[2], area[3] = pif.width, -1, pif.height, -1
    for m in range(n):
        p = work.members[m]
        i, j = _cell_of(pif, np.float64(pif.xy[k, 0, p]), np.float64(pif.xy[k, 1, p]))
        _need(work, i, j)
    _make_map(pif, cells, k, side, work)
    for m in range(n):
        p = work.members[m]
        x, y = np.float64(pif.xy[k, 0, p]), np.float64(pif.xy[k, 1, p])
        work.values[m] = look_up(work.f, ZERO, x, y) + 1e-2 * min(
            pif.confidence[k, p], np.float32(1)
        )


@inner
def _need(work: Workspace, i: int, j: int) -> None:
    """Mark a cell as needed."""
    area = work.area
    work.needed[j, i] = 1
    area[0], area[1] = min(area[0], i), max(area[1], i)
    area[2], area[3] = min(area[2], j), max(area[3], j)


@inner
def _make_map(pif: Pif, cells: Cells, k: int, side: float, work: Workspace) -> None:
    """Make the map of landmark k so that it is whole in the `needed` cells."""
    rows, columns = work.f.shape[1:]
    boxes, needed = work.boxes, work.needed
    left, right, top, bottom = work.area[0], work.area[1], work.area[2], work.area[3]
    clear(work.f, work.extent, ZERO)
    across = np.empty(columns, np.float32)
    first = cells.starts[k]
    for n in range(first, cells.starts[k + 1]):
        m = n - first
        i0, i1, j0, j1 = boxes[m, 0], boxes[m, 1], boxes[m, 2], boxes[m, 3]
        # Few boxes are near. One test without branches is faster than four that cannot be predicted.
        near = (i1 >= left) & (i0 <= right) & (j1 >= top) & (j0 <= bottom)
        if not near or not _reaches(needed, i0, i1, j0, j1):
            continue
        p = cells.flat[n] - k * pif.height * pif.width
        gaussian = gaussian_of(pif, k, p, rows, columns)
        add_gaussian(gaussian, weight_of(pif, k, p, side), work.f, work.extent, ZERO, across)


@inner
def _reaches(needed: NDArray[np.uint8], i0: int, i1: int, j0: int, j1: int) -> bool:
    """Whether some cell of a box is needed."""
    for j in range(j0, j1 + 1):
        for i in range(i0, i1 + 1):
            if needed[j, i]:
                return True
    return False


@inner
def _pick(
    pif: Pif, cells: Cells, k: int, side: float, n: int, work: Workspace, candidates: Candidates
) -> float:
    """Pick the candidates of landmark k from the first n `members`: the best, then others away from it.

    Returns
    -------
    The value of the best member, 0 if there is none.
    """
    candidates.n[k] = 0
    most = 0.0
    for r in range(_CANDIDATES):
        best = 0.0
        chosen = -1
        for m in range(n):
            if work.values[m] <= best:
                continue
            p = work.members[m]
            free = True
            for t in range(r):
                u = candidates.xy[k, t, 0] - pif.xy[k, 0, p]
                v = candidates.xy[k, t, 1] - pif.xy[k, 1, p]
                free &= not math.hypot(u, v) < WINDOW
            if free:
                best = work.values[m]
                chosen = p
        if chosen < 0 or (r > 0 and best < _SHARE * candidates.value[k, 0]):
            break
        if r == 0:
            most = best
        target_x, target_y = np.float64(pif.xy[k, 0, chosen]), np.float64(pif.xy[k, 1, chosen])
        x, y, _, _, _ = settle(pif, k, target_x, target_y, 0.0)
        candidates.xy[k, r, 0] = x
        candidates.xy[k, r, 1] = y
        i, j = _cell_of(pif, x, y)
        if not work.needed[j, i]:  # the place moved out of the cells in which the map is whole
            _need(work, i, j)
            _make_map(pif, cells, k, side, work)
        candidates.value[k, r] = look_up(work.f, ZERO, x, y)
        candidates.n[k] = r + 1
    return most
