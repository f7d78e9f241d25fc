"""The category of a garment: a button that opens a list to search, ready to type."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QFrame,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.actions.choices import TOP, category_candidates
from napari_fashion.app.widgets.buttons import KeyButton
from napari_fashion.app.widgets.dock import give_keys_to_image
from napari_fashion.app.widgets.roles import Palette

SHOWN = 9
"""Rows of the list that are seen at once."""
_ROW = 26
_MOVES = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class CategoryPopup(QFrame):
    """A field and the categories that have what is typed; the likeliest first, on the digits 1 to 5.

    Return takes the row that is marked, at first the first one. Esc, and a click elsewhere, leave
    the category as it was. Both give the image the keyboard back.
    """

    chosen = Signal(int)
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("popup")
        self.field = QLineEdit()
        self.field.setPlaceholderText("Type to search")
        self.list = QListWidget()
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self._names: list[tuple[int, str, str]] = []
        self.field.textChanged.connect(self._filter)
        self.field.installEventFilter(self)
        self.list.itemClicked.connect(self._take)

    def open(self, names: list[tuple[int, str, str]], current: int, below: QWidget) -> None:
        """Show the list below a widget.

        Parameters
        ----------
        names
            Index, name, and what is told of each category, in the order of the list.
        current
            The index that the garment has; -1 for none.
        """
        self._names = names
        self.field.clear()
        self._filter("")
        rows = [index for index, _, _ in names]
        self.list.setCurrentRow(rows.index(current) if current in rows else 0)
        self.list.setFixedHeight(_ROW * min(SHOWN, max(len(names), 1)) + 4)
        self.setFixedWidth(max(below.width(), 200))
        self.move(below.mapToGlobal(QPoint(0, below.height() + 2)))
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _filter(self, typed: str) -> None:
        words = typed.casefold().split()
        self.list.clear()
        found = [n for n in self._names if all(word in n[1].casefold() for word in words)]
        # What begins with the text is meant more often than what has it somewhere.
        found.sort(key=lambda n: bool(words) and not n[1].casefold().startswith(words[0]))
        for row, (index, name, told) in enumerate(found):
            digit = f"{row + 1}  " if row < TOP and not words else ""
            item = QListWidgetItem(f"{digit}{name}   {told}" if told else f"{digit}{name}")
            item.setData(Qt.ItemDataRole.UserRole, index)
            self.list.addItem(item)
        self.list.setCurrentRow(0)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key = event.key()
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            item = self.list.currentItem() or self.list.item(0)
            if item is not None:
                self._take(item)
        elif key == Qt.Key.Key_Escape:
            self.close()
        elif self._digits(event):
            return True
        elif key in _MOVES:
            by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_PageUp: -SHOWN}
            row = self.list.currentRow() + by.get(Qt.Key(key), SHOWN)
            self.list.setCurrentRow(min(max(row, 0), self.list.count() - 1))
        else:
            return False
        return True

    def _digits(self, event: QKeyEvent) -> bool:
        """Take the category of a digit, where nothing is typed yet; return whether there is one."""
        text = event.text()
        if self.field.text() or not text.isdigit() or not 1 <= int(text) <= TOP:
            return False
        item = self.list.item(int(text) - 1)
        if item is not None:
            self._take(item)
        return True

    def _take(self, item: QListWidgetItem) -> None:
        index = item.data(Qt.ItemDataRole.UserRole)
        self.close()
        self.chosen.emit(index)

    def closeEvent(self, event: QEvent) -> None:  # noqa: D102
        super().closeEvent(event)
        self.left.emit()


class CategoryBox(KeyButton):
    """Shows a category; pressed, it lets a person choose another one. The wheel does nothing."""

    chosen = Signal(int)

    def __init__(self, palette: Palette) -> None:
        super().__init__(palette, "")
        self.setObjectName("choice")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(80)
        self.popup = CategoryPopup(self)
        self._names: list[tuple[int, str, str]] = []
        self._current = -1
        self.clicked.connect(self.open)
        self.popup.chosen.connect(self.chosen.emit)
        self.popup.left.connect(lambda: give_keys_to_image(self))

    def show_category(
        self, text: str, current: int, names: tuple[str, ...], scores: dict[str, float]
    ) -> None:
        """Show a category by its name in the file, and what can be chosen.

        Parameters
        ----------
        names
            The schema's categories.
        scores
            The model's probabilities of some of them, 0..1: those come first.
        """
        self.setText(text)
        self._current = current
        told = {name: f"{100 * score:.0f} %" for name, score in scores.items()}
        order = category_candidates(scores, names)
        self._names = [(i, names[i], told.get(names[i], "")) for i in order]

    def open(self) -> None:
        """Open the list, ready to type."""
        self.popup.open(self._names, self._current, self)
