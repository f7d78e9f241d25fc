"""Speed of training: beside OpenPifPaf's, and with 294 landmarks beside 8.

    python benchmarks/bench_training.py                                     # 294 over 8 landmarks
    python benchmarks/bench_training.py --peer /path/to/env/bin/python      # and beside OpenPifPaf

What is compared runs in turns within one run, so that both sides see the same load of the machine;
printed are ratios of medians. With a Python that has OpenPifPaf 0.13, the same procedural garments
are learned by the same backbones with equal strides and augmentation on both sides.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from napari_fashion.datasets.procedural import write_dataset
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.optim import clip_gradients, make_optimiser
from napari_fashion.engine.train.options import OptimiserOptions
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.step import LossComputer
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.schema import Schema

RECIPES = Path(__file__).resolve().parents[1] / "training" / "recipes"
BACKBONES = ("resnet18", "shufflenetv2k16")
WARM_UP = 2
"""Steps that are not counted."""

RANGES = (25, 33, 31, 39, 15, 15, 10, 14, 8, 29, 37, 19, 19)
"""Landmarks of each of DeepFashion2's 13 categories, 294 in all."""


def main() -> None:
    """Print the ratios that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has OpenPifPaf 0.13")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=256, help="side of the input, pixels")
    parser.add_argument("--steps", type=int, default=4, help="counted steps of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--child", choices=["8", "294"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        print(json.dumps(_measure_landmarks(int(options.child), options)))
        return
    if options.peer:
        _beside_peer(options)
    _many_landmarks(options)


# -- beside OpenPifPaf ---------------------------------------------------------------------


def _beside_peer(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = write_dataset(Path(folder) / "data", 4 * options.batch, scenes=0, empty=0)
        _keep_one_category(file)
        for backbone in BACKBONES:
            ours, theirs = [], []
            for turn in range(options.rounds):
                run = Path(folder) / f"{backbone}-{turn}"
                ours += _our_steps(file, backbone, run, options)
                theirs += _their_steps(file, backbone, options)
            rates = [options.batch / statistics.median(seconds) for seconds in (ours, theirs)]
            print(
                f"{backbone}: {rates[0]:.1f} images/s, OpenPifPaf {rates[1]:.1f}; "
                f"ratio {rates[0] / rates[1]:.2f}",
                flush=True,
            )


def _keep_one_category(file: Path) -> None:
    """Make all garments one category with a skeleton, as OpenPifPaf has it."""
    schema = Schema.load("garments")
    document = json.loads(file.read_text())
    document["categories"] = [
        {
            "id": 1,
            "name": schema.category_names[0],
            "keypoints": list(schema.landmarks),
            "skeleton": [[a + 1, b + 1] for a, b in schema.edges],
        }
    ]
    for annotation in document["annotations"]:
        annotation["category_id"] = 1
    file.write_text(json.dumps(document))


def _our_steps(file: Path, backbone: str, run: Path, options: argparse.Namespace) -> list[float]:
    """Return the seconds of each step of a real run by the report's recipe."""
    report = Recipe.load(RECIPES / "report.toml").to_dict()
    recipe = Recipe.from_dict(
        report
        | {
            "pretrained": "none",
            "inference": report["inference"] | {"input_size": options.size},
            "network": report["network"] | {"backbone": backbone},
            "data": {"train": [Source(file=str(file)).model_dump()], "validation_share": 0},
            "schedule": report["schedule"]
            | {"batch": options.batch, "max_steps": WARM_UP + options.steps},
        }
    )
    times: list[float] = []

    def heard(event: object) -> None:
        if type(event).__name__ == "StepEvent":
            times.append(time.perf_counter())

    Trainer(recipe, run, resume=False, device="cpu", emit=heard).run(lambda: False)
    return [b - a for a, b in itertools.pairwise(times)][WARM_UP - 1 :]


def _their_steps(file: Path, backbone: str, options: argparse.Namespace) -> list[float]:
    script = Path(__file__).with_name("peer_training.py")
    steps = WARM_UP + options.steps
    numbers = (options.batch, options.size, steps, options.threads)
    done = subprocess.run(
        [options.peer, str(script), str(file), backbone, *map(str, numbers)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])["seconds"][WARM_UP:]


# -- 294 landmarks beside 8 ----------------------------------------------------------------


