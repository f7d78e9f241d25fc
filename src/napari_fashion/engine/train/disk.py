"""What a run says when its folder cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_fashion.errors import CheckpointError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of writing a file of a run into one sentence.

    Parameters
    ----------
    path
        The file; its folder, or the one above it, is the run's.

    Raises
    ------
    CheckpointError
        If it cannot be written: the disk is full, or the folder is not to be written to.
    """
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be written ({error.strerror or error}); expected a folder that can be "
            "written to, with room on its disk. What was saved before is unharmed. Make room, then "
            "go on with --resume; a run without a checkpoint begins anew."
        ) from error
