"""The folders outside a file's own that its images may lie in: those that a person agreed to.

A file can name any folder. One that it names is believed only where our own export or save wrote it on
this account, or a person said yes; a small list in the user's state folder knows which those are.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import platformdirs

from napari_fashion.files import atomic_write

MAX_ROOTS = 200
"""The list keeps so many, the latest."""
_MAX_BYTES = 1 << 20


def remembered_roots() -> tuple[str, ...]:
    """Return the folders, resolved, the latest last; none where the list cannot be read."""
    try:
        with _list_path().open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        found = json.loads(data) if len(data) <= _MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return ()
    if not isinstance(found, list):
        return ()
    return tuple(item for item in found if isinstance(item, str) and os.path.isabs(item))[
        -MAX_ROOTS:
    ]


def remember_root(path: Path | str) -> None:
    """Remember that images may be read from a folder, and what is below it.

    Where the list cannot be written nothing is remembered, and the person will be asked again.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        root = os.path.realpath(path)
        known = remembered_roots()
        if root in known:
            return
        kept = [*known, root][-MAX_ROOTS:]
        atomic_write(_list_path(), (json.dumps(kept, indent=1) + "\n").encode())


def _list_path() -> Path:
    return platformdirs.user_state_path("napari-fashion") / "image-roots.json"
