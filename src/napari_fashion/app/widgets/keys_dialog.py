"""All keys, from their table, in a window of their own; a person changes them there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.keys import Keymap, Row, for_people
from napari_fashion.app.keys.spelling import spelled
from napari_fashion.app.keys.table import MOUSE, MOUSE_ROWS, NAPARI
from napari_fashion.app.widgets.style import faint, section
from napari_fashion.errors import FashionError

COLUMNS = 3
_FOLDED = frozenset(
    (
        *(f"garment_{n}" for n in range(2, 10)),
        *(f"nudge_{way}_far" for way in ("up", "left", "down", "right")),
    )
)
"""Rows that go on as the one before them: they are shown where they are searched for."""
HINT = "Click keys to change them. Keys act while the annotator is in use, but not in text fields."


class KeyRow:
    """The widgets of one row: its keys as a button, what they do, and back to the table's."""

    def __init__(self, row: Row, dialog: KeysDialog) -> None:
        self.row = row
        self._own = False
        self.keys = QPushButton()
        self.keys.setAutoDefault(False)
        self.keys.setToolTip(f"Acts if: {row.when}. Click to give it another key.")
        self.keys.setMaximumHeight(24)
        self.text = faint(row.text)
        self.text.setWordWrap(True)
        self.reset = QToolButton()
        self.reset.setObjectName("quiet")
        self.reset.setText("↺")
        self.reset.clicked.connect(lambda: dialog.reset(row.id))
        self.keys.clicked.connect(lambda: dialog.ask(self))

    def refresh(self, keymap: Keymap, *, asked: bool) -> None:
        """Show the keys that it has."""
        keys = keymap.keys(self.row.id)
        self.keys.setText(
            "Press a key…" if asked else "  ".join(for_people(k) for k in keys) or "none"
        )
        self._own = keymap.is_own(self.row.id)
        self.reset.setVisible(self._own and not self.keys.isHidden())
        default = " ".join(for_people(k) for k in self.row.keys)
        self.reset.setToolTip(f"Back to {default}")

    def find(self, words: Sequence[str]) -> bool:
        """Show the row if it has all of some words; return whether it is shown."""
        had = f"{self.row.text} {self.row.group} {self.keys.text()}".casefold()
        shown = all(word in had for word in words) and (bool(words) or self.row.id not in _FOLDED)
        for widget in (self.keys, self.text):
            widget.setVisible(shown)
        self.reset.setVisible(shown and self._own)
        return shown


