"""Image files: the one place that opens them, and which of them may be opened."""

from napari_fashion.images.folder import ImageFolder, image_files
from napari_fashion.images.formats import EXPECTED, SUFFIXES
from napari_fashion.images.limits import (
    MAX_PIXELS,
    MAX_PIXELS_VARIABLE,
    pixel_limit,
    set_pixel_limit,
)
from napari_fashion.images.reading import (
    FORMATS,
    ReducedImage,
    image_digest,
    image_size,
    read_image,
    read_reduced,
)
from napari_fashion.images.roots import remember_root, remember_root_of, remembered_roots
from napari_fashion.images.values import Rgb, to_rgb

__all__ = [
    "EXPECTED",
    "FORMATS",
    "MAX_PIXELS",
    "MAX_PIXELS_VARIABLE",
    "SUFFIXES",
    "ImageFolder",
    "ReducedImage",
    "Rgb",
    "image_digest",
    "image_files",
    "image_size",
    "pixel_limit",
    "read_image",
    "read_reduced",
    "remember_root",
    "remember_root_of",
    "remembered_roots",
    "set_pixel_limit",
    "to_rgb",
]
