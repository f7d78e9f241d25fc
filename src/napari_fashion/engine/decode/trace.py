"""What the decoder did, step by step: for a person who asks why a garment or landmark was (not) found.

``decode_fields(..., trace=trace)`` fills a `DecodeTrace` with typed steps in their order. Positions are
in cells, x then y. Garments are named by the order of their seeds, also those that were dropped.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from napari_fashion.engine.decode import _log
from napari_fashion.engine.decode.arguments import Adjacency, Float32, Float64, Int64
from napari_fashion.engine.decode.garment import DecodedGarment

XY = tuple[float, float]


@dataclass(frozen=True)
class Seed:
    """A garment starts; `xy` is where the cells around its seed place the landmark."""

    garment: int
    landmark: int
    xy: XY
    score: float
    spread: float
    size: float


@dataclass(frozen=True)
class SeedSkipped:
    """A seed starts no garment: its place is occupied by a garment that has the landmark there."""

    garment: int
    landmark: int
    xy: XY
    score: float


@dataclass(frozen=True)
class Proposal:
    """An edge leads from the placed landmark `source` to a place for `target`.

    `better`: it is surer than every other proposal for the target so far, and replaces it. Score 0: no
    PAF cell starts near the source.
    """

    garment: int
    edge: int
    source: int
    target: int
    xy: XY
    score: float
    better: bool


@dataclass(frozen=True)
class WayBack:
    """The best proposal is checked: whether the edge leads back from its place to the source.

    `distance` from there to the source's place, inf if nothing leads back; up to `tolerance` it passes.
    """

    garment: int
    edge: int
    source: int
    target: int
    distance: float
    tolerance: float
    passed: bool


@dataclass(frozen=True)
class Placed:
    """A proposal passed: the landmark gets the place on which the cells around the proposal agree."""

    garment: int
    landmark: int
    edge: int
    source: int
    xy: XY
    score: float
    spread: float
    size: float


@dataclass(frozen=True)
class NotFollowed:
    """A proposal that is left when a garment has stopped growing: below `landmark_threshold`."""

    garment: int
    edge: int
    source: int
    target: int
    xy: XY
    score: float


@dataclass(frozen=True)
class Taken:
    """A garment loses a landmark whose place belongs to a better garment, `by`."""

    garment: int
    landmark: int
    by: int


@dataclass(frozen=True)
class Kept:
    """A garment is returned, with this score."""

    garment: int
    n_landmarks: int
    score: float


@dataclass(frozen=True)
class Dropped:
    """A garment is not returned: after suppression it has too little left."""

    garment: int
    n_landmarks: int
    score: float
    reason: Literal["min_landmarks", "garment_threshold"]


@dataclass(frozen=True)
class Candidate:
    """With `single_instance`: a place that is considered for a landmark; rank 0 has the best value."""

    landmark: int
    rank: int
    xy: XY
    value: float


@dataclass(frozen=True)
class Chosen:
    """With `single_instance`: the candidate that agrees best with those of the other landmarks.

    `xy` is where the cells around it place the landmark of garment 0.
    """

    landmark: int
    rank: int
    xy: XY
    score: float
    spread: float


@dataclass(frozen=True)
class NotFound:
    """With `single_instance`: a landmark whose chosen candidate, if any, is below the threshold."""

    landmark: int
    value: float


@dataclass(frozen=True)
class Completed:
    """With `force_complete`: a missing landmark is placed.

    How: along an ``edge`` (from landmark `source`), at the best place in the garment's ``region`` or in
    the ``image``, or in the region's ``middle``, since nothing at all speaks for it.
    """

    garment: int
    landmark: int
    source: int | None
    xy: XY
    score: float
    spread: float
    how: Literal["edge", "region", "image", "middle"]


Step = (
    Seed
    | SeedSkipped
    | Proposal
    | WayBack
    | Placed
    | NotFollowed
    | Taken
    | Kept
    | Dropped
    | Candidate
    | Chosen
    | NotFound
    | Completed
)


@dataclass
class DecodeTrace:
    """The steps of one decoding, in their order.

    >>> trace = DecodeTrace()
    >>> # garments = decode_fields(fields, schema, trace=trace)
    >>> [step for step in trace.steps if isinstance(step, Dropped)]
    []
    """

    steps: list[Step] = field(default_factory=list)

    def fill(self, log: _log.Log, adjacency: Adjacency) -> None:
        """Replace the steps by those of a log."""
        self.steps = [_step_of(row, adjacency.steps) for row in log.rows[: log.n[0]]]

    def garments(self, n_landmarks: int) -> list[DecodedGarment]:
        """Return the garments that these steps end in: what decoding returned."""
        return replay(self.steps, n_landmarks)


def replay(steps: Iterable[Step], n_landmarks: int) -> list[DecodedGarment]:
    """Make garments of steps, best score first.

    Parameters
    ----------
    steps
        From the first one on; with the first n of a trace, the garments as they were then. The score
        of a garment that is not yet judged is 0.
    n_landmarks
        Number K of landmarks.
    """
    found: dict[int, tuple[Float32, Float32, Float32]] = {}
    scores: dict[int, float] = {}
    kept: list[int] = []
    for step in steps:
        match step:
            case Seed() | Placed() | Chosen() | Completed():
                garment = 0 if isinstance(step, Chosen) else step.garment
                xy, score, spread = found.setdefault(garment, _nothing(n_landmarks))
                xy[step.landmark] = step.xy
                score[step.landmark] = step.score
                spread[step.landmark] = step.spread
            case Taken():
                for array in found[step.garment]:
                    array[step.landmark] = 0
            case Kept():
                found.setdefault(step.garment, _nothing(n_landmarks))
                scores[step.garment] = step.score
                kept.append(step.garment)
            case Dropped():
                del found[step.garment]
    order = [*kept, *(g for g in found if g not in scores)]
    garments = [DecodedGarment(*found[g], scores.get(g, 0.0)) for g in order]
    return sorted(garments, key=lambda garment: -garment.score)


def _nothing(n_landmarks: int) -> tuple[Float32, Float32, Float32]:
    xy = np.zeros((n_landmarks, 2), np.float32)
    return xy, np.zeros(n_landmarks, np.float32), np.zeros(n_landmarks, np.float32)


def _step_of(row: Float64, steps: Int64) -> Step:
    """Make a step of a row of the log; `_log` says what its columns hold."""
    kind, first, second, third = (int(value) for value in row[:4])
    x, y, a, b, c = (float(value) for value in row[4:9])
    match kind:
        case _log.SEED:
            return Seed(first, second, (x, y), a, b, c)
        case _log.OCCUPIED:
            return SeedSkipped(first, second, (x, y), a)
        case _log.PROPOSAL:
            return Proposal(first, *_directed(steps, second), (x, y), a, bool(third))
        case _log.WAY_BACK:
            return WayBack(first, *_directed(steps, second), x, y, bool(third))
        case _log.PLACED:
            edge, source, target = _directed(steps, second)
            return Placed(first, target, edge, source, (x, y), a, b, c)
        case _log.NOT_FOLLOWED:
            return NotFollowed(first, *_directed(steps, second), (x, y), a)
        case _log.TAKEN:
            return Taken(first, second, third)
        case _log.KEPT:
            return Kept(first, second, x)
        case _log.TOO_FEW:
            return Dropped(first, second, x, "min_landmarks")
        case _log.TOO_LOW:
            return Dropped(first, second, x, "garment_threshold")
        case _log.CANDIDATE:
            return Candidate(second, third, (x, y), a)
        case _log.CHOSEN:
            return Chosen(second, third, (x, y), a, b)
        case _log.NOT_FOUND:
            return NotFound(second, a)
        case _log.FAINT:
            _, source, target = _directed(steps, second)
            return Completed(first, target, source, (x, y), a, b, "edge")
        case _log.BEST_PLACE:
            how: tuple[Literal["region", "image", "middle"], ...] = ("region", "image", "middle")
            return Completed(first, second, None, (x, y), a, b, how[third])
    raise AssertionError(f"kind {kind} of a log's row")


def _directed(steps: Int64, step: int) -> tuple[int, int, int]:
    """Return edge, source and target of a directed edge."""
    edge, _, target, source = (int(value) for value in steps[step])
    return edge, source, target
