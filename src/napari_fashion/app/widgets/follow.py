"""Following a psygnal signal for as long as a widget lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget


def follow(widget: QWidget, signal: Any, slot: Callable[..., Any]) -> None:
    """Connect a signal to a slot until Qt deletes the widget."""
    signal.connect(slot)
    widget.destroyed.connect(lambda *_: signal.disconnect(slot, missing_ok=True))
