"""The divergence guard, without a run: sequences of losses, made up and recorded."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_fashion.engine.train.divergence import DivergenceGuard, Finding
from napari_fashion.engine.train.options import DivergenceOptions

CURVES = dict(np.load(Path(__file__).with_name("loss_curves.npz")))
ORDINARY = sorted(name.removesuffix(".values") for name in CURVES if name.endswith(".values"))


def guard(**options):
    return DivergenceGuard(DivergenceOptions(**options))


def two(total):
    """Return two losses with this total, as a mapping."""
    return {"a": 0.7 * total, "b": 0.3 * total}


def feed(watch, losses):
    """Feed steps until one diverges; return its number and what was found, and `good` after each."""
    good = []
    for i, parts in enumerate(losses):
        parts = parts if isinstance(parts, dict) else two(parts)
        found = watch.find(parts, sum(parts.values()))
        if found is not None:
            return i, found, good
        watch.accept(parts, sum(parts.values()))
        good.append(watch.good)
    return None, None, good


def recorded(name):
    names = CURVES[f"{name}.names"]
    return [dict(zip(names, map(float, row), strict=True)) for row in CURVES[f"{name}.values"]]


def noisy(rng, level, sigma):
    return np.asarray(level) * rng.lognormal(0, sigma, len(level))


def falling(rng, n, low=2.0):
    return rng.uniform(0, 10) * np.exp(-np.arange(n) / rng.uniform(10, 200)) + low


# -- what diverges ---------------------------------------------------------------------------


def test_what_is_not_finite_diverges_from_the_first_step_on():
    for value in (math.nan, math.inf, -math.inf):
        found = guard().find({"a": 1.0, "b": value}, value)
        assert found.head == "b"
        assert found.usual is None
    watch = guard()
    feed(watch, [3.0])
    found = watch.find({"a": math.inf, "b": 2.0}, math.inf)
    assert (found.head, found.usual) == ("a", pytest.approx(3.0))


def test_a_gradient_that_is_not_finite_diverges():
    assert guard().find_in_gradient(1e30) is None
    for norm in (math.nan, math.inf):
        assert guard().find_in_gradient(norm).head == "gradient norm"


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("before", [1, 2, 8, 30, 300])
def test_a_jump_of_20_times_that_stays_is_noticed(before, scale):
    rng = np.random.default_rng(before)
    usual = noisy(rng, np.full(before, scale), 0.1)
    i, found, _ = feed(guard(), [*usual, *noisy(rng, np.full(30, 20 * scale), 0.1)])
    assert before <= i <= before + 8
    assert found.usual == pytest.approx(scale, rel=0.3)


def test_a_single_step_far_above_is_noticed_at_once_and_one_that_is_not_far_is_taken():
    rng = np.random.default_rng(0)
    for before in (1, 5, 50):
        usual = [*noisy(rng, np.full(before, 2.0), 0.1)]
        assert feed(guard(), [*usual, 200.0])[0] == before
        assert feed(guard(), [*usual, 20.0, *noisy(rng, np.full(100, 2.0), 0.1)])[0] is None


@pytest.mark.parametrize("rate", [1.01, 1.03, 1.1])
def test_a_slow_rise_is_noticed_and_its_states_are_not_good(rate):
    rng = np.random.default_rng(1)
    for before in (0, 5, 20, 100, 400):
        for sigma in (0.0, 0.02, 0.1):
            low = falling(rng, before) if before else [2.0]
            rise = low[-1] * rate ** np.arange(700)
            i, found, good = feed(guard(), noisy(rng, [*low, *rise], sigma))
            assert i is not None
            assert found.usual < 2 * low[-1]  # the reference has not risen along
            assert rise[i - len(low)] < 10 * low[-1]
            last = max((j for j, was_good in enumerate(good) if was_good), default=0)
            assert rise[max(0, last - len(low))] < 1.6 * low[-1]


def test_laplace_losses_below_zero_have_limits_above_them():
    rng = np.random.default_rng(2)
    low = [{"v": v - 3.0, "c": 1.0} for v in noisy(rng, np.full(100, 0.5), 0.3)]
    assert feed(guard(), low)[0] is None
    rise = [{"v": -2.5 + 0.1 * i, "c": 1.0} for i in range(400)]
    i, found, _ = feed(guard(), low + rise)
    assert i is not None
    assert found.head == "v"
    assert found.usual < 0


@given(st.integers(-12, 12), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_a_constant_factor_of_all_losses_changes_nothing(power, seed):
    rng = np.random.default_rng(seed)
    losses = noisy(rng, [*falling(rng, 60), *(2.0 * 1.05 ** np.arange(120))], 0.2)
    one, two_ = (feed(guard(), losses * factor) for factor in (1.0, 2.0**power))
    assert one[0] == two_[0]
    assert one[2] == two_[2]


def test_the_head_that_rose_most_against_its_own_level_is_to_blame():
    rng = np.random.default_rng(3)
    usual = [
        {"large": 100 * v, "small": -1.0, "tiny": 1e-6} for v in noisy(rng, np.full(60, 1.0), 0.02)
    ]
    after = [{"large": 210.0, "small": 190.0, "tiny": 1e-2}] * 20
    _, found, _ = feed(guard(), usual + after)
    assert found.head == "small"  # not the largest, nor the one that grew most times
    _, found, _ = feed(guard(), usual + [{"large": 1e4, "small": -1.0, "tiny": 1e-2}] * 20)
    assert found.head == "large"


# -- what does not ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_trainings_do_not_diverge(name):
    i, found, good = feed(guard(), recorded(name))
    assert i is None, f"step {i}: {found}"
    assert np.mean(good) > 0.4
    assert sum(good[-50:]) > 20


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_trainings_diverge_once_they_are_made_to(name):
    """The guard is not silent for having been made deaf."""
    curve = recorded(name)
    at = len(curve) // 2
    usual = sum(abs(v) for v in curve[at].values())
    worse = [{k: v + 20 * usual / len(parts) for k, v in parts.items()} for parts in curve[at:]]
    i, _, _ = feed(guard(), curve[:at] + worse)
    assert at <= i <= at + 8


@pytest.mark.parametrize("seed", range(40))
def test_noisy_falling_curves_with_spikes_do_not_diverge(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        low = rng.uniform(0.05, 5)
        total = noisy(rng, falling(rng, 500, low), rng.uniform(0.02, 0.35))
        spikes = rng.random(500) < rng.uniform(0, 0.05)
        total[spikes] *= rng.uniform(3, 4, spikes.sum())
        offset = rng.choice([0.0, rng.uniform(0, 4)])  # a Laplace loss
        i, found, _ = feed(guard(), [{"v": 0.6 * v - offset, "c": 0.4 * v} for v in total])
        assert i is None, f"step {i}: {found}"


def test_a_level_that_changes_within_limits_becomes_the_usual_one():
    rng = np.random.default_rng(4)
    watch = guard()
    assert feed(watch, noisy(rng, np.full(200, 1.0), 0.05))[0] is None
    assert feed(watch, noisy(rng, np.full(600, 1.6), 0.05))[0] is None  # larger images, say
    assert watch.good
    assert feed(watch, noisy(rng, np.full(30, 32.0), 0.05))[1].usual == pytest.approx(1.6, rel=0.1)


# -- what is kept, and what is done ----------------------------------------------------------


def test_exploded_steps_do_not_become_usual():
    watch = guard(patience=1000)
    feed(watch, [2.0] * 50)
    for _ in range(500):
        found = watch.find(two(40.0), 40.0)
        if found is None:
            watch.accept(two(40.0), 40.0)
        else:
            watch.react(1.0, False)
    assert found is not None
    assert found.usual == pytest.approx(2.0)


def test_a_state_is_good_again_after_as_many_steps_as_the_short_average_has():
    watch = guard()
    assert not watch.good  # nothing is known yet
    feed(watch, [2.0] * 50)
    assert watch.good
    assert watch.find(two(math.nan), math.nan) is not None
    watch.react(1.0, False)
    good = []
    for _ in range(9):
        assert watch.find(two(2.0), 2.0) is None
        watch.accept(two(2.0), 2.0)
        good.append(watch.good)
    assert good == [False] * 7 + [True] * 2


@pytest.mark.parametrize("cut", [0, 1, 7, 60])
def test_a_guard_goes_on_from_its_state(cut):
    curve = recorded("from scratch")[:80]
    curve += [{k: v * 30 for k, v in curve[-1].items()}] * 20
    whole = feed(guard(), curve)
    first = guard()
    feed(first, curve[:cut])
    second = guard()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    i, found, good = feed(second, curve[cut:])
    assert (i + cut, found) == whole[:2]
    assert good == whole[2][cut:]


@pytest.mark.parametrize(
    "state",
    [{"since": -1}, {"total": 3}, {"parts": {"a": {}}}, {"total": {"first": math.nan}}, {"x": 1}],
)
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match="GuardState"):
        guard().load_state_dict(state)


def test_skipping_gives_up_after_its_patience_and_forgets_after_a_good_step():
    watch = guard(policy="skip", patience=3)
    assert [watch.react(1.0, True).action for _ in range(3)] == ["skip", "skip", "stop"]
    watch = guard(policy="skip", patience=3)
    watch.react(1.0, True)
    watch.react(1.0, True)
    watch.accept({"a": 1.0}, 1.0)
    assert watch.react(1.0, True).action == "skip"


def test_steps_whose_gradient_diverges_count_although_their_losses_do_not():
    watch = guard(policy="skip", patience=3)
    actions = []
    for _ in range(3):
        assert watch.find({"a": 1.0}, 1.0) is None
        assert watch.find_in_gradient(math.inf) is not None
        actions.append(watch.react(1.0, True).action)
    assert actions == ["skip", "skip", "stop"]


def test_a_run_that_is_resumed_goes_on_counting_diverging_steps():
    watch, resumed = guard(patience=3), guard(patience=3)
    for _ in range(2):
        assert watch.react(1.0, True).action == "skip"
    resumed.load_state_dict(watch.state_dict())
    for one in (watch, resumed):
        assert one.react(1.0, True).action == "stop"


def test_going_back_needs_a_good_state_and_ends_at_a_tiny_rate():
    watch = guard(policy="back")
    assert watch.react(1.0, False).why == "there is no saved state that was good, to go back to"
    assert watch.react(1.0, True).action == "back"
    watch.load_state_dict(guard().state_dict())  # as it is read with the saved state
    watch.went_back()
    resumed = guard(policy="back")
    resumed.load_state_dict(watch.state_dict())  # a run that is ended there and goes on
    for one in (watch, resumed):
        assert "diverges at once" in one.react(0.1, True).why
    watch.accept({"a": 1.0}, 1.0)
    assert watch.react(1e-3, True).action == "back"
    watch.went_back()
    watch.accept({"a": 1.0}, 1.0)
    assert "0.0001" in watch.react(1e-4, True).why
    assert guard(policy="stop").react(1.0, True).action == "stop"


def test_a_finding_says_what_it_is_about():
    assert str(Finding("a", 12.5, 2.0)) == "loss, most of all a: 12.5; the usual level is 2"
    assert str(Finding("gradient norm", math.inf)) == "gradient norm: inf"
