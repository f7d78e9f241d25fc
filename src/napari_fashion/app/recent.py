"""The data sets that were opened last, in a small file of the user's configuration."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from napari_fashion.documents import read_json
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write
from napari_fashion.paths import config_folder

KEPT = 6
"""Number of data sets that are remembered."""
_BYTES = 64 << 10


@dataclass(frozen=True)
class Recent:
    """A data set that was open.

    Attributes
    ----------
    path
        Of its COCO file, or of its folder.
    opened
        When, seconds since 1970.
    images, reviewed
        Counts when it was last open.
    """

    path: str
    opened: float
    images: int = 0
    reviewed: int = 0


def place() -> Path:
    """Return the file that they are remembered in."""
    return config_folder() / "recent.json"


def read() -> list[Recent]:
    """Return them, the latest first; none where the file is missing or is no such file."""
    try:
        document = read_json(place(), FashionError, limit=_BYTES)
    except FashionError:
        return []
    rows = document.get("recent") if isinstance(document, dict) else None
    found = [_recent(row) for row in rows] if isinstance(rows, list) else []
    return [one for one in found if one is not None][:KEPT]


def remember(path: Path, images: int, reviewed: int) -> None:
    """Put a data set first."""
    here = Recent(str(path.absolute()), time.time(), images, reviewed)
    _write([here, *(one for one in read() if one.path != here.path)])


def replace_path(old: str, new: Path) -> None:
    """Note where a data set lies now."""
    _write([replace(one, path=str(new.absolute())) if one.path == old else one for one in read()])


def _write(rows: list[Recent]) -> None:
    text = json.dumps({"recent": [asdict(one) for one in rows[:KEPT]]}, indent=1)
    try:
        atomic_write(place(), text.encode())
    except (OSError, FashionError):
        return  # a convenience: work goes on without it


def _recent(row: Any) -> Recent | None:
    match row:
        case {
            "path": str(path),
            "opened": int() | float() as opened,
            "images": int(images),
            "reviewed": int(reviewed),
        }:
            return Recent(path, float(opened), images, reviewed)
    return None
