"""The folders outside a file's own that its images may lie in: those that a person agreed to.

A file can name any folder. One that it names is believed only where our own export or save wrote it on
this account, or a person agreed; two small lists in the user's state folder know which those are.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from napari_fashion.files import atomic_write
from napari_fashion.paths import state_folder

MAX_ROOTS = 200
"""Number of folders that the list keeps: the latest."""
MAX_FILES = 1000
"""Number of files whose folder is kept: the latest."""
_MAX_BYTES = 1 << 20
_unwritten: dict[Path, list[Any]] = {}
"""What this process could not write to a list, by the path of the list."""


def remembered_roots() -> tuple[str, ...]:
    """Return the folders, resolved, the latest last; what the list cannot keep only in this process."""
    path = _list_path()
    roots = (item for item in _read(path) if isinstance(item, str) and os.path.isabs(item))
    known = [root for root in roots if not is_too_wide(root)]
    return tuple([*known, *_unwritten.get(path, ())][-MAX_ROOTS:])


def remember_root(path: Path | str) -> None:
    """Remember that images may be read from a folder that a person gave, and what is below it.

    A whole drive and the home folder are not remembered (`is_too_wide`). Where the list cannot be
    written it is remembered until the process ends.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        root = os.path.realpath(path)
        known = remembered_roots()
        if root not in known and not is_too_wide(root):
            _write(_list_path(), [*known, root][-MAX_ROOTS:])


def remember_root_of(file: Path | str, root: Path | str) -> None:
    """Remember that one file, which we wrote, may read its images from a folder; no other file may.

    For a folder that nobody gave, but that the files which this one was made of may be read from.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        pair = [os.path.realpath(file), os.path.realpath(root)]
        known = _pairs()
        if pair not in known and not is_too_wide(pair[1]):
            others = [other for other in known if other[0] != pair[0]]
            _write(_pairs_path(), [*others, pair][-MAX_FILES:])


def is_root_of(file: Path | str, noted: str) -> bool:
    """Whether a file may read its images from the folder that it notes (`remember_root_of`).

    The note is compared as a text before the file system is asked about it.
    """
    try:
        path = os.path.realpath(file)
        root = os.path.normpath(os.path.join(os.path.dirname(path), noted))
        known = [path, root] in _pairs() and not is_too_wide(root)
        return known and os.path.realpath(root) == root
    except (OSError, ValueError, RuntimeError):
        return False


def _pairs() -> list[list[str]]:
    path = _pairs_path()
    found = [*_read(path), *_unwritten.get(path, ())]
    return [p for p in found if isinstance(p, list) and [type(v) for v in p] == [str, str]]


def _read(path: Path) -> list[Any]:
    found: object = None
    with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_BYTES else None
    return found if isinstance(found, list) else []


def _write(path: Path, kept: list[Any]) -> None:
    """Write a list; where that is not possible its last item is kept in this process."""
    try:
        atomic_write(path, (json.dumps(kept, indent=1) + "\n").encode())
    except OSError:
        _unwritten.setdefault(path, []).append(kept[-1])


def is_too_wide(folder: str) -> bool:
    """Whether a resolved folder is a whole drive, the home folder, or one that the home folder is in."""
    home = os.path.normcase(os.path.realpath(os.path.expanduser("~")))
    folder = os.path.normcase(folder)
    above = os.path.dirname(folder)
    return above == folder or home == folder or home.startswith(folder + os.sep)


def _list_path() -> Path:
    return state_folder() / "image-roots.json"


def _pairs_path() -> Path:
    return state_folder() / "image-roots-of-files.json"
