"""What a model is shown of an image: nothing but a garment's box, or all of it. A registry of cuts."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.judged import Region
from napari_fashion.images.transforms import RGBImage, crop_to_box
from napari_fashion.registry import Registry


class Cut(Protocol):
    """Which part of an image a model is shown.

    Attributes
    ----------
    name, title
        Its name in the registry, and what is shown in words.
    least
        Number of labelled landmarks that a garment needs to be shown.
    """

    name: str
    title: str
    least: int

    def corners(self, image: AnnotatedImage, i: int) -> NDArray[np.float32] | None:
        """Return (n, 2) xy, pixels, whose box is shown of garment `i`; None for the whole image."""


class WholeImage:
    """The whole image; no box is given."""

    name = "none"
    title = "whole images"
    least = 1

    def corners(self, image: AnnotatedImage, i: int) -> None:
        """Return None."""
        return


class FileBox:
    """The annotation's own box (COCO's `bbox`), as the published comparison on DeepFashion has it."""

    name = "bbox"
    title = "crops by the file's boxes"
    least = 1

    def corners(self, image: AnnotatedImage, i: int) -> NDArray[np.float32]:
        """Return the two corners of the annotation's box."""
        corners: NDArray[np.float32] = image.box[i].reshape(2, 2)
        return corners


class Hull:
    """The box of the garment's labelled landmarks."""

    name = "hull"
    title = "crops by the box of the landmarks"
    least = 2

    def corners(self, image: AnnotatedImage, i: int) -> NDArray[np.float32]:
        """Return the labelled landmarks."""
        labelled: NDArray[np.float32] = image.xy[i][image.visibility[i] > 0]
        return labelled


CUTS: Registry[Cut] = Registry("cut")
"""The cuts by name."""


for _cut in (WholeImage(), FileBox(), Hull()):
    CUTS.register(_cut.name, _cut)


def show(
    cut: Cut, pixels: RGBImage, image: AnnotatedImage, i: int | None, margin: float
) -> tuple[RGBImage, Region]:
    """Return what a cut shows of an image for garment `i` (None: the whole image), and where that lies.

    Parameters
    ----------
    margin
        Share of the box's width and height that is shown around it on each side.
    """
    corners = None if i is None else cut.corners(image, i)
    if corners is None:
        return pixels, Region(0, 0, pixels.shape[1], pixels.shape[0])
    crop = crop_to_box(pixels, corners, margin)
    left, top = (int(v) for v in crop.origin)
    return crop.image, Region(left, top, crop.image.shape[1], crop.image.shape[0])
