"""Writing a document to a file: whole or not at all, never over an existing file unless told to."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from napari_fashion.errors import CocoError
from napari_fashion.files import FileState, atomic_write, checked_path, is_file

_log = logging.getLogger(__name__)


def write_file(
    chunks: Iterable[bytes | memoryview],
    path: Path,
    *,
    source: Path | None = None,
    overwrite: bool = False,
    streamed: bool = False,
    before_replace: Callable[[FileState, Path], None] | None = None,
) -> FileState:
    """Write a file whole or not at all, never over an existing one unless told to (`atomic_write`).

    Raises
    ------
    CocoError
        If the file exists and `overwrite` is not given, or it cannot be written.
    """
    path = checked_path(path)
    try:
        if os.path.isdir(path):
            raise CocoError("is a folder; expected the name of a file to write.", path=path)
        if not overwrite and os.path.lexists(path):
            is_source = source is not None and is_file(source) and path.samefile(source)
            what = "is the file that the data set was read from" if is_source else "exists already"
            raise CocoError(
                f"{what}; nothing was written.",
                path=path,
                remedy="Choose another name, or allow it to be overwritten.",
            )
        began = time.perf_counter()
        state = atomic_write(
            path, chunks, overwrite=overwrite, streamed=streamed, before_replace=before_replace
        )
    except OSError as error:
        raise CocoError(
            f"cannot be written ({error.strerror or error}); what was there before is unchanged.",
            path=path,
            remedy="Check the folder and the space on the disk, or choose another name.",
        ) from error
    _log.info("%s: wrote %d bytes, %.2f s", path, state.stamp[2], time.perf_counter() - began)
    return state
