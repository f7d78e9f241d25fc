"""Other formats: a registry of those that become COCO documents, and one of writers (`writers`)."""

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
