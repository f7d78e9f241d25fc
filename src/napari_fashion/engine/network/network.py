"""The network: a backbone, an optional neck, and PIF, PAF and category heads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_fashion.engine.network.backbones.backbone import build_backbone
from napari_fashion.engine.network.config import NECK_STRIDE, NetworkConfig
from napari_fashion.engine.network.fork import fork
from napari_fashion.engine.network.heads import CONFIDENCE, PAF, HeadSpec, heads_of
from napari_fashion.engine.network.necks import SumNeck

START_LOGIT = -3.0
"""Confidence logit that the heads start with: about the rate of positive cells (0.05)."""


class Heads(NamedTuple):
    """Outputs for a batch: raw, or activated (`activation.activate`).

    Attributes
    ----------
    pif
        (B, K, channels, H, W), see `heads.PIF` and `heads.PIF_VISIBLE`.
    paf
        (B, E, channels, H, W), see `heads.PAF`.
    category
        (B, C, H, W) logits.
    """

    pif: Tensor
    paf: Tensor
    category: Tensor


class Head(nn.Module):
    """A 1x1 convolution to a spec's channels for each of `fields`, upsampled by PixelShuffle."""

    def __init__(self, inputs: int, spec: HeadSpec, fields: int, upsample: int) -> None:
        super().__init__()
        self.spec = spec
        self.conv = nn.Conv2d(inputs, fields * len(spec) * upsample**2, 1)
        self.shuffle = nn.PixelShuffle(upsample)

    def initialise(self) -> None:
        """Start at the rate of positive cells, so that no steps go into unlearning."""
        if self.conv.weight.is_meta:  # it has only a shape; see `Network`
            return
        nn.init.normal_(self.conv.weight, std=0.01)
        # PixelShuffle makes one channel of upsample^2 neighbouring ones.
        bias = torch.zeros(self.conv.out_channels).view(
            -1, len(self.spec), self.shuffle.upscale_factor**2
        )
        bias[:, self.spec.index(CONFIDENCE)] = START_LOGIT
        self.conv.bias = nn.Parameter(bias.flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, fields, channels, H * upsample, W * upsample)."""
        y: Tensor = self.conv(x)
        if self.shuffle.upscale_factor > 1:  # PixelShuffle copies even if there is nothing to do
            y = self.shuffle(y)
        b, _, h, w = y.shape
        return y.view(b, -1, len(self.spec), h, w)


class Network(nn.Module):
    """Backbone, neck and heads for K landmarks, E edges and C categories.

    Parameters
    ----------
    config
        The network's shape.
    landmarks, edges, categories
        K, E, C; E and C may be 0.

    Raises
    ------
    CheckpointError
        If the backbone is of a library that is not installed, or that does not know it.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig, landmarks: int, edges: int, categories: int) -> None:
        super().__init__()
        self.config = config
        self.sizes = (landmarks, edges, categories)
        plain = config.neck == "plain"
        self.backbone = build_backbone(
            config.backbone, keep_stride_16=plain, drop_path=config.drop_path
        )
        channels = self.backbone.channels
        assert self.backbone.strides[0] == NECK_STRIDE
        self.neck = None if plain else SumNeck(channels, config.width, config.blocks)
        width = channels[-1] if plain else config.width
        pif, _, _ = heads_of(visibility=config.visibility)
        self.pif = Head(width, pif, landmarks, config.upsample)
        self.paf = Head(width, PAF, edges, config.upsample) if edges else None
        self.dropout = nn.Dropout(config.dropout)
        self.category = nn.Conv2d(channels[-1], categories, 1) if categories else None
        for name in ("mean", "std"):
            # By NumPy: arithmetic on the meta device imports torch's compiler, which takes seconds, and
            # triton, which ends a process with a window (`vision`).
            values = 255 * np.array(getattr(self.backbone.normalisation, name), np.float32)
            self.register_buffer(
                name, torch.tensor(values[:, None, None].tolist()), persistent=False
            )
        for head in (self.pif, self.paf):
            if head is not None:
                head.initialise()

    def forward(self, images: Tensor) -> Heads:
        """Compute the raw fields.

        Parameters
        ----------
        images
            (B, 3, H, W) RGB, values 0..255, H and W multiples of ``config.multiple``.
        """
        _, e, c = self.sizes
        features = self.backbone((images - self.mean) / self.std)
        body = features[-1] if self.neck is None else self.neck(features)
        heads = 1 + (e > 0) + (c > 0)
        beta = self.config.fork_beta
        pif = self.pif(fork(body, heads, beta))
        b, _, _, h, w = pif.shape
        if self.paf is None:
            paf = pif.new_zeros((b, 0, len(PAF), h, w))
        else:
            paf = self.paf(fork(body, heads, beta))
        if self.category is None:
            category = pif.new_zeros((b, 0, h, w))
        else:
            deep = self.dropout(fork(features[-1], heads, beta))
            category = F.interpolate(
                self.category(deep), size=(h, w), mode="bilinear", align_corners=False
            )
        return Heads(pif, paf, category)
