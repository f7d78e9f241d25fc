"""The names and styles of the napari layers, as data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from napari.layers import Image, Layer, Points
from napari.utils import Colormap
from numpy.typing import NDArray

from napari_fashion.app.viewer import layer_data
from napari_fashion.images import ReducedImage
from napari_fashion.schema import Schema

IMAGE = "image"
FIELD = "field"
LANDMARKS = "landmarks"

OVERLAYS = {FIELD: "pif", LANDMARKS: "landmarks"}
"""Which layer shows which part of the `View`; bottom to top."""

_MOST = 0.6
"""Opacity of the surest cell: the image is seen through it."""

HEAT = Colormap(
    [[0.2, 0, 0.5, 0], [0.5, 0, 0.6, 0.25], [1, 0.3, 0.1, 0.6], [1, 0.95, 0.5, 0.8]],
    controls=[0, 0.15, 0.6, 1],
    name="fashion heat",
)
"""Confidence of all landmarks at once; values near 0 are transparent."""

KEY = "napari_fashion"
"""In a layer's metadata: the session that it belongs to; such a layer is ours."""

ON_TOP = {"blending": "translucent_no_depth"}
FIELD_IMAGE = {
    "colormap": HEAT,
    "contrast_limits": (0, 1),
    "interpolation2d": "nearest",
    "opacity": 1,
    **ON_TOP,
}
UNSEEN = {
    "face_color": "transparent",
    "border_color": "transparent",
    "canvas_size_limits": (0, 1),
    **ON_TOP,
}
"""Landmarks are drawn by the overlay; napari's points are what a person takes hold of. The limits keep
napari's own mark of a selected point below the landmark; what can be taken hold of is not limited."""


def tint(rgb: NDArray[np.float64], name: str) -> Colormap:
    """Return a colormap from nothing to a landmark's colour, (3,) 0..1."""
    r, g, b = rgb
    return Colormap([[r, g, b, 0], [r, g, b, _MOST]], controls=[0, 1], name=f"fashion {name}")


def new_layers(image: ReducedImage, schema: Schema) -> list[Layer]:
    """Return the layers of an image, bottom to top, without garments and fields.

    Parameters
    ----------
    image
        What is shown of it.
    schema
        What its landmarks mean.
    """
    no_rows = pd.DataFrame(layer_data.landmarks([], schema).features)
    return [
        Image(image.rgb, name=IMAGE),
        Image(np.zeros((1, 1)), name=FIELD, **FIELD_IMAGE),
        Points(np.empty((0, 2)), name=LANDMARKS, features=no_rows, **UNSEEN),
    ]
