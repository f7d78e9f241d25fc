"""Classifiers of torchvision and timm as backbones, by name: what gives strides 8, 16 and 32."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from napari_fashion.documents import closest, listed, shown
from napari_fashion.engine.network.backbones.backbone import Backbone
from napari_fashion.engine.network.backbones.registry import IMAGENET, Normalisation
from napari_fashion.engine.network.vision import import_library
from napari_fashion.errors import CheckpointError

STRIDES = (8, 16, 32)
MAX_PARAMETERS = 100_000_000
"""A torchvision network has at most this number of parameters: a model file names it before its weights are
looked at."""
_SIDE = 128
"""Side of the image by which strides are found, pixels."""


class LibraryBackbone(Backbone):
    """A library's network, whose weights keep the names that they are published with.

    Parameters
    ----------
    body
        Returns features, in a list or by name, the finest first.
    channels, strides, normalisation
        See `Backbone`.
    """

    foldable = (
        False  # what stands behind a convolution need not take its output, or does more than norm
    )

    def __init__(
        self,
        body: nn.Module,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
        normalisation: Normalisation = IMAGENET,
    ) -> None:
        super().__init__()
        self.body = body
        self.channels = channels
        self.strides = strides
        self.normalisation = normalisation

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features of each stride."""
        features: Any = self.body(x)
        return list(features.values()) if isinstance(features, dict) else list(features)

    def own_name(self, published: str) -> str | None:
        """Return the name here of a published tensor; timm joins the outer names with underscores."""
        own = {name for name, _ in self.named_parameters()} | {n for n, _ in self.named_buffers()}
        parts = published.split(".")
        spelled = ("_".join(parts[:i]) + "." + ".".join(parts[i:]) for i in range(1, len(parts)))
        return next((f"body.{name}" for name in spelled if f"body.{name}" in own), None)


def build(name: str, keep_stride_16: bool) -> LibraryBackbone:
    """Build ``torchvision:NAME`` or ``timm:NAME`` with random weights.

    Raises
    ------
    CheckpointError
        If the library is not installed, does not know the name, or the network has no features of
        strides 8, 16 and 32 in the form (B, C, H, W).
    """
    library, _, network = name.partition(":")
    try:
        module = import_library(library)
    except ImportError as error:
        raise CheckpointError(
            f"Backbone {name!r} needs {library}, which is not installed ({error}). Install it: "
            f"pip install 'napari-fashion[{library}]'."
        ) from error
    make = _timm if library == "timm" else _torchvision
    device = torch.get_default_device()
    try:
        return make(module, name, network, keep_stride_16)
    except NotImplementedError:  # some read numbers from tensors, which meta tensors do not have
        if device.type != "meta":
            raise
        with torch.device("cpu"):
            return make(module, name, network, keep_stride_16).to(device)


def _torchvision(library: Any, name: str, network: str, keep_stride_16: bool) -> LibraryBackbone:
    """Cut a network's graph behind the last module of each stride."""
    known = library.models.list_models(module=library.models)
    if network not in known:
        raise _unknown(name, network, known)
    parameters = library.models.get_model_weights(network).DEFAULT.meta["num_params"]
    if parameters > MAX_PARAMETERS:
        raise CheckpointError(
            f"Backbone {name!r} has {parameters:,} parameters; expected at most {MAX_PARAMETERS:,}."
        )
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of initial values that are replaced, and of training's nodes
        net = library.models.get_model(network, weights=None)
        calls = _calls(net)
        ends = _stage_ends(net, calls)
        if len(ends) != len(STRIDES):
            raise _no_features(name, [call.stride for call in ends])
        if keep_stride_16:
            _keep_stride_16(name, net, calls, ends[-1])
        extraction = import_library("torchvision.models.feature_extraction")
        nodes = {end.module: str(i) for i, end in enumerate(ends)}
        body = extraction.create_feature_extractor(net, nodes)
    channels = tuple(end.channels for end in ends)
    return LibraryBackbone(body, channels, (8, 16, 16 if keep_stride_16 else 32))


class _Call(NamedTuple):
    """What a module did to an image of side `_SIDE`."""

    module: str
    stride_in: int
    stride: int
    channels: int


