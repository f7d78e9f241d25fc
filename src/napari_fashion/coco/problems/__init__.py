"""What is odd in a data set, but does not stop anybody from working with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from threading import Event

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.problems.background import Pause, StoppedError
from napari_fashion.coco.problems.findings import ERROR, WARNING, Problem, Problems, severity
from napari_fashion.coco.problems.search import NO_IMAGES, Search
from napari_fashion.errors import ImageError
from napari_fashion.files import is_file
from napari_fashion.images import image_size

__all__ = [
    "ERROR",
    "NO_IMAGES",
    "WARNING",
    "Problem",
    "Problems",
    "find_problems",
    "image_problems",
    "missing_images",
    "severity",
]


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
    return [
        Problem(dataset.path, f"images[{i}].file_name", *_clauses(why), "missing images")
        for i, why in dataset.missing_images()
    ]


def _clauses(sentence: str) -> tuple[str, str]:
    """Return what an error found and expected, as clauses without an end.

    >>> _clauses("no file_name; expected the name of an image file.")
    ('no file_name', 'the name of an image file')
    """
    found, _, expected = sentence.rstrip(".").partition("; expected ")
    return found, expected or "an image file"


def image_problems(dataset: Dataset, advance: Callable[[int], None]) -> Iterator[Problem]:
    """Read the header of every image; yield those that are missing, no images, or of another size.

    Parameters
    ----------
    dataset
        The data set.
    advance
        Called with 1 for each image.
    """
    for i, image in enumerate(dataset.images):
        advance(1)
        place = f"images[{i}]"
        try:
            path = image.path
            if not is_file(path):
                kind, found = "missing images", f"no file {path}"
            else:
                size, known = image_size(path), image.known_size
                if known is None or size == known:
                    continue
                kind = "images of another size than their record"
                found = f"{size[0]} x {size[1]} pixels in {image.file_name}"
                yield Problem(
                    dataset.path, place, found, f"{known[0]} x {known[1]}, as the record says", kind
                )
                continue
        except ImageError as error:
            kind, found = "files that are no images", str(error)
        yield Problem(dataset.path, f"{place}.file_name", *_clauses(found), kind)
