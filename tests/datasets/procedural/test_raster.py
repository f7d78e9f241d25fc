from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.datasets.procedural.raster import (
    blur,
    contains,
    coverage,
    edge_distance,
    noise,
    table,
)

SQUARE = np.array([[2.25, 1.5], [7.5, 1.5], [7.5, 6.0], [2.25, 6.0]])


def test_coverage_of_a_rectangle_is_its_exact_area_in_each_pixel():
    got = coverage([SQUARE], (9, 11))
    x, y = np.arange(11), np.arange(9)
    across = np.clip(np.minimum(x + 0.5, 7.5) - np.maximum(x - 0.5, 2.25), 0, 1)
    down = np.clip(np.minimum(y + 0.5, 6.0) - np.maximum(y - 0.5, 1.5), 0, 1)
    np.testing.assert_allclose(got, down[:, None] * across, atol=1e-6)


@pytest.mark.parametrize("shape", [(46, 48), (20, 25)])
def test_coverage_agrees_with_supersampled_point_tests_also_when_cut_off(shape):
    a = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    r = 18 + 6 * np.cos(5 * a)
    blob = np.stack([20 + r * np.cos(a), 15 + r * np.sin(a)], axis=1)
    n = 5
    offsets = (np.arange(n) + 0.5) / n - 0.5
    expected = np.zeros(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            hits = [
                contains(blob, np.array([column + u, row + v])) for u in offsets for v in offsets
            ]
            expected[row, column] = np.mean(hits)
    got = coverage([blob], shape)
    assert np.abs(got - expected).max() < 0.2
    assert got.sum() == pytest.approx(expected.sum(), rel=0.005)


def test_the_direction_of_an_outline_does_not_matter():
    np.testing.assert_array_equal(coverage([SQUARE], (9, 11)), coverage([SQUARE[::-1]], (9, 11)))


def test_contains_and_edge_distance_of_a_square():
    assert contains(SQUARE, np.array([5.0, 3.0]))
    assert not contains(SQUARE, np.array([1.0, 3.0]))
    assert edge_distance(SQUARE, np.array([5.0, 3.0])) == pytest.approx(1.5)
    assert edge_distance(SQUARE, np.array([2.25, 8.0])) == pytest.approx(2.0)


def test_blur_keeps_a_constant_and_the_sum():
    np.testing.assert_allclose(blur(np.full((20, 30), 0.7, np.float32), 3.0), 0.7, rtol=1e-5)
    spot = np.zeros((41, 41), np.float32)
    spot[20, 20] = 1
    assert blur(spot, 3.0).sum() == pytest.approx(1, rel=1e-4)


def test_noise_has_its_table_at_whole_numbers_and_repeats():
    values = table(np.random.default_rng(0), 8)
    x, y = np.meshgrid(np.arange(8.0), np.arange(8.0))
    np.testing.assert_allclose(noise(values, x, y), values, atol=1e-6)
    np.testing.assert_allclose(noise(values, x + 8.25, y), noise(values, x + 0.25, y), atol=1e-6)
