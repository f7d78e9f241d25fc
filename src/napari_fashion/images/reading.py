"""Image files in: whatever a camera, phone or microscope writes becomes (H, W, 3) uint8 RGB."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import re
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, features
from PIL.ExifTags import Base

from napari_fashion.errors import FashionError, PictureError
from napari_fashion.images.formats import EXPECTED, looks_like

Rgb = NDArray[np.uint8]
Rows = Callable[[int, int], NDArray[Any]]

MAX_PIXELS = 150_000_000
"""So many pixels an image may have, unless the person allows more; known before it is decoded."""
MAX_PIXELS_VARIABLE = "NAPARI_FASHION_MAX_PIXELS"
"""The environment variable that allows more, here and in the processes that are started."""
MAX_SIDE = 100_000
"""No side is longer: some decoders' memory grows with the square of a side."""
MAX_BYTES = 2 << 30
"""No file is larger."""
MAX_WHOLE_BYTES = 256 << 20
"""No file of the formats that are read into memory whole (WebP, AVIF, HEIC) is larger."""
MAX_DECODED_BYTES = 16
"""So many bytes a pixel of an image may take while it is decoded by tifffile."""
MAX_SCANS = 20
"""A progressive JPEG may make libjpeg pass over so many times the pixels that are allowed."""
STRIP = 1 << 20
"""Pixels that are converted at a time."""
PNG_CHUNKS = 100_000
"""So many chunks of a PNG file are walked to find an orientation behind its pixels."""

_WHOLE = frozenset(("WebP", "AVIF", "HEIC"))
_QUARTER_TURNS = frozenset((5, 6, 7, 8))
_SEGMENTS_BY_TIFFFILE = frozenset((1, 8, 32946, 32773))  # none, Deflate twice, PackBits


# -- the limit -------------------------------------------------------------------------------------


def pixel_limit() -> int:
    """Return how many pixels an image may have.

    Raises
    ------
    PictureError
        If the environment variable that says so holds no positive whole number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, "").strip()
    if not text:
        return MAX_PIXELS
    if not re.fullmatch(r"[1-9][0-9_]{0,18}", text):
        raise PictureError(
            f"{MAX_PIXELS_VARIABLE} is {text[:40]!r}; expected a number of pixels, such as {MAX_PIXELS}."
        )
    return int(text.replace("_", ""))


def set_pixel_limit(pixels: int) -> None:
    """Allow images of so many pixels, in this process and those that it starts.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    if pixels < 1:
        raise ValueError(f"found {pixels}; expected a positive number of pixels")
    os.environ[MAX_PIXELS_VARIABLE] = str(int(pixels))


# -- reading ---------------------------------------------------------------------------------------


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
    PictureError
        If the file is missing, no regular file, no image, too large, damaged, or has the wrong size.
    """
    path = Path(path)
    with _guarded(path), _opened(path) as stream:
        source = _header(path, stream)
        width, height = source.size
        turn = source.turn()
        turned = (height, width) if turn in _QUARTER_TURNS else (width, height)
        if size is not None and turned != size and (width, height) == size:
            turn, turned = 1, size
        if exact and size is not None and turned != size:
            raise PictureError(
                f"{path}: is {turned[0]} x {turned[1]} pixels, but its annotation file "
                f"says {size[0]} x {size[1]}. Annotations of another version of the image "
                "lie in the wrong place; correct width and height there, or the image."
            )
        pixels = source.load()
        rgb = np.empty((turned[1], turned[0], 3), np.uint8)
        _convert(pixels, height, width, _unturned(rgb, turn))
        return rgb


def image_size(path: Path | str) -> tuple[int, int]:
    """Return width and height in pixels after EXIF rotation, without decoding the image.

    Raises
    ------
    PictureError
        If the file is missing, no regular file, no image, or too large.
    """
    path = Path(path)
    with _guarded(path), _opened(path) as stream:
        source = _header(path, stream)
        width, height = source.size
        return (height, width) if source.turn() in _QUARTER_TURNS else (width, height)


def to_rgb(array: NDArray[Any]) -> Rgb:
    """Turn a (H, W), (H, W, 1), (H, W, 2), (H, W, 3) or (H, W, 4) array into (H, W, 3) uint8 RGB.

    Bytes are taken as they are. Wider integers are scaled by the range that they use (255, 4095,
    else 65535 or the highest), floats are taken as 0..1 (NaN as 0), booleans as black and white.
    Alpha is laid over white.

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
            f"Found an array of shape {array.shape}; expected an image of shape (height, width) or "
            "(height, width, channels) with 1 to 4 channels."
        )
    if array.dtype.kind not in "buif":
        raise PictureError(f"Found values of type {array.dtype}; expected numbers.")
    height, width = array.shape[:2]
    rgb = np.empty((height, width, 3), np.uint8)
    _convert(_Pixels(lambda top, end: array[top:end], stretch=False), height, width, rgb)
    return rgb


