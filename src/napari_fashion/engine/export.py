"""Models exported to ONNX: the network with its activations, for images of any size."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
import logging
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from napari_fashion.engine.inference.onnx_runtime import INPUT, OUTPUTS, OnnxRuntime, import_onnx
from napari_fashion.engine.inference.torch_runtime import TorchRuntime
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import write_description
from napari_fashion.engine.network.activation import activate
from napari_fashion.engine.network.folding import fold_norms
from napari_fashion.engine.network.network import Network
from napari_fashion.engine.network.vision import may_load_triton
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write

TOLERANCE = 1e-4
"""Largest difference from torch's fields: absolute, or relative for values above 1."""

_log = logging.getLogger(__name__)

_SHAPES = (
    (1, 1, 1),
    (2, 2, 3),
    (3, 7, 5),
)  # batch, height, width; in what the input is a multiple of


class ExportedNetwork(nn.Module):
    """A network from (B, H, W, 3) uint8 RGB to activated fields."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = fold_norms(network)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the fields, as `FieldArrays` has them."""
        raw = self.network(images.permute(0, 3, 1, 2).float())
        pif, paf, category = activate(raw, bounded_spread=self.network.config.bounded_spread)
        return pif, paf, category


def export_model(model: Model, path: Path) -> Path:
    """Write a model as ``<path>`` (ONNX) and its description as JSON beside it.

    The network is run in ONNX Runtime on random images of several sizes before anything is written.

    Parameters
    ----------
    model
        In torch.
    path
        Of the ONNX file.

    Returns
    -------
    Path of the description.

    Raises
    ------
    CheckpointError
        If onnx or onnxruntime is not installed, the network cannot be exported, or the exported one
        computes other fields (`TOLERANCE`).
    """
    import_onnx("onnx")
    data = _exported(model)
    _check(model, data, path)
    atomic_write(path, data)
    description = path.with_suffix(".json")
    write_description(
        description,
        model.info,
        model.config,
        model.schema,
        model_id=model.id,
        weights="onnx",
        weights_sha256=hashlib.sha256(data).hexdigest(),
        parameters=sum(p.numel() for p in model.network.parameters()),
    )
    return description


def _exported(model: Model) -> bytes:
    """Return the network as ONNX, with its metadata."""
    network = ExportedNetwork(copy.deepcopy(model.network).cpu()).eval()
    multiple = model.config.multiple
    images = torch.zeros(2, 3 * multiple, 4 * multiple, 3, dtype=torch.uint8)
    # torch.export loads triton, which a process with a window does not survive.
    by_graph = importlib.util.find_spec("onnxscript") is not None and may_load_triton()
    exporters = [_by_graph] if by_graph else []
    failed: Exception | None = None
    for exporter in [*exporters, _by_trace]:
        try:
            data = exporter(network, images)
        except Exception as error:  # of torch's exporters, whose errors share no class
            _log.info("%s failed: %s", exporter.__name__, error)
            failed = error
        else:
            return _with_metadata(data, model)
    raise CheckpointError(
        f"{model.id}: torch {torch.__version__} cannot export its network "
        f"({str(failed).splitlines()[0][:200] if str(failed) else type(failed).__name__}). Use another "
        "version of torch, or a model with a registered backbone."
    ) from failed


def _by_graph(network: nn.Module, images: Tensor) -> bytes:
    """Export by torch.export; it needs onnxscript."""
    dynamic = torch.export.Dim.DYNAMIC
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network,
            (images,),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: dynamic, 1: dynamic, 2: dynamic},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    data: bytes = program.model_proto.SerializeToString()
    return data


def _by_trace(network: nn.Module, images: Tensor) -> bytes:
    """Export by TorchScript, which older versions of torch do better."""
    axes = {0: "batch", 1: "height", 2: "width"}
    with warnings.catch_warnings(), torch.no_grad(), TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (images,),
            Path(folder, "network.onnx"),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_axes={INPUT: axes},
            opset_version=17,
            dynamo=False,
        )
        return Path(folder, "network.onnx").read_bytes()


def _with_metadata(data: bytes, model: Model) -> bytes:
    onnx = import_onnx("onnx")
    proto = onnx.load_model_from_string(data)
    proto.producer_name = "napari-fashion"
    onnx.helper.set_model_props(
        proto,
        {
            "napari_fashion_model": model.id,
            "stride": str(model.config.stride),
            "multiple": str(model.config.multiple),
            "landmarks": "\n".join(model.schema.landmarks),
            "categories": "\n".join(model.schema.category_names),
        },
    )
    serialised: bytes = proto.SerializeToString()
    return serialised


def _check(model: Model, data: bytes, path: Path) -> None:
    """Run the exported network and torch's on random images; compare their fields."""
    sizes = model.network.sizes
    exported = OnnxRuntime(data, sizes, model.config, path)
    trained = TorchRuntime(model.network, torch.device("cpu"))
    random = np.random.default_rng(0)
    for batch, height, width in _SHAPES:
        shape = (batch, height * model.config.multiple, width * model.config.multiple, 3)
        images = random.integers(0, 256, shape, dtype=np.uint8)
        for name, found, expected in zip(
            OUTPUTS, exported.run(images), trained.run(images), strict=True
        ):
            off = np.abs(found - expected) / np.maximum(np.abs(expected), 1)
            if not (off <= TOLERANCE).all():  # negated so that NaN is refused too
                raise CheckpointError(
                    f"{path}: nothing was written. The exported network's {name} is {off.max():.2g} off "
                    f"torch's on images of {shape[2]} x {shape[1]} pixels; expected at most "
                    f"{TOLERANCE:g}. Another version of torch, onnx or onnxruntime may do better."
                )
