"""Backbones by name; importing this imports no torch."""

from napari_fashion.engine.network.backbones import catalogue as catalogue
from napari_fashion.engine.network.backbones.registry import (
    BackboneSpec,
    backbone_names,
    find_backbone,
    register_backbone,
)

__all__ = ["BackboneSpec", "backbone_names", "find_backbone", "register_backbone"]
