"""Which trainings explode, at a small scale: the report's Figures 21 to 27, on photos that are here.

    python training/explosions.py --out training/explosions.json          # goes on where it stopped
    python training/explosions.py --out training/explosions.json --rates 1e-2 1e-1 --rotations 0 --seeds 0
    python training/explosions.py --out training/explosions.json --table  # what explosions.md shows
    python training/explosions.py --out training/explosions.json --charts docs/images

The grid: two backbones, two learning rates, rotation up to 0 or 20 degrees, whole images or images cropped
by the box, three losses, two seeds. Every run is `recipes/report.toml` at its small scale (SGD, momentum
0.95, gradients clipped at 10) with fewer steps, from random weights, and ends at the first step that the
divergence guard refuses (`engine.train.divergence`), or that is not finite. The losses:

- original: cross-entropy, Laplace with a spread that is not bounded, all weights 1 (the published method);
- smooth L1: the report's recipe as it is;
- ours: the defaults of this engine, in which the spread is bounded.

A row of the file is a run: its outcome, the loss that the guard blamed, and the curve of the total loss.
Runs that are in the file are not made again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from napari_fashion.engine.evaluation.charts import Axis, Line, line_chart
from napari_fashion.engine.losses.options import COMPONENTS, LossOptions
from napari_fashion.engine.train.events import DivergenceEvent, StepEvent
from napari_fashion.engine.train.overrides import Override, load_recipe
from napari_fashion.engine.train.recipe import Recipe
from napari_fashion.engine.train.trainer import Trainer
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write

REPORT = Path(__file__).resolve().parent / "recipes" / "report.toml"
BACKBONES = ("resnet18", "shufflenetv2k16")
RATES = (1e-4, 1e-5)
ROTATIONS = (0, 20)
CUTS = {"raw": 0.0, "box": 1.0}
"""Share of the views that show one garment's box."""
LOSSES: dict[str, dict[str, Any]] = {
    "original": {
        "loss.confidence": "focal",
        "loss.vector": "laplace",
        "loss.weights": dict.fromkeys(COMPONENTS, 1.0),
        "network.bounded_spread": False,
    },
    "smooth L1": {},
    "ours": {f"loss.{key}": value for key, value in LossOptions().model_dump(mode="json").items()},
}
"""What takes the place of the report's values."""


@dataclass(frozen=True)
class Run:
    """What a run is made of."""

    backbone: str
    rate: float
    rotation: int
    cut: str
    loss: str
    seed: int
    images: int = 200
    clip: float = 10.0

    def recipe(self, steps: int, size: int, batch: int) -> Recipe:
        """Return its recipe."""
        values = {
            "network.backbone": self.backbone,
            "optimiser.lr": self.rate,
            "optimiser.clip_value": self.clip,
            "augment.rotation": self.rotation,
            "augment.box_view": CUTS[self.cut],
            "inference.input_size": size,
            "data.limit": self.images,
            "data.validation_share": 0,
            "schedule.batch": batch,
            "schedule.epochs": 1000,
            "schedule.max_steps": steps,
            "schedule.decay": [],
            "divergence.policy": "stop",
            "seed": self.seed,
            **LOSSES[self.loss],
        }
        overrides = [Override(tuple(k.split(".")), v, f"{k}={v}") for k, v in values.items()]
        return load_recipe(REPORT, overrides, scale="small")


@dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes
    ----------
    exploded
        Whether the guard refused a step.
    steps
        Number of steps that were done.
    blamed, value
        The loss that rose most, or the gradient, and what it came to; empty if nothing exploded.
    curve
        Step and total loss, of the steps that were reported.
    last
        The losses by name at the last of these.
    seconds
        Of processor time.
    """

    exploded: bool
    steps: int
    blamed: str
    value: str
    curve: list[tuple[int, float]]
    last: dict[str, float]
    seconds: float


def train(run: Run, steps: int, size: int, batch: int) -> Outcome:
    """Train until the last step, or until a step diverges."""
    curve: list[tuple[int, float]] = []
    last: dict[str, float] = {}
    found: DivergenceEvent | None = None
    done = 0

    def heard(event: object) -> None:
        nonlocal found, done
        if isinstance(event, StepEvent) and event.loss is not None:
            curve.append((event.step, round(event.loss, 5)))
            last.update(event.losses or {})
            done = event.step
        elif isinstance(event, DivergenceEvent):
            found, done = event, event.step

    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        recipe = run.recipe(steps, size, batch)
        trainer = Trainer(recipe, Path(folder) / "run", resume=False, device="cpu", emit=heard)
        try:
            trainer.run(lambda: False)
        except CheckpointError:
            if found is None:
                raise
    seconds = time.process_time() - start
    last = {name: round(value, 5) for name, value in last.items()}
    if found is None:
        return Outcome(False, done, "", "", curve, last, round(seconds, 1))
    return Outcome(True, done, found.head, str(found.loss), curve, last, round(seconds, 1))


def main() -> None:
    """Train what is missing, or show what there is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of the rows (JSON)")
    parser.add_argument("--backbones", nargs="+", default=BACKBONES)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--rotations", type=int, nargs="+", default=ROTATIONS)
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=list(CUTS))
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1))
    parser.add_argument("--images", type=int, default=200, help="number of photos to learn from")
    parser.add_argument("--clip", type=float, default=10.0, help="of each gradient; 0: none")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--size", type=int, default=96, help="pixels of the input")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="begin no further run after this time")
    parser.add_argument("--table", action="store_true", help="print the tables, train nothing")
    parser.add_argument(
        "--charts", type=Path, metavar="FOLDER", help="write the charts, train nothing"
    )
    options = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else []
    if options.table:
        print("\n\n".join(_tables(rows)))
    if options.charts is not None:
        _write_charts(rows, options.charts)
    if options.table or options.charts is not None:
        return
    torch.set_num_threads(options.threads)
    end = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
    for run in _missing(rows, options):
        if time.monotonic() > end:
            break
        outcome = train(run, options.steps, options.size, options.batch)
        rows.append({**asdict(run), **asdict(outcome)})
        atomic_write(options.out, _text(rows))
        said = f"exploded at {outcome.steps}, {outcome.blamed}" if outcome.exploded else "reached"
        print(*asdict(run).values(), f"{said} ({outcome.seconds:.0f} s)", flush=True)


def _text(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return the file: one row a line."""
    return ("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n").encode()


def _missing(rows: Iterable[dict[str, Any]], options: argparse.Namespace) -> Iterator[Run]:
    """Yield the runs of the grid that are not there; those of one seed before those of the next."""
    fields = Run.__dataclass_fields__
    there = {Run(**{key: row[key] for key in fields if key in row}) for row in rows}
    grid = itertools.product(
        options.seeds, options.cuts, options.rotations, options.backbones, options.rates,
        options.losses,
    )  # fmt: skip
    for seed, cut, rotation, backbone, rate, loss in grid:
        run = Run(backbone, rate, rotation, cut, loss, seed, options.images, options.clip)
        if run not in there:
            yield run


def _tables(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a table for each rate: outcomes by what the runs are made of."""
    for rate in sorted({row["rate"] for row in rows}):
        cells: dict[tuple[Any, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for row in sorted(rows, key=lambda row: row["seed"]):
            if row["rate"] == rate:
                key = row["backbone"], row["rotation"], row["cut"]
                cells[key][row["loss"]].append(_cell(row))
        lines = [f"| lr {rate:g} | {' | '.join(LOSSES)} |", "|---" * (1 + len(LOSSES)) + "|"]
        for key, by_loss in sorted(cells.items()):
            texts = ["; ".join(by_loss[loss]) for loss in LOSSES]
            lines.append(f"| {key[0]}, {key[1]}°, {key[2]} | {' | '.join(texts)} |")
        yield "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    if row["exploded"]:
        return f"**exploded** at {row['steps']} ({row['blamed']}: {row['value'][:8]})"
    first, last = row["curve"][0][1], row["curve"][-1][1]
    return f"{first:.2f} to {last:.2f}"


def _write_charts(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """Write the curves of the runs without rotation on raw images, a chart for each loss."""
    for loss in LOSSES:
        lines = [
            Line(
                f"{row['backbone']}, {row['rate']:g}{', exploded' * row['exploded']}", row["curve"]
            )
            for row in sorted(rows, key=lambda row: (row["backbone"], row["rate"]))
            if (row["loss"], row["rotation"], row["cut"], row["seed"]) == (loss, 0, "raw", 0)
        ]
        chart = line_chart(
            lines,
            Axis("step", lambda x: f"{x:g}"),
            Axis("total loss", lambda y: f"{y:g}", low=None),
            width=640,
        )
        name = f"explosions-{loss.replace(' ', '-').lower()}.svg"
        atomic_write(folder / name, chart.encode())


if __name__ == "__main__":
    main()
