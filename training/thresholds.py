"""The decoder's thresholds and the refinement's margin, swept on data that a model didn't learn from.

    python training/thresholds.py --model runs/mine --data people:validation
    python training/thresholds.py --model runs/mine --data people:validation --detection

From the model's own options one value after the other is tried, and kept if it is better by the sum of
recall, precision and OKS AP; `--rounds` times over all of them. Fields are computed once for each view.
Prints a row for each value that is tried, and the best options at the end, as a recipe has them.
`--detection` judges the detection pass alone, which takes a fraction of the time.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from typing import Any

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.evaluation.report import Report
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.pipeline import Pipeline
from napari_fashion.engine.model import Model
from napari_fashion.images.transforms import RGBImage

VALUES: dict[str, tuple[float, ...]] = {
    "decoder.garment_threshold": (0.1, 0.12, 0.15, 0.18, 0.2, 0.22, 0.25, 0.3),
    "decoder.seed_threshold": (0.1, 0.15, 0.2, 0.25, 0.3),
    "decoder.pif_threshold": (0.02, 0.05, 0.1, 0.15),
    "decoder.paf_threshold": (0.02, 0.05, 0.1, 0.15),
    "decoder.paf_floor": (0.02, 0.05, 0.1, 0.2),
    "decoder.landmark_threshold": (0.1, 0.15, 0.2, 0.25, 0.3),
    "refinement.margin": (0.2, 0.35, 0.5),
}
"""What is tried of each option."""


def main() -> None:
    """Sweep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--detection", action="store_true", help="judge the detection pass alone")
    options = parser.parse_args()
    model = Model.load(options.model, "cpu")
    images = load_sources([Source(file=options.data)], model.schema)
    remember_fields(model.pipeline)
    best = model.inference.overridden(refine=False) if options.detection else model.inference
    print("| | recall | precision | OKS AP / at 0.5 | sum |\n|---|---|---|---|---|")

    def judged(inference: InferenceOptions, name: str) -> float:
        report = evaluate_images(
            model, images, protocol="whole", inference=inference, rounds=0
        ).report
        total = _total(report)
        print(
            f"| {name} | {report.recall:.3f} | {report.precision:.3f} | {report.ap:.3f} / "
            f"{report.ap50:.3f} | {total:.3f} |",
            flush=True,
        )
        return total

    most = judged(best, "as it is")
    every = [(name, value) for name, values in VALUES.items() for value in values]
    for name, value in every * options.rounds:
        changed = _with(best, name, value)
        if changed is None or changed == best:
            continue
        total = judged(changed, f"{name} {value:g}")
        if total > most:
            best, most = changed, total
    for part in ("decoder", "refinement"):
        own = getattr(best, part)
        if own is not None:
            print(f"[inference.{part}]")
            print("\n".join(f"{key} = {value}" for key, value in own.model_dump().items()))


def remember_fields(pipeline: Pipeline) -> None:
    """Let a pipeline compute the fields of each view once."""
    compute = pipeline.fields
    known: dict[tuple[object, ...], Fields] = {}

    def fields(images: Sequence[RGBImage], sizes: Sequence[int], **how: Any) -> list[Fields]:
        keys = [
            (hashlib.sha1(image.tobytes()).digest(), image.shape, *sizes, repr(sorted(how.items())))
            for image in images
        ]
        missing = [i for i, key in enumerate(keys) if key not in known]
        if missing:
            new = compute([images[i] for i in missing], sizes, **how)
            known.update(zip([keys[i] for i in missing], new, strict=True))
        return [known[key] for key in keys]

    pipeline.fields = fields  # type: ignore[assignment, method-assign]


def _with(options: InferenceOptions, name: str, value: float) -> InferenceOptions | None:
    part, key = name.split(".")
    own: Any = getattr(options, part)
    if own is None:
        return None
    return options.model_copy(update={part: own.model_copy(update={key: value})})


def _total(report: Report) -> float:
    return (report.recall or 0) + (report.precision or 0) + (report.ap or 0)


if __name__ == "__main__":
    main()
