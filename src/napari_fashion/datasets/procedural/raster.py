"""Small drawing tools on numpy alone: exact polygon coverage, blur, smooth noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .pieces import Points

Array = NDArray[np.floating[Any]]


def coverage(outlines: Sequence[Points], shape: tuple[int, int]) -> Array:
    """Return how much of each pixel lies inside the closed `outlines`, 0..1, antialiased.

    Signed areas of the edges are accumulated a row (so that everything right of a downward edge
    counts), which is exact up to the bend of an edge within one pixel. Outlines may have holes
    (the other direction) and may touch; `shape` is (H, W), outlines are (N, 2) xy with (0, 0) the
    centre of the top-left pixel.
    """
    height, width = shape
    a = np.vstack(outlines) + 0.5
    b = np.vstack([np.roll(o, -1, axis=0) for o in outlines]) + 0.5
    steps = np.maximum(np.ceil(np.abs(b - a).max(axis=1)), 1).astype(np.int64)
    which = np.repeat(np.arange(len(a)), steps)
    k = np.arange(len(which)) - np.repeat(np.cumsum(steps) - steps, steps)
    step = ((b - a) / steps[:, None])[which]
    p = a[which] + step * k[:, None]
    q = p + step
    # A step is at most a pixel long, so it crosses at most one row boundary: cut it there.
    row = np.maximum(np.floor(p[:, 1]), np.floor(q[:, 1]))
    low, high = np.minimum(p[:, 1], q[:, 1]), np.maximum(p[:, 1], q[:, 1])
    cut = (low < row) & (row < high)
    t = np.where(cut, (row - p[:, 1]) / np.where(cut, q[:, 1] - p[:, 1], 1), 1.0)[:, None]
    m = p + (q - p) * t
    starts, ends = np.vstack([p, m[cut]]), np.vstack([m, q[cut]])
    dy = ends[:, 1] - starts[:, 1]
    middle = 0.5 * (starts + ends)
    x = np.clip(middle[:, 0], 0.0, width + 1e-6)
    inside = (middle[:, 1] > 0) & (middle[:, 1] < height) & (dy != 0)
    y, x, dy = np.floor(middle[inside, 1]).astype(np.int64), x[inside], dy[inside]
    column = np.floor(x).astype(np.int64)
    share = x - column
    flat = y * (width + 2) + column
    size = height * (width + 2)
    total = (
        np.bincount(flat, dy * (1 - share), size)
        + np.bincount(flat + 1, dy * share, size + 1)[:size]
    )
    area = np.cumsum(total.reshape(height, width + 2), axis=1)[:, :width]
    return np.clip(np.abs(area), 0, 1).astype(np.float32)


def contains(outline: Points, point: Points) -> bool:
    """Return whether a closed outline contains a point (even-odd rule)."""
    a, b = outline, np.roll(outline, -1, axis=0)
    spans = (a[:, 1] > point[1]) != (b[:, 1] > point[1])
    a, b = a[spans], b[spans]
    x = a[:, 0] + (point[1] - a[:, 1]) / (b[:, 1] - a[:, 1]) * (b[:, 0] - a[:, 0])
    return bool(np.count_nonzero(x > point[0]) % 2)


def edge_distance(outline: Points, point: Points) -> float:
    """Return how far a point is from a closed outline's edge."""
    a, d = outline, np.roll(outline, -1, axis=0) - outline
    t = ((point - a) * d).sum(axis=1) / np.maximum((d * d).sum(axis=1), 1e-12)
    nearest = a + np.clip(t, 0, 1)[:, None] * d
    return float(np.sqrt(((nearest - point) ** 2).sum(axis=1)).min())


def stroke(line: Points, width: float, dash: float = 0.0) -> list[Points]:
    """Return the outlines of a line of a width, in dashes of a length where `dash` is not 0."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    if length[-1] < 1e-6:
        return []
    n = max(2, int(length[-1] / (dash or max(width, 2.0))) + 1)
    at = np.linspace(0, length[-1], n)
    p = np.stack([np.interp(at, length, line[:, i]) for i in (0, 1)], axis=1)
    d = np.gradient(p, axis=0)
    d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
    side = 0.5 * width * np.stack([d[:, 1], -d[:, 0]], axis=1)
    if not dash:
        return [np.vstack([p + side, (p - side)[::-1]])]
    ends = p[:-1] + 0.6 * (p[1:] - p[:-1])
    return [
        np.array([s + o, e + o, e - o, s - o])
        for s, e, o in zip(p[:-1], ends, side[:-1], strict=True)
    ]


def blur(a: Array, sigma: float) -> Array:
    """Blur (H, W) by two box filters along each axis; quick at any `sigma`, edges repeated."""
    width = 2 * max(1, round(sigma * 1.22)) + 1
    out = ndimage.uniform_filter(a, width, output=np.float32, mode="nearest")
    return np.asarray(ndimage.uniform_filter(out, width, mode="nearest"))


def shifted(a: Array, by: Points) -> Array:
    """Move (H, W) by whole pixels (x, y), edges repeated."""
    dx, dy = (int(v) for v in np.round(by))
    height, width = a.shape
    rows = np.clip(np.arange(height) - dy, 0, height - 1)
    return a[rows][:, np.clip(np.arange(width) - dx, 0, width - 1)]


def at_half(make: Callable[..., Array], *grids: Array) -> Array:
    """Return ``make(*grids)`` computed on every second row and column, smoothed in between."""
    coarse = make(*(grid[::2, ::2] for grid in grids)).astype(np.float32)
    height, width = grids[0].shape
    full = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)[:height, :width]
    return blur(full, 0.8)


def table(rng: np.random.Generator, n: int = 64) -> Array:
    """Return an (n, n) periodic table of random values -1..1 for `noise`; n a power of two."""
    return rng.uniform(-1, 1, (n, n)).astype(np.float32)


def noise(values: Array, x: Array, y: Array) -> Array:
    """Return smooth noise, about -1..1, with one random value a unit of `x` and `y`."""
    n = len(values)
    mask = n - 1
    i, j = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    fx, fy = (x - i).astype(np.float32), (y - j).astype(np.float32)
    fx *= fx * (3 - 2 * fx)
    fy *= fy * (3 - 2 * fy)
    flat = values.ravel()
    here, below = (j & mask) * n, ((j + 1) & mask) * n
    i1 = (i + 1) & mask
    i &= mask
    a, b = flat.take(here + i), flat.take(below + i)
    a += (flat.take(here + i1) - a) * fx
    b += (flat.take(below + i1) - b) * fx
    a += (b - a) * fy
    return a


def cells(values: Array, x: Array, y: Array) -> Array:
    """Return one random value -1..1 a unit cell of `x` and `y`: grain, hashes of a grid."""
    mask = len(values) - 1
    found = values[np.floor(y).astype(np.int32) & mask, np.floor(x).astype(np.int32) & mask]
    return np.asarray(found)


def smoothstep(x: Array) -> Array:
    """Return 0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def mix(below: Array, above: Array, share: Array) -> Array:
    """Return `below` where `share` is 0, `above` where it is 1, and mixtures between."""
    return np.asarray(below + (above - below) * share)
