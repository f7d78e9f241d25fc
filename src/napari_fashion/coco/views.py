"""Views into the raw records: what the rest of the program asks about them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco import provenance
from napari_fashion.coco.landmarks import read_keypoints
from napari_fashion.coco.pictures import picture_size

if TYPE_CHECKING:
    from napari_fashion.coco.dataset import Dataset

Id = Hashable
"""Ids are whatever the file has: mostly integers, sometimes text."""


class Image:
    """One picture of a data set: a view into its raw record, always up to date."""

    __slots__ = ("_dataset", "record")

    def __init__(self, dataset: Dataset, record: dict[str, Any]) -> None:
        self._dataset = dataset
        self.record = record

    def __repr__(self) -> str:
        return f"Image({self.id!r}, {self.file_name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.record is other.record

    def __hash__(self) -> int:
        return id(self.record)

    @property
    def id(self) -> Any:
        """The picture's id."""
        return self.record["id"]

    @property
    def file_name(self) -> str:
        """As the file has it, relative to the data set's `image_root`; empty if it has none."""
        name = self.record.get("file_name")
        return name if isinstance(name, str) else ""

    @property
    def path(self) -> Path:
        """Where the picture lies, or should."""
        return self._dataset.resolve(self.file_name)

    @property
    def width(self) -> int:
        """Width in pixels, after EXIF rotation; from the picture where the record has none."""
        return self._size()[0]

    @property
    def height(self) -> int:
        """Height in pixels, after EXIF rotation; from the picture where the record has none."""
        return self._size()[1]

    @property
    def reviewed(self) -> bool:
        """Whether a person has said that the picture's garments are right."""
        return provenance.is_reviewed(self.record)

    @property
    def garments(self) -> list[Garment]:
        """The picture's garments, in file order."""
        return self._dataset.garments_of(self.id)

    def _size(self) -> tuple[int, int]:
        width, height = self.record.get("width"), self.record.get("height")
        if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
            return width, height
        return picture_size(self.path)


class Garment:
    """One annotation of a data set: a view into its raw record, always up to date."""

    __slots__ = ("_dataset", "record")

    def __init__(self, dataset: Dataset, record: dict[str, Any]) -> None:
        self._dataset = dataset
        self.record = record

    def __repr__(self) -> str:
        return f"Garment({self.id!r}, image {self.image_id!r}, {self.category_name!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Garment) and self.record is other.record

    def __hash__(self) -> int:
        return id(self.record)

    @property
    def id(self) -> Any:
        """The annotation's id."""
        return self.record["id"]

    @property
    def image_id(self) -> Any:
        """The id of the picture that it is in."""
        return self.record.get("image_id")

    @property
    def category(self) -> int:
        """Index into ``schema.categories``; -1 where the schema does not have the category."""
        return self._dataset.category_index(self.record.get("category_id"))

    @property
    def category_name(self) -> str:
        """The category's name as the file has it; ``?`` where it does not say."""
        return self._dataset.category_name(self.record.get("category_id"))

    @property
    def xy(self) -> npt.NDArray[np.float64]:
        """(K, 2) places of the landmarks in pixels, x then y; 0 where not labelled."""
        return read_keypoints(self.record, self._dataset.schema.n_landmarks)[0]

    @property
    def visibility(self) -> npt.NDArray[np.int64]:
        """(K,): 0 not labelled, 1 hidden, 2 visible."""
        return read_keypoints(self.record, self._dataset.schema.n_landmarks)[1]

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """The record's box x, y, width, height in pixels, or None."""
        box = self.record.get("bbox")
        if not isinstance(box, list) or len(box) != 4:
            return None
        try:
            x, y, w, h = (float(value) for value in box)
        except (TypeError, ValueError):
            return None
        return x, y, w, h

    @property
    def is_crowd(self) -> bool:
        """Whether the annotation marks a crowd: a region to ignore, not one garment."""
        return bool(self.record.get("iscrowd"))

    @property
    def source(self) -> str:
        """Who made the garment: ``human`` or ``model:<id>``."""
        return provenance.source(self.record)

    @property
    def score(self) -> float | None:
        """The model's score, 0..1, or None."""
        return provenance.score(self.record)

    @property
    def landmark_sources(self) -> tuple[str, ...]:
        """Who placed each of the K landmarks."""
        return provenance.landmark_sources(self.record, self._dataset.schema.n_landmarks)

    @property
    def landmark_scores(self) -> npt.NDArray[np.float64]:
        """(K,) the model's scores of the landmarks, 0..1; NaN where there is none."""
        return provenance.landmark_scores(self.record, self._dataset.schema.n_landmarks)

    @property
    def category_source(self) -> str:
        """Who chose the category."""
        return provenance.category_source(self.record)

    @property
    def category_scores(self) -> dict[str, float]:
        """The model's probabilities of the likeliest categories, by name."""
        return provenance.category_scores(self.record)

    @property
    def touched_by_human(self) -> bool:
        """Whether a person made the garment or changed anything in it."""
        return provenance.touched_by_human(self.record)
