"""A sample: one annotated image as arrays, to learn from or to judge by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco.ids import RecordId
from napari_fashion.images import read_image
from napari_fashion.images.transforms import RGBImage

UNREADABLE = "images that are missing or cannot be read"
"""What such images are counted as (`Tally`)."""


@dataclass(frozen=True, eq=False)
class AnnotatedImage:
    """One image with its N garments of K landmarks; coordinates in its own pixels, xy.

    Attributes
    ----------
    key
        Name that identifies the image across exports (`datasets.opening.image_identity`).
    group
        What must stay on one side of a split, such as a sender.
    path, size
        The file; width and height in pixels as the annotations know them.
    xy, visibility, member
        (N, K, 2) float32 pixels; (N, K) int64, COCO's; (N, K) bool: landmarks that the garment's body
        type has.
    box
        (N, 4) float32: x0, y0, x1, y1 in pixels.
    category
        (N,) int64, index into the model's categories; `UNCLEAR` (-1) if the record does not tell it,
        `FOREIGN` (-2) if it names one that the model lacks.
    crowd
        (N,) bool: crowds and regions to ignore.
    truth
        Whether a model may be judged by the image: not by what only models said.
    absent
        Whether a landmark without a label is known to be absent; otherwise it may be there.
    given_area
        (N,) float64: the areas that the file gives, square pixels; NaN where it gives none, None if it
        gives no area at all.
    shared
        (N,) bool: garments of other body types that are learned from by the landmarks that they share
        (`Source.shared_landmarks`); None for none.
    image_id, annotation_ids, category_names
        The file's id of the image, and of its garments before the regions to ignore the ids and the
        names of their categories in the file.
    """

    key: str
    group: str
    path: Path
    size: tuple[int, int]
    xy: NDArray[np.float32]
    visibility: NDArray[np.int64]
    member: NDArray[np.bool_]
    box: NDArray[np.float32]
    category: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    truth: bool = True
    absent: bool = False
    given_area: NDArray[np.float64] | None = None
    shared: NDArray[np.bool_] | None = None
    image_id: RecordId | None = None
    annotation_ids: tuple[RecordId, ...] = ()
    category_names: tuple[str, ...] = ()

    def read(self) -> RGBImage:
        """Read the image.

        Returns
        -------
        (H, W, 3) uint8, of exactly the size that the annotations know.

        Raises
        ------
        ImageError
            If it is missing, cannot be read, or has another size.
        """
        return read_image(self.path, size=self.size, exact=True)

    @property
    def can_be_judged(self) -> bool:
        """Whether the landmark error of some garment can be measured, and the image is truth."""
        return self.truth and bool(self.judgeable)

    @property
    def judgeable(self) -> list[int]:
        """Indices of the garments whose landmark error can be measured."""
        return [i for i in range(len(self.category)) if not self.why_not_judged(i)]

    @property
    def area(self) -> NDArray[np.float64]:
        """(N,) areas in square pixels: those that the file gives, else those of the boxes."""
        sides = self.box[:, 2:].astype(np.float64) - self.box[:, :2]
        boxes: NDArray[np.float64] = sides.prod(1)
        if self.given_area is None:
            return boxes
        return np.where(np.isnan(self.given_area), boxes, self.given_area)

    def why_not_judged(self, i: int, least: int = 2) -> str:
        """Return why the error of garment `i` cannot be measured, as a plural; empty if it can.

        Parameters
        ----------
        i
            Index of the garment.
        least
            Number of labelled landmarks that it needs: two for a box of them. One of them has to be
            visible, to be compared.
        """
        visibility = self.visibility[i]
        if self.shared is not None and self.shared[i]:
            return "garments of other body types, which only share landmarks"
        if self.crowd[i]:
            return "crowds and regions to ignore"
        if (visibility > 0).sum() < least:
            number = "two labelled landmarks" if least == 2 else "one labelled landmark"
            return f"garments with fewer than {number}"
        return "" if (visibility == 2).any() else "garments without a visible landmark (v = 2)"
