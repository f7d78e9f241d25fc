"""How a model is best used: sizes, flip TTA and the decoder's options, on its validation photos.

    python training/ablation.py --model runs/bundled

Unless flip TTA is compared, it is used as the model is configured. Nothing here trains,
and nothing reads the test split: the photos are those of `photos:train` that the model's run held
out. Prints a Markdown table for each question.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from lay_out import lay_out

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import split_images
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.protocols import ONE_GARMENT, evaluate_images
from napari_fashion.engine.inference.options import InferenceOptions, RefinementOptions
from napari_fashion.engine.model import Model

SIZES = (160, 192, 224, 256)
WHOLE: dict[str, Any] = {"protocol": "whole", "rounds": 0}
AGAIN = (320, 384, 448, 512)
PAIRS = [[224, 160], [224, 192], [256, 192]]


def _refined(
    usual: InferenceOptions, margin: float, size: int, redetect_size: int | None = None
) -> InferenceOptions:
    refinement = RefinementOptions(margin=margin, detection_size=size, redetect_size=redetect_size)
    return usual.model_copy(update={"refinement": refinement})


def main() -> None:
    """Measure one choice after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--share", type=float, help="only senders that this share holds out")
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size) for size in text.split(",")],
        nargs="*",
        help="such as 224 224,160; several sizes at once are averaged",
    )
    options = parser.parse_args()
    model = Model.load(options.model, "cpu")
    held_out = set(model.info.data["split"]["validation"])
    images = [
        p for p in load_sources([Source(file="photos:train")], model.schema) if p.key in held_out
    ]
    if options.share is not None:  # the same photos for models that held out different shares
        images = split_images(images, options.share, 0).validation
    print(f"{model.id}, {len(images)} validation photos")
    _box_crops(model, images, options.sizes or [[s] for s in SIZES] + PAIRS)
    _refinement(model, images)
    _redetection(model, images)
    _thresholds(model, images)


def _box_crops(model: Model, images: list[AnnotatedImage], all_sizes: list[list[int]]) -> None:
    _head("box crops: longer sides, flip TTA")
    for sizes in all_sizes:
        for flip in (False, True):
            inference = model.inference.overridden(flip_tta=flip, sizes=sizes)
            _line(
                f"{' and '.join(map(str, sizes))}{', flip TTA' * flip}",
                evaluate_images(model, images, inference=inference, rounds=0),
            )
    _head("box crops: margin around the box")
    for margin in (0.0, 0.1, 0.25):
        _line(f"{margin}", evaluate_images(model, images, margin=margin, rounds=0))
    _head("box crops: weight of the PAF")
    for weight in (0.0, 0.05, 0.25, 1.0):
        decoder = ONE_GARMENT.model_copy(update={"paf_weight": weight})
        _line(f"{weight}", evaluate_images(model, images, decoder=decoder, rounds=0))


def _refinement(model: Model, images: list[AnnotatedImage]) -> None:
    _head("whole images: a refinement pass at what is found; margin, size of the detection pass")
    usual = model.inference
    side = usual.input_size
    once = usual.overridden(refine=False)
    _line("none, flip TTA", evaluate_images(model, images, **WHOLE, inference=once))
    for margin, size in [(0.1, 224), (0.2, 224), (0.4, 224), (0.2, 160), (0.2, 192), (0.2, 256)]:
        refined = _refined(usual, margin, size)
        _line(f"{margin}, {size}", evaluate_images(model, images, **WHOLE, inference=refined))
    for flip, words in ((True, "both"), (False, "none")):
        refined = _refined(usual, 0.2, side).overridden(flip_tta=flip)
        _line(
            f"0.2, {side}, flip TTA in {words}",
            evaluate_images(model, images, **WHOLE, inference=refined),
        )


def _redetection(model: Model, images: list[AnnotatedImage]) -> None:
    for count in (1, 2, 3, 4, 6):
        with tempfile.TemporaryDirectory() as folder:
            path = lay_out(images, count, Path(folder), model.schema)
            several = load_sources([Source(file=str(path))], model.schema)
            _head(f"whole images, photos in each: {count}; size of another detection pass")
            for size in (None, *AGAIN):
                refined = _refined(model.inference, 0.2, 224, size)
                result = evaluate_images(model, several, **WHOLE, inference=refined)
                # Shares of the images with one garment: where there are several, of the last alone.
                _line(f"{size or 'none'}", result, shares=count == 1)


def _thresholds(model: Model, images: list[AnnotatedImage]) -> None:
    _head("whole images: PIF and PAF threshold, garment threshold")
    for threshold in (0.05, 0.1, 0.2):
        for garment in (0.15, 0.2, 0.3):
            decoder = DecoderOptions(
                pif_threshold=threshold,
                paf_threshold=threshold,
                garment_threshold=garment,
                force_complete=True,
            )
            result = evaluate_images(model, images, **WHOLE, decoder=decoder)
            _line(f"{threshold} / {garment}", result)


def _head(title: str) -> None:
    print(
        f"\n| {title} | AVG NE | by the box | median | PDL 0.1 | PDL 0.05 | within 0.02 | top-1 | "
        "found | second | recall | precision |\n|---" + 11 * "|---" + "|"
    )


def _line(label: str, result: Evaluation, *, shares: bool = True) -> None:
    r = result.report
    images = r.images if shares else {}
    cells = [
        "" if value is None else f"{100 * value:.1f} %"
        for value in (
            r.near["0.1"],
            r.near["0.05"],
            r.points_within,
            r.top1,
            images.get("one garment: found"),
            images.get("one garment: a second, false one found"),
            r.recall,
            r.precision,
        )
    ]
    by_box = np.nan if r.average_error_by_box is None else r.average_error_by_box
    print(
        f"| {label} | {r.average_error:.4f} | {by_box:.4f} | {r.median_error:.4f} | "
        + " | ".join(cells)
        + " |",
        flush=True,
    )


if __name__ == "__main__":
    main()
