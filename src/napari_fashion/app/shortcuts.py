"""The one table of keyboard shortcuts; napari's key bindings and the help are made of it.

Our keys win while one of our layers, or none, is active: they are bound on the layers themselves,
which napari asks before the layer's class. Of napari's own keys they replace, there: on points
1 (delete), 2 and P (add mode), 3 and S stay, A (select all), Backspace and Delete; on images C; on
the viewer Ctrl+Y (2D/3D), Ctrl+E (roll axes) and the left and right arrows (which step through
dimensions that an image doesn't have). Layers that are not ours keep their keys. While a dock has
the keyboard, napari passes on to the image what nothing in the dock wants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_fashion.app.actions import Actions


@dataclass(frozen=True)
class Shortcut:
    """Keys (in napari's spelling), what they do for people, and the action.

    Attributes
    ----------
    group
        Heading in the help.
    """

    keys: tuple[str, ...]
    text: str
    run: Callable[[Actions], Any]
    group: str


def _nudge(dx: float, dy: float) -> Callable[[Actions], Any]:
    return lambda actions: actions.nudge(dx, dy)


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut(("N", "PageDown"), "Next image", Actions.next_image, "Images"),
    Shortcut(("P", "PageUp"), "Previous image", Actions.previous_image, "Images"),
    Shortcut(("R",), "Reviewed, or not", Actions.toggle_reviewed, "Images"),
    Shortcut(("Enter",), "Predict this image", Actions.predict, "Images"),
    Shortcut(("2",), "Visible", lambda a: a.set_visibility(2), "Selected landmark"),
    Shortcut(("1",), "Hidden under cloth", lambda a: a.set_visibility(1), "Selected landmark"),
    Shortcut(
        ("0", "Delete", "Backspace"),
        "Not there: delete it",
        Actions.delete_landmark,
        "Selected landmark",
    ),
    Shortcut(("Left",), "Move it left by a pixel", _nudge(-1, 0), "Selected landmark"),
    Shortcut(("Right",), "Move it right", _nudge(1, 0), "Selected landmark"),
    Shortcut(("Up",), "Move it up", _nudge(0, -1), "Selected landmark"),
    Shortcut(("Down",), "Move it down", _nudge(0, 1), "Selected landmark"),
    Shortcut(("]", "J"), "Next landmark", Actions.next_landmark, "Landmarks"),
    Shortcut(("[", "K"), "Previous landmark", Actions.previous_landmark, "Landmarks"),
    Shortcut(("L",), "Place landmarks by clicks, or stop", Actions.toggle_placing, "Landmarks"),
    Shortcut(("M",), "Swap left and right", Actions.swap_left_right, "Garment"),
    Shortcut(("G",), "Next garment", Actions.next_garment, "Garment"),
    Shortcut(("A",), "Add a garment", Actions.add_garment, "Garment"),
    Shortcut(("Shift-Delete",), "Delete the garment", Actions.delete_garment, "Garment"),
    Shortcut(("C",), "Choose the category", Actions.choose_category, "Garment"),
    Shortcut(("F",), "Fields: none, PIF, vectors, PAF", Actions.toggle_fields, "View"),
    Shortcut(("T",), "Names of the landmarks", Actions.toggle_names, "View"),
    Shortcut(("H",), "This help", Actions.show_help, "View"),
    Shortcut(("Control-Z",), "Undo", Actions.undo, "History"),
    Shortcut(("Control-Shift-Z", "Control-Y"), "Redo", Actions.redo, "History"),
)


def bind(provider: Any, actions: Actions) -> None:
    """Bind all shortcuts on a napari viewer or layer, over what it has."""
    for shortcut in SHORTCUTS:
        for key in shortcut.keys:

            def run(_: Any, shortcut: Shortcut = shortcut) -> None:
                shortcut.run(actions)

            provider.bind_key(key, run, overwrite=True)


def spelled(key: str) -> str:
    """Return a key as Qt and people write it: "Ctrl+Shift+Z"."""
    names = {"Control": "Ctrl", "PageDown": "PgDown", "PageUp": "PgUp", "Delete": "Del"}
    return "+".join(names.get(part, part) for part in key.split("-"))


def keys_of(action: Callable[..., Any]) -> str:
    """Return the first key of an action, for tooltips: " (N)", or nothing."""
    for shortcut in SHORTCUTS:
        if shortcut.run is action:
            return f" ({spelled(shortcut.keys[0])})"
    return ""
