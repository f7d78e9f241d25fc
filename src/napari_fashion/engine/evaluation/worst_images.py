"""The garments with the greatest errors, drawn: where each landmark is, and where it was said to be."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.errors import ImageError
from napari_fashion.images.transforms import RGBImage

TRUTH, PREDICTED = (46, 125, 79), (194, 87, 26)
"""RGB of the places in the truth, and of the predicted ones."""
SIDE = 360
"""Longer side of a drawing, pixels."""

Colour = str | tuple[int, int, int]
_CONTEXT = 0.08  # of what was shown is drawn around it
_SMOOTH = 2


@dataclass(frozen=True, eq=False)
class Drawing:
    """A garment, drawn.

    Attributes
    ----------
    judged
        The garment.
    error
        Its mean normalised error over visible landmarks.
    data
        The drawing, a JPEG as a ``data:`` address; empty if the image cannot be read.
    """

    judged: Judged
    error: float
    data: str


def worst(judged: Sequence[Judged], images: Mapping[str, AnnotatedImage], n: int) -> list[Drawing]:
    """Draw the `n` garments with the greatest mean error, the greatest first.

    Parameters
    ----------
    judged
        Garments.
    images
        Their images by key.
    n
        Largest number of them.
    """
    errors = [(float(j.errors[j.visibility == 2].mean()), -row) for row, j in enumerate(judged)]
    drawings = []
    for error, row in sorted(errors, reverse=True)[:n]:
        one = judged[-row]
        try:
            pixels = images[one.key].read()
        except (ImageError, KeyError):
            drawings.append(Drawing(one, error, ""))
            continue
        drawings.append(Drawing(one, error, _as_address(draw(pixels, one))))
    return drawings


def draw(pixels: RGBImage, judged: Judged) -> RGBImage:
    """Draw what the model was shown with a little around it: rings the truth, dots the prediction.

    Parameters
    ----------
    pixels
        (H, W, 3) uint8 RGB, the whole image.
    judged
        A garment of it.

    Returns
    -------
    (h, w, 3) uint8 RGB, the longer side of at most `SIDE` pixels.
    """
    left, top, width, height = judged.region
    grow = round(_CONTEXT * max(width, height))
    x0, y0 = max(left - grow, 0), max(top - grow, 0)
    x1, y1 = min(left + width + grow, pixels.shape[1]), min(top + height + grow, pixels.shape[0])
    scale = SIDE / max(x1 - x0, y1 - y0)
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    part = Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1]))
    large = part.resize((size[0] * _SMOOTH, size[1] * _SMOOTH), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(large)
    factor = scale * _SMOOTH
    for k in np.flatnonzero(judged.visibility == 2).tolist():
        true = _place(judged.truth[k], x0, y0, factor)
        said = _place(judged.predicted[k], x0, y0, factor)
        pen.line([true, said], fill="white", width=5)
        pen.line([true, said], fill=PREDICTED, width=2)
        _ring(pen, true, 11, "white", 7)
        _ring(pen, true, 10, TRUTH, 5)
        _dot(pen, said, 8, "white")
        _dot(pen, said, 6, PREDICTED)
    return np.asarray(large.resize(size, Image.Resampling.LANCZOS))


def _place(xy: NDArray[np.float64], x0: int, y0: int, factor: float) -> tuple[float, float]:
    return (float(xy[0]) + 0.5 - x0) * factor, (float(xy[1]) + 0.5 - y0) * factor


def _dot(pen: ImageDraw.ImageDraw, at: tuple[float, float], r: float, colour: Colour) -> None:
    pen.ellipse([at[0] - r, at[1] - r, at[0] + r, at[1] + r], fill=colour)


def _ring(
    pen: ImageDraw.ImageDraw, at: tuple[float, float], r: float, colour: Colour, width: int
) -> None:
    box = [at[0] - r, at[1] - r, at[0] + r, at[1] + r]
    pen.ellipse(box, outline=colour, width=width)


def _as_address(image: RGBImage) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
