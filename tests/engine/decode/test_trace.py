from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from napari_fashion.engine.decode import DecodedGarment, DecoderOptions, DecodeTrace, decode_fields
from napari_fashion.engine.decode.trace import (
    Candidate,
    Chosen,
    Completed,
    Dropped,
    Kept,
    NotFollowed,
    NotFound,
    Placed,
    Proposal,
    Seed,
    SeedSkipped,
    Taken,
    WayBack,
    replay,
)
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema
from synthetic_fields import FULL, LOWER, SHAPE, UPPER, Scene, row_of_garments

GARMENTS = Schema.load("garments")
ONE = SHAPE * [16, 24] + [10.3, 8.6]
MODES = [
    {},
    {"force_complete": True},
    {"single_instance": True},
    {"single_instance": True, "force_complete": True},
    {"min_landmarks": 4, "garment_threshold": 0.4, "landmark_threshold": 0.3},
]


def crowded(seed: int) -> Fields:
    """Garments that overlap, some of them faint or torn, and landmarks of none."""
    random = np.random.default_rng(seed)
    scene = Scene(41, 41, noise=0.3, background=0.12, seed=seed)
    for _ in range(5):
        have = [k for k in (FULL, UPPER, LOWER)[random.integers(3)] if random.random() < 0.8]
        size = random.uniform(8, 20, 2)
        xy = SHAPE * size + random.uniform(2, 20, 2)
        scene.garment(xy, have, c=random.uniform(0.1, 0.9), paf=random.uniform(0.1, 0.9))
    for k in range(8):
        scene.landmark(k, random.uniform(0, 40, 2), c=random.uniform(0.2, 1))
    return scene.fields()


