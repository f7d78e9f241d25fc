"""The decoder against its slow and plain form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from napari_fashion.engine.fields import Fields
from plain_decoder import decode_plainly
from synthetic_fields import EDGES, FULL, LOWER, SHAPE, UPPER, Scene

MODES = [
    {},
    {"force_complete": True},
    {"single_instance": True},
    {"single_instance": True, "force_complete": True},
]


def noise(random: np.random.Generator) -> Fields:
    """Fields of anything, with few or many sure cells."""
    k = int(random.integers(2, 6))
    h, w = (int(side) for side in random.integers(4, 14, 2))
    edges = [pair for pair in itertools.combinations(range(k), 2) if random.random() < 0.6]
    scene = Scene(h, w, k=k, edges=edges, seed=int(random.integers(1 << 30)))
    power = random.choice([1, 3, 8])
    for name, array in scene.arrays.items():
        if name.endswith("confidence"):
            array[:] = random.random(array.shape) ** power
        elif "spread" in name or "size" in name:
            array[:] = random.uniform(0.05, random.choice([1, 4, 10]), array.shape)
    return scene.fields()


def garments(random: np.random.Generator) -> Fields:
    """Fields of garments, some of them faint, that overlap."""
    scene = Scene(20, 24, noise=0.3, background=0.1, seed=int(random.integers(1 << 30)))
    for _ in range(int(random.integers(1, 4))):
        have = [k for k in (FULL, UPPER, LOWER)[random.integers(3)] if random.random() < 0.9]
        xy = SHAPE * random.uniform(6, 14, 2) + random.uniform(0, 9, 2)
        scene.garment(xy, have, c=random.uniform(0.1, 0.9), paf=random.uniform(0.1, 0.9))
    assert scene.edges == EDGES
    return scene.fields()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("make", [noise, garments])
def test_gathering_and_pruning_change_nothing(make, seed, mode) -> None:
    random = np.random.default_rng(seed)
    fields = make(random)
    options = DecoderOptions(
        **mode,
        pif_threshold=random.uniform(0.05, 0.4),
        seed_threshold=random.uniform(0.05, 0.4),
        paf_threshold=random.uniform(0.05, 0.4),
        landmark_threshold=random.uniform(0.05, 0.3),
        garment_threshold=random.uniform(0, 0.3),
        cells_per_landmark=random.choice([4.0, 16.0]),
        paf_weight=random.uniform(0, 1),
    )
    found = decode_fields(fields, options=options)
    expected = decode_plainly(fields, options)
    assert len(found) == len(expected)
    for garment, plain in zip(found, expected, strict=True):
        assert garment.scores == pytest.approx(plain.scores, abs=1e-4)
        assert garment.xy == pytest.approx(plain.xy, abs=2e-3)
        assert garment.spread == pytest.approx(plain.spread, abs=2e-3)
