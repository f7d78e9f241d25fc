"""Backbones: stages of classifiers that return features of strides 8, 16 and the last one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from napari_fashion.engine.network.vision import torchvision
from napari_fashion.engine.weights import expect_shapes_of, read_weights

BackboneName = Literal[
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "resnet18",
    "resnet50",
    "efficientnet_lite0",
]

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_EFFICIENTNET_LITE = ((127 / 255,) * 3, (128 / 255,) * 3)


def normalisation(name: BackboneName) -> tuple[Tensor, Tensor]:
    """Return mean and deviation (3,) of 0..255 RGB pixels that the backbone's weights expect."""
    mean, std = _EFFICIENTNET_LITE if name.startswith("efficientnet_lite") else _IMAGENET
    return 255 * torch.tensor(mean), 255 * torch.tensor(std)


class Backbone(nn.Module):
    """A stem and three stages, whose features have strides 8, 16 and 32.

    Parameters
    ----------
    name
        What to build; see `BackboneName`.
    keep_stride_16
        Give the last stage stride 1, so that its features stay at stride 16.
    drop_path
        See `NetworkConfig`.

    Attributes
    ----------
    channels
        Of the features after each stage.
    """

    def __init__(self, name: BackboneName, *, keep_stride_16: bool, drop_path: float = 0.0) -> None:
        super().__init__()
        if name == "efficientnet_lite0":
            self.stem, self.stages = _efficientnet_lite0()
        else:
            self.stem, self.stages = _torchvision(name)
        self.channels = tuple(_out_channels(stage) for stage in self.stages.children())
        blocks = [m for m in self.modules() if isinstance(m, InvertedBottleneck)]
        for i, block in enumerate(blocks):
            block.drop = drop_path * i / (len(blocks) - 1)
        if keep_stride_16:
            for module in self.stages[-1].modules():
                if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                    module.stride = (1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features after each of the three last stages."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    def load_pretrained(self, path: Path) -> None:
        """Start from a classifier's weights, in a safetensors file with this module's names.

        Raises
        ------
        CheckpointError
            If the file cannot be read, or holds the weights of another backbone.
        """
        check = expect_shapes_of(
            self, path, "[network] backbone names", "Name the file that belongs to it."
        )
        state = read_weights(path, check).tensors
        self.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
        )


def _torchvision(name: str) -> tuple[nn.Module, nn.ModuleList]:
    net = getattr(torchvision.models, name)(weights=None)
    if name.startswith("shufflenet"):
        stem = nn.Sequential(net.conv1, net.maxpool)
        return stem, nn.ModuleList([net.stage2, net.stage3, net.stage4])
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    return stem, nn.ModuleList([net.layer2, net.layer3, net.layer4])


def _out_channels(stage: nn.Module) -> int:
    last = list(stage.children())[-1]
    if isinstance(last, torchvision.models.shufflenetv2.InvertedResidual):
        return 2 * _convolutions(last.branch2)[-1].out_channels
    return _convolutions(last)[-1].out_channels


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, nn.Conv2d)]


class InvertedBottleneck(nn.Module):
    """MobileNetV2's block as EfficientNet-Lite has it: no squeeze and excitation, ReLU6.

    Expand by 1x1, filter each channel by kernel x kernel, project by 1x1; the input is added where
    the shapes agree. (B, inputs, H, W) to (B, outputs, H / step, W / step). A share `drop` of a
    batch skips the block while training, where there is something to skip to.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, step: int, expand: int) -> None:
        super().__init__()
        inner = inputs * expand
        layers: list[nn.Module] = []
        if expand != 1:
            layers += _convolution(inputs, inner, 1)
        layers += _convolution(inner, inner, kernel, step, groups=inner)
        layers += _convolution(inner, outputs, 1, activate=False)
        self.body = nn.Sequential(*layers)
        self.residual = step == 1 and inputs == outputs
        self.drop = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's features."""
        y: Tensor = self.body(x)
        return (
            x + torchvision.ops.stochastic_depth(y, self.drop, "row", self.training)
            if self.residual
            else y
        )


def _convolution(
    inputs: int, outputs: int, kernel: int, step: int = 1, groups: int = 1, *, activate: bool = True
) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, step, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]
    return [*layers, nn.ReLU6(inplace=True)] if activate else layers


def _efficientnet_lite0() -> tuple[nn.Module, nn.ModuleList]:
    """EfficientNet-Lite0 (Liu and Tan, 2020), without its classifier."""
    inputs = 32
    groups = []
    for repeats, kernel, step, expand, outputs in (
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
                InvertedBottleneck(inputs, outputs, kernel, step if i == 0 else 1, expand)
            )
            inputs = outputs
        groups.append(blocks)
    stem = nn.Sequential(*_convolution(3, 32, 3, 2), *groups[0], *groups[1])
    stages = (groups[2], [*groups[3], *groups[4]], [*groups[5], *groups[6]])
    return stem, nn.ModuleList(nn.Sequential(*blocks) for blocks in stages)
