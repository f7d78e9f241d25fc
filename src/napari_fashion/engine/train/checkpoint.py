"""One checkpoint: the whole state of a run between two steps, in one safetensors file.

Tensors are ``network.*`` (the weights that learn), ``average.*`` (their moving average),
``optimiser.KEY.PARAMETER`` and ``random.cpu``, ``random.cuda``. Everything else is the `Manifest`, as
JSON in the header's text ``checkpoint``. The header's text ``sha256`` is the digest of the file with 64
zeros in its own place, so that a damaged file is noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from pydantic import ConfigDict, Field, ValidationError
from torch import Tensor

from napari_fashion import __version__
from napari_fashion.documents import ended, parse_json, shown, shown_path
from napari_fashion.engine.weights import Header, Shapes, read_header, read_weights
from napari_fashion.errors import CheckpointError
from napari_fashion.files import atomic_write, open_regular, why_unreadable
from napari_fashion.options import Options, told

FORMAT: Final = "napari-fashion checkpoint"
VERSION: Final = 1
EXPECTED = "a checkpoint of a training run"
_BLANK = "0" * 64
_CHUNK = 1 << 20

_KINDS = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


class DamagedCheckpointError(CheckpointError):
    """A checkpoint cannot be used, but an earlier one of the run may be."""


class Progress(Options):
    """How far a run has come.

    Attributes
    ----------
    epoch, step
        Number of those that are done.
    whole_epoch
        Whether the epoch that was done last ended with this step.
    seconds
        Of training, over all sessions.
    lr_factor
        Of the learning rate: below 1 after the divergence policy ``"back"``.
    """

    epoch: int = Field(ge=0, lt=1 << 53)
    step: int = Field(ge=0, lt=1 << 53)
    whole_epoch: bool
    seconds: float = Field(ge=0)
    lr_factor: float = Field(gt=0, le=1)


class About(Options):
    """What a run is about; a checkpoint of another one is refused, or noticed.

    Attributes
    ----------
    fingerprint
        Of the annotations.
    schema_digest, recipe_digest
        SHA-256 of their dictionary forms; empty in what older versions left.
    start
        Id of the model that the run started from; None if there is none.
    """

    fingerprint: str
    schema_digest: str
    recipe_digest: str
    start: str | None


class Validation(Options):
    """The latest validation of a run.

    Attributes
    ----------
    step
        Number of steps that were done.
    metrics
        Of the average of that step.
    """

    step: int = Field(ge=0, lt=1 << 53)
    metrics: dict[str, Any]


class Manifest(Options):
    """What a checkpoint holds beside tensors.

    Attributes
    ----------
    format, version
        `FORMAT` and `VERSION`.
    napari_fashion
        The version that wrote it.
    progress, about, validation
        See there; `validation` is None if there was none yet.
    optimiser
        The optimiser's kind.
    scalars
        Its values that are no tensors, by the names of parameters.
    scaler
        State of the gradient scaler; empty if there is none.
    state
        States of other parts of the run, by name: JSON values.
    good
        Whether the divergence guard calls the state good.
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal["napari-fashion checkpoint"] = FORMAT
    version: Literal[1] = VERSION
    napari_fashion: str = __version__
    progress: Progress
    about: About
    validation: Validation | None = None
    optimiser: str
    scalars: dict[str, dict[str, int | float]] = Field(default_factory=dict)
    scaler: dict[str, int | float] = Field(default_factory=dict)
    state: dict[str, dict[str, Any]] = Field(default_factory=dict)
    good: bool = True

    @property
    def error(self) -> float | None:
        """Normalised error of this very state on the validation images; None if it is not known."""
        if self.validation is None or self.validation.step != self.progress.step:
            return None
        value = self.validation.metrics.get("ne")
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A checkpoint in memory.

    Attributes
    ----------
    manifest
        See there.
    tensors
        By name, on the CPU.
    """

    manifest: Manifest
    tensors: dict[str, Tensor]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin with `prefix`, by the rest of their names."""
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}


