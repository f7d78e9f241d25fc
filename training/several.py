"""Garments found and landmarks assigned, by number of garments and by how far they overlap.

    python training/several.py                                       # the bundled model, small sets
    python training/several.py --model runs/mine --count 100 --out runs/several
    python training/several.py --data people:test --no-layouts
    python training/several.py --photos photos:test                  # CC0 photos laid side by side as well

Sets are procedural garments (`layouts:COUNT:SEED:...`), CC0 photos laid side by side, and COCO files. Every
set is predicted with and without the PAF (`nearness.py`: landmarks joined by distance alone), with the
refinement pass as the model is configured and by a single pass with flip TTA.

- found: garments with a prediction of their own of OKS 0.5 or more;
- assigned: of the landmarks that some prediction has within 0.1 of the garment's box, the share that the
  garment's own prediction has; the others went to a neighbour (`engine.evaluation.association`);
- placed: landmarks that the garment's own prediction has within 0.1 of the box, of all that are labelled;
- false: predictions that are no garment's, an image.

Overlap is what a garment's box shares with another's, of the smaller of both, the largest of an image's.
Intervals: 95 %, bootstrap over images. ``--out`` gets ``several.md``, ``several.json`` and charts (SVG).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from lay_out import lay_out
from nearness import without_paf

from napari_fashion.datasets.procedural import shared_boxes
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.association import associate
from napari_fashion.engine.evaluation.charts import Axis, Line, line_chart
from napari_fashion.engine.evaluation.intervals import bootstrap_intervals
from napari_fashion.engine.evaluation.predictor import Predictor
from napari_fashion.engine.model import Model
from napari_fashion.files import atomic_write

VARIANTS = {
    "PAF, refined": (True, True),
    "PAF": (True, False),
    "nearness, refined": (False, True),
    "nearness": (False, False),
}
"""Whether the network's PAF is used, and whether refinement is."""

FIGURES = ("found", "assigned", "placed", "false")
OVERLAPS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 1.0)
"""Ends of the groups of overlap."""
HIDDEN = ((0, 0, "none"), (1, 2, "1 or 2"), (3, 99, "3 or more"))


@dataclass(frozen=True)
class Row:
    """One garment and what became of it.

    Attributes
    ----------
    image, garments
        Its image, and the number of garments in it.
    overlap
        Largest share that its box has in common with another's.
    hidden
        Number of its hidden landmarks.
    found, labelled, own, astray
        See `Association`; of landmarks their number.
    false
        Predictions of the whole image that are no garment's, on the row of its first garment.
    """

    image: str
    garments: int
    overlap: float
    hidden: int
    found: bool
    labelled: int
    own: int
    astray: int
    false: int


