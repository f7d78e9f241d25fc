"""What happens when the napari window closes: unsaved edits are asked about, jobs are ended."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class CloseGuard(QObject):
    """Asks before the main window closes, and announces when it does.

    Parameters
    ----------
    main_window
        The top-level window.
    may_close
        Asked when it is about to close; false keeps it open. napari has questions of its own
        after it, so a yes is not the end yet.
    closes
        Called when every window has agreed, before the window is taken down.
    """

    def __init__(
        self,
        main_window: QWidget,
        may_close: Callable[[], bool],
        closes: Callable[[], None],
    ) -> None:
        super().__init__(main_window)
        self._may_close = may_close
        self._closes = closes
        self._main_window = main_window
        main_window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if event.type() != QEvent.Type.Close or watched is not self._main_window:
            return False
        if not self._may_close():
            event.ignore()
            return True
        watched.event(event)  # as Qt would do next; only so its answer is known here
        if event.isAccepted():
            self._closes()
        return True
