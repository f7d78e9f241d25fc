"""Get the public CC0 photos that our landmark files belong to; goes on where it stopped."""

from __future__ import annotations

import argparse

from napari_fashion.cli import parsing, status, terminal

EXAMPLES = (
    "napari-fashion fetch",
    "napari-fashion fetch --all --to photos/ --source a-local-copy/",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "--to", type=parsing.path, metavar="FOLDER", help="folder (default: the user's data folder)"
    )
    parser.add_argument("--source", help="a local folder or a mirror's address instead")
    parser.add_argument("--all", action="store_true", help="also those without landmarks")


def run(options: argparse.Namespace) -> int:
    """Fetch; return the exit status."""
    from napari_fashion.datasets import photos

    folder = options.to or photos.default_folder()
    with terminal.progress("fetching photos") as shown:
        report = photos.fetch(
            folder,
            source=options.source,
            what="all" if options.all else "labelled",
            progress=lambda done, total, path: shown.update(done, total),
        )
    terminal.notify(report.summary())
    for line in report.troubles():
        terminal.warn(line)
    return status.DONE if not report.failed else status.FAILED
