"""Data sets in: a registry of formats that become COCO keypoint documents, one format a module."""

from napari_fashion.coco.convert import (  # noqa: F401  (each registers its formats)
    coco_file,
    deepfashion,
    deepfashion2,
    fashionai,
)
from napari_fashion.coco.convert.faults import Faults
from napari_fashion.coco.convert.registry import FORMATS, ConvertOptions, register_format
from napari_fashion.coco.convert.run import Converted, convert

__all__ = ["FORMATS", "ConvertOptions", "Converted", "Faults", "convert", "register_format"]
