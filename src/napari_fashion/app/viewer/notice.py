"""napari's notice about PyQt5: it would lie on the image, and take its clicks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QDialog, QLabel, QWidget

NOTICE = "PyQt5 backend is deprecated"
TOLD = "napari will drop PyQt5; napari-fashion runs on PyQt6 too: pip install napari-fashion[pyqt6]"


class NoticeCloser:
    """Closes the notice wherever it is shown over a window, and tells of it in words once.

    Parameters
    ----------
    main_window
        napari's window, on whose canvas notices lie.
    tell
        Gets the sentence.
    """

    def __init__(self, main_window: QWidget, tell: Callable[[str], None]) -> None:
        from napari.utils.notifications import notification_manager

        self._window = main_window
        self._tell = tell
        self._manager = notification_manager
        self._manager.notification_ready.connect(self._on_notice)
        if any(NOTICE in str(notice.message) for notice in self._manager.records):
            QTimer.singleShot(0, self._close_notices)

    def stop(self) -> None:
        """Follow napari's notices no longer."""
        self._manager.notification_ready.disconnect(self._on_notice)

    def _on_notice(self, notice: Any) -> None:
        if NOTICE in str(getattr(notice, "message", "")):
            QTimer.singleShot(0, self._close_notices)  # napari shows it after this

    def _close_notices(self) -> None:
        for dialog in self._window.findChildren(QDialog):
            if any(NOTICE in label.text() for label in dialog.findChildren(QLabel)):
                dialog.close()
                self._tell(TOLD)
