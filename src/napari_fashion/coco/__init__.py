"""The data set: load, validate, change and save COCO keypoint files; results and export."""

from napari_fashion.coco.dataset import ABSENT, Dataset, Table, category_record
from napari_fashion.coco.export import export
from napari_fashion.coco.landmarks import landmark_box, landmark_changes, read_keypoints
from napari_fashion.coco.predictions import annotation_record
from napari_fashion.coco.problems import Problem
from napari_fashion.coco.results import result_record, write_results
from napari_fashion.coco.views import Garment, Image

__all__ = [
    "ABSENT",
    "Dataset",
    "Garment",
    "Image",
    "Problem",
    "Table",
    "annotation_record",
    "category_record",
    "export",
    "landmark_box",
    "landmark_changes",
    "read_keypoints",
    "result_record",
    "write_results",
]
