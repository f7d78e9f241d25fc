"""Backbones by name: what each is, without building one (no torch here).

A backbone is registered with what has to be known before it is built (its normalisation, the weights that
the package carries, whether its blocks can be skipped) and a function that builds it. Names with a prefix,
``torchvision:NAME`` and ``timm:NAME``, are classifiers of those libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from napari_fashion.documents import did_you_mean, shown
from napari_fashion.errors import CheckpointError

if TYPE_CHECKING:
    from napari_fashion.engine.network.backbones.backbone import Backbone

LIBRARIES = ("torchvision", "timm")
"""Prefixes of names that a library knows."""

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of RGB values in 0..1 that a backbone's published weights expect."""

    mean: Triple
    std: Triple


IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Of torchvision's weights."""

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
        Called with whether the last stage keeps stride 16; returns it with random weights.
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
    build: Callable[[bool], Backbone]
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


def register_backbone(
    name: str,
    *,
    normalisation: Normalisation = IMAGENET,
    key_map: KeyMap = lambda name: name,
    packaged_weights: str | None = None,
    skips_blocks: bool = False,
) -> Callable[[Callable[[bool], Backbone]], Callable[[bool], Backbone]]:
    """Register a function that builds a backbone; see `BackboneSpec`."""

    def register(build: Callable[[bool], Backbone]) -> Callable[[bool], Backbone]:
        assert name not in _SPECS, name
        _SPECS[name] = BackboneSpec(
            name, build, normalisation, key_map, packaged_weights, skips_blocks
        )
        return build

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
    library, _, rest = name.partition(":")
    if library in LIBRARIES and rest:
        return BackboneSpec(name, lambda keep: _build_from_library(name, keep), None)
    known = [*_SPECS, *(f"{library}:NAME" for library in LIBRARIES)]
    raise ValueError(f"found {shown(name)}; {did_you_mean(name, known)}")


def _build_from_library(name: str, keep_stride_16: bool) -> Backbone:
    from napari_fashion.engine.network.backbones import library

    return library.build(name, keep_stride_16)
