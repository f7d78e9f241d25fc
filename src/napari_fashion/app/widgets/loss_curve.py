"""The loss as it falls, and the validation error beside it."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_fashion.app.widgets.roles import Roles

KEPT_POINTS = 4000
SMOOTHING = 0.85
LARGEST = 1e12
"""Greatest loss that is drawn."""


class LossCurve(QWidget):
    """A plot of the loss over the steps, as it comes in, and smoothed."""

    def __init__(self) -> None:
        super().__init__()
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setFixedHeight(220)
        self.plot.showGrid(x=False, y=True, alpha=0.15)
        self.plot.setLabel("bottom", "step")
        self.plot.setLabel("left", "loss")
        self._raw = self.plot.plot()
        self._smooth = self.plot.plot()
        self._mean, self._count = 0.0, 0
        self.steps: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)

    def clear(self) -> None:
        """Remove the curve."""
        self._mean, self._count = 0.0, 0
        self.steps, self.losses, self.smoothed = [], [], []
        self._draw()

    def add(self, step: float, loss: float) -> None:
        """Append the loss of a step; one beyond what can be drawn is drawn at the edge of that."""
        loss = min(max(loss, -LARGEST), LARGEST)
        self._count += 1
        self._mean = SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.steps.append(step)
        self.losses.append(loss)
        self.smoothed.append(self._mean / (1 - SMOOTHING**self._count))
        if len(self.steps) > KEPT_POINTS:  # every other one of a long run shows the same curve
            for series in (self.steps, self.losses, self.smoothed):
                del series[::2]
        self._draw()

    def apply_theme(self, roles: Roles) -> None:
        """Take the colours of napari's theme."""
        self.plot.setBackground(roles.background)
        self._raw.setPen(pg.mkPen(roles.symbol, width=1))
        self._smooth.setPen(pg.mkPen(roles.link, width=2))
        for side in ("bottom", "left"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(roles.line))
            axis.setTextPen(pg.mkPen(roles.text))

    def _draw(self) -> None:
        self._raw.setData(self.steps, self.losses)
        self._smooth.setData(self.steps, self.smoothed)
