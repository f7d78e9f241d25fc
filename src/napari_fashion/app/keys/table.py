"""The table of keys: id, keys, what they do, where, and the action. All else about keys is made of it.

Keys are written as Qt writes them (``Ctrl+Shift+Z``); of signs such as ``?`` the Shift key that types them
on one keyboard and not on another is left out (`spelling`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_fashion.app.actions import Actions

Run = Callable[[Actions], Any]

IMAGES = "Images"
VISIBILITY = "Visibility"
LANDMARKS = "Landmarks"
GARMENTS = "Garments"
SHOW = "Show"
WORK = "Work"
MOUSE = "Mouse"
NAPARI = "napari's own, of no use here"

ALWAYS = "always"
OPEN = "an image is open"
GARMENT = "a garment is selected"
CHOSEN = "the selected landmarks, or the one that the pointer came onto since"
LANDMARK = "a landmark is selected"


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    id
        Its name in the file of a person's own keys, and for `keys_of`.
    keys
        By default; the first one is shown.
    text
        What they do, for people.
    group
        Heading in the help.
    when
        Where it applies, in words.
    run
        The action.
    release
        What follows when a held key is let go; None where nothing does.
    repeats
        Whether a held key acts again and again.
    in_fields
        Whether it also acts where a person types.
    tapped
        Whether it acts when the key is let go soon; held, the key is napari's.
    """

    id: str
    keys: tuple[str, ...]
    text: str
    group: str
    when: str
    run: Run
    release: Run | None = None
    repeats: bool = False
    in_fields: bool = False
    tapped: bool = False


@dataclass(frozen=True)
class MouseRow:
    """A gesture of the mouse with a modifier, for help and documentation."""

    gesture: str
    text: str
    when: str


def _nudge(dx: float, dy: float) -> Run:
    return lambda actions: actions.nudge(dx, dy)


def _visibility(v: int) -> Run:
    return lambda actions: actions.set_visibility(v)


def _category(number: int) -> Run:
    return lambda actions: actions.choose_top_category(number)


def _garment(number: int) -> Run:
    return lambda actions: actions.go_to_garment(number)


def _refused(text: str) -> Run:
    return lambda actions: actions.session.notify(text)


STAY = "Landmarks stay on the image: the layers are not moved or laid apart here."


_IMAGE_ROWS: tuple[Row, ...] = (
    Row(
        "main_button",
        ("Return",),
        "Accept and next; Predict where there is nothing yet",
        IMAGES,
        OPEN,
        Actions.main_button,
    ),
    Row(
        "tap_main_button",
        ("Space",),
        "The same, tapped; held, it moves the image",
        IMAGES,
        OPEN,
        Actions.main_button,
        tapped=True,
    ),
    Row(
        "accept_anyway",
        ("Shift+Return",),
        "Accept, also with no garment on it",
        IMAGES,
        OPEN,
        Actions.accept_anyway,
    ),
    Row("next_image", ("N", "PgDown"), "Next image", IMAGES, OPEN, Actions.next_image),
    Row("previous_image", ("B", "PgUp"), "Previous image", IMAGES, OPEN, Actions.previous_image),
    Row(
        "next_unreviewed",
        ("U",),
        "Next image to review",
        IMAGES,
        OPEN,
        Actions.next_unreviewed,
    ),
    Row(
        "toggle_rejected",
        ("X",),
        "Reject the image, or take it back",
        IMAGES,
        OPEN,
        Actions.toggle_rejected,
    ),
    Row("predict", ("R",), "Predict this image", IMAGES, OPEN, Actions.predict),
)


