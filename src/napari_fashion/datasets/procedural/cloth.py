"""Cloth: colours, prints and weaves, folds as a height field, and the light on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from .pieces import Garment, Piece, Points, disc
from .raster import Array, at_half, blur, cells, coverage, noise, shifted, smoothstep, stroke, table

Project = Callable[[Points], Points]


def rgb(text: str) -> Array:
    """Return ``rrggbb`` as three floats 0..1."""
    return np.array([int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)], dtype=np.float32)


_PALETTES = {
    "any": "22304f 27282b 4a4d52 8d9094 ece8df e9dcc4 6d1f2f b23a3f d0a03a 6a7048 2f4d3e 2d7376 8fb4d3"
    " 34579f a796c4 dfa5ad dd745f b58a5b 5d4637 a8cfbb",
    "deep": "22304f 27282b 3b3f45 6d1f2f 2f4d3e 2d5f66 34579f 5d4637 57406b 20423a",
    "light": "f1eee7 e9dcc4 c9d9e6 e8c3c6 cfe0d2 d8d0e4 f0e3b8 d9d9d6",
    "wool": "2a2f3c 27282b 54555a 8a8178 b58a5b 6d1f2f 46513f 9a7a5a 3d4a63",
    "denim": "2e4468 3f5f8c 5c7fa8 86a5c2 22304a 2b2f36 7f95a8",
    "chambray": "7f9cba 9db4c8 5f7ea3 b9c7d2",
    "twill": "b59f78 5f6546 3a3d3f 22304f 8c7a5c 9b9c96 6b4a3a 2f4a44",
    "nylon": "1f2226 22304f 2f5d50 a43434 d08a2e 3d6fa5 6a7048 8b8f98 59406b",
    "camo": "5d6343 6a6a4a 59605a",
}
_ACCENTS = "f2efe8 27282b 22304f b23a3f d9a441 2d7376 8fb4d3 dfa5ad 6a7048 dd745f"


@dataclass(frozen=True)
class Fabric:
    """A kind of cloth.

    Attributes
    ----------
    print_, palette
        Names of the print and of the colours it may have.
    weave
        What the yarn looks like from near.
    crumple, drape
        Strength of small wrinkles and of long soft folds.
    sheen
        Strength of the highlight.
    """

    print_: str
    palette: str = "any"
    weave: str = "jersey"
    crumple: float = 0.5
    drape: float = 0.6
    sheen: float = 0.06


FABRICS: dict[str, Fabric] = {
    "solid": Fabric("solid"),
    "graphic": Fabric("graphic"),
    "stripes": Fabric("stripes"),
    "heather": Fabric("heather"),
    "ribbed": Fabric("solid", weave="rib", crumple=0.25),
    "knit": Fabric("solid", weave="knit", crumple=0.2, drape=0.8),
    "pique": Fabric("solid", weave="pique", crumple=0.35),
    "fleece": Fabric("solid", weave="felt", crumple=0.3, drape=0.9),
    "plaid": Fabric("plaid", weave="plain", crumple=0.8),
    "gingham": Fabric("gingham", weave="plain", crumple=0.8),
    "pinstripe": Fabric("pinstripe", "deep", "plain", 0.6),
    "micro": Fabric("micro", weave="plain", crumple=0.6),
    "chambray": Fabric("solid", "chambray", "chambray", 0.9),
    "floral": Fabric("floral", weave="plain", crumple=0.5, drape=0.8),
    "dots": Fabric("dots", weave="plain", crumple=0.45, drape=0.8),
    "motif": Fabric("motif", "light"),
    "satin": Fabric("solid", weave="none", crumple=0.5, drape=1.0, sheen=0.3),
    "denim": Fabric("denim", "denim", "twill", 0.7, 0.5),
    "twill": Fabric("solid", "twill", "twill", 0.7, 0.5),
    "wool": Fabric("solid", "wool", "felt", 0.2, 0.6),
    "herringbone": Fabric("solid", "wool", "herringbone", 0.2, 0.6),
    "nylon": Fabric("solid", "nylon", "none", 0.9, 0.5, 0.22),
    "camo": Fabric("camo", "camo", "twill", 0.6),
}


@dataclass(frozen=True)
class Bolt:
    """A fabric in its colours, with the random numbers of its print: what one garment is cut of."""

    fabric: Fabric
    colors: Array
    trim: Array
    scale: float
    seed: int
    thread: Array
    graphic: int

    @classmethod
    def choose(cls, garment: Garment, rng: np.random.Generator) -> Bolt:
        """Choose a fabric that suits the garment, and its colours."""
        fabric = FABRICS[garment.fabrics[int(rng.integers(len(garment.fabrics)))]]
        names = _PALETTES[fabric.palette].split()
        base = np.clip(rgb(names[int(rng.integers(len(names)))]) + rng.normal(0, 0.012, 3), 0, 1)
        accents = np.array([rgb(name) for name in _ACCENTS.split()])
        order = rng.permutation(len(accents))
        far = [i for i in order if np.abs(accents[i] - base).max() > 0.3]
        colors = np.array([base, *accents[far[:3]]], dtype=np.float32)
        plain = rng.random() < 0.65
        trim = base * rng.uniform(0.82, 1.0) if plain else colors[1]
        light = float(base.mean())
        thread = (
            rgb("c98f4a") if fabric.print_ == "denim" else base + (0.16 if light < 0.5 else -0.14)
        )
        return cls(
            fabric,
            colors,
            trim.astype(np.float32),
            float(rng.uniform(0.75, 1.4)),
            int(rng.integers(2**31)),
            np.clip(thread, 0, 1).astype(np.float32),
            int(rng.integers(len(_GRAPHICS))),
        )

    def with_color(self, color: Array) -> Bolt:
        """Return plain cloth of a colour and this garment's weave."""
        plain = Fabric("solid", self.fabric.palette, self.fabric.weave, 0.3, 0.4)
        return Bolt(plain, color[None], color, 1.0, self.seed + 1, self.thread, -1)


