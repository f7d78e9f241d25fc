"""What happens when the napari window closes: unsaved edits are asked about, jobs are ended."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class CloseGuard(QObject):
    """Asks before the main window closes.

    Parameters
    ----------
    main_window
        The top-level window.
    may_close
        Asked when it is about to close; false keeps it open.
    """

    def __init__(self, main_window: QWidget, may_close: Callable[[], bool]) -> None:
        super().__init__(main_window)
        self._may_close = may_close
        self._main_window = main_window
        main_window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        closing = event.type() == QEvent.Type.Close and watched is self._main_window
        if closing and not self._may_close():
            event.ignore()
            return True
        return False
