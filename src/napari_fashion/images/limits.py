"""How much an image may ask for, known from its header before it is decoded."""

from __future__ import annotations

import os
import re
from pathlib import Path

from napari_fashion.errors import ImageError

MAX_PIXELS = 150_000_000
"""Maximum number of pixels of an image, unless the person allows more; checked before decoding.

Measured on 24 million pixels, reading one takes 4 bytes a pixel (grey, palettes), 8 (JPEG, PNG, BMP),
10 (progressive JPEG, AVIF), 12 (16-bit colour), 16 (WebP) or 17 (float colour): 0.6 to 2.6 GB here.
"""
MAX_PIXELS_VARIABLE = "NAPARI_FASHION_MAX_PIXELS"
"""The environment variable that allows more, here and in the processes that are started."""
MAX_SIDE = 100_000
"""No side is longer: some decoders' memory grows with the square of a side."""
MAX_BYTES = 2 << 30
"""No file is larger."""
MAX_WHOLE_BYTES = 256 << 20
"""No file of the formats that are read into memory whole (WebP, AVIF, HEIC) is larger."""
MAX_DECODED_BYTES = 8
"""Maximum number of bytes per pixel while an image is decoded by tifffile."""
MAX_SCANS = 20
"""Maximum number of pixels that libjpeg visits in a progressive JPEG, in multiples of the pixel limit."""


def pixel_limit() -> int:
    """Return how many pixels an image may have.

    Raises
    ------
    ImageError
        If the environment variable of the limit holds no positive whole number.
    """
    text = os.environ.get(MAX_PIXELS_VARIABLE, "").strip()
    if not text:
        return MAX_PIXELS
    if not re.fullmatch(r"[1-9][0-9_]{0,18}", text):
        raise ImageError(
            f"{MAX_PIXELS_VARIABLE} is {text[:40]!r}; expected a number of pixels, such as {MAX_PIXELS}."
        )
    return int(text.replace("_", ""))


def set_pixel_limit(pixels: int) -> None:
    """Allow images of up to this many pixels, in this process and those that it starts.

    Raises
    ------
    ValueError
        If it is no positive number.
    """
    if pixels < 1:
        raise ValueError(f"found {pixels}; expected a positive number of pixels")
    os.environ[MAX_PIXELS_VARIABLE] = str(int(pixels))


def check_size(path: Path, width: int, height: int) -> None:
    """Refuse an image of no pixels or too many.

    Raises
    ------
    ImageError
        With its size, the limit, and how to raise it.
    """
    limit = pixel_limit()
    if width < 1 or height < 1:
        raise ImageError(f"{path}: is {width} x {height} pixels; expected at least one.")
    if max(width, height) > MAX_SIDE:
        raise ImageError(
            f"{path}: is {width} x {height} pixels; expected at most {MAX_SIDE:,} on each side."
        )
    if width * height > limit:
        raise ImageError(
            f"{path}: {width} x {height} are {width * height:,} pixels; expected at most {limit:,}, so "
            f"that one file cannot fill the memory. Set {MAX_PIXELS_VARIABLE}={width * height} in the "
            "environment to read it."
        )