def main() -> None:
    """Predict, count, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--count", type=int, default=12, help="images of each layout (default: 12)")
    parser.add_argument("--seed", type=int, default=70000)
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        help="a COCO file or another source, such as people:test; may be repeated",
    )
    parser.add_argument("--images", help="folder of the images of --data")
    parser.add_argument("--categories", help="map of the categories of --data (TOML)")
    parser.add_argument("--photos", help="such as photos:test, to be laid side by side")
    parser.add_argument("--no-layouts", action="store_true", help="without procedural garments")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--out", type=Path, default=Path("runs/several"), help="folder")
    options = parser.parse_args()
    model = Model.load(options.model, "cpu")
    results: dict[str, dict[str, list[Row]]] = {}
    for title, images in _sets(options, model):
        print(f"{title}: {len(images)} images", flush=True)
        results[title] = {
            name: rows_of(model, images, *VARIANTS[name], batch=options.batch)
            for name in options.variants
        }
    write(results, model.id, options.out)


def _sets(options: argparse.Namespace, model: Model) -> Iterator[tuple[str, list[AnnotatedImage]]]:
    """Yield the title and the images of each set."""

    def load(file: str, **more: str | None) -> list[AnnotatedImage]:
        return load_sources([Source(file=file, **more)], model.schema)

    start = f"layouts:{options.count}:{options.seed}"
    if not options.no_layouts:
        for n in (2, 3, 4, 5, 6):
            same = f"{start}:garments={n},worn=0,cut_off=0,overlap=0.1"
            yield f"number, laid: {n}", load(same)
        for overlap in (0, 0.2, 0.4, 0.6, 0.8):
            same = f"{start}:garments=3,worn=0,cut_off=0,overlap={overlap}"
            yield f"overlap, laid: {overlap}", load(same)
        for n in (2, 3, 6):
            yield f"number, worn: {n}", load(f"{start}:garments={n},worn=1,cut_off=0")
    if options.photos:
        photos = [p for p in load(options.photos) if p.can_be_judged]
        for n in (1, 2, 3, 4, 6):
            with tempfile.TemporaryDirectory() as folder:
                some = photos[: n * options.count]
                file = lay_out(some, n, Path(folder), model.schema)
                yield f"number, photos: {n}", load(str(file))
    for file in options.data:
        yield (
            f"data: {Path(file).stem}",
            load(file, images=options.images, categories=options.categories),
        )


def rows_of(
    model: Model, images: Sequence[AnnotatedImage], paf: bool, refine: bool, *, batch: int = 4
) -> list[Row]:
    """Predict whole images and return a row for each garment.

    Parameters
    ----------
    model
        With its own options of inference.
    images
        The truth.
    paf
        Whether the network's PAF is used; otherwise nearness.
    refine
        Whether refinement is used, as the model has it.
    batch
        Images at once.
    """
    inference = model.inference if refine else model.inference.overridden(refine=False)
    used = model if paf else without_paf(model)
    predictor = Predictor(used, inference, batch, lambda n: None, None)
    jobs = [(image, None) for image in images]
    rows: list[Row] = []
    found = predictor.predict(jobs, lambda pixels, image, job: (pixels, None), crop=False)
    for image, _, _, prediction in found:
        a = associate(image, prediction, model.schema)
        shared = shared_boxes(image.box[a.garments])
        for place, i in enumerate(a.garments.tolist()):
            rows.append(
                Row(
                    image.key,
                    len(a.garments),
                    float(shared[place].max(initial=0.0)),
                    int((image.visibility[i] == 1).sum()),
                    bool(a.found[place]),
                    int(a.labelled[place].sum()),
                    int(a.own[place].sum()),
                    int(a.astray[place].sum()),
                    a.false if place == 0 else 0,
                )
            )
    return rows


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the figures of rows with their intervals, and the number of garments and images."""
    table = {
        "found": ([r.found for r in rows], [1] * len(rows)),
        "assigned": ([r.own for r in rows], [r.own + r.astray for r in rows]),
        "placed": ([r.own for r in rows], [r.labelled for r in rows]),
    }
    first = _first_of_images(rows)
    table["false"] = ([r.false for r in rows], first)
    over = np.array([table[name][0] for name in FIGURES], np.float64)
    under = np.array([table[name][1] for name in FIGURES], np.float64)

    def figures(weights: np.ndarray) -> dict[str, float | None]:
        totals = over @ weights, under @ weights
        return {
            name: float(a / b) if b > 0 else None
            for name, a, b in zip(FIGURES, *totals, strict=True)
        }

    values = figures(np.ones(len(rows)))
    intervals = bootstrap_intervals(figures, [r.image for r in rows])
    return {
        "garments": len(rows),
        "images": sum(first),
        "figures": values,
        "intervals": {name: intervals.get(name) for name in FIGURES},
    }


def _first_of_images(rows: Sequence[Row]) -> list[int]:
    """Return 1 for the first row of each image, otherwise 0."""
    seen: set[str] = set()
    first = []
    for row in rows:
        first.append(int(row.image not in seen))
        seen.add(row.image)
    return first


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the groups of a set's garments: by number in the image, by overlap, by hidden landmarks."""
    for n in sorted({row.garments for row in rows}):
        yield f"{n} garments" if n > 1 else "1 garment", [r for r in rows if r.garments == n]
    for low, high in pairwise(OVERLAPS):
        last = high == OVERLAPS[-1]
        chosen = [r for r in rows if low <= r.overlap < high or (last and r.overlap >= high)]
        yield f"overlap {low:g} to {high:g}", chosen
    for least, most, words in HIDDEN:
        yield f"hidden landmarks: {words}", [r for r in rows if least <= r.hidden <= most]