def write_checkpoint(path: Path, manifest: Manifest, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint, whole or not at all.

    Tensors on the CPU are written from where they are; of those on a GPU one copy is made.

    Raises
    ------
    OSError
        If it cannot be written; what was there is then unharmed.
    ValueError
        If a value of the manifest is no JSON, such as a number that is not finite.
    """
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    names = sorted(held, key=lambda name: (-held[name].element_size(), name))
    text = json.dumps(manifest.model_dump(), allow_nan=False)
    header: dict[str, Any] = {"__metadata__": {"sha256": _BLANK, "checkpoint": text}}
    at = 0
    for name in names:
        tensor = held[name]
        end = at + tensor.numel() * tensor.element_size()
        shape = list(tensor.shape)
        header[name] = {"dtype": _KINDS[tensor.dtype], "shape": shape, "data_offsets": [at, end]}
        at = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    start = len(encoded).to_bytes(8, "little") + encoded
    data = [_bytes_of(held[name]) for name in names]
    digest = hashlib.sha256(start)
    for view in data:
        digest.update(view)
    start = start.replace(_BLANK.encode(), digest.hexdigest().encode(), 1)
    atomic_write(path, [start, *data])


def read_manifest(path: Path) -> Manifest:
    """Read what a checkpoint holds beside tensors; its digest is not looked at.

    Raises
    ------
    CheckpointError
        If it is no checkpoint.
    """
    return _parse(read_header(path), path)


def read_checkpoint(path: Path, check: Callable[[Shapes], None]) -> Checkpoint:
    """Read a checkpoint.

    Parameters
    ----------
    path
        Its file.
    check
        Called with the shapes that the header gives before the tensors are read; what it raises stops
        the reading.

    Raises
    ------
    DamagedCheckpointError
        If the file is not as it was written, or holds numbers that are not finite.
    CheckpointError
        If it is no checkpoint that this version reads.
    ValueError
        What `check` raises.
    """
    header = _intact_header(path)
    manifest = _parse(header, path)
    check(header.shapes)
    try:
        return Checkpoint(manifest, read_weights(path).tensors)
    except CheckpointError as error:
        raise DamagedCheckpointError(str(error)) from error


def _intact_header(path: Path) -> Header:
    try:
        header = read_header(path)
        claimed = header.metadata.get("sha256", "")
        digest = hashlib.sha256(header.raw.replace(claimed.encode(), _BLANK.encode(), 1))
        with open_regular(path) as stream:
            stream.seek(len(header.raw))
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except CheckpointError as error:
        raise DamagedCheckpointError(str(error)) from error
    except (OSError, ValueError, MemoryError) as error:
        raise DamagedCheckpointError(
            f"{shown_path(path)}: cannot be read ({why_unreadable(error)}); expected {EXPECTED}."
        ) from error
    if digest.hexdigest() != claimed:
        raise DamagedCheckpointError(
            f"{shown_path(path)}: is damaged (its bytes are not those that were written); expected "
            f"{EXPECTED}."
        )
    return header


def _parse(header: Header, path: Path) -> Manifest:
    text = header.metadata.get("checkpoint")
    if text is None:
        raise CheckpointError(
            f"{shown_path(path)}: its header has no text 'checkpoint'; expected {EXPECTED}."
        )
    where = f"{shown_path(path)}, its header's text 'checkpoint'"
    document = parse_json(text, where, CheckpointError, EXPECTED)
    if isinstance(document, dict) and document.get("version", VERSION) != VERSION:
        raise CheckpointError(
            f"{shown_path(path)}: format version {shown(document['version'])}; expected {VERSION}. Use "
            "the version of napari-fashion that wrote it."
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        raise CheckpointError(
            f"{shown_path(path)}: no state of a run: {ended(told(error, Manifest))}"
        ) from error


def _bytes_of(tensor: Tensor) -> memoryview:
    """Return the memory of a contiguous tensor on the CPU."""
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]
