from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.coco.categories import FOREIGN, UNCLEAR
from napari_fashion.engine.evaluation.category_metrics import category_ranks, top


def test_ranks_and_top() -> None:
    table = [[0.5, 0.3, 0.2], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [1, 0, 0]]
    ranks = category_ranks(table, [0, 0, 0, -1])
    assert ranks.tolist() == [0, 2, 2]  # of two that tie, the other one counts as likelier
    assert top(ranks, 1) == pytest.approx(1 / 3)
    assert top(ranks, 3) == 1
    assert top([], 1) is None


def test_a_model_that_knows_nothing_is_not_right() -> None:
    assert top(category_ranks(np.full((4, 15), 1 / 15), [0, 1, 2, 3]), 5) == 0


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(1, 6))
def test_ranks_are_those_of_loops(seed, n, c) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, 4, (n, c)) / 4  # small numbers: many ties
    truth = random.integers(-2, c, n)
    expected = [
        np.iinfo(np.int64).max
        if t == FOREIGN
        else sum(table[i, j] >= table[i, t] for j in range(c) if j != t)
        for i, t in enumerate(truth)
        if t != UNCLEAR
    ]
    assert category_ranks(table, truth).tolist() == expected
