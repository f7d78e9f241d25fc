"""Count images, garments, categories and landmarks of a COCO file, and what is odd in it."""

from __future__ import annotations

import argparse

from napari_fashion.cli import inputs, parsing, status, terminal

EXAMPLES = (
    "napari-fashion stats annotations.json",
    "napari-fashion stats annotations.json --json --with-journal",
)
COUNTS = ("images", "reviewed", "without_garments", "garments", "by_human", "by_model", "crowds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, help="COCO file")
    parser.add_argument("--json", action="store_true", help="as JSON on standard output")
    parsing.add_journal(parser)


def run(options: argparse.Namespace) -> int:
    """Count; return the exit status."""
    from napari_fashion.coco import Dataset, statistics
    from napari_fashion.schema import Schema

    with inputs.with_journal(str(options.data), options.with_journal) as file:
        dataset = Dataset.load(file, fallback=Schema.load("garments"))
        inputs.tell_problems(dataset)
        found = statistics(dataset)
    if options.json:
        terminal.give_json(found.to_dict())
        return status.DONE
    counts = [(name.replace("_", " "), f"{getattr(found, name):,}") for name in COUNTS]
    categories = sorted(found.categories.items(), key=lambda item: -item[1])
    terminal.give(terminal.table([("", "count"), *counts], str(options.data)))
    terminal.give("")
    rows = [(name, f"{count:,}") for name, count in categories]
    terminal.give(terminal.table([("category", "garments"), *rows]))
    terminal.give("")
    seen = [(name, *(f"{n:,}" for n in counts)) for name, counts in found.landmarks.items()]
    terminal.give(terminal.table([("landmark", "visible", "hidden", "not labelled"), *seen]))
    return status.DONE
