"""Small drawing tools on numpy alone: exact polygon coverage, blur, smooth noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Points = NDArray[np.float64]


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
    radius = max(1, round(sigma * 1.22))
    out = a
    for _ in range(2):
        for axis in (0, 1):
            pad = [(0, 0), (0, 0)]
            pad[axis] = (radius + 1, radius)
            total = np.cumsum(np.pad(out, pad, mode="edge"), axis=axis, dtype=np.float64)
            n = 2 * radius + 1
            upper = total[n:] if axis == 0 else total[:, n:]
            lower = total[:-n] if axis == 0 else total[:, :-n]
            out = ((upper - lower) / n).astype(np.float32)
    return out


def table(rng: np.random.Generator, n: int = 64) -> Array:
    """Return an (n, n) periodic table of random values -1..1 for `noise`; n a power of two."""
    return rng.uniform(-1, 1, (n, n)).astype(np.float32)


def noise(values: Array, x: Array, y: Array) -> Array:
    """Return smooth noise, about -1..1, with one random value a unit of `x` and `y`."""
    mask = len(values) - 1
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    i, j = x0.astype(np.int32) & mask, y0.astype(np.int32) & mask
    i1, j1 = (i + 1) & mask, (j + 1) & mask
    top = values[j, i] * (1 - fx) + values[j, i1] * fx
    low = values[j1, i] * (1 - fx) + values[j1, i1] * fx
    return (top * (1 - fy) + low * fy).astype(np.float32)


def cells(values: Array, x: Array, y: Array) -> Array:
    """Return one random value -1..1 a unit cell of `x` and `y`: grain, hashes of a grid."""
    mask = len(values) - 1
    return values[np.floor(y).astype(np.int32) & mask, np.floor(x).astype(np.int32) & mask]


def smoothstep(x: Array) -> Array:
    """Return 0 below 0, 1 above 1, smooth between."""
    t = np.clip(x, 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
