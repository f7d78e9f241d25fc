"""Greedy decoding: garments grow from seeds along the surest connections."""

from __future__ import annotations

import math

import numpy as np

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode._log import (
    KEPT,
    NONE,
    NOT_FOLLOWED,
    OCCUPIED,
    PLACED,
    PROPOSAL,
    SEED,
    TAKEN,
    TOO_FEW,
    TOO_LOW,
    WAY_BACK,
    Log,
    note,
)
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
from napari_fashion.engine.decode.confidence import (
    MIN_KERNEL,
    MIN_SPREAD,
    WEAK_PIF,
    look_up,
    map_of,
    settle,
)
from napari_fashion.engine.decode.graph import Connections, connect, connections_of
from napari_fashion.engine.decode.options import DecoderOptions

Decoded = tuple[Garments, Float64, Int64]
"""Garments, their (n,) scores, and the (n,) indices by which a trace names them."""


def decode_greedily(
    pif: Pif, paf: Paf, adjacency: Adjacency, sets: Bool, options: DecoderOptions, log: Log
) -> Decoded:
    """Decode all garments.

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

    Returns
    -------
    Garments, scores and indices; those that were dropped are not among them.
    """
    least = min(options.pif_threshold, options.seed_threshold)
    cells = cells_from(pif.confidence, least)
    everywhere = np.ones(len(pif.confidence), np.bool_)
    n_cells = options.cells_per_landmark
    f = map_of(pif, cells, options.pif_threshold, n_cells, everywhere, "strong")
    leading = cells_from(paf.confidence, options.paf_threshold)
    connections = connections_of(
        paf, leading, adjacency, f, options.paf_threshold, options.paf_floor
    )
    landmarks, places, scores = _seeds_of(pif, cells, f, options.seed_threshold)
    # The surest seed first: what is sure takes its place before what is not.
    order = np.argsort(-scores, kind="stable")

    garments = Garments.empty(min(len(order), 16), len(pif.confidence))
    n = seed = 0
    while True:
        seed, n = _grow_garments(
            pif,
            f,
            connections,
            adjacency,
            (landmarks, places, scores, order),
            options.landmark_threshold,
            garments,
            seed,
            n,
            log,
        )
        if seed == len(order):
            break
        garments = garments.larger(2 * n)
    return _suppressed(garments, n, adjacency, sets, options, log)


def _seeds_of(pif: Pif, cells: Cells, f: Float32, least: float) -> tuple[Int64, Float32, Float32]:
    """Landmark (n,), place (n, 2) and score (n,) of the PIF cells from which a garment may start."""
    n = len(cells.flat)
    landmarks, places = np.empty(n, np.int64), np.empty((n, 2), np.float32)
    scores = np.empty(n, np.float32)
    n = _find_seeds(pif, cells, f, least, landmarks, places, scores)
    return landmarks[:n], places[:n], scores[:n]


@compiled
def _find_seeds(
    pif: Pif,
    cells: Cells,
    f: Float32,
    least: float,
    landmarks: Int64,
    places: Float32,
    scores: Float32,
) -> int:
    n_landmarks, n_cells = pif.confidence.shape
    n = 0
    for k in range(n_landmarks):
        for m in range(cells.starts[k], cells.starts[k + 1]):
            p = cells.flat[m] - k * n_cells
            # A sure map needs several sure cells, and one of them is at least as sure.
            if not pif.confidence[k, p] >= least:
                continue
            x, y = pif.xy[k, 0, p], pif.xy[k, 1, p]
            value = look_up(f, k, np.float64(x), np.float64(y))
            if value >= least and math.isfinite(pif.size[k, p]):
                landmarks[n] = k
                places[n, 0] = x
                places[n, 1] = y
                scores[n] = value
                n += 1
    return n


@compiled
def _grow_garments(
    pif: Pif,
    f: Float32,
    connections: Connections,
    adjacency: Adjacency,
    seeds: tuple[Int64, Float32, Float32, Int64],
    landmark_threshold: float,
    garments: Garments,
    first: int,
    n: int,
    log: Log,
) -> tuple[int, int]:
    """Grow a garment from each seed that is in no garment yet, until there is no more room.

    Returns
    -------
    The seed to go on with, and the number of garments.
    """
    landmarks, places, scores, order = seeds
    capacity, n_landmarks = garments.scores.shape
    proposals = np.empty((n_landmarks, 5), np.float32)
    tried = np.empty(adjacency.steps.shape[0], np.bool_)
    for o in range(first, order.shape[0]):
        s = order[o]
        k = landmarks[s]
        x, y = places[s, 0], places[s, 1]
        owner = occupant(garments, n, k, x, y)
        if owner >= 0:
            note(
                log,
                OCCUPIED,
                owner,
                k,
                NONE,
                np.float64(x),
                np.float64(y),
                np.float64(scores[s]),
                0.0,
                0.0,
            )
            continue
        if n == capacity:
            return o, n
        u, v, b, size, _ = settle(pif, k, x, y, WEAK_PIF)
        garments.xy[n, k, 0] = u
        garments.xy[n, k, 1] = v
        score = max(look_up(f, k, u, v), scores[s])
        garments.scores[n, k] = score
        garments.spread[n, k] = b
        garments.size[n, k] = size
        note(log, SEED, n, k, NONE, u, v, np.float64(score), b, size)
        _grow(
            pif, connections, adjacency, k, landmark_threshold, garments, n, proposals, tried, log
        )
        n += 1
    return order.shape[0], n


