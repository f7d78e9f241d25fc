"""Where garments lie: backgrounds, the camera, composition, and which landmarks stay visible."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .cloth import paint
from .fabrics import Bolt
from .grounds import Camera, Matrix, background, clutter, hanger, tilted
from .pieces import Garment, Points
from .raster import Array, contains, edge_distance, noise, smoothstep, table
from .silhouettes import cut_garment


@dataclass(frozen=True)
class SampleGarment:
    """A garment in a sample image.

    Attributes
    ----------
    category, body_type
        As the schema ``garments`` names them.
    xy
        (K, 2) float64 pixels, (0, 0) the centre of the top-left pixel; (0, 0) where not there.
    visibility
        (K,) 2 visible, 1 hidden under cloth, 0 not there or outside the image.
    outlines
        (N, 2) outlines of the pieces that landmarks lie on, in the image.
    alpha
        (H, W) float32, 0..1: how much of each pixel shows this garment.
    """

    category: str
    body_type: str
    xy: Points
    visibility: NDArray[np.int64]
    outlines: tuple[Points, ...]
    alpha: Array


@dataclass(frozen=True)
class Sample:
    """A rendered image (H, W, 3) uint8 RGB and what is in it, bottom to top."""

    seed: int
    image: NDArray[np.uint8]
    garments: tuple[SampleGarment, ...]


def _place(
    garment: Garment,
    box: tuple[float, float, float, float],
    tilt: Matrix,
    angle: float,
    fill: float,
) -> tuple[Camera, float]:
    """Return the camera that lays the garment into a box (x, y, w, h), and the pixel's size."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    points = np.vstack([piece.outline for piece in garment.pieces]) @ turn.T
    low, high = points.min(axis=0), points.max(axis=0)
    scale = fill * float(min(box[2] / (high[0] - low[0]), box[3] / (high[1] - low[1])))
    centre = np.array([box[0] + box[2] / 2, box[1] + box[3] / 2])
    matrix = np.eye(3)
    matrix[:2, :2] = scale * turn
    matrix[:2, 2] = centre - scale * 0.5 * (low + high)
    return Camera(tilt @ matrix), 1 / scale


# -- composition ----------------------------------------------------------------------------------


def _boxes(
    rng: np.random.Generator, n: int, width: int, height: int
) -> list[tuple[float, float, float, float]]:
    """Return a place for each of `n` garments: rows and columns that may overlap a little."""
    columns = int(np.ceil(np.sqrt(n * width / height)))
    if n == 2:
        columns = 2 if rng.random() < width / (width + 0.6 * height) else 1
    rows = int(np.ceil(n / max(columns, 1)))
    grow = rng.uniform(0.96, 1.3) if n > 1 else 1.0
    out = []
    for k in range(n):
        j, i = divmod(k, columns)
        in_row = min(columns, n - j * columns)
        w, h = width / in_row, height / rows
        cx, cy = (i + 0.5) * w, (j + 0.5) * h
        if n > 1:
            cx, cy = cx + rng.normal(0, 0.02) * w, cy + rng.normal(0, 0.02) * h
        out.append((cx - w * grow / 2, cy - h * grow / 2, w * grow, h * grow))
    return [out[int(k)] for k in rng.permutation(n)]


