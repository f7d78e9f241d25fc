"""Measure a model for its card: all figures as JSON, and the card's tables from them.

    python training/figures.py                       # measure the bundled model; takes minutes
    python training/figures.py --tables-only         # the tables again, from the JSON

Writes training/bundled-figures.json, and the parts of training/model-card.md and README.md between
their markers.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lay_out import lay_out

import napari_fashion
from napari_fashion.datasets import photos
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.category_metrics import category_ranks
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.landmark_metrics import average_error, median_error
from napari_fashion.engine.evaluation.protocols import Protocol, evaluate_images
from napari_fashion.engine.evaluation.sweeps import over_margins
from napari_fashion.engine.model import Model

FOLDER = Path(__file__).resolve().parent
BEGIN, END = "<!-- figures: training/figures.py -->", "<!-- end of figures -->"
SEVERAL = 4
"""Photos that are laid out in one image for the column of images with several garments."""
MARGIN = 0.25
"""Margin around the box in the column of crops with surroundings, as a share of the box."""
OWN = {
    "bbox, nearest": Protocol("bbox", "nearest", "corner"),
    "bbox, best": Protocol("bbox", "best", "corner"),
    "bbox, only": Protocol("bbox", "only", "corner"),
    "none, nearest": Protocol("none", "nearest", "corner"),
    "none, nearest, skeleton": Protocol("none", "nearest", "skeleton"),
    "none, best": Protocol("none", "best", "corner"),
    "none, inside": Protocol("none", "inside", "corner"),
    "none, only": Protocol("none", "only", "corner"),
    "none, matched": Protocol("none", "matched", "corner"),
}
"""Protocols of the card's own table; a comma separates cut, choice and fallback (the corner by default)."""
MARGINS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Margins of crops at which the error is given against the crop's size."""
DETAILS = ("curves", "by_category", "confusion", "error_by_landmark_with_hidden")
"""What is left out of figures that no table shows."""
Json = dict[str, Any]


def main() -> None:
    """Measure, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--figures", type=Path, default=FOLDER / "bundled-figures.json")
    parser.add_argument("--card", type=Path, default=FOLDER / "model-card.md")
    parser.add_argument("--readme", type=Path, default=FOLDER.parent / "README.md")
    parser.add_argument("--tables-only", action="store_true")
    parser.add_argument(
        "--keep-times", action="store_true",
        help="keep the times an image from the JSON that is there: on a busy machine they mean nothing",
    )  # fmt: skip
    options = parser.parse_args()
    if not options.tables_only:
        figures = measure(Model.load(options.model, "cpu"))
        figures["bytes"] = _bytes(options.model)
        if options.keep_times:
            before = json.loads(options.figures.read_text("utf-8"))
            for kind in KINDS:
                figures[kind]["seconds_per_image"] = before[kind]["seconds_per_image"]
        options.figures.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    figures = json.loads(options.figures.read_text("utf-8"))
    _fill(options.card, tables(figures))
    if options.readme is not None:
        _fill(options.readme, summary(figures))


def _fill(path: Path, text: str) -> None:
    """Replace what stands between the markers."""
    before, rest = path.read_text("utf-8").split(BEGIN)
    _, after = rest.split(END)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", "utf-8")


def measure(model: Model) -> Json:
    """Evaluate by both protocols, as the model's recipe says, and with a single pass.

    A single pass is one at the working size, without the flipped image and without a refinement pass
    at what is found.
    """
    once = model.inference.overridden(
        flip_tta=False, sizes=[model.inference.input_size], refine=False
    )
    test = load_sources([Source(file="photos:test")], model.schema)
    drawn = load_sources([Source(file="samples:200:50000")], model.schema)
    nothing = load_sources([Source(file="photos:no_garment", empty="negative")], model.schema)
    learned = set(model.info.data["split"]["train"])
    held_out = [p for p in nothing if p.key not in learned]
    box = evaluate_images(model, test, protocol="box")
    whole = evaluate_images(model, test, protocol="whole")
    return {
        "model": model.id,
        "inference": model.inference.model_dump(mode="json"),
        "box": box.to_dict(),
        "whole": whole.to_dict(),
        "box_wide": _few(evaluate_images(model, test, margin=MARGIN)),
        "box_once": _few(evaluate_images(model, test, inference=once)),
        "whole_once": _few(evaluate_images(model, test, protocol="whole", inference=once)),
        "samples_box": _few(evaluate_images(model, drawn, protocol="box")),
        "samples_whole": _few(evaluate_images(model, drawn, protocol="whole")),
        # Shares of the images with one garment would be those of the last one, with what is left.
        "several": _few(_several(model, test)) | {"images": {}},
        "protocols": {
            name: _few(evaluate_images(model, test, protocol=protocol))
            for name, protocol in OWN.items()
        },
        "margins": [
            vars(point)
            for point in over_margins(model, test, Protocol("hull", "only", "corner"), MARGINS)
        ],
        "no_garment": {
            "in training": _none_found(model, [p for p in nothing if p.key in learned]),
            "held out": _none_found(model, held_out),
        },
        "garments": garment_rows(model, box),
    }


def _few(evaluation: Evaluation) -> Json:
    """Return an evaluation's figures without the details that no table shows."""
    figures = evaluation.to_dict()
    figures["intervals"] = {
        name: bounds
        for name, bounds in (figures["intervals"] or {}).items()
        if "." not in name or name.startswith(("near.", "pck."))
    }
    return {name: value for name, value in figures.items() if name not in DETAILS}


