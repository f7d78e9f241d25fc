"""One export: what is chosen of the files, the folder that it becomes, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from napari_fashion.coco.convert.writers import ExportOptions, Format, Part, Work
from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.export import select
from napari_fashion.errors import CocoError
from napari_fashion.files import atomic_folder, checked_path, require_free_folder
from napari_fashion.tally import Tally, counted


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote.

    Attributes
    ----------
    folder
        Where.
    images, garments
        Number of images and annotations.
    tally
        What the format cannot hold, and what was left out.
    """

    folder: Path
    images: int
    garments: int
    tally: Tally

    def __str__(self) -> str:
        garments, images = counted(self.garments, "garment"), counted(self.images, "image")
        return f"Wrote {garments} in {images} to {self.folder}."


def export_data(
    datasets: Mapping[str, Dataset],
    folder: Path | str,
    form: Format,
    options: ExportOptions | None = None,
    *,
    advance: Callable[[int], None] = lambda n: None,
) -> ExportResult:
    """Write data sets as a folder in the format of another tool.

    The folder is written whole or not at all. Records are read one after the other: memory does not
    grow with what is decoded.

    Parameters
    ----------
    datasets
        The files by part: ``train``, and perhaps ``val`` and ``test``.
    folder
        A name that is free, or an empty folder's.
    form
        The format (`writers.format_of`).
    options
        How.
    advance
        Called with the number of images that were done since the last call; what it raises ends the
        export, and nothing is left of it.

    Raises
    ------
    CocoError
        If the format cannot hold the data, `folder` is taken, or it cannot be written.
    """
    options = options or ExportOptions()
    if options.images is None:
        options = replace(options, images=form.images)
    target = check_target(folder)
    form.check(list(datasets.values()))
    parts = [
        Part(
            name,
            dataset,
            select(
                dataset,
                only_reviewed=options.only_reviewed,
                include_predictions=options.include_predictions,
            ),
        )
        for name, dataset in datasets.items()
    ]
    try:
        with atomic_folder(target) as temporary:
            work = Work(parts, temporary, target, options, advance=advance)
            _count_left_out(work)
            form.write(work)
            if not work.n_images:
                raise CocoError(
                    f"nothing is left to export ({work.tally or 'there is no image'}); nothing was "
                    "written."
                )
    except OSError as error:
        raise CocoError(
            f"cannot be written ({error.strerror or error}); nothing was left there.",
            path=target,
            remedy="Check the folder and the space on the disk, or name another one.",
        ) from error
    return ExportResult(target, work.n_images, work.n_garments, work.tally)


def check_target(folder: Path | str) -> Path:
    """Check that a new folder can be written; return its path.

    Raises
    ------
    CocoError
        If there is something of that name, other than an empty folder.
    """
    target = checked_path(folder)
    try:
        require_free_folder(target)
    except OSError as error:
        raise CocoError(
            f"cannot be the folder of an export ({error.strerror}); expected a new or empty folder.",
            path=target,
            remedy="Name another one: what is there is never replaced.",
        ) from error
    return target


def _count_left_out(work: Work) -> None:
    """Count what no format gets to see."""
    for part in work.parts:
        if n := part.chosen.left_out:
            work.tally.add("predicted garments that nobody has reviewed, left out", n=n)
        if n := part.chosen.without_image:
            work.tally.add("annotations of no image, left out", n=n)
