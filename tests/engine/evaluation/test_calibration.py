"""Thresholds and calibrations of presence and visibility."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from judged_garments import SCHEMA, judged_garment
from napari_fashion.engine.evaluation.calibration import (
    LEAST,
    best_threshold,
    chosen_threshold,
    fit,
    fit_platt,
)
from napari_fashion.engine.inference.calibration import logit, platt
from napari_fashion.engine.inference.options import VisibilityOptions

K = SCHEMA.n_landmarks


def answers(seed, n, scale=0.6, offset=-0.8):
    """Return probabilities that are wrong by a scale and an offset, and what is so."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 1, n)
    return p, rng.random(n) < platt(p, scale, offset)


def test_a_known_scale_and_offset_are_found() -> None:
    p, y = answers(0, 200_000)
    assert fit_platt(p, y) == pytest.approx((0.6, -0.8), abs=0.02)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_the_fit_is_the_least_of_the_penalised_likelihood(seed, n, prior) -> None:
    p, y = answers(seed, n)
    x = logit(p)

    def loss(at):
        z = at[0] * x + at[1]
        own = np.logaddexp(0, np.where(y, -z, z)).sum()
        return own + prior / 2 * ((at[0] - 1) ** 2 + at[1] ** 2)

    other = minimize(
        loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12}
    )
    found = fit_platt(p, y, prior)
    assert loss(found) <= other.fun + 1e-6 or found[0] == 0  # no scale is negative


def test_perfectly_separated_answers_do_not_run_away() -> None:
    p = np.concatenate([np.full(60, 0.2), np.full(60, 0.8)])
    scale, offset = fit_platt(p, p > 0.5)
    assert 1 < scale < 10
    assert abs(offset) < 1e-6


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40))
def test_the_threshold_is_the_lowest_of_those_with_the_fewest_errors(pairs) -> None:
    p, y = np.array([n / 10 for n, _ in pairs]), np.array([so for _, so in pairs])

    def wrong(threshold):
        return int(((p >= threshold) != y).sum())

    own = np.unique(p)
    each = {float(t): wrong(t) for t in [0, *(own[1:] + own[:-1]) / 2, 1]}
    least = min(each.values())
    assert best_threshold(p, y) == min(t for t, n in each.items() if n == least)


def test_another_threshold_than_a_half_has_to_be_surely_better() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=600)
    true = p > rng.uniform(size=600)  # calibrated
    assert best_threshold(p, true) != 0.5
    assert chosen_threshold(p, true) == 0.5
    shifted = p > 0.58
    assert chosen_threshold(p, shifted) == best_threshold(p, shifted)
    few = np.array([0.52, 0.55, 0.57, 0.9, 0.1])  # three better answers may be chance
    assert best_threshold(few, few > 0.6) > 0.57
    assert chosen_threshold(few, few > 0.6) == 0.5


def test_probabilities_that_mean_the_contrary_tell_nothing() -> None:
    p, y = answers(0, 2000, offset=0.3)
    scale, offset = fit_platt(p, ~y)
    assert scale == 0
    assert platt(np.zeros(1), scale, offset) == pytest.approx((~y).mean(), abs=1e-3)


def judged(seed, n, *, absent=True, tells=True, per_image=1):
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n):
        v = rng.integers(0, 3, K)
        scores = np.where(v > 0, rng.uniform(0.3, 1, K), rng.uniform(0, 0.7, K))
        visible = np.where(v == 2, rng.uniform(0.2, 0.9, K), rng.uniform(0.1, 0.4, K))
        made.append(
            replace(
                judged_garment(np.zeros(K), v, key=f"{i}.png", probabilities=np.zeros(0)),
                oks=0.9, scores=scores, visible=visible if tells else None, absent=absent,
            )
        )  # fmt: skip
    return made


def test_fitted_options_make_fewer_errors() -> None:
    garments = judged(0, 400)
    found = fit(garments, SCHEMA, 0.15, VisibilityOptions())
    assert found.changed
    o = found.options
    v = np.array([j.visibility for j in garments])
    scores, visible = (np.array([getattr(j, n) for j in garments]) for n in ("scores", "visible"))
    given = scores >= 0.15
    present = platt(scores, o.present_scale, o.present_offset)
    wrong = ((present >= o.present_threshold) != (v > 0))[given].sum()
    assert wrong < 0.8 * (v == 0)[given].sum()
    told = platt(visible, o.visible_scale, o.visible_offset)
    counted = given & (v > 0)
    right = ((told >= o.visible_threshold) == (v == 2))[counted].mean()
    assert right > ((visible >= 0.5) == (v == 2))[counted].mean()
    assert (
        f"{(v == 2)[counted].sum():,} visible and {(v == 1)[counted].sum():,} hidden"
        in (found.notes[1])
    )


def test_too_few_landmarks_leave_what_was_there() -> None:
    before = VisibilityOptions(present_threshold=0.25, visible_offset=0.5)
    found = fit(judged(1, LEAST // K), SCHEMA, 0.15, before)
    assert (found.options, found.changed) == (before, False)
    assert "present: kept as it was" in found.notes[0]
    assert f"expected {LEAST} of either" in found.notes[1]


def test_presence_is_fitted_only_if_the_source_says_that_no_label_means_absent() -> None:
    before = VisibilityOptions(present_threshold=0.25)
    found = fit(judged(2, 100, absent=False), SCHEMA, 0.15, before)
    assert found.changed
    assert found.options.present_threshold == 0.25
    assert "found 0 there and 0 not there" in found.notes[0]
    assert found.options.visible_scale != 1


def test_a_model_without_visibility_gets_its_presence_alone() -> None:
    found = fit(judged(3, 100, tells=False), SCHEMA, 0.15, VisibilityOptions())
    assert found.options.present_threshold > 0
    assert found.options.visible_scale == 1
    assert "found 0 visible and 0 hidden" in found.notes[1]


def test_garments_that_were_not_found_do_not_count() -> None:
    garments = judged(4, 100)
    wrong = [replace(j, oks=0.4, visible=1 - j.visible) for j in judged(5, 100)]
    missed = [replace(j, found=False) for j in wrong]
    found = [fit(some, SCHEMA, 0.15, VisibilityOptions()) for some in (
        garments, [*garments, *wrong, *missed]
    )]  # fmt: skip
    assert found[0] == found[1]
