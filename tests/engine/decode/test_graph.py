from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

from napari_fashion.engine.decode import graph
from napari_fashion.engine.decode.graph import Connections


@numba.njit
def connect(connections: Connections, backward: int, x: float, y: float) -> Any:
    """`graph.connect` can only be called by compiled functions."""
    return graph.connect(connections, 0, backward, x, y)


@pytest.mark.parametrize("seed", range(20))
def test_a_step_follows_the_best_cell(seed) -> None:
    random = np.random.default_rng(seed)
    n = 50
    rows = np.concatenate(
        [
            random.uniform(0, 10, (n, 2)),
            random.uniform(1, 3, (n, 1)),
            random.uniform(0, 10, (n, 2)),
            random.uniform(1, 3, (n, 1)),
            np.where(random.random((n, 2)) < 0.2, 0, random.random((n, 2))),
        ],
        axis=1,
    ).astype(np.float32)
    x, y = random.uniform(0, 10, 2)
    for backward in (0, 1):
        a, t = (slice(3, 5), slice(0, 2)) if backward else (slice(0, 2), slice(3, 5))
        scores = [
            r[7 if backward else 6] * math.exp(-math.dist(r[a], (x, y)) / r[a.stop]) for r in rows
        ]
        best = int(np.argmax(scores))
        near = [i for i in range(n) if math.dist(rows[i][t], rows[best][t]) <= rows[best][t.stop]]
        place = np.average([rows[i][t] for i in near], axis=0, weights=[scores[i] for i in near])
        connections = Connections(np.array([0, n]), rows)
        got = connect(connections, backward, x, y)
        assert got == pytest.approx([scores[best], *place, rows[best][t.stop]], rel=1e-4)
