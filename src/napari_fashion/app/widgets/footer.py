"""The foot of the dock, which never moves: how far the work is, and the main button."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.widgets.buttons import KeyButton, set_main
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import repolish
from napari_fashion.app.widgets.tips import caps, tip
from napari_fashion.coco import reviewed_ids
from napari_fashion.editing.editor import Editor

COUNTED = 999
"""What is left beyond this is told as a percentage of what is done."""

_ACCEPT = (
    "Accept and next",
    "Everything on the image is right: mark it reviewed, and go on to the next one to review",
)
MAIN = {
    "accept": _ACCEPT,
    "place": _ACCEPT,
    "predict": ("Predict", "Find the garments on the image"),
    "take_back": ("Take back", "The image counts again"),
}
"""Text and tooltip of the main button by what it does (`Actions.main_action`)."""
EXPORT = ("Export…", "Every image is reviewed: write what people made or reviewed")


class Footer(QWidget):
    """Progress, Reject, and Accept and next (or Predict, or Export)."""

    export_asked = Signal()

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._actions = actions
        self._editor: Editor | None = None
        self._reviewed: set[object] = set()
        self.done = QLabel()
        self.done.setObjectName("progress")
        self.left = QLabel()
        self.left.setObjectName("faint")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.reject = KeyButton(palette, "Reject", caps("toggle_rejected"))
        self.main = KeyButton(palette, "Accept and next", caps("main_button"))
        for button in (self.reject, self.main):
            button.setProperty("high", "true")
        set_main(self.main, True)
        self.reject.setToolTip(
            tip("Leave the image out: it is not to be annotated", "toggle_rejected")
        )
        self.reject.clicked.connect(lambda: actions.toggle_rejected())
        self.main.clicked.connect(self._press)
        head = QHBoxLayout()
        head.addWidget(self.done, 1)
        head.addWidget(self.left)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.reject)
        buttons.addWidget(self.main, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self.bar)
        layout.addSpacing(4)
        layout.addLayout(buttons)

    def follow(self, editor: Editor | None) -> None:
        """Count what is reviewed in another data set."""
        self._editor = editor
        self._reviewed = set() if editor is None else reviewed_ids(editor.dataset)
        self.refresh()

    def count_again(self, image_id: object) -> None:
        """Count an image after a change of it."""
        editor = self._editor
        if editor is None:
            return
        image = editor.dataset.image(image_id) if editor.dataset.has("images", image_id) else None
        if image is not None and image.reviewed:
            self._reviewed.add(image_id)
        else:
            self._reviewed.discard(image_id)

    @property
    def all_done(self) -> bool:
        """Whether every image is reviewed."""
        return self._editor is not None and len(self._reviewed) >= self._editor.n_images

    def refresh(self) -> None:
        """Show the counts, and what the main button does here."""
        editor = self._editor
        self.setVisible(editor is not None)
        if editor is None:
            return
        total, n = editor.n_images, len(self._reviewed)
        self.bar.setRange(0, max(total, 1))
        self.bar.setValue(n)
        done = n >= total
        self.done.setText(f"All {total:,} reviewed" if done else f"{n:,} of {total:,} reviewed")
        repolish(self.done, level="good" if done else "")
        left = total - n
        self.left.setText(
            "" if done else f"{left:,} left" if left <= COUNTED else f"{100 * n / total:.0f} %"
        )
        status = editor.image.status
        self.reject.setEnabled(status != "rejected" and editor.holder is None)
        self._show_main(status, done)

    def _show_main(self, status: str, done: bool) -> None:
        editor = self._editor
        assert editor is not None
        does = self._actions.main_action
        text, told = MAIN[does]
        if done and status == "reviewed" and does == "accept":
            text, told = EXPORT
        self.main.setText(text)
        self.main.set_cap("" if text == EXPORT[0] else caps("main_button"))
        self.main.setToolTip(told if text == EXPORT[0] else tip(told, "main_button"))
        self.main.setEnabled(does != "place" and editor.holder is None)

    def _press(self) -> None:
        if self.main.text() == EXPORT[0]:
            self.export_asked.emit()
        else:
            self._actions.main_button()
