"""What the comparison of the old and the new model says, directly above the choice."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_fashion.app.widgets.style import faint
from napari_fashion.documents import shortened
from napari_fashion.engine.train.events import CompareEvent, Verdict

TITLES: dict[Verdict, str] = {
    "better": "The new model is better",
    "worse": "The new model is worse",
    "no difference": "No difference to be seen",
    "too few": "Too few images to tell",
}
ADVICE: dict[Verdict, str] = {
    "too few": "Review about 20 more images, then train again.",
}
NOT_COMPARED = "Not compared"
_TEXT_LETTERS = 600


class VerdictBox(QWidget):
    """The verdict in bold, and the sentence with the figures; hidden before there is one."""

    def __init__(self) -> None:
        super().__init__()
        self.title = QLabel()
        self.title.setObjectName("name")
        self.text = faint()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for label in (self.title, self.text):
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            layout.addWidget(label)
        self.clear()

    def clear(self) -> None:
        """Show nothing: there is no choice yet."""
        self.verdict: Verdict | None = None
        self.hide()

    def show_comparison(self, event: CompareEvent) -> None:
        """Show what a comparison found; logs of older versions have figures and no verdict."""
        self.verdict = event.verdict
        if event.verdict is None:
            self._show(NOT_COMPARED, event.text or "This version of the training gives no verdict.")
            return
        advice = ADVICE.get(event.verdict, "")
        text = shortened(event.text, _TEXT_LETTERS)
        if advice and advice not in text:
            text = f"{text} {advice}".strip()
        self._show(TITLES[event.verdict], text)

    def show_not_compared(self, reason: str) -> None:
        """Say why there is no comparison."""
        self._show(NOT_COMPARED, reason)

    def _show(self, title: str, text: str) -> None:
        self.title.setText(title)
        self.text.setText(text)
        self.text.setVisible(bool(text))
        self.show()
