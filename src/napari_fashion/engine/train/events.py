"""What a training run reports, as typed events, and their form as JSON lines.

``napari-fashion train --events jsonl`` prints one JSON object per line; a run folder's
``events.jsonl`` keeps them with their time. This module imports no torch: the window reads events.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError

from napari_fashion.documents import parse_json, shown
from napari_fashion.engine.train.disk import writing
from napari_fashion.errors import EventError, FashionError
from napari_fashion.files import open_regular
from napari_fashion.options import Options, told

Metrics = dict[str, float | None]
"""Of a model on the validation images, by name."""

_BLOCK = 1 << 16
Count = Annotated[int, Field(ge=0, lt=1 << 53)]
"""A number that any program can show; logs of strangers hold greater ones."""

_LAST_LINE = 1 << 20
"""Bytes at the end of a log in which its last event is looked for."""


class TrainEvent(Options):
    """Something that a training run reports."""

    # A later version may report more; messages of errors can be long.
    model_config = ConfigDict(extra="ignore", str_max_length=1 << 20)
    kind: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the event as JSON holds it, its kind under the key ``event``."""
        return {"event": self.kind, **self.model_dump(mode="json")}


class StartEvent(TrainEvent):
    """A run begins, or goes on at a step."""

    kind: ClassVar[str] = "start"
    run: str
    epochs: Count
    steps: Count
    """Of the whole run."""
    epoch: Count
    step: Count
    train_images: Count
    val_images: Count
    device: str


class LeftOutEvent(TrainEvent):
    """Sources hold something that cannot be used; one event for each kind."""

    kind: ClassVar[str] = "left_out"
    what: str
    count: Count
    first: list[str]
    """Sentences on the first few."""


class NoticeEvent(TrainEvent):
    """Something that a person should know of the run, in a sentence."""

    kind: ClassVar[str] = "notice"
    message: str
    level: Literal["info", "warning"] = "info"


class StepEvent(TrainEvent):
    """A step is done; some are not reported."""

    kind: ClassVar[str] = "step"
    step: Count
    epoch: Count
    loss: float | None
    """None if the step was skipped."""
    losses: dict[str, float] | None
    """The weighted losses by name, such as ``pif.vector``."""
    lr: float
    images_per_second: float


class EpochEvent(TrainEvent):
    """An epoch is done and its state saved."""

    kind: ClassVar[str] = "epoch"
    epoch: Count
    loss: float | None
    """Mean of its steps; None if all were skipped."""
    val: Metrics | None = None
    """None if this epoch was not validated."""


class DivergenceEvent(TrainEvent):
    """The loss is not finite, or far above its running median."""

    kind: ClassVar[str] = "divergence"
    step: Count
    head: str
    """The loss that is to blame, such as ``paf.vector``, or the gradient's norm."""
    loss: float | str
    """Text if it is not finite."""
    policy: Literal["skip", "back", "stop"]
    images: list[str] = Field(default_factory=list)
    """Names of the images of the batch; empty in logs of older versions."""


Verdict = Literal["better", "worse", "no difference", "too few"]


class CompareEvent(TrainEvent):
    """The model that the run started from and the new one, on the same validation images."""

    kind: ClassVar[str] = "compare"
    old: Metrics
    new: Metrics
    verdict: Verdict | None = None
    """On the normalised error; None in logs of older versions."""
    text: str = ""
    """The verdict in a sentence, with the interval of the difference."""
    images: Count = 0
    """Number of validation images."""


class DoneEvent(TrainEvent):
    """The run came to its end."""

    kind: ClassVar[str] = "done"
    model: str
    """Path of the model's JSON."""
    seconds: float
    why: str = ""
    """Why before its last epoch, such as early stopping; empty at the last."""


class StoppedEvent(TrainEvent):
    """The run was asked to stop; its state is saved."""

    kind: ClassVar[str] = "stopped"
    model: str
    step: Count


class ErrorEvent(TrainEvent):
    """The run failed."""

    kind: ClassVar[str] = "error"
    message: str


Emit = Callable[[TrainEvent], None]

EVENTS: dict[str, type[TrainEvent]] = {
    event.kind: event
    for event in (
        StartEvent, LeftOutEvent, NoticeEvent, StepEvent, EpochEvent, DivergenceEvent,
        CompareEvent, DoneEvent, StoppedEvent, ErrorEvent,
    )
}  # fmt: skip
"""By kind."""

_OLD_KINDS = {"explosion": "divergence"}
_OLD_KEYS = {
    "train_pictures": "train_images",
    "val_pictures": "val_images",
    "pictures_per_second": "images_per_second",
}
"""Names before version 2, in ``events.jsonl`` of old runs."""


def parse_event(data: object) -> TrainEvent:
    """Return the event of a JSON line, or of the object that the line holds.

    Old names are understood.

    Raises
    ------
    EventError
        If it is not an event.
    """
    if isinstance(data, str | bytes):
        data = parse_json(data, "an event", EventError)
    kind = data.get("event") if isinstance(data, dict) else None
    event = EVENTS.get(_OLD_KINDS.get(kind, kind)) if isinstance(kind, str) else None
    if event is None or not isinstance(data, dict):
        raise EventError(f"Found {shown(data)}; expected an event of a training run.")
    try:
        return event.model_validate({_OLD_KEYS.get(k, k): v for k, v in data.items()})
    except ValidationError as error:
        raise EventError(f"Event {kind!r}: {told(error, event)}.") from error


class EventLog:
    """Appends events with their time to a run's log, and passes them on.

    The end of a last line that a killed process left is dropped when the log goes on.

    Parameters
    ----------
    path
        The file; its folder must exist before the first event.
    emit
        Called with each event after it was written.
    """

    def __init__(self, path: Path, emit: Emit) -> None:
        self.path = path
        self._emit = emit
        self._is_whole = False  # whether the log is known to end with a whole line

    def __call__(self, event: TrainEvent) -> None:
        """Write an event and pass it on.

        Raises
        ------
        CheckpointError
            If it cannot be written; it is then not passed on.
        """
        self.write(event)
        self._emit(event)

    def write(self, event: TrainEvent) -> None:
        """Write an event; it is passed on otherwise.

        Raises
        ------
        CheckpointError
            If it cannot be written.
        """
        line = json.dumps({"time": now(), **event.to_dict()}) + "\n"
        with writing(self.path):
            if not self._is_whole:
                _drop_cut_line(self.path)
            self._is_whole = False
            with self.path.open("a", encoding="utf-8") as log:
                log.write(line)
            self._is_whole = True


def _drop_cut_line(path: Path) -> None:
    """Remove the end of a log that is no whole line: what a killed process left."""
    try:
        log = path.open("r+b")
    except FileNotFoundError:
        return
    with log:
        end = log.seek(0, os.SEEK_END)
        start = end
        while start > 0:
            block = min(start, _BLOCK)
            start -= block
            log.seek(start)
            newline = log.read(block).rfind(b"\n")
            if newline >= 0:
                start += newline + 1
                break
        if start < end:
            log.truncate(start)


def last_event(path: Path) -> TrainEvent | None:
    """Return the last event of a log; None if there is none, or its last line is no event."""
    try:
        with open_regular(path) as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - _LAST_LINE, 0))
            lines = stream.read().splitlines()
        return parse_event(lines[-1]) if lines else None
    except (OSError, FashionError):  # such as a line that a power failure cut short
        return None


def now() -> str:
    """Return the time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
