"""Following the log of a run that another process writes, whatever is in it. No torch, no Qt."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from napari_fashion.documents import shortened
from napari_fashion.engine.train.events import ErrorEvent, TrainEvent, parse_event
from napari_fashion.errors import EventError
from napari_fashion.files import open_regular

CHUNK_BYTES = 1 << 18
"""Number of bytes that one call reads at most."""
MAX_LINE = 1 << 20
"""Number of bytes of the longest line; longer ones are passed over."""
MAX_EVENTS = 200
"""Number of lines that one call parses at most, beside those of steps."""
MAX_STEPS = 30
"""Number of steps that one call returns at most; of a flood of them some are left out, evenly."""
TAIL_BYTES = 1 << 16
TAIL_LINES = 12
LINE_LETTERS = 400

_STEP = b'"event": "step"'
_STEP_WITHIN = 120  # of its line, behind the time


class EventReader:
    """Reads the events of a growing log, a bounded part at a time.

    A last line without an end waits for the rest. Lines that are no events are counted.

    Parameters
    ----------
    path
        The log; it need not be there yet.
    offset
        Where to begin, in bytes.

    Attributes
    ----------
    bad
        Number of lines that were no events.
    at_end
        Whether the last call of `read` left nothing that is there.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.bad = 0
        self.at_end = False
        self._offset = offset
        self._rest = b""
        self._too_long = False  # in the midst of a line that is passed over
        self._lines: deque[bytes] = deque()

    def read(self) -> list[TrainEvent]:
        """Return further events, in order; none if there is nothing to read now."""
        if not self._lines:
            self._fill()
        batch: list[bytes] = []
        steps: list[int] = []
        others = 0
        while self._lines and others < MAX_EVENTS:
            line = self._lines.popleft()
            if _STEP in line[:_STEP_WITHIN]:
                steps.append(len(batch))
            elif line.startswith(b"{"):
                others += 1
            else:
                self.bad += bool(line.strip())
                continue
            batch.append(line)
        kept = set(_evenly(steps))
        left_out = set(steps) - kept
        events = (self._parse(line) for i, line in enumerate(batch) if i not in left_out)
        return [event for event in events if event is not None]

    def finish(self) -> list[TrainEvent]:
        """Return the event of a last line without an end, once nobody writes any more."""
        rest, self._rest = self._rest, b""
        event = self._parse(rest) if rest.strip() else None
        return [] if event is None else [event]

    def _fill(self) -> None:
        try:
            with open_regular(self.path) as stream:
                if os.fstat(stream.fileno()).st_size < self._offset:  # another file, or cut off
                    self._offset, self._rest, self._too_long = 0, b"", False
                stream.seek(self._offset)
                data = stream.read(CHUNK_BYTES)
        except (OSError, ValueError):
            data = b""
        self.at_end = len(data) < CHUNK_BYTES
        self._offset += len(data)
        *lines, rest = (self._rest + data).split(b"\n")
        if self._too_long and lines:
            lines, self._too_long = lines[1:], False
        if self._too_long or len(rest) > MAX_LINE:
            self.bad += not self._too_long
            self._too_long, rest = True, b""
        self._rest = rest
        self._lines.extend(lines)
        if self._lines:
            self.at_end = False

    def _parse(self, line: bytes) -> TrainEvent | None:
        try:
            return parse_event(line)
        except EventError:
            self.bad += 1
            return None


def _evenly(places: list[int]) -> list[int]:
    """Return at most `MAX_STEPS` of some places, evenly, with the last one."""
    every = -(-len(places) // MAX_STEPS) or 1
    return places[::-1][::every]


def size_of(path: Path) -> int:
    """Return the size of a log, where to begin if only what comes later is wanted; 0 if it isn't there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def tail_of(path: Path) -> tuple[str, list[str]]:
    """Return what the end of a process's output says.

    Returns
    -------
    error
        Message of the last `ErrorEvent`; empty if there is none.
    lines
        The last few other lines, shortened; bytes that are no UTF-8 are replaced.
    """
    try:
        with open_regular(path) as stream:
            stream.seek(max(stream.seek(0, os.SEEK_END) - TAIL_BYTES, 0))
            data = stream.read(TAIL_BYTES)
    except (OSError, ValueError):
        return "", []
    error = ""
    lines: list[str] = []
    for line in data.split(b"\n"):
        try:
            event = parse_event(line) if line.startswith(b"{") else None
        except EventError:
            event = None
        if isinstance(event, ErrorEvent):
            error = event.message
        elif event is None and line.strip():
            text = "".join(c if c.isprintable() else " " for c in line.decode(errors="replace"))
            lines.append(shortened(text.rstrip(), LINE_LETTERS))
    return error, lines[-TAIL_LINES:]