@contextlib.contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into a PictureError: a damaged file raises nearly anything."""
    try:
        yield
    except FashionError:
        raise
    except FileNotFoundError:
        raise PictureError(
            f"{path}: no such file; expected an image. Check the folder of the images."
        ) from None
    except MemoryError as error:
        raise PictureError(f"{path}: not enough memory to read this image.") from error
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        reason = " ".join(reason.split())[:200]
        raise PictureError(
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
        raise PictureError(f"{path}: is {what}; expected an image file.")
    if status.st_size == 0:
        raise PictureError(f"{path}: is empty; expected an image file.")
    if status.st_size > MAX_BYTES:
        raise PictureError(
            f"{path}: has {status.st_size:,} bytes; expected an image file of at most {MAX_BYTES:,}."
        )


# -- headers ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pixels:
    """What was decoded, in its own depth, a few rows at a time.

    Attributes
    ----------
    rows
        Returns rows `top` to `end` as (n, W) or (n, W, C); an even C has alpha last.
    stretch
        Floats outside 0..1 are stretched over their range.
    inverted
        0 is white.
    premultiplied
        The colours were multiplied by alpha.
    """

    rows: Rows
    stretch: bool = True
    inverted: bool = False
    premultiplied: bool = False


@dataclass(frozen=True)
class _Source:
    """A file whose header was read.

    Attributes
    ----------
    size
        Width and height in pixels before rotation.
    turn
        Returns the EXIF orientation, 1 to 8.
    load
        Decodes the image.
    """

    size: tuple[int, int]
    turn: Callable[[], int]
    load: Callable[[], _Pixels]


def _header(path: Path, stream: BinaryIO) -> _Source:
    """Read what a file says of itself, by the one reader of the format that it begins like."""
    head = stream.read(512)
    kind = looks_like(head)
    if kind.name not in FORMATS:
        called = f" called {path.suffix}" if path.suffix else ""
        raise PictureError(f"{path}: is {kind.text}{called}; expected {EXPECTED}.")
    if kind.name in _WHOLE and os.fstat(stream.fileno()).st_size > MAX_WHOLE_BYTES:
        raise PictureError(
            f"{path}: is {kind.text} of more than {MAX_WHOLE_BYTES:,} bytes; expected a smaller one."
        )
    stream.seek(0)
    if kind.name == "TIFF":
        return _tiff_header(path, stream)
    try:
        image = _open(path, kind.name, stream)
    except SyntaxError as error:
        raise PictureError(
            f"{path}: begins like {kind.text}, but is damaged ({error}). Expected {EXPECTED}."
        ) from error
    _check_size(path, *image.size)
    return _Source(image.size, lambda: _turn(image, stream), lambda: _load(path, image, stream))


def _open(path: Path, name: str, stream: BinaryIO) -> ImageFile.ImageFile:
    """Open a file with a format's reader.

    `PIL.Image.open` would do the same and then look at a limit of its own, which is one for the
    whole process and can be raised for all of it only.
    """
    if name == "HEIC" and importlib.util.find_spec("pillow_heif") is None:
        raise PictureError(
            f"{path}: is a HEIC file, which needs the package pillow-heif (pip install pillow-heif); "
            "or save the image as JPEG."
        )
    if name == "AVIF" and not features.check("avif"):
        raise PictureError(
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


def _check_size(path: Path, width: int, height: int) -> None:
    limit = pixel_limit()
    if width < 1 or height < 1:
        raise PictureError(f"{path}: is {width} x {height} pixels; expected at least one.")
    if width * height > limit:
        raise PictureError(
            f"{path}: {width} x {height} are {width * height:,} pixels; expected at most {limit:,}, so "
            f"that one file cannot fill the memory. Set {MAX_PIXELS_VARIABLE}={width * height} in the "
            "environment to read it."
        )
    if max(width, height) > MAX_SIDE:
        raise PictureError(
            f"{path}: is {width} x {height} pixels; expected at most {MAX_SIDE:,} on each side."
        )


def _turn(image: Image.Image, stream: BinaryIO) -> int:
    """Return the EXIF orientation of an image, 1 where it says none that can be understood."""
    if image.format == "PNG" and "exif" not in image.info:
        # Pillow would decode the pixels to look behind them.
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


# -- pixels, by Pillow -----------------------------------------------------------------------------


def _load(path: Path, image: ImageFile.ImageFile, stream: BinaryIO) -> _Pixels:
    if image.format in ("JPEG", "MPO") and image.info.get("progressive"):
        _check_scans(path, image.size, stream)
    raw_mode = _raw_mode(image)
    if image.format == "PNG" and raw_mode == "LA;16B":
        _set_raw_mode(image, "RGBA")  # four bytes a pixel: two of grey, two of alpha
        image.load()

        def grey_alpha(top: int, end: int) -> NDArray[Any]:
            return _strip(image, top, end).view(">u2")

        return _Pixels(grey_alpha)
    if raw_mode in _SWAPPED:
        return _deep_colour(image, _reader("PNG"), stream)
    if image.format == "PNG" and raw_mode in _GREY_STEPS:
        value = image.info.get("transparency")
        if isinstance(value, int):  # counted in the file's own steps
            image.info["transparency"] = value * _GREY_STEPS[raw_mode]
    image.load()
    return _pillow_pixels(image)


_GREY_STEPS = {"L;2": 85, "L;4": 17}
_NATIVE_SWAPPED = "B" if sys.byteorder == "little" else "L"
_SWAPPED = {
    f"{mode};16{order}": f"{mode};16{other}"
    for mode in ("RGB", "RGBX", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", _NATIVE_SWAPPED))
}
"""How Pillow takes the other byte of each 16-bit sample, by how it takes the high one."""


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """Return how the samples lie in the file, as Pillow names it; empty where it does not say."""
    args = image.tile[0][3] if image.tile else None
    first = args[0] if isinstance(args, tuple) and args else args
    return first if isinstance(first, str) else ""


def _set_raw_mode(image: ImageFile.ImageFile, raw_mode: str) -> None:
    def changed(args: Any) -> Any:
        return (raw_mode, *args[1:]) if isinstance(args, tuple) else raw_mode

    image.tile = [ImageFile._Tile(t[0], t[1], t[2], changed(t[3])) for t in image.tile]


def _deep_colour(image: ImageFile.ImageFile, reader: Any, stream: BinaryIO) -> _Pixels:
    """Decode 16-bit colour, of which Pillow keeps one byte a sample: twice, one byte each time."""
    transparent = image.info.get("transparency")
    raw_mode = _raw_mode(image)
    image.load()
    stream.seek(0)
    other = reader(stream)
    if other.size != image.size or _raw_mode(other) != raw_mode:
        raise OSError("the file was changed while it was read")
    _set_raw_mode(other, _SWAPPED[raw_mode])
    other.load()

    def rows(top: int, end: int) -> NDArray[Any]:
        values = _strip(image, top, end).astype(np.uint16) << 8
        values |= _strip(other, top, end)
        if isinstance(transparent, tuple) and values.shape[2] == 3:
            values = _with_alpha(values, np.any(values != np.array(transparent), axis=2))
        return values

    return _Pixels(rows)


def _with_alpha(values: NDArray[Any], opaque: NDArray[np.bool_]) -> NDArray[Any]:
    alpha = np.where(opaque, np.iinfo(values.dtype).max, 0).astype(values.dtype)
    return np.dstack((values, alpha))


def _pillow_pixels(image: Image.Image, *, inverted: bool = False) -> _Pixels:
    """Return the pixels of a decoded image; other modes than these are converted by Pillow."""
    mode, transparent = image.mode, image.info.get("transparency")
    if mode.startswith("I") or mode == "F":

        def deep(top: int, end: int) -> NDArray[Any]:
            values = _strip(image, top, end)
            if isinstance(transparent, int) and values.dtype.itemsize == 2:
                values = values.astype(np.uint16)
                values = _with_alpha(values, values != transparent)
            return values

        return _Pixels(deep, inverted=inverted)
    if mode == "LAB":
        return _Pixels(lambda top, end: _from_lab(_strip(image, top, end)))
    if transparent is not None or mode in ("PA", "La", "RGBa"):
        return _Pixels(lambda top, end: _strip(image, top, end, "RGBA"))
    if mode in ("1", "L", "LA", "RGB", "RGBA"):
        return _Pixels(lambda top, end: _strip(image, top, end))
    return _Pixels(lambda top, end: _strip(image, top, end, "RGB"))


def _strip(image: Image.Image, top: int, end: int, mode: str | None = None) -> NDArray[Any]:
    strip = image.crop((0, top, image.width, end))
    return np.asarray(strip if mode is None else strip.convert(mode))


def _from_lab(strip: NDArray[np.uint8]) -> Rgb:
    from skimage.color import lab2rgb
    from skimage.util import img_as_ubyte

    lab = strip.astype(np.float32)
    lab[:, :, 0] *= np.float32(100 / 255)
    lab[:, :, 1:] -= 128
    rgb: Rgb = img_as_ubyte(lab2rgb(lab).clip(0, 1))
    return rgb


def _check_scans(path: Path, size: tuple[int, int], stream: BinaryIO) -> None:
    """Refuse a progressive JPEG of so many scans that it would be decoded for hours."""
    before = stream.tell()
    stream.seek(0)
    scans, last = 0, b""
    while chunk := stream.read(1 << 20):
        scans += (last + chunk).count(b"\xff\xda")
        last = chunk[-1:]
    stream.seek(before)
    if scans * size[0] * size[1] > MAX_SCANS * pixel_limit():
        raise PictureError(
            f"{path}: a progressive JPEG of {scans} scans and {size[0]} x {size[1]} pixels, which would "
            "take minutes to decode; expected about 10 scans. Save the image anew."
        )


# -- TIFF ------------------------------------------------------------------------------------------


def _tiff_header(path: Path, stream: BinaryIO) -> _Source:
    """Read a TIFF header: by Pillow, or by tifffile what Pillow has no mode for."""
    try:
        image = _tiff_reader()(stream)
    except (SyntaxError, KeyError, TypeError) as error:
        stream.seek(0)
        return _tifffile_header(path, stream, str(error))
    width, height = image.size
    _check_size(path, width, height)
    bits = image.tag_v2.get(258, (1,))
    planar = image.tag_v2.get(284, 1) == 2
    raw_mode = _raw_mode(image)
    deep = max(bits, default=1) > 8 and len(bits) > 1
    if deep and (planar or raw_mode not in _SWAPPED) and image.mode != "CMYK":
        turn = _turn(image, stream)
        stream.seek(0)
        return _tifffile_header(path, stream, f"the layout {raw_mode or bits}", turn)

    def load() -> _Pixels:
        if deep and raw_mode in _SWAPPED:
            return _deep_colour(image, _tiff_reader(), stream)
        image.load()
        white = image.tag_v2.get(262) == 0 and image.mode.startswith(("I", "F"))
        return _pillow_pixels(image, inverted=white)

    return _Source((width, height), lambda: _turn(image, stream), load)


def _tiff_reader() -> Any:
    """Return Pillow's reader of TIFF files without what is done here for all formats alike."""
    global _Tiff
    if _Tiff is None:
        from PIL.TiffImagePlugin import TiffImageFile

        class Tiff(TiffImageFile):
            """Rotates nothing, and has no limit of its own: the header's size was looked at."""

            def _setup(self) -> None:
                self.tag_v2.pop(Base.Orientation, None)
                super()._setup()

            def load_prepare(self) -> None:
                ImageFile.ImageFile.load_prepare(self)

            def load_end(self) -> None:
                pass

        _Tiff = Tiff
    return _Tiff


