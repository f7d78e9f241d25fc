"""Garments with the landmarks of FashionAI: all of a category's, where its names say."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.procedural import render
from napari_fashion.datasets.procedural.fashionai import (
    FASHIONAI_CUTS,
    cut_for_fashionai,
    with_fashionai,
)
from napari_fashion.datasets.source import Source
from napari_fashion.errors import FashionError
from napari_fashion.schema import Schema

SCHEMA = Schema.load("fashionai")


def marked(category: str, seed: int = 0) -> dict[str, np.ndarray]:
    garment = with_fashionai(cut_for_fashionai(category, np.random.default_rng(seed)))
    members = SCHEMA.landmarks_of_category(SCHEMA.category_index(category))
    return {SCHEMA.landmarks[k]: garment.landmarks[k] for k in members}


def test_all_categories_of_the_schema_are_drawn():
    assert set(FASHIONAI_CUTS) == set(SCHEMA.category_names)


@pytest.mark.parametrize("category", sorted(FASHIONAI_CUTS))
def test_a_garment_has_its_categorys_landmarks_and_no_others(category):
    members = set(SCHEMA.landmarks_of_category(SCHEMA.category_index(category)))
    seen = set()
    for seed in range(3):
        sample = render(seed, category=category, size=(150, 200), landmarks="fashionai")
        (garment,) = sample.garments
        assert garment.category == category
        placed = set(np.flatnonzero(garment.visibility).tolist())
        assert placed <= members
        seen |= placed  # some may lie outside an image
    assert seen == members


@pytest.mark.parametrize("category", sorted(FASHIONAI_CUTS))
@pytest.mark.parametrize("seed", range(4))
def test_left_lies_left_and_above_lies_above(category, seed):
    xy = marked(category, seed)
    for name, place in xy.items():
        if "_left" in name:
            assert place[0] < xy[name.replace("_left", "_right")][0], name
    for upper, lower in (
        ("neckline_left", "shoulder_left"),
        ("shoulder_left", "armpit_left"),
        ("armpit_left", "waistline_left"),
        ("waistline_left", "top_hem_left"),
        ("waistline_left", "hemline_left"),
        ("waistband_left", "hemline_left"),
        ("waistband_left", "crotch"),
        ("crotch", "bottom_left_in"),
    ):
        if upper in xy and lower in xy:
            assert xy[upper][1] < xy[lower][1], (upper, lower)


@pytest.mark.parametrize("seed", range(4))
def test_the_waistline_is_the_narrowest_place_of_a_dress(seed):
    """Nearer together than the armpits above and the hem below."""
    xy = marked("dress", seed)

    def width(name: str) -> float:
        return float(np.linalg.norm(xy[f"{name}_left"] - xy[f"{name}_right"]))

    assert width("waistline") < width("armpit")
    assert width("waistline") < width("hemline")


def test_a_source_of_them_has_the_schema():
    source = Source(file="samples:3:0:landmarks=fashionai")
    assert open_source(source).schema.landmarks == SCHEMA.landmarks


def test_other_landmarks_are_refused_with_what_there_is():
    with pytest.raises(FashionError, match="garments, deepfashion2, fashionai"):
        render(0, landmarks="fashion_ai")
