"""The high-resolution confidence map, and the place that PIF cells agree on.

Each PIF cell votes for a place with a Gaussian. Where many cells vote for the same place their sum is
high: a peak is a landmark, seen by several cells at once and localised more finely than any of them.
"""

from __future__ import annotations

import math
import threading
from typing import cast

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode.arguments import Bool, Cells, Float32, Pif, cells_from, pif_of
from napari_fashion.engine.fields import Fields

Int32 = NDArray[np.int32]

RESOLUTION = 4
"""Samples a cell of the high-resolution confidence map, along each axis."""

WEAK_PIF = 0.02
"""Confidence from which a PIF cell is evidence when every landmark must get a place."""

MIN_SPREAD = 1.0
"""Cells: the least spread of a PAF end, so that a very sure one still reaches the cells around it."""

WINDOW = 3
"""Cells to each side in which PIF cells know about a landmark."""

MIN_KERNEL = 0.25
"""Cells: the map's sampling step. Narrower Gaussians would fall between two samples."""

_TRUNCATION = 2.0  # Gaussians are truncated at this many sigmas
_KERNEL = 0.5  # sigma of a PIF cell's Gaussian, in landmark sizes: half of what people differ by
_MAX_KERNEL = 4.0  # cells: an exploded size must not cost a map of work for each cell
_SHARPEST = 0.1  # cells: no PIF cell is surer of its place than this

_memory = threading.local()


def confidence_map(
    fields: Fields, *, threshold: float = 0.3, cells_per_landmark: float = 16.0
) -> Float32:
    """High-resolution confidence f, (K, RESOLUTION * H, RESOLUTION * W), 0..1.

    ``f(x, y)`` is the sum over PIF cells of c N(x, y | x_cell, y_cell, sigma), N an unnormalised
    Gaussian truncated at 2 sigma, divided by the number of the `cells_per_landmark` cells in a square
    around the place that are in the grid, and clipped at 1. Sample i lies at cell
    ``(i + 0.5) / RESOLUTION - 0.5``.
    """
    pif = pif_of(fields)
    cells = cells_from(pif.confidence, threshold)
    wanted = np.ones(fields.n_landmarks, np.bool_)
    f = map_of(pif, cells, threshold, cells_per_landmark, wanted, "weak")
    return np.minimum(f, np.float32(1))


def map_of(
    pif: Pif, cells: Cells, threshold: float, cells_per_landmark: float, wanted: Bool, slot: str
) -> Float32:
    """Accumulate the map in memory that this thread's next call with the same slot uses again.

    Parameters
    ----------
    pif, cells, threshold
        The `cells` from the `threshold` on count; `cells` has at least these.
    cells_per_landmark
        See `DecoderOptions`.
    wanted
        (K,): landmarks whose map is needed. The others' is undefined.
    slot
        Name of the memory.

    Returns
    -------
    (K, RESOLUTION * H, RESOLUTION * W); not clipped at 1.
    """
    shape = (len(wanted), pif.height * RESOLUTION, pif.width * RESOLUTION)
    f, extent = memory_of(slot, shape)
    side = float(np.sqrt(cells_per_landmark))
    _accumulate(pif, cells, np.float32(threshold), side, wanted, f, extent)
    return f


def memory_of(slot: str, shape: tuple[int, int, int]) -> tuple[Float32, Int32]:
    """Return this thread's map of a name and the extents of its rows; new ones are empty.

    A map is large and nearly empty. `extent`, (maps, rows, 2), holds which part of each row may not be
    zero, start and stop, so that clearing costs no more than filling did.
    """
    f, extent = getattr(_memory, slot, (None, None))
    if f is None or f.shape != shape:
        f = np.zeros(shape, np.float32)
        extent = np.zeros((*shape[:2], 2), np.int32)
        extent[..., 0] = shape[2]
        setattr(_memory, slot, (f, extent))
    return cast(Float32, f), cast(Int32, extent)


@inner
def kernel_of(size: float) -> float:
    """Sigma of a PIF cell's Gaussian, cells."""
    return float(min(max(_KERNEL * size, MIN_KERNEL), _MAX_KERNEL))


@inner
def _cells_there(at: float, cells: int, side: float) -> float:
    """Length of the `side` cells around a place, along one axis, inside the grid; at least 1."""
    low = max(at - side / 2, -0.5)
    high = min(at + side / 2, cells - 0.5)
    return max(high - low, 1.0)


@inner
def weight_of(pif: Pif, k: int, p: int, side: float) -> np.float32:
    """Height of the Gaussian of cell p: its confidence over the number of cells that agree at best."""
    there = _cells_there(pif.xy[k, 0, p], pif.width, side) * _cells_there(
        pif.xy[k, 1, p], pif.height, side
    )
    return np.float32(min(pif.confidence[k, p], np.float32(1)) / np.float32(there))


@inner
def gaussian_of(
    pif: Pif, k: int, p: int, rows: int, columns: int
) -> tuple[float, float, float, int, int, int, int]:
    """Gaussian of cell p in samples, and the box of samples that it reaches inside the map.

    Returns
    -------
    x, y, sigma, x0, x1, y0, y1
        Columns x0 to x1 and rows y0 to y1, stops not included; an empty box if the cell has a value
        that is not finite, or reaches no sample.
    """
    x = (pif.xy[k, 0, p] + 0.5) * RESOLUTION - 0.5
    y = (pif.xy[k, 1, p] + 0.5) * RESOLUTION - 0.5
    size = pif.size[k, p]
    sigma = kernel_of(size) * RESOLUTION
    reach = _TRUNCATION * sigma
    # A position far outside overflows `ceil`, and the cell's box would be the whole map.
    near = -reach <= x <= columns + reach and -reach <= y <= rows + reach
    if not (near and math.isfinite(pif.confidence[k, p]) and math.isfinite(size)):
        return x, y, sigma, 0, 0, 0, 0
    x0 = max(0, math.ceil(max(x - reach, -1.0)))
    x1 = min(columns, math.floor(min(x + reach, columns + 1.0)) + 1)
    y0 = max(0, math.ceil(max(y - reach, -1.0)))
    y1 = min(rows, math.floor(min(y + reach, rows + 1.0)) + 1)
    return x, y, sigma, x0, x1, y0, y1


