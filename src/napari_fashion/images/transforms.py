"""Arrays in the network's input: how an image is placed there, resized and cropped."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_fashion.files import atomic_write

RGBImage = NDArray[np.uint8]

PADDING = 124
"""Grey level (of 255) that fills what lies outside an image, in training and prediction alike."""


@dataclass(frozen=True)
class Placement:
    """How an image was scaled into the network's input.

    ``xy_input = (xy_image + 0.5) * scale - 0.5 + margin``: pixel centres are integers in both
    frames, and the edges of the image fall on the edges of its scaled copy. The margin keeps the
    image's border away from the input's, where convolutions see zeros, which they never do
    around the padded images that they learn from.

    Attributes
    ----------
    scale
        Input pixels per image pixel, x then y.
    size
        Width and height of the scaled copy.
    margin
        Where the scaled copy begins, in x and in y.
    padded
        Width and height of the whole input, multiples of the network's stride.
    """

    scale: tuple[float, float]
    size: tuple[int, int]
    margin: int
    padded: tuple[int, int]

    @classmethod
    def fit(
        cls,
        width: int,
        height: int,
        side: int,
        multiple: int,
        margin: int,
        least: int = 1,
        aspect: float = 1.0,
    ) -> Placement:
        """Scale the longer side to `side` pixels, pad to `multiple`.

        The shorter side becomes ``side * (shorter / longer) ** aspect`` pixels (1 keeps the
        image's shape, 0 makes a square of it), and at least `least`.
        """
        longer = max(width, height)
        factor = side / longer
        size = (
            max(least, round(width * factor * (width / longer) ** (aspect - 1))),
            max(least, round(height * factor * (height / longer) ** (aspect - 1))),
        )
        padded = tuple(-(-(s + 2 * margin) // multiple) * multiple for s in size)
        return cls((size[0] / width, size[1] / height), size, margin, (padded[0], padded[1]))

    def cell_geometry(self, stride: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return (scale, offset), x then y, that take a cell of the image to its pixels.

        Cells are counted from the image's corner (the margin is a multiple of the stride): cell i
        covers ``i * stride .. (i + 1) * stride - 1`` of the scaled copy's pixels, so its centre
        lies at pixel ``i * stride + (stride - 1) / 2`` of them.
        """
        scale = (stride / self.scale[0], stride / self.scale[1])
        return scale, (scale[0] / 2 - 0.5, scale[1] / 2 - 0.5)


def resize(image: RGBImage, size: tuple[int, int]) -> RGBImage:
    """Resize to (width, height), with antialiasing when it gets smaller."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    pillow = Image.fromarray(image)
    return np.asarray(pillow.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


@dataclass(frozen=True, eq=False)
class Crop:
    """An image cropped by a box: its pixels, where it begins, and the box's width and height."""

    image: RGBImage
    origin: tuple[float, float]
    extent: tuple[float, float]


def crop_to_box(image: RGBImage, xy: NDArray[np.float32], margin: float = 0.0) -> Crop:
    """Cut an image by the box of (n, 2) landmarks, grown by `margin` of its size on each side.

    The crop is the box exactly, in whole pixels: from the pixel that holds its least corner to the
    one that holds its greatest. Errors are divided by the box's own width and height (a garment
    seen edge-on has at least a pixel's).
    """
    height, width = image.shape[:2]
    (x0, y0), (x1, y1) = (xy.min(0) + 0.5).tolist(), (xy.max(0) + 0.5).tolist()
    extent = (max(x1 - x0, 1.0), max(y1 - y0, 1.0))
    grow_x, grow_y = margin * extent[0], margin * extent[1]
    x0, y0, x1, y1 = x0 - grow_x, y0 - grow_y, x1 + grow_x, y1 + grow_y
    left = min(max(0, math.floor(x0)), width - 1)
    top = min(max(0, math.floor(y0)), height - 1)
    right = min(max(left + 1, math.floor(x1) + 1), width)
    bottom = min(max(top + 1, math.floor(y1) + 1), height)
    return Crop(image[top:bottom, left:right], (left, top), extent)


def write_png(path: Path, image: RGBImage) -> None:
    """Write a (H, W, 3) uint8 RGB image as PNG, atomically; missing folders are made."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    atomic_write(path, buffer.getvalue())


def write_jpeg(path: Path, image: RGBImage, *, quality: int) -> None:
    """Write a (H, W, 3) uint8 RGB image as JPEG, atomically; missing folders are made.

    Parameters
    ----------
    quality
        Pillow's, 1 to 95.
    """
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality)
    atomic_write(path, buffer.getvalue())
