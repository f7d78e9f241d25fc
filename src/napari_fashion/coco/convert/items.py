"""What a format gives: images with garments, in COCO's numbers, not yet written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.faults import At
from napari_fashion.images import ImageFolder
from napari_fashion.images.folder import Origin
from napari_fashion.schema import Schema


@dataclass(slots=True)
class Garment:
    """A garment.

    Attributes
    ----------
    category
        Index into the part's categories.
    keypoints
        Flat triplets x, y, v of all landmarks of the part's schema, as COCO has them.
    bbox
        x, y, width, height in pixels.
    fashion
        What stands under our key.
    more
        Further fields of the record.
    box_at, landmarks_at
        Where the data set has them.
    record_id
        Its id, where the data set has one to keep.
    """

    category: int
    keypoints: list[Any]
    bbox: tuple[float, float, float, float]
    fashion: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    box_at: At | None = None
    landmarks_at: At | None = None
    record_id: Any = None


@dataclass(slots=True)
class Item:
    """An image with its garments.

    Attributes
    ----------
    part
        Index of the part that it belongs to.
    name
        Its ``file_name``, relative to the part's folder of images.
    at
        Where the data set names it.
    garments
        In the order of the data set.
    size
        Width and height in pixels where the data set has them; they are read from the file otherwise.
    more
        Further fields of the record.
    record_id
        Its id, where the data set has one to keep.
    """

    part: int
    name: str
    at: At
    garments: list[Garment]
    size: tuple[int, int] | None = None
    more: Mapping[str, Any] = field(default_factory=dict)
    record_id: Any = None


@dataclass
class Part:
    """A part of a data set that becomes a document of its own.

    Attributes
    ----------
    name
        Of the document, without ``.json``.
    schema
        What the landmarks mean.
    images
        Folder that the names of images are relative to.
    place
        Folder for images that are linked or copied, relative to the folder of all of them.
    categories
        Category records; those of the schema by default.
    own_landmarks
        Each category lists its own landmarks, and garments have those triplets only.
    info
        What is noted under our key of the document's ``info``.
    top
        Further members of the document; those of ``info`` beside our key stand under ``info``.
    check_places
        Whether boxes and landmarks outside the image are faults.
    allowed, trusted, origin
        Of the folder of images (`ImageFolder`): a data set's own folder was named by a person; one that
        only a file names is no permission to read it.
    """

    name: str
    schema: Schema
    images: Path
    place: str = ""
    categories: list[dict[str, Any]] | None = None
    own_landmarks: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    check_places: bool = True
    allowed: tuple[Path, ...] = ()
    trusted: bool = True
    origin: Origin = "given"

    def folder(self) -> ImageFolder:
        """Return the folder of images, with what may be read."""
        return ImageFolder(self.images, self.allowed, trusted=self.trusted, origin=self.origin)


@dataclass
class Plan:
    """What is to be converted.

    Attributes
    ----------
    parts
        One for each document.
    items
        All images, of any part in any order; read as they are taken.
    total
        Number of images, if known.
    """

    parts: list[Part]
    items: Iterator[Item]
    total: int | None = None
