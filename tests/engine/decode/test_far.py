"""Positions far outside the grid are passed over: no mode hangs, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from synthetic_fields import Scene, row_of_garments

MODES = [
    DecoderOptions(single_instance=single, force_complete=complete)
    for single in (False, True)
    for complete in (False, True)
]


def painted() -> Scene:
    scene = Scene(24, 24)
    for xy, have in row_of_garments(1, 24):
        scene.garment(xy, have)
    return scene


@pytest.mark.parametrize("far", [1e30, -1e30, 3e9, np.float32(3.4e38)])
@pytest.mark.parametrize("options", MODES)
def test_a_cell_that_points_far_outside_changes_nothing(far, options) -> None:
    scene = painted()
    before = decode_fields(scene.fields(), None, options)
    assert before
    for name in ("pif_confidence", "pif_xy"):
        scene.arrays[name] = scene.arrays[name].copy()
    scene.arrays["pif_confidence"][:, 0, 0] = 1.0
    scene.arrays["pif_xy"][:, :, 0, 0] = far
    after = decode_fields(scene.fields(), None, options)
    assert len(after) == len(before)
    for one, two in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.xy, two.xy)
        np.testing.assert_array_equal(one.scores, two.scores)
