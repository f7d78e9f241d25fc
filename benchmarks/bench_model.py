"""How long a look takes: the bundled model on an image, as ratios within one run.

    python benchmarks/bench_model.py [--model runs/mine] [--threads 2]

Folded norms against the network as it was trained, the mirror, and looks at several sizes. Medians
of rounds in which the contenders take turns, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from napari_fashion.engine.model import Model


def main() -> None:
    """Time the contenders in turns and print their medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = Model.load(options.model, "cpu")
    as_trained = Model.load(options.model, "cpu")
    as_trained._for_inference = lambda: as_trained.network  # type: ignore[method-assign]
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (533, 400, 3), dtype=np.uint8)
    side = model.info.inference.input_size

    def look(by: Model, flip: bool, sizes: list[int]) -> Callable[[], object]:
        return lambda: by.predict([image], flip=flip, sizes=sizes, refine=False)

    closer = model.refining is not None
    contenders = {
        f"{side} pixels": look(model, False, [side]),
        f"{side} pixels, norms not folded": look(as_trained, False, [side]),
        f"{side} pixels, mirror": look(model, True, [side]),
        f"{side} pixels, mirror, norms not folded": look(as_trained, True, [side]),
        f"as the recipe says: {model.sizes}, mirror {model.mirror}": look(
            model, model.mirror, list(model.sizes)
        ),
        f"the same for a whole image, closer look {closer}": lambda: model.predict([image]),
    }
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.rounds + 2):
        for name, run in contenders.items():
            began = time.perf_counter()
            run()
            if turn >= 2:
                took[name].append(time.perf_counter() - began)
    first = statistics.median(next(iter(took.values())))
    parameters = sum(p.numel() for p in model.network.parameters())
    print(f"{model.id}, {parameters:,} parameters, {options.threads} threads, a 533 x 400 image")
    for name, times in took.items():
        median = statistics.median(times)
        print(f"{1000 * median:7.1f} ms  {median / first:5.2f}  {name}")


if __name__ == "__main__":
    main()
