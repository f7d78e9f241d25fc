"""Batch norms folded into the convolutions before them, for inference."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from napari_fashion.engine.network.backbones.backbone import Backbone
from napari_fashion.engine.network.network import Network


def fold_norms(network: Network) -> Network:
    """Return a copy for inference, whose batch norms are part of the convolutions before them.

    The same fields, but for rounding, in less time on a CPU (`benchmarks/bench_model.py`). Backbones that
    are not `foldable` keep theirs.
    """
    folded = copy.deepcopy(network).eval()
    _fold(folded)
    return folded


def _fold(module: nn.Module) -> None:
    if isinstance(module, Backbone) and not module.foldable:
        return
    before: tuple[str, nn.Module] = ("", module)
    for name, child in list(module.named_children()):
        if type(child) is nn.BatchNorm2d and isinstance(before[1], nn.Conv2d):
            setattr(module, before[0], fuse_conv_bn_eval(before[1], child))
            setattr(module, name, nn.Identity())
        else:
            _fold(child)
        before = (name, child)
