"""Procedural garments with exact landmarks, for demos, tests and as extra training images."""

from __future__ import annotations

from ._render import CATEGORIES, render, render_scene
from .dataset import ANNOTATIONS, demo_dataset, demo_files, write_dataset
from .stage import Sample, SampleGarment

__all__ = [
    "ANNOTATIONS",
    "CATEGORIES",
    "Sample",
    "SampleGarment",
    "demo_dataset",
    "demo_files",
    "render",
    "render_scene",
    "write_dataset",
]
