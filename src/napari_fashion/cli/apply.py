"""Apply edits that were put aside (edits-*.jsonl), or a journal, to a copy of a COCO file."""

from __future__ import annotations

import argparse

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion apply annotations.json edits-20261130.jsonl --out more.json",
    "napari-fashion apply annotations.json .annotations.json.fashion/journal.jsonl --out rescued.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, help="COCO file")
    parser.add_argument("edits", type=parsing.path, help="a journal, or one that was put aside")
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="FILE", help="COCO file to write"
    )
    parsing.add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    """Apply the edits; return the exit status."""
    from napari_fashion.coco import Dataset
    from napari_fashion.editing.journal import read_journal
    from napari_fashion.editing.opening import with_journal
    from napari_fashion.schema import Schema

    outputs = Outputs([options.data, options.edits], overwrite=options.overwrite)
    outputs.file(options.out, "--out")
    dataset = Dataset.load(options.data, fallback=Schema.load("garments"))
    outputs.reads_images(dataset)
    pending = read_journal(options.edits, None)
    if pending is None or not pending.entries:
        raise FashionError(
            f"{options.edits} has no edits that can be read. {pending.damage if pending else ''}".strip()
        )
    with_journal(dataset, pending).save(options.out, overwrite=options.overwrite)
    terminal.notify(
        f"{options.out}: {len(pending.entries)} edits of {options.edits} applied. {pending.damage}".strip()
    )
    return status.DONE
