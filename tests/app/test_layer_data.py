from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.coordinates import xy_from_yx, yx_from_xy
from napari_fashion.editing import operations
from napari_fashion.editing.predictions import take_prediction
from small import SCHEMA, SHIRT_XY, predicted, prediction


def test_coordinates_flip_and_flip_back() -> None:
    xy = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert yx_from_xy(xy).tolist() == [[2, 1], [4, 3]]
    assert xy_from_yx(yx_from_xy(xy)).tolist() == xy.tolist()


def test_landmarks_of_all_garments_are_rows_in_yx(dataset) -> None:
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA, selected=11, current=2)
    assert points.yx[0].tolist() == [20, 40]
    assert points.features["landmark"].tolist() == [0, 1, 2, 3, 6, 7]
    assert points.features["name"][0] == "left_collar"


def test_the_selected_garment_lies_on_top_and_the_selected_landmark_above_those_near(
    dataset,
) -> None:
    dataset.insert_record("annotations", {**dataset.store.record("annotations", 11), "id": 13})
    garments = dataset.garments_of(1)
    for near, order in ((0.0, (0, 1, 2, 3, 6, 7)), (30.0, (0, 1, 2, 6, 7, 3))):
        points = layer_data.landmarks(garments, SCHEMA, selected=11, current=3, near=near)
        rows = list(zip(points.features["garment"], points.features["landmark"], strict=True))
        assert rows[:6] == [(13, k) for k in (0, 1, 2, 3, 6, 7)]
        assert rows[6:] == [(11, k) for k in order]
        assert points.yx[6:].tolist() == [list(SHIRT_XY[k][::-1]) for k in order]


def test_what_is_absurdly_far_away_is_brought_near_enough_to_be_drawn(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (1e30, -1e300)})
    edit.apply(dataset)
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA)
    assert points.yx[0].tolist() == [-layer_data.FAR, layer_data.FAR]


def test_no_garments_give_empty_arrays() -> None:
    points = layer_data.landmarks([], SCHEMA)
    assert points.yx.shape == (0, 2)
    assert {len(column) for column in points.features.values()} == {0}


def test_a_landmark_says_how_sure_the_model_is_that_it_is_visible_or_hidden(dataset) -> None:
    found = replace(
        predicted(SHIRT_XY, "Shirt", 0.75),
        present=np.full(8, 0.93, np.float32),
        visible=np.array([0.97, 0.17] * 4, np.float32),
    )
    edit = take_prediction(dataset, 3, prediction(found), SCHEMA).edit
    assert edit is not None
    edit.apply(dataset)
    (garment,) = dataset.garments_of(3)
    full = "score 0.75, there with 93 %, hidden with 83 %"
    assert layer_data.told(garment, 0)[0] == "visible, 97 %"
    assert layer_data.told(garment, 1) == ("hidden, 83 %", full)
    assert layer_data.told(garment, 4) == ("", "")  # not found
    points = layer_data.landmarks([garment], SCHEMA, selected=garment.id)
    assert points.features["visibility"].tolist() == [2, 1, 2, 1, 2, 1]
    assert (points.face[:, 3] == 0).tolist() == [False, True] * 3  # hollow
    operations.set_visibility(dataset, garment.id, [1], 2).apply(dataset)
    assert layer_data.told(dataset.garment(garment.id), 1) == ("", "")  # a person's


def test_a_landmark_of_a_model_that_tells_no_visibility_has_its_score(dataset) -> None:
    garment = dataset.garment(12)
    assert [layer_data.told(garment, k)[0] for k in (4, 5)] == ["0.90", "0.40"]
