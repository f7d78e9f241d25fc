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


class WrappedLabel(QLabel):
    """Text over lines, as high as it needs: a frame in a column is not asked by Qt.

    Parameters
    ----------
    most
        Height from which it is cut, pixels; the whole is in the tooltip then. None: never.
    """

    def __init__(self, text: str = "", most: int | None = None) -> None:
        super().__init__(text)
        self._most = most
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAlignment(Qt.AlignmentFlag.AlignTop)

    def setText(self, text: str) -> None:  # noqa: D102
        super().setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: D102
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def _fit(self) -> None:
        self.setMinimumHeight(0)  # or it counts as needed
        needed = self.heightForWidth(self.width())
        cut = self._most is not None and needed > self._most
        self.setFixedHeight(self._most if cut and self._most else max(needed, LEAST))
        self.setToolTip(self.text() if cut else "")


class MessageRow(QFrame):
    """A sentence that stays until it is dismissed, or until what it is about is over."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self.said = WrappedLabel(most=MOST)
        self.said.setObjectName("said")
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
