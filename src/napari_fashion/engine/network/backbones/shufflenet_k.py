"""ShuffleNetV2 for dense predictions: 5 x 5 depthwise convolutions, wide last stages, stride 16.

As published with OpenPifPaf (Kreiss, Bertoni and Alahi 2021, section IV-A): ShuffleNetV2 (Ma et al. 2018)
without the pooling of its stem.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_fashion.engine.network.backbones.backbone import StagedBackbone


def _convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> list[nn.Module]:
    """Return convolution, norm and ReLU."""
    return [*_linear(inputs, outputs, kernel, stride), nn.ReLU(inplace=True)]


def _linear(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class ShuffleUnit(nn.Module):
    """ShuffleNetV2's unit with a 5 x 5 depthwise convolution.

    With stride 1 half of the channels pass unchanged; with stride 2 both halves are filtered. The
    two halves are then interleaved. (B, inputs, H, W) to (B, outputs, H / stride, W / stride).
    """

    KERNEL = 5

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.passes = stride == 1
        self.branch1 = nn.Sequential(
            *(
                []
                if self.passes
                else [
                    *_linear(inputs, inputs, self.KERNEL, stride, groups=inputs),
                    *_convolution(inputs, half),
                ]
            )
        )
        self.branch2 = nn.Sequential(
            *_convolution(half if self.passes else inputs, half),
            *_linear(half, half, self.KERNEL, stride, groups=half),
            *_convolution(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the unit's features."""
        if self.passes:
            kept, filtered = x.chunk(2, dim=1)
        else:
            kept, filtered = self.branch1(x), x
        both = torch.stack([kept, self.branch2(filtered)], dim=2)
        return both.flatten(1, 2)


def shufflenet_k(
    repeats: tuple[int, int, int], widths: tuple[int, int, int, int, int]
) -> StagedBackbone:
    """Build stages of strides 8 and 16; none has stride 32.

    Parameters
    ----------
    repeats
        Number of units in each of the three groups.
    widths
        Channels of the stem, of the three groups, and of the last 1 x 1 convolution.
    """
    groups = []
    for i, count in enumerate(repeats):
        units = [ShuffleUnit(widths[i], widths[i + 1], stride=2)]
        units += [ShuffleUnit(widths[i + 1], widths[i + 1], stride=1) for _ in range(count - 1)]
        groups.append(units)
    stem = nn.Sequential(*_convolution(3, widths[0], 3, stride=2), *groups[0])
    last = nn.Sequential(*groups[2], *_convolution(widths[3], widths[4]))
    stages = nn.ModuleList([nn.Sequential(*groups[1]), last])
    return StagedBackbone(stem, stages, (widths[2], widths[4]), (8, 16))
