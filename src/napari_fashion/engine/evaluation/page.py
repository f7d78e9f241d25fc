"""The report page: one HTML file with all figures, curves and the worst images, that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from napari_fashion import __version__
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation import published
from napari_fashion.engine.evaluation.category_metrics import NOT_FOUND
from napari_fashion.engine.evaluation.charts import Axis, Dot, Line, dot_chart, line_chart
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.report import Bounds, Report
from napari_fashion.engine.evaluation.sweeps import Point
from napari_fashion.engine.evaluation.worst_images import worst
from napari_fashion.schema import Schema

WORST = 12
"""Number of images drawn for each protocol."""
NONE = "\u2013"
"""What stands where a figure is not defined."""
MOST_ROWS = 40
"""Number of landmarks in a chart: those with the greatest errors."""


@dataclass(frozen=True, eq=False)
class About:
    """What was judged, as far as it is known.

    Attributes
    ----------
    model, data
        Id of the model, and the data as the caller named it.
    date
        When, for the page's head.
    data_set, partition
        Of a published data set (`published.DATA_SETS`); None if it is not known.
    left_out
        What was left out, a sentence each.
    """

    model: str
    data: str
    date: str
    data_set: str | None = None
    partition: str | None = None
    left_out: Sequence[str] = ()


def render(
    evaluations: Sequence[Evaluation],
    images: Sequence[AnnotatedImage],
    schema: Schema,
    about: About,
    *,
    margins: Mapping[str, Sequence[Point]] | None = None,
    epochs: Mapping[str, Sequence[Point]] | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    evaluations
        Of one model by one or more protocols, on the same images.
    images
        These images.
    schema
        The model's.
    about
        What was judged.
    margins, epochs
        Sweeps by the protocol's name (`sweeps`); empty ones are left out.

    Returns
    -------
    HTML that is well-formed XML; every name in it is escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("napari_fashion.engine.evaluation", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent, "clean": clean}
    by_key = {image.key: image for image in images}
    return environment.get_template("page.html.j2").render(
        about=about,
        version=__version__,
        evaluations=evaluations,
        tiles=_tiles(evaluations),
        summary=_summary(evaluations),
        landmark_chart=_landmark_chart(evaluations, schema),
        most_rows=MOST_ROWS if schema.n_landmarks > MOST_ROWS else None,
        pdl_chart=_pdl_chart(evaluations),
        confidence_charts=[(e.protocol, _confidence_chart(e)) for e in evaluations],
        categories=_categories(evaluations),
        confusion=_confusion(evaluations[0]),
        groups=_groups(evaluations),
        by_landmark=_by_landmark(evaluations),
        reliability=_reliability(evaluations),
        sweeps=_sweeps(margins or {}, epochs or {}),
        worst=[(e, worst(e.judged, by_key, WORST)) for e in evaluations],
        published=_published(evaluations, schema, about),
        landmark_names=schema.landmarks,
        category_names=schema.category_names,
    )


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as text; a dash if it is not defined."""
    return NONE if value is None else f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Return a share as text; a dash if it is not defined."""
    return NONE if value is None else f"{100 * value:.1f} %"


def clean(text: str) -> str:
    """Return a text without characters that XML cannot hold."""
    return "".join(c if c in "\t\n\r" or _in_xml(ord(c)) else "\ufffd" for c in text)


def _in_xml(code: int) -> bool:
    return 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


def _tiles(evaluations: Sequence[Evaluation]) -> list[tuple[str, str, str]]:
    """Return the few figures at the top: a label, a value, and what is below it."""
    r = evaluations[0].report
    bounds = r.intervals or {}
    detecting = next((e.report for e in evaluations if e.report.ap is not None), None)
    tiles = [
        ("AVG NE", number(r.average_error), _between(bounds.get("average_error"), number)),
        ("PDL at 0.1", percent(r.near["0.1"]), _between(bounds.get("near.0.1"), percent)),
        ("category top-1", percent(r.top1), _between(bounds.get("top1"), percent)),
    ]
    if detecting is not None:
        own = detecting.intervals or {}
        tiles.append(("OKS AP", number(detecting.ap, 3), _between(own.get("ap"), _three)))
    return tiles


def _three(value: float | None) -> str:
    return number(value, 3)


def _between(bounds: Bounds, text: Any) -> str:
    return "" if bounds is None else _shorter(f"{text(bounds[0])} to {text(bounds[1])}")


def _shorter(interval: str) -> str:
    """Return an interval that names its unit once."""
    return interval.replace(" % to ", " to ")


def _summary(evaluations: Sequence[Evaluation]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the rows of the summary: a label, and of each protocol the value and its interval."""
    tables = [
        {label: (value, _shorter(bounds)) for label, value, bounds in e.rows()} for e in evaluations
    ]
    labels: dict[str, None] = {}
    for table in sorted(tables, key=len, reverse=True):
        labels |= dict.fromkeys(table)
    landmarks = {f"  {name}" for name in evaluations[0].report.error_by_landmark}
    return [
        (label, [table.get(label, (NONE, "")) for table in tables])
        for label in labels
        if label not in landmarks
    ]


