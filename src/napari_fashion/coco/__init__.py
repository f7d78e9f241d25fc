"""The data set: open, look up, change and save COCO keypoint files; results and export."""

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.export import export
from napari_fashion.coco.ids import TableName
from napari_fashion.coco.problems import Problem, Problems, find_problems
from napari_fashion.coco.results import write_results
from napari_fashion.coco.statistics import columns, reviewed_ids, statistics
from napari_fashion.coco.views import Garment, Image

__all__ = [
    "Dataset",
    "Garment",
    "Image",
    "Problem",
    "Problems",
    "TableName",
    "columns",
    "export",
    "find_problems",
    "reviewed_ids",
    "statistics",
    "write_results",
]