_Tiff: Any = None


def _tifffile_header(path: Path, stream: BinaryIO, why: str, turn: int = 1) -> _Source:
    """Read the header of a TIFF file by tifffile: planar, float colour, 16-bit grey with alpha."""
    import tifffile

    log = logging.getLogger("tifffile")
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # what it says is in the error that is raised
    file = tifffile.TiffFile(stream, name="image.tif")
    page: Any = file.pages[0]
    width, height, samples = int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel)
    _check_size(path, width, height)
    depth = (
        f"{page.bitspersample} bits a sample, {samples} samples, photometric {page.photometric:d}"
    )
    axes = {"YX": (height, width), "YXS": (height, width, samples), "SYX": (samples, height, width)}
    if (
        page.dtype is None
        or page.dtype.kind not in "buif"
        or page.dtype.itemsize > 8
        or not 1 <= samples <= 4
        or page.photometric not in (0, 1, 2)
        or (page.photometric == 2) != (samples >= 3)
        or axes.get(page.axes) != tuple(page.shape)
        or page.compression not in _SEGMENTS_BY_TIFFFILE
    ):
        raise PictureError(
            f"{path}: a TIFF file of {depth}, compression {page.compression:d}, which cannot be read "
            f"({why}); expected 8 or 16 bits, grey or RGB. Save it as PNG or as a plain TIFF file."
        )
    itemsize = page.dtype.itemsize
    if width * height * samples * itemsize > MAX_DECODED_BYTES * pixel_limit():
        raise PictureError(
            f"{path}: {width} x {height} pixels of {samples * itemsize} bytes are more than are decoded "
            f"({MAX_DECODED_BYTES} times {pixel_limit():,} bytes). Save it with 8 or 16 bits."
        )
    if (tag := page.tags.get(274)) is not None and turn == 1:
        turn = int(tag.value) if tag.value in range(1, 9) else 1

    def load() -> _Pixels:
        _check_segments(path, page, stream, itemsize, samples)
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, 2)
        extra = tuple(page.extrasamples)
        if samples in (2, 4) and extra and extra[0] == 0 and samples == 4:
            values = values[:, :, :3]  # a fourth sample that means nothing in particular
        return _Pixels(
            lambda top, end: values[top:end],
            inverted=page.photometric == 0,
            premultiplied=bool(extra) and extra[0] == 1,
        )

    return _Source((width, height), lambda: turn, load)