# -- prints: albedo (h, w, 3) at cloth coordinates t (across) and s (along), px one pixel ----------


def _on(distance: Array, px: float) -> Array:
    return np.asarray(np.clip(distance / px + 0.5, 0, 1), np.float32)[..., None]


def _mix(below: Array, above: Array, share: Array) -> Array:
    return np.asarray(below + (above - below) * share)


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
    out = _mix(out, bolt.colors[1], _on((_wave(s / period) - (1 - share)) * period * 0.5, px))
    if rng.random() < 0.35:
        thin = _wave(s / period + 0.5) - 0.9
        out = _mix(out, bolt.colors[2], _on(thin * period * 0.5, px))
    return out


def _pinstripe(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.035 * bolt.scale
    line = _on((_wave(t / period) - 0.88) * period * 0.5, px) * 0.6
    return _mix(_solid(bolt, t, s, px, rng), bolt.colors[1], line)


def _gingham(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.045 * bolt.scale * rng.choice([0.7, 1.2])
    across, along = (_on((_wave(x / period) - 0.5) * period * 0.5, px) for x in (t, s))
    return _mix(rgb("f1eee7"), bolt.colors[0], 0.5 * (across + along))


def _plaid(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.17 * bolt.scale
    out = _solid(bolt, t, s, px, rng)
    bands = ((0.0, 0.34, 1, 0.5), (0.5, 0.2, 2, 0.45), (0.28, 0.03, 3, 0.6), (0.72, 0.03, 3, 0.6))
    for at, wide, color, strength in bands:
        for x in (t, s):
            band = _on((_wave(x / period - at) - (1 - wide)) * period * 0.5, px)
            out = _mix(out, bolt.colors[min(color, len(bolt.colors) - 1)], strength * band * 0.75)
    return out


def _dots(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.055 * bolt.scale
    y = s / period
    x = t / period + 0.5 * (np.floor(y) % 2)
    radius = 0.22 * period
    d = np.hypot((x % 1) - 0.5, (y % 1) - 0.5) * period
    return _mix(_solid(bolt, t, s, px, rng), bolt.colors[1], _on(radius - d, px))


def _micro(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    period = 0.036 * bolt.scale
    y = s / period
    x = t / period + 0.5 * (np.floor(y) % 2)
    d = np.abs((x % 1) - 0.5) + np.abs((y % 1) - 0.5)
    return _mix(_solid(bolt, t, s, px, rng), bolt.colors[1], _on((0.2 - d) * period, px) * 0.85)


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
    out = _mix(out, np.clip(color * tone, 0, 1), shape)
    if heart is not None:
        out = _mix(out, heart, _on((size * grow * 0.24 - r) * cell, px) * (shape > 0.5))
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
    return np.clip(_mix(bolt.colors[0], rgb("c9d6e2"), fade), 0, 1)


def _camo(bolt: Bolt, t: Array, s: Array, px: float, rng: np.random.Generator) -> Array:
    out = _solid(bolt, t, s, px, rng)
    for color, level in (("8a8a64", 0.12), ("3a3f2d", 0.2), ("2a2b26", 0.34)):
        blot = noise(table(rng), t * 9, s * 14) * 0.7 + noise(table(rng), t * 22, s * 30) * 0.3
        out = _mix(out, rgb(color), _on((blot - level) * 0.05, px))
    return out


_PRINTS: dict[str, Callable[[Bolt, Array, Array, float, np.random.Generator], Array]] = {
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


# -- graphics: (outline, colour index) on the chest -----------------------------------------------


_GLYPHS = {
    "n": ("1001", "1101", "1111", "1011", "1001"),
    "a": ("111", "101", "111", "101", "101"),
    "p": ("111", "101", "111", "100", "100"),
    "r": ("110", "101", "110", "101", "101"),
    "i": ("1", "1", "1", "1", "1"),
}


def _graphic_word() -> list[tuple[Points, int]]:
    out: list[tuple[Points, int]] = []
    x, size = -0.21, 0.02
    for letter in "napari":
        rows = _GLYPHS[letter]
        for j, row in enumerate(rows):
            for i, bit in enumerate(row):
                if bit == "1":
                    a, b = x + i * size, 0.27 + j * size * 1.25
                    box = [[a, b], [a + size, b], [a + size, b + size * 1.25], [a, b + size * 1.25]]
                    out.append((np.array(box), 1))
        x += (len(rows[0]) + 1) * size
    line = np.array([[-0.2, 0.415], [0.2, 0.415], [0.2, 0.427], [-0.2, 0.427]])
    return [*out, (line, 2)]


def _graphic_hills() -> list[tuple[Points, int]]:
    y, r = 0.38, 0.135
    floor = y + r * 0.55
    x = r * np.sqrt(1 - 0.55**2)
    hills = np.array(
        [[-x, floor], [-0.055, y - 0.02], [-0.01, y + 0.035], [0.045, y - 0.05], [x, floor]]
    )
    cap = np.array(
        [
            [0.045, y - 0.05],
            [0.073, y - 0.01],
            [0.05, y - 0.018],
            [0.03, y - 0.005],
            [0.022, y - 0.018],
        ]
    )
    return [(disc(0, y, r), 1), (disc(-0.03, y - 0.06, 0.032), 2), (hills, 0), (cap, 1)]


def _graphic_bands() -> list[tuple[Points, int]]:
    out = []
    x = np.linspace(-0.19, 0.19, 24)
    for i, color in enumerate((1, 2, 3, 1)):
        y = 0.3 + i * 0.042 + 0.018 * np.sin(x * 17)
        top = np.stack([x, y], axis=1)
        out.append((np.vstack([top, top[::-1] + np.array([0, 0.028])]), color))
    return out


def _graphic_star() -> list[tuple[Points, int]]:
    def star(x: float, y: float, r: float) -> Points:
        a = np.linspace(0, 2 * np.pi, 10, endpoint=False) - np.pi / 2
        q = r * np.where(np.arange(10) % 2, 0.42, 1.0)
        return np.stack([x + q * np.cos(a), y + q * np.sin(a)], axis=1)

    return [(star(0, 0.38, 0.13), 1), (star(0, 0.38, 0.085), 2), (star(0, 0.38, 0.045), 1)]


def _graphic_sun() -> list[tuple[Points, int]]:
    out: list[tuple[Points, int]] = []
    for i in range(7):  # a setting sun in bars
        y0, y1 = -0.13 + i * 0.037, -0.13 + i * 0.037 + 0.03 - i * 0.003
        y = np.linspace(y0, y1, 5)
        x = np.sqrt(np.maximum(0.13**2 - y**2, 0))
        right = np.stack([x, 0.38 + y], axis=1)
        out.append((np.vstack([right, (right * (-1, 1))[::-1]]), 1 if i < 4 else 2))
    return out


_GRAPHICS = (_graphic_word, _graphic_hills, _graphic_bands, _graphic_star, _graphic_sun)


# -- weave, folds, light --------------------------------------------------------------------------


def _weave(
    kind: str, t: Array, s: Array, px: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return the yarn's height in units and how much it lightens the colour."""
    grain = cells(table(rng, 128), t / px, s / px)
    zero = np.zeros_like(t)
    if kind == "rib":
        return 0.0015 * np.cos(t * 2 * np.pi / 0.013), 0.02 * grain
    if kind == "knit":
        row = np.cos((s + 0.004 * np.abs(np.sin(t * np.pi / 0.016))) * 2 * np.pi / 0.018)
        return 0.0016 * (row + np.cos(t * 2 * np.pi / 0.016)), 0.03 * grain
    if kind == "pique":
        return 0.0007 * np.cos(t * 2 * np.pi / 0.011) * np.cos(s * 2 * np.pi / 0.011), 0.025 * grain
    if kind == "twill":
        rows = np.sin((t + s) * 2 * np.pi / max(0.011, 2.6 * px))
        return zero, 0.035 * rows + 0.045 * grain
    if kind == "herringbone":
        side = np.where(np.floor(t / 0.03) % 2 == 0, t, -t)
        return zero, 0.09 * np.sin((side + s) * 2 * np.pi / max(0.014, 3 * px)) + 0.04 * grain
    if kind == "chambray":
        return zero, 0.06 * cells(table(rng, 128), t / px, s / (3 * px)) + 0.04 * grain
    if kind == "felt":
        return 0.0007 * noise(table(rng), t / 0.008, s / 0.008), 0.05 * grain
    return zero, (0.018 if kind == "none" else 0.028) * grain


def cloth_coordinates(axis: Points, x: Array, y: Array) -> tuple[Array, Array]:
    """Return coordinates across and along a bent `axis`, for points of the garment's plane."""
    t = s = np.zeros_like(x)
    before = 0.0
    for k, (a, b) in enumerate(pairwise(axis.astype(np.float32))):
        length = float(np.linalg.norm(b - a))
        d = (b - a) / np.float32(length)
        along = (x - a[0]) * d[0] + (y - a[1]) * d[1]
        across = (x - a[0]) * d[1] - (y - a[1]) * d[0]
        if k == 0:
            t, s, past = across, along, (along - length) / 0.12 + 0.5
        else:
            w = smoothstep(past)
            t, s = t + w * (across - t), s + w * (before + along - s)
            past = (along - length) / 0.12 + 0.5
        before += length
    return t.astype(np.float32), s.astype(np.float32)


def _folds(
    piece: Piece, fabric: Fabric, rng: np.random.Generator, x: Array, y: Array, t: Array, s: Array
) -> Array:
    """Return the height of folds and wrinkles, in units."""
    turn = rng.uniform(-0.5, 0.5)
    a, b = float(np.cos(turn)), float(np.sin(turn))
    long_folds = noise(table(rng), (t * a + s * b) * 7, (s * a - t * b) * 2.2)
    h = 0.022 * fabric.drape * long_folds
    bend = noise(table(rng), t * 4, s * 4)
    wrinkle = 1 - np.abs(noise(table(rng), t * 11 + bend, s * 7 + bend * 1.3))
    patchy = np.clip(0.45 + 0.8 * noise(table(rng), t * 3 + 9, s * 3), 0.05, 1)
    h += 0.016 * fabric.crumple * wrinkle * wrinkle * patchy
    h += 0.0016 * fabric.crumple * noise(table(rng), t * 34 + 3 * bend, s * 26)
    for fx, fy, direction, length, strength in piece.folds:
        direction += rng.normal(0, 0.15)
        length *= rng.uniform(0.7, 1.4)
        fx, fy, dx, dy = (float(v) for v in (fx, fy, np.cos(direction), np.sin(direction)))
        length = float(length)
        u = ((x - fx) * dx + (y - fy) * dy) / length
        v = (y - fy) * dx - (x - fx) * dy - rng.normal(0, 0.12) * length * u * u
        wide = rng.uniform(0.009, 0.02) * (1 + 0.9 * np.clip(u, 0, 1))
        q = v / wide
        ridge = np.exp(-q * q) - 0.55 * np.exp(-((q - 1.6) ** 2))
        taper = np.clip(u * 9 + 0.6, 0, 1) * np.clip(1 - u, 0, 1)
        h += (0.55 * strength * (0.4 + fabric.drape) * wide * ridge * taper).astype(np.float32)
    return h.astype(np.float32)


def _flute_height(piece: Piece, rng: np.random.Generator, t: Array, s: Array) -> Array:
    """Return vertical waves that widen with the skirt, deepest at the hem."""
    count, depth = piece.flutes
    length = max(float(piece.axis[-1, 1]), 1e-6)
    levels = np.linspace(0, length, 24)
    o = piece.outline
    wide = [
        np.abs(o[np.abs(o[:, 1] - level) < length / 14, 0]).max(initial=0.05) for level in levels
    ]
    across = t / np.interp(s, levels, wide).astype(np.float32)
    fall = np.clip(s / length, 0, 1.1)
    wander = 0.5 * noise(table(rng), across * 3, fall * 1.5)
    wave = np.cos((across + 0.12 * wander) * count * np.pi + 2 * wander)
    wave += 0.35 * np.cos(across * count * 2.7 * np.pi + 4 * wander)
    return np.asarray(0.02 * depth * fall**1.3 * wave)


def paint(
    canvas: Array,
    piece: Piece,
    bolt: Bolt,
    project: Project,
    plane: tuple[Array, Array],
    px: float,
    light: Points,
    rng: np.random.Generator,
) -> tuple[Array, tuple[slice, slice]] | None:
    """Paint one piece with its shadow onto `canvas` (H, W, 3) 0..1, in place.

    Parameters
    ----------
    project
        From the garment's plane to pixels.
    plane
        For each pixel its place in the garment's plane: two arrays (H, W).
    px
        One pixel in units of the garment's plane.
    light
        Unit vector in the image that points to the light.

    Returns
    -------
    alpha, window
        The piece's coverage in the window of the canvas that it touches, or None if outside.
    """
    outline = project(piece.outline)
    height, width = canvas.shape[:2]
    pad = 26
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)).astype(int) - pad, 0)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + pad + 1, (width, height))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return None
    window = (slice(y0, y1), slice(x0, x1))
    shape = (y1 - y0, x1 - x0)
    origin = np.array([x0, y0])

    def cover(lines: list[Points]) -> Array:
        return (
            coverage([line - origin for line in lines], shape)
            if lines
            else np.zeros(shape, np.float32)
        )

    alpha = cover([outline])
    x, y = plane[0][window], plane[1][window]
    t, s = cloth_coordinates(piece.axis, x, y)
    cloth = piece.cloth
    used = bolt
    if cloth == "rib":
        used = bolt.with_color(bolt.trim)
    elif cloth == "trim":
        used = bolt.with_color(bolt.colors[-1])
    elif cloth == "lining":
        used = bolt.with_color(np.clip(bolt.colors[0] * 0.6, 0.04, 1))
    fabric = used.fabric
    weave = "rib" if cloth == "rib" else fabric.weave
    print_rng = np.random.default_rng(used.seed)
    slip, sag = (noise(table(rng), t * 6, s * 6) * 0.007 for _ in range(2))  # cloth never lies true
    color = np.array(_PRINTS[fabric.print_](used, t + slip, s + sag, px, print_rng))
    if piece.front and fabric.print_ in ("graphic", "heather") and bolt.graphic >= 0:
        for shape_, index in _GRAPHICS[bolt.graphic]():
            share = cover([project(shape_)])[..., None]
            color = _mix(color, bolt.colors[min(index, len(bolt.colors) - 1)], share * 0.92)

    yarn, tone = _weave(weave, t, s, px, rng)
    h = at_half(partial(_folds, piece, fabric, rng), x, y, t, s)
    if piece.flutes[0]:
        h += at_half(partial(_flute_height, piece, rng), t, s)
    if piece.quilt and cloth == "main":
        band = np.abs(np.sin(s * np.pi / 0.105 + 0.15 * noise(table(rng), t * 6, s * 3)))
        h += 0.028 * piece.quilt * np.sqrt(band + 0.01)
    h = (h + yarn) / px
    edge = blur(alpha, max(1.5, 0.008 / px))
    h += 0.008 / px * smoothstep((edge - 0.5) * 2)
    over = _sew(piece, used, project, cover, px, h)
    gy, gx = np.gradient(h)
    slope = -(gx * light[0] + gy * light[1])
    shade = 1 + 0.8 * np.tanh(1.15 * slope) * np.where(slope > 0, 0.55, 0.85)
    hollow = blur(h, max(2.0, 0.02 / px)) - h
    shade *= 1 - np.clip(0.055 * hollow, -0.06, 0.22)
    shade *= 0.93 + 0.07 * smoothstep((edge - 0.45) * 2.2)
    if piece.rise < 0:
        shift = shifted(edge, -light * 0.03 / px)
        shade *= 1 - 0.6 * -piece.rise * (1 - smoothstep((shift - 0.4) * 1.8))
    for line_color, share in over:
        color = _mix(color, line_color, share[..., None])
    lit = color * (shade * (1 + tone))[..., None]
    lit += (0.035 * np.tanh(slope) + fabric.sheen * np.clip(slope, 0, 1.2) ** 1.5)[..., None]

    ground = canvas[window]
    if piece.rise > 0:
        contact = blur(alpha, max(1.5, 0.01 / px))
        soft = blur(alpha, max(2.5, 0.03 * (0.4 + piece.rise) / px))
        cast = shifted(soft, -light * (1 + 0.022 * piece.rise / px))
        dark = np.clip(0.3 * contact + 0.42 * piece.rise * cast, 0, 0.62)
        ground *= (1 - dark * (1 - alpha))[..., None]
    ground += (np.clip(lit, 0, 1) - ground) * alpha[..., None]
    return alpha, window


def _sew(
    piece: Piece,
    bolt: Bolt,
    project: Project,
    cover: Callable[[list[Points]], Array],
    px: float,
    h: Array,
) -> list[tuple[Array, Array]]:
    """Press seams, pockets and buttons into the height `h`; return coloured lines on top."""
    over: list[tuple[Array, Array]] = []
    grooves: list[Points] = []
    stitches: list[Points] = []
    for detail in piece.details:
        line = project(detail.points)
        wide = max(detail.width / px, 0.9)
        if detail.kind == "seam":
            grooves += stroke(line, max(wide, 1.3))
        elif detail.kind == "stitch":
            stitches += stroke(line, 1.0, dash=max(0.013 / px, 2.6))
        elif detail.kind == "line":
            share = cover(stroke(line, wide))
            soft = blur(share, 1.2)
            h += 0.5 * wide * soft
            over.append((bolt.trim * 1.05, share))
        elif detail.kind == "zip":
            tape, teeth = cover(stroke(line, wide * 1.5)), cover(stroke(line, wide * 0.45))
            h -= 0.6 * blur(tape, 1.0)
            over.append((bolt.colors[0] * 0.72, tape * 0.8))
            over.append((rgb("b9b4a6"), teeth * 0.9))
            over.append(
                (rgb("6f6b62"), cover(stroke(line, wide * 0.45, dash=max(0.012 / px, 2.5))))
            )
        elif detail.kind == "patch":
            h += 1.3 * blur(cover([line]), 1.0)
            inner = detail.points.mean(axis=0)
            inset = inner + (detail.points - inner) * 0.9
            stitches += stroke(
                project(np.vstack([inset, inset[:1]])), 1.0, dash=max(0.013 / px, 2.6)
            )
        elif detail.kind == "label":
            over.append((rgb("ece8df"), cover([line])))
        elif detail.kind == "button":
            x, y = (float(v) for v in detail.points[0])
            knob = cover([project(disc(x, y, detail.width))])
            h += 2.0 * blur(knob, 1.0)
            light = float(bolt.colors[0].mean()) > 0.35
            over.append((rgb("efe9dc") if not light else rgb("6b5848"), knob))
            holes = [disc(x + o, y, 0.0022, n=8) for o in (-0.0035, 0.0035)]
            over.append(
                (rgb("4a4038") if not light else rgb("2c241e"), cover([project(r) for r in holes]))
            )
    if grooves:
        groove = cover(grooves)
        h -= 1.5 * blur(groove, 1.0)
        over.append((bolt.colors[0] * 0.6, groove * 0.35))
    if stitches:
        stitch = cover(stitches)
        h -= 0.5 * blur(stitch, 1.0)
        over.append((bolt.thread, stitch * 0.8))
    return over
