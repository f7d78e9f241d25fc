"""Exactly one garment: each landmark at its best place, for crops (`DecoderOptions.single_instance`)."""

from __future__ import annotations

import math

import numpy as np

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode._log import CANDIDATE, CHOSEN, KEPT, NONE, NOT_FOUND, Log, note
from napari_fashion.engine.decode.arguments import (
    ZERO,
    Adjacency,
    Bool,
    Cells,
    Float32,
    Float64,
    Garments,
    Int64,
    Paf,
    Pif,
    cells_from,
)
from napari_fashion.engine.decode.candidates import Candidates, candidates_of
from napari_fashion.engine.decode.confidence import MIN_SPREAD, WEAK_PIF, settle
from napari_fashion.engine.decode.greedy import Decoded, garment_score
from napari_fashion.engine.decode.options import DecoderOptions

_ROUNDS = 10  # of iterated conditional modes
_FAR = 6.0  # spreads: a PAF cell says nothing about places farther away; exp(-6) is 0.002


def decode_single(
    pif: Pif, paf: Paf, adjacency: Adjacency, sets: Bool, options: DecoderOptions, log: Log
) -> Decoded:
    """Decode one garment, possibly without any landmark.

    Maximises the sum of map values and of `paf_weight` times the best PAF cell of each edge, one
    landmark at a time until nothing changes (iterated conditional modes).

    Parameters
    ----------
    pif, paf, adjacency
        The fields.
    sets
        (sets, K): the landmarks that a garment is scored over, by body type.
    options
        Thresholds.
    log
        Gets the events of a trace.
    """
    candidates = candidates_of(pif, options.cells_per_landmark)
    k, n = candidates.value.shape
    support = np.zeros((len(paf.confidence), n, n), np.float32)
    contested = candidates.n[adjacency.ends].prod(axis=1) > 1
    if contested.any():
        leading = cells_from(paf.confidence, WEAK_PIF)
        _support_pairs(paf, leading, adjacency.ends, contested, candidates, support)
    garments = Garments.empty(1, k)
    scores = np.zeros(1)
    # With force_complete, what is seen at all is a better place than any that is made up.
    least = 0.0 if options.force_complete else options.landmark_threshold
    _choose(
        pif, adjacency, sets, candidates, support, options.paf_weight, least, garments, scores, log
    )
    return garments, scores, np.zeros(1, np.int64)


@compiled
def _support_pairs(
    paf: Paf,
    leading: Cells,
    ends: Int64,
    contested: Bool,
    candidates: Candidates,
    support: Float32,
) -> None:
    """For each pair of candidates the best c exp(-d1 / b1) exp(-d2 / b2) of the edge's cells."""
    n_cells = paf.confidence.shape[1]
    for e in range(ends.shape[0]):
        if not contested[e]:
            continue
        places, n_places = candidates.xy[ends[e, 0]], candidates.n[ends[e, 0]]
        x0, x1, y0, y1 = _box_of(places, n_places)
        for n in range(leading.starts[e], leading.starts[e + 1]):
            p = leading.flat[n] - e * n_cells
            x, y = paf.xy1[e, 0, p], paf.xy1[e, 1, p]
            # Most cells are far from every candidate. Tests without branches, which none could predict.
            far = 1.001 * _FAR * max(paf.spread1[e, p], MIN_SPREAD)
            if not ((x >= x0 - far) & (x <= x1 + far) & (y >= y0 - far) & (y <= y1 + far)):
                continue
            near = False
            for r in range(n_places):
                near |= (abs(x - places[r, 0]) <= far) & (abs(y - places[r, 1]) <= far)
            if not near:
                continue
            c = paf.confidence[e, p]
            if not (c > WEAK_PIF and math.isfinite(c)):
                continue
            finite = x + y + paf.xy2[e, 0, p] + paf.xy2[e, 1, p] + paf.spread1[e, p]
            if math.isfinite(finite + paf.spread2[e, p]):
                _support_by(paf, e, p, ends[e, 0], ends[e, 1], candidates, support[e])