def write(results: dict[str, dict[str, list[Row]]], model_id: str, folder: Path) -> None:
    """Write the tables, the figures and the charts of all sets."""
    document: dict[str, Any] = {"model": model_id, "sets": {}, "groups": {}}
    for title, by_variant in results.items():
        document["sets"][title] = {name: figures_of(rows) for name, rows in by_variant.items()}
    for kind, rows_by_variant in _pooled(results).items():
        groups: dict[str, dict[str, Any]] = {}
        for name, rows in rows_by_variant.items():
            for group, chosen in _groups(rows):
                if chosen:
                    groups.setdefault(group, {})[name] = figures_of(chosen)
        document["groups"][kind] = groups
    folder.mkdir(parents=True, exist_ok=True)
    text = [f"Model: {model_id}.\n", _table("set", document["sets"])]
    text += [_table(kind, groups) for kind, groups in document["groups"].items()]
    atomic_write(folder / "several.md", "\n".join(text).encode())
    atomic_write(folder / "several.json", (json.dumps(document, indent=1) + "\n").encode())
    for name, chart in _charts(document["sets"]).items():
        atomic_write(folder / f"{name}.svg", chart.encode())
    print("\n".join(text))


def _pooled(results: dict[str, dict[str, list[Row]]]) -> dict[str, dict[str, list[Row]]]:
    """Return the rows of all sets of one kind together: laid, worn, photos, and each file."""
    pooled: dict[str, dict[str, list[Row]]] = {}
    for title, by_variant in results.items():
        head, _, tail = title.partition(": ")
        kind = f"file {tail}" if head == "data" else head.rpartition(", ")[2]
        for name, rows in by_variant.items():
            named = [Row(**{**vars(r), "image": f"{title}/{r.image}"}) for r in rows]
            pooled.setdefault(kind, {}).setdefault(name, []).extend(named)
    return pooled


def _table(kind: str, rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        f"| {kind} | images / garments | decoded by | found | assigned | placed | false an image |",
        "|---" * 7 + "|",
    ]
    for title, by_variant in rows.items():
        for name, found in by_variant.items():
            cells = [_cell(found, figure) for figure in FIGURES]
            counts = f"{found['images']} / {found['garments']}"
            lines.append(f"| {title} | {counts} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(found: dict[str, Any], figure: str) -> str:
    value, interval = found["figures"][figure], found["intervals"][figure]
    if value is None:
        return ""
    words: Callable[[float], str] = (
        (lambda v: f"{v:.2f}") if figure == "false" else (lambda v: f"{100 * v:.0f}")
    )
    unit = "" if figure == "false" else " %"
    bounds = f" ({words(interval[0])} to {words(interval[1])})" if interval else ""
    return f"{words(value)}{unit}{bounds}"


def _charts(sets: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Return a chart (SVG) by name: found and assigned, against what differs between the sets of a kind."""
    kinds: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    for title, by_variant in sets.items():
        head, _, tail = title.partition(": ")
        if head != "data":
            kinds.setdefault(head, []).append((float(tail), by_variant))
    charts = {}
    for head, points in kinds.items():
        for figure in ("found", "assigned"):
            lines = [
                Line(
                    name,
                    [
                        (x, by[name]["figures"][figure])
                        for x, by in points
                        if _has(by, name, figure)
                    ],
                    [by[name]["intervals"][figure] for x, by in points if _has(by, name, figure)],
                    marked=True,
                )
                for name in points[0][1]
            ]
            x = Axis(head, lambda v: f"{v:g}", low=None)
            y = Axis(figure, lambda v: f"{100 * v:.0f} %", high=1.0)
            name = f"{figure}-{head.replace(', ', '-')}"
            charts[name] = line_chart(lines, x, y, width=560)
    return charts


def _has(by_variant: dict[str, Any], name: str, figure: str) -> bool:
    return by_variant[name]["figures"][figure] is not None


if __name__ == "__main__":
    main()
