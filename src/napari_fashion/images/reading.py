"""Image files in: whatever a camera, phone or microscope writes becomes (H, W, 3) uint8 RGB."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import logging
import math
import os
import stat
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, features

from napari_fashion.errors import FashionError, ImageError
from napari_fashion.images.decoding import (
    SWAPPED,
    Source,
    deep_colour,
    pillow_pixels,
    raw_mode_of,
    reduce_jpeg,
    set_raw_mode,
    strip_of,
    turn_of,
)
from napari_fashion.images.formats import EXPECTED, looks_like
from napari_fashion.images.limits import (
    MAX_BYTES,
    MAX_SCANS,
    MAX_WHOLE_BYTES,
    check_size,
    pixel_limit,
)
from napari_fashion.images.tiff import tiff_header
from napari_fashion.images.values import Pixels, Rgb, convert, unturned

for _name in ("PIL", "tifffile"):  # what they log of a damaged file is in the error that is raised
    logging.getLogger(_name).addHandler(logging.NullHandler())
    warnings.filterwarnings("ignore", module=rf"{_name}\.")

_WHOLE = frozenset(("WebP", "AVIF", "HEIC"))
_QUARTER_TURNS = frozenset((5, 6, 7, 8))


def read_image(
    path: Path | str, *, size: tuple[int, int] | None = None, exact: bool = False
) -> Rgb:
    """Read an image file as RGB.

    Only regular files of the formats in `FORMATS` are read, and no larger ones than `pixel_limit`
    allows; all of that is known before anything is decoded. The file is opened once. Of several
    frames or pages it is the first.

    Palettes, grey, alpha (laid over white), CMYK and Lab are converted. Files of 16 or more bits a
    sample, grey and colour alike, are scaled by the range that they use: 0 to 255 where nothing is
    brighter than 255, 0 to 4095 where nothing is brighter than 4095 (12-bit cameras), else 0 to
    65535 or the brightest value. Floats in 0..1 are taken as they are, others are stretched over
    what is finite in them; NaN is black. The EXIF orientation is applied, so that the image stands
    as every viewer shows it.

    Parameters
    ----------
    path
        The file.
    size
        Width and height in pixels that an annotation file gives for it, if known. When they fit the
        image before the EXIF rotation and not after it, the annotations were made on the unrotated
        image, and it is read unrotated.
    exact
        Refuse an image of another size than `size`: annotations would not lie on it.

    Returns
    -------
    (H, W, 3) uint8 RGB array.

    Raises
    ------
    ImageError
        If the file is missing, no regular file, no image, too large, damaged, or has the wrong size.
    """
    return _read(Path(path), size, exact, None).rgb


def read_reduced(
    path: Path | str, within: tuple[int, int], *, size: tuple[int, int] | None = None
) -> ReducedImage:
    """Read an image file as RGB at about the size that it is shown at: faster, and in less memory.

    All that `read_image` checks is checked, of the whole file's size.

    Parameters
    ----------
    path
        The file.
    within
        Width and height in pixels of what it is shown in. The image is no smaller than it is when it
        fills that, and less than twice as large on each side; never larger than it is.
    size
        As of `read_image`.

    Raises
    ------
    ImageError
        As of `read_image`.
    """
    return _read(Path(path), size, False, within)


@dataclass(frozen=True, eq=False)
class ReducedImage:
    """An image at a fraction of its size.

    Attributes
    ----------
    rgb
        (h, w, 3) uint8 RGB.
    size
        Width and height in pixels of the whole image, as `read_image` gives it.
    """

    rgb: Rgb
    size: tuple[int, int]

    @property
    def is_whole(self) -> bool:
        """Whether it is not reduced."""
        return (self.rgb.shape[1], self.rgb.shape[0]) == self.size


def _read(
    path: Path, size: tuple[int, int] | None, exact: bool, within: tuple[int, int] | None
) -> ReducedImage:
    with _guarded(path), _opened(path) as stream:
        source = _header(path, stream)
        width, height = source.size
        turn = source.turn()
        turned = (height, width) if turn in _QUARTER_TURNS else (width, height)
        if size is not None and turned != size and (width, height) == size:
            turn, turned = 1, size
        if exact and size is not None and turned != size:
            raise ImageError(
                f"{path}: is {turned[0]} x {turned[1]} pixels, but its annotation file "
                f"says {size[0]} x {size[1]}. Annotations of another version of the image "
                "lie in the wrong place; correct width and height there, or the image."
            )
        share = 1.0 if within is None else min(w / t for w, t in zip(within, turned, strict=True))
        least = (math.ceil(width * share), math.ceil(height * share))
        if share < 1 and source.reduce is not None:
            width, height = source.reduce(least)
        pixels = source.load()
        quarter = turn in _QUARTER_TURNS
        rgb = np.empty((width, height, 3) if quarter else (height, width, 3), np.uint8)
        convert(pixels, height, width, unturned(rgb, turn))
    factor = min(width // least[0], height // least[1]) if share < 1 else 1
    if factor > 1:
        rgb = np.asarray(Image.fromarray(rgb).reduce(factor))
    return ReducedImage(rgb, turned)


def image_size(path: Path | str, *, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return width and height in pixels after EXIF rotation, without decoding the image.

    Parameters
    ----------
    size
        As of `read_image`: where it is the size before the rotation, and not the one after it, that
        one is returned, since the image is then read so.

    Raises
    ------
    ImageError
        If the file is missing, no regular file, no image, or too large.
    """
    path = Path(path)
    with _guarded(path), _opened(path) as stream:
        source = _header(path, stream)
        width, height = source.size
        if (width, height) == size or source.turn() not in _QUARTER_TURNS:
            return width, height
        return height, width


