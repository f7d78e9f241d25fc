"""Fields that were computed once, kept on the disk by image and model within a limit."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.fields import Fields
from napari_fashion.files import atomic_write

LIMIT = 1 << 30
"""Bytes: some 400 images of 400 x 533 pixels and 8 landmarks."""
SUFFIX = ".npz"
_FORM = 1
_VECTORS = ("pif_xy", "paf_xy1", "paf_xy2")
_ARRAYS = (
    "pif_confidence",
    "pif_spread",
    "pif_size",
    "paf_confidence",
    "paf_spread1",
    "paf_spread2",
    "category",
    *_VECTORS,
)


class FieldCache:
    """The fields of images, a file each; those that were not used for longest go first.

    Several programs may use one folder. What cannot be read is as if it were not there, and what
    cannot be written is not kept: the fields can always be computed again.

    Values are kept in half precision, and positions relative to their cell: what is near its cell
    moves by less than 0.002 cells.

    Parameters
    ----------
    folder
        Made when it is needed.
    limit
        Bytes of all files.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder = folder
        self.limit = limit

    def read(self, key: str) -> Fields | None:
        """Return what is kept under a key of `key_of`; None if nothing is, or it is damaged."""
        path = self._path(key)
        try:
            with path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_size > self.limit:
                    return None
                data = stream.read()
            fields = _decoded(data)
        except FileNotFoundError:
            return None
        except Exception:  # a damaged file raises nearly anything
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used just now
        return fields

    def write(self, key: str, fields: Fields) -> None:
        """Keep fields, and drop those that were not used for longest where they are too many."""
        data = _encoded(fields)
        if len(data) > self.limit:
            return
        with contextlib.suppress(OSError):
            atomic_write(self._path(key), data)
            self._shrink()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _shrink(self) -> None:
        files = []
        for entry in os.scandir(self.folder):
            with contextlib.suppress(OSError):  # another program dropped it
                status = entry.stat()
                files.append((status.st_mtime_ns, status.st_size, entry.path))
        size = sum(one[1] for one in files)
        for _, bytes_, path in sorted(files):
            if size <= self.limit:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
            size -= bytes_


def key_of(image_digest: str, *, model: str) -> str:
    """Return what the fields of an image are kept under.

    Parameters
    ----------
    image_digest
        Of the file's bytes, and of what else decides how it is read.
    model
        The model's id and whatever changes the fields that it computes.
    """
    text = "\n".join((str(_FORM), image_digest, model))
    return hashlib.sha256(text.encode()).hexdigest()


def _cells(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the position of each cell of (..., 2, H, W), x then y."""
    y, x = np.mgrid[: shape[-2], : shape[-1]]
    return np.stack([x, y]).astype(np.float32)


def _encoded(fields: Fields) -> bytes:
    arrays: dict[str, NDArray[Any]] = {name: getattr(fields, name) for name in _ARRAYS}
    for name in _VECTORS:
        arrays[name] = arrays[name] - _cells(arrays[name].shape)
    if fields.pif_visible is not None:
        arrays["pif_visible"] = fields.pif_visible
    most = np.finfo(np.float16).max
    kept: dict[str, Any] = {
        name: array.clip(-most, most).astype(np.float16) for name, array in arrays.items()
    }
    buffer = io.BytesIO()
    np.savez(
        buffer,
        edges=np.array(fields.edges, np.int64).reshape(-1, 2),
        geometry=np.array([fields.scale, fields.offset], np.float64),
        member=np.array(fields.member),
        **kept,
    )
    return buffer.getvalue()


def _decoded(data: bytes) -> Fields:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # A damaged header must not ask for more memory than the file accounts for.
        if sum(info.file_size for info in archive.infolist()) > 2 * len(data):
            raise ValueError("unpacks to more than it has")
    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        values: dict[str, Any] = {name: found[name].astype(np.float32) for name in _ARRAYS}
        for name in _VECTORS:
            values[name] += _cells(values[name].shape)
        (sx, sy), (ox, oy) = found["geometry"].tolist()
        fields = Fields(
            **values,
            edges=tuple((int(a), int(b)) for a, b in found["edges"]),
            scale=(sx, sy),
            offset=(ox, oy),
            member=str(found["member"]),
        )
        if "pif_visible" in found:
            fields = replace(fields, pif_visible=found["pif_visible"].astype(np.float32))
    return fields