@inner
def _grow(
    pif: Pif,
    connections: Connections,
    adjacency: Adjacency,
    seed: int,
    least: float,
    garments: Garments,
    g: int,
    proposals: Float32,
    tried: Bool,
    log: Log,
) -> None:
    """Grow garment g from its seed, which is in place, along the surest connection first.

    `proposals`, (K, 5), and `tried`, (2E,), are scratch memory: for each landmark the surest proposal
    (score, x, y, spread, step), and the steps whose proposal was examined.
    """
    starts, steps = adjacency.starts, adjacency.steps
    scores = garments.scores[g]
    for k in range(scores.shape[0]):
        proposals[k, 0] = 0
    for step in range(tried.shape[0]):
        tried[step] = False
    landmark = seed
    while True:
        for step in range(starts[landmark], starts[landmark + 1]):
            if scores[steps[step, 2]] == 0:
                _propose(connections, steps, step, garments, g, proposals, log)
        while True:
            landmark = ZERO
            for k in range(1, scores.shape[0]):
                if proposals[k, 0] > proposals[landmark, 0]:
                    landmark = k
            score = proposals[landmark, 0]
            if score < least or score <= 0:
                _leave(proposals, g, log)
                return
            proposals[landmark, 0] = 0
            step = int(proposals[landmark, 4])
            tried[step] = True
            if _leads_back(connections, steps, step, garments, g, proposals, log):
                break
            # Refused: the next best step that leads here from what is already placed.
            for other in range(starts[landmark], starts[landmark + 1]):
                origin = steps[other, 2]
                if scores[origin] > 0:
                    for again in range(starts[origin], starts[origin + 1]):
                        if steps[again, 2] == landmark and not tried[again]:
                            _propose(connections, steps, again, garments, g, proposals, log)
        x, y, b, size, weight = settle(
            pif, landmark, proposals[landmark, 1], proposals[landmark, 2], WEAK_PIF
        )
        if not weight > 0:
            b = np.float64(proposals[landmark, 3])
        garments.xy[g, landmark, 0] = x
        garments.xy[g, landmark, 1] = y
        scores[landmark] = min(score, 1.0)
        garments.spread[g, landmark] = b
        garments.size[g, landmark] = size
        note(log, PLACED, g, step, NONE, x, y, np.float64(scores[landmark]), b, size)


@inner
def _leave(proposals: Float32, g: int, log: Log) -> None:
    """Note the proposals that a garment leaves behind."""
    for k in range(proposals.shape[0]):
        score = np.float64(proposals[k, 0])
        if score > 0:
            x, y = np.float64(proposals[k, 1]), np.float64(proposals[k, 2])
            note(log, NOT_FOLLOWED, g, int(proposals[k, 4]), NONE, x, y, score, 0.0, 0.0)


@inner
def _propose(
    connections: Connections,
    steps: Int64,
    step: int,
    garments: Garments,
    g: int,
    proposals: Float32,
    log: Log,
) -> None:
    """Keep where a step leads from a placed landmark if nothing leads there more surely."""
    target, source = steps[step, 2], steps[step, 3]
    s, x, y, b = connect(
        connections,
        steps[step, 0],
        steps[step, 1],
        garments.xy[g, source, 0],
        garments.xy[g, source, 1],
    )
    # A landmark is as sure as its connection and where it comes from: the geometric mean.
    score = math.sqrt(s * garments.scores[g, source])
    better = score > proposals[target, 0]
    if better:
        proposals[target, 0] = score
        proposals[target, 1] = x
        proposals[target, 2] = y
        proposals[target, 3] = b
        proposals[target, 4] = step
    note(log, PROPOSAL, g, step, int(better), x, y, np.float64(score), 0.0, 0.0)


