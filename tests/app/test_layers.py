"""The overlays lie exactly on the image, in napari's own world coordinates."""

from __future__ import annotations

import time

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_styles import FIELD, LANDMARKS
from napari_fashion.app.viewer.layers import Layers
from napari_fashion.coco import Dataset
from small import SCHEMA, SHIRT_XY, TROUSERS_XY, annotation, fields_of, small_document


@pytest.fixture
def viewer(qapp):
    from napari.components import ViewerModel

    return ViewerModel()


def shown(viewer, tmp_path, size, stride) -> tuple[Layers, Session, np.ndarray]:
    """Show an image of a size with fields of a stride; return where the landmarks are, xy."""
    from PIL import Image

    width, height = size
    Image.new("RGB", size, (90, 90, 90)).save(tmp_path / "1.png")
    rng = np.random.default_rng(width + height)
    margin = 1.5 * stride
    xy = rng.uniform(margin, np.array(size) - 1 - margin, (SCHEMA.n_landmarks, 2)).round(2)
    document = small_document()
    document["images"] = [{"id": 1, "file_name": "1.png", "width": width, "height": height}]
    document["annotations"] = [annotation(1, 1, [tuple(p) for p in xy.tolist()], "Dress")]
    session = Session()
    layers = Layers(session, Actions(session), viewer)
    session.edit(Dataset.from_document(document, schema=SCHEMA, image_root=tmp_path))
    session.view.pif = True
    session.keep_fields(1, fields_of([tuple(p) for p in xy], size, stride, (stride - 1) / 2))
    return layers, session, xy


@pytest.mark.parametrize("size", [(120, 120), (133, 97), (400, 533), (1021, 640)])
@pytest.mark.parametrize("stride", [4, 8, 16, 6.25])
def test_a_field_peak_lies_within_half_a_pixel_of_where_it_belongs(
    viewer, tmp_path, size, stride
) -> None:
    layers, session, xy = shown(viewer, tmp_path, size, stride)
    layer = layers.layer(FIELD)
    for k in range(SCHEMA.n_landmarks):
        session.editor.select(1, k)
        confidence = np.asarray(layers.layer(FIELD).data)
        # The weighted mean of a symmetric bump is its peak, between the cells.
        cells = np.argwhere(confidence > 0.1)
        weights = confidence[tuple(cells.T)]
        y, x = np.unravel_index(confidence.argmax(), confidence.shape)
        near = (abs(cells - (y, x)) <= 1).all(axis=1)
        logs = np.log(weights[near])
        peak = _parabola(cells[near], logs)
        world = layer.data_to_world(peak)
        assert np.abs(np.array(world)[::-1] - xy[k]).max() < 0.5, (k, world, xy[k])