@inner
def _box_of(places: Float32, n: int) -> tuple[float, float, float, float]:
    """Box x0, x1, y0, y1 of the first n places."""
    x0 = y0 = np.inf
    x1 = y1 = -np.inf
    for r in range(n):
        x, y = places[r, 0], places[r, 1]
        x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
    return x0, x1, y0, y1


@inner
def _support_by(
    paf: Paf, e: int, p: int, first: int, second: int, candidates: Candidates, support: Float32
) -> None:
    """Raise the support of the pairs that PAF cell p joins."""
    c = min(paf.confidence[e, p], np.float32(1))
    x1, y1, b1 = paf.xy1[e, 0, p], paf.xy1[e, 1, p], max(paf.spread1[e, p], MIN_SPREAD)
    x2, y2, b2 = paf.xy2[e, 0, p], paf.xy2[e, 1, p], max(paf.spread2[e, p], MIN_SPREAD)
    for r in range(candidates.n[first]):
        d1 = math.hypot(x1 - candidates.xy[first, r, 0], y1 - candidates.xy[first, r, 1]) / b1
        if d1 >= _FAR:
            continue
        for q in range(candidates.n[second]):
            if c <= support[r, q]:
                continue
            d2 = math.hypot(x2 - candidates.xy[second, q, 0], y2 - candidates.xy[second, q, 1]) / b2
            if d1 + d2 < _FAR:
                s = c * math.exp(-d1 - d2)
                if s > support[r, q]:
                    support[r, q] = s


@compiled
def _choose(
    pif: Pif,
    adjacency: Adjacency,
    sets: Bool,
    candidates: Candidates,
    support: Float32,
    weight: float,
    least: float,
    garments: Garments,
    scores: Float64,
    log: Log,
) -> None:
    """Choose a candidate for each landmark so that the PAF agrees; fill the one garment."""
    n_landmarks = candidates.n.shape[0]
    chosen = np.zeros(n_landmarks, np.int64)
    for _ in range(_ROUNDS):
        changed = False
        for k in range(n_landmarks):
            pick = _best_for(k, adjacency, candidates, support, chosen, weight)
            changed |= pick != chosen[k]
            chosen[k] = pick
        if not changed:
            break
    found = ZERO
    for k in range(n_landmarks):
        for r in range(candidates.n[k]):
            u, v = np.float64(candidates.xy[k, r, 0]), np.float64(candidates.xy[k, r, 1])
            value = candidates.value[k, r]
            note(log, CANDIDATE, NONE, k, r, u, v, np.float64(value), 0.0, 0.0)
        r = chosen[k]
        value = candidates.value[k, r]
        if not (candidates.n[k] > 0 and value > 0 and value >= least):
            note(log, NOT_FOUND, NONE, k, NONE, 0.0, 0.0, np.float64(value), 0.0, 0.0)
            continue
        x, y, b, size, _ = settle(pif, k, candidates.xy[k, r, 0], candidates.xy[k, r, 1], 0.0)
        found += 1
        garments.xy[0, k, 0] = x
        garments.xy[0, k, 1] = y
        garments.scores[0, k] = value
        garments.spread[0, k] = b
        garments.size[0, k] = size
        note(log, CHOSEN, NONE, k, r, x, y, np.float64(value), b, size)
    scores[0] = garment_score(garments.scores[0], sets)
    note(log, KEPT, ZERO, found, NONE, scores[0], 0.0, 0.0, 0.0, 0.0)


@inner
def _best_for(
    k: int,
    adjacency: Adjacency,
    candidates: Candidates,
    support: Float32,
    chosen: Int64,
    weight: float,
) -> int:
    """Return the best candidate of landmark k beside those chosen for the landmarks around it."""
    best = -1.0
    pick = int(chosen[k])
    for r in range(candidates.n[k]):
        total = np.float64(candidates.value[k, r])
        for step in range(adjacency.starts[k], adjacency.starts[k + 1]):
            e = adjacency.steps[step, 0]
            other = chosen[adjacency.steps[step, 2]]
            backward = adjacency.steps[step, 1]
            total += weight * (support[e, other, r] if backward else support[e, r, other])
        if total > best:
            best = total
            pick = r
    return pick
