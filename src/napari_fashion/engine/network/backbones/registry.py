"""Backbones by name: what each is, without building one (no torch here).

A backbone is registered with what has to be known before it is built (its normalisation, the weights that
the package carries, whether its blocks can be skipped) and a function that builds it. Names with a prefix,
``torchvision:NAME`` and ``timm:NAME``, are classifiers of those libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from napari_fashion.documents import did_you_mean, shown
from napari_fashion.errors import CheckpointError

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of RGB values in 0..1 that a backbone's published weights expect."""

    mean: Triple
    std: Triple


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of torchvision's weights."""

Build = Callable[[bool], Any]
"""Builds a backbone (`backbone.Backbone`) with random weights; given whether its last stage keeps stride
16."""

KeyMap = Callable[[str], str | None]
"""A published tensor's name to the backbone's own; None for what belongs to the classifier."""


def prefixes(table: Mapping[str, str]) -> KeyMap:
    """Return a key map that replaces a name's first matching prefix; other names map to None."""

    def key_map(name: str) -> str | None:
        for published, own in table.items():
            if name.startswith(published):
                return own + name.removeprefix(published)
        return None

    return key_map


@dataclass(frozen=True)
class BackboneSpec:
    """What is known of a backbone before it is built.

    Attributes
    ----------
    name
        As a recipe writes it.
    build
        Builds it.
    normalisation
        Of its published weights; None if only the built backbone knows it.
    key_map
        From the published weights' names to ours.
    packaged_weights
        File of ImageNet weights in the package's ``models/backbones``.
    skips_blocks
        Whether blocks can be skipped while training (`NetworkConfig.drop_path`).
    """

    name: str
    build: Build
    normalisation: Normalisation | None = IMAGENET
    key_map: KeyMap = field(default=lambda name: name)
    packaged_weights: str | None = None
    skips_blocks: bool = False

    def weights_path(self) -> Path:
        """Return the file of weights that the package carries.

        Raises
        ------
        CheckpointError
            If it carries none for this backbone.
        """
        if self.packaged_weights is None:
            carried = [name for name, spec in _SPECS.items() if spec.packaged_weights]
            raise CheckpointError(
                f"pretrained is 'imagenet', and the package carries no weights of backbone {self.name!r}; "
                f"expected one of {', '.join(carried)}, or the path of a .safetensors file."
            )
        folder = resources.files("napari_fashion").joinpath("models", "backbones")
        return Path(str(folder.joinpath(self.packaged_weights)))


_SPECS: dict[str, BackboneSpec] = {}
_LIBRARIES: dict[str, Callable[[str, bool], Any]] = {}


def register_backbone(
    name: str,
    *,
    normalisation: Normalisation = IMAGENET,
    key_map: KeyMap = lambda name: name,
    packaged_weights: str | None = None,
    skips_blocks: bool = False,
) -> Callable[[Build], Build]:
    """Register a function that builds a backbone; see `BackboneSpec`."""

    def register(build: Build) -> Build:
        assert name not in _SPECS, name
        _SPECS[name] = BackboneSpec(
            name, build, normalisation, key_map, packaged_weights, skips_blocks
        )
        return build

    return register


def register_library(prefix: str) -> Callable[[Callable[[str, bool], Any]], None]:
    """Register a function that builds ``PREFIX:NAME``, given the whole name and what `Build` is given."""

    def register(build: Callable[[str, bool], Any]) -> None:
        assert prefix not in _LIBRARIES, prefix
        _LIBRARIES[prefix] = build

    return register


def backbone_names() -> tuple[str, ...]:
    """Return the registered names, without those of the libraries."""
    return tuple(_SPECS)


def find_backbone(name: str) -> BackboneSpec:
    """Return the backbone of a name.

    Raises
    ------
    ValueError
        If the name is not registered and has no library's prefix. Whether the library knows the rest of
        the name is found out when it is built.
    """
    if name in _SPECS:
        return _SPECS[name]
    prefix, _, rest = name.partition(":")
    if rest and (build := _LIBRARIES.get(prefix)) is not None:
        return BackboneSpec(name, partial(build, name), None)
    known = [*_SPECS, *(f"{prefix}:NAME" for prefix in _LIBRARIES)]
    raise ValueError(f"found {shown(name)}; {did_you_mean(name, known)}")
