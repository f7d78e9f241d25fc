"""The report's experiments at a small scale: trains, judges, and writes one row for each.

    python training/experiments.py --runs runs/report                      # all that are missing
    python training/experiments.py --runs runs/report resnet18 rotation-20
    python training/experiments.py --table                                 # what training/README.md shows

Each row of `report-small.json` is a training by a recipe of `recipes/report/` with `--scale small` (photos
of `photos:train`, 400 steps of 16 images at 128 pixels, from random weights), judged on `photos:test`, with
the commands. Such trainings compare; none comes near what the report reached on 209,222 images. Rows that
are there are not made again, nor are runs.
"""

from __future__ import annotations

import argparse
import json
import shlex
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.cli import main as napari_fashion
from napari_fashion.files import atomic_write

FOLDER = Path(__file__).resolve().parent
RECIPES = FOLDER / "recipes" / "report"
ROWS = FOLDER / "report-small.json"
KEYS = (
    "average_error", "median_error", "n_garments", "not_found", "top1", "top3", "top5",
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """A training and how it is judged.

    Attributes
    ----------
    name
        Of the row, and of the run's folder.
    recipe
        Its name in `recipes/report/`.
    of
        What it stands for.
    settings
        Values in place of the recipe's.
    data
        What it is judged on.
    judge
        Options of ``napari-fashion evaluate``: a protocol, and what is more.
    model
        What is judged, in the runs' folder; empty: what was trained.
    """

    name: str
    recipe: str
    of: str
    settings: tuple[str, ...] = ()
    data: str = "photos:test"
    judge: tuple[str, ...] = ("--protocol", "published")
    model: str = ""

    def commands(self, runs: Path) -> list[list[str]]:
        """Return the arguments of the commands that make the model; none if it is there."""
        recipe = f"training/recipes/report/{self.recipe}.toml"
        sets = [text for setting in self.settings for text in ("--set", setting)]
        run = str(runs / self.name)
        return [["train", recipe, "--scale", "small", *sets, "--run", run]]

    def judging(self, runs: Path) -> list[str]:
        """Return the arguments of the command that judges."""
        return [
            "evaluate",
            self.data,
            "--model",
            str(runs / (self.model or self.name)),
            *self.judge,
        ]


@dataclass(frozen=True)
class Combined(Experiment):
    """Three models, one a body type, judged as a model set (Tables 3 and 4)."""

    def commands(self, runs: Path) -> list[list[str]]:
        """Return the arguments of the commands that train the members and combine them."""
        commands, members = [], []
        for part in ("upper", "lower", "full"):
            name = f"{self.model.removesuffix('.json')}-{part}"
            one = Experiment(name, f"{self.recipe}-{part}", self.of, self._settings(part))
            commands += one.commands(runs)
            members.append(f"{part}={runs / name}")
        return [*commands, ["combine", *members, "--out", str(runs / self.model)]]

    def _settings(self, part: str) -> tuple[str, ...]:
        return tuple(setting.replace("PART", part) for setting in self.settings)


BASE = "network.backbone=resnet18"
"""The backbone of all but the first rows: half the time of the report's shufflenetv2k16."""
BACKBONES = ("resnet18", "resnet50", "resnet101", "shufflenetv2k16", "shufflenetv2k30")
EXPERIMENTS = (
    *(
        Experiment(name, "figure-26", "backbone", (f"network.backbone={name}",))
        for name in BACKBONES
    ),
    Experiment("rotation-20", "figure-27", "augmentation: rotation to 20 degrees", (BASE,)),
    Experiment("rotation-40", "figure-26", "rotation to 40 degrees", (BASE, "augment.rotation=40")),
    Experiment("elastic", "elastic", "augmentation: elastic warping and full rotation", (BASE,)),
    Experiment("padding-random", "padding-random", "augmentation: padding of any colour", (BASE,)),
    Experiment("laplace", "laplace", "loss: cross-entropy and Laplace without a bound", (BASE,)),
    Experiment("smooth-l1-fixed", "smooth-l1-fixed", "loss: smooth L1 with one radius", (BASE,)),
    Experiment("skeleton-a", "skeleton-a", "skeleton A", (BASE,)),
    Experiment("skeleton-b", "skeleton-b", "skeleton B", (BASE,)),
    Experiment("raw", "figure-23", "strategy: trained on whole images", (BASE,)),
    Experiment("pretrained", "table-5-pretrained", "strategy: pretrained on worn garments"),
    Experiment("category", "table-6", "strategy: one category an image", (BASE,)),
    Experiment("single", "tables-1-2", "strategy: one model for all body types", (BASE,)),
    *(
        Combined(
            f"{name}-{how}",
            "tables-3-4",
            f"strategy: {what}, {said}",
            settings,
            judge=("--protocol", "published", *options),
            model=f"{name}.json",
        )
        for name, what, settings in (
            (
                "combined-own",
                "a model a body type, of its own garments",
                (BASE, "data.train=[{file='photos:train', body_types=['PART']}]"),
            ),
            ("combined", "a model a body type, with shared landmarks", (BASE,)),
        )
        for how, said, options in (
            ("truth", "chosen by the truth", ("--body-type", "truth")),
            (
                "skeleton",
                "chosen by the truth, artificial skeleton",
                ("--body-type", "truth", "--fallback", "skeleton"),
            ),
            ("score", "chosen by the score", ("--body-type", "score")),
        )
    ),
    *(
        Experiment(name, name, said, data="samples:120:100001:landmarks=fashionai")
        for name, said in (
            ("fashionai", "FashionAI's 24 landmarks from random weights"),
            ("fashionai-pretrained", "FashionAI's 24 landmarks from the model people"),
        )
    ),
)
"""Where nothing else is said: crops by the box, without rotation."""


def main() -> None:
    """Train and judge what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [experiment.name for experiment in EXPERIMENTS]
    parser.add_argument("names", nargs="*", help=", ".join(names))
    parser.add_argument("--runs", type=Path, default=Path("runs/report"))
    parser.add_argument("--rows", type=Path, default=ROWS)
    parser.add_argument("--threads", default="1")
    parser.add_argument("--minutes", type=float, help="begin no further row after this time")
    parser.add_argument("--table", action="store_true", help="print the table, train nothing")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: unknown; expected {', '.join(names)}.")
    rows = json.loads(options.rows.read_text()) if options.rows.exists() else {}
    if options.table:
        print(_table(rows))
        return
    end = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    for experiment in EXPERIMENTS:
        wanted = experiment.name in (options.names or names)
        if wanted and experiment.name not in rows and time.monotonic() < end:
            rows[experiment.name] = _row(experiment, options.runs, options.threads)
            atomic_write(options.rows, (json.dumps(rows, indent=1) + "\n").encode())
            print(_table({experiment.name: rows[experiment.name]}).splitlines()[-1], flush=True)


def _row(experiment: Experiment, runs: Path, threads: str) -> dict[str, Any]:
    """Train and judge; return the row."""
    commands, judging = experiment.commands(runs), experiment.judging(runs)
    start = time.process_time()
    for command in commands:
        if not _is_made(Path(command[-1])):
            threaded = ["--threads", threads] if command[0] == "train" else []
            _run([*command, *threaded, "--quiet"])
    seconds = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        _run([*judging, "--threads", threads, "--json", str(file), "--quiet"])
        found = json.loads(file.read_text())[experiment.judge[1]]
    return {
        "of": experiment.of,
        "train": "; ".join(shlex.join(["napari-fashion", *command]) for command in commands),
        "evaluate": shlex.join(["napari-fashion", *judging]),
        "cpu_seconds": round(seconds),
        "interval": found["intervals"].get("average_error"),
        **{key: found[key] for key in KEYS},
    }


def _is_made(path: Path) -> bool:
    """Return whether a command has made its run or its file before; every command names it last."""
    return (path / "model.json").exists() or path.is_file()


def _run(arguments: Sequence[str]) -> None:
    if status := napari_fashion(arguments):
        raise SystemExit(f"napari-fashion {' '.join(arguments)} ended with status {status}.")


def _table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| | what | AVG NE (95 %) | median | not found | top-1 / top-3 | minutes of a core |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        low, high = row["interval"] or (float("nan"), float("nan"))
        lines.append(
            f"| {name} | {row['of']} | {row['average_error']:.3f} ({low:.3f} to {high:.3f}) "
            f"| {row['median_error']:.3f} | {row['not_found']} of {row['n_garments']} "
            f"| {100 * row['top1']:.0f} / {100 * row['top3']:.0f} % | {row['cpu_seconds'] / 60:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
