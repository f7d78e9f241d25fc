"""The three jobs of the program as buttons: Predict, Retrain, Export."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QMenu, QProgressBar, QVBoxLayout, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.widgets.buttons import KeyButton
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.style import quiet_button
from napari_fashion.app.widgets.tips import caps, tip


class WorkRow(QWidget):
    """The buttons; they stay in sight whatever is shown.

    Parameters
    ----------
    export
        The menu of *Export*.
    """

    retrain_asked = Signal()

    def __init__(self, actions: Actions, palette: Palette, export: QMenu) -> None:
        super().__init__()
        self._actions = actions
        self._running = False
        self.predict = KeyButton(
            palette,
            "Predict",
            caps("predict"),
            tip(
                "Find the garments on the shown image; what you made or corrected stays", "predict"
            ),
        )
        self.retrain = KeyButton(palette, "Retrain…")
        self.retrain.setToolTip(tip("Train the model further on this data set", "show_retrain"))
        self.export = KeyButton(palette, "Export…")
        self.export.setToolTip("Write what people made or reviewed, to train on or to hand on")
        self.export.setMenu(export)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for button in (self.predict, self.retrain, self.export):
            row.addWidget(button, 1)
        self.predict.clicked.connect(lambda: actions.predict())
        self.retrain.clicked.connect(self.retrain_asked.emit)

    def show_progress(self, done: int, total: int) -> None:
        """Follow a running prediction; a `total` of 0: none runs."""
        self._running = total > 0
        self.refresh()

    def refresh(self) -> None:
        """Offer what can be done now."""
        editor = self._actions.session.editor
        self.predict.setEnabled(editor is not None and not self._running)
        self.export.setEnabled(editor is not None)


class Running(QWidget):
    """How far a job is, and the button that stops it.

    Parameters
    ----------
    what
        The job: "Predicting".
    stops
        Tooltip of *Stop*.
    """

    cancel = Signal()

    def __init__(self, what: str, stops: str) -> None:
        super().__init__()
        self._what = what
        self.text = QLabel()
        self.stop = quiet_button("Stop", stops)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        head = QHBoxLayout()
        head.addWidget(self.text, 1)
        head.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self.bar)
        self.stop.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.stop.clicked.connect(self.cancel.emit)
        self.hide()

    def show_progress(self, done: int, total: int) -> None:
        """Show how far it is; a `total` of 0 hides it."""
        self.setVisible(total > 0)
        if total > 0:
            one = total == 1
            self.text.setText(self._what if one else f"{self._what} {done:,} of {total:,}")
            self.bar.setRange(0, 0 if one else total)
            self.bar.setValue(done)
