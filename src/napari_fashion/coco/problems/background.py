"""Pauses for work in the background of a window, which can be stopped."""

from __future__ import annotations

import time
from threading import Event

WORK_SECONDS, REST_SECONDS = 0.001, 0.004
"""How long the work goes on at a time, and how long it rests then."""


class StoppedError(Exception):
    """The work is not wanted any more."""


class Pause:
    """Rests for most of the time: a thread that never does makes a window slow.

    Parameters
    ----------
    stop
        Setting it ends the work.

    Raises
    ------
    StoppedError
        From a call, if `stop` is set.
    """

    def __init__(self, stop: Event) -> None:
        self._stop = stop
        self._since = time.perf_counter()

    def __call__(self) -> None:
        """Rest, if the last rest is long enough ago."""
        if time.perf_counter() - self._since > WORK_SECONDS:
            if self._stop.wait(REST_SECONDS):
                raise StoppedError
            self._since = time.perf_counter()