def _several(model: Model, photos: Sequence[AnnotatedImage]) -> Evaluation:
    """Judge whole images in which several of the photos are laid out together."""
    with tempfile.TemporaryDirectory() as folder:
        path = lay_out(photos, SEVERAL, Path(folder), model.schema)
        images = load_sources([Source(file=str(path))], model.schema)
        return evaluate_images(model, images, protocol="whole")


def _bytes(model: str) -> int:
    """Return the size of the weights' file."""
    if model == "bundled":
        path = Path(napari_fashion.__file__).parent / "models/bundled.safetensors"
    else:
        path = Path(model) / "model.safetensors" if Path(model).is_dir() else Path(model)
    return path.with_suffix(".safetensors").stat().st_size


def _none_found(model: Model, images: Sequence[Any]) -> Json:
    if not images:
        return {"images": 0, "none found": None}
    empty = [not p.garments for p in model.predict([p.read() for p in images])]
    return {"images": len(empty), "none found": sum(empty) / len(empty)}


def garment_rows(model: Model, evaluation: Evaluation) -> list[Json]:
    """Return for each box-crop garment its errors, category and sender."""
    senders = photos.senders()
    rows = []
    for judged in evaluation.judged:
        errors = {
            name: round(float(error), 4)
            for name, error, seen in zip(
                model.schema.landmarks, judged.errors, judged.visibility, strict=True
            )
            if seen == 2
        }
        rows.append(
            {
                "photo": Path(judged.key).stem,
                "sender": senders[Path(judged.key).stem],
                "category": model.schema.category_names[judged.category],
                "predicted": model.schema.category_names[int(judged.probabilities.argmax())],
                "rank": int(category_ranks(judged.probabilities[None], [judged.category])[0]),
                "errors": errors,
            }
        )
    return rows


# -- tables --------------------------------------------------------------------------------------


FOUND = "one garment: found"
SECOND = "one garment: a second, false one found"
ROWS: list[tuple[str, Callable[[Json], str]]] = [
    ("AVG NE, visible landmarks", lambda r: _interval(r, "average_error", _number)),
    ("AVG NE by the garment's box", lambda r: _interval(r, "average_error_by_box", _number)),
    ("AVG NE, scores from 0.15", lambda r: _number(r["confident_error"])),
    ("AVG NE, scores below 0.15", lambda r: _number(r["unconfident_error"])),
    ("pooled NE", lambda r: _interval(r, "pooled_error", _number)),
    ("median", lambda r: _number(r["median_error"])),
    ("PDL at 0.1", lambda r: _percent(r["near"]["0.1"])),
    ("PDL at 0.05", lambda r: _percent(r["near"]["0.05"])),
    ("PCK at 0.1", lambda r: _percent(r["pck"]["0.1"])),
    ("landmarks within 0.02", lambda r: _interval(r, "points_within", _percent)),
    ("garments with all within 0.02", lambda r: _interval(r, "garments_within", _percent)),
    ("detected landmarks that are not there", lambda r: _percent(r["not_present"])),
    ("detected landmarks that are hidden", lambda r: _percent(r["not_visible"])),
    ("category top-1", lambda r: _interval(r, "top1", _percent)),
    ("category top-3", lambda r: _percent(r["top3"])),
    ("category top-5", lambda r: _percent(r["top5"])),
    ("one garment found", lambda r: _percent(r["images"].get(FOUND))),
    ("a second, false one found", lambda r: _percent(r["images"].get(SECOND))),
    ("detection precision", lambda r: _percent(r["precision"])),
    ("detection recall", lambda r: _percent(r["recall"])),
    ("OKS AP", lambda r: _interval(r, "ap", _number)),
    ("OKS AP at 0.5", lambda r: _number(r["ap50"])),
    ("OKS AP, upper", lambda r: _group_ap(r, "upper")),
    ("OKS AP, lower", lambda r: _group_ap(r, "lower")),
    ("OKS AP, full", lambda r: _group_ap(r, "full")),
    ("milliseconds an image", lambda r: f"{1000 * r['seconds_per_image']:.0f}"),
]
KINDS = (
    "box", "whole", "box_wide", "several", "box_once", "whole_once", "samples_box",
    "samples_whole",
)  # fmt: skip


