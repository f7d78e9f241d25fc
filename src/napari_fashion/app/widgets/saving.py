"""What a closing window shows while a training saves what it has learned."""

from __future__ import annotations

import time
from pathlib import Path

from qtpy.QtCore import QCoreApplication, QEventLoop, Qt
from qtpy.QtWidgets import QDialog, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_fashion.app.jobs.train_processes import TrainProcess
from napari_fashion.app.widgets.style import MARGIN, SPACING
from napari_fashion.engine.train.events import DoneEvent, ErrorEvent, StoppedEvent
from napari_fashion.engine.train.following import EventReader, size_of

_SAVED = (DoneEvent, StoppedEvent, ErrorEvent)
_POLL_SECONDS = 0.02
_POLL_MILLISECONDS = 50


class SavingDialog(QDialog):
    """Says that a training saves, and offers not to wait for it."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Retrain")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        self.text = QLabel(
            "The training stops and saves what it has learned. A window that is opened later shows "
            "it in the dock Retrain, whether this one waits or not."
        )
        self.text.setWordWrap(True)
        busy = QProgressBar()
        busy.setRange(0, 0)
        busy.setTextVisible(False)
        self.leave = QPushButton("Close without waiting")
        self.leave.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(4 * (2 * MARGIN,)))
        layout.setSpacing(2 * SPACING)
        for widget in (self.text, busy, self.leave):
            layout.addWidget(widget)
        self.setMinimumWidth(420)


def wait_until_saved(parent: QWidget | None, process: TrainProcess, log: Path) -> None:
    """Ask a training to save and end, and wait until it has saved, as long as a person does.

    The events are processed here, not by a loop of the dialog: when the whole program quits, no
    further loop of Qt runs.

    Parameters
    ----------
    parent
        The window that closes.
    process
        The one that trains.
    log
        Of the run's events.
    """
    dialog = SavingDialog(parent)
    dialog.show()
    reader = EventReader(log, size_of(log))
    process.terminate()
    while process.alive and dialog.isVisible():
        if any(isinstance(event, _SAVED) for event in reader.read()):
            break
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, _POLL_MILLISECONDS)
        time.sleep(_POLL_SECONDS)
    dialog.hide()
    dialog.deleteLater()
