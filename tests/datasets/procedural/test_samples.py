"""Garments, landmarks and visibility of the procedural samples, checked against the drawing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_fashion.datasets.procedural import CATEGORIES, Sample, render, render_scene
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

SMALL = (150, 200)
SEEDS = range(20)
LEFT, RIGHT = [0, 2, 4, 6], [1, 3, 5, 7]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load("garments")


@pytest.fixture(scope="module")
def samples() -> dict[str, list[Sample]]:
    return {c: [render(s, category=c, size=SMALL) for s in SEEDS] for c in CATEGORIES}


def edge_distance(alpha: np.ndarray, xy: np.ndarray) -> np.ndarray:
    """Return the distance from points to the edge of what a garment covers, in pixels."""
    solid = np.pad(alpha > 0.5, 1)  # what is cut by the image's border has an edge there
    inside = ndimage.distance_transform_edt(solid)[1:-1, 1:-1]
    outside = ndimage.distance_transform_edt(~solid)[1:-1, 1:-1]
    column, row = np.clip(np.round(xy).astype(int), 0, np.array(alpha.shape)[::-1] - 1).T
    return np.maximum(inside[row, column] - 0.5, outside[row, column] - 0.5)


def outline_distance(outlines: tuple[np.ndarray, ...], point: np.ndarray) -> float:
    """Return the distance from a point to the nearest edge of any outline, in pixels."""
    nearest = np.inf
    for a in outlines:
        d = np.roll(a, -1, axis=0) - a
        t = ((point - a) * d).sum(axis=1) / np.maximum((d * d).sum(axis=1), 1e-12)
        gap = np.linalg.norm(a + np.clip(t, 0, 1)[:, None] * d - point, axis=1)
        nearest = min(nearest, float(gap.min()))
    return nearest


def test_categories_are_those_of_the_schema(schema):
    assert set(CATEGORIES) == set(schema.category_names)


def test_the_same_seed_gives_the_same_image_and_another_seed_another():
    first, again, other = (render(s, category="Dress", size=SMALL) for s in (3, 3, 4))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.garments[0].xy, again.garments[0].xy)
    np.testing.assert_array_equal(first.garments[0].visibility, again.garments[0].visibility)
    assert (first.image != other.image).mean() > 0.5


def test_rendering_leaves_the_global_random_state_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    render(0, size=SMALL)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_a_seed_without_category_is_the_same_as_with_the_category_it_draws():
    drawn = render(7, size=SMALL)
    named = render(7, category=drawn.garments[0].category, size=SMALL)
    np.testing.assert_array_equal(drawn.image, named.image)


@pytest.mark.parametrize("category", CATEGORIES)
def test_shapes_body_types_and_ranges(category, samples, schema):
    for sample in samples[category]:
        assert sample.image.shape == (200, 150, 3)
        assert sample.image.dtype == np.uint8
        (garment,) = sample.garments
        assert garment.category == category
        types = schema.categories[schema.category_index(category)].body_types
        assert garment.body_type in types
        has = np.isin(np.arange(8), schema.landmarks_of(garment.body_type))
        assert not garment.visibility[~has].any()
        assert set(garment.visibility.tolist()) <= {0, 1, 2}
        labelled = garment.visibility > 0
        assert (garment.xy[~labelled] == 0).all()
        assert (garment.xy[labelled] >= -0.5).all()
        assert (garment.xy[labelled] < np.array(SMALL) - 0.5).all()
        assert 0.05 < garment.alpha.mean() < 0.95


def test_almost_all_landmarks_are_in_the_image(samples, schema):
    n = [
        (garment.visibility > 0).sum() / len(schema.landmarks_of(garment.body_type))
        for several in samples.values()
        for sample in several
        for garment in sample.garments
    ]
    assert np.mean(n) > 0.95


@pytest.mark.parametrize("category", CATEGORIES)
def test_every_landmark_lies_on_an_outline(category, samples):
    for sample in samples[category]:
        (garment,) = sample.garments
        for k in np.flatnonzero(garment.visibility):
            assert outline_distance(garment.outlines, garment.xy[k]) < 0.75


def test_visible_landmarks_lie_on_the_edge_of_what_is_drawn(samples):
    # A sleeve laid over the torso has its corner, and hides the edge of the waist, inside the
    # silhouette: few, and none of the collar and hem.
    always, mostly = [], []
    for several in samples.values():
        for sample in several:
            (garment,) = sample.garments
            gaps = edge_distance(garment.alpha, garment.xy)
            seen = garment.visibility == 2
            always += gaps[seen & np.isin(np.arange(8), [0, 1])].tolist()
            mostly += gaps[seen & np.isin(np.arange(8), [2, 3, 4, 5, 6, 7])].tolist()
    assert max(always) <= 3
    assert np.mean(np.array(mostly) <= 2.5) > 0.95


def test_hidden_landmarks_lie_inside_what_is_drawn():
    hidden = [
        (garment.alpha, garment.xy[garment.visibility == 1])
        for category in ("Longsleeve", "Hoodie", "Shirt")
        for seed in range(30)
        for garment in render(seed, category=category, size=SMALL).garments
        if (garment.visibility == 1).any()
    ]
    assert hidden
    for alpha, xy in hidden:
        column, row = np.clip(np.round(xy).astype(int), 0, np.array(SMALL) - 1).T
        assert (alpha[row, column] > 0.5).all()


@pytest.mark.parametrize("category", CATEGORIES)
def test_left_is_left_and_up_is_up(category, samples):
    for sample in samples[category]:
        (garment,) = sample.garments
        both = (garment.visibility[LEFT] > 0) & (garment.visibility[RIGHT] > 0)
        both[1] = False  # a folded sleeve may cross over
        across = garment.xy[RIGHT] - garment.xy[LEFT]
        if both.sum() < 2:
            continue
        right = across[both].mean(axis=0)
        assert (across[both] @ right > 0).all()
        assert right[0] > 0
        first, last = np.flatnonzero(both)[[0, -1]]
        middle = (garment.xy[RIGHT] + garment.xy[LEFT]) / 2
        assert middle[last, 1] > middle[first, 1]


def test_a_garment_over_another_hides_its_landmarks():
    hidden = 0
    for seed in range(25):
        scene = render_scene(seed, n_garments=3, size=SMALL)
        assert len(scene.garments) == 3
        assert sum(g.alpha for g in scene.garments).max() <= 1 + 1e-5
        for g, garment in enumerate(scene.garments):
            for k in np.flatnonzero(garment.visibility):
                column, row = np.clip(np.round(garment.xy[k]).astype(int), 0, np.array(SMALL) - 1)
                later = sum(above.alpha[row, column] for above in scene.garments[g + 1 :])
                if later > 0.99:
                    assert garment.visibility[k] == 1
                    hidden += 1
    assert hidden > 0


def test_a_scene_without_garments_is_an_image_of_something():
    scene = render_scene(5, n_garments=0, size=SMALL)
    assert scene.garments == ()
    assert scene.image.std() > 5


def test_a_scene_takes_the_categories_it_is_given():
    scene = render_scene(1, categories=["Pants", "T-Shirt"], size=SMALL)
    assert [g.category for g in scene.garments] == ["Pants", "T-Shirt"]


def test_the_size_is_width_and_height():
    assert render(1, size=(210, 130)).image.shape == (130, 210, 3)


def test_an_unknown_category_is_named_with_those_there_are():
    with pytest.raises(FashionError, match=r"'Sock'.*T-Shirt"):
        render(0, category="Sock")
    with pytest.raises(FashionError, match="'Sock'"):
        render_scene(0, categories=["Sock"])
