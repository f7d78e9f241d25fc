"""Listens to the keyboard of one napari window: our keys come before napari's and its menus'.

Qt asks with a `ShortcutOverride` event whether a key is wanted before it looks at the shortcuts of menus.
Keys of the table are: so napari's menus don't act on them while the annotator is in use, wherever in the
window the keyboard is. Without something open, or with a layer active that is not ours, all are napari's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, QPoint, QTimer
from qtpy.QtGui import QCursor, QFocusEvent, QKeyEvent
from qtpy.QtWidgets import QApplication, QDockWidget, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.keys.events import of_kind
from napari_fashion.app.keys.fields import Fields
from napari_fashion.app.keys.keymap import Keymap
from napari_fashion.app.keys.spelling import spelled
from napari_fashion.app.keys.table import ALWAYS, Row

TAP_SECONDS = 0.25
"""A key that is let go sooner was tapped, not held."""
TAP_PIXELS = 4
"""A tap is no tap if the pointer moved farther."""

_KEYS = frozenset((QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress, QEvent.Type.KeyRelease))
_OTHERS = frozenset(
    (QEvent.Type.FocusIn, QEvent.Type.MouseButtonPress, QEvent.Type.WindowDeactivate)
)


class KeyListener(QObject):
    """Turns keys into actions.

    Parameters
    ----------
    main_window
        Keys of this window, and of docks that float beside it, are listened to.
    keymap
        Which keys do what.
    is_in_use
        Whether something is open and none of the layers of others is active.
    fields
        What widgets want for themselves.
    """

    def __init__(
        self,
        main_window: QWidget,
        actions: Actions,
        keymap: Keymap,
        is_in_use: Callable[[bool], bool],
        fields: Fields,
    ) -> None:
        super().__init__(main_window)
        self._main_window = main_window
        self._actions = actions
        self._keymap = keymap
        self._is_in_use = is_in_use
        self._fields = fields
        self._held: dict[int, Row] = {}
        self._tapped: tuple[Row, float, QPoint] | None = None
        app = QApplication.instance()
        assert app is not None
        app.installEventFilter(self)

    def close(self) -> None:
        """Stop listening."""
        app = QApplication.instance()
        if app is not None:
            app.removeEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: D102
        if event is None or watched is None:
            return False
        kind = event.type()
        if kind in _KEYS:
            return (
                isinstance(watched, QWidget)
                and self._is_here(watched)
                and self._key(watched, event)
            )
        if kind in _OTHERS:
            self._notice(watched, event)
        return False

    def _is_here(self, widget: QWidget) -> bool:
        window = widget.window()
        if isinstance(window, QDockWidget):  # it floats
            window = window.parentWidget()
        return window is self._main_window

    def _notice(self, watched: QObject, event: QEvent) -> None:
        if event.type() == QEvent.Type.MouseButtonPress:
            self._tapped = None
        elif event.type() == QEvent.Type.WindowDeactivate:
            if watched is self._main_window:
                self._let_go_all()
        elif isinstance(watched, QWidget):
            self._fields.focused(watched, of_kind(event, QFocusEvent))

    # -- keys ------------------------------------------------------------------------------

    def _key(self, widget: QWidget, found: QEvent) -> bool:
        event = of_kind(found, QKeyEvent)
        if event.type() == QEvent.Type.KeyRelease:
            return self._released(event)
        keys = spelled(event)
        if not keys:
            return False
        handled = self._asked_or_pressed(widget, event, keys)
        if handled:
            event.accept()  # it would go on to the widgets around
        return handled

    def _asked_or_pressed(self, widget: QWidget, event: QKeyEvent, keys: str) -> bool:
        if event.type() == QEvent.Type.KeyPress and self._fields.ends(widget, event, keys):
            return True
        row = self._row(widget, keys)
        if row is None:
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            return not row.tapped
        return self._pressed(row, event)

    def _row(self, widget: QWidget, keys: str) -> Row | None:
        row = self._keymap.row_of(keys)
        if row is None or not self._is_in_use(row.when == ALWAYS):
            return None
        return None if self._fields.wants(widget, keys) and not row.in_fields else row

    def _pressed(self, row: Row, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            if row.repeats:
                row.run(self._actions)
            return not row.tapped
        if row.tapped:  # held, it is napari's
            self._tapped = (row, time.monotonic(), QCursor.pos())
            return False
        if row.release is not None:
            self._held[int(event.key())] = row
        row.run(self._actions)
        return True

    def _released(self, event: QKeyEvent) -> bool:
        if event.isAutoRepeat():
            return False
        held = self._held.pop(int(event.key()), None)
        if held is not None and held.release is not None:
            held.release(self._actions)
            return True
        tapped, self._tapped = self._tapped, None
        if tapped is not None and spelled(event) in self._keymap.keys(tapped[0].id):
            row, since, place = tapped
            moved = (QCursor.pos() - place).manhattanLength()
            if time.monotonic() - since <= TAP_SECONDS and moved < TAP_PIXELS:
                QTimer.singleShot(0, lambda: row.run(self._actions))  # after napari's own
        return False

    def _let_go_all(self) -> None:
        self._tapped = None
        for row in list(self._held.values()):
            if row.release is not None:
                row.release(self._actions)
        self._held.clear()
