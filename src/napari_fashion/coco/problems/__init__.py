"""What is odd in a data set, but does not stop anybody from working with it."""

from __future__ import annotations

import contextlib
from threading import Event

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.problems.background import Pause, StoppedError
from napari_fashion.coco.problems.findings import Problem, Problems
from napari_fashion.coco.problems.search import NO_IMAGES, Search

__all__ = ["NO_IMAGES", "Problem", "Problems", "find_problems", "missing_images"]


def find_problems(dataset: Dataset, *, stop: Event | None = None) -> Problems:
    """Count the oddities in the records, and keep the first few of each kind.

    No file is read. It may run in a thread of its own while the data set is
    edited: a record that goes meanwhile is passed over.

    Parameters
    ----------
    stop
        For a search in the background: setting it ends the search. It then works a millisecond at a
        time and lets others work in between: a thread that never rests makes a window slow, since
        Python runs one of the two at a time.
    """
    search = Search(dataset, None if stop is None else Pause(stop))
    with contextlib.suppress(StoppedError):
        search.run()
    return search.found


def missing_images(dataset: Dataset) -> list[Problem]:
    """Return the images whose files are missing, as problems."""
    kind, expected = "missing images", "an image file"
    return [
        Problem(dataset.path, f"images[{i}].file_name", found, expected, kind)
        for i, found in dataset.missing_images()
    ]
