"""Where the photos of a data set lie that are not in the package."""

from __future__ import annotations

import os
from pathlib import Path


def locate_photos(environment: str, default: Path, shared: str) -> Path | None:
    """Return a folder of photos (it holds ``images/``), or None if there is none.

    Parameters
    ----------
    environment
        Name of an environment variable; if it is set, the folder that it names is the only place looked at.
    default
        The folder that is looked at otherwise.
    shared
        Then, for developers, the folder of this name in ``shared/data`` beside a source checkout.
    """
    named = os.environ.get(environment)
    if named:
        return _with_photos(Path(named).expanduser())
    found = _with_photos(default)
    if found is None:
        checkout = Path(__file__).resolve().parents[3]
        if (checkout / "pyproject.toml").is_file():
            found = _with_photos(checkout.parent / "shared" / "data" / shared)
    return found


def _with_photos(folder: Path) -> Path | None:
    images = folder / "images"
    return folder if images.is_dir() and any(images.glob("*.jpg")) else None
