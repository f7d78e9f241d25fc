"""Keys: one table, which bindings, tooltips, menus, the help and docs/keys.md are made of."""

from __future__ import annotations

from napari_fashion.app.keys.keymap import Keymap, used_keymap
from napari_fashion.app.keys.spelling import for_people
from napari_fashion.app.keys.table import ROWS, Row

__all__ = ["ROWS", "Keymap", "Row", "key_caps", "keys_of", "used_keymap"]


def keys_of(action_id: str) -> str:
    """Return the keys of a row for a tooltip, as " (N)"; empty where a person took them away.

    Raises
    ------
    KeyError
        If the table has no such row.
    """
    caps = key_caps(action_id)
    return f" ({caps})" if caps else ""


def key_caps(action_id: str) -> str:
    """Return the first key of a row as people write it, such as "Ctrl+Z"; empty without one."""
    keys = used_keymap().keys(action_id)
    return for_people(keys[0]) if keys else ""
