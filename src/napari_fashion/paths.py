"""Where the user's own files of the program lie, as the system has it."""

from __future__ import annotations

from pathlib import Path

import platformdirs

APP = "napari-fashion"


def data_folder() -> Path:
    """Return the folder of what was fetched or made and is wanted: photos, runs."""
    return Path(platformdirs.user_data_path(APP, appauthor=False))


def config_folder() -> Path:
    """Return the folder of settings: a person's own keys."""
    return Path(platformdirs.user_config_path(APP, appauthor=False))


def cache_folder() -> Path:
    """Return the folder of what can be made again."""
    return Path(platformdirs.user_cache_path(APP, appauthor=False))


def state_folder() -> Path:
    """Return the folder of what the program remembers: journals that cannot lie beside their file."""
    return Path(platformdirs.user_state_path(APP))  # as it always was: journals are found there


def log_folder() -> Path:
    """Return the folder of logs; it need not be there yet."""
    return state_folder() / "logs"