def image_digest(path: Path | str) -> str:
    """Return the SHA-256 of an image file's bytes.

    Raises
    ------
    ImageError
        If the file is missing, no regular file, or too large.
    """
    path = Path(path)
    with _guarded(path), _opened(path) as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
        return digest.hexdigest()


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageError: a damaged file raises nearly anything."""
    try:
        yield
    except FashionError:
        raise
    except FileNotFoundError:
        raise ImageError(
            f"{path}: no such file; expected an image. Check the folder of the images."
        ) from None
    except MemoryError as error:
        raise ImageError(f"{path}: not enough memory to read this image.") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join(reason.split())[:200]
        raise ImageError(
            f"{path}: not a readable image ({reason}). Expected {EXPECTED}; open it in a viewer to "
            "see whether it is damaged."
        ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, and nothing that could block, never end, or do something when opened."""
    _check_regular(path, os.stat(path))
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as stream:
        _check_regular(path, os.fstat(descriptor))  # of what was opened, whatever it is by now
        yield stream


def _check_regular(path: Path, status: os.stat_result) -> None:
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        kinds = {
            stat.S_IFDIR: "a folder",
            stat.S_IFIFO: "a pipe",
            stat.S_IFSOCK: "a socket",
            stat.S_IFCHR: "a device",
            stat.S_IFBLK: "a device",
        }
        what = kinds.get(stat.S_IFMT(mode), "no regular file")
        raise ImageError(f"{path}: is {what}; expected an image file.")
    if status.st_size == 0:
        raise ImageError(f"{path}: is empty; expected an image file.")
    if status.st_size > MAX_BYTES:
        raise ImageError(
            f"{path}: has {status.st_size:,} bytes; expected an image file of at most {MAX_BYTES:,}."
        )