@inner
def _leads_back(
    connections: Connections,
    steps: Int64,
    step: int,
    garments: Garments,
    g: int,
    proposals: Float32,
    log: Log,
) -> bool:
    """Whether the proposed place leads back to where it was proposed from.

    The PAF of a neighbouring garment may lead to this one's landmark: seldom both ways.
    """
    target, source = steps[step, 2], steps[step, 3]
    score, u, v, _ = connect(
        connections,
        steps[step, 0],
        1 - steps[step, 1],
        proposals[target, 1],
        proposals[target, 2],
    )
    tolerance = max(garments.size[g, source], MIN_SPREAD)
    distance = math.hypot(u - garments.xy[g, source, 0], v - garments.xy[g, source, 1])
    if not score > 0:
        distance = np.inf
    passed = bool(distance <= tolerance)
    note(log, WAY_BACK, g, step, int(passed), distance, np.float64(tolerance), 0.0, 0.0, 0.0)
    return passed


@inner
def occupant(garments: Garments, n: int, k: int, x: float, y: float) -> int:
    """Return the first of n garments whose landmark k is nearer than its size, or -1."""
    for g in range(n):
        if garments.scores[g, k] > 0:
            radius = max(garments.size[g, k], 2 * MIN_KERNEL)
            if (garments.xy[g, k, 0] - x) ** 2 + (garments.xy[g, k, 1] - y) ** 2 < radius * radius:
                return g
    return -1


def _suppressed(
    garments: Garments,
    n: int,
    adjacency: Adjacency,
    sets: Bool,
    options: DecoderOptions,
    log: Log,
) -> Decoded:
    """Give each place to the best garment that claims it; drop garments that lack enough then."""
    totals = np.empty(n, np.float32)
    score_garments(garments.scores[:n], sets, totals)
    order = np.argsort(-totals, kind="stable")
    kept = Garments.empty(n, garments.scores.shape[1])
    scores, indices = np.empty(n), np.empty(n, np.int64)
    m = _suppress(
        garments,
        order,
        adjacency.starts,
        sets,
        options.garment_threshold,
        options.min_landmarks,
        kept,
        scores,
        indices,
        log,
    )
    return Garments(*(array[:m] for array in kept)), scores[:m], indices[:m]


@compiled
def _suppress(
    garments: Garments,
    order: Int64,
    starts: Int64,
    sets: Bool,
    garment_threshold: float,
    min_landmarks: int,
    kept: Garments,
    scores: Float64,
    indices: Int64,
    log: Log,
) -> int:
    """Fill `kept`, `scores` and `indices`, best first; return the number of garments kept."""
    n_landmarks = garments.scores.shape[1]
    m = ZERO
    for o in range(order.shape[0]):
        g = order[o]
        found = ZERO
        joined = False
        for k in range(n_landmarks):
            kept.scores[m, k] = 0
            kept.xy[m, k, 0] = kept.xy[m, k, 1] = kept.spread[m, k] = kept.size[m, k] = 0
            if not garments.scores[g, k] > 0:
                continue
            owner = occupant(kept, m, k, garments.xy[g, k, 0], garments.xy[g, k, 1])
            if owner >= 0:
                note(log, TAKEN, g, k, indices[owner], 0.0, 0.0, 0.0, 0.0, 0.0)
                continue
            found += 1
            joined |= starts[k + 1] > starts[k]
            kept.xy[m, k, 0] = garments.xy[g, k, 0]
            kept.xy[m, k, 1] = garments.xy[g, k, 1]
            kept.scores[m, k] = garments.scores[g, k]
            kept.spread[m, k] = garments.spread[g, k]
            kept.size[m, k] = garments.size[g, k]
        score = garment_score(kept.scores[m], sets)
        kind = KEPT
        # A schema may have landmarks without edges: they are garments by themselves.
        if found == 0 or (joined and found < min_landmarks):
            kind = TOO_FEW
        elif score < garment_threshold:
            kind = TOO_LOW
        note(log, kind, g, found, NONE, score, 0.0, 0.0, 0.0, 0.0)
        if kind == KEPT:
            scores[m] = score
            indices[m] = g
            m += 1
    return m


@compiled
def score_garments(scores: Float32, sets: Bool, totals: Float32) -> None:
    """Fill `totals` with the score of each garment."""
    for g in range(scores.shape[0]):
        totals[g] = garment_score(scores[g], sets)


@inner
def garment_score(scores: Float32, sets: Bool) -> float:
    """Mean over the landmarks of the set that fits the found ones best, and those beside it.

    The best set has the fewest of the found landmarks beside it, then the fewest missing landmarks.
    """
    n_sets, n_landmarks = sets.shape
    total = 0.0
    for k in range(n_landmarks):
        total += scores[k]
    best_foreign = n_landmarks + 1
    best_missing = n_landmarks + 1
    count = n_landmarks
    for s in range(n_sets):
        foreign = missing = found = 0
        for k in range(n_landmarks):
            if scores[k] > 0:
                found += 1
                foreign += not sets[s, k]
            else:
                missing += sets[s, k]
        if foreign < best_foreign or (foreign == best_foreign and missing < best_missing):
            best_foreign = foreign
            best_missing = missing
            count = found + missing
    return float(total / max(count, 1))
