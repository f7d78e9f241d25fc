"""ResNet and ShuffleNetV2 of torchvision as a stem and three stages."""

from __future__ import annotations

from torch import nn

from napari_fashion.engine.network.backbones.backbone import StagedBackbone
from napari_fashion.engine.network.vision import import_library


def resnet(name: str, keep_stride_16: bool) -> StagedBackbone:
    """Build a ResNet (He et al. 2016): strides 8, 16 and 32; the last is 16 where it is kept."""
    net = getattr(import_library("torchvision").models, name)(weights=None)
    stem = nn.Sequential(net.conv1, net.bn1, net.relu, net.maxpool, net.layer1)
    stages = nn.ModuleList([net.layer2, net.layer3, net.layer4])
    channels = tuple(
        [m for m in stage[-1].modules() if isinstance(m, nn.Conv2d)][-1].out_channels
        for stage in (net.layer2, net.layer3, net.layer4)
    )
    return _staged(stem, stages, channels, keep_stride_16)


def shufflenet(name: str, keep_stride_16: bool) -> StagedBackbone:
    """Build a ShuffleNetV2 (Ma et al. 2018) without its last convolution, conv5."""
    net = getattr(import_library("torchvision").models, name)(weights=None)
    stages = nn.ModuleList([net.stage2, net.stage3, net.stage4])
    channels = tuple(
        2 * [m for m in stage[-1].branch2 if isinstance(m, nn.Conv2d)][-1].out_channels
        for stage in (net.stage2, net.stage3, net.stage4)
    )
    return _staged(nn.Sequential(net.conv1, net.maxpool), stages, channels, keep_stride_16)


def _staged(
    stem: nn.Module, stages: nn.ModuleList, channels: tuple[int, ...], keep_stride_16: bool
) -> StagedBackbone:
    backbone = StagedBackbone(stem, stages, channels, (8, 16, 32))
    if keep_stride_16:
        backbone.keep_stride_16()
    return backbone
