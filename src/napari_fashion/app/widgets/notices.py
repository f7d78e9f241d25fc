"""What a person should know of a training that is followed: notices, and steps that diverged."""

from __future__ import annotations

import html
from collections import deque

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel

from napari_fashion.documents import shortened
from napari_fashion.engine.train.events import DivergenceEvent, LeftOutEvent, NoticeEvent

SHOWN = 4
KEPT = 30
NAMES = 3
_LETTERS, _NAME_LETTERS = 500, 40
_DONE: dict[str, str] = {
    "skip": "the step was left out",
    "back": "the run went back to its last good state",
    "stop": "the run stopped",
}


class NoticeList(QLabel):
    """The latest few sentences, the newest last; all that are kept are in the tool tip."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("message")
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._texts: deque[str] = deque(maxlen=KEPT)
        self._count = 0
        self.clear_all()

    def clear_all(self) -> None:
        """Remove what an earlier run said."""
        self._texts.clear()
        self._count = 0
        self.hide()

    def add(self, event: NoticeEvent | DivergenceEvent | LeftOutEvent) -> None:
        """Show an event; the same sentence is shown once."""
        text = sentence(event)
        if text in self._texts:
            return
        self._texts.append(text)
        self._count += 1
        texts = list(self._texts)
        lines = texts[-SHOWN:]
        if self._count > SHOWN:
            lines.insert(0, f"{self._count - SHOWN} earlier notices; the latest:")
        self.setText("\n".join(lines))
        lines_of_tip = "<br>".join(map(html.escape, texts))
        self.setToolTip(f"<qt>{lines_of_tip}</qt>" if self._count > SHOWN else "")
        self.show()


def sentence(event: NoticeEvent | DivergenceEvent | LeftOutEvent) -> str:
    """Return an event as a sentence of bounded length."""
    match event:
        case NoticeEvent():
            return shortened(event.message, _LETTERS)
        case LeftOutEvent():
            first = f" ({shortened(event.first[0], 120)})" if event.first else ""
            return f"Left out: {shortened(event.what, 160)}: {event.count:,}{first}."
    text = (
        f"The loss diverged at step {event.step:,} in {shortened(event.head, 60)}; "
        f"{_DONE[event.policy]}."
    )
    if event.images:
        text += f" Images: {_names(event.images)}."
    return text


def _names(names: list[str]) -> str:
    """Return the first few names, shortened, and the number of the others."""
    listed = ", ".join(shortened(name, _NAME_LETTERS, "…") for name in names[:NAMES])
    more = len(names) - NAMES
    return f"{listed} and {more:,} more" if more > 0 else listed
