"""Whether images of which a model is unsure need more corrections: rank correlation with the truth.

    python training/uncertainty.py photos:test --model bundled
    python training/uncertainty.py people:test --model people --tolerance 0.05

Each image is predicted; the expected number of corrections (`coco.uncertainty`, the order of the queue)
is compared with the number that the truth asks for (`editing.corrections`), and with the mean error of the
landmarks that both have. Beside it the lowest score of a landmark or category, and the mean score.
Spearman's rho with a 95 % interval: bootstrap over images.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from napari_fashion.coco import Dataset, Garment
from napari_fashion.coco.uncertainty import expected_corrections
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.editing.comparison import Reading, compare
from napari_fashion.editing.corrections import TOLERANCE, corrections
from napari_fashion.editing.predictions import take_prediction
from napari_fashion.engine.model_set import load_model
from napari_fashion.images import read_image

WITHOUT = 9.0
"""Stands for an image without a garment: such come first."""


def main() -> None:
    """Predict, compare, and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="photos:test, people:test or a COCO file")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--images", type=int, help="number of images; by default all")
    parser.add_argument(
        "--tolerance", type=float, default=TOLERANCE, help="share of the box's sides"
    )
    options = parser.parse_args()
    truth = open_source(Source(file=options.data))
    model = load_model(options.model)
    document = truth.to_document()
    document["annotations"] = []
    predicted = Dataset.from_document(document, schema=truth.schema)
    rows = []
    for image in list(truth.images)[: options.images]:
        (prediction,) = model.predict([read_image(image.path, size=image.known_size)])
        taken = take_prediction(predicted, image.id, prediction, model.schema)
        if taken.edit is not None:
            taken.edit.apply(predicted)
        rows.append(
            _row(predicted.garments_of(image.id), truth.garments_of(image.id), options.tolerance)
        )
    print(_table(np.array(rows)))


def _row(shown: Sequence[Garment], truth: Sequence[Garment], tolerance: float) -> tuple[float, ...]:
    """Return corrections and error, then expected corrections, and one minus the lowest and mean score."""
    needed = sum(1 for _ in corrections(shown, truth, tolerance))
    pairs = compare(*([Reading.of_file(one) for one in side] for side in (shown, truth)))
    apart = np.concatenate([pair.distance for pair in pairs]) if pairs else np.full(1, np.nan)
    error = np.nan if np.isnan(apart).all() else float(np.nanmean(apart))
    if not shown:
        return needed, error, WITHOUT, 1.0, 1.0
    scores = np.concatenate([one.landmark_scores[one.visibility > 0] for one in shown])
    categories = [max(one.category_scores.values(), default=1.0) for one in shown]
    lowest = min([*scores.tolist(), *categories])
    return needed, error, expected_corrections(shown), 1 - lowest, 1 - float(scores.mean())


def _table(rows: np.ndarray) -> str:
    lines = [
        f"{len(rows)} images, {rows[:, 0].mean():.2f} corrections an image",
        f"{'':28}{'corrections':>26}{'error of landmarks':>26}",
    ]
    for column, name in ((2, "expected corrections"), (3, "lowest score"), (4, "mean score")):
        cells = [_correlation(rows[:, column], rows[:, target]) for target in (0, 1)]
        lines.append(f"{name:28}" + "".join(f"{cell:>26}" for cell in cells))
    return "\n".join(lines)


def _correlation(unsure: np.ndarray, wrong: np.ndarray) -> str:
    known = np.isfinite(wrong)
    unsure, wrong = unsure[known], wrong[known]
    random = np.random.default_rng(0)
    found = []
    for _ in range(1000):
        i = random.integers(len(wrong), size=len(wrong))
        found.append(spearmanr(unsure[i], wrong[i])[0])
    low, high = np.nanpercentile(found, [2.5, 97.5])
    return f"{spearmanr(unsure, wrong)[0]:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
