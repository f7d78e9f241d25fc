"""What one measure of the training brings: short runs that differ in it alone, on the same photos.

    python training/compare.py --runs runs/compare            # all of them, one after the other
    python training/compare.py --runs runs/compare pseudo     # the plain run and one other

Every run takes the same number of steps, from the same seed; each is judged box-cut, with the mirror,
on the photos of `photos:train` by the senders held out (never the test split). Differences from the
plain run have a 95 % interval: bootstrap over photos, each compared with itself. The interval knows
nothing of how much two runs differ that differ in their seed alone. What a long training would make
of a measure is another question. Runs that are there already are not made again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from napari_fashion.engine.data import Annotated, load_sources
from napari_fashion.engine.evaluate import Evaluation, evaluate_pictures
from napari_fashion.engine.metrics import average_error, median_error
from napari_fashion.engine.model import Model
from napari_fashion.engine.recipe import Recipe, Source
from napari_fashion.engine.train import train

FOLDER = Path(__file__).resolve().parent
SIZE = 160
TRAIN: dict[str, Any] = {"file": "photos:train"}
EMPTY: dict[str, Any] = {"file": "photos:no_garment", "empty": "negative"}
PSEUDO: dict[str, Any] = {"file": "photos:pseudo", "pseudo": True}
DRAWN: dict[str, Any] = {"file": "samples:240:1000", "empty": "negative"}
# Only their categories: photos:pseudo without the landmarks.
CATEGORIES: dict[str, Any] = {"file": "photos:unlabelled", "pseudo": True}

MEASURES: dict[str, tuple[str, dict[str, Any]]] = {
    "pretrained": ("random weights instead of ImageNet's", {"pretrained": None}),
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
    "mosaic": ("several pictures in one (25 %)", {"augment": {"mosaic": 0.25}}),
    "ema": ("no running mean of the weights", {"optimiser": {"ema": 0.0}}),
    "aspect": ("box-cut pictures less narrow (0.5)", {"cut_aspect": 0.5}),
    "tight": (
        "more box-cut views without a margin (53 % instead of 34 %)",
        {"augment": {"box_view": 0.78, "box_tight": 0.75, "box_cut": 0.9}},
    ),
}


def main() -> None:
    """Train, judge, print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measures", nargs="*", help=", ".join(MEASURES))
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--steps", type=int, default=300, help="of 32 pictures")
    options = parser.parse_args()
    chosen = options.measures or list(MEASURES)
    if unknown := set(chosen) - set(MEASURES):
        parser.error(f"{', '.join(sorted(unknown))}: unknown; expected {', '.join(MEASURES)}.")
    plain = _judge(_run({}, options.runs / "plain", options.steps))
    print(
        f"{options.steps} steps of 32 pictures at {SIZE} pixels, "
        f"{len(plain.judged)} photos to judge by\n\n"
        "| measure | AVG NE | difference (95 %) | median | difference (95 %) | top-1 "
        "| difference (95 %) |\n|---|---|---|---|---|---|---|\n"
        f"| plain | {_figures(plain)[0]:.4f} | | {_figures(plain)[1]:.4f} | "
        f"| {100 * _figures(plain)[2]:.1f} % | |",
        flush=True,
    )
    for name in chosen:
        label, change = MEASURES[name]
        result = _judge(_run(change, options.runs / name, options.steps))
        print(_row(label, plain, result), flush=True)


def _run(change: dict[str, Any], folder: Path, steps: int) -> Path:
    done = folder / "model.json"
    if done.is_file() and json.loads(done.read_text())["history"]["steps"] >= steps:
        return done
    base: dict[str, Any] = json.loads(
        json.dumps(Recipe.load(FOLDER / "recipes/teacher.toml").to_dict())
    )
    base |= {"name": "compare", "working_size": SIZE, "mirror": True}
    base["data"] |= {"train": [TRAIN, EMPTY]}
    base["schedule"] |= {"epochs": 1000, "max_steps": steps, "validate_every": 1000}
    for part, value in change.items():
        base[part] = base[part] | value if isinstance(value, dict) else value
    recipe = Recipe.from_dict(base)
    return train(recipe, folder, resume=(folder / "state.json").is_file(), device="cpu")


def _judge(path: Path) -> Evaluation:
    model = Model.load(path, "cpu")
    held_out = set(model.info.data["split"]["validation"])
    pictures: list[Annotated] = [
        p for p in load_sources([Source(file="photos:train")], model.schema) if p.key in held_out
    ]
    return evaluate_pictures(model, pictures, rounds=0)


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


def _row(label: str, plain: Evaluation, result: Evaluation) -> str:
    assert [j.key for j in plain.judged] == [j.key for j in result.judged]
    random = np.random.default_rng(0)
    n = len(plain.judged)
    draws = [random.integers(0, n, n) for _ in range(1000)]
    spread = np.array([_figures(result, rows) - _figures(plain, rows) for rows in draws])
    low, high = np.percentile(spread, [2.5, 97.5], axis=0)
    now = _figures(result)
    by = now - _figures(plain)
    cells = [f"{now[i]:.4f} | {by[i]:+.4f} ({low[i]:+.4f} to {high[i]:+.4f})" for i in range(2)] + [
        f"{100 * now[2]:.1f} % | {100 * by[2]:+.1f} ({100 * low[2]:+.1f} to {100 * high[2]:+.1f})"
    ]
    return f"| {label} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