def same(some: list[DecodedGarment], others: list[DecodedGarment]) -> bool:
    return len(some) == len(others) and all(
        (a.xy == b.xy).all()
        and (a.scores == b.scores).all()
        and (a.spread == b.spread).all()
        and a.score == b.score
        for a, b in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mode", MODES)
def test_a_replay_gives_the_garments_and_a_trace_changes_nothing(seed, mode) -> None:
    fields, options, trace = crowded(seed), DecoderOptions(**mode), DecodeTrace()
    found = decode_fields(fields, GARMENTS, options, trace=trace)
    assert same(found, decode_fields(fields, GARMENTS, options))
    assert same(found, trace.garments(8))
    assert same(found, replay(trace.steps, 8))
    assert found or mode is MODES[4]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mode", [MODES[0], MODES[1], MODES[4]])
def test_every_drop_is_explained(seed, mode) -> None:
    options, trace = DecoderOptions(**mode), DecodeTrace()
    found = decode_fields(crowded(seed), GARMENTS, options, trace=trace)
    steps = trace.steps
    seeds = [s.garment for s in steps if isinstance(s, Seed)]
    judged = [s.garment for s in steps if isinstance(s, Kept | Dropped)]
    assert seeds == list(range(len(seeds)))
    assert sorted(judged) == seeds
    assert sum(isinstance(s, Kept) for s in steps) == len(found)
    placed = Counter(s.garment for s in steps if isinstance(s, Seed | Placed))
    taken = Counter(s.garment for s in steps if isinstance(s, Taken))
    for step in steps:
        if isinstance(step, Kept | Dropped):
            assert step.n_landmarks == placed[step.garment] - taken[step.garment]
        if isinstance(step, Dropped):
            few = step.n_landmarks < options.min_landmarks
            assert few if step.reason == "min_landmarks" else step.score < options.garment_threshold


@pytest.mark.parametrize("seed", range(12))
def test_every_proposal_is_followed_refused_or_left(seed) -> None:
    options, trace = DecoderOptions(), DecodeTrace()
    decode_fields(crowded(seed), GARMENTS, options, trace=trace)
    best: dict[tuple[int, int], Proposal] = {}
    checked: WayBack | None = None
    for step in trace.steps:
        match step:
            case Proposal():
                before = best.get((step.garment, step.target))
                assert step.better == (step.score > (0 if before is None else before.score))
                if step.better:
                    best[step.garment, step.target] = step
            case WayBack():
                proposal = best.pop((step.garment, step.target))
                assert (proposal.edge, proposal.source) == (step.edge, step.source)
                assert step.passed == (step.distance <= step.tolerance)
                checked = step
            case Placed():
                assert checked is not None
                assert checked.passed
                assert (checked.garment, checked.target) == (step.garment, step.landmark)
                assert (checked.edge, checked.source) == (step.edge, step.source)
            case NotFollowed():
                proposal = best.pop((step.garment, step.target))
                assert step.score == pytest.approx(proposal.score, rel=1e-6)
                assert step.score < options.landmark_threshold
    assert not best


def test_the_steps_of_one_garment() -> None:
    scene, trace = Scene(41, 41), DecodeTrace()
    scene.garment(ONE, UPPER)
    decode_fields(scene.fields(), GARMENTS, trace=trace)
    (seed,) = [s for s in trace.steps if isinstance(s, Seed)]
    assert seed.xy == pytest.approx(ONE[seed.landmark], abs=0.1)
    skipped = [s for s in trace.steps if isinstance(s, SeedSkipped)]
    assert len(skipped) == 6 * 16 - 1  # the other cells of the same landmarks
    placed = [s for s in trace.steps if isinstance(s, Placed)]
    assert sorted([seed.landmark, *(s.landmark for s in placed)]) == sorted(UPPER)
    for step in placed:
        assert GARMENTS.edges[step.edge] in {
            (step.source, step.landmark),
            (step.landmark, step.source),
        }


def test_a_way_back_that_leads_elsewhere_is_recorded() -> None:
    scene, trace = Scene(61, 61), DecodeTrace()
    for x, k in ((10.0, 0), (20.0, 1), (30.0, 0)):
        scene.landmark(k, [x, 40.0])
    scene.edge(0, np.array([30.0, 40.0]), np.array([20.0, 40.0]), c=0.95)
    cell = (0, 52, 10)  # one cell says that (10, 40) leads to (20, 40) too
    scene.arrays["paf_confidence"][cell] = 0.8
    scene.arrays["paf_xy1"][0, :, 52, 10] = 10.0, 40.0
    scene.arrays["paf_xy2"][0, :, 52, 10] = 20.0, 40.0
    decode_fields(scene.fields(), GARMENTS, trace=trace)
    refused = [s for s in trace.steps if isinstance(s, WayBack) and not s.passed]
    assert [(s.source, s.target) for s in refused] == [(0, 1)]
    assert refused[0].distance == pytest.approx(20, abs=0.1)
    (dropped,) = [s for s in trace.steps if isinstance(s, Dropped)]
    assert (dropped.garment, dropped.reason) == (refused[0].garment, "min_landmarks")


@pytest.mark.parametrize("seed", [0, 1, 10])
def test_a_landmark_that_is_taken_lies_at_that_of_a_garment_that_is_kept(seed) -> None:
    trace = DecodeTrace()
    decode_fields(crowded(seed), GARMENTS, trace=trace)
    placed = {(s.garment, s.landmark): s for s in trace.steps if isinstance(s, Seed | Placed)}
    kept = {s.garment for s in trace.steps if isinstance(s, Kept)}
    taken = [s for s in trace.steps if isinstance(s, Taken)]
    assert taken
    for step in taken:
        assert step.by in kept
        loser, winner = (placed[g, step.landmark] for g in (step.garment, step.by))
        assert np.hypot(*np.subtract(loser.xy, winner.xy)) < max(winner.size, 0.5)


def test_candidates_choice_and_completion_are_recorded() -> None:
    scene, trace = Scene(61, 61), DecodeTrace()
    scene.garment(ONE, UPPER, c=0.7)
    scene.landmark(2, ONE[3], c=0.75)  # the right sleeve looks a little more like a left one
    options = DecoderOptions(single_instance=True)
    decode_fields(scene.fields(), GARMENTS, options, trace=trace)
    sleeves = [s for s in trace.steps if isinstance(s, Candidate) and s.landmark == 2]
    assert [s.rank for s in sleeves] == [0, 1]
    assert sleeves[0].value > sleeves[1].value
    (chosen,) = [s for s in trace.steps if isinstance(s, Chosen) and s.landmark == 2]
    assert chosen.rank == 1
    assert chosen.xy == pytest.approx(ONE[2], abs=0.1)
    missing = {s.landmark for s in trace.steps if isinstance(s, NotFound)}
    assert missing == {4, 5}
    scene.arrays["pif_confidence"][4:6] = 0
    options = DecoderOptions(single_instance=True, force_complete=True)
    decode_fields(scene.fields(), GARMENTS, options, trace=trace)
    made_up = [s for s in trace.steps if isinstance(s, Completed)]
    assert {s.landmark: s.how for s in made_up} == {4: "middle", 5: "middle"}


def test_a_long_trace_is_whole() -> None:
    truth, trace = row_of_garments(49, 225), DecodeTrace()
    scene = Scene(225, 225, noise=0.1)
    for xy, have in truth:
        scene.garment(xy, have, size=2.0)
    found = decode_fields(scene.fields(), GARMENTS, trace=trace)
    assert len(trace.steps) > 4096
    assert same(found, trace.garments(8))


def test_nothing_to_decode_is_an_empty_trace() -> None:
    trace = DecodeTrace([NotFound(0, 0.0)])
    assert decode_fields(Scene(0, 0).fields(), GARMENTS, trace=trace) == []
    assert trace.steps == []
