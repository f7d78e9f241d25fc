"""The log of an unexpected error."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import sys
import tempfile
import traceback
from datetime import datetime
from pathlib import Path

from napari_fashion import __version__
from napari_fashion.documents import shortened
from napari_fashion.paths import log_folder

KEPT = 20
"""Number of logs that stay in the folder; older ones go."""
MAX_LETTERS = 200_000
"""Maximum length of a log; longer ones are shortened in the middle."""

_FRAMES = 60
_MODULES = ("numpy", "torch", "torchvision", "PIL", "napari", "qtpy", "PyQt5", "PyQt6", "PySide6")


def write_error_log(error: BaseException) -> Path | None:
    """Write an error's traceback, and the versions of what took part, to a file of its own.

    Whatever happens, nothing is raised. Modules are not imported for their versions.

    Parameters
    ----------
    error
        As it was caught.

    Returns
    -------
    The file, in `paths.log_folder` or, where that cannot be written, in the system's folder of temporary
    files; None where neither can.
    """
    try:
        data = _text(error).encode("utf-8", "backslashreplace")
    except Exception:
        data = f"{type(error).__name__}, which cannot be shown\n".encode()
    for place in (log_folder, lambda: Path(tempfile.gettempdir())):
        try:
            folder = place()
            folder.mkdir(parents=True, exist_ok=True)
            now = datetime.now()
            path = folder / f"napari-fashion-{now:%Y%m%d-%H%M%S-%f}-{secrets.token_hex(3)}.log"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
                f.write(data)
        except Exception:
            continue
        _keep_few(folder)
        return path
    return None


def where_to_look(log: Path | None) -> str:
    """Return the sentence on where the details of an error are."""
    if log is None:
        return "No log could be written; please report it with what you did."
    return f"The details are in {log}; please report them with what you did."


def _text(error: BaseException) -> str:
    lines = [
        f"{datetime.now().astimezone().isoformat(timespec='seconds')}",
        f"napari-fashion {__version__}, Python {platform.python_version()}, {platform.platform()}",
    ]
    for name in _MODULES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            lines.append(f"{name} {version}")
    try:
        trace = "".join(traceback.TracebackException.from_exception(error, limit=_FRAMES).format())
    except Exception:  # an error whose text cannot be made
        trace = "".join(traceback.format_tb(error.__traceback__, _FRAMES)) + type(error).__name__
    return "\n".join(lines) + "\n\n" + shortened(trace, MAX_LETTERS, gap="\n...\n") + "\n"


def _keep_few(folder: Path) -> None:
    with contextlib.suppress(Exception):
        logs = sorted(folder.glob("napari-fashion-*.log"))
        for path in logs[:-KEPT]:
            with contextlib.suppress(OSError):
                path.unlink()