class KeysDialog(QDialog):
    """Lists the keys, beside the image while one works; they can be changed.

    Parameters
    ----------
    napari_keys
        What napari does by each key, to be named where a person takes it.
    """

    def __init__(
        self, keymap: Keymap, napari_keys: Mapping[str, str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Fashion annotator: keys")
        self._keymap = keymap
        self._napari_keys = napari_keys
        self._asked: KeyRow | None = None
        self.rows = {row.id: KeyRow(row, self) for row in keymap.rows if row.group != NAPARI}
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find a key or what it does")
        self.field.setClearButtonEnabled(True)
        self.field.textChanged.connect(lambda _: self._find())
        self._groups: dict[str, QWidget] = {}
        self.message = QLabel(HINT)
        self.message.setWordWrap(True)
        self.no_key = QPushButton("No key")
        self.no_key.setToolTip("Take the keys away")
        self.no_key.setAutoDefault(False)
        self.no_key.setVisible(False)
        self.no_key.clicked.connect(self._take_away)
        self.reset_all = QPushButton("Reset all keys")
        self.reset_all.setAutoDefault(False)
        self.reset_all.clicked.connect(lambda: self.reset(None))
        self._lay_out()
        self.refresh()

    def _lay_out(self) -> None:
        groups = list(dict.fromkeys(row.row.group for row in self.rows.values()))
        parts = self._groups
        parts.update({group: self._group(group) for group in groups})
        parts[MOUSE] = self._mouse()
        self._find()
        heights = {group: part.sizeHint().height() for group, part in parts.items()}
        columns = [QVBoxLayout() for _ in range(COLUMNS)]
        filled = [0] * COLUMNS
        for group in sorted(parts, key=lambda group: -heights[group]):
            shortest = filled.index(min(filled))
            columns[shortest].addWidget(parts[group])
            filled[shortest] += heights[group]
        content = QWidget()
        row = QHBoxLayout(content)
        row.setSpacing(24)
        for column in columns:
            column.addStretch()
            row.addLayout(column, 1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        foot = QHBoxLayout()
        foot.addWidget(self.message, 1)
        foot.addWidget(self.no_key)
        foot.addWidget(self.reset_all)
        layout = QVBoxLayout(self)
        layout.addWidget(self.field)
        layout.addWidget(scroll)
        layout.addLayout(foot)
        self.resize(1200, 680)

    def _find(self) -> None:
        """Show the rows that have what is typed; without it all but those that go on as another."""
        words = self.field.text().casefold().split()
        found: Counter[str] = Counter()
        for row in self.rows.values():
            found[row.row.group] += row.find(words)
        for group, part in self._groups.items():
            part.setVisible(bool(found[group]) or (group == MOUSE and not words))

    def _group(self, group: str) -> QWidget:
        part, grid = _titled(group)
        rows = [r for r in self.rows.values() if r.row.group == group]
        for i, row in enumerate(rows):
            grid.addWidget(row.keys, i, 0)
            grid.addWidget(row.text, i, 1)
            grid.addWidget(row.reset, i, 2)
        return part

    def _mouse(self) -> QWidget:
        part, grid = _titled(MOUSE)
        for i, row in enumerate(MOUSE_ROWS):
            text = faint(row.text)
            text.setWordWrap(True)
            grid.addWidget(QLabel(row.gesture), i, 0)
            grid.addWidget(text, i, 1)
        return part

    def refresh(self) -> None:
        """Show the keys that each row has."""
        for row in self.rows.values():
            row.refresh(self._keymap, asked=row is self._asked)
        self.no_key.setVisible(self._asked is not None)

    # -- changing --------------------------------------------------------------------------

    def ask(self, row: KeyRow) -> None:
        """Take the next key for a row."""
        self._asked = row
        self.message.setText(f"Press the key for: {row.row.text}. Esc leaves it as it is.")
        self.setFocus()
        self.refresh()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: D102
        if event is None or self._asked is None:
            super().keyPressEvent(event)
            return
        keys = spelled(event)
        if not keys:
            return
        asked, self._asked = self._asked, None
        if keys == "Esc":
            self.message.setText(HINT)
        else:
            self._give(asked.row, keys)
        self.refresh()

    def _give(self, row: Row, keys: str) -> None:
        notes = [f"{for_people(keys)} is now: {row.text}."]
        other = self._keymap.clash(row.id, keys)
        if other is not None:
            notes.append(f"It is taken from: {other.text}.")
        if keys in self._napari_keys:
            notes.append(f"napari's own ({self._napari_keys[keys]}) gives way while you annotate.")
        notes.append("The dock shows it when it is opened anew.")
        others = self._keymap.keys(row.id)[1:]  # the first one is the one that is shown
        self._keep(lambda: self._keymap.set_keys(row.id, [keys, *others]), " ".join(notes))

    def _take_away(self) -> None:
        asked, self._asked = self._asked, None
        if asked is not None:
            row = asked.row
            self._keep(lambda: self._keymap.set_keys(row.id, []), f"No key: {row.text}.")
        self.refresh()

    def reset(self, row_id: str | None) -> None:
        """Give a row, or all, the keys of the table again."""
        text = "All keys are as at first." if row_id is None else HINT
        self._keep(lambda: self._keymap.reset(row_id), text)
        self.refresh()

    def _keep(self, change: Callable[[], None], text: str) -> None:
        try:
            change()
        except FashionError as error:
            text = str(error)
        self.message.setText(text)


def _titled(title: str) -> tuple[QWidget, QGridLayout]:
    part = QWidget()
    layout = QVBoxLayout(part)
    layout.setContentsMargins(0, 0, 0, 8)
    layout.addWidget(section(title))
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(2)
    grid.setColumnStretch(1, 1)
    layout.addLayout(grid)
    return part, grid
