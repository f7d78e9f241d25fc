"""The old model's figures beside the new one's."""

from __future__ import annotations

import math
import re
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_fashion.app.widgets.style import faint
from napari_fashion.engine.train.events import Metrics, Verdict

FIGURES = (
    ("ne", "NE", "Mean distance to the truth, in parts of the image: less is better"),
    ("pdl", "PDL at 0.1", "Share of landmarks nearer than 0.1: more is better"),
    ("top1", "Category, top 1", "Share of categories that are right: more is better"),
)
"""Key in the events, name, and meaning."""


JUDGED = "ne"
"""The figure that the verdict is on."""
_BETTER_SIDE: dict[Verdict, str] = {"better": "new", "worse": "old"}


class MetricsTable(QWidget):
    """Three figures of two models; the one of the better model stands out if the verdict says so."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(14)
        grid.setColumnStretch(0, 1)
        for column, text in ((1, "old"), (2, "new")):
            grid.addWidget(faint(text), 0, column, Qt.AlignmentFlag.AlignRight)
        self.cells: dict[tuple[str, str], QLabel] = {}
        for row, (key, name, meaning) in enumerate(FIGURES, start=1):
            label = QLabel(name)
            label.setToolTip(meaning)
            grid.addWidget(label, row, 0)
            for column, side in ((1, "old"), (2, "new")):
                cell = QLabel("–")  # noqa: RUF001
                cell.setMinimumWidth(54)
                cell.setAlignment(Qt.AlignmentFlag.AlignRight)
                grid.addWidget(cell, row, column)
                self.cells[key, side] = cell

    def show_figures(self, old: Metrics, new: Metrics, verdict: Verdict | None = None) -> None:
        """Show the figures of the old and the new model; missing ones leave a dash.

        Only the figure that the verdict is on is set in bold: of the others no difference is shown.
        """
        for key, *_ in FIGURES:
            values = {"old": _number(old.get(key)), "new": _number(new.get(key))}
            bold = _BETTER_SIDE.get(verdict) if verdict is not None and key == JUDGED else None
            for side, value in values.items():
                text = "–" if math.isnan(value) else f"{value:.4f}"  # noqa: RUF001
                self.cells[key, side].setText(f"<b>{text}</b>" if side == bold else text)

    def text(self, key: str) -> str:
        """Return a figure of both models: "0.0412 before, 0.0312 after"."""
        old, new = (re.sub("<.*?>", "", self.cells[key, side].text()) for side in ("old", "new"))
        return f"{old} before, {new} after"


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan
