"""Reading safetensors files from anywhere: everything is looked at before anything is allocated.

The header says what the file holds. It is checked against the size of the file and, where it is known,
against the tensors that are expected; only then are the bytes read. Weights are never unpickled.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from safetensors import SafetensorError

from napari_fashion.documents import parse_json, shown, shown_path
from napari_fashion.errors import CheckpointError
from napari_fashion.files import open_regular, why_unreadable

if TYPE_CHECKING:
    from torch import Tensor, nn

MAX_HEADER = 16 << 20
"""A header is read up to 16 MiB: some 150,000 tensors."""
EXPECTED = "weights in safetensors form"

_BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Header:
    """What the header of a safetensors file says.

    Attributes
    ----------
    shapes
        Of the tensors, by name.
    metadata
        Its texts.
    raw
        The file's bytes before the tensors.
    """

    shapes: Shapes
    metadata: dict[str, str]
    raw: bytes


@dataclass(frozen=True)
class Weights:
    """What a safetensors file holds.

    Attributes
    ----------
    tensors
        By name.
    metadata
        Texts of its header.
    sha256
        Of the file, hexadecimal.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    sha256: str


def read_header(path: Path) -> Header:
    """Read the header of a safetensors file, and check it against the file's size.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or its header is none or contradicts its size.
    """
    with _reading(path), open_regular(path) as stream:
        return _read_header(stream, path)[0]


def read_weights(path: Path, shapes: Callable[[Shapes], None] = lambda found: None) -> Weights:
    """Read a safetensors file.

    Parameters
    ----------
    path
        A regular file, or a link to one.
    shapes
        Called with the shapes that the header gives before the tensors are read; what it raises stops
        the reading.

    Raises
    ------
    CheckpointError
        If the file cannot be read, its header is none or contradicts its size, or a number in it is not
        finite.
    """
    with _reading(path), open_regular(path) as stream:
        header, room = _read_header(stream, path)
        shapes(header.shapes)
        data = header.raw + stream.read(room)
    from safetensors.torch import load

    try:
        tensors = load(data)
    except (SafetensorError, ValueError, RuntimeError, OverflowError) as error:
        raise _wrong(path, f"it cannot be read ({str(error).splitlines()[0][:200]})") from error
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise _wrong(path, f"{shown(name)} holds numbers that are not finite")
    return Weights(tensors, header.metadata, hashlib.sha256(data).hexdigest())


def expect_shapes_of(
    network: nn.Module, path: Path, whose: str, remedy: str
) -> Callable[[Shapes], None]:
    """Return a check for `read_weights`: the tensors are exactly those of a network.

    Parameters
    ----------
    network
        It may be on torch's ``meta`` device, where it has shapes and no memory.
    path
        Named in errors.
    whose, remedy
        For errors: what the network is of, and what to do.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}

    def check(found: Shapes) -> None:
        wrong = next((n for n in {**expected, **found} if expected.get(n) != found.get(n)), None)
        if wrong is None:
            return
        there, wanted = (
            f"{list(shapes[wrong])}" if wrong in shapes else "none" for shapes in (found, expected)
        )
        raise CheckpointError(
            f"{shown_path(path)}: these weights are not of the network that {whose} ({shown(wrong)} has "
            f"the shape {there[:100]}; expected {wanted[:100]}). {remedy}"
        )

    return check


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors of the system while a file is read into one sentence."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:
        raise CheckpointError(
            f"{shown_path(path)}: cannot be read ({why_unreadable(error)}); expected {EXPECTED}."
        ) from error


def _read_header(stream: BinaryIO, path: Path) -> tuple[Header, int]:
    """Return the header of an open file, and the number of bytes behind it."""
    size = stream.seek(0, 2)
    stream.seek(0)
    raw = _read_header_bytes(stream, size, path)
    header = parse_json(raw[8:], f"{path}: its header", CheckpointError, EXPECTED)
    shapes, metadata = _checked(header, size - len(raw), path)
    return Header(shapes, metadata, raw), size - len(raw)


def _read_header_bytes(stream: BinaryIO, size: int, path: Path) -> bytes:
    """Return the file's beginning: eight bytes that say how long the header is, and the header."""
    first = stream.read(8)
    length = int.from_bytes(first, "little")
    if len(first) < 8 or not 2 <= length <= size - 8:
        kind = (
            "pickled data" if first[:1] == b"\x80" or first[:4] == b"PK\3\4" else f"{size:,} bytes"
        )
        raise _wrong(path, f"found {kind} without a header")
    if length > MAX_HEADER:
        raise _wrong(path, f"its header has {length:,} bytes, and at most {MAX_HEADER:,} are read")
    header = stream.read(length)
    if header[:1] != b"{":
        raise _wrong(path, f"its header begins with {shown(header[:20])}")
    return first + header


def _checked(
    header: Any, room: int, path: Path
) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return the shapes and the texts of a header that fits the `room` behind it, in bytes."""
    if not isinstance(header, dict):
        raise _wrong(path, f"its header is {shown(header)}")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise _wrong(path, f"its header's texts are {shown(metadata)}")
    shapes: dict[str, tuple[int, ...]] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        entry = entry if isinstance(entry, dict) else {}
        values: list[Any] = [entry.get(key) for key in ("dtype", "shape", "data_offsets")]
        kind, shape, span = values
        if not isinstance(kind, str) or kind not in _BYTES:
            raise _wrong(path, f"{shown(name)} has numbers of the kind {shown(kind)}")
        if not _whole(shape) or len(shape) > 8:
            raise _wrong(path, f"{shown(name)} has the shape {shown(shape)}")
        if (
            not _whole(span)
            or len(span) != 2
            or span[1] - span[0] != _BYTES[kind] * math.prod(shape)
        ):
            raise _wrong(
                path, f"{shown(name)}, {kind} of the shape {shown(shape)}, lies at {shown(span)}"
            )
        shapes[name] = tuple(shape)
        spans.append((span[0], span[1]))
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise _wrong(path, f"its tensors overlap or leave gaps at byte {start:,}")
        at = end
    if at != room:
        raise _wrong(path, f"its tensors take {at:,} bytes, and the file has {room:,} for them")
    return shapes, metadata


def _whole(value: object) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 40 for n in value)


def _wrong(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{shown_path(path)}: {what}; expected {EXPECTED}. Weights are never unpickled, and a file "
        "that came in part has to be fetched again."
    )
