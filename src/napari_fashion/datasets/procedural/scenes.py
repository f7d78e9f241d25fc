"""Where garments lie beside each other: backgrounds, the camera and the composition."""

from __future__ import annotations

import numpy as np

from .fabrics import Bolt
from .grounds import Camera, Matrix, background, clutter, hanger, tilted
from .pieces import Garment, Points
from .stage import Sample, Stage, contrasting
from .wardrobes import Wardrobe


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


def draw_light(rng: np.random.Generator) -> Points:
    """Return a unit vector (2,) in the image that points to the light: mostly from above."""
    angle = rng.uniform(-0.75, -0.25) * np.pi + (np.pi if rng.random() < 0.12 else 0.0)
    return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)


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
    seed: int,
    categories: list[str],
    size: tuple[int, int],
    rng: np.random.Generator,
    wardrobe: Wardrobe,
) -> Sample:
    """Render one image of `size` (width, height) with a garment of each category on it."""
    width, height = size
    shape = (height, width)
    light = draw_light(rng)
    canvas, hangs = background(rng, width, height, light)
    if not categories:
        clutter(canvas, rng, light, int(rng.integers(1, 4)), border=False)
    elif not hangs and rng.random() < 0.14:
        clutter(canvas, rng, light, 1, border=True)

    stage = Stage(canvas, light, rng)
    boxes = _boxes(rng, len(categories), width, height)
    for category, box in zip(categories, boxes, strict=True):
        garment = wardrobe.cut(category, rng)
        turn = rng.normal(0, 2) if hangs else rng.normal(0, 6) * (3.0 if rng.random() < 0.06 else 1)
        fill = rng.uniform(0.8, 0.94) if rng.random() > 0.04 else rng.uniform(1.0, 1.12)
        if hangs:
            box = (box[0], box[1] + 0.05 * box[3], box[2], 0.95 * box[3])
        tilt = tilted(rng, width, height, 0.5 if hangs else 1.0)
        camera, px = _place(garment, box, tilt, np.deg2rad(turn), fill)
        bolt = contrasting(Bolt.choose(garment, rng), canvas, box)
        if hangs and (garment.owners[0] == "" or not _has_hood(garment)):
            hanger(canvas, camera, garment, light, px, rng)
        number = stage.lay(wardrobe.marked(garment), camera)
        stage.paint(number, garment.pieces, bolt, camera, px, camera.plane(shape))
    return stage.finish(seed)


def _has_hood(garment: Garment) -> bool:
    top = min(float(piece.outline[:, 1].min()) for piece in garment.pieces)
    return top < -0.2
