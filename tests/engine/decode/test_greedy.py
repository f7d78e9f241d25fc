from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.decode.greedy import score_garments
from napari_fashion.schema import Schema

GARMENTS = Schema.load("garments")


@pytest.mark.parametrize("seed", range(20))
def test_a_garment_is_scored_over_the_set_that_fits(seed) -> None:
    random = np.random.default_rng(seed)
    sets = [set(members) for _, members in GARMENTS.body_types]
    scores = np.where(random.random(8) < 0.5, 0, random.random(8)).astype(np.float32)
    found = {k for k in range(8) if scores[k]}
    fit = min(sets, key=lambda s: (len(found - s), len(s - found)))
    mask = np.array([[k in s for k in range(8)] for s in sets])
    totals = np.empty(1, np.float32)
    score_garments(scores[None], mask, totals)
    assert totals[0] == pytest.approx(scores.sum() / len(fit | found), rel=1e-5)
