"""How keys are spelled, in the table, in the file of a person's own keys, and for people."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent, QKeySequence

_MODIFIERS = (
    (Qt.KeyboardModifier.ControlModifier, "Ctrl"),
    (Qt.KeyboardModifier.AltModifier, "Alt"),
    (Qt.KeyboardModifier.ShiftModifier, "Shift"),
    (Qt.KeyboardModifier.MetaModifier, "Meta"),
)
_ORDER = tuple(name for _, name in _MODIFIERS)
_ALONE = frozenset(
    int(key)
    for key in (
        Qt.Key.Key_Shift,
        Qt.Key.Key_Control,
        Qt.Key.Key_Alt,
        Qt.Key.Key_AltGr,
        Qt.Key.Key_Meta,
        Qt.Key.Key_unknown,
    )
)
_SAME = {
    "Enter": "Return",
    "Escape": "Esc",
    "Delete": "Del",
    "PageUp": "PgUp",
    "PageDown": "PgDown",
}
_PEOPLE = {"Return": "Enter"}


def spelled(event: QKeyEvent) -> str:
    """Return the key of an event, such as ``Ctrl+Shift+Z``; empty for a modifier alone."""
    key = int(event.key())
    if key == 0 or key in _ALONE:
        return ""
    name = QKeySequence(key).toString(QKeySequence.SequenceFormat.PortableText)
    held = event.modifiers()
    parts = [part for flag, part in _MODIFIERS if held & flag]
    return _joined(parts, name)


def normal(keys: str) -> str:
    """Return keys in the one spelling of the table, from whatever a person or napari writes.

    >>> normal("Control-Shift-z"), normal("shift+?"), normal("Enter")
    ('Ctrl+Shift+Z', '?', 'Return')
    """
    text = keys.strip()
    separator = "-" if "-" in text[1:-1] and "+" not in text[1:-1] else "+"
    parts = [part for part in text[:-1].split(separator) if part]
    last = text[-1:]
    if parts and not text[:-1].endswith(separator):
        last = parts.pop() + last
    names = {"control": "Ctrl", "ctrl": "Ctrl", "alt": "Alt", "shift": "Shift", "meta": "Meta"}
    held = [names.get(part.lower(), part) for part in parts]
    return _joined(held, last if len(last) > 1 else last.upper())


def for_people(keys: str) -> str:
    """Return keys as people write them: ``Enter`` for ``Return``."""
    return "+".join(_PEOPLE.get(part, part) for part in keys.split("+")) if keys != "+" else keys


def _joined(held: list[str], name: str) -> str:
    name = _SAME.get(name, name)
    if len(name) == 1 and not name.isalpha():
        held = [
            part for part in held if part != "Shift"
        ]  # where it types the sign differs by keyboard
    return "+".join([*(part for part in _ORDER if part in held), name])
