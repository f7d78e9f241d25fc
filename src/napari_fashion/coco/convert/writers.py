"""The registry of the formats that a data set can be exported to, and what each writer is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.export import Selection
from napari_fashion.coco.views import Garment, Image
from napari_fashion.documents import did_you_mean, shown
from napari_fashion.errors import CocoError
from napari_fashion.registry import Registry
from napari_fashion.tally import Tally

Placement = Literal["hardlink", "copy", "leave"]
PLACEMENTS: Final[tuple[Placement, ...]] = ("hardlink", "copy", "leave")
"""What becomes of the image files: hard links in the export, copies, or they stay where they are."""


@dataclass(frozen=True)
class ExportOptions:
    """How a data set is exported.

    Attributes
    ----------
    images
        What becomes of the image files; None: what is usual for the format.
    extras
        COCO: keep keys that are not COCO's own, ours among them.
    only_reviewed, include_predictions
        As of `coco.export.export`.
    """

    images: Placement | None = None
    extras: bool = False
    only_reviewed: bool = False
    include_predictions: bool = False


@dataclass(frozen=True, eq=False)
class Part:
    """One file of a data set: train, val or test.

    Attributes
    ----------
    name
        ``train``, ``val`` or ``test``.
    dataset
        The file.
    chosen
        The records of it that are exported.
    """

    name: str
    dataset: Dataset
    chosen: Selection

    def images(self) -> Iterator[Image]:
        """Yield the images that are exported, in order."""
        return (Image(self.dataset, key) for key in self.chosen.images)

    def garments(self, image: Image) -> list[Garment]:
        """Return the garments of an image that are exported, in order; crowds too."""
        return [g for g in image.garments if g.id in self.chosen.annotations]


@dataclass(eq=False)
class Work:
    """What a writer is given, and what it reports.

    Attributes
    ----------
    parts
        The files; a single one is called ``train``.
    folder
        An empty folder to write into.
    target
        The name that this folder gets when all is written.
    options
        How; `images` is set.
    tally
        What the format cannot hold, and what was left out.
    advance
        To be called for each image that is done, and with 0 now and then: it may end the work.
    n_images, n_garments
        Number of images and garments that were written.
    """

    parts: Sequence[Part]
    folder: Path
    target: Path
    options: ExportOptions
    tally: Tally = field(default_factory=Tally)
    advance: Callable[[int], None] = lambda n: None
    n_images: int = 0
    n_garments: int = 0

    @property
    def is_single(self) -> bool:
        """Whether there is one file only."""
        return len(self.parts) == 1


Writer = Callable[[Work], None]
Check = Callable[[Sequence[Dataset]], None]


@dataclass(frozen=True)
class Format:
    """A format that can be written.

    Attributes
    ----------
    name
        As on the command line.
    title
        As in the window.
    images
        What usually becomes of the image files.
    write
        Writes a folder.
    check
        Raises `CocoError` if data sets cannot be written in the format.
    """

    name: str
    title: str
    images: Placement
    write: Writer
    check: Check


_FORMATS: Registry[Format] = Registry("format")


def register_writer(
    name: str, *, title: str, images: Placement, check: Check | None = None
) -> Callable[[Writer], Writer]:
    """Register what writes a format; a decorator.

    Parameters
    ----------
    name, title, images, check
        See `Format`; without `check` every data set can be written.

    Raises
    ------
    ValueError
        If the name is registered already.
    """

    def register(writer: Writer) -> Writer:
        check_all = check or (lambda datasets: None)
        _FORMATS.register(name, Format(name, title, images, writer, check_all))
        return writer

    return register


def formats() -> tuple[Format, ...]:
    """Return the formats that are registered, in order."""
    return tuple(_FORMATS.values())


def format_of(name: str) -> Format:
    """Return the format of a name.

    Raises
    ------
    CocoError
        If there is none.
    """
    if name not in _FORMATS:
        raise CocoError(f"no format {shown(name)} to export to; {did_you_mean(name, _FORMATS)}.")
    return _FORMATS[name]
