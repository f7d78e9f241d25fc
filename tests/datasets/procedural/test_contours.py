"""Garments with the landmarks of DeepFashion2: where the drawing's geometry says, for each category."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.procedural import Sample, render, write_dataset
from napari_fashion.datasets.procedural.contours import contour_marks, cut_contoured, with_contour
from napari_fashion.datasets.procedural.cuts import DEEPFASHION2_CUTS
from napari_fashion.datasets.procedural.fabrics import Bolt
from napari_fashion.datasets.procedural.grounds import Camera
from napari_fashion.datasets.procedural.lowers import skirt, trousers
from napari_fashion.datasets.procedural.openings import open_front
from napari_fashion.datasets.procedural.raster import contains, edge_distance
from napari_fashion.datasets.procedural.scenes import draw_light
from napari_fashion.datasets.procedural.stage import Stage
from napari_fashion.datasets.procedural.uppers import upper
from napari_fashion.datasets.source import Source
from napari_fashion.errors import FashionError, RecipeError
from napari_fashion.schema import Schema

SMALL = (240, 320)
CATEGORIES = sorted(DEEPFASHION2_CUTS)
INNER = ("neckline_3", "neckline_4", "neckline_5", "waist_center", "opening")
"""Places behind which more of the same garment shows: its back."""
ARMPITS = {
    f"{kind}_{side}_{n}"
    for kind, n in (("short_sleeve", 6), ("long_sleeve", 10))
    for side in ("left", "right")
}
"""Places at which a sleeve and the torso meet, with no gap yet between them."""


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema.load("deepfashion2")


@pytest.fixture(scope="module")
def samples() -> dict[str, list[Sample]]:
    return {
        category: [
            render(s, category=category, size=SMALL, landmarks="deepfashion2") for s in range(6)
        ]
        for category in CATEGORIES
    }


def straight(category: str, seed: int = 0):
    """Cut a garment that nobody has laid down, so that it is as symmetric as its cut."""
    cut = DEEPFASHION2_CUTS[category][0]
    rng = np.random.default_rng(seed)
    if cut.shape == "trousers":
        return trousers(category, replace(cut, spread=(6, 6), hem=(0.12, 0.14)), rng)
    if cut.shape == "skirt":
        return skirt(category, cut, rng)
    cut = replace(cut, angle=(40, 40), bend=(5, 5), opening=(0.15, 0.15))
    garment = upper(category, cut, rng)
    if "outwear" not in category:
        return garment
    opened = open_front(garment, 0.08, 0.15)
    return replace(garment, pieces=[*opened.back, *opened.front], edges=opened.edges)


def test_all_categories_of_the_schema_are_drawn(schema):
    assert set(CATEGORIES) == set(schema.category_names)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_garment_has_its_categorys_landmarks_and_no_others(schema, samples, category):
    own = set(schema.landmarks_of_category(schema.category_index(category)))
    for sample in samples[category]:
        (garment,) = sample.garments
        assert (garment.category, garment.body_type) == (category, category.replace(" ", "_"))
        assert garment.xy.shape == (294, 2)
        labelled = set(np.flatnonzero(garment.visibility).tolist())
        assert labelled <= own
        inside = ((garment.xy >= -0.5) & (garment.xy < np.array(SMALL) - 0.5)).all(axis=1)
        assert inside[sorted(labelled)].all()
        assert not garment.xy[sorted(set(range(294)) - labelled)].any()
        if len(labelled) < len(own):  # then the image cuts the garment off
            border = np.concatenate(
                [garment.alpha[[0, -1]].ravel(), garment.alpha[:, [0, -1]].ravel()]
            )
            assert border.max() > 0.5


@pytest.mark.parametrize("category", CATEGORIES)
def test_visible_landmarks_lie_on_the_edge_of_what_shows(schema, samples, category):
    for sample in samples[category]:
        (garment,) = sample.garments
        solid = np.pad(garment.alpha > 0.5, 1)
        inside = ndimage.distance_transform_edt(solid)[1:-1, 1:-1]
        outside = ndimage.distance_transform_edt(~solid)[1:-1, 1:-1]
        for k in np.flatnonzero(garment.visibility == 2):
            x, y = garment.xy[k]
            assert min(edge_distance(o, garment.xy[k]) for o in garment.outlines) < 0.1
            column, row = int(np.clip(round(x), 0, 239)), int(np.clip(round(y), 0, 319))
            assert outside[row, column] < 2.5
            on_top = _lies_over_itself(garment, schema.places[k], garment.xy[k])
            assert on_top or inside[row, column] < 3.5, (schema.landmarks[k], inside[row, column])


def _lies_over_itself(garment, place: str, xy: np.ndarray) -> bool:
    """Whether more of the garment lies behind a place: its back, a sleeve below the torso or over it."""
    if place.startswith(INNER) or place in ARMPITS:
        return True
    may = "sleeve" in place or place.startswith("leg_hem") or "sleeve" in garment.category
    return may and any(contains(o, xy) and edge_distance(o, xy) > 0.1 for o in garment.outlines)


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_symmetric_cut_has_mirrored_landmarks_on_their_sides(schema, category):
    garment = with_contour(straight(category))
    own = schema.landmarks_of_category(schema.category_index(category))
    xy = garment.landmarks
    for k in own:
        np.testing.assert_allclose(xy[k], xy[schema.flips[k]] * (-1, 1), atol=1e-9)
        side = [s for s in ("left", "right") if f"_{s}" in schema.places[k]]
        if side:
            assert (xy[k, 0] < 0) == (side == ["left"])
    assert len({tuple(np.round(xy[k], 6)) for k in own}) == len(own)


def at(category: str) -> dict[str, np.ndarray]:
    garment = straight(category)
    is_dress = category.endswith("dress")
    return {place: xy for place, (xy, _) in contour_marks(garment.edges, is_dress=is_dress).items()}


@pytest.mark.parametrize(
    "category", [c for c in CATEGORIES if c not in ("shorts", "trousers", "skirt")]
)
def test_what_has_shoulders_is_labelled_from_the_neck_to_the_hem(category):
    marks = at(category)
    down = ["neckline_1", "neckline_3", "side_left_1", "side_left_2", "side_left_3"]
    heights = [marks[place][1] for place in down]
    assert heights == sorted(heights)
    assert marks["neckline_2"][0] < marks["neckline_3"][0] < marks["neckline_4"][0] <= 0
    assert marks["armhole_left"][1] < marks["side_left_1"][1]
    if category.endswith("dress"):
        corner, mid, centre = (marks[f"skirt_hem_{p}"] for p in ("left", "left_mid", "center"))
        assert marks["side_left_3"][1] < corner[1]
        assert corner[0] < mid[0] < centre[0] == pytest.approx(0, abs=1e-9)
    if "sling" in category:
        neck, strap, armpit = marks["neckline_2"], marks["strap_left"], marks["armhole_left"]
        assert neck[1] < strap[1] < armpit[1]
        assert armpit[0] < strap[0]


@pytest.mark.parametrize(
    ("category", "kind", "n"), [("short sleeve top", "short", 6), ("long sleeve dress", "long", 10)]
)
def test_a_sleeve_goes_out_from_the_shoulder_and_back_to_the_armpit(category, kind, n):
    marks = at(category)
    sleeve = np.array([marks[f"{kind}_sleeve_left_{i}"] for i in range(1, n + 1)])
    outer, inner = sleeve[: n // 2], sleeve[n // 2 :]
    assert (np.diff(outer[:, 0]) < 0).all()  # to the cuff
    assert (np.diff(inner[:, 0]) > 0).all()  # and back
    assert (outer[:, 1] < inner[::-1, 1]).all()  # the outer edge lies above the inner one
    steps = np.linalg.norm(np.diff(outer, axis=0), axis=1)
    assert steps.max() < 1.1 * steps.min()
    np.testing.assert_array_equal(sleeve[-1], marks["armhole_left"])


def test_an_open_front_has_edges_with_a_gap_from_the_neck_to_the_hem():
    marks = at("long sleeve outwear")
    left = np.array(
        [marks[f"opening_{p}"] for p in ("top_left", "left_1", "left_2", "bottom_left")]
    )
    assert (left[:, 0] < 0).all()
    assert (np.diff(left[:, 1]) > 0).all()
    np.testing.assert_allclose(np.diff(left, axis=0, n=2), 0, atol=1e-9)
    assert marks["neckline_2"][0] < marks["neckline_3"][0] < left[0, 0]


def test_legs_are_labelled_from_the_waist_to_the_hem():
    for category in ("shorts", "trousers"):
        marks = at(category)
        outer = ["waist_left", "outseam_left", "leg_hem_left_out"]
        inner = ["crotch", "leg_hem_left_in"]
        if category == "trousers":
            outer.insert(2, "knee_left_out")
            inner.insert(1, "knee_left_in")
        for line in (outer, inner):
            heights = [marks[place][1] for place in line]
            assert heights == sorted(heights)
        assert marks["leg_hem_left_out"][0] < marks["leg_hem_left_in"][0]
        assert marks["waist_center"][0] == marks["crotch"][0] == 0


def test_what_lies_behind_another_garment_is_hidden(schema):
    rng = np.random.default_rng(4)
    stage = Stage(np.full((120, 90, 3), 0.5, np.float32), draw_light(rng), rng)
    camera = Camera(np.array([[60.0, 0, 45], [0, 60.0, 20], [0, 0, 1]]))
    for category in ("vest", "shorts"):
        garment = cut_contoured(category, rng)
        number = stage.lay(with_contour(garment), camera)
        bolt, plane = Bolt.choose(garment, rng), camera.plane(stage.shape)
        stage.paint(number, garment.pieces, bolt, camera, 1 / 60, plane)
    below, above = stage.finish(0).garments
    column, row = np.round(below.xy).astype(int).T
    covered = above.alpha[row, column]
    own = np.array(schema.landmarks_of_category(schema.category_index("vest")))
    assert (below.visibility[own[covered[own] > 0.99]] == 1).all()
    assert (below.visibility[own[covered[own] < 0.01]] == 2).all()
    assert {1, 2} == set(below.visibility[own].tolist())
    names = [schema.places[k] for k in own if below.visibility[k] == 1]
    assert "neckline_4" in names
    assert "side_left_3" not in names


def test_landmarks_behind_the_garments_own_sleeve_are_hidden(schema):
    """A sleeve that hangs down lies over the side."""
    found = 0
    for seed in range(12):
        (garment,) = render(
            seed, category="long sleeve outwear", size=SMALL, landmarks="deepfashion2"
        ).garments
        own = schema.landmarks_of_category(schema.category_index("long sleeve outwear"))
        found += sum(garment.visibility[k] == 1 for k in own)
    assert found > 0


def test_the_same_seed_writes_the_same_file(tmp_path, schema):
    files = [
        write_dataset(tmp_path / name, 3, 5, size=(90, 120), landmarks="deepfashion2")
        for name in ("a", "b")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
    document = json.loads(files[0].read_text("utf-8"))
    assert [c["name"] for c in document["categories"]] == list(schema.category_names)
    assert all(len(a["keypoints"]) == 3 * 294 for a in document["annotations"])


def test_a_source_opens_them_by_name_beside_the_eight_landmarks(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_fashion.datasets.opening.cache_folder", lambda: tmp_path)
    many = open_source(Source(file="samples:2:5:landmarks=deepfashion2"))
    few = open_source(Source(file="samples:2:5:landmarks=garments"))
    assert (many.schema.name, few.schema.name) == ("deepfashion2", "garments")
    assert len(list(tmp_path.iterdir())) == 2
    open_source(Source(file="samples:2:5"))  # the same as with landmarks=garments
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("2:5:landmarks=deepfashion", "expected 'garments', 'deepfashion2' or 'fashionai'"),
        ("2:5:landmark=deepfashion2", "did you mean 'landmarks'"),
        ("2:x:landmarks=deepfashion2", "expected samples:COUNT"),
        ("2:5:deepfashion2", "samples:COUNT:SEED:landmarks=SCHEMA"),
    ],
)
def test_a_malformed_setting_is_refused_with_what_was_expected(argument, expected):
    with pytest.raises(RecipeError) as refused:
        open_source(Source(file=f"samples:{argument}"))
    assert expected in str(refused.value)
    assert f"samples:{argument}" in str(refused.value)


def test_unknown_landmarks_and_categories_are_refused():
    with pytest.raises(FashionError, match="Did you mean deepfashion2"):
        render(0, landmarks="deepfashion3")
    with pytest.raises(FashionError, match="expected one of long sleeve dress"):
        render(0, category="T-Shirt", landmarks="deepfashion2")