def tables(f: Json) -> str:
    """Return the card's tables in Markdown."""
    empty = "; ".join(
        f"{_percent(v['none found'])} of {v['images']} {k}"
        for k, v in f["no_garment"].items()
        if v["images"]
    )
    parts = [
        f"`{f['model']}`. Intervals: 95 %, bootstrap over images.",
        "",
        f"| | photos, box crops | photos, whole | box with {MARGIN:.0%} around it "
        f"| {SEVERAL} photos in an image | box crops, one pass | whole, one pass "
        "| procedural, box crops | procedural, whole |",
        "|---" * (1 + len(KINDS)) + "|",
        *(f"| {label} | " + " | ".join(text(f[k]) for k in KINDS) + " |" for label, text in ROWS),
        "",
        f"Shoes and hats in which nothing is found: {empty}.",
        "",
        *_against(f),
        "",
        *_by_protocol(f),
        "",
        *_by_margin(f),
        "",
        "| NE by landmark | photos, box crops | photos, whole | procedural, box crops |",
        "|---|---|---|---|",
        *(
            f"| {name} | {_number(value)} | {_number(f['whole']['error_by_landmark'][name])} | "
            f"{_number(f['samples_box']['error_by_landmark'][name])} |"
            for name, value in f["box"]["error_by_landmark"].items()
        ),
        "",
        *_grouped("category", "By category, box crops", f["garments"]),
        "",
        *_grouped("sender", "By sender, box crops", f["garments"]),
        "",
        "The twelve photos with the greatest error, box crops:",
        "",
        "| photo | category (predicted) | mean error | worst landmarks |",
        "|---|---|---|---|",
        *(_worst(row) for row in sorted(f["garments"], key=_mean, reverse=True)[:12]),
    ]
    return "\n".join(parts)


def _by_protocol(f: Json) -> list[str]:
    """Return the errors by protocol: what is seen, which find is compared, what counts if there is none."""
    labels = ("AVG NE, visible landmarks", "AVG NE by the garment's box", "AVG NE, scores from 0.15",
              "median", "PDL at 0.1", "PCK at 0.1", "category top-1", "category top-3",
              "category top-5")  # fmt: skip
    chosen = [(label, text) for label, text in ROWS if label in labels]
    return [
        "By protocol (cut, choice, fallback), photos; errors are divided by what the model was shown:",
        "",
        "| | " + " | ".join(label for label, _ in chosen) + " | not found |",
        "|---" * (2 + len(chosen)) + "|",
        *(
            f"| {name} | {' | '.join(text(r) for _, text in chosen)} | {r['not_found']} |"
            for name, r in f["protocols"].items()
        ),
    ]


def _by_margin(f: Json) -> list[str]:
    """Return the errors against the size of the crop."""

    def between(bounds: list[float]) -> str:
        return f" ({' to '.join(_number(bound) for bound in bounds)})"

    return [
        "Against the size of the crop (hull, only), photos:",
        "",
        "| margin | AVG NE | by the garment's box | top-1 |",
        "|---|---|---|---|",
        *(
            f"| {_percent(p['at'])} | {_number(p['average_error'])}{between(p['interval'])} "
            f"| {_number(p['average_error_by_box'])}{between(p['interval_by_box'])} "
            f"| {_percent(p['top1'])} |"
            for p in f["margins"]
        ),
    ]


def _group_ap(report: Json, name: str) -> str:
    return _number(report["by_body_type"].get(name, {}).get("ap"))


