"""Two readings of an image: garments in pairs, and landmarks that lie apart."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.editing.comparison import Reading, compare

SQUARE = np.array([[0.0, 0], [30, 0], [30, 40], [0, 40]])  # a diagonal of 50


def reading(shift=(0, 0), visibility=(2, 2, 2, 2), category="Dress"):
    return Reading(SQUARE + shift, np.array(visibility), category)


def test_distances_are_shares_of_the_diagonal_of_ours():
    (pair,) = compare([reading()], [reading((3, 4))])
    assert (pair.ours, pair.theirs) == (0, 0)
    assert pair.distance == pytest.approx([0.1] * 4)
    assert pair.pixels == pytest.approx([5] * 4)
    assert pair.far.all()
    (pair,) = compare([reading()], [reading((0.5, 0))])
    assert pair.distance == pytest.approx([0.01] * 4)
    assert not pair.far.any()


def test_a_landmark_of_one_reading_alone_has_no_distance():
    (pair,) = compare([reading(visibility=(2, 1, 0, 2))], [reading((3, 4), (0, 2, 2, 1))])
    assert np.isnan(pair.distance).tolist() == [True, False, True, False]
    assert pair.far.tolist() == [False, True, False, True]
    assert pair.in_ours.tolist() == [True, True, False, True]
    assert pair.in_theirs.tolist() == [False, True, True, True]


def test_garments_are_paired_so_that_all_are_nearest():
    """The first of ours is nearest to the first of theirs, which the second needs more."""
    ours = [reading((0, 0)), reading((10, 0))]
    theirs = [reading((4, 0)), reading((-6, 0))]
    assert [(p.ours, p.theirs) for p in compare(ours, theirs)] == [(0, 1), (1, 0)]


def test_garments_that_only_one_reading_has_come_alone():
    pairs = compare([reading(), reading((500, 0))], [reading((200, 0)), reading((501, 0))])
    assert [(p.ours, p.theirs) for p in pairs] == [(0, None), (1, 1), (None, 0)]
    assert np.isnan(pairs[0].distance).all()
    assert [(p.ours, p.theirs) for p in compare([], [reading()])] == [(None, 0)]
    assert [(p.ours, p.theirs) for p in compare([reading()], [])] == [(0, None)]
    assert compare([], []) == []
    no_common = compare([reading(visibility=(2, 2, 0, 0))], [reading(visibility=(0, 0, 2, 2))])
    assert [(p.ours, p.theirs) for p in no_common] == [(0, None), (None, 0)]
