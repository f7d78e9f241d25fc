"""What buttons, keys and menu commands do; what is refused becomes a message to the person."""

from __future__ import annotations

from psygnal import Signal

from napari_fashion.app.actions.base import told
from napari_fashion.app.actions.images import ImageActions
from napari_fashion.app.actions.showing import ShowingActions

__all__ = ["Actions"]


class Actions(ImageActions, ShowingActions):
    """The gestures on what is in view and selected.

    All of them do nothing if nothing is open.
    """

    save_asked = Signal()

    @told
    def undo(self) -> None:
        """Take the last edit back."""
        if self._editor:
            self._editor.undo()

    @told
    def redo(self) -> None:
        """Make it again."""
        if self._editor:
            self._editor.redo()

    def save(self) -> None:
        """Save the whole work."""
        if self._editor:
            self.save_asked.emit()
