"""Images with what was predicted drawn over them."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.images.transforms import RGBImage
from napari_fashion.schema import Schema

_SMOOTH = 2  # drawn at twice the size and scaled down, so that lines are smooth
_LEAST_UNIT = 1 / 8  # no letter is smaller than a font can be, and no line thinner than a pixel


def draw_prediction(image: RGBImage, prediction: Prediction, schema: Schema) -> RGBImage:
    """Draw skeletons, landmarks in their colours and the category with its score.

    Hidden landmarks are rings, as in the window; bones towards them are thinner.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    prediction
        Of this image.
    schema
        The model's.

    Returns
    -------
    A new (H, W, 3) uint8 RGB image.
    """
    height, width = image.shape[:2]
    pillow = Image.fromarray(image).resize((width * _SMOOTH, height * _SMOOTH))
    draw = ImageDraw.Draw(pillow)
    unit = max(_SMOOTH * max(width, height) / 400, _LEAST_UNIT)
    for garment in prediction.garments:
        _draw_garment(draw, garment, schema, unit)
    for garment in prediction.garments:
        _draw_label(draw, garment, schema, unit)
    return np.asarray(pillow.resize((width, height), Image.Resampling.LANCZOS))


def _place(xy: np.ndarray[tuple[int], np.dtype[np.float32]]) -> tuple[float, float]:
    return (float(xy[0]) + 0.5) * _SMOOTH, (float(xy[1]) + 0.5) * _SMOOTH


def _draw_garment(
    draw: ImageDraw.ImageDraw, garment: PredictedGarment, schema: Schema, unit: float
) -> None:
    visibility = garment.visibility
    for a, b in schema.edges:
        if visibility[a] and visibility[b]:
            ends = [_place(garment.xy[a]), _place(garment.xy[b])]
            thin = 0.5 if 1 in (visibility[a], visibility[b]) else 1.0
            draw.line(ends, fill=(20, 20, 24), width=max(1, round(2.6 * thin * unit)))
            draw.line(ends, fill=(245, 245, 245), width=max(1, round(1.4 * thin * unit)))
    for i in np.flatnonzero(visibility):
        x, y = _place(garment.xy[i])
        dark, color = (20, 20, 24), ImageColor.getrgb(schema.colors[i])
        if visibility[i] == 2:
            for radius, fill in ((4.6, dark), (3.8, color)):
                r = radius * unit
                draw.ellipse([x - r, y - r, x + r, y + r], fill=fill)
            continue
        for radius, ring, width in ((4.6, dark, 2.6), (3.8, color, 1.4)):
            r = radius * unit
            box = [x - r, y - r, x + r, y + r]
            draw.ellipse(box, outline=ring, width=max(1, round(width * unit)))


def _draw_label(
    draw: ImageDraw.ImageDraw, garment: PredictedGarment, schema: Schema, unit: float
) -> None:
    found = garment.xy[garment.found]
    if garment.category_index < 0 or not len(found):
        return
    name = schema.category_names[garment.category_index]
    text = f"{name} {garment.category[garment.category_index]:.0%}"
    font = ImageFont.load_default(size=13 * unit)
    x, y = _place(found.min(0))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    pad = 4 * unit
    y = max(0.0, y - (bottom - top) - 5 * pad)
    draw.rectangle(
        [x, y, x + right - left + 2 * pad, y + bottom - top + 2 * pad], fill=(20, 20, 24)
    )
    draw.text((x + pad - left, y + pad - top), text, fill=(245, 245, 245), font=font)
