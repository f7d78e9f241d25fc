from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.inference.calibration import platt


def test_platt_is_the_sigmoid_of_the_scaled_logit():
    p = np.linspace(0.01, 0.99, 33)
    expected = 1 / (1 + np.exp(-(1.7 * np.log(p / (1 - p)) - 0.4)))
    np.testing.assert_allclose(platt(p, 1.7, -0.4), expected, rtol=1e-6)


def test_without_a_calibration_nothing_changes():
    p = np.array([0.0, 1e-30, 0.3, 1.0], np.float32)
    np.testing.assert_array_equal(platt(p, 1, 0), p)


@pytest.mark.parametrize("scale", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("offset", [-100.0, 100.0])
def test_the_ends_stay_probabilities(scale, offset):
    found = platt(np.array([0.0, 0.5, 1.0], np.float32), scale, offset)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()
