"""The story of a decoding tells what the decoder did: its garments, their order, and what was not found."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.decode import DecoderOptions, DecodeTrace, decode_fields
from napari_fashion.engine.decode.story import Found, nearest, tell
from napari_fashion.engine.decode.trace import Placed, Proposal, Seed, Taken
from synthetic_fields import FULL, SHAPE, Scene, row_of_garments

ONE = SHAPE * [16, 24] + [10.3, 8.6]


def several(n: int):
    scene = Scene(61, 61)
    for xy, have in row_of_garments(n, 61):
        scene.garment(xy, have)
    return scene.fields()


def told(fields, **values):
    trace, options = DecodeTrace(), DecoderOptions(**values)
    garments = decode_fields(fields, options=options, trace=trace)
    return trace, garments, tell(trace, fields, options)


@pytest.mark.parametrize("mode", [{}, {"force_complete": True}, {"single_instance": True}])
def test_it_ends_in_the_garments_that_were_returned(mode):
    fields = several(3)
    _, garments, stories = told(fields, **mode)
    kept = [story for story in stories if not story.dropped]
    assert len(kept) == len(garments)
    for garment in garments:
        placed = garment.scores > 0
        pixels = fields.to_pixels(garment.xy.astype(float))
        story = nearest(kept, pixels, placed)
        assert {one.landmark for one in story.found} == set(np.flatnonzero(placed))
        assert story.score == pytest.approx(garment.score)
        for one in story.found:
            assert one.xy == pytest.approx(tuple(pixels[one.landmark]))
            assert one.score == pytest.approx(float(garment.scores[one.landmark]))


def test_the_seed_comes_first_and_each_other_landmark_after_its_source():
    scene = Scene(41, 41)
    scene.garment(ONE, FULL)
    trace, _, (story,) = told(scene.fields())
    first, *others = story.found
    assert (first.how, first.source) == ("seed", None)
    seen = {first.landmark}
    for one in others:
        assert one.how == "edge"
        assert one.source in seen
        distance, allowed = one.way_back
        assert distance <= allowed
        seen.add(one.landmark)
    steps = [s.landmark for s in trace.steps if isinstance(s, (Seed, Placed))]
    assert [one.landmark for one in story.found] == steps


def test_the_second_best_is_the_best_place_of_another_edge():
    scene = Scene(41, 41)
    scene.garment(ONE, FULL)
    trace, _, (story,) = told(scene.fields())
    compared = 0
    for one in story.found[1:]:
        others = [
            s.score
            for s in trace.steps
            if isinstance(s, Proposal)
            and s.target == one.landmark
            and s.edge != one.edge
            and s.score
        ]
        assert (one.second is None) == (not others)
        if one.second is not None:
            assert one.second.score == max(others)
            compared += 1
    assert compared


def test_what_was_not_found_says_how_much_it_lacked():
    scene = Scene(41, 41)
    scene.garment(ONE, [k for k in FULL if k != 2])  # without the left sleeve
    _, _, (story,) = told(scene.fields())
    (sleeve,) = [one for one in story.missing if one.landmark == 2]
    assert (sleeve.best, sleeve.needed, sleeve.why) == (0.0, 0.15, "nothing")
    _, _, stories = told(scene.fields(), landmark_threshold=0.99, seed_threshold=0.1)
    unsure = [one for story in stories for one in story.missing if one.why == "unsure"]
    assert unsure
    assert all(0 < one.best < one.needed == 0.99 for one in unsure)


def test_a_landmark_that_a_better_garment_took_is_missing():
    fields = several(2)
    trace, _, _ = told(fields)
    seed = next(s for s in trace.steps if isinstance(s, Seed))
    trace.steps.append(Taken(seed.garment, seed.landmark, 1))
    story = tell(trace, fields)[seed.garment]
    assert seed.landmark not in [one.landmark for one in story.found]
    assert [one.why for one in story.missing if one.landmark == seed.landmark] == ["taken"]


def test_a_garment_elsewhere_has_no_story():
    scene = Scene(41, 41)
    scene.garment(ONE, FULL)
    fields = scene.fields()
    _, (garment,), stories = told(fields)
    placed = garment.scores > 0
    xy = fields.to_pixels(garment.xy.astype(float))
    assert isinstance(nearest(stories, xy, placed).found[0], Found)
    assert nearest(stories, xy + 10_000, placed) is None
    assert nearest(stories, xy, np.zeros_like(placed)) is None
    assert nearest([], xy, placed) is None
