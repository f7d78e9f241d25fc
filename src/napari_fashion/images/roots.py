"""The folders outside a file's own that its images may lie in: those that a person agreed to.

A file can name any folder. One that it names is believed only where our own export or save wrote it on
this account, or a person agreed; a small list in the user's state folder knows which those are.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from napari_fashion.files import atomic_write
from napari_fashion.paths import state_folder

MAX_ROOTS = 200
"""Number of folders that the list keeps: the latest."""
_MAX_BYTES = 1 << 20
_unwritten: dict[Path, list[str]] = {}
"""Folders of this process while the list could not be written, by the path of the list."""


def remembered_roots() -> tuple[str, ...]:
    """Return the folders, resolved, the latest last; what the list cannot keep only in this process."""
    path = _list_path()
    found: object = None
    with contextlib.suppress(OSError, ValueError, RecursionError), path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_BYTES else None
    listed = found if isinstance(found, list) else []
    roots = (item for item in listed if isinstance(item, str) and os.path.isabs(item))
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
        if root in known or is_too_wide(root):
            return
        kept = [*known, root][-MAX_ROOTS:]
        target = _list_path()
        try:
            atomic_write(target, (json.dumps(kept, indent=1) + "\n").encode())
        except OSError:
            _unwritten.setdefault(target, []).append(root)


def is_too_wide(folder: str) -> bool:
    """Whether a resolved folder is a whole drive, the home folder, or one that the home folder is in."""
    home = os.path.normcase(os.path.realpath(os.path.expanduser("~")))
    folder = os.path.normcase(folder)
    above = os.path.dirname(folder)
    return above == folder or home == folder or home.startswith(folder + os.sep)


def _list_path() -> Path:
    return state_folder() / "image-roots.json"
