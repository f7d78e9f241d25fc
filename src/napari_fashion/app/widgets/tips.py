"""The keys of an action, for tooltips and buttons."""

from __future__ import annotations

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import SHORTCUTS, spelled


def caps(action: str) -> str:
    """Return the first key of an action of `Actions` as people write it: "Ctrl+Z", or nothing."""
    for shortcut in SHORTCUTS:
        if shortcut.run is getattr(Actions, action, None):
            return spelled(shortcut.keys[0])
    return ""


def tip(text: str, action: str) -> str:
    """Return a tooltip with the action's key: "Next image (N)"."""
    key = caps(action)
    return f"{text} ({key})" if key else text
