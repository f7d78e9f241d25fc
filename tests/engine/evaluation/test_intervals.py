from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.evaluation.intervals import bootstrap_interval, bootstrap_intervals


def test_the_interval_draws_images_not_rows() -> None:
    values = np.repeat([0.0, 1.0], 50)
    one_each = bootstrap_interval(lambda r: float(values[r].mean()), range(100))
    two = bootstrap_interval(lambda r: float(values[r].mean()), [0] * 50 + [1] * 50)
    assert two == (0, 1)
    # The mean of 100 coins: 0.5 -+ 1.96 * 0.05.
    assert one_each == pytest.approx((0.402, 0.598), abs=0.02)
    again = bootstrap_interval(lambda r: float(values[r].mean()), range(100))
    assert again == one_each
    other = bootstrap_interval(lambda r: float(values[r].mean()), range(100), seed=1)
    assert other != one_each
    assert bootstrap_interval(lambda r: 1.0, []) is None
    assert bootstrap_interval(lambda r: None, [1, 2]) is None


def test_many_metrics_at_once_have_the_intervals_of_each_alone() -> None:
    values = np.random.default_rng(0).random(30)
    groups = [i // 3 for i in range(30)]

    def weighted(weights):
        return {"mean": float(weights @ values / weights.sum()), "never": None}

    together = bootstrap_intervals(weighted, groups, rounds=50, seed=3)
    alone = bootstrap_interval(lambda r: float(values[r].mean()), groups, rounds=50, seed=3)
    assert together["mean"] == pytest.approx(alone)
    assert together["never"] is None
    assert bootstrap_intervals(weighted, []) == {}
