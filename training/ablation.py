"""How a model is best used: sizes, the mirror and the decoder's options, on its validation photos.

    python training/ablation.py --model runs/bundled

Where the mirror is not the question, it is asked as the model's recipe says. Nothing here trains,
and nothing looks at the test split: the photos are those of `photos:train` that the model's run held
out. Prints a Markdown table for each question.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from napari_fashion.engine import evaluate
from napari_fashion.engine.data import Annotated, load_sources, split_pictures
from napari_fashion.engine.evaluate import Evaluation, evaluate_pictures
from napari_fashion.engine.model import Model
from napari_fashion.engine.recipe import Source


def main() -> None:
    """Ask one question after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--share", type=float, help="only senders that this share holds out")
    parser.add_argument("--sizes", type=int, nargs="*", default=[192, 224, 256])
    options = parser.parse_args()
    model = Model.load(options.model, "cpu")
    held_out = set(model.info.data["split"]["validation"])
    pictures = [
        p for p in load_sources([Source(file="photos:train")], model.schema) if p.key in held_out
    ]
    if options.share is not None:  # the same photos for models that held out different shares
        pictures = split_pictures(pictures, options.share, 0, None)[1]
    print(f"{model.id}, {len(pictures)} validation photos")
    usual = model.info.working_size
    _head("box-cut: longer side, mirror")
    for size in options.sizes:
        model.info.working_size = size
        for flip in (False, True):
            _line(
                f"{size}{', mirror' * flip}",
                evaluate_pictures(model, pictures, flip=flip, rounds=0),
            )
    model.info.working_size = usual
    _head("box-cut: weight of the PAF")
    one = evaluate.BOX_OPTIONS
    for weight in (0.0, 0.05, 0.25, 1.0):
        evaluate.BOX_OPTIONS = replace(one, paf_weight=weight)
        _line(f"{weight}", evaluate_pictures(model, pictures, rounds=0))
    evaluate.BOX_OPTIONS = one
    _head("whole pictures: PIF, PAF and garment thresholds")
    for pif in (0.05, 0.1, 0.2):
        for garment in (0.15, 0.2, 0.3):
            _whole(model, pictures, pif, pif, garment)


def _whole(model: Model, pictures: list[Annotated], pif: float, paf: float, garment: float) -> None:
    model.info.recipe["decoder"] = {
        "pif_threshold": pif,
        "paf_threshold": paf,
        "garment_threshold": garment,
    }
    result = evaluate_pictures(model, pictures, protocol="whole", rounds=0)
    _line(f"{pif} / {paf} / {garment}", result)


def _head(title: str) -> None:
    print(
        f"\n| {title} | AVG NE | by the box | median | PDL 0.1 | PDL 0.05 | within 0.02 | top-1 | "
        "found | second |\n|---|---|---|---|---|---|---|---|---|---|"
    )


def _line(label: str, result: Evaluation) -> None:
    r = result.report
    shares = [
        "" if value is None else f"{100 * value:.1f} %"
        for value in (
            r.near["0.1"],
            r.near["0.05"],
            r.points_within,
            r.top1,
            result.pictures.get("one garment: found"),
            result.pictures.get("one garment: a second, false one found"),
        )
    ]
    by_box = np.nan if result.average_error_by_box is None else result.average_error_by_box
    print(
        f"| {label} | {r.average_error:.4f} | {by_box:.4f} | {r.median_error:.4f} | "
        + " | ".join(shares)
        + " |",
        flush=True,
    )


if __name__ == "__main__":
    main()
