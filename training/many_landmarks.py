"""What many landmarks cost, and how well they are learned, by category.

    python training/many_landmarks.py landmarks-294 landmarks-81 --threads 1
    python training/many_landmarks.py landmarks-294 landmarks-81 --out runs/many-landmarks --steps 6

Each is a recipe of `recipes/report/` that has been trained into ``runs/NAME``. Judged on drawn garments
that none of them has seen (``--data``): AVG NE by category on their boxes (protocol ``box``), and the share
of garments that is found in whole images (protocol ``whole``: a prediction of OKS 0.5 and more). Intervals:
95 %, bootstrap over images. Measured beside those and beside the same network with 8 landmarks
(`landmarks-8`), in turns, each in a process of its own that does nothing else: seconds of a training step
and of a prediction of a whole image, and the process's peak memory. ``--out`` gets ``many-landmarks.json``
and ``many-landmarks.md``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import ModelInfo
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.train.overrides import Override, load_recipe
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.files import atomic_write
from napari_fashion.schema import Schema

RECIPES = Path(__file__).resolve().parent / "recipes" / "report"
FEW = "landmarks-8"
WARM_UP = 2
"""Steps and predictions that are not counted."""

COSTS = {
    "train": ("a training step", "s"),
    "train_mb": ("its peak memory", "MB"),
    "predict": ("a whole image", "s"),
    "predict_mb": ("its peak memory", "MB"),
    "parameters": ("weights", ""),
}


def main() -> None:
    """Judge, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="*", help="names of recipes whose runs are judged")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--data", default="samples:130:100001:landmarks=deepfashion2")
    parser.add_argument("--steps", type=int, default=4, help="counted steps of each turn")
    parser.add_argument("--images", type=int, default=24, help="images that steps are taken on")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("runs/many-landmarks"))
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=["cost", "quality"],
        default=["cost", "quality"],
        help="what is measured anew; the rest is what stands in --out",
    )
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "RECIPE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.child:
        what, name = options.child
        measure = {"train": measure_training, "predict": measure_prediction}[what]
        print(json.dumps(measure(name, options.steps, options.images)))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "many-landmarks.json"
    document: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    if "cost" in options.parts:
        document["cost"] = measure_all([FEW, *options.recipes], options)
        atomic_write(file, (json.dumps(document, indent=1) + "\n").encode())
    if "quality" in options.parts:
        for name in options.recipes:
            runs = document.setdefault("runs", {})
            runs[name] = judged(options.runs / name, options.data)
            atomic_write(file, (json.dumps(document, indent=1) + "\n").encode())
    tables = [cost_table(document["cost"])] if "cost" in document else []
    text = "\n".join([*tables, *map(run_table, document.get("runs", {}).items())])
    atomic_write(options.out / "many-landmarks.md", text.encode())
    print(text)


# -- how well they are learned ---------------------------------------------------------------------


def judged(run: Path, data: str) -> dict[str, Any]:
    """Return the figures of a run's model on a source, by category and all together."""
    model = Model.load(run, "cpu")
    images = load_sources([Source(file=data)], model.schema)
    crops = evaluate_images(model, images, protocol="box").report
    of_images = evaluate_images(model, images, protocol="whole")
    whole = of_images.report
    bounds, found = crops.intervals or {}, whole.intervals or {}
    by_category = {}
    for category in model.schema.categories:
        name, (body_type,) = category.name, category.body_types
        figures = crops.by_category.get(name)
        if figures is not None:
            by_category[name] = {
                "garments": figures["garments"],
                "ne": figures["average_error"],
                "ne_interval": bounds.get(f"by_category.{name}.average_error"),
                "found": whole.by_body_type[body_type].get("recall"),
                "found_interval": found.get(f"by_body_type.{body_type}.recall"),
            }
    return {
        "model": model.id,
        "data": data,
        "landmarks": model.schema.n_landmarks,
        "seconds_per_image": of_images.seconds_per_image,
        "categories": by_category,
        "all": {
            "garments": crops.n_garments,
            "ne": crops.pooled_error,
            "ne_interval": bounds.get("pooled_error"),
            "found": whole.recall,
            "found_interval": found.get("recall"),
            "top1": crops.top1,
            "within": crops.points_within,
        },
    }


# -- what they cost --------------------------------------------------------------------------------


