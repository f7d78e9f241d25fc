"""TIFF files: by Pillow, and by tifffile what Pillow has no mode for."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import TiffImageFile

from napari_fashion.errors import ImageError
from napari_fashion.images.decoding import (
    SWAPPED,
    Source,
    deep_colour,
    pillow_pixels,
    raw_mode_of,
    turn_of,
)
from napari_fashion.images.limits import MAX_DECODED_BYTES, check_size, pixel_limit
from napari_fashion.images.values import STRIP, Pixels

_SEGMENTS_BY_TIFFFILE = frozenset((1, 8, 32946, 32773))  # none, Deflate twice, PackBits


class _Tiff(TiffImageFile):
    """Rotates nothing, and has no limit of its own: both are the same for all formats here."""

    def _setup(self) -> None:
        self.tag_v2.pop(Base.Orientation, None)
        super()._setup()

    def load_prepare(self) -> None:
        ImageFile.ImageFile.load_prepare(self)

    def load_end(self) -> None:
        pass


def tiff_header(path: Path, stream: BinaryIO) -> Source:
    """Read a TIFF header: by Pillow, or by tifffile what Pillow has no mode for."""
    try:
        image = _Tiff(stream)
    except (SyntaxError, KeyError, TypeError) as error:
        stream.seek(0)
        return _tifffile_header(path, stream, str(error))
    width, height = image.size
    check_size(path, width, height)
    bits = image.tag_v2.get(258, (1,))
    planar = image.tag_v2.get(284, 1) == 2
    raw_mode = raw_mode_of(image)
    deep = max(bits, default=1) > 8 and len(bits) > 1
    if deep and (planar or raw_mode not in SWAPPED) and image.mode != "CMYK":
        turn = turn_of(image, stream)
        stream.seek(0)
        return _tifffile_header(path, stream, f"the layout {raw_mode or bits}", turn)

    def load() -> Pixels:
        if deep and raw_mode in SWAPPED:
            return deep_colour(image, _Tiff, stream)
        image.load()
        white = image.tag_v2.get(262) == 0 and image.mode.startswith(("I", "F"))
        return pillow_pixels(image, inverted=white)

    return Source((width, height), lambda: turn_of(image, stream), load)


def _tifffile_header(path: Path, stream: BinaryIO, why: str, turn: int = 1) -> Source:
    """Read the header of a TIFF file by tifffile: planar, float colour, 16-bit grey with alpha."""
    import tifffile

    file = tifffile.TiffFile(stream, name="image.tif")
    page: Any = file.pages[0]
    width, height, samples = int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel)
    check_size(path, width, height)
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
        raise ImageError(
            f"{path}: a TIFF file of {depth}, compression {page.compression:d}, which cannot be read "
            f"({why}); expected 8 or 16 bits, grey or RGB. Save it as PNG or as a plain TIFF file."
        )
    itemsize = page.dtype.itemsize
    if width * height * samples * itemsize > MAX_DECODED_BYTES * pixel_limit():
        raise ImageError(
            f"{path}: {width} x {height} pixels of {samples * itemsize} bytes are more than are decoded "
            f"({MAX_DECODED_BYTES} times {pixel_limit():,} bytes). Save it with 8 or 16 bits."
        )
    if (tag := page.tags.get(274)) is not None and turn == 1:
        turn = int(tag.value) if tag.value in range(1, 9) else 1

    def load() -> Pixels:
        _check_segments(path, page, stream, itemsize, samples)
        values = page.asarray()
        if page.axes == "SYX":
            values = np.moveaxis(values, 0, 2)
        extra = tuple(page.extrasamples)
        if samples == 4 and extra[:1] == (0,):
            values = values[:, :, :3]  # a fourth sample that means nothing in particular
        return Pixels(
            lambda top, end: values[top:end],
            inverted=page.photometric == 0,
            premultiplied=extra[:1] == (1,) and _is_premultiplied(values),
        )

    return Source((width, height), lambda: turn, load)


def _is_premultiplied(values: NDArray[Any]) -> bool:
    """Whether no colour exceeds its alpha; files claim it for others, too."""
    step = max(1, STRIP // values.shape[1])
    parts = (values[top : top + step] for top in range(0, len(values), step))
    return not any((part[..., :-1] > part[..., -1:]).any() for part in parts)


def _check_segments(path: Path, page: Any, stream: BinaryIO, itemsize: int, samples: int) -> None:
    """Refuse Deflate segments that would unpack to more than their part of the image."""
    rows = page.tilelength if page.is_tiled else (page.rowsperstrip or page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    allowed = min(int(rows), 1 << 31) * int(columns) * samples * itemsize
    most = 2 * MAX_DECODED_BYTES * pixel_limit()
    if page.is_tiled and allowed > most:
        raise ImageError(f"{path}: tiles of {columns} x {rows} pixels; expected smaller ones.")
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
                    raise ImageError(
                        f"{path}: a part of it unpacks to more than {allowed:,} bytes, which its size "
                        "does not account for; it is damaged."
                    )
