"""Open the app on sample images, or do the main job without a person and leave screenshots of it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.cli.open import app
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion demo",
    "napari-fashion demo --samples --headless --out demo-output --overwrite",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--samples", action="store_true", help="procedural garments only")
    parser.add_argument(
        "--headless", action="store_true", help="do the main job, save screenshots, end"
    )
    parser.add_argument(
        "--out", type=parsing.path, default=Path("demo-output"), metavar="FOLDER",
        help="folder for the result, when headless",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=parsing.path, metavar="FOLDER",
        help="also copy the screenshots to this folder",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=parsing.whole(1, 100_000, "a number of epochs"), metavar="N",
        help="of the retraining, when headless",
    )  # fmt: skip
    parsing.add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    """Run the demo; return the exit status."""
    demo = app("demo")
    if not demo.is_headless(options.headless):
        for given, option in ((options.images, "--images"), (options.epochs, "--epochs")):
            if given is not None:
                raise FashionError(f"{option} is of a run without a person; give --headless, too.")
    outputs = Outputs(overwrite=options.overwrite)
    if demo.is_headless(options.headless):
        outputs.folder(options.out, "--out")
        if options.images is not None:
            outputs.folder(options.images, "--images")
            if os.path.realpath(options.images) == os.path.realpath(options.out):
                raise FashionError(
                    f"--images and --out name the same folder, {options.images}; the screenshots are in "
                    "--out already. Name another one, or leave --images out."
                )
        for folder in demo.FOLDERS:
            outputs.folder(options.out / folder, f"the demo's folder {folder}")
        for path in demo.written(options.out, options.images, samples_only=options.samples):
            outputs.check(path, "what the demo writes")
    demo.run(
        headless=options.headless,
        output=options.out,
        samples_only=options.samples,
        copy_screenshots_to=options.images,
        epochs=options.epochs,
        notify=terminal.notify,
    )
    return status.DONE
