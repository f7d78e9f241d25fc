"""Prints: the colour of the cloth, (h, w, 3), before light falls on it.

Every print gets the cloth's coordinates t (across) and s (along), both (h, w), and px, one pixel in the
same units.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .fabrics import Bolt, rgb
from .raster import Array, cells, mix, noise, table


def _on(distance: Array, px: float) -> Array:
    return np.asarray(np.clip(distance / px + 0.5, 0, 1), np.float32)[..., None]


def _wave(x: Array) -> Array:
    return np.asarray(np.abs((x % 1.0) - 0.5) * 2)  # 1 at whole numbers, 0 halfway


def _solid(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    return np.broadcast_to(bolt.colors[0], (*t.shape, 3)).astype(np.float32)


def _heather(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    yarn = cells(table(rng, 128), t / 0.004, s / 0.011) + cells(
        table(rng, 128), t / 0.008, s / 0.02
    )
    return np.asarray(bolt.colors[0] * (1 + 0.05 * yarn[..., None]) + 0.02 * yarn[..., None])


def _stripes(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period, share = 0.07 * bolt.scale * rng.choice([0.6, 1.0, 1.8]), rng.choice([0.25, 0.5, 0.5])
    out = _solid(bolt, t, s, px, rng)
    out = mix(out, bolt.colors[1], _on((_wave(s / period) - (1 - share)) * period * 0.5, px))
    if rng.random() < 0.35:
        thin = _wave(s / period + 0.5) - 0.9
        out = mix(out, bolt.colors[2], _on(thin * period * 0.5, px))
    return out


def _pinstripe(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.035 * bolt.scale
    line = _on((_wave(t / period) - 0.88) * period * 0.5, px) * 0.6
    return mix(_solid(bolt, t, s, px, rng), bolt.colors[1], line)


def _gingham(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.045 * bolt.scale * rng.choice([0.7, 1.2])
    across, along = (_on((_wave(x / period) - 0.5) * period * 0.5, px) for x in (t, s))
    return mix(rgb("f1eee7"), bolt.colors[0], 0.5 * (across + along))


def _plaid(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.17 * bolt.scale
    out = _solid(bolt, t, s, px, rng)
    bands = ((0.0, 0.34, 1, 0.5), (0.5, 0.2, 2, 0.45), (0.28, 0.03, 3, 0.6), (0.72, 0.03, 3, 0.6))
    for at, wide, color, strength in bands:
        for x in (t, s):
            band = _on((_wave(x / period - at) - (1 - wide)) * period * 0.5, px)
            out = mix(out, bolt.colors[min(color, len(bolt.colors) - 1)], strength * band * 0.75)
    return out


def _dots(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.055 * bolt.scale
    y = s / period
    x = t / period + 0.5 * (np.floor(y) % 2)
    radius = 0.22 * period
    d = np.hypot((x % 1) - 0.5, (y % 1) - 0.5) * period
    return mix(_solid(bolt, t, s, px, rng), bolt.colors[1], _on(radius - d, px))


def _micro(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.036 * bolt.scale
    y = s / period
    x = t / period + 0.5 * (np.floor(y) % 2)
    d = np.abs((x % 1) - 0.5) + np.abs((y % 1) - 0.5)
    return mix(_solid(bolt, t, s, px, rng), bolt.colors[1], _on((0.2 - d) * period, px) * 0.85)


def _scatter(
    out: Array,
    t: Array,
    s: Array,
    px: float,
    rng: np.random.Generator,
    cell: float,
    size: float,
    petals: int,
    color: Array,
    heart: Array | None,
    share: float,
) -> Array:
    """Print one shape at a random place, angle and size in each cell of a grid."""
    hashes = [table(rng) for _ in range(4)]
    y = s / cell + rng.uniform(0, 50)
    x = t / cell + 0.5 * (np.floor(y) % 2) + rng.uniform(0, 50)
    jx, jy, turn, here = (cells(h, x, y) for h in hashes)
    grow = 0.8 + 0.2 * turn
    room = 0.5 - size
    dx, dy = (x % 1) - 0.5 - jx * room, (y % 1) - 0.5 - jy * room
    r, a = np.hypot(dx, dy), np.arctan2(dy, dx) + turn * np.pi
    rim = size * grow * (0.72 + 0.28 * np.cos(petals * a))
    shape = _on((rim - r) * cell, px) * (here < 2 * share - 1)[..., None]
    tone = 1 + 0.12 * np.clip(np.cos(2 * petals * a) - r / size, -1, 1)[..., None]
    out = mix(out, np.clip(color * tone, 0, 1), shape)
    if heart is not None:
        out = mix(out, heart, _on((size * grow * 0.24 - r) * cell, px) * (shape > 0.5))
    return out


def _floral(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    cell = 0.11 * bolt.scale
    base = bolt.colors[0]
    leaf = rgb("7d9a6a") if base.mean() < 0.45 else rgb("4f7350")
    out = _solid(bolt, t, s, px, rng)
    out = _scatter(out, t, s, px, rng, cell * 0.55, 0.34, 2, leaf, None, 0.7)
    out = _scatter(out, t, s, px, rng, cell * 0.5, 0.3, 5, bolt.colors[2], bolt.colors[3], 0.45)
    return _scatter(out, t, s, px, rng, cell, 0.42, 5, bolt.colors[1], rgb("e6b84f"), 0.75)


def _motif(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    petals = int(rng.choice([3, 4, 5]))
    out = _scatter(
        _solid(bolt, t, s, px, rng), t, s, px, rng, 0.11, 0.3, petals, bolt.colors[1], None, 0.9
    )
    return _scatter(out, t, s, px, rng, 0.075, 0.16, 0, bolt.colors[2], None, 0.5)


def _denim(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    """Faded along the middle of each leg and wherever the cloth was rubbed."""
    worn = noise(table(rng), t * 5, s * 2.2) * 0.5 + noise(table(rng), t * 14, s * 9) * 0.25
    middle = np.exp(-((t / 0.1) ** 2)) * np.exp(-(((s - 0.45) / 0.4) ** 2))
    fade = np.clip(0.28 * middle * bolt.scale + 0.16 * worn, -0.1, 0.5)[..., None]
    return np.clip(mix(bolt.colors[0], rgb("c9d6e2"), fade), 0, 1)


def _camo(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    out = _solid(bolt, t, s, px, rng)
    for color, level in (("8a8a64", 0.12), ("3a3f2d", 0.2), ("2a2b26", 0.34)):
        blot = noise(table(rng), t * 9, s * 14) * 0.7 + noise(table(rng), t * 22, s * 30) * 0.3
        out = mix(out, rgb(color), _on((blot - level) * 0.05, px))
    return out


PRINTS: dict[str, Callable[[Bolt, Array, Array, float, np.random.Generator], Array]] = {
    "solid": _solid,
    "graphic": _solid,
    "heather": _heather,
    "stripes": _stripes,
    "pinstripe": _pinstripe,
    "gingham": _gingham,
    "plaid": _plaid,
    "dots": _dots,
    "micro": _micro,
    "floral": _floral,
    "motif": _motif,
    "denim": _denim,
    "camo": _camo,
}
