"""Picture files: which there are, and how large, from their headers alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import TiffImageFile

from napari_fashion.errors import PictureError

SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"))
"""Names that end so are pictures."""

# Pillow refuses more than 179 million pixels, against hostile uploads; these are the user's own.
Image.MAX_IMAGE_PIXELS = 1_000_000_000

_QUARTER_TURNS = frozenset((5, 6, 7, 8))


def picture_size(path: Path) -> tuple[int, int]:
    """Return width and height in pixels after EXIF rotation, without decoding the picture.

    Raises
    ------
    PictureError
        If there is no such file or it is not a picture.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            if isinstance(picture, TiffImageFile):  # Pillow may have turned these already
                width, height = picture.tag_v2[Base.ImageWidth], picture.tag_v2[Base.ImageLength]
            # A PNG without EXIF before its pixels would be decoded whole to look behind them.
            exif = picture.format != "PNG" or "exif" in picture.info
            turn = picture.getexif().get(Base.Orientation, 1) if exif else 1
    except FileNotFoundError as error:
        raise PictureError(f"{path}: no such file; expected a picture.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise PictureError(f"{path}: not a picture that can be read ({error}).") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{path}: {error}") from error
    return (height, width) if turn in _QUARTER_TURNS else (width, height)


def picture_files(folder: Path) -> Iterator[str]:
    """Yield the pictures in a folder and below, sorted, relative to it with forward slashes.

    Hidden files and folders are passed over.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield (Path(parent) / name).relative_to(folder).as_posix()
