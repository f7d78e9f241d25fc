"""Draw the photos whose labels a model doubts most, worst first, on sheets to be looked at.

    python training/label_sheets.py --model runs/teacher --out sheets --count 64

By the landmarks: the greatest mean distance between label and prediction, by the box of the labelled
landmarks; label green, prediction red. By the category: how improbable the labelled one is. What turns
out wrong is corrected in datasets/photos/data/train.json and written down in training/data-fixes.md. The
test split is not looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.protocols import ONE_GARMENT
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import PredictedGarment

ACROSS, DOWN, CELL = 4, 2, (380, 460)


class Doubt(NamedTuple):
    """A photo of one garment, and what the model sees in it."""

    image: AnnotatedImage
    found: PredictedGarment
    error: float
    probability: float


def main() -> None:
    """Read all photos, draw the worst."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--out", type=Path, required=True, help="folder of the sheets")
    parser.add_argument("--count", type=int, default=64, help="photos of each kind")
    options = parser.parse_args()
    model = Model.load(options.model, "cpu")
    doubts = read(model, load_sources([Source(file="photos:train")], model.schema))
    options.out.mkdir(parents=True, exist_ok=True)
    for kind, worst in (
        ("landmarks", sorted(doubts, key=lambda d: -d.error)),
        ("category", sorted(doubts, key=lambda d: d.probability)),
    ):
        per = ACROSS * DOWN
        for start in range(0, min(options.count, len(worst)), per):
            path = options.out / f"{kind}-{start // per:02}.png"
            draw(worst[start : start + per], model).save(path)
            print(path)


def read(model: Model, images: list[AnnotatedImage], batch: int = 16) -> list[Doubt]:
    """Let the model read the only garment of each photo, without flip TTA."""
    doubts = []
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        photos = [p.read() for p in chunk]
        options = model.inference.overridden(flip_tta=False, decoder=ONE_GARMENT)
        predictions = model.predict(photos, options, crop=False)
        for image, prediction in zip(chunk, predictions, strict=True):
            found = prediction.garments[0]
            there = image.visibility[0] > 0
            xy = image.xy[0][there]
            extent = np.maximum(np.ptp(xy, axis=0), 1.0)
            error = float(np.linalg.norm((found.xy[there] - xy) / extent, axis=1).mean())
            probability = float(found.category[image.category[0]])
            doubts.append(Doubt(image, found, error, probability))
    return doubts


def draw(doubts: list[Doubt], model: Model) -> Image.Image:
    """Draw one sheet."""
    sheet = Image.new("RGB", (ACROSS * CELL[0], DOWN * CELL[1]), "white")
    pen = ImageDraw.Draw(sheet)
    names = model.schema.category_names
    for i, doubt in enumerate(doubts):
        photo = Image.fromarray(doubt.image.read())
        scale = min((CELL[0] - 8) / photo.width, (CELL[1] - 28) / photo.height)
        photo = photo.resize((round(photo.width * scale), round(photo.height * scale)))
        marks = ImageDraw.Draw(photo)
        for k in np.flatnonzero(doubt.image.visibility[0] > 0):
            x, y = ((doubt.image.xy[0][k] + 0.5) * scale).tolist()
            px, py = ((doubt.found.xy[k] + 0.5) * scale).tolist()
            marks.line([x, y, px, py], fill="yellow")
            marks.ellipse([x - 4, y - 4, x + 4, y + 4], fill="lime", outline="black")
            marks.ellipse([px - 3, py - 3, px + 3, py + 3], fill="red", outline="white")
            marks.text((x + 6, y - 5), model.schema.landmarks[k], fill="white", stroke_width=1)
        corner = (i % ACROSS * CELL[0], i // ACROSS * CELL[1])
        sheet.paste(photo, (corner[0], corner[1] + 24))
        label = names[doubt.image.category[0]]
        said = names[int(doubt.found.category.argmax())]
        pen.text(
            (corner[0] + 2, corner[1] + 4),
            f"{Path(doubt.image.key).stem[:8]}  {doubt.error:.3f}  "
            f"{label} {doubt.probability:.2f}, model {said}",
            fill="black",
        )
    return sheet


if __name__ == "__main__":
    main()
