"""The shortcuts, from their table."""

from __future__ import annotations

from qtpy.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_fashion.app.shortcuts import SHORTCUTS, spelled
from napari_fashion.app.widgets.style import faint, section


class ShortcutHelp(QDialog):
    """A window that lists the keys, beside the image while one works."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Fashion annotator: keys")
        columns = [QVBoxLayout(), QVBoxLayout()]
        groups = list(dict.fromkeys(shortcut.group for shortcut in SHORTCUTS))
        for i, group in enumerate(groups):
            column = columns[i % 2]
            column.addWidget(section(group))
            grid = QGridLayout()
            grid.setHorizontalSpacing(18)
            grid.setVerticalSpacing(4)
            for row, shortcut in enumerate(s for s in SHORTCUTS if s.group == group):
                keys = "  or  ".join(spelled(key) for key in shortcut.keys)
                grid.addWidget(QLabel(keys), row, 0)
                grid.addWidget(faint(shortcut.text), row, 1)
            grid.setColumnMinimumWidth(0, 110)
            grid.setColumnStretch(1, 1)
            column.addLayout(grid)
            column.addSpacing(12)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(36)
        for column in columns:
            column.addStretch()
            layout.addLayout(column)
