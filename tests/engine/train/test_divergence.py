"""The divergence guard, without a run."""

from __future__ import annotations

import math

from napari_fashion.engine.train.divergence import DivergenceGuard
from napari_fashion.engine.train.options import DivergenceOptions


def guard(**options):
    return DivergenceGuard(DivergenceOptions(**options))


def test_what_is_not_finite_diverges_and_its_head_is_to_blame():
    watch = guard()
    assert watch.blame({"a": 1.0, "b": 2.0}, 3.0) is None
    assert watch.blame({"a": 1.0, "b": math.nan}, math.nan) == "b"
    assert watch.blame({"a": math.inf, "b": 2.0}, math.inf) == "a"
    assert watch.recent == [3.0]


def test_far_above_the_median_diverges_once_there_is_one():
    watch = guard(factor=10.0)
    for _ in range(49):
        assert watch.blame({"a": 2.0}, 2.0) is None
    assert watch.blame({"a": 1e6}, 1e6) is None  # too early to know what is usual
    assert watch.blame({"a": 21.0, "b": 1.5}, 22.5) == "a"  # 2 + 10 * 2
    assert watch.blame({"a": 21.9}, 21.9) is None


def test_the_limit_of_negative_losses_is_above_them():
    watch = guard(factor=10.0)
    watch.remember([-0.5] * 60)
    assert watch.blame({"a": 9.0}, 9.0) is None  # -0.5 + 10 * 1
    assert watch.blame({"a": 10.0}, 10.0) == "a"


def test_skipping_gives_up_after_its_patience_and_forgets_after_a_good_step():
    watch = guard(policy="skip", patience=3)
    assert [watch.react(1.0, True) for _ in range(3)] == ["skip", "skip", "stop"]
    watch = guard(policy="skip", patience=3)
    watch.react(1.0, True)
    watch.react(1.0, True)
    watch.blame({"a": 1.0}, 1.0)
    assert watch.react(1.0, True) == "skip"


def test_going_back_needs_a_state_and_ends_at_a_tiny_rate():
    watch = guard(policy="back")
    assert watch.react(1.0, False) == "stop"
    assert watch.react(1.0, True) == "back"
    assert watch.react(1e-3, True) == "back"
    assert watch.react(1e-4, True) == "stop"
    assert guard(policy="stop").react(1.0, True) == "stop"
