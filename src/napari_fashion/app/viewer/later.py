"""Doing something once at the end of an event, however often it was asked for meanwhile."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QObject, Qt, Signal


class Later(QObject):
    """Calls something after the event at hand, and before anything is painted.

    What it posts goes before Qt's own requests to paint, which a zero timer would come after: the
    window would be painted twice.

    Parameters
    ----------
    do
        Called once for all that was asked for since it was called last.
    """

    _asked = Signal()

    def __init__(self, do: Callable[[], None]) -> None:
        super().__init__()
        self._do = do
        self._pending = False
        self._asked.connect(self.now, Qt.ConnectionType.QueuedConnection)

    def ask(self) -> None:
        """Have it called at the end of the event."""
        if not self._pending:
            self._pending = True
            self._asked.emit()

    def now(self) -> None:
        """Call it now if it is due."""
        if self._pending:
            self._pending = False
            self._do()

    def drop(self) -> None:
        """Forget what was asked for."""
        self._pending = False