def _many_landmarks(options: argparse.Namespace) -> None:
    found: dict[str, list[dict[str, float]]] = {"8": [], "294": []}
    for _ in range(options.rounds):
        for landmarks in found:
            command = [sys.executable, __file__, "--child", landmarks]
            for name in ("batch", "size", "steps", "threads"):
                command += [f"--{name}", str(getattr(options, name))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            found[landmarks].append(json.loads(done.stdout))
    ratios = {}
    for key in ("seconds", "mb"):
        few, many = (statistics.median(f[key] for f in found[n]) for n in ("8", "294"))
        ratios[key] = many / few
        print(f"{key} of a step: 8 landmarks {few:.2f}, 294 landmarks {many:.2f}")
    print(f"294 over 8 landmarks: time {ratios['seconds']:.2f}, memory {ratios['mb']:.2f}")


def _measure_landmarks(count: int, options: argparse.Namespace) -> dict[str, float]:
    """Return the median seconds of a step, and the process's peak memory."""
    schema = _many() if count == 294 else Schema.load("garments")
    recipe = Recipe.from_dict(
        {"data": {"train": [{"file": "none"}]}, "inference": {"input_size": options.size}}
    )
    device = torch.device("cpu")
    categories = len(schema.categories)
    network = Network(recipe.network, schema.n_landmarks, len(schema.edges), categories).train()
    network = network.to(memory_format=torch.channels_last)
    optimiser = make_optimiser(network, OptimiserOptions())
    rates = torch.full((categories,), 1 / categories)
    compute = LossComputer(recipe, schema, network, None, rates, device)
    batch = _batch(schema, options.batch)
    times = []
    for _ in range(WARM_UP + options.steps):
        began = time.perf_counter()
        prepared = compute.prepare(batch, 1.0)
        losses = compute.losses(prepared, compute.normalisers([prepared]))
        total = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        clip_gradients(network, OptimiserOptions())
        optimiser.step()
        times.append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": statistics.median(times[WARM_UP:]), "mb": peak}


def _many() -> Schema:
    """Return a schema like DeepFashion2's: 13 categories, each a ring of landmarks of its own."""
    categories, first = [], 0
    for number, count in enumerate(RANGES):
        names = [f"c{number}_{i}" for i in range(count)]
        ring = [[i + 1, (i + 1) % count + 1] for i in range(count)]
        shifted = [[a + first, b + first] for a, b in ring]
        categories.append((f"c{number}", first, names, shifted))
        first += count
    names = [name for _, _, own, _ in categories for name in own]
    document = [
        {
            "id": i + 1,
            "name": name,
            "keypoints": names,
            "skeleton": [edge for *_, ring in categories for edge in ring],
        }
        for i, (name, *_) in enumerate(categories)
    ]
    return Schema.from_coco(document)


def _batch(schema: Schema, b: int, side: int = 320) -> Canvases:
    """Return one garment in each of `b` images of noise, as many landmarks as its category has."""
    generator = torch.Generator().manual_seed(0)
    k = schema.n_landmarks
    visibility = torch.zeros(b, 1, k, dtype=torch.long)
    category = torch.arange(b)[:, None] % len(schema.categories)
    for i in range(b):
        number = int(category[i])
        first = sum(RANGES[:number])
        own = (
            range(first, first + RANGES[number])
            if k == 294
            else schema.landmarks_of_category(number)
        )
        visibility[i, 0, list(own)] = 2
    low, extent = side * 0.2, side * 0.6
    # A garment's landmarks lie around it in order, as neighbours on its outline do.
    rings = RANGES if k == 294 else (k,)
    angle = torch.cat([torch.arange(n) * (2 * math.pi / n) for n in rings])
    circle = torch.stack([angle.cos(), angle.sin()], 1)
    xy = (low + extent / 2 + extent / 2 * circle).expand(b, 1, k, 2).clone()
    box = torch.tensor([low, low, low + extent, low + extent]).expand(b, 1, 4).clone()
    valid = torch.ones(b, 1, dtype=torch.bool)
    garments = GarmentBatch(
        xy, visibility, visibility > 0, box, torch.full((b, 1), extent**2), category, ~valid, valid,
        torch.zeros(b, 4, 2),
    )  # fmt: skip
    pixels = torch.randint(0, 256, (b, 3, side, side), dtype=torch.uint8, generator=generator)
    place = torch.arange(b)
    return Canvases(pixels, torch.full((b, 2), float(side)), garments, place, place, place)


if __name__ == "__main__":
    main()
