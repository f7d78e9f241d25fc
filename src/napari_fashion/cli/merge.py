"""Merge COCO files into one: categories by name, images by file, ids renumbered where they meet.

The first file keeps its ids. What was decided, renumbered and left out is counted on standard error.
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.tally import counted

EXAMPLES = (
    "napari-fashion merge mine.json theirs.json --out both.json",
    "napari-fashion merge old.json corrected.json --same-image last --out all.json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", nargs="+", type=parsing.path, metavar="FILE", help="COCO files")
    parser.add_argument(
        "--out", required=True, type=parsing.path, metavar="FILE", help="COCO file to write"
    )
    parser.add_argument(
        "--same-image", choices=parsing.LazyChoices(_same_image), default="join",
        metavar="join|first|last",
        help="an image that several files have gets the garments of all, those of the first or of the "
        "last file; garments that are exactly the same are kept once (default: join)",
    )  # fmt: skip
    parsing.add_images(parser)
    parsing.add_journal(parser)
    parsing.add_overwrite(parser)


def _same_image() -> tuple[str, ...]:
    from napari_fashion.coco.joining import SAME_IMAGE

    return SAME_IMAGE


def run(options: argparse.Namespace) -> int:
    """Merge; return the exit status."""
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.joining import Joined
    from napari_fashion.coco.writing import write_file
    from napari_fashion.schema import Schema

    inputs.set_limits(options.max_pixels)
    outputs = Outputs(options.data, overwrite=options.overwrite)
    out = outputs.file(options.out, "--out")
    with ExitStack() as stack:
        datasets = []
        for path in options.data:
            file = stack.enter_context(inputs.with_journal(str(path), options.with_journal))
            datasets.append(
                Dataset.load(
                    file,
                    fallback=Schema.load("garments"),
                    image_root=options.images,
                    allow_roots=options.allow_root,
                )
            )
            inputs.tell_no_images(datasets[-1], path)
        joined = Joined(datasets, out, options.same_image)
        outputs.check(out, "--out")
        write_file(joined.chunks(), out, overwrite=options.overwrite)
    terminal.tell(joined.tally)
    terminal.notify(
        f"Wrote {counted(joined.garments, 'garment')} in {counted(joined.images, 'image')} of "
        f"{counted(len(datasets), 'file')} to {out}."
    )
    return status.DONE
