"""The rows above the progress with what happened or what is wrong."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy

from napari_fashion.app.session import Session
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.style import quiet_button, repolish

LEAST, MOST = 20, 96
"""Height of the text in pixels; what is longer is cut, and whole in the tooltip."""


class MessageRow(QFrame):
    """A sentence that stays until it is dismissed, or until what it is about is over."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self.said = QLabel()
        self.said.setObjectName("said")
        self.said.setWordWrap(True)
        self.said.setTextFormat(Qt.TextFormat.PlainText)
        self.said.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.said.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.dismiss = quiet_button("✕", "Dismiss")
        self.dismiss.clicked.connect(self.clear)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 2, 6)
        row.setSpacing(2)
        row.addWidget(self.said, 1)
        row.addWidget(self.dismiss, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    def text(self) -> str:
        """Return what is said."""
        return self.said.text()

    @property
    def level(self) -> str:
        """Of what is said: "info", "warning" or "error"."""
        return str(self.property("level") or "")

    def clear(self) -> None:
        """Say nothing."""
        self.said.clear()
        self.hide()

    def say(self, level: str, text: str, more: str = "") -> None:
        """Show a text; `level` is "info", "warning" or "error", `more` its tooltip."""
        self.said.setText(text)
        self.setToolTip(more)
        repolish(self, level=level)
        self.setVisible(bool(text))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: D102
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._fit()

    def _fit(self) -> None:
        """Be as high as the wrapped text needs: a frame in a column is not asked by Qt."""
        needed = self.said.heightForWidth(self.said.width())
        self.said.setFixedHeight(min(max(needed, LEAST), MOST))
        if needed > MOST and not self.toolTip():
            self.setToolTip(self.said.text())


class MessageLine(MessageRow):
    """Shows the session's latest message."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        follow(self, session.message, self.show_message)

    def show_message(self, level: str, text: str) -> None:
        """Show a message of the session."""
        self.say(level, text)

    def clear_info(self) -> None:
        """Remove a message that reports success; a problem stays."""
        if self.level == "info":
            self.clear()
