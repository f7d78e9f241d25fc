"""Begin a schema: what the landmarks of a data set mean, as a commented file (TOML) to be completed.

Names, skeleton, body types and categories are those of a COCO file; which landmarks a horizontal flip
exchanges is guessed from their names. docs/schemas.md describes every key.
"""

from __future__ import annotations

import argparse

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.cli.outputs import Outputs

EXAMPLES = (
    "napari-fashion init schema annotations.json --out mine.toml",
    "napari-fashion init schema annotations.json --out mine.toml --name mine",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("what", choices=("schema",), help="what to begin")
    parser.add_argument("data", type=parsing.path, help="COCO file whose categories name landmarks")
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="FILE.toml", help="schema file to write"
    )
    parser.add_argument("--name", metavar="NAME", help="the schema's (default: the file's, FILE)")
    parsing.add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    """Write the schema; return the exit status."""
    from dataclasses import replace

    from napari_fashion.coco import Dataset
    from napari_fashion.schema import Schema
    from napari_fashion.schema.commented import commented_toml

    outputs = Outputs([options.data], overwrite=options.overwrite)
    outputs.file(options.out, "--out", suffix=".toml")
    dataset = Dataset.load(options.data)
    schema = replace(dataset.schema, name=options.name or options.out.stem)
    outputs.write(options.out, commented_toml(schema, options.data.name).encode(), "--out")
    made = Schema.load(options.out)
    terminal.notify(
        f"{options.out}: {made.n_landmarks} landmarks, {len(made.edges)} edges, {len(made.body_types)} "
        f"body types, {len(made.categories)} categories"
    )
    if made.mirror_problem:
        terminal.warn(
            f"Images are not flipped: {made.mirror_problem}. List flip_pairs in {options.out}."
        )
    return status.DONE
