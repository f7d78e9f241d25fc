"""The network: a backbone, an optional neck, and PIF, PAF and category heads."""

from __future__ import annotations

import copy
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_fashion.engine.network.backbones import Backbone, BackboneName, normalisation
from napari_fashion.options import Options

PIF_CHANNELS = 5
"""A landmark's channels: confidence logit, x, y (cells, from the cell), log spread, size."""
PAF_CHANNELS = 9
"""An edge's channels: confidence logit, x1, y1, x2, y2, log spread 1 and 2, size 1 and 2."""

LOG_SPREAD_BOUND = 4.0
"""The predicted log of the Laplace spread stays within this, so that no loss can run away."""


class NetworkConfig(Options):
    """The shape of a network; with a schema it says everything that is needed to build it.

    Attributes
    ----------
    backbone
        See `backbones`.
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
        How a garment reads the category field where it is: the ``"max"`` of its cells (the
        report) or their ``"mean"``.
    fork_beta
        Each head's gradient enters the backbone with weight T^-beta for T heads: 0 the sum, 0.5
        the default, 1 the mean.
    dropout
        Share of features dropped before the category head.
    drop_path
        Chance that a block of the backbone is skipped for an image while training, rising from 0
        at the first to this at the last; only residual blocks can be skipped (Huang et al. 2016,
        stochastic depth). Backbone ``"efficientnet_lite0"`` only.
    """

    backbone: BackboneName = "shufflenet_v2_x1_0"
    neck: Literal["plain", "sum"] = "plain"
    width: int = Field(default=128, ge=8, le=4096)
    blocks: int = Field(default=2, ge=0, le=64)
    upsample: Literal[1, 2, 4] = 2
    category_pool: Literal["max", "mean"] = "max"
    fork_beta: float = Field(default=0.5, ge=0.0, le=1.0)
    dropout: float = Field(default=0.1, ge=0.0, lt=1.0)
    drop_path: float = Field(default=0.0, ge=0.0, lt=1.0)

    @property
    def stride(self) -> int:
        """Input pixels per cell of the fields."""
        return (16 if self.neck == "plain" else 8) // self.upsample

    @property
    def margin(self) -> int:
        """Padding around an image in the network's input, pixels: at least one cell."""
        return max(8, self.stride)

    @property
    def multiple(self) -> int:
        """What the input's width and height must be multiples of."""
        return 16 if self.neck == "plain" else 32


class Heads(NamedTuple):
    """Raw outputs for a batch.

    Attributes
    ----------
    pif
        (B, K, 5, H, W), channels as `PIF_CHANNELS` says.
    paf
        (B, E, 9, H, W), channels as `PAF_CHANNELS` says.
    category
        (B, C, H, W) logits.
    """

    pif: Tensor
    paf: Tensor
    category: Tensor


class _ForkNormalisation(torch.autograd.Function):
    """Identity forward; backward the gradient times kappa (DESIGN section 4; Mordan et al.)."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, kappa: float) -> Tensor:
        ctx.kappa = kappa
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.kappa, None


def fork(features: Tensor, heads: int, beta: float) -> Tensor:
    """Pass `features` to one of several heads, weighing its gradient by heads^-beta.

    Parameters
    ----------
    features
        Any tensor; returned unchanged.
    heads
        Number T of heads that join there.
    beta
        0 sums the heads' gradients, 1 averages them.
    """
    return _ForkNormalisation.apply(features, float(heads) ** -beta)  # type: ignore[no-any-return]


class RefiningBlock(nn.Module):
    """Residual depthwise 5x5 and pointwise convolutions on (B, width, H, W) features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False),
            nn.BatchNorm2d(width),
            nn.Conv2d(width, 2 * width, 1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        y: Tensor = x + self.body(x)
        return y


class SumNeck(nn.Module):
    """Project features of strides 8, 16 and 32 to one width, sum them at stride 8, refine."""

    def __init__(self, channels: tuple[int, ...], width: int, blocks: int) -> None:
        super().__init__()
        self.laterals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
            for c in channels
        )
        self.blocks = nn.Sequential(*(RefiningBlock(width) for _ in range(blocks)))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Return (B, width, H, W) at the stride of the first features."""
        total: Tensor = self.laterals[0](features[0])
        for lateral, feature in zip(list(self.laterals)[1:], features[1:], strict=True):
            total = total + F.interpolate(
                lateral(feature), size=total.shape[-2:], mode="bilinear", align_corners=False
            )
        refined: Tensor = self.blocks(F.relu(total))
        return refined


class Head(nn.Module):
    """A 1x1 convolution to `channels`, upsampled by PixelShuffle."""

    def __init__(self, inputs: int, channels: int, upsample: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, channels * upsample**2, 1)
        self.shuffle = nn.PixelShuffle(upsample)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, channels, H * upsample, W * upsample)."""
        y: Tensor = self.shuffle(self.conv(x))
        return y