def _calls(net: nn.Module) -> list[_Call]:
    """Return what every module that gives square features did, in the order of their ends."""
    calls: list[_Call] = []

    def note(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            first = inputs[0] if inputs else None
            if isinstance(first, Tensor) and isinstance(output, Tensor) and output.ndim == 4:
                side = output.shape[-1]
                if side == output.shape[-2] and _SIDE % side == 0 and first.ndim == 4:
                    coarse = _SIDE // first.shape[-1]
                    calls.append(_Call(name, coarse, _SIDE // side, output.shape[1]))

        return hook

    hooks = [m.register_forward_hook(note(name)) for name, m in net.named_modules() if name]
    training = net.training
    device = next(net.parameters()).device
    try:
        with torch.no_grad():
            net.eval()(torch.zeros(1, 3, _SIDE, _SIDE, device=device))
    except (RuntimeError, ValueError, AssertionError, TypeError):
        return []  # a network for images of one size alone
    finally:
        net.train(training)
        for hook in hooks:
            hook.remove()
    return calls


def _stage_ends(net: nn.Module, calls: list[_Call]) -> list[_Call]:
    """Return the last module of each stride that is not inside a block.

    Modules in sequences are stages and blocks. A block that reduces the features late begins at the
    stride of the stage before it, and what it has inside is not that stage's.
    """
    modules = dict(net.named_modules())

    def outside_blocks(name: str) -> bool:
        parts = name.split(".")[:-1]
        outer = (".".join(parts[: i + 1]) for i in range(len(parts)))
        return all(isinstance(modules[parent], nn.Sequential) for parent in outer)

    last = {call.stride: call for call in calls if outside_blocks(call.module)}
    return [last[stride] for stride in STRIDES if stride in last]


def _keep_stride_16(name: str, net: nn.Module, calls: list[_Call], end: _Call) -> None:
    """Give the convolutions that lead to stride 32 stride 1."""
    modules = dict(net.named_modules())
    for call in calls:
        module = modules[call.module]
        if (call.stride_in, call.stride) == (16, 32) and isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
    if not any(call.module == end.module and call.stride == 16 for call in _calls(net)):
        raise CheckpointError(
            f"Backbone {name!r} reaches stride 32 by more than strided convolutions, and cannot keep "
            "stride 16; expected neck = 'sum' with it."
        )


def _timm(library: Any, name: str, network: str, keep_stride_16: bool) -> LibraryBackbone:
    known = library.list_models()
    if network.partition(".")[0] not in known:
        raise _unknown(name, network, known)
    try:
        probe = library.create_model(network, features_only=True, pretrained=False)
        reductions = list(probe.feature_info.reduction())
        indices = [reductions.index(stride) for stride in STRIDES]
        options = {"output_stride": 16} if keep_stride_16 else {}
        body = library.create_model(
            network, features_only=True, pretrained=False, out_indices=indices, **options
        )
    except (AssertionError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise _no_features(
            name, [], str(error).splitlines()[0][:200] if str(error) else ""
        ) from error
    strides = tuple(body.feature_info.reduction())
    if keep_stride_16 and strides[-1] != 16:
        raise _no_features(name, list(strides), "the last stage cannot keep stride 16")
    given = probe.pretrained_cfg
    normalisation = Normalisation(tuple(given["mean"]), tuple(given["std"]))
    return LibraryBackbone(body, tuple(body.feature_info.channels()), strides, normalisation)


def _unknown(name: str, network: str, known: Sequence[str]) -> CheckpointError:
    near = closest(network, known)
    library = name.partition(":")[0]
    meant = f"did you mean {library}:{near}?" if near else f"expected one of {listed(known)}."
    return CheckpointError(f"Backbone {shown(name)} is not known to its library; {meant}")


def _no_features(name: str, found: list[int], reason: str = "") -> CheckpointError:
    what = f"found {', '.join(map(str, found)) or 'none that can be read'}"
    return CheckpointError(
        f"Backbone {name!r} gives no features of strides 8, 16 and 32 ({reason or what}); expected a "
        "convolutional classifier, such as torchvision:regnet_y_400mf."
    )
