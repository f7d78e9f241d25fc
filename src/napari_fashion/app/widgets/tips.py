"""The keys of an action, for tooltips and buttons."""

from __future__ import annotations

from napari_fashion.app.keys import key_caps


def caps(action: str) -> str:
    """Return the first key of an action as people write it: "Ctrl+Z", or nothing."""
    return key_caps(action)


def tip(text: str, action: str) -> str:
    """Return a tooltip with the action's key: "Next image (N)"."""
    key = caps(action)
    return f"{text} ({key})" if key else text
