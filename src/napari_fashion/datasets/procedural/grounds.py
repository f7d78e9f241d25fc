"""What garments lie on and hang at, the camera, and things that are no garments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .fabrics import rgb
from .pieces import Garment, Points, disc
from .raster import Array, at_half, blur, cells, coverage, noise, shifted, smoothstep, stroke, table

Matrix = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Camera:
    """Maps a garment's plane to pixels and back by a homography (3, 3)."""

    matrix: Matrix

    def project(self, points: Points) -> Points:
        """Map (N, 2) points of the plane to pixels."""
        p = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return np.asarray(p[:, :2] / p[:, 2:])

    def plane(self, shape: tuple[int, int]) -> tuple[Array, Array]:
        """Return for each pixel of an image (H, W) its x and y in the plane."""
        m = np.linalg.inv(self.matrix)
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
        w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
        px = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w
        py = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w
        return px.astype(np.float32), py.astype(np.float32)


def tilted(rng: np.random.Generator, width: int, height: int, strength: float) -> Matrix:
    """Return a mild perspective that keeps the image's middle."""
    cx, cy = width / 2, height / 2
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = (-cx, -cy), (cx, cy)
    lean = np.eye(3)
    lean[2, :2] = rng.normal(0, 0.12 * strength, 2) / max(width, height) * (1, 1.6)
    return np.asarray(back @ lean @ to)


# -- backgrounds: (H, W, 3) 0..1 at plane coordinates in units of the image's short side ---------


def _colour(rng: np.random.Generator, names: str) -> Array:
    among = names.split()
    base = rgb(among[int(rng.integers(len(among)))])
    return np.clip(base + rng.normal(0, 0.015, 3), 0, 1).astype(np.float32)


def _relief(h: Array, light: Points, strength: float) -> Array:
    gy, gx = np.gradient(h)
    return np.asarray(1 - strength * np.tanh(gx * light[0] + gy * light[1]))[..., None]


