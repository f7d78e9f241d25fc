"""Annotate garment landmarks in napari: predict, correct, export COCO, retrain."""

__version__ = "0.1.0"
