"""The study of several garments (training/several.py), and what it compares with (training/nearness.py)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from drawn import SCHEMA
from napari_fashion.datasets.procedural import LayoutOptions, write_layouts
from napari_fashion.datasets.source import Source
from napari_fashion.engine.data.reading import load_sources
from napari_fashion.engine.decode import decode_fields
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model import Model
from synthetic_fields import FULL, SHAPE, Scene


@pytest.fixture
def script(load_script, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "training"))
    return load_script


def garments(*places: tuple[float, float]) -> tuple[Scene, list[np.ndarray]]:
    scene, all_xy = Scene(41, 41), []
    for place in places:
        all_xy.append(SHAPE * [10, 12] + place)
        scene.garment(all_xy[-1], FULL)
    return scene, all_xy


def test_nearness_joins_garments_that_lie_apart(script):
    scene, truth = garments((2.2, 2.3), (24.1, 25.2))
    fields = script("nearness").joined_by_nearness(scene.fields())
    found = decode_fields(fields, SCHEMA)
    assert len(found) == 2
    for garment in found:
        gaps = [np.abs(garment.xy - xy).max() for xy in truth]
        assert min(gaps) < 0.3


def test_nearness_mixes_garments_that_overlap_where_the_paf_does_not(script):
    scene, truth = garments((4.2, 4.3), (10.1, 9.2))
    fields = scene.fields()
    assert wrong(decode_fields(fields, SCHEMA), truth) == 0
    assert wrong(decode_fields(script("nearness").joined_by_nearness(fields), SCHEMA), truth) > 0


def wrong(found, truth) -> int:
    """Number of landmarks of the truth that no garment has together with most of the others."""
    lacking = 0
    for xy in truth:
        near = [np.linalg.norm(g.xy - xy, axis=1) < 0.5 for g in found]
        lacking += len(xy) - max((int(n.sum()) for n in near), default=0)
    return lacking


def test_the_pif_and_the_category_field_stay_as_they_are(script):
    fields = garments((4.2, 4.3))[0].fields()
    joined = script("nearness").joined_by_nearness(fields)
    for name in ("pif_confidence", "pif_xy", "pif_spread", "pif_size", "category"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(fields, name))
    assert joined.edges == fields.edges
    assert (joined.paf_confidence.sum((1, 2)) == 1).all()  # one pair an edge


def test_the_study_counts_every_garment_and_writes_tables_and_charts(script, tmp_path, capsys):
    several = script("several")
    path = write_layouts(
        tmp_path / "set", 3, 5, LayoutOptions(garments=(2, 3), worn=0.0), size=(160, 213)
    )
    model = Model.load("bundled", "cpu")
    images = load_sources([Source(file=str(path))], model.schema)
    sets = {}
    for overlap in (0.1, 0.4):
        sets[f"overlap, laid: {overlap}"] = {
            name: several.rows_of(model, images, *several.VARIANTS[name])
            for name in ("PAF, refined", "nearness")
        }
    sets["data: some"] = sets["overlap, laid: 0.1"]
    number = sum(len(image.category) for image in images)
    for by_variant in sets.values():
        for rows in by_variant.values():
            assert len(rows) == number
            assert all(row.own + row.astray <= row.labelled for row in rows)
            assert len({row.image for row in rows}) == 3
    several.write(sets, model.id, tmp_path / "out")
    document = json.loads((tmp_path / "out" / "several.json").read_text("utf-8"))
    assert document["model"] == model.id
    found = document["sets"]["overlap, laid: 0.1"]["PAF, refined"]
    rows = sets["overlap, laid: 0.1"]["PAF, refined"]
    assert found["garments"] == number
    assert found["images"] == 3
    assert found["figures"]["found"] == pytest.approx(np.mean([row.found for row in rows]))
    own, astray = sum(row.own for row in rows), sum(row.astray for row in rows)
    assert found["figures"]["assigned"] == pytest.approx(own / (own + astray))
    low, high = found["intervals"]["placed"]
    assert low <= found["figures"]["placed"] <= high
    pooled = document["groups"]["laid"]
    assert sum(pooled[f"{n} garments"]["nearness"]["garments"] for n in (2, 3)) == 2 * number
    table = (tmp_path / "out" / "several.md").read_text("utf-8")
    assert table in capsys.readouterr().out
    assert "| overlap, laid: 0.4 | 3 /" in table
    assert {f.name for f in (tmp_path / "out").glob("*.svg")} == {
        "found-overlap-laid.svg", "assigned-overlap-laid.svg",
    }  # fmt: skip


def test_perfect_fields_of_garments_side_by_side_are_decoded_without_error(script, tmp_path):
    perfect = script("perfect_fields")
    options = LayoutOptions(garments=(3, 3), worn=0.0, overlap=(0, 0), cut_off=0.0)
    path = write_layouts(tmp_path / "set", 3, 5, options, size=(160, 213))
    layers = Layers.of(SCHEMA, {})
    for image in load_sources([Source(file=str(path))], SCHEMA):
        fields = perfect.perfect_fields(image, layers, 256)
        _, association, reasons = perfect.decoded(image, fields, layers, {})
        assert association.found.all()
        assert association.own.sum() == association.labelled.sum()
        assert association.false == 0
        assert not reasons


def test_every_landmark_that_lacks_has_one_reason(script, tmp_path):
    perfect = script("perfect_fields")
    path = write_layouts(
        tmp_path / "set", 4, 5, LayoutOptions(garments=(3, 3), worn=1.0), size=(160, 213)
    )
    lacking = 0
    for names in ({}, perfect.LAYERS):
        layers = Layers.of(SCHEMA, names)
        for image in load_sources([Source(file=str(path))], SCHEMA):
            fields = perfect.perfect_fields(image, layers, 256)
            _, a, reasons = perfect.decoded(image, fields, layers, names)
            assert set(reasons) <= set(perfect.REASONS)
            assert reasons.total() == a.labelled.sum() - a.own.sum()
            lacking += reasons.total()
    assert lacking > 0
