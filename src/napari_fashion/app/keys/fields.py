"""Widgets that take keys for themselves, and how the image gets the keyboard back from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtGui import QFocusEvent, QKeyEvent
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)

DOCK = "napari_fashion_dock"
"""A property of our docks, true: their fields give the keyboard back."""
_MOVES = frozenset(
    ("Up", "Down", "Left", "Right", "Home", "End", "PgUp", "PgDown", "Return", "Space", "Esc")
)
_SELECTS = frozenset(("Ctrl+A", "Ctrl+C"))
_PRESSES = frozenset(("Return", "Space"))
_BY_KEY = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)


def types(widget: QObject) -> bool:
    """Whether a person types in a widget: no key of ours acts there."""
    if isinstance(widget, QComboBox):
        return widget.isEditable()
    if isinstance(widget, QLineEdit | QTextEdit | QPlainTextEdit):
        return not widget.isReadOnly()
    return isinstance(widget, QAbstractSpinBox)


class Fields:
    """Knows what widgets do with keys.

    Parameters
    ----------
    give_back
        Gives the image the keyboard.
    """

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self._before: dict[QObject, Any] = {}
        self._by_key: QObject | None = None

    def wants(self, widget: QObject, keys: str) -> bool:
        """Whether a widget wants keys for itself."""
        if types(widget):
            return True
        if isinstance(widget, QAbstractItemView):
            return keys in _MOVES or keys in _SELECTS
        if isinstance(widget, QAbstractSlider | QComboBox):
            return keys in _MOVES
        if isinstance(widget, QAbstractButton):
            return keys in _PRESSES and widget is self._by_key
        return False

    def focused(self, widget: QObject, event: QFocusEvent) -> None:
        """Note what a field had when it got the keyboard."""
        if isinstance(widget, QAbstractButton):
            self._by_key = widget if event.reason() in _BY_KEY else None
        if not types(widget) or not is_in_dock(widget):
            return
        if event.reason() not in (
            Qt.FocusReason.PopupFocusReason,
            Qt.FocusReason.ActiveWindowFocusReason,
        ):
            self._before = {_holder(widget): _content(_holder(widget))}
        if not widget.property("gives_back"):
            widget.setProperty("gives_back", True)
            if isinstance(widget, QComboBox):
                widget.activated.connect(lambda *_: self._later())
            elif isinstance(widget, QLineEdit):
                widget.returnPressed.connect(self._later)

    def ends(self, widget: QObject, event: QKeyEvent, keys: str) -> bool:
        """Let Return and Esc end the typing in a field of ours; return whether they did.

        Return takes what was typed; Esc puts back what was there.
        """
        if not types(widget) or not is_in_dock(widget):
            return False
        holder = _holder(widget)
        self._before = {holder: self._before.get(holder, _content(holder))}
        if keys not in ("Return", "Esc"):
            return False
        if isinstance(widget, QTextEdit | QPlainTextEdit):
            return False
        if keys == "Return":
            widget.event(event)  # it must not go on to what lies around the field
        elif holder in self._before:
            _restore(holder, self._before[holder])
        self._later()
        return True

    def _later(self) -> None:
        QTimer.singleShot(0, self._give_back)


def _holder(widget: QObject) -> QObject:
    """Return the box that a line of text is in, or the line itself."""
    box = widget.parent()
    return box if isinstance(box, QComboBox | QAbstractSpinBox) else widget


def _content(widget: QObject) -> Any:
    if isinstance(widget, QComboBox):
        return widget.currentIndex(), widget.currentText()
    if isinstance(widget, QAbstractSpinBox):
        return widget.text()
    return widget.text() if isinstance(widget, QLineEdit) else None


def _restore(widget: QObject, content: Any) -> None:
    if isinstance(widget, QComboBox):
        index, text = content
        widget.setCurrentIndex(index)
        widget.setEditText(text)
    elif isinstance(widget, QAbstractSpinBox):
        edit = widget.findChild(QLineEdit)
        if edit is not None:
            edit.setText(content)
    elif isinstance(widget, QLineEdit):
        widget.setText(content)


def is_in_dock(widget: QObject | None) -> bool:
    """Whether a widget is in a dock of ours."""
    while widget is not None:
        if widget.property(DOCK):
            return True
        widget = widget.parent()
    return False