def _landmark_chart(evaluations: Sequence[Evaluation], schema: Schema) -> str:
    def key(name: str) -> float:
        return -(evaluations[0].report.error_by_landmark[name] or 0.0)

    names = list(schema.landmarks)
    if len(names) > MOST_ROWS:
        names = sorted(names, key=key)[:MOST_ROWS]
    rows = [
        Dot(
            name.replace("_", " "),
            [e.report.error_by_landmark[name] for e in evaluations],
            [_bounds(e.report, f"error_by_landmark.{name}") for e in evaluations],
        )
        for name in names
    ]
    protocols = [e.protocol for e in evaluations]
    return dot_chart(
        rows, protocols, Axis("normalised error (NE), 95 % interval", _tick), width=700
    )


def _bounds(report: Report, name: str) -> Bounds:
    return (report.intervals or {}).get(name)


def _tick(value: float) -> str:
    return f"{value:.3g}"


def _share_tick(value: float) -> str:
    return f"{100 * value:.0f} %"


def _pdl_chart(evaluations: Sequence[Evaluation]) -> str:
    lines = [
        Line(
            e.protocol,
            [(x, y) for x, y in e.report.curves["pdl"] if x is not None and y is not None],
        )
        for e in evaluations
    ]
    x = Axis("normalised distance", _tick)
    return line_chart(lines, x, Axis("visible landmarks within it", _share_tick, high=1.0))


def _confidence_chart(evaluation: Evaluation) -> str:
    curve = evaluation.report.curves["confidence"]
    lines = [
        Line(label, [(row[0], row[column]) for row in curve if row[column] is not None])  # type: ignore[misc]
        for column, label in ((1, "score at least"), (2, "score below"))
    ]
    return line_chart(
        lines, Axis("threshold on the landmark's score", _tick, high=1.0), Axis("AVG NE", _tick)
    )


def _categories(evaluations: Sequence[Evaluation]) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Return a row for each category that occurs, the most frequent first."""
    names: dict[str, int] = {}
    for e in evaluations:
        for name, figures in e.report.by_category.items():
            names.setdefault(name, int(figures["garments"] or 0))
    rows = []
    for name, n in sorted(names.items(), key=lambda item: -item[1]):
        cells = []
        for e in evaluations:
            own = e.report.by_category.get(name, {})
            cells.append(
                {
                    "error": number(own.get("average_error")),
                    "error_bounds": _between(
                        _bounds(e.report, f"by_category.{name}.average_error"), number
                    ),
                    "top1": percent(own.get("top1")),
                    "top1_bounds": _between(_bounds(e.report, f"by_category.{name}.top1"), percent),
                }
            )
        rows.append((name, n, cells))
    return rows


def _confusion(evaluation: Evaluation) -> dict[str, Any] | None:
    """Return the confusion matrix as columns and rows of (count, share of the row)."""
    counts = evaluation.report.confusion
    if not counts:
        return None
    predicted = {name for row in counts.values() for name in row}
    columns = [name for name in counts if name in predicted]
    columns += sorted(predicted - set(columns) - {NOT_FOUND})
    columns += [NOT_FOUND] if NOT_FOUND in predicted else []
    rows = []
    for name, row in counts.items():
        total = sum(row.values())
        cells = [
            (row.get(column, 0), row.get(column, 0) / total, column == name) for column in columns
        ]
        rows.append((name, total, cells))
    return {"protocol": evaluation.protocol, "columns": columns, "rows": rows}


def _groups(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return the tables by body type and by number of garments."""
    tables = []
    kinds = {
        "by_body_type": "Body type", "by_count": "Garments in the image",
        "by_tag": "Category in the file",
    }  # fmt: skip
    for kind, title in kinds.items():
        for e in evaluations:
            groups = getattr(e.report, kind)
            detected = any("ap" in own for own in groups.values())
            if not groups or (len(groups) == 1 and kind != "by_body_type" and not detected):
                continue  # one group is all garments
            metrics = [
                m for m in _METRICS if any(own.get(m) is not None for own in groups.values())
            ]
            rows = [
                (
                    name,
                    int(own.get("garments") or 0),
                    [_group_cell(e.report, f"{kind}.{name}.{m}", own.get(m), m) for m in metrics],
                )
                for name, own in groups.items()
            ]
            labels = [_METRICS[m] for m in metrics]
            tables.append({"title": title, "protocol": e.protocol, "metrics": labels, "rows": rows})
    return tables


_METRICS = {
    "average_error": "AVG NE", "recall": "recall", "precision": "precision", "ap": "OKS AP",
    "ap50": "OKS AP at 0.5", "found": "OKS from 0.5", "found_error_visible": "of these: NE by box, visible",
    "found_error_hidden": "hidden", "visibility_right": "visible or hidden right",
}  # fmt: skip
_SHARES = ("recall", "precision", "found", "missed", "visibility_right")


