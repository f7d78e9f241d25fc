from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.coco.keypoints import (
    flat_keypoints,
    landmark_box,
    landmark_changes,
    parse_keypoints,
)

# Three landmarks: the box of the labelled two is x 10..40, y 20..60.
FLAT = [10.0, 20.0, 2, 40.0, 60.0, 1, 0.0, 0.0, 0]
BOX = [10.0, 20.0, 30.0, 40.0]


def garment(**changes) -> dict:
    record = {"keypoints": list(FLAT), "num_keypoints": 2, "bbox": list(BOX), "area": 1200.0}
    return {key: value for key, value in {**record, **changes}.items() if value is not None}


# -- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "xy", "visibility", "problem"),
    [
        (FLAT, [[10, 20], [40, 60], [0, 0]], [2, 1, 0], ""),
        (None, [[0, 0]] * 3, [0, 0, 0], ""),
        ("text", [[0, 0]] * 3, [0, 0, 0], "'text'"),
        ([], [[0, 0]] * 3, [0, 0, 0], ""),
        ([1, 2, 2], [[1, 2], [0, 0], [0, 0]], [2, 0, 0], ""),
        ([1, 2, 2, 3, 4], [[0, 0]] * 3, [0, 0, 0], "5 numbers"),
        ([1, 2, 30, 4, 5, 60], [[0, 0]] * 3, [0, 0, 0], "6 numbers, as of x, y pairs"),
        ([1, 2, 2, 4, 5, 1], [[1, 2], [4, 5], [0, 0]], [2, 1, 0], ""),
        ([*FLAT, 7, 8, 2, 1], [[10, 20], [40, 60], [0, 0]], [2, 1, 0], ""),
        ([1, 2, 3, 4, 5, -1, 6, 7, 1.2], [[1, 2], [0, 0], [6, 7]], [2, 0, 1], ""),
        (
            [1, 2, 0, 3, 4, 0.4, 5, 6, True],
            [[0, 0], [0, 0], [5, 6]],
            [0, 0, 1],
            "True among the numbers",
        ),
        ([math.nan, 2, 2, 3, math.inf, 2, 5, 6, 2], [[0, 0], [0, 0], [5, 6]], [0, 0, 2], ""),
        (
            [None, 2, 2, "3", 4, 2, 5, 6, 2],
            [[0, 0], [3, 4], [5, 6]],
            [0, 2, 2],
            "None among the numbers",
        ),
        (
            [1, 2, 2, "3", 4, 2, "x", 6, 2],
            [[1, 2], [3, 4], [0, 0]],
            [2, 2, 0],
            "'3' among the numbers",
        ),
        ([[1, 2], 2, 2, 3, 4, 2, 5, 6, 2], [[0, 0]] * 3, [0, 0, 0], "a list of lists"),
        ([10**400, 2, 2, 3, 4, 2, 5, 6, 2], [[0, 0], [3, 4], [5, 6]], [0, 2, 2], ""),
    ],
)
def test_reading_is_tolerant_and_says_what_cannot_be_edited(raw, xy, visibility, problem):
    found = parse_keypoints(raw, 3)
    assert found.xy.dtype == np.float64
    np.testing.assert_array_equal(found.xy, np.array(xy, dtype=float))
    assert found.visibility.tolist() == visibility
    assert found.problem == problem


def test_a_category_may_have_an_order_of_its_own():
    found = parse_keypoints([10, 20, 2, 40, 60, 1, 7, 8, 2], 4, (3, -1, 0))
    assert found.xy.tolist() == [[7, 8], [0, 0], [0, 0], [10, 20]]
    assert found.visibility.tolist() == [2, 0, 0, 2]
    changes = landmark_changes({"keypoints": [10, 20, 2, 40, 60, 1]}, 4, {0: (5, 6, 1)}, (3, -1, 0))
    assert changes["keypoints"] == [10, 20, 2, 40, 60, 1, 5, 6, 1]
    with pytest.raises(IndexError, match="landmark 1 of 4"):
        landmark_changes({}, 4, {1: (5, 6, 1)}, (3, -1, 0))


