"""Export a model to ONNX.

The network is written with its activations, for images of any size, and checked against torch. The model's
description (JSON) is written beside it; `predict` then needs no torch.
"""

from __future__ import annotations

import argparse

from napari_fashion.cli import parsing, status, terminal
from napari_fashion.cli.outputs import Outputs
from napari_fashion.errors import FashionError

EXAMPLES = (
    "napari-fashion export-model bundled --out exported.onnx",
    "napari-fashion export-model runs/mine --out mine.onnx   # then: predict photos/ --model mine.onnx",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", type=parsing.name, help=f"{parsing.MODELS}, a run folder or a model file"
    )
    parser.add_argument(
        "--out", type=parsing.path, required=True, metavar="FILE.onnx",
        help="file to write; its description is written beside it, as FILE.json",
    )  # fmt: skip
    parsing.add_overwrite(parser)


def run(options: argparse.Namespace) -> int:
    """Export; return the exit status."""
    outputs = Outputs([], overwrite=options.overwrite)
    outputs.reads_models([options.model])
    outputs.file(options.out, "--out", suffix=".onnx")
    if options.out.suffix != ".onnx":
        raise FashionError(
            f"--out is {terminal.plain(str(options.out))}; expected a name that ends in .onnx, in small "
            "letters."
        )
    outputs.file(options.out.with_suffix(".json"), "the model's description")

    from napari_fashion.engine.model import Model

    model = Model.load(options.model, "cpu", "torch")

    from napari_fashion.engine.export import export_model

    description = export_model(model, options.out)
    terminal.notify(f"{options.out} and {description}: {model.id}, checked against torch")
    return status.DONE
