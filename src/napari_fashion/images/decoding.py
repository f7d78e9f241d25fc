"""What Pillow decodes, and what it would lose: the depth of colour, and how an image is turned."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.ExifTags import Base

from napari_fashion.images.values import Pixels, Rgb

PNG_CHUNKS = 100_000
"""Maximum number of chunks of a PNG file that are read to find an orientation behind its pixels."""


@dataclass(frozen=True)
class Source:
    """A file whose header was read.

    Attributes
    ----------
    size
        Width and height in pixels before rotation.
    turn
        Returns the EXIF orientation, 1 to 8.
    load
        Decodes the image.
    reduce
        Has `load` decode no more than needed for a size, width and height, where the format allows
        that; returns the size that `load` gives then.
    """

    size: tuple[int, int]
    turn: Callable[[], int]
    load: Callable[[], Pixels]
    reduce: Callable[[tuple[int, int]], tuple[int, int]] | None = None


def reduce_jpeg(image: ImageFile.ImageFile, least: tuple[int, int]) -> tuple[int, int]:
    """Have a JPEG decoded at a half, a quarter or an eighth, but no smaller than `least`."""
    image.draft(None, least)
    return image.size


def turn_of(image: Image.Image, stream: BinaryIO) -> int:
    """Return the EXIF orientation of an image, 1 if it has none that is understood."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the pixels to read what is behind them.
        with contextlib.suppress(Exception):
            data = _exif_of_png(stream)
            if data is not None:
                exif = Image.Exif()
                exif.load(data)
                return _orientation(exif)
        if not {"xmp", "XML:com.adobe.xmp", "Raw profile type exif"} & set(image.info):
            return 1
        # What stands before the pixels is enough; `Image` has the way that decodes nothing.
        with contextlib.suppress(Exception):
            return _orientation(Image.Image.getexif(image))
        return 1
    with contextlib.suppress(Exception):
        return _orientation(image.getexif())
    return 1


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(Base.Orientation, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif_of_png(stream: BinaryIO) -> bytes | None:
    """Return the EXIF of a PNG file wherever it stands; the pixels are passed over."""
    before = stream.tell()
    try:
        at = 8
        for _ in range(PNG_CHUNKS):
            stream.seek(at)
            head = stream.read(8)
            length = int.from_bytes(head[:4], "big")
            if len(head) < 8 or head[4:] == b"IEND":
                return None
            if head[4:] == b"eXIf":
                return stream.read(min(length, 1 << 20))
            at += 12 + length
        return None
    finally:
        stream.seek(before)


_NATIVE_SWAPPED = "B" if sys.byteorder == "little" else "L"
SWAPPED = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBX", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", _NATIVE_SWAPPED))
}
"""How Pillow takes the other byte of each 16-bit sample, by how it takes the high one."""


def raw_mode_of(image: ImageFile.ImageFile) -> str:
    """Return how the samples lie in the file, as Pillow names it; empty if it has none."""
    args = image.tile[0][3] if image.tile else None
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def set_raw_mode(image: ImageFile.ImageFile, raw_mode: str) -> None:
    """Have an image that is not decoded yet taken to lie so in the file."""

    def changed(args: Any) -> Any:
        return (raw_mode, *args[1:]) if isinstance(args, tuple) else raw_mode

    image.tile = [ImageFile._Tile(t[0], t[1], t[2], changed(t[3])) for t in image.tile]


def deep_colour(image: ImageFile.ImageFile, reader: Any, stream: BinaryIO) -> Pixels:
    """Decode 16-bit colour, of which Pillow keeps one byte a sample: twice, one byte each time."""
    transparent = image.info.get("transparency")
    raw_mode = raw_mode_of(image)
    image.load()
    stream.seek(0)
    other = reader(stream)
    if other.size != image.size or raw_mode_of(other) != raw_mode:
        raise OSError("the file was changed while it was read")
    set_raw_mode(other, SWAPPED[raw_mode])
    other.load()

    def rows(top: int, end: int) -> NDArray[Any]:
        values = strip_of(image, top, end).astype(np.uint16) << 8
        values |= strip_of(other, top, end)
        if isinstance(transparent, tuple) and values.shape[2] == 3:
            values = _with_alpha(values, np.any(values != np.array(transparent), axis=2))
        return values

    return Pixels(rows)


def _with_alpha(values: NDArray[Any], opaque: NDArray[np.bool_]) -> NDArray[Any]:
    alpha = np.where(opaque, np.iinfo(values.dtype).max, 0).astype(values.dtype)
    return np.dstack((values, alpha))


def pillow_pixels(image: Image.Image, *, inverted: bool = False) -> Pixels:
    """Return the pixels of a decoded image; other modes than these are converted by Pillow."""
    mode, transparent = image.mode, image.info.get("transparency")
    if mode.startswith("I") or mode == "F":

        def deep(top: int, end: int) -> NDArray[Any]:
            values = strip_of(image, top, end)
            if isinstance(transparent, int) and values.dtype.itemsize == 2:
                values = values.astype(np.uint16)
                values = _with_alpha(values, values != transparent)
            return values

        return Pixels(deep, inverted=inverted)
    if mode == "LAB":
        return Pixels(lambda top, end: _from_lab(strip_of(image, top, end)))
    if transparent is not None or mode in ("PA", "La", "RGBa"):
        return Pixels(lambda top, end: strip_of(image, top, end, "RGBA"))
    if mode in ("1", "L", "LA", "RGB", "RGBA"):
        return Pixels(lambda top, end: strip_of(image, top, end))
    return Pixels(lambda top, end: strip_of(image, top, end, "RGB"))


def strip_of(image: Image.Image, top: int, end: int, mode: str | None = None) -> NDArray[Any]:
    """Return rows `top` to `end` of a decoded image as an array, converted to a mode of Pillow."""
    whole = top == 0 and end == image.height
    strip = image if whole else image.crop((0, top, image.width, end))
    return np.asarray(strip if mode is None else strip.convert(mode))


def _from_lab(strip: NDArray[np.uint8]) -> Rgb:
    from skimage.color import lab2rgb
    from skimage.util import img_as_ubyte

    lab = strip.astype(np.float32)
    lab[:, :, 0] *= np.float32(100 / 255)
    lab[:, :, 1:] = strip[:, :, 1:].view(np.int8)
    rgb: Rgb = img_as_ubyte(lab2rgb(lab).clip(0, 1))
    return rgb
