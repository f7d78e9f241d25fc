"""How images are augmented; torch-free, because recipes read it."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from napari_fashion.engine.padding import Colour, read_colour
from napari_fashion.options import Options


class AugmentOptions(Options):
    """How far images are rotated, scaled, shifted and recoloured.

    Attributes
    ----------
    flip
        Probability of a horizontal flip; left and right landmarks swap. Nothing is flipped if the
        schema does not know which those are (`Schema.mirrors`).
    rotation
        Largest rotation either way, degrees.
    quarter_turn
        Probability of a rotation by 90, 180 or 270 degrees on top, for garments photographed
        sideways.
    scale
        Least and greatest share of the input that the view's longer side fills; drawn from a
        power law (uniform in the logarithm).
    stretch
        Least and greatest ratio of x to y scale.
    shift
        Largest shift beyond what keeps the view inside the input, as a share of the input.
    box_view
        Share of views that show one garment's box instead of the whole image.
    box_margin
        Least and greatest margin around that box, as a share of its size.
    box_tight
        Share of the box views without any margin, as in images cropped by a box.
    box_crop
        Share of the box views in which what lies outside the box is padding, as in images
        cropped by a box.
    box_part
        Share of the box views whose box is that of only some of the garment's landmarks (at least
        two, drawn at random): garments that are partly outside the image, and slivers.
    elastic
        Probability that the image is warped by a smooth random displacement (`augment.elastic`).
    elastic_amplitude
        Length of the warp's longest displacement, as a share of the input's side.
    elastic_smoothness
        Sigma of the Gaussian that smooths the displacement, as a share of the input's side; a warp that
        is long for its smoothness is shortened, so that no image folds.
    padding
        Colour of what lies outside the image: ``"grey"``, ``[R, G, B]``, or ``"random"``: another one
        for each view. None, the default, for that of inference (`InferenceOptions.padding`). The changes
        of colour change the padding, too.
    mosaic
        Probability that an image is laid out with one or three others of its group, each half as
        large (Bochkovskiy et al. 2020): images with several garments, if the data have few.
        Such images are seen whole. A batch is divided into groups of 4 to 7 images in a row.
    background
        Share of the views cropped by a box that show, instead of padding around the crop, a piece
        of an image of the same group without garments; if the group has none, they keep their
        padding.
    erase
        Probability that a rectangle somewhere in the input is painted over with one colour, so
        that the model relies on no single part of a garment (Zhong et al. 2020, random erasing).
    brightness, contrast, saturation
        Largest relative change.
    hue
        Largest rotation of the colour wheel, degrees.
    grey
        Probability that the image loses its colours.
    noise
        Largest standard deviation of pixel noise, of 255.
    """

    flip: float = Field(default=0.5, ge=0, le=1)
    rotation: float = Field(default=20.0, ge=0, le=180)
    quarter_turn: float = Field(default=0.04, ge=0, le=1)
    scale: tuple[float, float] = (0.7, 1.15)
    stretch: tuple[float, float] = (0.85, 1.18)
    shift: float = Field(default=0.05, ge=0, le=10)
    box_view: float = Field(default=0.78, ge=0, le=1)
    box_margin: tuple[float, float] = (0.0, 0.3)
    box_tight: float = Field(default=0.7, ge=0, le=1)
    box_crop: float = Field(default=0.9, ge=0, le=1)
    box_part: float = Field(default=0.12, ge=0, le=1)
    elastic: float = Field(default=0.0, ge=0, le=1)
    elastic_amplitude: float = Field(default=0.03, ge=0, le=1)
    elastic_smoothness: float = Field(default=0.08, ge=0.01, le=1)
    padding: Colour | Literal["random"] | None = None
    mosaic: float = Field(default=0.0, ge=0, le=1)
    background: float = Field(default=0.0, ge=0, le=1)
    erase: float = Field(default=0.35, ge=0, le=1)
    brightness: float = Field(default=0.4, ge=0, le=100)
    contrast: float = Field(default=0.3, ge=0, le=100)
    saturation: float = Field(default=0.4, ge=0, le=100)
    hue: float = Field(default=30.0, ge=0, le=360)
    grey: float = Field(default=0.1, ge=0, le=1)
    noise: float = Field(default=6.0, ge=0, le=255)

    @field_validator("scale", "stretch", "box_margin")
    @classmethod
    def _check_range(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low = 0.0 if info.field_name == "box_margin" else 0.01
        if not low <= value[0] <= value[1] <= 100:
            raise ValueError(
                f"found {list(value)}; expected a least and a greatest value of {low:g} to 100"
            )
        return value

    @field_validator("padding", mode="before")
    @classmethod
    def _read_padding(cls, value: Any) -> Any:
        return None if value is None else read_colour(value, random=True)

    def unflipped(self) -> AugmentOptions:
        """Return options that flip no image."""
        return self.model_copy(update={"flip": 0.0})

    def milder(self) -> AugmentOptions:
        """Return options that rotate, scale, shift, hide and recolour images half as far.

        What the views show (boxes, flips, padding) stays.
        """
        halved = {name: getattr(self, name) / 2 for name in _STRENGTHS}
        ranges = {name: tuple(math.sqrt(v) for v in getattr(self, name)) for name in _RATIOS}
        return self.model_copy(update=halved | ranges)


_STRENGTHS = (
    "rotation", "quarter_turn", "shift", "elastic_amplitude", "erase", "brightness", "contrast",
    "saturation", "hue", "grey", "noise",
)  # fmt: skip
_RATIOS = ("scale", "stretch")
"""Drawn uniformly in the logarithm: the square root is half as far from 1."""

NO_AUGMENTATION = AugmentOptions(
    flip=0, rotation=0, quarter_turn=0, scale=(1.0, 1.0), stretch=(1.0, 1.0), shift=0,
    elastic_amplitude=0, box_view=0, box_part=0, erase=0, brightness=0, contrast=0, saturation=0, hue=0,
    grey=0, noise=0,
)  # fmt: skip
"""The whole image, fitted into the input: what a model sees without augmentation."""
