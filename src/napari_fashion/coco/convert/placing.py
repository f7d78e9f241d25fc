"""Putting the images of a converted data set beside its documents: hard links, symbolic links, copies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError

FOLDER: Final = "images"
"""Folder beside the documents that images are put into."""


def _symlink(source: Path, target: Path) -> None:
    os.symlink(os.path.realpath(source), target)


def _hardlink(source: Path, target: Path) -> None:
    os.link(os.path.realpath(source), target)  # of the file, where the data set has a link


_WAYS: dict[str, Callable[[Path, Path], object]] = {
    "hardlink": _hardlink,
    "symlink": _symlink,
    "copy": shutil.copyfile,
}


def place_image(source: Path, target: Path, way: str, *, overwrite: bool) -> None:
    """Link or copy an image.

    A target that is the very file already is left as it is; another one is replaced only if it may be.

    Parameters
    ----------
    source
        The data set's file.
    target
        Where it is to be; folders are made.
    way
        ``hardlink``, ``symlink`` or ``copy``.
    overwrite
        Whether an existing file may be replaced.

    Raises
    ------
    ConvertError
        If there is another file, or the system refuses.
    """
    temporary = target.with_name(f".fashion-{os.getpid()}.tmp")
    try:
        if os.path.lexists(target):
            if os.path.exists(target) and os.path.samefile(source, target):
                return
            if not overwrite:
                raise ConvertError(
                    f"{target}: exists already, and is another file than {source}; expected a free name. "
                    "Give another --out, or --overwrite."
                )
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)
        _WAYS[way](source, temporary)
        os.replace(temporary, target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        others = ", ".join(name for name in ("leave", *_WAYS) if name != way)
        raise ConvertError(
            f"{target}: cannot be made a {shown(way)} of {source} ({error.strerror or error}). Check the "
            f"folder and the space on the disk, or choose another --image-files: {others}."
        ) from error
