"""Check a COCO file: what is wrong in it and what is odd, counted by kind.

Errors are records that cannot be used as they are; warnings are read, but may not mean what they say.
"""

from __future__ import annotations

import argparse
from typing import Any

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.tally import counted

EXAMPLES = (
    "napari-fashion validate annotations.json",
    "napari-fashion validate annotations.json --image-files --strict --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, metavar="FILE", help="COCO file")
    parser.add_argument(
        "--image-files", action="store_true",
        help="also read the header of every image: is it there, and of the size that its record says?",
    )  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help=f"warnings have status {status.INVALID} too"
    )
    parser.add_argument("--json", action="store_true", help="as JSON on standard output")
    parsing.add_schema(parser)
    parsing.add_images(parser)
    parsing.add_journal(parser)


def run(options: argparse.Namespace) -> int:
    """Check; return the exit status."""
    from napari_fashion.coco import Dataset, find_problems
    from napari_fashion.coco.problems import ERROR, WARNING, image_problems, severity
    from napari_fashion.schema import Schema

    inputs.set_limits(options.max_pixels)
    with inputs.with_journal(str(options.data), options.with_journal) as file:
        dataset = Dataset.load(
            file,
            schema=None if options.schema is None else Schema.load(options.schema),
            fallback=Schema.load("garments"),
            image_root=options.images,
            allow_roots=options.allow_root,
            may_repeat=True,
        )
        found = find_problems(dataset)
        if options.image_files:
            with terminal.progress("Reading headers", len(dataset.images)) as progress:
                for problem in image_problems(dataset, progress.advance):
                    found.add(problem)
    counts = found.tally.counts
    kinds = sorted(counts, key=lambda kind: (severity(kind) != ERROR, -counts[kind], kind))
    totals = {
        level: sum(n for kind, n in counts.items() if severity(kind) == level)
        for level in (ERROR, WARNING)
    }
    rows: list[dict[str, Any]] = [
        {
            "severity": severity(kind),
            "kind": kind,
            "count": counts[kind],
            "examples": [
                {"place": p.place, "found": p.found, "expected": p.expected}
                for p in found
                if p.kind == kind
            ],
        }
        for kind in kinds
    ]
    if options.json:
        terminal.give_json(
            {
                "file": str(options.data),
                "images": len(dataset.images),
                "garments": len(dataset.garments),
                "errors": totals[ERROR],
                "warnings": totals[WARNING],
                "problems": rows,
            }
        )
    else:
        n_images, n_garments = len(dataset.images), len(dataset.garments)
        _show(options.data, rows, n_images, n_garments, totals[ERROR], totals[WARNING])
    bad = totals[ERROR] or (options.strict and totals[WARNING])
    return status.INVALID if bad else status.DONE


def _show(
    file: object, rows: list[dict[str, Any]], images: int, garments: int, errors: int, warnings: int
) -> None:
    if rows:
        shown = [(row["kind"], row["severity"], f"{row['count']:,}") for row in rows]
        terminal.give(terminal.table([("kind", "", "count"), *shown]))
        for row in rows:
            terminal.give("")
            terminal.give(row["kind"])
            for example in row["examples"]:
                terminal.give(
                    f"  {example['place']}: found {example['found']}; expected {example['expected']}."
                )
        terminal.give("")
    terminal.give(
        f"{file}: {counted(images, 'image')}, {counted(garments, 'garment')}, "
        f"{counted(errors, 'error')}, {counted(warnings, 'warning')}."
    )
