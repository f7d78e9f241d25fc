"""What is compared with the file, and how far apart the selected garment's landmarks are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QGridLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.comparing import Comparison
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_data import title
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.style import LANDMARK, SPACING, section, shrinking, swatch_icon
from napari_fashion.editing.comparison import Pair
from napari_fashion.errors import FashionError
from napari_fashion.packaged import PACKAGED_MODELS

NOTHING, FILE, MODEL = "nothing", "another file…", "a model…"
COLUMNS = ("landmark", "pixels", "of garment")


class ComparePanel(QWidget):
    """Which other reading, and the distances of the selected garment's landmarks to it."""

    def __init__(self, session: Session, comparison: Comparison) -> None:
        super().__init__()
        self._session = session
        self._comparison = comparison
        self.other = QComboBox()
        self.other.addItems([NOTHING, FILE, *PACKAGED_MODELS, MODEL])
        self.other.setToolTip("What the kites on the image are")
        self.told = shrinking(QLabel())
        self.told.setObjectName("faint")
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(COLUMNS)
        self.table.verticalHeader().setVisible(False)
        self.table.verticalHeader().setDefaultSectionSize(LANDMARK)
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        grid = QGridLayout()
        grid.setSpacing(SPACING)
        grid.addWidget(QLabel("kite"), 0, 0)
        grid.addWidget(self.other, 0, 1)
        grid.setColumnStretch(1, 1)
        column_of = QVBoxLayout(self)
        column_of.setContentsMargins(0, 0, 0, 0)
        column_of.setSpacing(SPACING)
        column_of.addWidget(section("Compare"))
        column_of.addLayout(grid)
        column_of.addWidget(self.told)
        column_of.addWidget(self.table, 1)
        self.other.activated.connect(self._choose)
        follow(self, comparison.changed, self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Show what is compared, and the selected garment's distances."""
        comparison, editor = self._comparison, self._session.editor
        if not comparison.is_on:
            self.other.setCurrentIndex(0)
        self.told.setText(self._sentence())
        self.told.setToolTip(comparison.name)
        pair = self._pair()
        self.table.setVisible(pair is not None)
        if pair is None or editor is None:
            return
        schema = editor.dataset.schema
        rows = np.flatnonzero(pair.in_ours | pair.in_theirs).tolist()
        self.table.setRowCount(len(rows))
        for i, k in enumerate(rows):
            name = QTableWidgetItem(swatch_icon(schema.colors[k]), title(schema, k))
            self.table.setItem(i, 0, name)
            texts = (f"{pair.pixels[k]:.1f} px", f"{pair.distance[k]:.3f}")
            if not (pair.in_ours[k] and pair.in_theirs[k]):
                texts = ("only here" if pair.in_ours[k] else "only there", "")
            for column, text in enumerate(texts, start=1):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                if pair.far[k]:
                    item.setForeground(QBrush(QColor(240, 190, 70)))
                self.table.setItem(i, column, item)

    def _sentence(self) -> str:
        comparison = self._comparison
        if not comparison.is_on:
            return "Choose a file, such as the truth, or a model."
        if comparison.theirs is None:
            return f"{comparison.name} …"
        alone = sum(pair.ours is None for pair in comparison.pairs)
        more = f"; {alone} more there" if alone else ""
        n = len(comparison.theirs)
        return f"{n} garment{'s' * (n != 1)} in {comparison.name}{more}"

    def _pair(self) -> Pair | None:
        """Return the pair of the selected garment."""
        editor = self._session.editor
        if editor is None or self._comparison.theirs is None:
            return None
        ids = [garment.id for garment in editor.garments]
        if editor.selection.garment_id not in ids:
            return None
        return self._comparison.pairs[ids.index(editor.selection.garment_id)]

    def _start(self) -> Path:
        editor = self._session.editor
        path = None if editor is None else editor.path
        return Path.cwd() if path is None else path.parent

    # -- gestures --------------------------------------------------------------------------

    def _choose(self, index: int) -> None:
        chosen = self.other.itemText(index)
        try:
            if chosen == NOTHING:
                self._comparison.end()
            elif chosen == FILE:
                if (path := files.ask_open_file(self, self._start())) is not None:
                    self._comparison.with_file(path)
            else:
                source = files.ask_model(self, self._start()) if chosen == MODEL else chosen
                if source is not None:
                    self._comparison.with_model(str(source))
        except FashionError as error:
            self._session.notify(str(error), "error")
        self.refresh()