def test_the_arrays_are_shared_and_so_read_only():
    found = parse_keypoints(FLAT, 3)
    with pytest.raises(ValueError, match="read-only"):
        found.xy[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        found.visibility[0] = 1


def test_the_box_of_the_labelled_landmarks():
    found = parse_keypoints(FLAT, 3)
    assert landmark_box(found.xy, found.visibility) == tuple(BOX)
    assert landmark_box(np.ones((3, 2)), np.zeros(3, dtype=int)) is None


def test_flat_keypoints_are_rounded_and_nothing_where_not_labelled():
    flat = flat_keypoints([[1.005, 2.345678], [3, 4], [-0.001, 5]], [2, 0, 1])
    assert flat == [1.0, 2.35, 2, 0.0, 0.0, 0, 0.0, 5.0, 1]
    assert [type(v) for v in flat] == [float, float, int] * 3
    assert math.copysign(1, flat[6]) == 1


# -- changing ----------------------------------------------------------------------------------


def test_a_moved_landmark_takes_its_box_along():
    record = garment()
    assert landmark_changes(record, 3, {1: (50.123, 70.456, 2)}) == {
        "keypoints": [10.0, 20.0, 2, 50.12, 70.46, 2, 0.0, 0.0, 0],
        "bbox": [10.0, 20.0, 40.12, 50.46],
        "area": pytest.approx(40.12 * 50.46, abs=0.01),
    }
    assert record == garment()


def test_a_new_landmark_counts():
    changes = landmark_changes(garment(), 3, {2: (20, 30, 1)})
    assert changes == {"keypoints": [*FLAT[:6], 20.0, 30.0, 1], "num_keypoints": 3}


def test_visibility_alone():
    assert landmark_changes(garment(), 3, {1: (40.0, 60.0, 2)}) == {
        "keypoints": [10.0, 20.0, 2, 40.0, 60.0, 2, 0.0, 0.0, 0]
    }


def test_a_landmark_taken_away_is_written_as_nothing():
    changes = landmark_changes(garment(), 3, {1: (40.0, 60.0, 0)})
    assert changes["keypoints"] == [10.0, 20.0, 2, 0.0, 0.0, 0, 0.0, 0.0, 0]
    assert changes["num_keypoints"] == 1
    assert changes["bbox"] == [10.0, 20.0, 0.0, 0.0]
    assert changes["area"] == 0.0


def test_without_any_landmark_left_a_box_that_followed_is_empty_and_follows_again():
    bare = garment()
    bare |= landmark_changes(bare, 3, {0: (0, 0, 0), 1: (0, 0, 0)})
    assert (bare["num_keypoints"], bare["bbox"], bare["area"]) == (0, [0.0] * 4, 0.0)
    bare |= landmark_changes(bare, 3, {0: (5.0, 6.0, 2), 2: (9.0, 7.0, 1)})
    assert (bare["num_keypoints"], bare["bbox"], bare["area"]) == (2, [5.0, 6.0, 4.0, 1.0], 4.0)


def test_without_any_landmark_left_a_box_of_its_own_stays():
    changes = landmark_changes(
        garment() | {"bbox": [0, 0, 99, 99]}, 3, {0: (0, 0, 0), 1: (0, 0, 0)}
    )
    assert changes == {"keypoints": [0.0, 0.0, 0] * 3, "num_keypoints": 0}


def test_no_change_is_no_change():
    assert landmark_changes(garment(), 3, {0: (10.0, 20.0, 2)}) == {}
    assert landmark_changes(garment(), 3, {}) == {}


@pytest.mark.parametrize(
    ("box", "follows"),
    [
        ([10.0, 20.0, 30.0, 40.0], True),
        ([10.9, 19.2, 30.9, 39.1], True),
        ([8.9, 20.0, 30.0, 40.0], False),
        ([10.0, 20.0, 31.5, 40.0], False),
        ([0.0, 0.0, 100.0, 200.0], False),
        ([0.0, 0.0, 0.0, 0.0], True),
        (None, True),
        ([], True),
        ("broken", False),  # what was not understood is left alone
        ([1, 2], False),
        ([math.nan, 0, 1, 1], False),
        (["10.0", 20.0, 30.0, 40.0], False),
    ],
)
def test_the_box_follows_only_if_it_was_the_landmarks(box, follows):
    area = float(box[2]) * box[3] if isinstance(box, list) and len(box) == 4 else None
    changes = landmark_changes(garment(bbox=box, area=area), 3, {0: (0.0, 0.0, 2)})
    assert ("bbox" in changes) is follows
    if follows:
        assert changes["bbox"] == [0.0, 0.0, 40.0, 60.0]
    else:
        assert "area" not in changes


@pytest.mark.parametrize(
    ("area", "follows"), [(1200.0, True), (1200.9, True), (700.0, False), (None, True)]
)
def test_the_area_follows_only_if_it_was_the_box(area, follows):
    changes = landmark_changes(garment(area=area), 3, {0: (0.0, 0.0, 2)})
    assert changes.get("area") == (2400.0 if follows else None)


def test_the_first_landmarks_of_a_new_garment_make_its_box():
    record = {"id": 1}
    for i, place in enumerate([(10, 20, 2), (40, 60, 2)]):
        record |= landmark_changes(record, 3, {i: place})
    assert record == {
        "id": 1,
        "keypoints": [10.0, 20.0, 2, 40.0, 60.0, 2, 0.0, 0.0, 0],
        "num_keypoints": 2,
        "bbox": BOX,
        "area": 1200.0,
    }


def test_integers_stay_integers_where_the_file_has_them():
    record = {"keypoints": [10, 20, 2, 40, 60, 1, 0, 0, 0], "bbox": [10, 20, 30, 40], "area": 1200}
    changes = landmark_changes(record, 3, {0: (0, 0, 0), 2: (12, 13.5, 2)})
    assert changes["keypoints"] == [0, 0, 0, 40, 60, 1, 12, 13.5, 2]
    assert [type(v) for v in changes["keypoints"]] == [int] * 7 + [float, int]
    assert [type(v) for v in changes["bbox"]] == [int, float, int, float]


def test_what_was_not_changed_keeps_its_numbers():
    odd = [10, 20.123456789, 3, 40.0, 60.0, 1, "x", None, 0, 1, 2, 3, 4]
    changes = landmark_changes({"keypoints": odd}, 3, {1: (41.0, 61.0, 2)})
    assert changes["keypoints"] == [10, 20.123456789, 3, 41.0, 61.0, 2, "x", None, 0, 1, 2, 3, 4]
    short = landmark_changes({"keypoints": [1.5, 2.5, 2, 7.0]}, 3, {2: (5.0, 6.0, 1)})
    assert short["keypoints"] == [1.5, 2.5, 2, 7.0, 0.0, 0, 5.0, 6.0, 1]


@pytest.mark.parametrize("i", [-1, 3])
def test_a_landmark_that_the_schema_lacks_is_an_error(i):
    with pytest.raises(IndexError, match="of 3"):
        landmark_changes(garment(), 3, {i: (1, 2, 2)})


places = st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4), st.sampled_from([0, 1, 2]))


@given(st.lists(st.dictionaries(st.integers(0, 4), places), max_size=6))
def test_a_garment_that_we_made_stays_consistent(edits):
    record: dict = {}
    for edit in edits:
        record |= landmark_changes(record, 5, edit)
        found = parse_keypoints(record.get("keypoints"), 5)
        xy, visibility = found.xy, found.visibility
        assert found.problem == ""
        assert record.get("num_keypoints", 0) == np.count_nonzero(visibility)
        box = landmark_box(xy, visibility)
        if box is not None:
            assert record["bbox"] == pytest.approx(box, abs=0.006)
            assert record["area"] == pytest.approx(box[2] * box[3], rel=1e-6, abs=0.01)
        for i, (x, y, v) in edit.items():
            assert visibility[i] == v
            assert xy[i] == pytest.approx((x, y) if v else (0, 0), abs=0.0051)