class Network(nn.Module):
    """Backbone, neck and heads for K landmarks, E edges and C categories.

    Parameters
    ----------
    config
        The network's shape.
    landmarks, edges, categories
        K, E, C; E and C may be 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig, landmarks: int, edges: int, categories: int) -> None:
        super().__init__()
        self.config = config
        self.sizes = (landmarks, edges, categories)
        plain = config.neck == "plain"
        self.backbone = Backbone(config.backbone, keep_stride_16=plain, drop_path=config.drop_path)
        channels = self.backbone.channels
        self.neck = None if plain else SumNeck(channels, config.width, config.blocks)
        width = channels[-1] if plain else config.width
        self.pif = Head(width, landmarks * PIF_CHANNELS, config.upsample)
        self.paf = Head(width, edges * PAF_CHANNELS, config.upsample) if edges else None
        self.dropout = nn.Dropout(config.dropout)
        self.category = nn.Conv2d(channels[-1], categories, 1) if categories else None
        mean, std = normalisation(config.backbone)
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.register_buffer("std", std[:, None, None], persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Start the heads at the rate of positive cells, so that no steps go into unlearning."""
        for head, per in ((self.pif, PIF_CHANNELS), (self.paf, PAF_CHANNELS)):
            if head is None:
                continue
            nn.init.normal_(head.conv.weight, std=0.01)
            # PixelShuffle makes one channel of upsample^2 neighbouring ones.
            bias = torch.zeros(head.conv.out_channels).view(-1, per, self.config.upsample**2)
            bias[:, 0] = -3.0
            head.conv.bias = nn.Parameter(bias.flatten())

    def forward(self, images: Tensor) -> Heads:
        """Compute the raw fields.

        Parameters
        ----------
        images
            (B, 3, H, W) RGB, values 0..255, H and W multiples of ``config.multiple``.
        """
        k, e, c = self.sizes
        x = (images - self.mean) / self.std
        features = self.backbone(x)
        body = features[-1] if self.neck is None else self.neck(features)
        heads = 1 + (e > 0) + (c > 0)
        beta = self.config.fork_beta
        pif = self.pif(fork(body, heads, beta))
        b, _, h, w = pif.shape
        pif = pif.view(b, k, PIF_CHANNELS, h, w)
        if self.paf is None:
            paf = pif.new_zeros((b, 0, PAF_CHANNELS, h, w))
        else:
            paf = self.paf(fork(body, heads, beta)).view(b, e, PAF_CHANNELS, h, w)
        if self.category is None:
            category = pif.new_zeros((b, 0, h, w))
        else:
            deep = self.dropout(fork(features[-1], heads, beta))
            category = F.interpolate(
                self.category(deep), size=(h, w), mode="bilinear", align_corners=False
            )
        return Heads(pif, paf, category)


def fold_norms(network: Network) -> Network:
    """Return a copy for inference, whose batch norms are part of the convolutions before them.

    The same fields, but for rounding, in less time on a CPU (`benchmarks/bench_model.py`).
    """
    folded = copy.deepcopy(network).eval()
    _fold(folded)
    return folded


def _fold(module: nn.Module) -> None:
    before: tuple[str, nn.Module] = ("", module)
    for name, child in list(module.named_children()):
        if isinstance(child, nn.BatchNorm2d) and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold(child)
        before = (name, child)


def bounded_log_spread(raw: Tensor) -> Tensor:
    """Bound the raw log spread smoothly to +-`LOG_SPREAD_BOUND`."""
    return LOG_SPREAD_BOUND * torch.tanh(raw / LOG_SPREAD_BOUND)


def cell_grid(height: int, width: int, device: torch.device) -> Tensor:
    """Return (2, height, width) float32: x and y of every cell, in cells."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])


def pool_category(logits: Tensor, mask: Tensor, how: str) -> Tensor:
    """Read the category field where a garment is.

    Parameters
    ----------
    logits
        (..., C, H, W) category logits.
    mask
        (..., H, W) bool, the garment's cells; where it is empty, the whole image counts.
    how
        ``"max"`` or ``"mean"`` of the cells.

    Returns
    -------
    (..., C) logits.
    """
    empty = ~mask.flatten(-2).any(-1)
    mask = (mask | empty[..., None, None]).unsqueeze(-3)
    if how == "max":
        return logits.masked_fill(~mask, float("-inf")).flatten(-2).amax(-1)
    weights = mask.to(logits.dtype)
    return (logits * weights).sum((-2, -1)) / weights.sum((-2, -1))
