from __future__ import annotations

import math

import numpy as np
import pytest

from napari_fashion.engine.decode import RESOLUTION, confidence_map
from napari_fashion.engine.fields import Fields
from synthetic_fields import Scene


def slow_map(fields: Fields, threshold: float, n: float) -> np.ndarray:
    k, h, w = fields.pif_confidence.shape
    f = np.zeros((k, h * RESOLUTION, w * RESOLUTION))
    for m in range(k):
        for row in range(f.shape[1]):
            for column in range(f.shape[2]):
                x = (column + 0.5) / RESOLUTION - 0.5
                y = (row + 0.5) / RESOLUTION - 0.5
                for j in range(h):
                    for i in range(w):
                        c = fields.pif_confidence[m, j, i]
                        if c < threshold:
                            continue
                        s = min(max(fields.pif_size[m, j, i] / 2, 0.25), 4)
                        dx = fields.pif_xy[m, 0, j, i] - x
                        dy = fields.pif_xy[m, 1, j, i] - y
                        if max(abs(dx), abs(dy)) <= 2 * s:
                            there = 1.0  # cells of the square around the vote that the grid has
                            for at, cells in zip(fields.pif_xy[m, :, j, i], (w, h), strict=True):
                                low, high = at - n**0.5 / 2, at + n**0.5 / 2
                                there *= max(min(high, cells - 0.5) - max(low, -0.5), 1)
                            c_there = min(c, 1) / there
                            f[m, row, column] += c_there * math.exp(-(dx**2 + dy**2) / (2 * s * s))
    return np.minimum(f, 1)


@pytest.mark.parametrize("seed", range(4))
def test_the_map_is_the_sum_of_gaussians(seed) -> None:
    random = np.random.default_rng(seed)
    scene = Scene(5, 7, k=2, edges=())
    scene.arrays["pif_confidence"] = random.random((2, 5, 7))
    scene.arrays["pif_size"] = random.uniform(0.1, 10, (2, 5, 7))
    fields = scene.fields()
    for threshold, n in ((0.3, 16), (0.0, 2)):
        fast = confidence_map(fields, threshold=threshold, cells_per_landmark=n)
        assert fast == pytest.approx(slow_map(fields, threshold, n), abs=1e-5)
