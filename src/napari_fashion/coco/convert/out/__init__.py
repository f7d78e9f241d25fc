"""Data sets out, to the formats of other tools: importing this registers the writers."""

from napari_fashion.coco.convert.out import (
    coco_out,
    deepfashion_out,
    mmpose_out,
    openpifpaf_out,
    tables_out,
    yolo_out,
)
from napari_fashion.coco.convert.out.exporting import ExportResult, export_data
from napari_fashion.coco.convert.writers import (
    PLACEMENTS,
    ExportOptions,
    Format,
    format_of,
    formats,
)

__all__ = [
    "PLACEMENTS",
    "ExportOptions",
    "ExportResult",
    "Format",
    "coco_out",
    "deepfashion_out",
    "export_data",
    "format_of",
    "formats",
    "mmpose_out",
    "openpifpaf_out",
    "tables_out",
    "yolo_out",
]
