"""The shape of a network, as recipes and model files hold it; no torch here."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from napari_fashion.documents import shown
from napari_fashion.engine.network.backbones import find_backbone
from napari_fashion.options import Options

MAX_LAYERS = 16
REST = "rest"
"""The layer of the categories that no other layer names."""
NECK_STRIDE = 8
"""Input pixels per cell of a neck's features."""


class NetworkConfig(Options):
    """The shape of a network; with a schema it says everything that is needed to build it.

    Attributes
    ----------
    backbone
        A registered name (`backbones`), ``torchvision:NAME`` or ``timm:NAME``.
    neck
        ``"plain"``: the last stage keeps stride 16, and the heads upsample from there. ``"sum"``:
        features of strides 8, 16 and 32 are summed at stride 8 and refined.
    width
        Channels of the summed features (neck ``"sum"`` only).
    blocks
        Number of refining blocks after the sum (neck ``"sum"`` only).
    upsample
        Factor by which the heads upsample (PixelShuffle).
    category_pool
        How the category field is read: the ``"max"`` of cells (the report) or their ``"mean"``.
    category_region
        Whose cells these are: ``"garment"``, those in the box of the garment's landmarks, or ``"image"``:
        one category an image (the report, with the maximum). If an image shows several garments, each of
        their categories is then learned from the whole image, and all of them are read alike.
    bounded_spread
        Whether the predicted log of the Laplace spread is bounded (`activation.LOG_SPREAD_BOUND`); false
        for the spread as PifPaf has it, with which a loss has no lower limit and may explode.
    fork_beta
        Each head's gradient enters the backbone with weight T^-beta for T heads: 0 the sum, 0.5
        the default, 1 the mean.
    dropout
        Share of features dropped before the category head.
    drop_path
        Chance that a block of the backbone is skipped for an image while training, rising from 0
        at the first to this at the last; only residual blocks can be skipped (Huang et al. 2016,
        stochastic depth). Backbone ``"efficientnet_lite0"`` only.
    visibility
        Whether PIF cells also say if their landmark is visible or hidden.
    layers
        Names of categories by layer of clothing, such as ``{"outer": ["Blazer", "Outwear"]}``: each
        layer has landmark and edge fields of its own, so that a jacket's collar and that of the shirt
        under it can be found a pixel apart. Categories that are named nowhere share one more layer,
        ``"rest"``; empty for one layer of all.
    """

    backbone: str = Field(default="efficientnet_lite0", max_length=100)
    neck: Literal["plain", "sum"] = "sum"
    width: int = Field(default=128, ge=8, le=4096)
    blocks: int = Field(default=2, ge=0, le=64)
    upsample: Literal[1, 2, 4] = 1
    category_pool: Literal["max", "mean"] = "mean"
    category_region: Literal["garment", "image"] = "garment"
    bounded_spread: bool = True
    fork_beta: float = Field(default=0.5, ge=0.0, le=1.0)
    dropout: float = Field(default=0.3, ge=0.0, lt=1.0)
    drop_path: float = Field(default=0.0, ge=0.0, lt=1.0)
    visibility: bool = False
    layers: dict[str, list[str]] = Field(default_factory=dict, max_length=MAX_LAYERS)

    @field_validator("backbone")
    @classmethod
    def _known(cls, value: str) -> str:
        find_backbone(value)
        return value

    @field_validator("layers")
    @classmethod
    def _each_category_once(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in value:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name) or name == REST:
                raise ValueError(
                    f"{shown(name)} is no name of a layer; expected letters, digits, - and _, and not "
                    f"{REST}, which has the categories that no layer names"
                )
        names = [category for categories in value.values() for category in categories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(
                f"{shown(twice[0])} is in several layers; expected each category in one"
            )
        return value

    @property
    def stride(self) -> int:
        """Input pixels per cell of the fields."""
        return (16 if self.neck == "plain" else NECK_STRIDE) // self.upsample

    @property
    def margin(self) -> int:
        """Padding around an image in the network's input, pixels: at least one cell."""
        return max(8, self.stride)

    @property
    def multiple(self) -> int:
        """What the input's width and height must be multiples of."""
        return 16 if self.neck == "plain" else 32
