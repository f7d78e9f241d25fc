"""The table of keys with what a person changed, kept as a small file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from psygnal import Signal

from napari_fashion.app.keys.spelling import normal
from napari_fashion.app.keys.table import ROWS, Row
from napari_fashion.documents import read_json
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write
from napari_fashion.paths import config_folder

FILE = "keys.json"
"""In the folder of settings: ``{"next_image": ["N"]}``, only what a person changed."""
MOST_BYTES = 100_000
EXPECTED = "a list of keys for each action"


class Keymap:
    """Which keys do what.

    Parameters
    ----------
    path
        File of a person's own keys; by default the one in the folder of settings.
    rows
        The table.
    """

    changed = Signal()
    """After keys were changed."""

    def __init__(self, path: Path | None = None, rows: Iterable[Row] = ROWS) -> None:
        self.path = path if path is not None else config_folder() / FILE
        self._rows = {row.id: row for row in rows}
        self._own: dict[str, tuple[str, ...]] = {}
        self.problem = ""
        """What was wrong with the file, in a sentence; empty if nothing."""
        self._read()
        self._index()

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the table."""
        return tuple(self._rows.values())

    def keys(self, row_id: str) -> tuple[str, ...]:
        """Return the keys of a row, a person's where changed; the first one is shown."""
        own = self._own.get(row_id)
        return self._rows[row_id].keys if own is None else own

    def is_own(self, row_id: str) -> bool:
        """Whether a person changed a row's keys."""
        return row_id in self._own

    def row_of(self, keys: str) -> Row | None:
        """Return the row that keys (`spelling`) belong to."""
        return self._by_keys.get(keys)

    def clash(self, row_id: str, keys: str) -> Row | None:
        """Return another row that has keys already."""
        row = self._by_keys.get(normal(keys))
        return row if row is not None and row.id != row_id else None

    def set_keys(self, row_id: str, keys: Iterable[str]) -> None:
        """Give a row other keys, and keep them; those of another row go over to this one.

        Raises
        ------
        FashionError
            If they cannot be kept; they hold until the program ends.
        """
        new = tuple(dict.fromkeys(normal(k) for k in keys if k.strip()))
        for other in self.rows:
            if other.id != row_id and set(new) & set(self.keys(other.id)):
                self._put(other.id, tuple(k for k in self.keys(other.id) if k not in new))
        self._put(row_id, new)
        self._changed()

    def reset(self, row_id: str | None = None) -> None:
        """Give one row, or all, the keys of the table again; what a person gave them elsewhere goes.

        Raises
        ------
        FashionError
            As of `set_keys`.
        """
        if row_id is None:
            self._own.clear()
            self._changed()
        else:
            self.set_keys(row_id, self._rows[row_id].keys)

    def _put(self, row_id: str, keys: tuple[str, ...]) -> None:
        if keys == self._rows[row_id].keys:
            self._own.pop(row_id, None)
        else:
            self._own[row_id] = keys

    def _changed(self) -> None:
        self._index()
        self.changed.emit()
        text = json.dumps({key: list(keys) for key, keys in self._own.items()}, indent=1)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.path, text.encode())
        except (OSError, FashionError) as error:
            raise FashionError(
                f"Your keys hold until napari is closed; {self.path} cannot be written ({error}). "
                "Free space or change the folder's permissions, and change them again."
            ) from error

    def _index(self) -> None:
        self._by_keys: dict[str, Row] = {}
        for row in self.rows:
            for keys in self.keys(row.id):
                self._by_keys.setdefault(keys, row)

    def _read(self) -> None:
        try:
            if not self.path.exists():
                return
            data = read_json(self.path, FashionError, expected=EXPECTED, limit=MOST_BYTES)
            self._own = self._checked(data)
        except (FashionError, OSError) as error:
            aside = self.path.with_suffix(".broken.json")
            try:
                aside.write_bytes(self.path.read_bytes()[:MOST_BYTES])
                kept = f" It is kept as {aside.name}."
            except OSError:
                kept = ""
            self.problem = (
                f"Your own keys are not used: {error}{kept} Change keys under ? to write a new one."
            )

    def _checked(self, data: object) -> dict[str, tuple[str, ...]]:
        if not isinstance(data, Mapping) or not all(
            isinstance(keys, list) and all(isinstance(k, str) and k.strip() for k in keys)
            for keys in data.values()
        ):
            raise FashionError(
                f'{self.path} is no list of keys for each action; expected {{"next_image": ["N"]}}.'
            )
        return {
            row_id: tuple(dict.fromkeys(normal(k) for k in keys))
            for row_id, keys in data.items()
            if row_id in self._rows  # of a later version
        }


_used: Keymap | None = None


def used_keymap() -> Keymap:
    """Return the keymap of this process; the file is read at the first call."""
    global _used
    if _used is None:
        _used = Keymap()
    return _used
