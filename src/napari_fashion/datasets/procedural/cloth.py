"""Painting cloth: weave and folds as a height field, and the light on it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from .fabrics import Bolt, Fabric
from .graphics import GRAPHICS
from .pieces import Piece, Points
from .prints import PRINTS
from .raster import (
    Array,
    at_half,
    blur,
    cells,
    coverage,
    mix,
    noise,
    shifted,
    smoothstep,
    table,
)
from .sewing import Cover, Project, sew

Window = tuple[slice, slice]
"""Rows and columns of a canvas."""

_PAD = 26  # pixels around a piece that its shadow may reach


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
) -> tuple[Array, Window] | None:
    """Paint one piece with its shadow onto a canvas.

    Parameters
    ----------
    canvas
        (H, W, 3) 0..1, changed in place.
    piece, bolt
        The piece, and what its garment is cut of.
    project
        From the garment's plane to pixels.
    plane
        For each pixel its place in the garment's plane: two arrays (H, W).
    px
        One pixel in units of the garment's plane.
    light
        (2,) unit vector in the image that points to the light.
    rng
        Source of randomness; the same state paints the same pixels.

    Returns
    -------
    alpha, window
        The piece's coverage, (h, w) 0..1, in the window of the canvas that it touches; None if it lies
        outside.
    """
    window = _window(project(piece.outline), canvas.shape[:2])
    if window is None:
        return None
    rows, columns = window
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    origin = np.array([columns.start, rows.start])

    def cover(lines: list[Points]) -> Array:
        if not lines:
            return np.zeros(shape, np.float32)
        return coverage([line - origin for line in lines], shape)

    alpha = cover([project(piece.outline)])
    edge = blur(alpha, max(1.5, 0.008 / px))
    x, y = plane[0][window], plane[1][window]
    t, s = cloth_coordinates(piece.axis, x, y)
    used = _cloth_of(piece, bolt)
    color = _albedo(piece, bolt, used, project, cover, t, s, px, rng)
    weave = "rib" if piece.cloth == "rib" else used.fabric.weave
    yarn, tone = _weave(weave, t, s, px, rng)
    height = (_relief(piece, used.fabric, rng, x, y, t, s) + yarn) / px
    height += 0.008 / px * smoothstep((edge - 0.5) * 2)
    layers = sew(piece, used, project, cover, px, height)
    slope = _slope(height, light)
    shade = _shade(piece, height, slope, edge, light, px)
    for layer_color, share in layers:
        color = mix(color, layer_color, share[..., None])
    lit = color * (shade * (1 + tone))[..., None]
    lit += (0.035 * np.tanh(slope) + used.fabric.sheen * np.clip(slope, 0, 1.2) ** 1.5)[..., None]
    ground = canvas[window]
    if piece.rise > 0:
        _cast_shadow(ground, alpha, piece.rise, light, px)
    ground += (np.clip(lit, 0, 1) - ground) * alpha[..., None]
    return alpha, window


def _window(outline: Points, size: tuple[int, int]) -> Window | None:
    """Return the window of a canvas (H, W) that an outline and its shadow touch; None if outside."""
    height, width = size
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)).astype(int) - _PAD, 0)
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + _PAD + 1, (width, height))
    return None if x1 - x0 < 4 or y1 - y0 < 4 else (slice(y0, y1), slice(x0, x1))


def _cloth_of(piece: Piece, bolt: Bolt) -> Bolt:
    """Return what a piece is cut of: the garment's bolt, or plain cloth in a colour of it."""
    match piece.cloth:
        case "rib":
            return bolt.with_color(bolt.trim)
        case "trim":
            return bolt.with_color(bolt.colors[-1])
        case "lining":
            return bolt.with_color(np.clip(bolt.colors[0] * 0.6, 0.04, 1))
    return bolt


def _albedo(
    piece: Piece,
    bolt: Bolt,
    used: Bolt,
    project: Project,
    cover: Cover,
    t: Array,
    s: Array,
    px: float,
    rng: np.random.Generator,
) -> Array:
    """Return the colour of a piece before light falls on it, (h, w, 3): print and graphic."""
    print_rng = np.random.default_rng(used.seed)
    slip, sag = (noise(table(rng), t * 6, s * 6) * 0.007 for _ in range(2))  # cloth never lies true
    print_ = used.fabric.print_
    color = np.array(PRINTS[print_](used, t + slip, s + sag, px, print_rng))
    if piece.front and print_ in ("graphic", "heather") and bolt.graphic >= 0:
        for outline, index in GRAPHICS[bolt.graphic]():
            share = cover([project(outline)])[..., None]
            color = mix(color, bolt.colors[min(index, len(bolt.colors) - 1)], share * 0.92)
    return color


def _relief(
    piece: Piece, fabric: Fabric, rng: np.random.Generator, x: Array, y: Array, t: Array, s: Array
) -> Array:
    """Return the height of folds, flutes and quilting, (h, w) in units."""
    height = at_half(partial(_folds, piece, fabric, rng), x, y, t, s)
    if piece.flutes[0]:
        height += at_half(partial(_flute_height, piece, rng), t, s)
    if piece.quilt and piece.cloth == "main":
        band = np.abs(np.sin(s * np.pi / 0.105 + 0.15 * noise(table(rng), t * 6, s * 3)))
        height += 0.028 * piece.quilt * np.sqrt(band + 0.01)
    return height


def _slope(height: Array, light: Points) -> Array:
    """Return how much the cloth faces the light, (h, w): positive towards it."""
    gy, gx = np.gradient(height)
    return np.asarray(-(gx * light[0] + gy * light[1]))


def _shade(
    piece: Piece, height: Array, slope: Array, edge: Array, light: Points, px: float
) -> Array:
    """Return the light on a piece, (h, w), about 1: by slope, hollows, edges and what lies around it."""
    shade = 1 + 0.8 * np.tanh(1.15 * slope) * np.where(slope > 0, 0.55, 0.85)
    hollow = blur(height, max(2.0, 0.02 / px)) - height
    shade *= 1 - np.clip(0.055 * hollow, -0.06, 0.22)
    shade *= 0.93 + 0.07 * smoothstep((edge - 0.45) * 2.2)
    if piece.rise < 0:
        shift = shifted(edge, -light * 0.03 / px)
        shade *= 1 - 0.6 * -piece.rise * (1 - smoothstep((shift - 0.4) * 1.8))
    return shade


def _cast_shadow(ground: Array, alpha: Array, rise: float, light: Points, px: float) -> None:
    """Darken the ground (h, w, 3), in place, where a piece that rises over it takes the light."""
    contact = blur(alpha, max(1.5, 0.01 / px))
    soft = blur(alpha, max(2.5, 0.03 * (0.4 + rise) / px))
    cast = shifted(soft, -light * (1 + 0.022 * rise / px))
    dark = np.clip(0.3 * contact + 0.42 * rise * cast, 0, 0.62)
    ground *= (1 - dark * (1 - alpha))[..., None]
