"""Count images, garments, categories and landmarks of a COCO file, with sizes, and what is odd in it."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_fashion.cli import inputs, parsing, status, terminal

if TYPE_CHECKING:
    from napari_fashion.coco.sizes import Sizes
    from napari_fashion.coco.statistics import Statistics

EXAMPLES = (
    "napari-fashion stats annotations.json",
    "napari-fashion stats annotations.json --csv",
)
VISIBILITY = ("visible", "hidden", "not labelled")
COUNTS = ("images", "reviewed", "without_garments", "garments", "by_human", "by_model", "crowds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, help="COCO file")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="as JSON on standard output")
    form.add_argument(
        "--csv", action="store_true",
        help="as CSV on standard output: what is counted, of which category, of which landmark, which "
        "number of it, and its value",
    )  # fmt: skip
    parsing.add_journal(parser)


def run(options: argparse.Namespace) -> int:
    """Count; return the exit status."""
    from napari_fashion.coco import Dataset, statistics
    from napari_fashion.coco.sizes import sizes
    from napari_fashion.schema import Schema

    with inputs.with_journal(str(options.data), options.with_journal) as file:
        dataset = Dataset.load(file, fallback=Schema.load("garments"))
        inputs.tell_problems(dataset)
        found = statistics(dataset)
        size = sizes(dataset)
    if options.json:
        terminal.give_json({**found.to_dict(), "sizes": size.to_dict()})
    elif options.csv:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(("what", "category", "landmark", "number", "value"))
        table.writerows(_long_rows(found, size))
        terminal.give(text.getvalue().rstrip("\n"))
    else:
        _show(str(options.data), found, size)
    return status.DONE


def _show(name: str, found: Statistics, size: Sizes) -> None:
    """Print the tables."""
    counts = [(name.replace("_", " "), f"{getattr(found, name):,}") for name in COUNTS]
    counts.append(("images of unknown size", f"{size.images_of_unknown_size:,}"))
    counts.append(("garments without box", f"{size.garments_without_box:,}"))
    terminal.give(terminal.table([("", "count"), *counts], name))
    terminal.give("")
    per_image = [(n, f"{count:,}") for n, count in size.garments_per_image.items()]
    terminal.give(terminal.table([("garments in an image", "images"), *per_image]))
    terminal.give("")
    spans = [("image width", size.width), ("image height", size.height)]
    spans += [(f"garments: {name}", span) for name, span in size.garments.items()]
    sized = [(name, *(f"{v:,.6g}" for v in span)) for name, span in spans if span is not None]
    terminal.give(terminal.table([("size in pixels", "least", "median", "most"), *sized]))
    terminal.give("")
    categories = sorted(found.categories.items(), key=lambda item: -item[1])
    rows = [(name, f"{count:,}") for name, count in categories]
    terminal.give(terminal.table([("category", "garments"), *rows]))
    terminal.give("")
    seen = [(name, *(f"{n:,}" for n in counts)) for name, counts in found.landmarks.items()]
    terminal.give(terminal.table([("landmark", *VISIBILITY), *seen]))


def _long_rows(found: Statistics, size: Sizes) -> Iterator[tuple[Any, ...]]:
    """Yield all numbers, one a row."""
    for name in COUNTS:
        yield name, "", "", "count", getattr(found, name)
    yield "images_of_unknown_size", "", "", "count", size.images_of_unknown_size
    yield "garments_without_box", "", "", "count", size.garments_without_box
    for n, count in size.garments_per_image.items():
        yield "images_by_garments", "", "", n, count
    for name, count in found.categories.items():
        yield "garments", name, "", "count", count
    for label, counts in found.landmarks.items():
        yield from (("landmarks", "", label, v, n) for v, n in zip(VISIBILITY, counts, strict=True))
    for name, landmarks in found.landmarks_by_category.items():
        for label, counts in landmarks.items():
            yield from (
                ("landmarks", name, label, v, n) for v, n in zip(VISIBILITY, counts, strict=True)
            )
    spans = [("image_width", "", size.width), ("image_height", "", size.height)]
    spans += [("garment_size", name, span) for name, span in size.garments.items()]
    for what, name, span in spans:
        if span is not None:
            yield from ((what, name, "", field, getattr(span, field)) for field in span._fields)
