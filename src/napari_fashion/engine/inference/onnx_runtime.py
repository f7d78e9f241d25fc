"""An exported network (ONNX) in ONNX Runtime, without torch.

The file comes from anywhere: its size is bounded, it must hold all of its weights itself, and its
inputs and outputs are compared with what its description says before an image is run.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import shown, shown_path
from napari_fashion.engine.inference.runtime import FieldArrays
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model_file import ModelFile
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.network.heads import HeadSpec, heads_of
from napari_fashion.errors import CheckpointError
from napari_fashion.files import read_regular, why_unreadable

MAX_BYTES = 1 << 30
"""An exported model has at most 1 GiB."""
INPUT = "images"
OUTPUTS = FieldArrays._fields

EXPECTED = "a network exported by napari-fashion export-model (ONNX)"


def import_onnx(name: str) -> ModuleType:
    """Import ``onnx`` or ``onnxruntime``.

    Raises
    ------
    CheckpointError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CheckpointError(
            f"Exported models (ONNX) need {name}, which is not installed ({error}). Install it: "
            "pip install 'napari-fashion[onnx]'."
        ) from error


class OnnxRuntime:
    """Run an exported network.

    Parameters
    ----------
    data
        The file's bytes.
    sizes
        Numbers K, E and C of landmarks, edges and categories.
    config
        The network's shape.
    path
        Named in errors.
    threads
        CPU threads; None for as many as there are cores.

    Raises
    ------
    CheckpointError
        If it is no such network, or one of other sizes.
    """

    device = "cpu"

    def __init__(
        self,
        data: bytes,
        sizes: tuple[int, int, int],
        config: NetworkConfig,
        path: Path,
        threads: int | None = None,
    ) -> None:
        self._path = path
        self._sizes = sizes
        self._stride = config.stride
        self._pif: HeadSpec
        self._paf: HeadSpec
        self._pif, self._paf, _ = heads_of(visibility=config.visibility)
        _refuse_external_data(data, path)
        ort = import_onnx("onnxruntime")
        options = ort.SessionOptions()
        options.log_severity_level = 4  # what is wrong is told as an error
        if threads:
            options.intra_op_num_threads = threads
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its errors share no class
            raise self._wrong(f"it cannot be read ({_first_line(error)})") from error
        self._check_interface()

    @classmethod
    def load(cls, file: ModelFile, threads: int | None = None) -> OnnxRuntime:
        """Load the network of a model's file."""
        path = file.weights
        try:
            data = read_regular(path, MAX_BYTES)
        except (OSError, ValueError, MemoryError) as error:
            raise CheckpointError(
                f"{shown_path(path)}: cannot be read ({why_unreadable(error)}); expected {EXPECTED}."
            ) from error
        file.check_digest(hashlib.sha256(data).hexdigest())
        config = file.description.network
        fields = Layers.of(file.schema, config.layers).field_schema
        sizes = (fields.n_landmarks, len(fields.edges), len(fields.categories))
        return cls(data, sizes, config, path, threads)

    def run(self, images: NDArray[np.uint8]) -> FieldArrays:
        """Compute the fields of a batch; see `Runtime`."""
        try:
            arrays = FieldArrays(*self._session.run(list(OUTPUTS), {INPUT: images}))
        except Exception as error:
            if isinstance(error, MemoryError):
                raise
            raise self._wrong(f"it cannot be run ({_first_line(error)})") from error
        landmarks, edges, categories = self._sizes
        batch, cells = len(images), tuple(side // self._stride for side in images.shape[1:3])
        expected = (
            (batch, landmarks, len(self._pif), *cells),
            (batch, edges, len(self._paf), *cells),
            (batch, categories, *cells),
        )
        for name, array, shape in zip(OUTPUTS, arrays, expected, strict=True):
            if array.shape != shape:
                raise self._wrong(f"{name} has the shape {array.shape}, not {shape}")
        return arrays

    def _check_interface(self) -> None:
        """Compare names, kinds and known sizes of inputs and outputs with the description."""
        landmarks, edges, categories = self._sizes
        expected = {
            INPUT: ("tensor(uint8)", {3: 3}, 4),
            "pif": ("tensor(float)", {1: landmarks, 2: len(self._pif)}, 5),
            "paf": ("tensor(float)", {1: edges, 2: len(self._paf)}, 5),
            "category": ("tensor(float)", {1: categories}, 4),
        }
        ends = [*self._session.get_inputs(), *self._session.get_outputs()]
        if [end.name for end in ends] != list(expected):
            raise self._wrong(f"it has {shown([end.name for end in ends])}, not {list(expected)}")
        for end in ends:
            kind, sizes, rank = expected[end.name]
            shape: list[Any] = list(end.shape)
            known = len(shape) == rank and all(
                shape[axis] == size or not isinstance(shape[axis], int)
                for axis, size in sizes.items()
            )
            if end.type != kind or not known:
                raise self._wrong(
                    f"{end.name} is {end.type} of the shape {shown(shape)}, not {kind} with {sizes}"
                )

    def _wrong(self, what: str) -> CheckpointError:
        return CheckpointError(
            f"{shown_path(self._path)}: {what}; expected {EXPECTED}. Export the model again."
        )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _tensors(graph: Any, nodes: Sequence[Any] = ()) -> Iterator[Any]:
    """Yield every tensor of a graph, of the graphs in its nodes, and of other nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in (*graph.node, *nodes):
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer or inner.sparse_initializer:
                    yield from _tensors(inner)


def _refuse_external_data(data: bytes, path: Path) -> None:
    """Refuse a file that names other files, wherever in it a tensor stands."""
    onnx = import_onnx("onnx")
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:
        raise CheckpointError(
            f"{shown_path(path)}: it cannot be read ({_first_line(error)}); expected {EXPECTED}."
        ) from error
    nodes = [node for function in model.functions for node in function.node]
    for tensor in _tensors(model.graph, nodes):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise CheckpointError(
                f"{shown_path(path)}: {shown(tensor.name)} lies in another file; expected {EXPECTED}, with "
                "all weights in itself."
            )
