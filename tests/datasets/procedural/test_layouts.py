"""Images of several garments: what is set of them, and truth that is exact, checked against the drawing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.procedural import (
    LayoutOptions,
    SampleGarment,
    render_layout,
    shared_boxes,
    write_layouts,
)
from napari_fashion.datasets.procedural.outfits import LOWER, OUTER, dress
from napari_fashion.datasets.source import Source
from napari_fashion.errors import RecipeError
from napari_fashion.schema import Schema

SMALL = (150, 200)
SEEDS = range(12)


def laid(**settings) -> LayoutOptions:
    return LayoutOptions(worn=0.0, cut_off=0.0, **settings)


def boxes(garments: tuple[SampleGarment, ...]) -> np.ndarray:
    """Boxes of the landmarks that lie in the image."""
    return np.array(
        [
            [*g.xy[g.visibility > 0].min(0), *g.xy[g.visibility > 0].max(0)]
            for g in garments
            if (g.visibility > 0).any()
        ]
    )


def test_the_shared_area_of_boxes_is_counted_by_hand():
    pixels = np.zeros((2, 20, 20), bool)
    pixels[0, 2:10, 3:9], pixels[1, 6:16, 5:17] = True, True
    (_, share), _ = shared_boxes([[3, 2, 9, 10], [5, 6, 17, 16]])
    assert share == pytest.approx(pixels.all(0).sum() / pixels[0].sum())


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("worn", [0.0, 1.0])
def test_an_image_has_the_number_of_garments_that_is_set(number, worn):
    options = LayoutOptions(garments=(number, number), worn=worn)
    for seed in range(3):
        layout = render_layout(seed, options, size=SMALL)
        assert len(layout.sample.garments) == number
        assert layout.worn == bool(worn)


@pytest.mark.parametrize("overlap", [0.0, 0.2, 0.4, 0.6])
def test_boxes_share_what_is_set(overlap):
    options = laid(garments=(2, 4), overlap=(overlap, overlap))
    found = [
        shared_boxes(boxes(render_layout(s, options, size=SMALL).sample.garments)).max(1)
        for s in SEEDS
    ]
    measured = np.concatenate(found)
    # The camera's tilt comes after the layout, and where there is no room garments share more.
    assert np.median(measured) == pytest.approx(overlap, abs=0.03)
    assert np.mean(np.abs(measured - overlap) < 0.08) > 0.9


def test_more_occlusion_that_is_asked_for_covers_more():
    def covered(occlusion: float) -> float:
        options = laid(garments=(2, 2), overlap=(0.5, 0.5), occlusion=(occlusion, occlusion))
        layouts = [render_layout(s, options, size=SMALL) for s in SEEDS]
        return float(np.mean([layout.sample.garments[0].occlusion for layout in layouts]))

    assert covered(0.6) > covered(0.15) + 0.1


def test_occlusion_is_the_cloth_that_the_garment_above_covers():
    options = laid(garments=(2, 2), overlap=(0.4, 0.6))
    for seed in SEEDS:
        below, above = render_layout(seed, options, size=SMALL).sample.garments
        assert above.occlusion == 0
        # What a garment shows and what covers it are masks of pixels; its cloth is at least their union.
        assert below.alpha.sum() > 0
        cloth = below.alpha.sum() / (1 - below.occlusion)
        assert cloth - below.alpha.sum() <= above.alpha.sum() * 1.01


def test_a_scale_that_is_set_is_the_length_of_every_garment():
    options = laid(garments=(2, 3), overlap=(0.0, 0.0), scale=(0.3, 0.3))
    lengths = []
    for seed in SEEDS:
        for garment in render_layout(seed, options, size=(300, 400)).sample.garments:
            rows, columns = np.nonzero(garment.alpha > 0.5)
            lengths.append(max(np.ptp(rows), np.ptp(columns)) + 1)
    assert np.median(lengths) == pytest.approx(0.3 * 400, rel=0.06)


def test_visibility_is_what_the_masks_show():
    """Landmarks that another garment covers are hidden, those beyond the edge are not there."""
    options = LayoutOptions(worn=0.5, overlap=(0.2, 0.6), cut_off=0.5)
    under_others = covered_and_visible = 0
    for seed in range(24):
        garments = render_layout(seed, options, size=SMALL).sample.garments
        for number, garment in enumerate(garments):
            for (x, y), v in zip(garment.xy, garment.visibility, strict=True):
                if v == 0:
                    continue
                assert -0.5 <= x < SMALL[0] - 0.5
                assert -0.5 <= y < SMALL[1] - 0.5
                column, row = round(float(x)), round(float(y))
                around = np.s_[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
                others = sum(g.alpha[around] for i, g in enumerate(garments) if i != number)
                if others.min() > 0.99:  # nothing of this garment shows here
                    under_others += 1
                    covered_and_visible += v == 2
    assert under_others > 50
    assert covered_and_visible == 0


def test_what_is_cut_off_is_not_there():
    schema = Schema.load("garments")
    whole, cut = (
        [
            (g.visibility > 0).sum() / len(schema.landmarks_of(g.body_type))
            for seed in SEEDS
            for g in render_layout(
                seed, LayoutOptions(worn=0.5, cut_off=share), size=SMALL
            ).sample.garments
        ]
        for share in (0.0, 1.0)
    )
    assert np.mean(whole) > 0.98
    assert 0.5 < np.mean(cut) < 0.95


def test_layers_of_an_outfit_fall_together():
    rng = np.random.default_rng(0)
    for _ in range(20):
        layers = dress(3, rng)
        by_category = {layer.garment.category: layer for layer in layers}
        lower = next(by_category[c] for c in by_category if c in LOWER)
        inner, outer = (layer for layer in layers if layer is not lower)
        assert outer is layers[-1]
        assert outer.garment.category in OUTER
        assert outer.back
        assert not inner.back
        collars = [layer.garment.landmarks[:2] + layer.shift for layer in (inner, outer)]
        apart = np.linalg.norm(collars[0] - collars[1], axis=1)
        length = np.ptp(outer.garment.landmarks[:, 1])
        assert apart.max() < 0.12 * length
        waist = (lower.garment.landmarks[4:6] + lower.shift).mean(0)
        hem = (inner.garment.landmarks[6:8] + inner.shift).mean(0)
        assert waist[1] < hem[1]  # the inner garment reaches below the waist
        assert abs(waist[0] - hem[0]) < 0.1


def test_an_outer_garment_is_open_in_front():
    options = LayoutOptions(garments=(3, 3), worn=1.0, cut_off=0.0)
    shares = []
    for seed in SEEDS:
        garments = render_layout(seed, options, size=SMALL).sample.garments
        inner = [g for g in garments[:-1] if g.category not in LOWER]
        assert len(inner) == 1
        shares.append(1 - inner[0].occlusion)
    assert min(shares) > 0.03
    assert 0.1 < np.mean(shares) < 0.7


def test_the_coco_file_says_how_garments_lie(tmp_path):
    options = LayoutOptions(garments=(2, 3), overlap=(0.3, 0.3))
    path = write_layouts(tmp_path / "a", 6, 3, options, size=SMALL, file_format="png")
    again = write_layouts(tmp_path / "b", 6, 3, options, size=SMALL, file_format="png")
    assert path.read_bytes() == again.read_bytes()
    for image in (tmp_path / "a" / "images").iterdir():
        assert image.read_bytes() == (tmp_path / "b" / "images" / image.name).read_bytes()
    coco = COCO(str(path))
    for i, image in enumerate(coco.loadImgs(coco.getImgIds())):
        layout = render_layout(3 + i, options, size=SMALL)
        assert image["layout"]["worn"] == layout.worn
        records = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        for record, garment in zip(records, layout.sample.garments, strict=True):
            points = np.array(record["keypoints"]).reshape(-1, 3)
            np.testing.assert_array_equal(points[:, 2], garment.visibility)
            np.testing.assert_allclose(points[:, :2], garment.xy, atol=0.006)
            assert record["body_type"] == garment.body_type
            assert record["occlusion"] == pytest.approx(garment.occlusion, abs=6e-4)
        if not layout.worn:
            assert [r["overlap"] for r in records] == pytest.approx([0.3] * len(records), abs=0.1)


@pytest.mark.parametrize("argument", ["2", "2:5", "2:5:garments=3,worn=1", "2:5:garments=2-3"])
def test_a_source_renders_layouts_once(argument, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("napari_fashion.datasets.opening.cache_folder", lambda: tmp_path)
    dataset = open_source(Source(file=f"layouts:{argument}"))
    assert len(dataset.images) == 2
    (folder,) = tmp_path.iterdir()
    document = json.loads((folder / "annotations.json").read_text("utf-8"))
    assert all("layout" in image for image in document["images"])
    if "garments=3" in argument:
        assert len(document["annotations"]) == 6
    before = (folder / "annotations.json").stat().st_mtime_ns
    open_source(Source(file=f"layouts:{argument}"))
    assert [f.name for f in tmp_path.iterdir()] == [folder.name]
    assert (folder / "annotations.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("0", "1 to 100,000 images"),
        ("3:1:2", "expected layouts:COUNT:SEED"),
        ("3:1:garments", "expected layouts:COUNT:SEED"),
        ("3:1:garment=3", "did you mean 'garments'"),
        ("3:1:garments=1-9", "expected 2 to 6"),
        ("3:1:overlap=0.5-0.2", "expected least-greatest"),
        ("3:1:garments=3-4-5", "2 items"),
        ("3:1:overlap=2", "1.0 or less"),
        ("3:1:scale=9", "0.05 to 2"),
    ],
)
def test_a_malformed_argument_is_refused_with_what_was_expected(argument, expected):
    with pytest.raises(RecipeError) as refused:
        open_source(Source(file=f"layouts:{argument}"))
    assert expected in str(refused.value)
    assert f"layouts:{argument}" in str(refused.value)
