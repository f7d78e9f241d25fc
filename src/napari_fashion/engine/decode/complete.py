"""Places for the landmarks that were not found, however unsure: `DecoderOptions.force_complete`."""

from __future__ import annotations

import math

import numpy as np

from napari_fashion.engine.decode._compiled import compiled, inner
from napari_fashion.engine.decode._log import BEST_PLACE, FAINT, NONE, Log, note
from napari_fashion.engine.decode.arguments import (
    ONE,
    TWO,
    ZERO,
    Adjacency,
    Cells,
    Float32,
    Garments,
    Int64,
    Paf,
    Pif,
    cells_from,
)
from napari_fashion.engine.decode.confidence import (
    MIN_SPREAD,
    WEAK_PIF,
    WINDOW,
    look_up,
    map_of,
    settle,
)
from napari_fashion.engine.decode.options import DecoderOptions

_GUESS = 1e-3  # score of a landmark that nothing at all speaks for, in landmark thresholds
_SUREST = 0.99  # highest score of a completed landmark, in landmark thresholds

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1, cells."""


def complete_garments(
    pif: Pif,
    paf: Paf,
    adjacency: Adjacency,
    garments: Garments,
    indices: Int64,
    options: DecoderOptions,
    log: Log,
) -> None:
    """Place the missing landmarks of all garments, in place.

    Parameters
    ----------
    pif, paf, adjacency
        The fields.
    garments
        What was found; landmarks with score 0 are placed.
    indices
        (n,): names of the garments in the log.
    options
        Completed landmarks score below its `landmark_threshold`.
    log
        Gets the events of a trace.
    """
    missing = (garments.scores == 0).any(axis=0)
    if not missing.any():
        return
    cells = cells_from(pif.confidence, WEAK_PIF)
    f = map_of(pif, cells, WEAK_PIF, options.cells_per_landmark, missing, "weak")
    # A proposal is no surer than its cell, and fainter ones than WEAK_PIF are not followed.
    leading = cells_from(paf.confidence, WEAK_PIF)
    for i in range(len(garments.scores)):
        if (garments.scores[i] == 0).any():
            _complete(
                pif,
                paf,
                leading,
                f,
                adjacency,
                garments,
                i,
                max(options.landmark_threshold, 1e-3),
                int(indices[i]),
                log,
            )


@compiled
def _complete(
    pif: Pif,
    paf: Paf,
    leading: Cells,
    f: Float32,
    adjacency: Adjacency,
    garments: Garments,
    i: int,
    limit: float,
    index: int,
    log: Log,
) -> None:
    """Place what is missing of garment i: first along edges, then by the map."""
    xy, scores, spread = garments.xy[i], garments.scores[i], garments.spread[i]
    box, margin = _region_of(pif, xy, scores)
    _follow_faint_edges(pif, paf, leading, f, adjacency, xy, scores, spread, limit, box, index, log)
    x0, y0, x1, y1 = box
    for k in range(scores.shape[0]):
        if scores[k] > 0:
            continue
        # In the garment's region, then in the whole image, then in the region's middle.
        region = ZERO
        value, x, y = best_place(pif, f, k, box)
        if value == 0:
            region = ONE
            value, x, y = best_place(pif, f, k, (-1.0, -1.0, float(pif.width), float(pif.height)))
        if value == 0:
            region = TWO
            x, y = 0.5 * (x0 + x1), 0.5 * (y0 + y1)
        x, y, b, _, weight = settle(pif, k, x, y, 0.0)
        xy[k, 0] = min(max(x, -0.5), pif.width - 0.5)
        xy[k, 1] = min(max(y, -0.5), pif.height - 0.5)
        scores[k] = limit * min(max(value, _GUESS), _SUREST)
        spread[k] = b if weight > 0 else margin
        note(
            log,
            BEST_PLACE,
            index,
            k,
            region,
            np.float64(xy[k, 0]),
            np.float64(xy[k, 1]),
            np.float64(scores[k]),
            np.float64(spread[k]),
            0.0,
        )


@inner
def _region_of(pif: Pif, xy: Float32, scores: Float32) -> tuple[Box, float]:
    """Box of a garment's landmarks with half of its size around it, and that margin.

    The whole grid is the box of a garment without landmarks.
    """
    x0 = y0 = np.inf
    x1 = y1 = -np.inf
    for k in range(scores.shape[0]):
        if scores[k] > 0:
            x0, x1 = min(x0, xy[k, 0]), max(x1, xy[k, 0])
            y0, y1 = min(y0, xy[k, 1]), max(y1, xy[k, 1])
    if x0 > x1:
        x0, x1, y0, y1 = 0.0, pif.width - 1.0, 0.0, pif.height - 1.0
    margin = 0.5 * max(x1 - x0, y1 - y0) + WINDOW
    return (x0 - margin, y0 - margin, x1 + margin, y1 + margin), margin


@inner
def _follow_faint_edges(
    pif: Pif,
    paf: Paf,
    leading: Cells,
    f: Float32,
    adjacency: Adjacency,
    xy: Float32,
    scores: Float32,
    spread: Float32,
    limit: float,
    box: Box,
    index: int,
    log: Log,
) -> None:
    """Place landmarks at the best PAF targets: greedy decoding, nearly without thresholds."""
    n_landmarks = scores.shape[0]
    proposals = np.zeros((n_landmarks, 5), np.float32)  # score, x, y, spread, step
    fresh = np.empty(n_landmarks, np.bool_)
    for k in range(n_landmarks):
        fresh[k] = scores[k] > 0
    while True:
        for landmark in range(n_landmarks):
            if not fresh[landmark]:
                continue
            fresh[landmark] = False
            for step in range(adjacency.starts[landmark], adjacency.starts[landmark + 1]):
                if scores[adjacency.steps[step, 2]] == 0:
                    _propose_faintly(
                        paf, leading, f, adjacency.steps, step, xy[landmark], box, proposals
                    )
        k = ZERO
        for landmark in range(1, n_landmarks):
            if proposals[landmark, 0] > proposals[k, 0]:
                k = landmark
        if proposals[k, 0] < WEAK_PIF:
            return
        x, y, b, _, weight = settle(pif, k, proposals[k, 1], proposals[k, 2], WEAK_PIF)
        xy[k, 0] = x
        xy[k, 1] = y
        scores[k] = limit * min(max(proposals[k, 0], _GUESS), _SUREST)
        spread[k] = b if weight > 0 else np.float64(proposals[k, 3])
        proposals[k, 0] = 0
        fresh[k] = True
        step = int(proposals[k, 4])
        note(log, FAINT, index, step, NONE, x, y, np.float64(scores[k]), np.float64(spread[k]), 0.0)


@inner
def _propose_faintly(
    paf: Paf,
    leading: Cells,
    f: Float32,
    steps: Int64,
    step: int,
    origin: Float32,
    box: Box,
    proposals: Float32,
) -> None:
    """Keep the best that any PAF cell of a step says, without thresholds, inside a box."""
    x0, y0, x1, y1 = box
    e, backward, target = steps[step, 0], steps[step, 1], steps[step, 2]
    n_cells = paf.confidence.shape[1]
    for n in range(leading.starts[e], leading.starts[e + 1]):
        p = leading.flat[n] - e * n_cells
        c = paf.confidence[e, p]
        if not (c > proposals[target, 0] and math.isfinite(c)):
            continue
        if backward:
            ax, ay, a = paf.xy2[e, 0, p], paf.xy2[e, 1, p], paf.spread2[e, p]
            bx, by, b = paf.xy1[e, 0, p], paf.xy1[e, 1, p], paf.spread1[e, p]
        else:
            ax, ay, a = paf.xy1[e, 0, p], paf.xy1[e, 1, p], paf.spread1[e, p]
            bx, by, b = paf.xy2[e, 0, p], paf.xy2[e, 1, p], paf.spread2[e, p]
        if not (x0 <= bx <= x1 and y0 <= by <= y1 and math.isfinite(ax + ay + a + b)):
            continue
        d = math.hypot(ax - origin[0], ay - origin[1])
        s = min(c, np.float32(1)) * math.exp(-d / max(a, MIN_SPREAD))
        if s <= proposals[target, 0]:
            continue
        s *= 0.1 + 0.9 * look_up(f, target, np.float64(bx), np.float64(by))
        if s > proposals[target, 0]:
            proposals[target, 0] = s
            proposals[target, 1] = bx
            proposals[target, 2] = by
            proposals[target, 3] = b
            proposals[target, 4] = step


@inner
def best_place(pif: Pif, f: Float32, k: int, box: Box) -> tuple[float, float, float]:
    """Value, x and y of the PIF target with the highest map inside a box.

    Ties, and places where the map is 0, go by the cell's own confidence. Value 0: there is none.
    """
    x0, y0, x1, y1 = box
    best = bx = by = 0.0
    for p in range(pif.height * pif.width):
        c = pif.confidence[k, p]
        if not (c > 0 and math.isfinite(c)):
            continue
        x, y = pif.xy[k, 0, p], pif.xy[k, 1, p]
        if not (x0 <= x <= x1 and y0 <= y <= y1):
            continue
        value = look_up(f, k, np.float64(x), np.float64(y)) + 1e-2 * min(c, np.float32(1))
        if value > best:
            best, bx, by = value, np.float64(x), np.float64(y)
    return best, bx, by