def _group_cell(report: Report, name: str, value: float | None, metric: str) -> tuple[str, str]:
    text = percent if metric in _SHARES else number
    return text(value), _between(_bounds(report, name), text)


def _by_landmark(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Return a table of each protocol: how each landmark is found, and told to be visible or hidden."""
    tables = []
    for e in evaluations:
        groups = e.report.by_landmark
        if not groups or len(groups) > MOST_ROWS:
            continue
        rows = [
            (
                name.replace("_", " "),
                [_group_cell(e.report, f"by_landmark.{name}.{m}", own[m], m) for m in _OF_LANDMARK],
            )
            for name, own in groups.items()
        ]
        tables.append(
            {"protocol": e.protocol, "metrics": list(_OF_LANDMARK.values()), "rows": rows}
        )
    return tables


_OF_LANDMARK = {
    "found_error_visible": "NE by box, visible", "found_error_hidden": "NE by box, hidden",
    "missed": "there, not detected", "absent_per_image": "detected, not there, an image",
    "visibility_right": "visible or hidden right",
}  # fmt: skip


def _reliability(evaluations: Sequence[Evaluation]) -> list[tuple[str, str, str]]:
    """Return titles, notes and charts: how often what is said with a probability is so."""
    charts = []
    even = Line("as probable as said", [(0.0, 0.0), (1.0, 1.0)])
    for name, title in (("visible", "Visible"), ("present", "There")):
        lines = []
        for e in evaluations:
            curve = e.report.curves.get(name, [])
            places = [(x, y) for x, y, _ in curve if x is not None and y is not None]
            if places:
                lines.append(Line(e.protocol, places, marked=True))
        if lines:
            x = Axis("probability that the model gives", _share_tick, high=1.0)
            y = Axis("share that is so", _share_tick, high=1.0)
            charts.append((title, name, line_chart([*lines, even], x, y)))
    return charts


def _sweeps(
    margins: Mapping[str, Sequence[Point]], epochs: Mapping[str, Sequence[Point]]
) -> list[tuple[str, str]]:
    """Return titles and charts of the sweeps."""
    charts = []
    for protocol, points in margins.items():
        x = Axis("margin around the box, on each side", _share_tick)
        charts.append((f"NE by crop size ({protocol})", _sweep_chart(points, x, by_box=True)))
    for protocol, points in epochs.items():
        x = Axis("epoch", _tick, low=None)
        charts.append((f"NE per epoch ({protocol})", _sweep_chart(points, x, by_box=False)))
    return charts


def _sweep_chart(points: Sequence[Point], x: Axis, *, by_box: bool) -> str:
    def line(label: str, value: str, bounds: str) -> Line:
        known = [p for p in points if getattr(p, value) is not None]
        return Line(
            label,
            [(p.at, getattr(p, value)) for p in known],
            [getattr(p, bounds) for p in known],
            marked=True,
        )

    lines = [line("by the crop", "average_error", "interval")]
    if by_box:
        lines.append(line("by the garment's box", "average_error_by_box", "interval_by_box"))
    return line_chart(lines, x, Axis("AVG NE, 95 % interval", _tick))


def _published(
    evaluations: Sequence[Evaluation], schema: Schema, about: About
) -> list[dict[str, Any]]:
    """Return the published tables with one's own rows in their place, and whether they compare.

    Of data sets with the landmarks of the model; of the named one alone if it is known.
    """
    if tuple(schema.landmarks) != published.LANDMARKS:
        return []
    tables = []
    for data_set in published.DATA_SETS.values():
        if about.data_set in published.DATA_SETS and about.data_set != data_set.name:
            continue
        own = [
            (e, published.why_not_comparable(
                about.data_set, about.partition, e.report.n_images, schema.landmarks, e.parts,
                data_set.name,
            ))
            for e in evaluations
        ]  # fmt: skip
        theirs: list[tuple[Any, ...]] = [
            (w.work, w.year, w.average, w.by_landmark, None)
            for w in published.errors(data_set.name)
        ]
        ours: list[tuple[Any, ...]] = [
            (
                f"this model, {e.protocol}",
                "",
                e.report.average_error,
                e.report.error_by_landmark,
                not why,
            )
            for e, why in own
        ]
        # What does not compare has no rank among the published figures.
        rows = sorted(theirs + ours, key=lambda row: (row[4] is False, row[2] or 1.0))
        categories = [(w.work, w.year, w.top3, w.top5) for w in published.accuracies(data_set.name)]
        same = len(schema.categories) == published.CATEGORIES
        tables.append(
            {
                "title": data_set.title,
                "rows": rows,
                "verdicts": [(e.protocol, why) for e, why in own],
                "categories": categories,
                "own_categories": [
                    (e.protocol, e.report.top3, e.report.top5, not why and same) for e, why in own
                ],
                "of": (len(schema.categories), published.CATEGORIES),
            }
        )
    return tables
