"""Time of a whole image with three garments over that of one pass of the network at the same size.

    python benchmarks/bench_passes.py
    python benchmarks/bench_passes.py --model people --data people:validation --garments 3

Both are measured in turns on the same images, one thread; the ratio is that of the medians of each image.
The whole is `Model.predict` by the model's own options (detection, redetection, refinement, decoding); one
pass is that of a full image at `input_size` with decoding, without flip TTA.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.model import Model
from napari_fashion.packaged import DEFAULT_MODEL


def main() -> None:
    """Measure, and print a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--data", default="layouts:24:70000:garments=3,worn=0")
    parser.add_argument(
        "--garments", type=int, default=3, help="garments that were found in an image"
    )
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = Model.load(options.model, "cpu")
    single = model.inference.overridden(flip_tta=False, refine=False)
    ratios: list[float] = []
    looked = 0
    for image in load_sources([Source(file=options.data)], model.schema):
        if len(ratios) == options.images:
            break
        looked += 1
        pixels = image.read()
        if len(model.predict([pixels])[0].garments) != options.garments:
            continue
        whole: list[float] = []
        once: list[float] = []
        for _ in range(options.turns):
            whole.append(_seconds(lambda: model.predict([pixels])))  # noqa: B023
            once.append(_seconds(lambda: model.predict([pixels], single)))  # noqa: B023
        ratios.append(statistics.median(whole) / statistics.median(once))
    if not ratios:
        parser.error(f"none of {looked} images has {options.garments} garments by this model")
    print(
        f"{model.id}: {len(ratios)} images in which it finds {options.garments} garments: the whole takes "
        f"{statistics.median(ratios):.2f} times one pass ({min(ratios):.2f} to {max(ratios):.2f})"
    )


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
