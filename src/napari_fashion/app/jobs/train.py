"""Training in a process of its own, followed by the log that the run keeps."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_fashion.app.jobs.train_processes import TrainProcess, TrainRecord
from napari_fashion.documents import ended
from napari_fashion.engine.train.events import (
    DoneEvent,
    ErrorEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
    TrainEvent,
)
from napari_fashion.engine.train.following import EventReader, size_of, tail_of
from napari_fashion.engine.train.runs import EVENTS
from napari_fashion.errors import FashionError

TICK_MILLISECONDS, BEHIND_MILLISECONDS = 100, 10
"""How often the log is looked at; and while there is more to read."""
KEPT_STEPS, KEPT_OTHERS = 4000, 2000
"""Number of events that a dock opened later is shown."""


class TrainJob:
    """Starts a training, or finds one, and passes its events on.

    The process writes into files only: what it prints, into one beside the run's folder, and its
    events into the run's log, which is followed here. So nothing that it prints can hold up the
    window, and the window's end does not hold up the training.

    Parameters
    ----------
    command
        What to run before the recipe and its options; the package's own command line by default.
    """

    event = Signal(TrainEvent)
    """Each event of the training; of a flood of steps some are left out."""
    failed = Signal(str)
    """The process ended without `done` or `stopped`: why."""
    finished = Signal()
    """The process has ended, however."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = list(command or (sys.executable, "-m", "napari_fashion", "train"))
        self._process: TrainProcess | None = None
        self._record: TrainRecord | None = None
        self._reader = EventReader(Path())
        self._waiting: deque[TrainEvent] = deque()
        self._forget()
        self._timer = QTimer()
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self._tick)

    def _forget(self) -> None:
        self._steps: list[StepEvent] = []
        self._others: list[TrainEvent] = []
        self._ended_well, self._message = False, ""
        self.failure = ""
        """What `failed` said, for a dock that is opened later."""
        self.caught_up = False
        """Whether the log was read to its end once: events are new since."""

    @property
    def running(self) -> bool:
        """Whether a training is followed."""
        return self._process is not None

    @property
    def run(self) -> Path | None:
        """Folder of the run that is followed, or was the last."""
        return None if self._record is None else self._record.run

    @property
    def history(self) -> list[TrainEvent]:
        """What was reported so far, for a dock that is opened later; many steps are thinned."""
        return [*self._others[:1], *self._steps, *self._others[1:]]

    # -- beginning and ending --------------------------------------------------------------

    def start(self, recipe: Path, run: Path) -> None:
        """Start training as `recipe` says, in the folder `run`.

        Raises
        ------
        FashionError
            If a training is followed already.
        OSError
            If the process cannot be started.
        """
        if self.running:
            raise FashionError("A training is running; stop it first.")
        run = Path(os.path.abspath(run))
        run.parent.mkdir(parents=True, exist_ok=True)
        output = run.with_name(f"{run.name}.log")
        command = [*self._command, str(recipe), "--run", str(run), "--events", "jsonl"]
        reader = EventReader(run / EVENTS, size_of(run / EVENTS))
        process = TrainProcess.start(command, output)
        self._follow(process, TrainRecord(run, output, process.process, None), reader)

    def attach(self, record: TrainRecord) -> None:
        """Follow a training that another window started, from the beginning of its log.

        Raises
        ------
        FashionError
            If a training is followed already.
        """
        if self.running:
            raise FashionError("A training is running; stop it first.")
        self._follow(TrainProcess(record.process), record, EventReader(record.run / EVENTS))

    def _follow(self, process: TrainProcess, record: TrainRecord, reader: EventReader) -> None:
        self._forget()
        self._waiting.clear()
        self._process, self._reader = process, reader
        self._record = record.followed_here()
        self._record.save()
        self._timer.start()

    def stop(self) -> None:
        """Ask the training to save and end, however long that takes."""
        if self._process is not None:
            self._process.terminate()

    def kill(self) -> None:
        """End the training at once; its last checkpoint stays."""
        if self._process is not None:
            self._process.kill()

    def let_go(self) -> TrainProcess | None:
        """Follow the training no more: it goes on, and another window can find it.

        Returns
        -------
        The process; None if no training is followed.
        """
        process, self._process = self._process, None
        self._timer.stop()
        if process is not None and self._record is not None:
            replace(self._record, window=None).save()
        return process

    # -- following -------------------------------------------------------------------------

    def _tick(self) -> None:
        process = self._process
        if process is None:
            return
        alive = process.alive  # asked first: all that it wrote is there once it is dead
        if not self._waiting:
            self._waiting.extend(self._reader.read())
            if not alive and self._reader.at_end:
                self._waiting.extend(self._reader.finish())
        self._pass_on()
        self._timer.setInterval(TICK_MILLISECONDS if self._reader.at_end else BEHIND_MILLISECONDS)
        if self._reader.at_end and not self._waiting and self._process is process:
            self.caught_up = True
            if not alive:
                self._ended(process)

    def _pass_on(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()  # first: a listener that fails must not see it again
            self._remember(event)
            self.event.emit(event)

    def _remember(self, event: TrainEvent) -> None:
        match event:
            case StartEvent():
                self._steps, self._others = [], []
                self._ended_well, self._message = False, ""
            case DoneEvent() | StoppedEvent():
                self._ended_well = True
            case ErrorEvent():
                self._message = event.message
        if isinstance(event, StepEvent):
            self._steps.append(event)
            if len(self._steps) > KEPT_STEPS:
                del self._steps[::2]
        else:
            self._others.append(event)
            if len(self._others) > KEPT_OTHERS:
                del self._others[1 : KEPT_OTHERS // 2]

    def _ended(self, process: TrainProcess) -> None:
        self._timer.stop()
        self._process = None
        assert self._record is not None
        self._record.remove()
        if not self._ended_well:
            self.failure = self._why(process.status)
            self.failed.emit(self.failure)
        self.finished.emit()

    def _why(self, status: int | None) -> str:
        """Return why the training ended: its own error, or the last lines of what it printed."""
        assert self._record is not None
        error, lines = tail_of(self._record.output)
        if message := self._message or error:
            return message
        if status is None:
            text = (
                "The training ended before its end. Go on: napari-fashion train --resume --run "
                f"{self._record.run}"
            )
        else:
            text = f"The training ended with status {status}"
        return "\n".join([ended(text), *lines])