def _check_segments(path: Path, page: Any, stream: BinaryIO, itemsize: int, samples: int) -> None:
    """Refuse Deflate segments that would unpack to more than their part of the image."""
    rows = page.tilelength if page.is_tiled else (page.rowsperstrip or page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    allowed = min(int(rows), 1 << 31) * int(columns) * samples * itemsize
    most = 2 * MAX_DECODED_BYTES * pixel_limit()
    if page.is_tiled and allowed > most:
        raise PictureError(f"{path}: tiles of {columns} x {rows} pixels; expected smaller ones.")
    allowed = min(allowed, most)
    if page.compression not in (8, 32946):
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        stream.seek(offset)
        unpacker, found, left = zlib.decompressobj(), 0, int(count)
        while left > 0 and not unpacker.eof and (data := stream.read(min(left, 1 << 16))):
            left -= len(data)
            while data and not unpacker.eof:
                found += len(unpacker.decompress(data, 1 << 20))
                data = unpacker.unconsumed_tail
                if found > allowed:
                    raise PictureError(
                        f"{path}: a part of it unpacks to more than {allowed:,} bytes, which its size "
                        "does not account for; it is damaged."
                    )


# -- values ----------------------------------------------------------------------------------------


def _unturned(rgb: Rgb, turn: int) -> Rgb:
    """Return a view of a rotated image in which the unrotated one stands."""
    match turn:
        case 2:
            return rgb[:, ::-1]
        case 3:
            return rgb[::-1, ::-1]
        case 4:
            return rgb[::-1]
        case 5:
            return rgb.swapaxes(0, 1)
        case 6:
            return np.rot90(rgb)
        case 7:
            return rgb[::-1, ::-1].swapaxes(0, 1)
        case 8:
            return np.rot90(rgb, -1)
    return rgb


def _convert(pixels: _Pixels, height: int, width: int, out: Rgb) -> None:
    """Write pixels into (H, W, 3) uint8, some rows at a time: no copy of the whole is made."""
    step = max(1, STRIP // width)
    tops = range(0, height, step)

    def strip(top: int) -> NDArray[Any]:
        values = pixels.rows(top, min(top + step, height))
        return values if values.ndim == 3 else values[:, :, None]

    scales = _scales(strip, tops, pixels.stretch)
    for top in tops:
        values = strip(top)
        colours = values.shape[2] - (values.shape[2] in (2, 4))
        rgb = scales[0](values[:, :, :colours])
        if pixels.inverted:
            rgb = 255 - rgb
        if colours < values.shape[2]:
            rgb = _over_white(rgb, scales[1](values[:, :, colours:]), pixels.premultiplied)
        out[top : top + len(rgb)] = rgb


def _over_white(rgb: Rgb, alpha: Rgb, premultiplied: bool) -> Rgb:
    """Lay colours over white: ``c * a + 1 - a``, rounded, in 16 bits."""
    clear = 255 - alpha
    if premultiplied:
        return np.minimum(rgb, alpha) + clear
    total = rgb.astype(np.uint16) * alpha
    total += clear.astype(np.uint16) * np.uint16(255)
    total += np.uint16(127)
    return (total // np.uint16(255)).astype(np.uint8)


Scale = Callable[[NDArray[Any]], Rgb]


def _scales(
    strip: Callable[[int], NDArray[Any]], tops: range, stretch: bool
) -> tuple[Scale, Scale]:
    """Return what makes bytes of the colours, and of the alpha."""
    first = strip(0)
    kind = first.dtype.kind
    if first.dtype == np.uint8:
        return np.asarray, np.asarray
    if kind == "b":
        return _bytes_of_bools, _bytes_of_bools
    colours = first.shape[2] - (first.shape[2] in (2, 4))
    parts = (slice(0, colours), slice(colours, None))
    if kind == "f":
        if not stretch:
            return _scaled(0.0, 1.0), _scaled(0.0, 1.0)
        low, high = np.inf, -np.inf
        for top in tops:
            values = strip(top)[:, :, :colours]
            finite = values[np.isfinite(values)]
            low = min(low, float(finite.min(initial=np.inf)))
            high = max(high, float(finite.max(initial=-np.inf)))
        if not low < high or (low >= 0.0 and high <= 1.0):
            low, high = 0.0, 1.0
        return _scaled(low, high), _scaled(0.0, 1.0)
    most = [0, 0]
    for top in tops:
        values = strip(top)
        for i, part in enumerate(parts):
            most[i] = max(most[i], int(values[:, :, part].max(initial=0)))
    ranges = [255 if m <= 255 else 4095 if m <= 4095 else max(65535, m) for m in most]
    if first.dtype.itemsize == 2 and kind == "u":
        return _looked_up(ranges[0]), _looked_up(ranges[1])
    return _scaled(0.0, float(ranges[0])), _scaled(0.0, float(ranges[1]))


def _bytes_of_bools(values: NDArray[Any]) -> Rgb:
    return values.astype(np.uint8) * np.uint8(255)


def _scaled(low: float, high: float) -> Scale:
    """Return what scales a range to bytes; what is not finite goes to its ends, NaN to the lower."""
    from skimage.exposure import rescale_intensity
    from skimage.util import img_as_ubyte

    def scale(values: NDArray[Any]) -> Rgb:
        wide = values.dtype.itemsize > 4 or values.dtype.kind != "f"
        finite = np.nan_to_num(
            values.astype(np.float64 if wide else np.float32), nan=low, posinf=high, neginf=low
        )
        unit = rescale_intensity(finite, in_range=(low, high), out_range=(0.0, 1.0))
        result: Rgb = img_as_ubyte(unit.clip(0.0, 1.0))
        return result

    return scale


def _looked_up(top: int) -> Scale:
    """Return what scales 16-bit values by a table."""
    table = _scaled(0.0, float(top))(np.arange(65536, dtype=np.uint16))

    def scale(values: NDArray[Any]) -> Rgb:
        result: Rgb = table[values]
        return result

    return scale