def _against(f: Json) -> list[str]:
    """Return what was asked of the model beside what it reaches."""
    box, whole = f["box"], f["whole"]

    def percents(*values: float | None) -> str:
        return " / ".join(_percent(value) for value in values)

    by_box = whole["average_error_by_box"]
    rows = [
        ("AVG NE, by the garment's box", "0.077", "0.030", _number(box["average_error_by_box"])),
        ("median", "0.021", "0.010", _number(box["median_error"])),
        (
            "PDL at 0.1 / 0.05", "84.7 / 74.0 %", "96 / 90 %",
            percents(box["near"]["0.1"], box["near"]["0.05"]),
        ),
        (
            "landmarks within 0.02 / garments with all within 0.02", "47.5 / 9.8 %", "75 / 45 %",
            percents(box["points_within"], box["garments_within"]),
        ),
        (
            "category top-1 / 3 / 5", "63.7 / 88.6 / 93.8 %", "83 / 96.5 / 99 %",
            percents(box["top1"], box["top3"], box["top5"]),
        ),
        (
            "whole images: AVG NE by the garment's box", "0.078", "within 20 % of box crops",
            f"{_number(by_box)} ({by_box / box['average_error_by_box'] - 1:+.0%})",
        ),
        (
            "whole: one garment found / a second, false one", "94.8 / 0.5 %", "97 / under 3 %",
            percents(
                whole["images"]["one garment: found"],
                whole["images"]["one garment: a second, false one found"],
            ),
        ),
        (
            "none in shoes and hats (held out)", "92.9 % (trained on)", "95 %",
            _percent(f["no_garment"]["held out"]["none found"]),
        ),
        ("megabytes in the package", "4.3", "10", f"{f['bytes'] / 1e6:.1f}"),
        (
            "milliseconds an image, two cores: box crops / whole", "16 / 11", "60",
            f"{1000 * box['seconds_per_image']:.0f} / {1000 * whole['seconds_per_image']:.0f}",
        ),
    ]  # fmt: skip
    return [
        "Against what was asked (box crops by default):",
        "",
        "| | first release `bundled-0f8355f3` | asked | reached |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def summary(f: Json) -> str:
    """Return the README's table in Markdown."""

    def number(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    rows: list[tuple[str, Callable[[Json], str]]] = [
        ("AVG NE over visible landmarks", lambda r: _interval(r, "average_error", number)),
        (
            "AVG NE by the garment's box",
            lambda r: _interval(r, "average_error_by_box", number),
        ),
        ("median error", lambda r: number(r["median_error"])),
        (
            "PDL at 0.1 / 0.05",
            lambda r: " / ".join(_percent(r["near"][d]) for d in ("0.1", "0.05")),
        ),
        ("landmarks within 0.02", lambda r: _interval(r, "points_within", _percent)),
        (
            "category top-1 / 3 / 5 of 15",
            lambda r: " / ".join(
                [_interval(r, "top1", _percent), _percent(r["top3"]), _percent(r["top5"])]
            ),
        ),
        ("time an image, two CPU cores", lambda r: f"{1000 * r['seconds_per_image']:.0f} ms"),
    ]
    kinds = ("box", "box_wide", "whole")
    shares = f["whole"]["images"]
    several = [_percent(f["several"][name]) for name in ("recall", "precision")]
    found = _percent(shares["one garment: found"])
    second = _percent(shares["one garment: a second, false one found"])
    return "\n".join(
        [
            f"| | box crops | box with {MARGIN:.0%} around it | whole images, no box given |",
            "|---|---|---|---|",
            *(
                f"| {label} | " + " | ".join(text(f[kind]) for kind in kinds) + " |"
                for label, text in rows
            ),
            f"| recall / false positives (single-garment images) | | | {found} / {second} |",
            f"| recall / precision (images with {SEVERAL} garments) | | | {' / '.join(several)} |",
        ]
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _interval(report: Json, name: str, text: Callable[[float | None], str]) -> str:
    bounds = (report.get("intervals") or {}).get(name)
    between = f" ({' to '.join(text(b) for b in bounds)})" if bounds else ""
    return text(report[name]) + between


def _mean(row: Json) -> float:
    return float(np.mean(list(row["errors"].values())))


def _grouped(key: str, title: str, rows: list[Json]) -> list[str]:
    lines = [f"| {title} | photos | AVG NE | median | top-1 |\n|---|---|---|---|---|"]
    names = sorted({row[key] for row in rows})
    members = {name: [r for r in rows if r[key] == name] for name in names}
    for name in sorted(names, key=lambda n: -len(members[n])):
        errors, seen = _matrix(members[name])
        top1 = np.mean([r["rank"] == 0 for r in members[name]])
        lines.append(
            f"| {name} | {len(members[name])} | {_number(average_error(errors, seen))} | "
            f"{_number(median_error(errors, seen))} | {100 * top1:.0f} % |"
        )
    return lines


def _matrix(rows: list[Json]) -> tuple[np.ndarray, np.ndarray]:
    names = sorted({name for row in rows for name in row["errors"]})
    errors = np.array([[row["errors"].get(name, np.nan) for name in names] for row in rows])
    return np.nan_to_num(errors), ~np.isnan(errors)


def _worst(row: Json) -> str:
    said = row["category"] if row["rank"] == 0 else f"{row['category']} ({row['predicted']})"
    worst = sorted(row["errors"].items(), key=lambda item: -item[1])[:3]
    return (
        f"| {row['photo']} | {said} | {_mean(row):.3f} | "
        + ", ".join(f"{name} {error:.2f}" for name, error in worst)
        + " |"
    )


if __name__ == "__main__":
    main()