def measure_all(names: Sequence[str], options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return what each recipe's network costs: medians over turns, in which all take part."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in names}
    for name in names:  # what is drawn takes no memory of the measuring processes
        open_source(Source(file=_fewer(name, options.images)))
    for _ in range(options.turns):
        for what, name in itertools.product(("train", "predict"), names):
            command = [sys.executable, __file__, "--child", what, name]
            for key in ("steps", "images", "threads"):
                command += [f"--{key}", str(getattr(options, key))]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            for key, value in json.loads(done.stdout.splitlines()[-1]).items():
                found[name].setdefault(key, []).append(value)
    return {
        name: {key: statistics.median(values) for key, values in costs.items()}
        for name, costs in found.items()
    }


def measure_training(name: str, steps: int, images: int) -> dict[str, float]:
    """Return the median seconds of a step of a real run, and the peak memory (MB) of this process."""
    changes = [
        f'data.train=[{{file = "{_fewer(name, images)}"}}]',
        "data.validation=[]",
        "data.validation_share=0.0",
        f"schedule.max_steps={WARM_UP + steps}",
        "schedule.sizes=[]",
    ]
    recipe = load_recipe(RECIPES / f"{name}.toml", [Override.parse(text) for text in changes])
    times: list[float] = []

    def heard(event: object) -> None:
        if type(event).__name__ == "StepEvent":
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        Trainer(recipe, Path(folder) / "run", resume=False, device="cpu", emit=heard).run(
            lambda: False
        )
    seconds = [b - a for a, b in itertools.pairwise(times)][WARM_UP - 1 :]
    return {"train": statistics.median(seconds), "train_mb": _peak()}


def measure_prediction(name: str, steps: int, images: int) -> dict[str, float]:
    """Return the median seconds of a prediction by an untrained network, and the peak memory (MB).

    It finds nothing: this is the network and a decoder without a seed. What trained ones take with all
    their garments is among their figures.
    """
    recipe = load_recipe(RECIPES / f"{name}.toml", [])
    schema = Schema.load(recipe.schema_name or "garments")
    torch.manual_seed(0)
    sizes = schema.n_landmarks, len(schema.edges), len(schema.categories)
    network = Network(recipe.network, *sizes).eval()
    model = Model.of_network(network, schema, ModelInfo(inference=recipe.inference))
    pixels = np.random.default_rng(0).integers(0, 256, (533, 400, 3), np.uint8)
    times = []
    for _ in range(WARM_UP + steps):
        began = time.perf_counter()
        model.predict([pixels])
        times.append(time.perf_counter() - began)
    weights = sum(p.numel() for p in network.parameters())
    return {
        "predict": statistics.median(times[WARM_UP:]),
        "predict_mb": _peak(),
        "parameters": float(weights),
    }


def _fewer(name: str, images: int) -> str:
    """Return the first source of a recipe, with fewer images."""
    recipe: Recipe = load_recipe(RECIPES / f"{name}.toml", [])
    kind, _, *rest = recipe.data.train[0].file.split(":")
    return ":".join([kind, str(images), *rest])


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- tables ----------------------------------------------------------------------------------------


def cost_table(costs: dict[str, dict[str, float]]) -> str:
    """Return a row a cost, with the ratio to that of 8 landmarks."""
    lines = [f"| | {' | '.join(costs)} |", "|---" * (len(costs) + 1) + "|"]
    for key, (words, unit) in COSTS.items():
        few = costs[FEW][key]
        cells = [_cost(own[key], unit) + f" ({own[key] / few:.2f})" for own in costs.values()]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cost(value: float, unit: str) -> str:
    return f"{value:.2f} s" if unit == "s" else f"{value:,.0f} {unit}".rstrip()


def run_table(named: tuple[str, dict[str, Any]]) -> str:
    """Return a row a category."""
    name, run = named
    lines = [
        f"{name} ({run['model']}):\n",
        "| category | garments | NE | found |",
        "|---" * 4 + "|",
    ]
    rows = [*sorted(run["categories"].items()), ("all", run["all"])]
    for category, row in rows:
        found = _figure(row["found"], row["found_interval"], 100, ".0f", " %")
        error = _figure(row["ne"], row["ne_interval"], 1, ".3f", "")
        lines.append(f"| {category} | {row['garments']} | {error} | {found} |")
    return "\n".join(lines) + "\n"


def _figure(
    value: float | None, bounds: Sequence[float] | None, by: float, form: str, unit: str
) -> str:
    if value is None:
        return ""
    between = f" ({by * bounds[0]:{form}} to {by * bounds[1]:{form}})" if bounds else ""
    return f"{by * value:{form}}{unit}{between}"


if __name__ == "__main__":
    main()