_LANDMARK_ROWS: tuple[Row, ...] = (
    Row("set_visible", ("D", "2"), "Visible", VISIBILITY, CHOSEN, _visibility(2)),
    Row("set_hidden", ("F", "1"), "Hidden under cloth", VISIBILITY, CHOSEN, _visibility(1)),
    Row(
        "set_absent",
        ("G", "0", "Del", "Backspace"),
        "Absent",
        VISIBILITY,
        CHOSEN,
        Actions.delete_landmark,
    ),
    Row(
        "previous_landmark",
        ("W",),
        "Previous landmark",
        LANDMARKS,
        GARMENT,
        Actions.previous_landmark,
        repeats=True,
    ),
    Row(
        "next_landmark",
        ("E",),
        "Next landmark",
        LANDMARKS,
        GARMENT,
        Actions.next_landmark,
        repeats=True,
    ),
    Row("next_unsure", ("Q",), "Next unsure landmark", LANDMARKS, OPEN, Actions.next_unsure),
    Row(
        "select_all",
        ("A", "Ctrl+A"),
        "Select all landmarks of the garment",
        LANDMARKS,
        GARMENT,
        Actions.select_all,
    ),
    Row(
        "toggle_placing",
        ("P",),
        "Place landmarks by clicks, one after the other",
        LANDMARKS,
        GARMENT,
        Actions.toggle_placing,
    ),
    Row(
        "stop",
        ("Esc", "S"),
        "Select: stop placing or drawing a box",
        LANDMARKS,
        OPEN,
        Actions.stop,
    ),
    *(
        Row(
            f"nudge_{name}{'_far' if far else ''}",
            (f"Shift+{key}",) if far else (key, arrow),
            f"Move {name} by 10 pixels" if far else f"Move {name} by a pixel (with Shift: 10)",
            LANDMARKS,
            LANDMARK,
            _nudge(dx * (10 if far else 1), dy * (10 if far else 1)),
            repeats=True,
        )
        for far in (False, True)
        for name, key, arrow, dx, dy in (
            ("up", "I", "Up", 0, -1),
            ("left", "J", "Left", -1, 0),
            ("down", "K", "Down", 0, 1),
            ("right", "L", "Right", 1, 0),
        )
    ),
    Row(
        "zoom_to_landmark",
        (".",),
        "Zoom to the landmark, and back",
        LANDMARKS,
        GARMENT,
        Actions.zoom_to_landmark,
    ),
)


_GARMENT_ROWS: tuple[Row, ...] = (
    Row("next_garment", ("T",), "Next garment", GARMENTS, OPEN, Actions.next_garment),
    Row(
        "previous_garment",
        ("Shift+T",),
        "Previous garment",
        GARMENTS,
        OPEN,
        Actions.previous_garment,
    ),
    *(
        Row(
            f"garment_{n}",
            (f"Alt+{n}",),
            f"Garment {n}" if n > 1 else "Garment 1, up to 9",
            GARMENTS,
            OPEN,
            _garment(n),
        )
        for n in range(1, 10)
    ),
    Row(
        "choose_category",
        ("C",),
        "Choose the category",
        GARMENTS,
        GARMENT,
        Actions.choose_category,
    ),
    *(
        Row(
            f"category_{n}",
            (f"Ctrl+{n}",),
            f"The model's {word} category",
            GARMENTS,
            GARMENT,
            _category(n),
        )
        for n, word in enumerate(("first", "second", "third", "fourth", "fifth"), start=1)
    ),
    Row(
        "swap_left_right",
        ("M",),
        "Swap left and right",
        GARMENTS,
        GARMENT,
        Actions.swap_left_right,
    ),
    Row(
        "mirror_garment",
        ("Shift+M",),
        "Mirror the garment on the image",
        GARMENTS,
        GARMENT,
        Actions.mirror_garment,
    ),
    Row("add_garment", ("O",), "Add a garment by hand", GARMENTS, OPEN, Actions.add_garment),
    Row(
        "start_box",
        ("Shift+O",),
        "Draw a box and predict the garment inside it",
        GARMENTS,
        OPEN,
        Actions.start_box,
    ),
    Row(
        "delete_garment",
        ("Shift+Del",),
        "Delete the garment",
        GARMENTS,
        GARMENT,
        Actions.delete_garment,
    ),
    Row(
        "duplicate_garment",
        ("Ctrl+D",),
        "Duplicate the garment",
        GARMENTS,
        GARMENT,
        Actions.duplicate_garment,
    ),
    Row(
        "copy_garment",
        ("Ctrl+C",),
        "Copy the garment",
        GARMENTS,
        GARMENT,
        Actions.copy_garment,
    ),
    Row(
        "paste_garment",
        ("Ctrl+V",),
        "Paste it, also on another image",
        GARMENTS,
        OPEN,
        Actions.paste_garment,
    ),
    Row(
        "copy_from_previous",
        ("Ctrl+Shift+V",),
        "Copy the garments of the previous image",
        GARMENTS,
        OPEN,
        Actions.copy_from_previous,
    ),
    Row(
        "zoom_to_garment",
        (",",),
        "Zoom to the garment, and back",
        GARMENTS,
        GARMENT,
        Actions.zoom_to_garment,
    ),
)


