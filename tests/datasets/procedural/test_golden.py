"""The images of a seed stay the same: runs that were trained on them are compared with later ones."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.datasets.procedural import LayoutOptions, render, render_layout, render_scene

GOLDEN = [
    (
        0, "T-Shirt", [188.4, 149.9, 117.4],
        "51.87,44.88 72.51,43.68 12.06,61.35 113.41,60.01 30.98,109.03 90.16,111.65",
    ),
    (
        1, "Dress", [109.9, 89.0, 75.1],
        "62.28,16.56 79.48,18.04 58.03,16.36 83.66,18.63 48.85,61.66 87.02,65.33 "
        "13.61,145.55 102.43,146.6",
    ),
    (
        2, "Pants", [114.3, 61.0, 94.7],
        "22.03,20.39 71.66,13.96 113.09,158.16",
    ),
    (
        3, "Skirt", [100.8, 98.2, 101.0],
        "33.82,46.34 69.01,38 16.58,111.39 112.36,100.09",
    ),
    (
        4, "Blazer", [173.0, 144.9, 104.5],
        "58.85,30.32 83.27,34.35 7.06,102.22 111,122.3 18.8,119.9 93.63,132.89",
    ),
    (
        5, "Hoodie", [172.0, 124.6, 109.5],
        "30.59,53.53 61.03,49.25 11.83,135.21 103.41,120.14 34.23,131.05 92.24,119.17",
    ),
    (
        6, "Body", [189.6, 189.4, 182.5],
        "48.78,29.94 78.31,33.71 1.79,62.06 112.85,71.5 30.99,81.18 90.03,85.27 "
        "29.94,110.1 88.66,112.16",
    ),
    (
        7, "Outwear", [85.5, 90.2, 119.8],
        "56.01,61.69 74.77,58.55 11.37,111.37 79.88,81.72 51.93,124.46 100.86,113.77",
    ),
]  # fmt: skip
"""Seed, category, mean colour, and the landmarks that are there in pixels, of images of 120 x 160."""


@pytest.mark.parametrize(("seed", "category", "mean", "xy"), GOLDEN)
def test_a_seed_renders_what_it_always_did(seed, category, mean, xy) -> None:
    sample = render(seed, category=category, size=(120, 160))
    (garment,) = sample.garments
    places = [[float(v) for v in place.split(",")] for place in xy.split()]
    np.testing.assert_allclose(garment.xy[garment.visibility > 0], places, atol=0.02)
    np.testing.assert_allclose(sample.image.reshape(-1, 3).mean(0), mean, atol=0.3)


LAYOUTS = [
    (
        0, 0.0, [126.0, 131.4, 121.8],
        [
            ("Shorts", "00001212", (111.73, 123.05)),
            ("Hoodie", "22220022", (67.07, 152.59)),
            ("Polo", "22220022", (63.41, 88.68)),
        ],
    ),
    (
        1, 1.0, [89.6, 115.2, 125.7],
        [
            ("Skirt", "00001122", (96.65, 138.9)),
            ("Longsleeve", "22110011", (74.78, 93.96)),
            ("Hoodie", "22220022", (81.59, 99.35)),
        ],
    ),
]  # fmt: skip
"""Seed, share of outfits, mean colour; of each garment category, visibility and right hem in pixels."""


@pytest.mark.parametrize(("seed", "worn", "mean", "garments"), LAYOUTS)
def test_a_seed_lays_out_what_it_always_did(seed, worn, mean, garments) -> None:
    options = LayoutOptions(garments=(3, 3), worn=worn, cut_off=0)
    sample = render_layout(seed, options, size=(120, 160)).sample
    for garment, (category, visibility, hem) in zip(sample.garments, garments, strict=True):
        assert garment.category == category
        assert "".join(map(str, garment.visibility)) == visibility
        np.testing.assert_allclose(garment.xy[7], hem, atol=0.02)
    np.testing.assert_allclose(sample.image.reshape(-1, 3).mean(0), mean, atol=0.3)


def test_a_scene_is_what_it_always_was() -> None:
    below, above = render_scene(3, 2, size=(120, 160)).garments
    assert (below.category, above.category) == ("T-Shirt", "Blazer")
    np.testing.assert_allclose(below.xy[7], (102.45, 80.64), atol=0.02)
    np.testing.assert_allclose(above.xy[7], (83.72, 146.93), atol=0.02)
