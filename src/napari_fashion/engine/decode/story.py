"""How each garment was found, as a person would tell it: from a trace, with places in the image.

A trace (`trace`) has every step of the decoder; a story has a line for each landmark that was found, in
their order, and one for each that was not, with what it would have needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode.options import DecoderOptions
from napari_fashion.engine.decode.trace import (
    Candidate,
    Chosen,
    Completed,
    DecodeTrace,
    Dropped,
    Kept,
    NotFound,
    Placed,
    Proposal,
    Seed,
    Taken,
    WayBack,
)
from napari_fashion.engine.fields import Fields

XY = tuple[float, float]
How = Literal["seed", "edge", "faint edge", "place", "middle"]
Why = Literal["nothing", "unsure", "no way back", "taken"]


@dataclass(frozen=True)
class Runner:
    """The second best place for a landmark: pixels, and its score."""

    xy: XY
    score: float


@dataclass(frozen=True)
class Found:
    """A landmark that was found.

    Attributes
    ----------
    landmark
        Index.
    xy
        Pixels.
    score
        0..1; of an edge, its confidence there by the confidence map's.
    how
        As the ``seed`` that the garment grew from, along an ``edge``, along a ``faint edge`` or at the best
        ``place`` because every landmark was asked for, or in the ``middle`` since nothing speaks for it.
    source, edge
        The landmark and the edge that led to it; None where none did.
    way_back
        Pixels between the source and where the edge leads back to, and how many are allowed.
    second
        The best of the other places that were considered.
    """

    landmark: int
    xy: XY
    score: float
    how: How
    source: int | None = None
    edge: int | None = None
    way_back: tuple[float, float] | None = None
    second: Runner | None = None


@dataclass(frozen=True)
class Missing:
    """A landmark that was not found.

    Attributes
    ----------
    landmark
        Index.
    best, needed
        The best score of a place for it, and the score from which it counts.
    why
        ``nothing`` leads to it, it is ``unsure``, its edge has ``no way back``, or its place was ``taken``
        by a better garment.
    """

    landmark: int
    best: float
    needed: float
    why: Why


@dataclass(frozen=True)
class Story:
    """How one garment was found.

    Attributes
    ----------
    found, missing
        Of all landmarks: those found in their order, and the others.
    score
        Of the garment.
    dropped
        Why it was not returned; empty if it was.
    """

    found: tuple[Found, ...]
    missing: tuple[Missing, ...]
    score: float = 0.0
    dropped: str = ""

    def distance_to(self, xy: NDArray[np.float64], placed: NDArray[np.bool_]) -> float:
        """Return the mean distance of the landmarks in common with a garment, pixels; inf if none.

        Parameters
        ----------
        xy
            (K, 2) pixels.
        placed
            (K,): which of them the garment has.
        """
        apart = [
            np.hypot(*(xy[one.landmark] - one.xy)) for one in self.found if placed[one.landmark]
        ]
        return float(np.mean(apart)) if apart else float("inf")


@dataclass
class _Telling:
    """One garment while its steps are read."""

    found: dict[int, Found] = field(default_factory=dict)
    proposals: dict[int, list[Proposal]] = field(default_factory=dict)
    ways: dict[tuple[int, int], WayBack] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    score: float = 0.0
    dropped: str = ""


def tell(trace: DecodeTrace, fields: Fields, options: DecoderOptions | None = None) -> list[Story]:
    """Return the story of every garment that was begun, in the order of their seeds.

    Parameters
    ----------
    trace, fields, options
        Of one ``decode_fields``.
    """
    options = options or DecoderOptions()
    telling: dict[int, _Telling] = {}
    candidates: dict[int, list[Candidate]] = {}
    values: dict[int, float] = {}
    for step in trace.steps:
        match step:
            case Candidate():
                candidates.setdefault(step.landmark, []).append(step)
            case NotFound():
                values[step.landmark] = step.value
                telling.setdefault(0, _Telling()).found.pop(step.landmark, None)
            case Chosen():
                one = telling.setdefault(0, _Telling())
                others = [c for c in candidates.get(step.landmark, []) if c.rank != step.rank]
                second = max(others, key=lambda c: c.value, default=None)
                one.found[step.landmark] = Found(
                    step.landmark,
                    _pixels(fields, step.xy),
                    step.score,
                    "place",
                    second=None if second is None else _runner(fields, second.xy, second.value),
                )
            case _ if hasattr(step, "garment"):
                _follow(telling.setdefault(step.garment, _Telling()), step, fields)
    n = fields.n_landmarks
    return [_story(telling[g], n, values, options) for g in sorted(telling) if telling[g].found]


def _follow(one: _Telling, step: object, fields: Fields) -> None:
    """Go on with a garment by one of its steps."""
    match step:
        case Seed():
            one.found[step.landmark] = Found(
                step.landmark, _pixels(fields, step.xy), step.score, "seed"
            )
        case Proposal():
            one.proposals.setdefault(step.target, []).append(step)
        case WayBack():
            one.ways[step.edge, step.target] = step
        case Placed():
            one.found[step.landmark] = _placed(one, step, fields)
        case Completed():
            how: How = "place"
            if step.how in ("edge", "middle"):
                how = "faint edge" if step.how == "edge" else "middle"
            one.found[step.landmark] = Found(
                step.landmark, _pixels(fields, step.xy), step.score, how, step.source
            )
        case Taken():
            one.found.pop(step.landmark, None)
            one.taken.add(step.landmark)
        case Kept():
            one.score = step.score
        case Dropped():
            one.score, one.dropped = step.score, step.reason


def _placed(one: _Telling, step: Placed, fields: Fields) -> Found:
    way = one.ways.get((step.edge, step.landmark))
    others = [
        p for p in one.proposals.get(step.landmark, []) if p.edge != step.edge and p.score > 0
    ]
    second = max(others, key=lambda p: p.score, default=None)
    cell = float(np.mean(fields.scale))
    return Found(
        step.landmark,
        _pixels(fields, step.xy),
        step.score,
        "edge",
        step.source,
        step.edge,
        None if way is None else (way.distance * cell, way.tolerance * cell),
        None if second is None else _runner(fields, second.xy, second.score),
    )


def _story(one: _Telling, n: int, values: dict[int, float], options: DecoderOptions) -> Story:
    missing = []
    for k in range(n):
        if k in one.found:
            continue
        best = max((p.score for p in one.proposals.get(k, [])), default=values.get(k, 0.0))
        why: Why = "unsure" if best > 0 else "nothing"
        if k in one.taken:
            why = "taken"
        elif best >= options.landmark_threshold:
            why = "no way back"
        missing.append(Missing(k, best, options.landmark_threshold, why))
    return Story(tuple(one.found.values()), tuple(missing), one.score, one.dropped)


def nearest(
    stories: Sequence[Story], xy: NDArray[np.float64], placed: NDArray[np.bool_]
) -> Story | None:
    """Return the story of the garment that lies where one does, or None where none is near.

    Near is within a quarter of the diagonal of the garment's box, on average.

    Parameters
    ----------
    xy, placed
        (K, 2) pixels and (K,) of the garment.
    """
    if not stories or not placed.any():
        return None
    best = min(stories, key=lambda story: (story.distance_to(xy, placed), bool(story.dropped)))
    extent = np.ptp(xy[placed], axis=0)
    return best if best.distance_to(xy, placed) <= max(float(np.hypot(*extent)) / 4, 1) else None


def _pixels(fields: Fields, xy: XY) -> XY:
    x, y = fields.to_pixels(np.asarray([xy], np.float64))[0]
    return float(x), float(y)


def _runner(fields: Fields, xy: XY, score: float) -> Runner:
    return Runner(_pixels(fields, xy), score)