def _parabola(cells: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Return the top of the paraboloid through the logarithms around a peak, in cells."""
    y, x = cells.T.astype(float)
    terms = np.stack([y, x, y * y + x * x, np.ones(len(y))], axis=1)
    a, b, c, _ = np.linalg.lstsq(terms, logs, rcond=None)[0]
    return np.array([-a, -b]) / (2 * c)


@pytest.mark.parametrize(("size", "stride"), [((133, 97), 4), ((400, 533), 8), ((640, 480), 16)])
def test_arrows_end_at_the_landmarks(viewer, tmp_path, size, stride) -> None:
    layers, session, xy = shown(viewer, tmp_path, size, stride)
    session.editor.select(1, 3)
    layers.draw()
    arrows = layers.fields.arrows
    assert len(arrows.end) > 5
    np.testing.assert_allclose(arrows.end, np.broadcast_to(xy[3], arrows.end.shape), atol=0.01)
    session.view.show_field("paf")
    layers.draw()
    arrows = layers.fields.arrows
    half = len(arrows.end) // 2
    for e, first, second in zip(
        arrows.channels[:half], arrows.end[:half], arrows.end[half:], strict=True
    ):
        assert 3 in SCHEMA.edges[e]
        np.testing.assert_allclose([first, second], xy[list(SCHEMA.edges[e])], atol=0.01)
    assert half > 0


def test_the_confidence_map_has_its_peak_where_the_landmark_is(viewer, tmp_path) -> None:
    layers, session, xy = shown(viewer, tmp_path, (400, 533), 8)
    session.view.pif_kind = "map"
    session.editor.select(1, 3)
    layer = layers.layer(FIELD)
    y, x = np.unravel_index(np.asarray(layer.data).argmax(), layer.data.shape)
    assert np.abs(np.array(layer.data_to_world((y, x)))[::-1] - xy[3]).max() <= 8 / 4


def test_the_image_is_dimmed_while_a_field_is_shown(viewer, tmp_path) -> None:
    layers, session, _ = shown(viewer, tmp_path, (120, 120), 8)
    assert layers.layer("image").opacity == 0.5
    session.view.dim = 0.25
    assert layers.layer("image").opacity == 0.75
    session.view.show_field(None)
    assert layers.layer("image").opacity == 1


def test_the_image_is_where_its_pixels_are(viewer, tmp_path) -> None:
    layers, _, _ = shown(viewer, tmp_path, (133, 97), 8)
    layer = layers.layer("image")
    assert tuple(layer.data_to_world((0, 0))) == (0, 0)
    assert tuple(layer.data_to_world((96, 132))) == (96, 132)


def test_a_large_image_lies_where_its_pixels_are_at_the_size_of_the_screen_too(
    viewer, tmp_path
) -> None:
    """Reduced first, and whole once a person zooms in: in the same place, under the same camera."""
    layers, session, xy = shown(viewer, tmp_path, (2600, 3900), 16)
    layers.shown.canvas = lambda: (800, 600)
    session.allow_root(tmp_path)  # read anew
    layer = layers.layer("image")
    assert layers.image.shape == (780, 520, 3)
    corners = [layer.data_to_world(np.array(c) - 0.5) for c in ((0, 0), (780, 520))]
    np.testing.assert_allclose(corners, [(-0.5, -0.5), (3899.5, 2599.5)])
    points = layers.layer(LANDMARKS).data
    assert sorted(map(tuple, points.tolist())) == sorted((y, x) for x, y in xy.tolist())
    assert session.mismatch is None

    viewer.camera.center, viewer.camera.zoom = (0, 1200.0, 700.0), 2.0
    until(lambda: layers.image.shape == (3900, 2600, 3))
    assert layer.scale.tolist() == [1, 1]
    assert layer.translate.tolist() == [0, 0]
    assert viewer.camera.center == (0, 1200, 700)
    assert viewer.camera.zoom == 2


def test_all_that_one_event_changes_is_drawn_once(viewer, dataset_file) -> None:
    session = Session()
    actions = Actions(session)
    layers = Layers(session, actions, viewer)
    session.edit(Dataset.load(dataset_file))
    layers.draw()
    drawn = dict.fromkeys(("image", LANDMARKS), 0)
    for name in drawn:
        layer = layers.set[name]
        layer.events.set_data.connect(
            lambda e: drawn.update({e.source.name: drawn[e.source.name] + 1})
        )
    actions.next_image()
    actions.set_reviewed(True)
    actions.next_landmark()
    until(lambda: drawn["image"])
    assert drawn == {"image": 1, LANDMARKS: 1}


def until(is_so) -> None:
    """Let events come in until something is so."""
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "it did not come about"
        QApplication.processEvents()
        time.sleep(0.005)


def test_low_confidence_is_seen_through(viewer, tmp_path) -> None:
    layers, session, _ = shown(viewer, tmp_path, (133, 97), 8)
    for landmark in (None, 3):
        session.editor.select(1, landmark)
        alpha = layers.layer(FIELD).colormap.map(np.array([0.0, 0.05, 1.0]))[:, 3]
        assert alpha[0] == 0
        assert alpha[1] < 0.15
        assert 0.5 < alpha[2] < 0.9  # the image is seen below the surest cell, too


def test_a_hidden_layer_shows_the_image_in_view_when_it_comes_back(viewer, dataset_file) -> None:
    session = Session()
    layers = Layers(session, Actions(session), viewer)
    session.edit(Dataset.load(dataset_file))
    for image_id, xy in ((1, SHIRT_XY), (2, TROUSERS_XY)):
        session.keep_fields(image_id, fields_of(xy, (120, 120), 8 * image_id, 3.5))
    overlays = ("pif", "landmarks")
    for names in (overlays, overlays[:1], overlays[1:]):
        for name in names:
            setattr(session.view, name, True)
        layers.draw()
        for name in names:
            setattr(session.view, name, False)
        layers.draw()
        for by in (1, 1, -1):
            session.editor.step(by)
            layers.draw()
        for name in overlays:
            setattr(session.view, name, True)
        assert len(layers.layer(LANDMARKS).data) == 4
        assert layers.layer(FIELD).scale.tolist() == [16, 16]
        session.editor.go_to(0)
        assert len(layers.layer(LANDMARKS).data) == 6
        assert len(layers.fields.arrows.start) > 0


def test_layers_cannot_be_moved_off_the_image(viewer, tmp_path) -> None:
    layers, _, _ = shown(viewer, tmp_path, (120, 120), 8)
    for name in (FIELD, LANDMARKS):
        layer = layers.layer(name)
        layer.mode = "transform"
        assert str(layer.mode) != "transform"
        layer.affine = [[1, 0, 5], [0, 1, 5], [0, 0, 1]]
        np.testing.assert_array_equal(layer.affine.affine_matrix, np.eye(3))
