"""What compiled code notes down for a trace: rows of numbers, in the order of events.

The compiled functions are the same with and without a trace. Without one the log has no rows: an event,
of which there are a few for each landmark, costs an increment.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from napari_fashion.engine.decode._compiled import inner
from napari_fashion.engine.decode.arguments import Float64, Int64, int64

COLUMNS = 9

# Kinds of rows, and what their columns hold: three integers, then up to five numbers; `trace` makes steps
# of them.
NONE: Final = int64(-1)
SEED: Final = int64(0)  # garment, landmark, -; x, y, score, spread, size
OCCUPIED: Final = int64(1)  # garment, landmark, -; x, y, score
PROPOSAL: Final = int64(2)  # garment, step, better; x, y, score
WAY_BACK: Final = int64(3)  # garment, step, passed; distance, tolerance
PLACED: Final = int64(4)  # garment, step, -; x, y, score, spread, size
NOT_FOLLOWED: Final = int64(5)  # garment, step, -; x, y, score
TAKEN: Final = int64(6)  # garment, landmark, the other garment
KEPT: Final = int64(7)  # garment, landmarks, -; score
TOO_FEW: Final = int64(8)  # garment, landmarks, -; score
TOO_LOW: Final = int64(9)  # garment, landmarks, -; score
CANDIDATE: Final = int64(10)  # -, landmark, rank; x, y, value
CHOSEN: Final = int64(11)  # -, landmark, rank; x, y, score, spread
NOT_FOUND: Final = int64(12)  # -, landmark, -; -, -, value
FAINT: Final = int64(13)  # garment, step, -; x, y, score, spread
BEST_PLACE: Final = int64(14)  # garment, landmark, 0 region, 1 image, 2 middle; x, y, score, spread


class Log(NamedTuple):
    """Rows of events, and how many there were: more than there are rows if these did not suffice."""

    rows: Float64
    """(n, COLUMNS)"""
    n: Int64
    """(1,)"""


def new_log(n: int) -> Log:
    """Return a log of at most n events; 0 for no trace."""
    return Log(np.zeros((n, COLUMNS)), np.zeros(1, np.int64))


@inner
def note(
    log: Log,
    kind: int,
    first: int,
    second: int,
    third: int,
    x: float,
    y: float,
    a: float,
    b: float,
    c: float,
) -> None:
    """Note an event down. The numbers are float64, else this function is compiled for each type."""
    n = log.n[0]
    log.n[0] = n + 1
    if n < log.rows.shape[0]:
        row = log.rows[n]
        row[0], row[1], row[2], row[3] = kind, first, second, third
        row[4], row[5], row[6], row[7], row[8] = x, y, a, b, c