def _wood(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    wide, long = rng.uniform(0.13, 0.24), rng.uniform(1.0, 1.7)
    base = _colour(rng, "b98d5e c9a67a a8835c 8f6b48 d6c2a4 b8a68c 7d5a3e c4b49b 9c9083 a9a59d")
    row = np.floor(x / wide)
    along = y + long * cells(table(rng), row, np.zeros_like(row))
    tone = cells(table(rng), row, np.floor(along / long))
    u = x / wide + 7 * tone
    grain = noise(table(rng), x * 90 + 12 * tone, along * 2.2)
    rings = np.sin(16 * noise(table(rng), u * 1.6, along * 0.9 + 9 * tone) + 5 * u)
    fine = cells(table(rng, 128), x / 0.0035, along / 0.07)
    color = base * (1 + 0.07 * tone + 0.06 * grain + 0.045 * rings + 0.035 * fine)[..., None]
    edge = np.minimum(np.abs((x / wide) % 1 - 0.5) * -1 + 0.5, 1) * wide
    end = (0.5 - np.abs((along / long) % 1 - 0.5)) * long
    gap = np.clip(1 - np.minimum(edge, end) / 0.0042, 0, 1)
    return np.asarray(color * (1 - 0.5 * gap)[..., None])


def _wall(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    base = _colour(rng, "e6e2da d9d6d0 cfd3d4 e9dfcb d6cfc4 c3cbd0 dcd3d0 e3e5e2")
    rough = noise(table(rng), x * 60, y * 60) + noise(table(rng), x * 25, y * 25)
    soft = noise(table(rng), x * 1.5, y * 1.5)
    return base * _relief(0.35 * rough, light, 0.05) * (1 + 0.03 * soft)[..., None]


def _linen(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    base = _colour(
        rng, "8d1f3c b0273f c4466a e9e4da dcd5cb d5dbe0 5c6f8c b9a58b 7d6a86 cfd8c8 c96a45"
    )

    def crumpled(x: Array, y: Array) -> Array:
        h = 0.4 * noise(table(rng), x * 4, y * 4)
        for size in (1.0, 1.7, 2.6):
            a = rng.uniform(0, np.pi)
            c, d = float(np.cos(a)), float(np.sin(a))
            u, v = x * c + y * d, y * c - x * d
            warp = noise(table(rng), u * 2, v * 2)
            ridge = 1 - np.abs(noise(table(rng), size * (u * 3.4 + 0.6 * warp), size * (v + warp)))
            where = smoothstep(0.5 + noise(table(rng), u * 1.7, v * 1.7))
            h += ridge**3 / size * where
        return h

    weave = cells(table(rng, 128), x * 400, y * 400)
    return base * _relief(at_half(crumpled, x, y) * 17, light, 0.2) * (1 + 0.02 * weave)[..., None]


def _carpet(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    base = _colour(rng, "b8a98e 9a8c78 8b8f93 c9bfae 6f665c a79f97")
    tuft = noise(table(rng), x * 110, y * 110) + 0.7 * cells(table(rng, 128), x * 300, y * 300)
    blot = noise(table(rng), x * 7, y * 7) + 0.5 * noise(table(rng), x * 19, y * 19)
    return base * (1 + 0.13 * tuft + 0.05 * blot)[..., None]


def _tiles(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    size = rng.uniform(0.34, 0.55)
    base = _colour(rng, "d8d0c0 cfc7b8 e2ded4 b9b4aa c9beac")
    tone = cells(table(rng), x / size, y / size)
    vein = np.abs(
        noise(table(rng), x * 5 + tone * 9, y * 5) + 0.5 * noise(table(rng), x * 12, y * 12)
    )
    color = base * (1 + 0.02 * tone - 0.05 * np.exp(-vein * 7))[..., None]
    edge = np.minimum(*((0.5 - np.abs((v / size) % 1 - 0.5)) * size for v in (x, y)))
    grout = np.clip(1.6 - edge / 0.004, 0, 1)[..., None]
    return np.asarray(color + (base * 0.62 - color) * grout)


def _quilted(x: Array, y: Array, light: Points, rng: np.random.Generator) -> Array:
    base = _colour(rng, "c9bba8 b6a9b4 a9b7bf d8cdbd 96806f bfa3a0")
    size = rng.uniform(0.09, 0.15)
    u, v = (x + y) / size, (x - y) / size
    pad = np.sqrt(np.abs(np.sin(u * np.pi) * np.sin(v * np.pi)) + 0.02)
    h = pad * 16 + 3 * noise(table(rng), x * 9, y * 9)
    return np.asarray(base * _relief(h, light, 0.2) * (0.86 + 0.14 * pad)[..., None])


_GROUNDS: tuple[tuple[Callable[..., Array], float], ...] = (
    (_wood, 0.34),
    (_wall, 0.2),
    (_linen, 0.22),
    (_tiles, 0.1),
    (_carpet, 0.07),
    (_quilted, 0.07),
)


def background(
    rng: np.random.Generator, width: int, height: int, light: Points
) -> tuple[Array, bool]:
    """Return an empty image and whether it is a wall, on which garments hang."""
    kind = int(rng.choice(len(_GROUNDS), p=[share for _, share in _GROUNDS]))
    ground = _GROUNDS[kind][0]
    unit = min(width, height)
    hangs = ground is _wall
    angle = 0.0 if hangs else float(rng.choice([0.0, np.pi / 2, np.pi / 4]) + rng.normal(0, 0.12))
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.diag([float(unit), float(unit), 1.0]) @ np.array(
        [[c, -s, 0.5], [s, c, 0.7], [0, 0, 1]]
    )
    camera = Camera(tilted(rng, width, height, 1.3) @ matrix)
    x, y = camera.plane((height, width))
    canvas = np.clip(ground(x + 20, y + 20, light, rng), 0, 1).astype(np.float32)
    if hangs and rng.random() < 0.35:
        _door(canvas, rng)
    return canvas, hangs


def _door(canvas: Array, rng: np.random.Generator) -> None:
    """Press the panels of a wardrobe door into a wall."""
    height, width = canvas.shape[:2]
    x, m = rng.uniform(0.1, 0.25) * width, 0.05 * width
    for low, high in ((0.04, 0.55), (0.62, 0.97)):
        box = np.array(
            [
                [x, low * height],
                [width - x, low * height],
                [width - x, high * height],
                [x, high * height],
            ]
        )
        inner = box + np.array([[m, m], [-m, m], [-m, -m], [m, -m]]) * 0.3
        for shape, dark in ((box, 0.9), (inner, 1.09)):
            share = coverage([shape], (height, width))[..., None]
            canvas *= 1 + (dark - 1) * share
    np.clip(canvas, 0, 1, out=canvas)


# -- things that are no garments ------------------------------------------------------------------


def _thing(canvas: Array, outline: Points, color: Array, light: Points, lift: float) -> None:
    """Paint one rounded shape with its shadow, in place."""
    low = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 20, 0)
    high = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 21, canvas.shape[1::-1])
    if (high - low < 4).any():
        return
    part = canvas[low[1] : high[1], low[0] : high[0]]
    alpha = coverage([outline - low], part.shape[:2])
    cast = shifted(blur(alpha, 6), -light * lift)
    part *= (1 - 0.45 * cast * (1 - alpha))[..., None]
    soft = blur(alpha, 4)
    gy, gx = np.gradient(soft)
    shade = (0.8 + 0.25 * soft - 2.2 * (gx * light[0] + gy * light[1]))[..., None]
    part += (np.clip(color * shade, 0, 1) - part) * alpha[..., None]


def clutter(
    canvas: Array, rng: np.random.Generator, light: Points, count: int, border: bool
) -> None:
    """Put shoes, hats, boxes and books on the ground; at the `border` where garments are."""
    height, width = canvas.shape[:2]
    unit = min(width, height)
    for _ in range(count):
        if border:
            side = rng.integers(4)
            along = rng.uniform(0, 1)
            x, y = [(0.02, along), (0.98, along), (along, 0.02), (along, 0.98)][side]
            size = rng.uniform(0.08, 0.13) * unit
        else:
            x, y = rng.uniform(0.22, 0.78, 2)
            size = rng.uniform(0.13, 0.2) * unit
        centre = np.array([x * width, y * height])
        a = rng.uniform(0, 2 * np.pi)
        turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])

        def at(
            p: Points, turn: Points = turn, centre: Points = centre, size: float = size
        ) -> Points:
            return p @ turn.T * size + centre

        color = _colour(rng, "3a2f2a 7a4a32 2a2d34 b59b7a e4e0d8 8c2f36 34576b c9a54a 5e6b4f")
        kind = int(rng.integers(3))
        if kind == 0:  # a pair of shoes
            for dx in (-0.42, 0.42):
                _thing(canvas, at(disc(dx, 0, 0.34, 0.95)), color * 0.7, light, 5)
                _thing(canvas, at(disc(dx, 0.02, 0.28, 0.85)), color, light, 1)
                _thing(canvas, at(disc(dx, -0.45, 0.18, 0.3)), color * 0.35, light, 0)
                for k in range(3):
                    lace = np.array([[dx - 0.14, 0.0 + 0.14 * k], [dx + 0.14, 0.05 + 0.14 * k]])
                    _thing(canvas, at(stroke(lace, 0.05)[0]), rgb("e8e3d8"), light, 0)
        elif kind == 1:  # a hat
            _thing(canvas, at(disc(0, 0, 1.05, 0.92)), color, light, 7)
            _thing(canvas, at(disc(0, 0, 0.6, 0.54)), color * 0.55, light, 1)
            _thing(canvas, at(disc(0.02, -0.02, 0.55, 0.5)), np.clip(color * 1.08, 0, 1), light, 3)
        else:  # a box or a book
            w = rng.uniform(0.5, 0.9)
            box = np.array([[-w, -0.7], [w, -0.7], [w, 0.7], [-w, 0.7]])
            _thing(canvas, at(box), color, light, 7)
            _thing(
                canvas,
                at(box * (0.8, 0.62) + (0, -0.04)),
                np.clip(color * 1.15 + 0.03, 0, 1),
                light,
                0,
            )
            _thing(
                canvas,
                at(
                    np.array(
                        [[-0.5 * w, -0.2], [0.5 * w, -0.2], [0.5 * w, -0.08], [-0.5 * w, -0.08]]
                    )
                ),
                rgb("efe9dd"),
                light,
                0,
            )


def hanger(
    canvas: Array,
    camera: Camera,
    garment: Garment,
    light: Points,
    px: float,
    rng: np.random.Generator,
) -> None:
    """Hang a garment up: a hook above its neck and bars below its shoulders."""
    neck = garment.landmarks[:2] if garment.owners[0] else garment.landmarks[4:6]
    mid = neck.mean(axis=0)
    half = float(abs(neck[1, 0] - neck[0, 0])) / 2
    color = _colour(rng, "1f2022 8a6a48 d8d5cf 55585c")
    wide = half * (1.5 if garment.owners[0] else 0.9)
    sag = 0.5 * (wide - half) if garment.owners[0] else 0.0
    bar = np.array(
        [
            [-wide, sag + 0.02],
            [-0.35 * half, -0.035],
            [0, -0.05],
            [0.35 * half, -0.035],
            [wide, sag + 0.02],
        ]
    )
    a = np.linspace(np.pi * 0.95, -np.pi * 0.5, 16)
    hook = np.vstack(
        [
            0.045 * np.stack([np.cos(a), -np.sin(a)], axis=1) + (0, -0.2),
            [[0.0, -0.13], [0.0, -0.05]],
        ]
    )
    for line, thick, shade in ((hook, 0.012, 0.9), (bar, 0.03, 1.0)):
        for outline in stroke(camera.project(line + mid), max(thick / px, 1.5)):
            _thing(canvas, outline, color * shade, light, 4)
