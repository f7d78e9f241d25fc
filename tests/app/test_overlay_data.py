"""What is drawn over the image and where, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.app.viewer import field_data, overlay_data
from napari_fashion.app.viewer.overlay_data import Camera, scene_of
from napari_fashion.editing import operations
from napari_fashion.editing.viewing import Selection
from napari_fashion.schema import Schema
from small import SCHEMA, SHIRT_XY, annotation, fields_of

NAMES = SCHEMA.landmarks
CAMERA = Camera((60.0, 60.0), 5.0, (800.0, 700.0))


def joined(placed: set[str]) -> set[frozenset[str]]:
    visibility = [2 if name in placed else 0 for name in NAMES]
    return {frozenset((NAMES[a], NAMES[b])) for a, b in overlay_data.silhouette(visibility, SCHEMA)}


def pair(a: str, b: str) -> frozenset[str]:
    return frozenset((a, b))


def test_a_whole_garment_is_joined_from_collar_to_sleeve_and_over_the_waist_to_the_hem() -> None:
    sides = [
        pair(f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (("collar", "sleeve"), ("collar", "waistline"), ("waistline", "hem"))
    ]
    assert joined(set(NAMES)) == {
        *sides,
        pair("left_collar", "right_collar"),
        pair("left_hem", "right_hem"),
    }


def test_a_collar_is_joined_to_its_hem_where_that_waist_is_not_placed() -> None:
    found = joined(set(NAMES) - {"left_waistline"})
    assert pair("left_collar", "left_hem") in found
    assert pair("right_collar", "right_hem") not in found


def test_waists_are_joined_only_without_a_collar() -> None:
    waists = pair("left_waistline", "right_waistline")
    lower = {"left_waistline", "right_waistline", "left_hem", "right_hem"}
    assert waists in joined(lower)
    assert waists not in joined({*lower, "left_collar"})


def test_other_schemas_have_their_own_edges() -> None:
    schema = Schema.load("deepfashion2")
    found = overlay_data.silhouette(np.full(schema.n_landmarks, 2), schema)
    assert found == list(schema.edges)


def test_lines_to_hidden_landmarks_are_dashed_and_unsure_ones_marked(dataset) -> None:
    operations.set_visibility(dataset, 12, [7], 1).apply(dataset)
    (figure,) = scene_of(dataset.garments_of(2), SCHEMA, Selection(12)).figures
    by_name = {NAMES[k]: i for i, k in enumerate(figure.landmarks.tolist())}
    unsure = {NAMES[k] for k in figure.landmarks[figure.unsure]}
    assert unsure == {"right_waistline"}  # 0.4 of the model; the others have 0.7 and more
    assert figure.hidden.tolist() == [False, False, False, True]
    for (a, b), dashed in zip(figure.lines.tolist(), figure.dashed.tolist(), strict=True):
        assert dashed == (by_name["right_hem"] in (a, b))
    assert (figure.category, figure.score) == ("Pants", "70 %")


def test_places_on_the_screen_and_back() -> None:
    assert CAMERA.to_screen((60, 60)).tolist() == [400, 350]
    assert CAMERA.to_screen((70, 58)).tolist() == [450, 340]
    assert CAMERA.to_image(CAMERA.to_screen((12.5, 99.25))).tolist() == [12.5, 99.25]


def three(dataset):
    """The shirt, and two more a little to the right of it."""
    for number in (1, 2):
        xy = [(x + number, y) if x or y else (0, 0) for x, y in SHIRT_XY]
        dataset.insert_record("annotations", annotation(20 + number, 1, xy, "Shirt"))
    return scene_of(dataset.garments_of(1), SCHEMA, Selection(11))


def test_plates_lie_within_the_image_and_on_none_other(dataset) -> None:
    scene = three(dataset)
    widths = dict.fromkeys((11, 21, 22), 90.0)
    found = overlay_data.plates(scene, CAMERA, (120, 120), widths)
    left, top = CAMERA.to_screen((-0.5, -0.5))
    tops = sorted(rect[1] for rect in found.values())
    assert all(rect[0] >= left and rect[1] >= top for rect in found.values())
    assert (np.diff(tops) >= overlay_data.PLATE_HEIGHT).all()
    # The selected garment's is where it would be alone: 44 above its top, which is at 20.
    assert found[11][1] == CAMERA.to_screen((0, 20))[1] - overlay_data.PLATE_ABOVE
    assert found[21][1] == found[11][1] - overlay_data.PLATE_STEP


def test_a_press_is_for_the_landmark_the_plate_or_the_line_under_it(dataset) -> None:
    scene = three(dataset)
    found = overlay_data.plates(scene, CAMERA, (120, 120), {11: 90.0, 21: 90.0, 22: 90.0})

    def at(xy, shift=(0, 0)):
        place = CAMERA.to_screen(xy) + np.array(shift)
        return overlay_data.garment_at(scene, CAMERA, place, found)

    assert at(SHIRT_XY[2]) == 11
    assert at((112, 90), (5, 0)) == 22  # beside the outermost right sleeve
    x, y, width, height = found[21]
    assert overlay_data.garment_at(scene, CAMERA, (x + width / 2, y + height / 2), found) == 21
    middle = (np.array(SHIRT_XY[0]) + SHIRT_XY[2]) / 2  # of the line from collar to sleeve
    assert at(middle, (-3, -2)) == 11
    assert at((60, 70)) is None


def test_names_stand_on_the_side_away_from_the_garment() -> None:
    at_left = overlay_data.name_at((100, 50), (300, 50), 80, CAMERA, 20)
    assert at_left == 0 + 2 - 2 or at_left == 120  # no room: on the other side
    assert overlay_data.name_at((200, 50), (300, 50), 80, CAMERA, 20) == 100
    assert overlay_data.name_at((400, 50), (300, 50), 80, CAMERA, 20) == 420


def test_dragged_landmarks_move_with_their_lines(dataset) -> None:
    scene = scene_of(dataset.garments_of(1), SCHEMA, Selection(11))
    moved = scene.moved({(11, 2): (7.0, 80.0)})
    row = moved.figures[0].row_of(2)
    assert moved.figures[0].xy[row].tolist() == [7, 80]
    assert scene.figures[0].xy[row].tolist() == [10, 90]


# -- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "stride"), [((120, 120), 8), ((133, 97), 4), ((400, 533), 16)])
def test_arrows_point_at_the_landmark(size, stride) -> None:
    xy = [(size[0] * (0.1 + 0.1 * k), size[1] * (0.9 - 0.1 * k)) for k in range(8)]
    fields = fields_of(xy, size, stride, (stride - 1) / 2)
    arrows = field_data.pif_arrows(fields, SCHEMA, 3)
    assert len(arrows.end) > 5
    np.testing.assert_allclose(arrows.end, np.broadcast_to(xy[3], arrows.end.shape), atol=1e-3)
    assert set(arrows.channels.tolist()) == {3}
    few = field_data.pif_arrows(fields, SCHEMA, 3, 0.5)
    assert 0 < len(few.end) < len(arrows.end)
    assert few.rgba[:, 3].min() >= 0.5
    cell = field_data.pif_cell_at(fields, 3, xy[3])
    assert cell is not None
    np.testing.assert_allclose(cell.to, xy[3], atol=1e-3)
    assert np.abs(np.subtract(cell.at, xy[3])).max() <= stride / 2
    assert cell.spread == stride  # one cell
    assert field_data.pif_cell_at(fields, 3, (-3 * stride, 0)) is None


def test_six_cells_of_an_edge_are_drawn_no_two_side_by_side() -> None:
    xy = [(20 + 10 * k, 100 - 9 * k) for k in range(8)]
    fields = fields_of(xy, (120, 120), 4, 1.5)
    fields.paf_confidence[1] = np.linspace(0.9, 1, fields.paf_confidence[1].size).reshape(
        fields.grid
    )
    arrows = field_data.paf_arrows(fields, SCHEMA, [1])
    half = len(arrows.end) // 2
    assert half == field_data.PAF_CELLS
    cells = arrows.cells[:half]
    apart = np.abs(cells[:, None] - cells[None]).max(axis=2) + 9 * np.eye(half)
    assert apart.min() > 1
    a, b = SCHEMA.edges[1]
    np.testing.assert_allclose(arrows.end[:half], np.broadcast_to(xy[a], (half, 2)), atol=1e-3)
    np.testing.assert_allclose(arrows.end[half:], np.broadcast_to(xy[b], (half, 2)), atol=1e-3)
    read = field_data.paf_cell_at(fields, arrows, arrows.start[2] + 1, 5)
    assert read is not None
    assert read.cell == tuple(arrows.cells[2])
    np.testing.assert_allclose(read.ends, [xy[a], xy[b]], atol=1e-3)


def test_a_weak_edge_shows_its_best_cells() -> None:
    fields = fields_of(SHIRT_XY, (120, 120), 8, 3.5)
    fields.paf_confidence[0] *= 0.4 / fields.paf_confidence[0].max()
    arrows = field_data.paf_arrows(fields, SCHEMA, [0])
    assert len(arrows.start)
    assert arrows.rgba[:, 3].min() >= 0.36 - 1e-6
    fields.paf_confidence[0] *= 0.1
    assert not len(field_data.paf_arrows(fields, SCHEMA, [0]).start)