_SHOW_ROWS: tuple[Row, ...] = (
    Row("toggle_skeleton", ("6",), "Skeleton", SHOW, OPEN, Actions.toggle_skeleton),
    Row("toggle_pif", ("7",), "PIF", SHOW, OPEN, Actions.toggle_pif),
    Row("toggle_paf", ("8",), "PAF", SHOW, OPEN, Actions.toggle_paf),
    Row(
        "toggle_compare",
        ("9",),
        "Compare with another file or a model",
        SHOW,
        OPEN,
        Actions.toggle_compare,
    ),
    Row(
        "toggle_why",
        ("Y",),
        "Why: how the decoder found the garment",
        SHOW,
        GARMENT,
        Actions.toggle_why,
    ),
    Row(
        "hold_image_only",
        ("H",),
        "The image alone, while held",
        SHOW,
        OPEN,
        lambda actions: actions.hold_image_only(True),
        release=lambda actions: actions.hold_image_only(False),
    ),
    Row("show_help", ("?",), "All keys, and to change them", SHOW, ALWAYS, Actions.show_help),
)
_WORK_ROWS: tuple[Row, ...] = (
    Row("undo", ("Ctrl+Z",), "Undo", WORK, OPEN, Actions.undo, repeats=True),
    Row("redo", ("Ctrl+Shift+Z",), "Redo", WORK, OPEN, Actions.redo, repeats=True),
    Row("save", ("Ctrl+S",), "Save", WORK, OPEN, Actions.save, in_fields=True),
    Row("show_retrain", ("F4",), "Retrain", WORK, ALWAYS, Actions.show_retrain),
    Row(
        "not_apart",
        ("Ctrl+G", "Ctrl+E", "Ctrl+T", "Ctrl+Alt+T", "5"),
        "Nothing: napari would lay the layers apart or turn them",
        NAPARI,
        OPEN,
        _refused(STAY),
    ),
    Row(
        "not_in_3d",
        ("Ctrl+Y",),
        "Nothing: napari would show 3D",
        NAPARI,
        OPEN,
        _refused("Garments are annotated in 2D. Redo is Ctrl+Shift+Z."),
    ),
    Row(
        "not_deleted",
        ("Ctrl+Del", "Ctrl+Backspace"),
        "Nothing: napari would delete the layer",
        NAPARI,
        OPEN,
        _refused("The annotator's layers stay. Shift+Del deletes the garment."),
    ),
)


ROWS: tuple[Row, ...] = (
    *_IMAGE_ROWS,
    *_LANDMARK_ROWS,
    *_GARMENT_ROWS,
    *_SHOW_ROWS,
    *_WORK_ROWS,
)
"""The whole table, with the keys by default."""

MOUSE_ROWS: tuple[MouseRow, ...] = (
    MouseRow("Drag", "Move the landmark, or all that are selected", OPEN),
    MouseRow("Drag beside landmarks", "Select the garment's landmarks in a box", OPEN),
    MouseRow("Ctrl+drag", "Move a landmark and, mirrored, its twin of the other side", OPEN),
    MouseRow("Alt+drag", "Move the garment", GARMENT),
    MouseRow("Alt+wheel", "Turn the garment", GARMENT),
    MouseRow("Alt+Shift+wheel", "Scale the garment", GARMENT),
)
"""What the mouse does with the selected garment (`viewer.canvas_gestures`)."""
