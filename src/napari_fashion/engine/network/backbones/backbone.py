"""What every backbone is: a module that returns features of several strides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from napari_fashion.documents import shown, shown_path
from napari_fashion.engine.network.backbones.registry import (
    IMAGENET,
    Normalisation,
    find_backbone,
)
from napari_fashion.engine.weights import Shapes, read_weights
from napari_fashion.errors import CheckpointError

T = TypeVar("T")

PACKAGED = "imagenet"
"""Stands for the weights that the package carries."""


class Backbone(nn.Module):
    """A module from (B, 3, H, W) normalised RGB to features, the finest first.

    Attributes
    ----------
    name
        As it is registered.
    channels, strides
        Of each of its features; strides are 8, 16 and, where there is a third, 32 (or 16, where the last
        stage keeps it).
    normalisation
        Of the images that its published weights expect.
    foldable
        Whether each batch norm that stands behind a convolution takes that one's output (`fold_norms`).
    """

    name: str
    channels: tuple[int, ...]
    strides: tuple[int, ...]
    normalisation: Normalisation = IMAGENET
    foldable = True

    def set_drop_path(self, share: float) -> None:
        """Skip residual blocks while training; only backbones that say so in the registry can."""

    def own_name(self, published: str) -> str | None:
        """Return the name here of a tensor of the published weights; None for the classifier's."""
        return find_backbone(self.name).key_map(published)

    def load_pretrained(self, source: Path | str) -> None:
        """Start from a classifier's weights.

        Parameters
        ----------
        source
            A safetensors file with this module's names or the published ones (torchvision's, timm's), whose
            classifier is left out; or ``"imagenet"`` for the file that the package carries.

        Raises
        ------
        CheckpointError
            If the file cannot be read, holds the weights of another backbone, or the package carries none.
        """
        path = find_backbone(self.name).weights_path() if source == PACKAGED else Path(source)
        expected = {name: tuple(value.shape) for name, value in self.state_dict().items()}

        def named(values: Mapping[str, T]) -> dict[str, T]:
            if values.keys() == expected.keys():
                return dict(values)
            own = ((self.own_name(key), value) for key, value in values.items())
            return {key: value for key, value in own if key in expected}

        tensors = named(read_weights(path, _expect(expected, named, path, self.name)).tensors)
        full = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        self.load_state_dict({**_counters(self), **full})


def _counters(module: nn.Module) -> dict[str, Tensor]:
    """Return the batch norms' counters of steps, which older published weights lack."""
    state = module.state_dict()
    return {k: torch.zeros_like(v) for k, v in state.items() if k.endswith("num_batches_tracked")}


def _expect(
    expected: Shapes, named: Callable[[Shapes], Shapes], path: Path, name: str
) -> Callable[[Shapes], None]:
    """Return a check for `read_weights`: every tensor is there once its name is the module's own."""

    def check(published: Shapes) -> None:
        found = named(published)
        for key, shape in expected.items():
            there = found.get(key)
            if there is None and key.endswith("num_batches_tracked"):
                continue
            if there != shape:
                what = "none" if there is None else str(list(there))[:100]
                raise CheckpointError(
                    f"{shown_path(path)}: these weights are not of the network that [network] backbone "
                    f"{name!r} names ({shown(key)} has the shape {what}; expected {list(shape)}). Name the "
                    "file that belongs to it."
                )

    return check


class StagedBackbone(Backbone):
    """A stem and stages, each of which takes the features of the one before.

    Parameters
    ----------
    stem
        From (B, 3, H, W) to the first stage's input.
    stages
        Modules whose outputs are the features.
    channels, strides
        See `Backbone`.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: nn.ModuleList,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.stem = stem
        self.stages = stages
        self.channels = channels
        self.strides = strides

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features after each stage."""
        x = self.stem(x)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    def keep_stride_16(self) -> None:
        """Give every convolution of the last stage stride 1, so that its features keep stride 16."""
        for module in self.stages[-1].modules():
            if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
                module.stride = (1, 1)
        self.strides = (*self.strides[:-1], 16)


def build_backbone(name: str, *, keep_stride_16: bool, drop_path: float = 0.0) -> Backbone:
    """Build a backbone with random weights (of torch's global seed).

    Parameters
    ----------
    name
        See `registry`.
    keep_stride_16
        Give the last stage stride 1, so that its features stay at stride 16.
    drop_path
        See `NetworkConfig`.

    Raises
    ------
    CheckpointError
        If it is of a library that is not installed or does not know it.
    ValueError
        If the name is not known.
    """
    spec = find_backbone(name)
    backbone: Backbone = spec.build(keep_stride_16)
    backbone.name = name
    if spec.normalisation is not None:
        backbone.normalisation = spec.normalisation
    if drop_path:
        backbone.set_drop_path(drop_path)
    return backbone
