"""Which keys napari has for itself: on its viewer, on points, and in its menus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from napari.settings import get_settings
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QMainWindow, QMenu, QWidget

from napari_fashion.app.keys.spelling import normal

_OF_OTHER_LAYERS = ("label", "shape", "polygon", "surface", "tracks", "vectors", "image", "plane")


def napari_keys(main_window: QWidget) -> dict[str, str]:
    """Return what each key of napari's does, by keys in our spelling.

    Shortcuts of its settings that are of the viewer and of points, and of the actions in its menus.
    """
    found = dict(_of_settings())
    if isinstance(main_window, QMainWindow):
        bar = main_window.menuBar()
        for action in bar.actions() if bar is not None else ():
            found.update(_of_menu(action.menu()))
    return found


def _of_settings() -> Iterator[tuple[str, str]]:
    for name, keys in get_settings().shortcuts.shortcuts.items():
        action = str(name).partition(":")[2]
        if any(word in action for word in _OF_OTHER_LAYERS):
            continue
        for key in keys:
            yield normal(str(key)), action.replace("_", " ")


def _of_menu(menu: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(menu, QMenu):
        return
    for action in menu.actions():
        if action.menu() is not None:
            yield from _of_menu(action.menu())
        for sequence in action.shortcuts():
            text = sequence.toString(QKeySequence.SequenceFormat.PortableText)
            if text:
                yield normal(text), action.text().replace("&", "").rstrip(".…")