def compose(
    seed: int, categories: list[str], size: tuple[int, int], rng: np.random.Generator
) -> Sample:
    """Render one image of `size` (width, height) with a garment of each category on it."""
    width, height = size
    shape = (height, width)
    angle = rng.uniform(-0.75, -0.25) * np.pi + (np.pi if rng.random() < 0.12 else 0.0)
    light = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    canvas, hangs = background(rng, width, height, light)
    if not categories:
        clutter(canvas, rng, light, int(rng.integers(1, 4)), border=False)
    elif not hangs and rng.random() < 0.14:
        clutter(canvas, rng, light, 1, border=True)

    drawn: list[tuple[int, str, Points]] = []
    placed: list[tuple[Garment, Points, list[Points]]] = []
    alphas: list[Array] = []
    boxes = _boxes(rng, len(categories), width, height)
    for g, (category, box) in enumerate(zip(categories, boxes, strict=True)):
        garment = cut_garment(category, rng)
        turn = rng.normal(0, 2) if hangs else rng.normal(0, 6) * (3.0 if rng.random() < 0.06 else 1)
        fill = rng.uniform(0.8, 0.94) if rng.random() > 0.04 else rng.uniform(1.0, 1.12)
        if hangs:
            box = (box[0], box[1] + 0.05 * box[3], box[2], 0.95 * box[3])
        tilt = tilted(rng, width, height, 0.5 if hangs else 1.0)
        camera, px = _place(garment, box, tilt, np.deg2rad(turn), fill)
        bolt = Bolt.choose(garment, rng)
        bolt = _contrast(bolt, canvas, box)
        plane = camera.plane(shape)
        if hangs and (garment.owners[0] == "" or not _has_hood(garment)):
            hanger(canvas, camera, garment, light, px, rng)
        alphas.append(np.zeros(shape, np.float32))
        for piece in garment.pieces:
            painted = paint(canvas, piece, bolt, camera.project, plane, px, light, rng)
            if painted is None:
                continue
            alpha, window = painted
            for other in range(len(alphas)):
                alphas[other][window] *= 1 - alpha
            alphas[g][window] += alpha
            drawn.append((g, piece.part, camera.project(piece.outline)))
        outlines = [camera.project(p.outline) for p in garment.pieces if p.part in garment.owners]
        placed.append((garment, camera.project(garment.landmarks), outlines))

    garments = []
    for g, (garment, xy, outlines) in enumerate(placed):
        visibility = _visibility(g, garment, xy, drawn, size)
        xy = np.where(visibility[:, None] > 0, xy, 0.0)
        garments.append(
            SampleGarment(
                garment.category, garment.body_type, xy, visibility, tuple(outlines), alphas[g]
            )
        )
    return Sample(seed, _develop(canvas, light, rng), tuple(garments))


def _has_hood(garment: Garment) -> bool:
    top = min(float(piece.outline[:, 1].min()) for piece in garment.pieces)
    return top < -0.2


def _contrast(bolt: Bolt, canvas: Array, box: tuple[float, float, float, float]) -> Bolt:
    """Take the garment's second colour where its first would vanish on the ground."""
    y, x = max(int(box[1]), 0), max(int(box[0]), 0)
    ground = canvas[y : y + int(box[3]) : 7, x : x + int(box[2]) : 7].reshape(-1, 3).mean(axis=0)
    if np.abs(ground - bolt.colors[0]).max() > 0.14 or len(bolt.colors) < 2:
        return bolt
    colors = bolt.colors.copy()
    colors[[0, 1]] = colors[[1, 0]]
    return replace(bolt, colors=colors, trim=colors[0] * 0.9)


def _visibility(
    g: int,
    garment: Garment,
    xy: Points,
    drawn: list[tuple[int, str, Points]],
    size: tuple[int, int],
) -> NDArray[np.int64]:
    """Return 2, or 1 for what lies inside a piece drawn over it, or 0 outside the image.

    Only pieces of other parts hide a landmark, and only those drawn after the last piece of its
    own part that has it on its edge.
    """
    visibility = np.zeros(len(xy), dtype=np.int64)
    for k, owner in enumerate(garment.owners):
        x, y = xy[k]
        if not owner or not (-0.5 <= x < size[0] - 0.5 and -0.5 <= y < size[1] - 0.5):
            continue
        own = [
            i
            for i, (who, part, outline) in enumerate(drawn)
            if (who, part) == (g, owner) and edge_distance(outline, xy[k]) < 1.5
        ]
        after = drawn[own[-1] + 1 :] if own else []
        hidden = any(
            (who, part) != (g, owner) and contains(outline, xy[k]) for who, part, outline in after
        )
        visibility[k] = 1 if hidden else 2
    return visibility


def _develop(canvas: Array, light: Points, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Finish the image as a telephone's camera would: falling light, warmth, blur, noise."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    fall = 1 + rng.uniform(0.02, 0.12) * (x * light[0] + y * light[1])
    fall *= 1 - rng.uniform(0.02, 0.14) * smoothstep((np.hypot(x, y) - 0.5).astype(np.float32))
    fall *= 1 + rng.uniform(0.02, 0.07) * noise(table(rng), 1.3 * x + 9, 1.3 * y + 9)
    warm = 1 + rng.normal(0, 0.025) * np.array([1, 0.1, -1], dtype=np.float32)
    out = canvas * fall[..., None] * warm * np.float32(rng.uniform(0.94, 1.06))
    out = 0.5 + (out - 0.5) * np.float32(rng.uniform(0.96, 1.06))
    grain = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    chroma = np.repeat(np.repeat(coarse, 2, axis=0), 2, axis=1)
    level = np.float32(rng.uniform(0.004, 0.012))
    out += (level * grain)[..., None] + 0.5 * level * chroma[:height, :width]
    return np.asarray(np.clip(out * 255 + 0.5, 0, 255), dtype=np.uint8)
