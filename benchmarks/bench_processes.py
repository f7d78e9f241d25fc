"""Several processes over one: training and prediction, as ratios within one run.

    python benchmarks/bench_processes.py                       # two processes, one core and thread each
    python benchmarks/bench_processes.py --loop                # the loop over forward and backward alone
    python benchmarks/bench_processes.py --loop --device cuda --workers 12 --batch 64

Each process is bound to a core of its own; one and several processes take turns, so that a busy machine
slows both. Start-up, the first steps and the reading of annotations are not counted. `--loop` compares
the steps of a real run (loading, augmentation, targets, losses, optimiser) with the forward and backward
passes of the same network on the same inputs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.datasets.source import Source

WARM_UP = 2
"""Steps that are not counted."""


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--batch", type=int, default=16, help="images a step, over all processes")
    parser.add_argument("--steps", type=int, default=5, help="counted steps of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loop", action="store_true", help="measure the loop of one process")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=0, help="of the loader, with --loop")
    parser.add_argument("--child", choices=["train", "predict"], help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options)
        return
    with tempfile.TemporaryDirectory() as folder:
        options.data = Path(folder)
        write_dataset(options.data / "data", options.images, scenes=0, empty=0)
        if options.loop:
            _loop(options)
        else:
            _several(options)


def _recipe(options: argparse.Namespace, steps: int) -> dict[str, Any]:
    file = next((options.data / "data").glob("*.json"))
    return {
        "data": {
            "train": [Source(file=str(file)).model_dump()],
            "validation_share": 0,
            "workers": options.workers,
            "cache_gb": 0,
        },
        "schedule": {"batch": options.batch, "max_steps": steps, "sizes": [], "epochs": 10_000},
    }


# -- several processes over one --------------------------------------------------------------


def _several(options: argparse.Namespace) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < options.processes:
        sys.exit(f"{len(cores)} cores here; expected at least {options.processes}, one a process.")
    print(f"load of the machine at the start: {os.getloadavg()[0]:.1f}")
    for kind in ("train", "predict"):
        rates: dict[int, list[float]] = {1: [], options.processes: []}
        for _ in range(options.rounds):
            for n in rates:
                rates[n].append(_rate(kind, n, cores, options))
        one, several = (statistics.median(found) for found in rates.values())
        print(
            f"{kind}: one process {one:.2f} images/s, {options.processes} processes {several:.2f}; "
            f"ratio {several / one:.2f}",
            flush=True,
        )


def _rate(kind: str, n: int, cores: list[int], options: argparse.Namespace) -> float:
    """Return the images a second of `n` processes, each on a core of its own."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    command += [str(n), "--", __file__, "--child", kind, "--data", str(options.data)]
    for name in ("batch", "steps", "images"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CORES": json.dumps(cores[:n])}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _child(options: argparse.Namespace) -> None:
    rank = int(os.environ["RANK"])
    os.sched_setaffinity(0, {json.loads(os.environ["CORES"])[rank]})

    import torch

    from napari_fashion.engine.distributed import Launch, joined

    torch.set_num_threads(1)
    with joined(Launch.of_environment(), gpu=False) as here:
        measure = _train if options.child == "train" else _predict
        rate = measure(options)
        if here.first:
            print(json.dumps(rate))


def _train(options: argparse.Namespace) -> float:
    from napari_fashion.engine.train.events import StepEvent
    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.trainer import Trainer

    times: list[float] = []

    def heard(event: object) -> None:
        if isinstance(event, StepEvent):
            times.append(time.perf_counter())

    recipe = Recipe.from_dict(_recipe(options, WARM_UP + options.steps))
    with tempfile.TemporaryDirectory() as run:
        trainer = Trainer(recipe, Path(run), resume=False, device="cpu", emit=heard)
        trainer._save = lambda: Path(run)  # type: ignore[method-assign]  (writing is not measured)
        trainer.run(lambda: False)
    steps = [b - a for a, b in itertools.pairwise(times)][WARM_UP - 1 :]
    return (
        options.batch / statistics.median(steps) if steps else 0.0
    )  # the first process hears them


def _predict(options: argparse.Namespace) -> float:
    """Time the loop of the command, from when all processes begin to when all are done."""
    from napari_fashion.cli import predict, terminal
    from napari_fashion.cli.parsing import Parser
    from napari_fashion.engine.distributed import processes
    from napari_fashion.images import read_image

    here, predict_all = processes(), predict._predict
    spent = []

    def timed(*given: Any) -> None:
        given[0].predict([read_image(given[1].images[0].path)])  # compiled, and its norms folded
        here.wait()
        began = time.perf_counter()
        predict_all(*given)
        here.wait()
        spent.append(time.perf_counter() - began)

    predict._predict = timed  # type: ignore[assignment]
    terminal.set_up(terminal.QUIET)
    parser = Parser()
    predict.add_arguments(parser)
    out = options.data / "results.json"
    images = str(options.data / "data" / "images")
    given = [images, "--out", str(out), "--overwrite", "--device", "cpu", "--threads", "1"]
    predict.run(parser.parse_args([*given, "--batch", "4"]))
    return options.images / spent[0]


# -- the loop over forward and backward alone --------------------------------------------------


def _loop(options: argparse.Namespace) -> None:
    import torch

    from napari_fashion.engine.train.recipe import Recipe
    from napari_fashion.engine.train.trainer import Trainer

    if options.device == "cpu":
        torch.set_num_threads(1)
    total = (WARM_UP + options.steps) * options.rounds
    recipe = Recipe.from_dict(_recipe(options, total))
    trainer = Trainer(
        recipe, options.data / "run", resume=False, device=options.device, emit=lambda event: None
    )
    trainer.updater.begin_epoch()
    compute, network = trainer.updater._compute_losses, trainer.network
    epochs = itertools.chain.from_iterable(
        trainer.batches.of_epoch(epoch, 0) for epoch in itertools.count()
    )

    def now() -> float:
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        return time.perf_counter()

    loop, alone = [], []
    for step in range(total):
        began = now()
        batch = next(epochs)
        trainer.updater.step(batch, step)
        loop.append(now() - began)
        prepared = compute.prepare(batch, 0.0)
        heads = [torch.randn_like(part) for part in network(prepared.inputs)]
        began = now()
        with torch.autocast(trainer.device.type, enabled=compute.mixed):
            found = network(prepared.inputs)
        torch.autograd.backward(found, heads)
        alone.append(now() - began)
    ratio = statistics.median(alone[WARM_UP:]) / statistics.median(loop[WARM_UP:])
    print(
        f"loop: {options.batch / statistics.median(loop[WARM_UP:]):.2f} images/s on "
        f"{options.device}; over forward and backward alone {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
