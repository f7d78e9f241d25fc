"""The names and styles of the napari layers, as data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from napari.layers import Image, Layer, Points, Vectors
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_fashion.app.viewer import layer_data
from napari_fashion.images import ReducedImage
from napari_fashion.schema import Schema

IMAGE = "image"
PIF = "PIF confidence"
VECTORS = "PIF vectors"
PAF = "PAF"
SKELETON = "skeleton"
CATEGORY = "category"
LANDMARKS = "landmarks"

OVERLAYS = {
    PIF: "pif",
    VECTORS: "vectors",
    PAF: "paf",
    SKELETON: "skeleton",
    CATEGORY: "category",
    LANDMARKS: "landmarks",
}
"""Which layer shows which part of the `View`; bottom to top."""
FIELD_LAYERS = (PIF, VECTORS, PAF)

HEAT = Colormap(
    [[0.2, 0, 0.5, 0], [0.5, 0, 0.6, 0.25], [1, 0.3, 0.1, 0.8], [1, 0.95, 0.5, 1]],
    controls=[0, 0.15, 0.6, 1],
    name="fashion heat",
)
"""Confidence of all landmarks at once; values near 0 are transparent."""

NO_ARROWS = (np.empty((0, 2, 2)), np.empty((0, 4)))

KEY = "napari_fashion"
"""In a layer's metadata: the session that it belongs to; such a layer is ours."""

ON_TOP = {"blending": "translucent_no_depth"}
ARROWS = {"vector_style": "arrow", **ON_TOP}
LINES = {"vector_style": "line", "opacity": 1, **ON_TOP}
HEAT_MAP = {"colormap": HEAT, "contrast_limits": (0, 1), "interpolation2d": "linear", **ON_TOP}
CATEGORY_TEXT = {
    "text": {"string": "{text}", "size": 11, "anchor": "upper_left"},
    "size": 1,
    "opacity": 1,
    "face_color": "transparent",
    "border_color": "transparent",
    **ON_TOP,
}
LANDMARK_POINTS = {"canvas_size_limits": (7, 28), **ON_TOP}


def new_layers(image: ReducedImage, schema: Schema) -> list[Layer]:
    """Return the layers of an image, bottom to top, without garments and fields.

    Parameters
    ----------
    image
        What is shown of it.
    schema
        What its landmarks mean.
    """
    no_vectors = np.empty((0, 2, 2))
    names = {
        "string": "{label}",
        "size": 9,
        "anchor": "upper_left",
        "translation": (0, max(image.size) / 90),
    }
    return [
        Image(image.rgb, name=IMAGE),
        Image(np.zeros((1, 1)), name=PIF, **HEAT_MAP),
        Vectors(no_vectors, name=VECTORS, **ARROWS),
        Vectors(no_vectors, name=PAF, **ARROWS),
        Vectors(no_vectors, name=SKELETON, **LINES),
        Points(
            np.empty((0, 2)),
            name=CATEGORY,
            features=pd.DataFrame({"text": np.array([], dtype=object)}),
            **CATEGORY_TEXT,
        ),
        Points(
            np.empty((0, 2)),
            name=LANDMARKS,
            features=pd.DataFrame(layer_data.landmarks([], schema).features),
            text=names,
            **LANDMARK_POINTS,
        ),
    ]


def set_vectors(layer: Vectors, lines: NDArray[np.float64], rgba: NDArray[np.float64]) -> None:
    """Give a layer other lines, (M, 2, 2), in their colours, (M, 4)."""
    layer.data = lines
    if len(lines):
        layer.edge_color = rgba
