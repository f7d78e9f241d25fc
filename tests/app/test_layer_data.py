from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.coordinates import xy_from_yx, yx_from_xy
from napari_fashion.editing import operations
from napari_fashion.editing.predictions import take_prediction
from small import SCHEMA, SHIRT_XY, fields_of, predicted, prediction


def test_coordinates_flip_and_flip_back() -> None:
    xy = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert yx_from_xy(xy).tolist() == [[2, 1], [4, 3]]
    assert xy_from_yx(yx_from_xy(xy)).tolist() == xy.tolist()


def test_landmarks_of_all_garments_are_rows_in_yx(dataset) -> None:
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA, selected=11, current=2)
    assert points.yx[0].tolist() == [20, 40]
    assert points.features["landmark"].tolist() == [0, 1, 3, 6, 7, 2]
    assert points.features["label"][0] == "left collar"
    assert points.size[5] > points.size[0]


def test_the_selected_garment_lies_on_top_and_the_selected_landmark_above_all(dataset) -> None:
    dataset.insert_record("annotations", {**dataset.store.record("annotations", 11), "id": 13})
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA, selected=11, current=3)
    rows = list(zip(points.features["garment"], points.features["landmark"], strict=True))
    assert rows[:6] == [(13, k) for k in (0, 1, 2, 3, 6, 7)]
    assert rows[6:] == [(11, k) for k in (0, 1, 2, 6, 7, 3)]


def test_what_is_absurdly_far_away_is_brought_near_enough_to_be_drawn(dataset) -> None:
    edit = operations.move_landmarks(dataset, 11, {0: (1e30, -1e300)})
    edit.apply(dataset)
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA)
    assert points.yx[0].tolist() == [-layer_data.FAR, layer_data.FAR]
    lines, _ = layer_data.skeleton(dataset.garments_of(1), SCHEMA)
    assert np.abs(lines).max() <= 2 * layer_data.FAR


def test_hidden_landmarks_are_hollow_and_unsure_ones_faint(dataset) -> None:
    operations.set_visibility(dataset, 12, [7], 1).apply(dataset)
    points = layer_data.landmarks(dataset.garments_of(2), SCHEMA, selected=12)
    by_name = dict(zip(points.features["name"], points.face[:, 3], strict=True))
    assert by_name["left_waistline"] == 1  # the model's score: 0.9
    assert by_name["right_waistline"] < 1  # 0.4
    assert by_name["right_hem"] == 0  # hidden


def test_names_stand_at_the_selected_garment_only(dataset) -> None:
    points = layer_data.landmarks(dataset.garments_of(1), SCHEMA, selected=None)
    assert set(points.features["label"]) == {""}


def test_no_garments_give_empty_arrays() -> None:
    points = layer_data.landmarks([], SCHEMA)
    assert points.yx.shape == (0, 2)
    assert {len(column) for column in points.features.values()} == {0}
    lines, colors = layer_data.skeleton([], SCHEMA)
    assert (lines.shape, colors.shape) == ((0, 2, 2), (0, 4))


def test_bones_join_placed_landmarks(dataset) -> None:
    lines, colors = layer_data.skeleton(dataset.garments_of(1), SCHEMA, 11)
    placed = {k for k, (x, y) in enumerate(SHIRT_XY) if x or y}
    expected = [(a, b) for a, b in SCHEMA.edges if {a, b} <= placed]
    assert len(lines) == len(colors) == len(expected)
    a, b = expected[0]
    assert lines[0].tolist() == [
        list(SHIRT_XY[a][::-1]),
        [SHIRT_XY[b][1] - SHIRT_XY[a][1], SHIRT_XY[b][0] - SHIRT_XY[a][0]],
    ]


@pytest.mark.parametrize(("size", "stride"), [((120, 120), 8), ((133, 97), 4), ((400, 533), 16)])
def test_arrows_point_at_the_landmark(size, stride) -> None:
    xy = [(size[0] * (0.1 + 0.1 * k), size[1] * (0.9 - 0.1 * k)) for k in range(8)]
    fields = fields_of(xy, size, stride, (stride - 1) / 2)
    lines, colors = layer_data.pif_arrows(fields, SCHEMA, 3)
    tips = xy_from_yx(lines.sum(axis=1))
    assert len(tips) > 5
    np.testing.assert_allclose(tips, np.broadcast_to(xy[3], tips.shape), atol=1e-3)
    np.testing.assert_allclose(colors[:, :3], layer_data.rgb(SCHEMA)[[3] * len(colors)])


def test_paf_arrows_point_at_both_ends() -> None:
    xy = [(20 + 10 * k, 100 - 9 * k) for k in range(8)]
    fields = fields_of(xy, (120, 120), 4, 1.5)
    lines, _ = layer_data.paf_arrows(fields, SCHEMA, 1)
    tips = xy_from_yx(lines.sum(axis=1))
    half = len(tips) // 2
    a, b = SCHEMA.edges[1]
    np.testing.assert_allclose(tips[:half], np.broadcast_to(xy[a], (half, 2)), atol=1e-3)
    np.testing.assert_allclose(tips[half:], np.broadcast_to(xy[b], (half, 2)), atol=1e-3)


def test_the_most_confident_arrows_are_kept() -> None:
    fields = fields_of(SHIRT_XY, (800, 800), 4, 1.5)
    lines, colors = layer_data.pif_arrows(fields, SCHEMA, None, limit=40)
    every, alphas = layer_data.pif_arrows(fields, SCHEMA, None, limit=10**6)
    assert len(lines) == 40 < len(every)
    assert colors[:, 3].min() >= np.sort(alphas[:, 3])[-40] - 1e-9
    assert len(layer_data.paf_arrows(fields, SCHEMA, None, limit=40)[0]) <= 40


def test_ink_is_dark_on_light_and_light_on_dark() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 50:] = 255
    colors = layer_data.ink(image, np.array([[50.0, 10.0], [50.0, 70.0]]))
    assert colors[0, :3].tolist() == [1, 1, 1]
    assert colors[1, :3].max() < 0.2


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
