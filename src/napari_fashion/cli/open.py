"""Open a COCO file, results or a folder of images in the annotator."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from napari_fashion.cli import inputs, parsing, status
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

EXAMPLES = (
    "napari-fashion open annotations.json",
    "napari-fashion open photos/ --model runs/mine --schema deepfashion",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "path", type=parsing.path, help="COCO file, results of predict, or a folder of images"
    )
    parser.add_argument(
        "--model",
        default="bundled",
        help=f"{parsing.MODELS}, a run folder, a model file or a model set",
    )
    parsing.add_schema(
        parser, "of a folder of images that has no annotations yet: ", "the window asks"
    )
    parsing.add_images(parser)


def run(options: argparse.Namespace) -> int:
    """Open the window; return the exit status when it is closed."""
    path: Path = options.path
    inputs.set_limits(options.max_pixels)
    if options.images is not None and path.is_dir():
        raise FashionError(
            "--images names the folder of a COCO file's images; the input is a folder."
        )
    if not path.exists():
        raise FashionError(f"{path}: there is no such file or folder to open.")
    schema = None if options.schema is None else Schema.load(options.schema)
    app("viewer.window").run_window(
        path.resolve(),
        model=options.model,
        images=options.images,
        allow_roots=options.allow_root,
        schema=schema,
    )
    return status.DONE


def app(name: str) -> Any:
    """Import a module of the app.

    Raises
    ------
    FashionError
        If napari or Qt is missing, or there is no display.
    """
    has_display = any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not has_display:
        raise FashionError(
            "There is no display to open a window on (DISPLAY and WAYLAND_DISPLAY are not set). Run it in "
            "a desktop session, or under a virtual display such as xvfb-run."
        )
    try:
        return import_module(f"napari_fashion.app.{name}")
    except ImportError as error:
        raise FashionError(
            f"The app needs napari and Qt ({error}). Install them: pip install 'napari-fashion[app]'."
        ) from error
