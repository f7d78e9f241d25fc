"""Predict, and with which model."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.actions import Actions
from napari_fashion.app.shortcuts import keys_of
from napari_fashion.app.widgets.style import SPACING, quiet_button, shrinking
from napari_fashion.packaged import PACKAGED_MODELS


class PredictRow(QWidget):
    """The two Predict buttons, their progress with cancel, and the model."""

    load_model = Signal(str)
    cancel = Signal()

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions
        self.predict = QPushButton("Predict")
        self.predict.setObjectName("main")
        self.predict.setToolTip(
            "Find the garments on the shown image; what you made or corrected stays"
            + keys_of(Actions.predict)
        )
        self.predict_all = QPushButton("Predict all")
        self.predict_all.setToolTip("Find the garments on every image that is not reviewed")
        self.model = shrinking(QLabel())
        self.model.setObjectName("faint")
        self.load = quiet_button("Load…", "Load another model")
        self.models = QMenu(self)
        for name, what in PACKAGED_MODELS.items():
            self.models.addAction(f"{name}: {what}", partial(self.load_model.emit, name))
        self.models.addSeparator()
        self.models.addAction("From a file…", partial(self.load_model.emit, ""))
        self.load.setMenu(self.models)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.stop = quiet_button("Cancel", "Stop predicting; what was found stays")
        self.stop.setVisible(False)
        self.progress.setVisible(False)

        buttons = QHBoxLayout()
        buttons.setSpacing(SPACING)
        for button in (self.predict, self.predict_all):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            buttons.addWidget(button, 1)
        line = QHBoxLayout()
        line.addWidget(self.model, 1)
        line.addWidget(self.load)
        running = QHBoxLayout()
        running.addWidget(self.progress, 1)
        running.addWidget(self.stop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addLayout(buttons)
        layout.addLayout(running)
        layout.addLayout(line)

        self.predict.clicked.connect(lambda: actions.predict())
        self.predict_all.clicked.connect(lambda: actions.predict_all())
        self.stop.clicked.connect(self.cancel.emit)

    def refresh(self) -> None:
        """Show the model."""
        session = self._actions.session
        model = session.model
        if model is None:
            known = session.model_source in PACKAGED_MODELS
            self.model.setText(f"Model: {session.model_source}" if known else "Model")
        else:
            self.model.setText(f"Model: {model.id}")
        self.model.setToolTip(session.model_source)
        self._enable()

    def show_progress(self, done: int, total: int) -> None:
        """Show how far a running prediction is; a `total` of 0 hides it."""
        running = total > 0
        self.progress.setVisible(running)
        self.stop.setVisible(running)
        if running:
            self.progress.setRange(0, 0 if total == 1 else total)
            self.progress.setValue(done)
        self._enable()

    def _enable(self) -> None:
        ready = self._actions.session.editor is not None and not self.stop.isVisibleTo(self)
        self.predict.setEnabled(ready)
        self.predict_all.setEnabled(ready)
        self.load.setEnabled(not self.stop.isVisibleTo(self))
