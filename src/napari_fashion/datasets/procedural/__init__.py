"""Procedural garments with exact landmarks, for demos, tests and as extra training images."""

from __future__ import annotations

from ._render import CATEGORIES, render, render_scene
from .dataset import ANNOTATIONS, demo_dataset, demo_files, write_dataset, write_layouts
from .layouts import Layout, LayoutOptions, render_layout
from .placing import shared_boxes
from .stage import Sample, SampleGarment
from .wardrobes import SampleOptions

__all__ = [
    "ANNOTATIONS",
    "CATEGORIES",
    "Layout",
    "LayoutOptions",
    "Sample",
    "SampleGarment",
    "SampleOptions",
    "demo_dataset",
    "demo_files",
    "render",
    "render_layout",
    "render_scene",
    "shared_boxes",
    "write_dataset",
    "write_layouts",
]
