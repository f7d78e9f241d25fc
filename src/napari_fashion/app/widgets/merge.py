"""Records that two sides changed, side by side; the person chooses."""

from __future__ import annotations

import difflib
import html
import json
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent, QShowEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QRadioButton,
    QTableWidget,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.coco import jsontext
from napari_fashion.editing.edits import RecordKey
from napari_fashion.editing.merge import Conflict, Side

WIDTH, HEIGHT = 960, 560
WIDTHS = (150, 270, 270, 90, 90)
COLUMNS = ("Record", "Yours", "On the disk", "Keep yours", "Take theirs")


class MergeDialog(QDialog):
    """One row per record: what it is, both versions with what differs in bold, and the choice."""

    def __init__(self, parent: QWidget | None, conflicts: Sequence[Conflict]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Records that both changed")
        self.resize(WIDTH, HEIGHT)
        self.conflicts = tuple(conflicts)
        n = len(conflicts)
        head = QLabel(
            f"{n} record{'' if n == 1 else 's'} changed here and on the disk. Everything else is merged. "
            "Choose for each which one stays. The other one is kept: theirs among the earlier versions, "
            "yours in the journal, which is put aside as a file."
        )
        head.setWordWrap(True)
        self.table = QTableWidget(n, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.verticalHeader().hide()
        self.table.setWordWrap(True)
        self.mine: list[QRadioButton] = []
        self.theirs: list[QRadioButton] = []
        for row, conflict in enumerate(conflicts):
            yours, other = _side_by_side(conflict.mine, conflict.theirs)
            table, key = conflict.key
            for column, text in enumerate(
                (f"{table} {key}<br><i>{html.escape(conflict.reason)}</i>", yours, other)
            ):
                label = QLabel(text)
                label.setTextFormat(Qt.TextFormat.RichText)
                label.setWordWrap(True)
                label.setMargin(4)
                label.setAlignment(Qt.AlignmentFlag.AlignTop)
                self.table.setCellWidget(row, column, label)
            group = QButtonGroup(self.table)
            mine, theirs = QRadioButton(), QRadioButton()
            mine.setChecked(True)
            for column, button in ((3, mine), (4, theirs)):
                group.addButton(button)
                self.table.setCellWidget(row, column, button)
            self.mine.append(mine)
            self.theirs.append(theirs)
        header = self.table.horizontalHeader()
        for column, width in enumerate(WIDTHS):
            self.table.setColumnWidth(column, width)
            stretch = column in (1, 2)
            mode = QHeaderView.ResizeMode.Stretch if stretch else QHeaderView.ResizeMode.Fixed
            header.setSectionResizeMode(column, mode)
        self._fit_rows()
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Merge")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (head, self.table, buttons):
            layout.addWidget(part)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: D102
        super().resizeEvent(event)
        self._fit_rows()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        self._fit_rows()

    def _fit_rows(self) -> None:
        """Make each row as high as its longer text: Qt does not ask wrapped labels itself."""
        for row in range(self.table.rowCount()):
            heights = [
                self.table.cellWidget(row, column).heightForWidth(self.table.columnWidth(column))
                for column in range(3)
            ]
            self.table.setRowHeight(row, max(heights) + 8)

    @property
    def choices(self) -> dict[RecordKey, Side]:
        """Which version of each record stays."""
        return {
            conflict.key: "mine" if mine.isChecked() else "theirs"
            for conflict, mine in zip(self.conflicts, self.mine, strict=True)
        }


def ask_merge(
    parent: QWidget | None, conflicts: Sequence[Conflict]
) -> dict[RecordKey, Side] | None:
    """Show records that both sides changed; return the choices, or None if nothing shall happen."""
    dialog = MergeDialog(parent, conflicts)
    accepted = dialog.exec() == QDialog.DialogCode.Accepted
    return dialog.choices if accepted else None


def _side_by_side(mine: str | None, theirs: str | None) -> tuple[str, str]:
    """Return both records as lines of HTML; what only one side has is bold."""
    a, b = _lines(mine), _lines(theirs)
    same_a, same_b = set[int](), set[int]()
    for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        same_a |= set(range(block.a, block.a + block.size))
        same_b |= set(range(block.b, block.b + block.size))
    return _marked(a, same_a), _marked(b, same_b)


def _lines(text: str | None) -> list[str]:
    if text is None:
        return ["removed"]
    record = jsontext.loads(text)
    return [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in record.items()]


def _marked(lines: list[str], same: set[int]) -> str:
    shown = (html.escape(line if len(line) < 300 else line[:297] + "...") for line in lines)
    return "<br>".join(line if i in same else f"<b>{line}</b>" for i, line in enumerate(shown))
