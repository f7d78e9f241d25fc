"""Export a COCO file to a format of other tools, as a folder.

What the format cannot hold is counted on standard error. The folder is new or empty, and written whole
or not at all. Guesses of a model that nobody has reviewed are left out, as in the annotator's Export.
"""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from pathlib import Path

from napari_fashion.cli import inputs, parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion export-data annotations.json --to yolo --out yolo/",
    "napari-fashion export-data train.json --val val.json --to mmpose --out mmpose/ --image-files copy",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, metavar="FILE", help="COCO file")
    parser.add_argument(
        "--to", required=True, choices=parsing.LazyChoices(_formats), metavar="FORMAT",
        help="%(choices)s",
    )  # fmt: skip
    parser.add_argument(
        "--out", required=True, type=parsing.path, metavar="FOLDER", help="a new or empty folder"
    )
    parser.add_argument(
        "--val", type=parsing.path, metavar="FILE", help="COCO file of the validation images"
    )
    parser.add_argument(
        "--test", type=parsing.path, metavar="FILE", help="COCO file of the test images"
    )
    parser.add_argument(
        "--image-files", choices=parsing.LazyChoices(_placements), metavar="hardlink|copy|leave",
        help="image files are linked (hard links) or copied into the folder, or left where they are "
        "(default: linked for yolo, deepfashion, openpifpaf and mmpose, else left)",
    )  # fmt: skip
    parser.add_argument(
        "--extras", action="store_true",
        help="COCO: keep keys that are not COCO's own, such as sources and scores under 'fashion'",
    )  # fmt: skip
    parser.add_argument(
        "--only-reviewed", action="store_true", help="only images that a person marked as reviewed"
    )
    parser.add_argument(
        "--predictions", action="store_true",
        help="also garments that a model made and nobody has reviewed",
    )  # fmt: skip
    parsing.add_schema(parser)
    parsing.add_images(parser)
    parsing.add_journal(parser)


def _formats() -> list[str]:
    from napari_fashion.coco.convert.out import formats

    return [form.name for form in formats()]


def _placements() -> tuple[str, ...]:
    from napari_fashion.coco.convert.out import PLACEMENTS

    return PLACEMENTS


def run(options: argparse.Namespace) -> int:
    """Export; return the exit status."""
    from napari_fashion.coco import Dataset
    from napari_fashion.coco.convert.out import ExportOptions, export_data, format_of
    from napari_fashion.coco.convert.out.exporting import check_target
    from napari_fashion.schema import Schema

    inputs.set_limits(options.max_pixels)
    schema = None if options.schema is None else Schema.load(options.schema)
    files: dict[str, Path] = {
        name: path
        for name, path in (("train", options.data), ("val", options.val), ("test", options.test))
        if path is not None
    }
    _check_different(files)
    Outputs(files.values()).folder(check_target(options.out), "--out")
    with ExitStack() as stack:
        datasets: dict[str, Dataset] = {}
        for name, path in files.items():
            file = stack.enter_context(inputs.with_journal(str(path), options.with_journal))
            datasets[name] = Dataset.load(
                file,
                schema=schema,
                fallback=Schema.load("garments"),
                image_root=options.images,
                allow_roots=options.allow_root,
            )
            inputs.tell_problems(datasets[name])
        total = sum(len(dataset.images) for dataset in datasets.values())
        with terminal.progress("Exporting", total) as progress:
            result = export_data(
                datasets,
                options.out,
                format_of(options.to),
                ExportOptions(
                    images=options.image_files,
                    extras=options.extras,
                    only_reviewed=options.only_reviewed,
                    include_predictions=options.predictions,
                ),
                advance=progress.advance,
            )
    terminal.tell(result.tally)
    terminal.notify(result)
    return status.DONE


def _check_different(files: dict[str, Path]) -> None:
    """Raise FashionError if a file is given for two parts: both would have the same images."""
    known: dict[str, str] = {}
    for part, path in files.items():
        real = os.path.realpath(path)
        if real in known:
            raise FashionError(
                f"{path} is given for {known[real]} and for {part}; expected another file for each part. "
                "napari-fashion split makes them."
            )
        known[real] = part
