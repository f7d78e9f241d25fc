"""Tooltips with keys."""

from __future__ import annotations

from napari_fashion.app.keys import key_caps as caps
from napari_fashion.app.keys import keys_of

__all__ = ["caps", "tip"]


def tip(text: str, action: str) -> str:
    """Return a tooltip with the action's key: "Next image (N)"."""
    return text + keys_of(action)
