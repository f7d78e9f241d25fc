"""List the earlier saved versions of a COCO file, or restore one.

What the file has now becomes a version itself when one is restored.
"""

from __future__ import annotations

import argparse
import os

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.errors import FashionError
from napari_fashion.files import is_file

EXAMPLES = (
    "napari-fashion versions annotations.json",
    "napari-fashion versions annotations.json --restore 1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("data", type=parsing.path, help="COCO file that the annotator saved")
    parser.add_argument(
        "--restore", type=parsing.positive, metavar="N",
        help="make version N the file's content; what it has now becomes a version",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """List or restore; return the exit status."""
    from napari_fashion.editing.opening import pending_of
    from napari_fashion.editing.workfiles import WorkFiles

    work = WorkFiles(options.data)
    versions = work.versions()
    if not versions and not is_file(options.data):
        why = "is no regular file" if os.path.lexists(options.data) else "there is no such file"
        raise FashionError(f"{options.data}: {why}; expected a COCO file.")
    if options.restore is None:
        for i, version in enumerate(versions, 1):
            terminal.give(f"{i}  {version.saved:%Y-%m-%d %H:%M:%S}  {version.size:,} bytes")
        if not versions:
            terminal.notify(
                f"{options.data} has no earlier versions: the annotator keeps one at each save."
            )
        return status.DONE
    if options.restore > len(versions):
        raise FashionError(
            f"There is no version {options.restore} of {options.data}; expected one of 1 to "
            f"{len(versions)}, as `napari-fashion versions {options.data}` lists them."
            if versions
            else f"{options.data} has no earlier versions: the annotator keeps one at each save."
        )
    pending = pending_of(options.data)
    if pending is not None:
        raise FashionError(
            f"{options.data}: {pending} Open it in the annotator and save them or put them aside first."
        )
    holder = work.lock()
    if holder is not None:
        raise FashionError(f"{options.data} is open elsewhere ({holder}); close it there first.")
    try:
        version = versions[options.restore - 1]
        work.restore(version)
    finally:
        work.release()
    terminal.notify(f"{options.data} is as it was saved on {version.saved:%Y-%m-%d %H:%M:%S}.")
    return status.DONE