def _header(path: Path, stream: BinaryIO) -> Source:
    """Read a file's header by the reader of the format that its first bytes show."""
    head = stream.read(512)
    kind = looks_like(head)
    if kind.name not in FORMATS:
        called = f" called {path.suffix}" if path.suffix else ""
        raise ImageError(f"{path}: is {kind.text}{called}; expected {EXPECTED}.")
    if kind.name in _WHOLE and os.fstat(stream.fileno()).st_size > MAX_WHOLE_BYTES:
        raise ImageError(
            f"{path}: is {kind.text} of more than {MAX_WHOLE_BYTES:,} bytes; expected a smaller one."
        )
    stream.seek(0)
    if kind.name == "TIFF":
        return tiff_header(path, stream)
    try:
        image = _open(path, kind.name, stream)
    except SyntaxError as error:
        raise ImageError(
            f"{path}: begins like {kind.text}, but is damaged ({error}). Expected {EXPECTED}."
        ) from error
    check_size(path, *image.size)
    size = image.size
    reduce = partial(reduce_jpeg, image) if image.format in ("JPEG", "MPO") else None
    return Source(
        size, lambda: turn_of(image, stream), lambda: _load(path, image, stream, size), reduce
    )


def _open(path: Path, name: str, stream: BinaryIO) -> ImageFile.ImageFile:
    """Open a file with a format's reader.

    `PIL.Image.open` would do the same and then apply a limit of its own, which is one for the
    whole process and can be raised for all of it only.
    """
    if name == "HEIC" and importlib.util.find_spec("pillow_heif") is None:
        raise ImageError(
            f"{path}: is a HEIC file, which needs the package pillow-heif (pip install pillow-heif); "
            "or save the image as JPEG."
        )
    if name == "AVIF" and not features.check("avif"):
        raise ImageError(
            f"{path}: is an AVIF file, and this Pillow was built without AVIF; save the image as JPEG."
        )
    image: ImageFile.ImageFile = _reader(name)(stream)
    return image


def _reader(name: str) -> Any:
    """Return the reader of a format, imported when it is needed."""
    module, reader = _READERS[name]
    return getattr(importlib.import_module(module), reader)


_READERS = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WebP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIC": ("pillow_heif", "HeifImageFile"),
}
FORMATS = ("JPEG", "PNG", "WebP", "TIFF", "BMP", "GIF", "AVIF", "HEIC")
"""What is read, by what a file begins with and not by its name; HEIC where pillow-heif is there."""


def _load(
    path: Path, image: ImageFile.ImageFile, stream: BinaryIO, size: tuple[int, int]
) -> Pixels:
    if image.format in ("JPEG", "MPO") and image.info.get("progressive"):
        _check_scans(path, size, stream)  # all of them are decoded of a reduced image, too
    raw_mode = raw_mode_of(image)
    if image.format == "PNG" and raw_mode == "LA;16B":
        set_raw_mode(image, "RGBA")  # four bytes a pixel: two of grey, two of alpha
        image.load()

        def grey_alpha(top: int, end: int) -> NDArray[Any]:
            return strip_of(image, top, end).view(">u2")

        return Pixels(grey_alpha)
    if raw_mode in SWAPPED:
        return deep_colour(image, _reader("PNG"), stream)
    if image.format == "PNG" and raw_mode in _GREY_STEPS:
        value = image.info.get("transparency")
        if isinstance(value, int):  # counted in the file's own steps
            image.info["transparency"] = value * _GREY_STEPS[raw_mode]
    image.load()
    return pillow_pixels(image)


_GREY_STEPS = {"L;2": 85, "L;4": 17}
"""What a step of these is of 255."""


def _check_scans(path: Path, size: tuple[int, int], stream: BinaryIO) -> None:
    """Refuse a progressive JPEG with a number of scans that would take hours to decode."""
    before = stream.tell()
    stream.seek(0)
    scans, last = 0, b""
    while chunk := stream.read(1 << 20):
        scans += (last + chunk).count(b"\xff\xda")
        last = chunk[-1:]
    stream.seek(before)
    if scans * size[0] * size[1] > MAX_SCANS * pixel_limit():
        raise ImageError(
            f"{path}: a progressive JPEG of {scans} scans and {size[0]} x {size[1]} pixels, which would "
            "take minutes to decode; expected about 10 scans. Save the image again."
        )
