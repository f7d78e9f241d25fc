"""Annotate garment landmarks in napari: predict, correct, export COCO, retrain."""

import logging

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())  # quiet, unless a handler is added
