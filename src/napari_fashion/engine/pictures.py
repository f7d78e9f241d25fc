"""Pictures in: any file that a camera, phone or microscope writes becomes (H, W, 3) uint8 RGB."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

import napari_fashion.coco.pictures  # noqa: F401  (sets how large a picture Pillow reads)
from napari_fashion.errors import PictureError
from napari_fashion.files import atomic_write

Picture = NDArray[np.uint8]

PADDING = 124
"""Grey level (of 255) that fills what lies outside a picture, in training and prediction alike."""


def read_picture(
    path: Path | str, *, size: tuple[int, int] | None = None, exact: bool = False
) -> Picture:
    """Read a picture file as RGB.

    Grey, palette, RGBA (over white), CMYK and 16-bit files are converted; the EXIF orientation is
    applied, so that the picture stands as every viewer shows it.

    Parameters
    ----------
    path
        The file.
    size
        Width and height that an annotation file gives for it, if known. When they fit the picture
        before the EXIF rotation and not after it, the annotations were made on the unrotated
        picture, and it is read unrotated.
    exact
        Refuse a picture of another size than `size`: annotations would not lie on it.

    Returns
    -------
    (H, W, 3) uint8 RGB array.

    Raises
    ------
    PictureError
        If the file is missing, no picture, damaged, or has the wrong size.
    """
    path = Path(path)
    try:
        with Image.open(path) as image:
            raw_size = image.size
            rotated = ImageOps.exif_transpose(image)
            if size is not None and rotated.size != size and raw_size == size:
                rotated = image
            if exact and size is not None and rotated.size != size:
                raise PictureError(
                    f"{path}: is {rotated.width} x {rotated.height} pixels, but its annotation file "
                    f"says {size[0]} x {size[1]}. Annotations of another version of the picture "
                    "lie in the wrong place; correct width and height there, or the picture."
                )
            rotated.load()
            return to_rgb(_as_array(rotated))
    except FileNotFoundError:
        raise PictureError(
            f"{path}: no such picture. Check the image folder, or give it with --images."
        ) from None
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        ValueError,
        SyntaxError,
    ) as error:
        raise PictureError(
            f"{path}: not a readable picture ({error}). Expected JPEG, PNG, TIFF, BMP, GIF or WebP; "
            "open it in a viewer to see whether it is damaged."
        ) from error


def to_rgb(array: NDArray[np.generic]) -> Picture:
    """Turn a (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4) array into (H, W, 3) uint8 RGB.

    Unsigned integers are scaled by their type's range (a 16-bit picture that uses less of it, as
    12-bit cameras write, by the range it uses), floats are taken as 0..1, booleans as black and
    white. Alpha is laid over white.

    Raises
    ------
    PictureError
        If the array is none of these shapes, empty, or holds no numbers.
    """
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size:
        return array.astype(np.uint8, copy=False)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.size == 0:
        raise PictureError(
            f"Found an array of shape {array.shape}; expected a picture of shape (height, width) or "
            "(height, width, channels) with 1 to 4 channels."
        )
    unit = _to_unit(array)
    channels = unit.shape[2]
    if channels in (2, 4):
        alpha = unit[:, :, -1:]
        unit = unit[:, :, :-1] * alpha + (1.0 - alpha)
    if unit.shape[2] == 1:
        unit = np.repeat(unit, 3, axis=2)
    return np.ascontiguousarray(np.rint(unit * 255.0).astype(np.uint8))


def _to_unit(array: NDArray[np.generic]) -> NDArray[np.float32]:
    if not (array.dtype == np.bool_ or np.issubdtype(array.dtype, np.number)):
        raise PictureError(f"Found values of type {array.dtype}; expected numbers.")
    values: NDArray[np.float32] = np.nan_to_num(array.astype(np.float32), nan=0.0)
    if array.dtype == np.uint8:
        values /= np.float32(255)
    elif np.issubdtype(array.dtype, np.integer):
        top = float(values.max(initial=0.0))
        values /= np.float32(255 if top <= 255 else 4095 if top <= 4095 else max(65535.0, top))
    return values.clip(0.0, 1.0)


def _as_array(image: Image.Image) -> NDArray[np.generic]:
    """Keep the depth of grey 16- and 32-bit files; let Pillow convert the other modes."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):
        return np.asarray(image).astype(np.int64)
    if image.mode == "F":
        values = np.asarray(image).astype(np.float32)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        return values if low >= 0.0 and high <= 1.0 else (values - low) / max(high - low, 1e-12)
    if image.mode in ("RGB", "L", "RGBA", "LA", "1"):
        return np.asarray(image)
    has_alpha = image.mode in ("PA", "La", "RGBa") or "transparency" in image.info
    return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))


@dataclass(frozen=True)
class Placement:
    """How a picture was scaled into the network's input.

    ``xy_input = (xy_picture + 0.5) * scale - 0.5 + margin``: pixel centres are integers in both
    frames, and the edges of the picture fall on the edges of its scaled copy. The margin keeps the
    picture's border away from the input's, where convolutions see zeros, which they never do
    around the padded pictures that they learn from.

    Attributes
    ----------
    scale
        Input pixels per picture pixel, x then y.
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
        picture's shape, 0 makes a square of it), and at least `least`.
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
        """Return (scale, offset), x then y, that take a cell of the picture to its pixels.

        Cells are counted from the picture's corner (the margin is a multiple of the stride): cell i
        covers ``i * stride .. (i + 1) * stride - 1`` of the scaled copy's pixels, so its centre
        lies at pixel ``i * stride + (stride - 1) / 2`` of them.
        """
        scale = (stride / self.scale[0], stride / self.scale[1])
        return scale, (scale[0] / 2 - 0.5, scale[1] / 2 - 0.5)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """Resize to (width, height), with antialiasing when it gets smaller."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    image = Image.fromarray(picture)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


@dataclass(frozen=True, eq=False)
class Cut:
    """A picture cut by a box: its pixels, where it begins, and the box's width and height."""

    picture: Picture
    origin: tuple[float, float]
    extent: tuple[float, float]


def cut_box(picture: Picture, xy: NDArray[np.float32], margin: float = 0.0) -> Cut:
    """Cut a picture by the box of (n, 2) landmarks, grown by `margin` of its size on each side.

    The cut is the box exactly, in whole pixels: from the pixel that holds its least corner to the
    one that holds its greatest. Errors are divided by the box's own width and height (a garment
    seen edge-on has at least a pixel's).
    """
    height, width = picture.shape[:2]
    (x0, y0), (x1, y1) = (xy.min(0) + 0.5).tolist(), (xy.max(0) + 0.5).tolist()
    extent = (max(x1 - x0, 1.0), max(y1 - y0, 1.0))
    grow_x, grow_y = margin * extent[0], margin * extent[1]
    x0, y0, x1, y1 = x0 - grow_x, y0 - grow_y, x1 + grow_x, y1 + grow_y
    left = min(max(0, math.floor(x0)), width - 1)
    top = min(max(0, math.floor(y0)), height - 1)
    right = min(max(left + 1, math.floor(x1) + 1), width)
    bottom = min(max(top + 1, math.floor(y1) + 1), height)
    return Cut(picture[top:bottom, left:right], (left, top), extent)


def write_png(path: Path, picture: Picture) -> None:
    """Write a (H, W, 3) uint8 RGB picture as PNG, atomically; missing folders are made."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    atomic_write(path, buffer.getvalue())
