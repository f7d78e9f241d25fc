"""The registered backbones. What builds one is imported when it is built: torch and torchvision wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_fashion.engine.network.backbones.registry import (
    Normalisation,
    prefixes,
    register_backbone,
    register_library,
)

if TYPE_CHECKING:
    from napari_fashion.engine.network.backbones.backbone import Backbone

_RESNET_KEYS = {"conv1.": "stem.0.", "bn1.": "stem.1.", "layer1.": "stem.4."} | {
    f"layer{i + 2}.": f"stages.{i}." for i in range(3)
}
_SHUFFLENET_KEYS = {"conv1.": "stem.0."} | {f"stage{i + 2}.": f"stages.{i}." for i in range(3)}


def _register_resnet(name: str) -> None:
    @register_backbone(name, key_map=prefixes(_RESNET_KEYS))
    def build(keep_stride_16: bool) -> Backbone:
        from napari_fashion.engine.network.backbones.torchvision_backbones import resnet

        return resnet(name, keep_stride_16)


def _register_shufflenet(name: str) -> None:
    @register_backbone(name, key_map=prefixes(_SHUFFLENET_KEYS))
    def build(keep_stride_16: bool) -> Backbone:
        from napari_fashion.engine.network.backbones.torchvision_backbones import shufflenet

        return shufflenet(name, keep_stride_16)


for _name in ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5"):
    _register_shufflenet(_name)
for _name in ("resnet18", "resnet50", "resnet101"):
    _register_resnet(_name)


@register_backbone("shufflenetv2k16")
def _shufflenetv2k16(keep_stride_16: bool) -> Backbone:
    from napari_fashion.engine.network.backbones.shufflenet_k import shufflenet_k

    return shufflenet_k((4, 8, 4), (24, 348, 696, 1392, 1392))


@register_backbone("shufflenetv2k30")
def _shufflenetv2k30(keep_stride_16: bool) -> Backbone:
    from napari_fashion.engine.network.backbones.shufflenet_k import shufflenet_k

    return shufflenet_k((8, 16, 6), (32, 512, 1024, 2048, 2048))


@register_backbone(
    "efficientnet_lite0",
    normalisation=Normalisation((127 / 255,) * 3, (128 / 255,) * 3),
    packaged_weights="efficientnet_lite0.safetensors",
    skips_blocks=True,
)
def _efficientnet_lite0(keep_stride_16: bool) -> Backbone:
    from napari_fashion.engine.network.backbones.efficientnet_lite import efficientnet_lite0

    return efficientnet_lite0(keep_stride_16)


def _of_a_library(name: str, keep_stride_16: bool) -> Backbone:
    from napari_fashion.engine.network.backbones import library

    return library.build(name, keep_stride_16)


for _name in ("torchvision", "timm"):
    register_library(_name)(_of_a_library)
