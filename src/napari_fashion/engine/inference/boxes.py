"""One garment, inside a box that a person drew: for garments that a model did not find by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.prediction import Prediction
from napari_fashion.images import to_rgb
from napari_fashion.images.transforms import crop_to_box

MARGIN = 0.1
"""Of a model without a refinement pass."""


def predict_in_box(
    model: GarmentModel,
    image: NDArray[Any],
    box: tuple[float, float, float, float],
    options: InferenceOptions | None = None,
) -> Prediction:
    """Predict the garment inside a box, as the refinement pass does with one that was detected.

    The crop has the margin of the model's refinement pass, and one garment is looked for. No score decides
    whether there is one: a person has.

    Parameters
    ----------
    image
        (H, W[, channels]) array.
    box
        x0, y0, x1, y1 of two opposite corners, pixels of the image; what lies outside is left out.
    options
        By default the model's own.

    Returns
    -------
    Of the whole image, in its pixels, with one garment, or none if no landmark was found in the box.

    Raises
    ------
    ValueError
        If the box has no part inside the image.
    """
    options = options or model.inference
    pixels = to_rgb(image)
    height, width = pixels.shape[:2]
    corners = np.array(box, np.float32).reshape(2, 2)
    low, high = corners.min(axis=0), corners.max(axis=0)
    if (high < 0).any() or (low > (width - 1, height - 1)).any():
        raise ValueError(f"box {box} lies outside the image of {width} x {height} pixels")
    inside = np.clip(np.stack([low, high]), 0, (width - 1, height - 1)).astype(np.float32)
    margin = options.refinement.margin if options.refinement else MARGIN
    crop = crop_to_box(pixels, inside, margin)
    single = options.decoder.model_copy(update={"single_instance": True})
    (found,) = model.predict([crop.image], options.overridden(decoder=single), crop=True)
    offset = np.array(crop.origin, np.float32)
    garments = tuple(
        replace(one, xy=np.where(one.found[:, None], one.xy + offset, one.xy))
        for one in found.garments
        if one.found.any()
    )
    return Prediction(garments, width, height, found.model_id)
