"""Get the photos that our landmark files belong to; goes on where it stopped.

photos: CC0 photos of garments laid flat or hung up. people: street photos of people (Clothing
Co-Parsing), whose rights are less sure than CC0; they are scaled as the landmarks expect.
"""

from __future__ import annotations

import argparse
import importlib

from napari_fashion.cli import parsing, status, terminal

EXAMPLES = (
    "napari-fashion fetch",
    "napari-fashion fetch --all --to photos/ --source a-local-copy/",
    "napari-fashion fetch people --all",
)

DATA = ("photos", "people")
"""Data sets whose photos can be fetched: packages of `datasets`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "data", nargs="?", choices=DATA, default=DATA[0], help="which photos (default: photos)"
    )
    parser.add_argument(
        "--to", type=parsing.path, metavar="FOLDER", help="folder (default: the user's data folder)"
    )
    parser.add_argument("--source", help="a local folder or a mirror's address instead")
    parser.add_argument("--all", action="store_true", help="also those without landmarks")


def run(options: argparse.Namespace) -> int:
    """Fetch; return the exit status."""
    data = importlib.import_module(f"napari_fashion.datasets.{options.data}")
    folder = options.to or data.default_folder()
    with terminal.progress("fetching photos") as shown:
        report = data.fetch(
            folder,
            source=options.source,
            what="all" if options.all else "labelled",
            progress=lambda done, total, path: shown.update(done, total),
        )
    terminal.notify(report.summary())
    for line in report.troubles():
        terminal.warn(line)
    return status.DONE if not report.failed else status.FAILED
