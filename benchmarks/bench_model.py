"""How long a prediction takes: the bundled model, as ratios within one run.

    python benchmarks/bench_model.py [--model runs/mine] [--threads 2]

First, the time of predictions over that of the bare network, the forward passes that they consist of: for
full images (detection, redetection and refinement passes) and for crops, one and eight at a time. Then
options of inference against each other. Medians of rounds in which the contenders take turns, so that a
busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from napari_fashion.datasets.procedural import render
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.torch_runtime import TorchRuntime
from napari_fashion.engine.model import Model

Pixels = NDArray[np.uint8]


def over_the_network(
    model: Model, images: list[Pixels], options: InferenceOptions, *, crop: bool, rounds: int
) -> float:
    """Return the median of the time of a prediction over that of its own forward passes."""
    runtime = model.runtime
    assert isinstance(runtime, TorchRuntime)
    network = runtime._for_inference()
    spent, began = 0.0, 0.0

    def begin(*_: object) -> None:
        nonlocal began
        began = time.perf_counter()

    def end(*_: object) -> None:
        nonlocal spent
        spent += time.perf_counter() - began

    hooks = [network.register_forward_pre_hook(begin), network.register_forward_hook(end)]
    ratios = []
    for turn in range(rounds + 2):
        spent = 0.0
        start = time.perf_counter()
        model.predict(images, options, crop=crop)
        if turn >= 2:
            ratios.append((time.perf_counter() - start) / spent)
    for hook in hooks:
        hook.remove()
    return statistics.median(ratios)


def in_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each contender's median time, seconds."""
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 2):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            if turn >= 2:
                took[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in took.items()}


def main() -> None:
    """Print ratios over the bare network, then the options of inference side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    model = Model.load(options.model, "cpu", threads=options.threads)
    usual = model.inference
    full = [render(70_000 + i).image for i in range(8)]
    crops = [image[40:-40, 60:-60] for image in full]
    print(f"{model.id}, {options.threads} threads: prediction over the bare network")
    once = usual.overridden(refine=False)
    for name, images, how, crop in (
        ("full images", full, usual, False),
        ("crops", crops, once, True),
    ):
        for batch in (1, 8):
            ratio = over_the_network(model, images[:batch], how, crop=crop, rounds=options.rounds)
            print(f"{ratio:7.3f}  {name}, {batch} at a time")

    as_trained = Model.load(options.model, "cpu")
    runtime = as_trained.runtime
    assert isinstance(runtime, TorchRuntime)
    runtime._for_inference = lambda: runtime.network  # type: ignore[method-assign]
    image, side = full[0], usual.input_size

    def one_pass(by: Model, flip: bool) -> Callable[[], object]:
        single = usual.overridden(flip_tta=flip, sizes=[side], refine=False)
        return lambda: by.predict([image], single)

    medians = in_turns(
        {
            f"{side} pixels": one_pass(model, False),
            f"{side} pixels, norms not folded": one_pass(as_trained, False),
            f"{side} pixels, flip TTA": one_pass(model, True),
            f"{side} pixels, flip TTA, norms not folded": one_pass(as_trained, True),
            "the model's own options": lambda: model.predict([image]),
        },
        options.rounds,
    )
    first = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{1000 * median:7.1f} ms  {median / first:5.2f}  {name}")


if __name__ == "__main__":
    main()
