"""Which image: back, next, its name and where it stands."""

from __future__ import annotations

from pathlib import PurePath

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QWidget
from superqt import QElidingLabel

from napari_fashion.app.actions import Actions
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import repolish, shrinking
from napari_fashion.app.widgets.symbols import SymbolButton, pixmap
from napari_fashion.app.widgets.tips import tip
from napari_fashion.errors import ImageError

TOLD = {
    "new": "Nobody and no model has looked at this image yet",
    "predicted": "A model found what is on it; nobody has reviewed it yet",
    "edited": "You changed it, and have not accepted it yet",
    "reviewed": "You accepted it: everything on it counts as right",
    "rejected": "You rejected it: it is left out of exports and of training",
}


class Navigation(QWidget):
    """Walks through the images of the data set."""

    def __init__(self, actions: Actions, palette: Palette) -> None:
        super().__init__()
        self._actions = actions
        self._palette = palette
        self.previous = SymbolButton(
            palette, "back", tip("Previous image", "previous_image"), "square"
        )
        self.next = SymbolButton(palette, "next", tip("Next image", "next_image"), "square")
        self.file_name = shrinking(QElidingLabel())
        self.file_name.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.mark = QLabel()
        self.status = QLabel()
        self.status.setObjectName("second")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.previous, self.next, self.file_name, self.mark, self.status):
            row.addWidget(widget, 1 if widget is self.file_name else 0)
        row.insertSpacing(2, 4)
        self.previous.clicked.connect(lambda: actions.previous_image())
        self.next.clicked.connect(lambda: actions.next_image())
        follow(self, palette.changed, self.refresh)

    def refresh(self) -> None:
        """Show where the editor is."""
        editor = self._actions.session.editor
        self.setVisible(editor is not None)
        if editor is None:
            return
        self.previous.setEnabled(editor.index > 0)
        self.next.setEnabled(editor.index < editor.n_images - 1)
        self.file_name.setText(PurePath(editor.image.file_name).name)
        try:
            place = str(editor.image.path)
        except ImageError as error:
            place = str(error)
        self.file_name.setToolTip(f"{editor.index + 1:,} of {editor.n_images:,}: {place}")
        status = editor.image.status
        roles = self._palette.roles
        color = {"predicted": roles.link, "reviewed": roles.good, "rejected": roles.bad}
        self.mark.setPixmap(pixmap(status, color.get(status, roles.muted), 14))
        self.status.setText(status)
        for label in (self.mark, self.status):
            label.setToolTip(TOLD[status])
        repolish(self.status, level=status)