@inner
def clear(f: Float32, extent: Int32, k: int) -> None:
    """Set what may not be zero of map k to zero."""
    columns = f.shape[2]
    for r in range(f.shape[1]):
        for column in range(extent[k, r, 0], extent[k, r, 1]):
            f[k, r, column] = 0
        extent[k, r, 0] = columns
        extent[k, r, 1] = 0


@inner
def add_gaussian(
    gaussian: tuple[float, float, float, int, int, int, int],
    weight: np.float32,
    f: Float32,
    extent: Int32,
    k: int,
    across: Float32,
) -> None:
    """Add a Gaussian to map k; `across` is scratch memory for a row of the map."""
    x, y, sigma, x0, x1, y0, y1 = gaussian
    # The Gaussian is a product of one along x and one along y, and exp(-(x+1)^2/2s^2) follows
    # from exp(-x^2/2s^2) by two products: five exponentials for all samples of the box.
    narrow = 0.5 / (sigma * sigma)
    value = math.exp(-narrow * (x0 - x) ** 2)
    ratio = math.exp(-narrow * (2 * (x0 - x) + 1))
    bend = math.exp(-2 * narrow)
    for column in range(x0, x1):
        across[column] = value
        value *= ratio
        ratio *= bend
    value = math.exp(-narrow * (y0 - y) ** 2)
    ratio = math.exp(-narrow * (2 * (y0 - y) + 1))
    for row in range(y0, y1):
        down = np.float32(weight * value)
        # Unsigned, since a signed index might count from the end: that cannot be vectorised.
        for column in range(np.uint64(x0), np.uint64(x1)):
            f[k, row, column] += down * across[column]
        extent[k, row, 0] = min(extent[k, row, 0], x0)
        extent[k, row, 1] = max(extent[k, row, 1], x1)
        value *= ratio
        ratio *= bend


@compiled
def _accumulate(
    pif: Pif,
    cells: Cells,
    threshold: np.float32,
    side: float,
    wanted: Bool,
    f: Float32,
    extent: Int32,
) -> None:
    """Make the map of the wanted landmarks; see `map_of`."""
    n_landmarks, rows, columns = f.shape
    n_cells = pif.height * pif.width
    across = np.empty(columns, np.float32)
    for k in range(n_landmarks):
        if not wanted[k]:
            continue
        clear(f, extent, k)
        for n in range(cells.starts[k], cells.starts[k + 1]):
            p = cells.flat[n] - k * n_cells
            if pif.confidence[k, p] < threshold:
                continue
            gaussian = gaussian_of(pif, k, p, rows, columns)
            if gaussian[3] < gaussian[4] and gaussian[5] < gaussian[6]:
                add_gaussian(gaussian, weight_of(pif, k, p, side), f, extent, k, across)


@inner
def look_up(f: Float32, k: int, x: float, y: float) -> float:
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


@inner
def settle(
    pif: Pif, k: int, x: float, y: float, least: float
) -> tuple[float, float, float, float, float]:
    """Move a position to the mean of what the PIF cells around it say: one mean-shift step.

    The map's peak is as fine as its samples; the cells' mean is finer. A cell counts by its
    confidence and, as a measurement does, over the square of its spread.

    Parameters
    ----------
    pif, k
        Landmark k of the PIF.
    x, y
        The position, cells.
    least
        Confidence from which cells count.

    Returns
    -------
    x, y, spread, size, weight
        Weight 0: no cell speaks for the place, and the position is the given one.
    """
    column = round(min(max(x, 0.0), pif.width - 1.0))
    row = round(min(max(y, 0.0), pif.height - 1.0))
    weight = sum_x = sum_y = sum_spread = sum_size = 0.0
    for j in range(max(row - WINDOW, 0), min(row + WINDOW + 1, pif.height)):
        for i in range(max(column - WINDOW, 0), min(column + WINDOW + 1, pif.width)):
            p = j * pif.width + i
            c = pif.confidence[k, p]
            if not (c >= least and math.isfinite(c)):
                continue
            u = pif.xy[k, 0, p]
            v = pif.xy[k, 1, p]
            size = pif.size[k, p]
            if not math.isfinite(size):
                continue
            s = kernel_of(size)
            d = ((u - x) ** 2 + (v - y) ** 2) / (s * s)
            if not d <= _TRUNCATION * _TRUNCATION:
                continue
            g = min(c, np.float32(1)) * math.exp(-0.5 * d)
            b = pif.spread[k, p] if math.isfinite(pif.spread[k, p]) else np.float32(1)
            g /= max(b, _SHARPEST) ** 2
            weight += g
            sum_x += g * u
            sum_y += g * v
            sum_size += g * min(size, np.float32(_MAX_KERNEL / _KERNEL))
            sum_spread += g * b
    if weight <= 0:
        return x, y, 0.0, 0.0, 0.0
    return sum_x / weight, sum_y / weight, sum_spread / weight, sum_size / weight, weight
