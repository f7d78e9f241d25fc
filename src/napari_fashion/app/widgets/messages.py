"""The line at the dock's foot with what happened or what is wrong."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

from napari_fashion.app.session import Session
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.style import repolish


class MessageLine(QLabel):
    """Shows the session's latest message."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.setObjectName("message")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.hide()
        follow(self, session.message, self.show_message)

    def clear_info(self) -> None:
        """Remove a message that reports success; a problem stays."""
        if self.property("level") == "info":
            self.hide()

    def show_message(self, level: str, text: str) -> None:
        """Show a text; `level` is "info", "warning" or "error"."""
        self.setText(text)
        self.setToolTip("")
        repolish(self, level=level)
        self.setVisible(bool(text))
