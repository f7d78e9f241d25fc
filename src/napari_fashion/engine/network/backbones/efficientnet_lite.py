"""EfficientNet-Lite0 (Liu and Tan 2020), without its classifier."""

from __future__ import annotations

from torch import Tensor, nn

from napari_fashion.engine.network.backbones.backbone import StagedBackbone


class InvertedBottleneck(nn.Module):
    """MobileNetV2's block as EfficientNet-Lite has it: no squeeze and excitation, ReLU6.

    Expand by 1x1, filter each channel by kernel x kernel, project by 1x1; the input is added where
    the shapes agree. (B, inputs, H, W) to (B, outputs, H / stride, W / stride). While training, blocks that
    add their input are skipped for a share `drop` of the images of a batch.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers += _convolution(inputs, inner, 1)
        layers += _convolution(inner, inner, kernel, stride, groups=inner)
        layers += _convolution(inner, outputs, 1, activate=False)
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs
        self.drop = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features."""
        y: Tensor = self.body(x)
        return x + stochastic_depth(y, self.drop, self.training) if self.residual else y


def stochastic_depth(x: Tensor, drop: float, training: bool) -> Tensor:
    """Zero a share `drop` of a batch's rows and scale the others up (Huang et al. 2016)."""
    if not training or drop == 0.0:
        return x
    kept = x.new_empty((len(x), *(1,) * (x.ndim - 1))).bernoulli_(1 - drop)
    return x * kept.div_(1 - drop)


def _convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    *,
    activate: bool = True,
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]
    return [*layers, nn.ReLU6(inplace=True)] if activate else layers


class EfficientNetLite(StagedBackbone):
    """Stages of inverted bottlenecks, whose residual blocks can be skipped while training."""

    def set_drop_path(self, share: float) -> None:
        """Skip blocks: none at the first, `share` of the images at the last (Huang et al. 2016)."""
        blocks = [m for m in self.modules() if isinstance(m, InvertedBottleneck)]
        for i, block in enumerate(blocks):
            block.drop = share * i / (len(blocks) - 1)


def efficientnet_lite0(keep_stride_16: bool) -> EfficientNetLite:
    """Build the stages of strides 8, 16 and 32 (the last 16 where it is kept)."""
    inputs = 32
    groups = []
    for repeats, kernel, stride, expand, outputs in (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ):
        blocks = []
        for i in range(repeats):
            blocks.append(
                InvertedBottleneck(inputs, outputs, kernel, stride if i == 0 else 1, expand)
            )
            inputs = outputs
        groups.append(blocks)
    stem = nn.Sequential(*_convolution(3, 32, 3, 2), *groups[0], *groups[1])
    parts = (groups[2], [*groups[3], *groups[4]], [*groups[5], *groups[6]])
    stages = nn.ModuleList(nn.Sequential(*blocks) for blocks in parts)
    backbone = EfficientNetLite(stem, stages, (40, 112, 320), (8, 16, 32))
    if keep_stride_16:
        backbone.keep_stride_16()
    return backbone
