"""What one measure of the training brings: short runs that differ in it alone, on the same photos.

    python training/compare.py --runs runs/compare            # all of them, one after the other
    python training/compare.py --runs runs/compare pseudo     # the plain run and one other
    python training/compare.py --runs runs/compare --seeds 0 1 --jobs 2

Every run takes the same number of steps; each is judged on box crops, with flip TTA, on the photos of
`photos:train` by the senders held out (never the test split). Another seed holds out other senders,
starts from other random heads and draws other images; a measure is compared with the plain run of the
same seed. Differences have a 95 % interval: bootstrap over photos, each compared with itself. The
interval knows nothing of how much two runs differ that differ in their seed alone: compare the seeds'
own differences. What a long training would make of a measure is another question. Runs that are there
already are not made again.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.landmark_metrics import average_error, median_error
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.train.chain import train
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.runs import finished, has_state

FOLDER = Path(__file__).resolve().parent
SIZE = 160
TRAIN: dict[str, Any] = {"file": "photos:train"}
EMPTY: dict[str, Any] = {"file": "photos:no_garment", "empty": "negative"}
PSEUDO: dict[str, Any] = {"file": "photos:pseudo", "pseudo": True}
DRAWN: dict[str, Any] = {"file": "samples:240:1000", "empty": "negative"}
# Only their categories: photos:pseudo without the landmarks.
CATEGORIES: dict[str, Any] = {"file": "photos:unlabelled", "pseudo": True}

MEASURES: dict[str, tuple[str, dict[str, Any]]] = {
    "pretrained": ("random weights instead of ImageNet's", {"pretrained": "none"}),
    "categories": (
        "1,766 photos more, their categories only",
        {"data": {"train": [TRAIN, CATEGORIES, EMPTY]}},
    ),
    "pseudo": (
        "1,766 photos more, with pseudo-labelled landmarks",
        {"data": {"train": [TRAIN, PSEUDO, EMPTY]}},
    ),
    "drawn": ("240 procedural garments more", {"data": {"train": [TRAIN, EMPTY, DRAWN]}}),
    "sizes": (
        "progressive resizing, 96 to 128 to 160 pixels",
        {"schedule": {"sizes": [[0.0, 96], [0.35, 128], [0.65, 160]]}},
    ),
    "part": ("boxes of some landmarks only (12 %)", {"augment": {"box_part": 0.12}}),
    "boxes": ("no box views", {"augment": {"box_view": 0.0}}),
    "quarter": ("quarter turns (4 %)", {"augment": {"quarter_turn": 0.04}}),
    "colour": ("more colour changes (hue 30, grey 10 %)", {"augment": {"hue": 30, "grey": 0.1}}),
    "balance": ("rare categories more often (0.5)", {"data": {"balance": 0.5}}),
    "canvas": ("canvases of 416 pixels instead of 320", {"data": {"canvas": 416}}),
    "prior": ("rare categories as likely as common ones", {"loss": {"category_prior": 1.0}}),
    "erase": ("a rectangle painted over (25 %)", {"augment": {"erase": 0.25}}),
    "skip": ("blocks skipped now and then (10 %)", {"network": {"drop_path": 0.1}}),
    "mild": ("milder augmentation in the last 30 %", {"schedule": {"mild": 0.7}}),
    "mosaic": ("several images in one (25 %)", {"augment": {"mosaic": 0.25}}),
    "ema": ("no running mean of the weights", {"optimiser": {"ema": 0.0}}),
    "aspect": ("box crops less narrow (0.5)", {"inference": {"crop_aspect": 0.5}}),
    "background": (
        "photos without garments around half of the crops",
        {"augment": {"background": 0.5}},
    ),
    "tight": (
        "more box-crop views without a margin (53 % instead of 34 %)",
        {"augment": {"box_view": 0.78, "box_tight": 0.75, "box_crop": 0.9}},
    ),
}


_CELLS = ((0, 1, ".4f"), (1, 1, ".4f"), (2, 100, ".1f"))
"""Figure, factor and format of AVG NE, median and top-1."""


def main() -> None:
    """Train, judge, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", help=", ".join(MEASURES))
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=300, help="of 32 images")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=1, help="runs at once, sharing the threads")
    options = parser.parse_args()
    chosen = options.measures or list(MEASURES)
    if unknown := set(chosen) - set(MEASURES):
        parser.error(f"{', '.join(sorted(unknown))}: unknown; expected {', '.join(MEASURES)}.")
    names, seeds = ["plain", *chosen], options.seeds
    refuse_other_runs(names, seeds, options.runs, options.steps)
    threads = max(1, torch.get_num_threads() // options.jobs)
    with ProcessPoolExecutor(
        options.jobs, get_context("spawn"), torch.set_num_threads, (threads,)
    ) as pool:
        runs = {
            (name, seed): pool.submit(_run, name, seed, options.runs, options.steps)
            for name in names
            for seed in seeds
        }
        paths = {key: run.result() for key, run in runs.items()}
    plain = [_judge(paths["plain", seed]) for seed in seeds]
    figures = [_figures(one) for one in plain]
    mean = np.mean(figures, 0)
    each = [", ".join(f"{unit * f[i]:{form}}" for f in figures) for i, unit, form in _CELLS]
    each = [f"by seed {cell}" if len(seeds) > 1 else "" for cell in each]
    print(
        f"{options.steps} steps of 32 images at {SIZE} pixels, seeds "
        f"{', '.join(map(str, seeds))}; {', '.join(str(len(p.judged)) for p in plain)} photos to "
        "judge by\n\n"
        "| measure | AVG NE | difference (95 %) | median | difference (95 %) | top-1 "
        "| difference (95 %) |\n|---|---|---|---|---|---|---|\n"
        f"| plain | {mean[0]:.4f} | {each[0]} | {mean[1]:.4f} | {each[1]} "
        f"| {100 * mean[2]:.1f} % | {each[2]} |",
        flush=True,
    )
    for name in chosen:
        results = [_judge(paths[name, seed]) for seed in seeds]
        print(_row(MEASURES[name][0], plain, results), flush=True)


def recipe_of(name: str, seed: int, steps: int) -> Recipe:
    """Return a run's recipe: the plain one's, changed by one measure."""
    change: dict[str, Any] = {} if name == "plain" else MEASURES[name][1]
    base: dict[str, Any] = json.loads(
        json.dumps(Recipe.load(FOLDER / "recipes/teacher.toml").to_dict())
    )
    base |= {"name": "compare", "seed": seed}
    base["inference"] |= {"input_size": SIZE, "flip_tta": True}
    base["data"] |= {"train": [TRAIN, EMPTY]}
    base["schedule"] |= {"epochs": 1000, "max_steps": steps, "validate_every": 1000}
    for part, value in change.items():
        base[part] = base[part] | value if isinstance(value, dict) else value
    return Recipe.from_dict(base)


def _folder(name: str, seed: int, runs: Path) -> Path:
    return runs / (f"{name}-{seed}" if seed else name)


def refuse_other_runs(names: list[str], seeds: list[int], runs: Path, steps: int) -> None:
    """Raise SystemExit where a run is there already that was made by another recipe."""
    for name in names:
        for seed in seeds:
            known = _folder(name, seed, runs) / "recipe.json"
            if known.is_file() and Recipe.load_json(known) != recipe_of(name, seed, steps):
                raise SystemExit(
                    f"{known.parent} holds a run by another recipe (other --steps, or the measure has "
                    "changed since): give the steps it had, remove it, or give another --runs."
                )


def _run(name: str, seed: int, runs: Path, steps: int) -> Path:
    folder = _folder(name, seed, runs)
    if finished(folder):
        return folder / "model.json"
    going_on = has_state(folder)
    return train(recipe_of(name, seed, steps), folder, resume=going_on, device="cpu")


def _judge(path: Path) -> Evaluation:
    model = Model.load(path, "cpu")
    held_out = set(model.info.data["split"]["validation"])
    images: list[AnnotatedImage] = [
        p for p in load_sources([Source(file="photos:train")], model.schema) if p.key in held_out
    ]
    return evaluate_images(model, images, rounds=0)


def _arrays(result: Evaluation) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors and visible landmarks (N, K), and whether the category was right (N,)."""
    return (
        np.array([j.errors for j in result.judged]),
        np.array([j.visibility == 2 for j in result.judged]),
        np.array([j.probabilities.argmax() == j.category for j in result.judged]),
    )


def _figures(result: Evaluation, rows: np.ndarray | None = None) -> np.ndarray:
    errors, seen, right = _arrays(result)
    rows = np.arange(len(errors)) if rows is None else rows
    return np.array(
        [
            average_error(errors[rows], seen[rows]),
            median_error(errors[rows], seen[rows]),
            right[rows].mean(),
        ]
    )


def _row(label: str, plain: list[Evaluation], results: list[Evaluation]) -> str:
    """Return a table's row: one measure's runs against the plain ones of the same seeds."""
    random = np.random.default_rng(0)
    draws, by_seed = [], []
    for before, after in zip(plain, results, strict=True):
        assert [j.key for j in before.judged] == [j.key for j in after.judged]
        n = len(before.judged)
        rows = [random.integers(0, n, n) for _ in range(1000)]
        draws.append([_figures(after, r) - _figures(before, r) for r in rows])
        by_seed.append(_figures(after) - _figures(before))
    low, high = np.percentile(np.mean(draws, 0), [2.5, 97.5], axis=0)
    now, by = np.mean([_figures(r) for r in results], 0), np.mean(by_seed, 0)
    cells = []
    for i, unit, form in _CELLS:
        each = ", ".join(f"{unit * b[i]:+{form}}" for b in by_seed)
        cells.append(f"{unit * now[i]:{form}}{' %' if unit == 100 else ''}")
        cells.append(
            f"{unit * by[i]:+{form}} ({unit * low[i]:+{form}} to {unit * high[i]:+{form}})"
            + (f"; {each}" if len(by_seed) > 1 else "")
        )
    return f"| {label} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
