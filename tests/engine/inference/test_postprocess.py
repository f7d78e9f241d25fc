from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.inference.postprocess import category_probabilities, fields_of
from napari_fashion.engine.inference.runtime import FieldArrays
from napari_fashion.engine.network.category import pool_category
from napari_fashion.images.transforms import Placement
from small import SCHEMA, SHIRT_XY
from small import fields_of as fields_of_a_garment


def fields_with(category):
    _, h, w = category.shape
    made = fields_of_a_garment(SHIRT_XY, (8 * w, 8 * h), 8, 3.5)
    object.__setattr__(made, "category", category)
    return made


@pytest.mark.parametrize("pool", ["max", "mean"])
@given(seed=st.integers(0, 10_000))
def test_a_garment_reads_its_category_as_training_does(pool, seed):
    rng = np.random.default_rng(seed)
    category = rng.normal(size=(15, 6, 7)).astype(np.float32) * 3
    xy = rng.uniform(-2, 9, (rng.integers(0, 4), 2)).astype(np.float32)
    found = category_probabilities(fields_with(category), xy, pool)
    mask = torch.zeros(6, 7, dtype=torch.bool)
    if len(xy):
        low = np.floor(xy.min(0) + 0.5).astype(int).clip(0, [6, 5])
        high = np.maximum(np.ceil(xy.max(0) - 0.5).astype(int).clip(0, [6, 5]), low)
        mask[low[1] : high[1] + 1, low[0] : high[0] + 1] = True
    expected = torch.softmax(pool_category(torch.from_numpy(category), mask, pool), -1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_logits_that_are_not_finite_give_finite_probabilities(value):
    category = np.zeros((3, 4, 4), np.float32)
    category[1, 2] = value
    found = category_probabilities(fields_with(category), np.zeros((0, 2), np.float32), "mean")
    assert np.isfinite(found).all()
    assert found.sum() == pytest.approx(1)


def test_a_model_without_categories_has_no_probabilities():
    found = category_probabilities(
        fields_with(np.zeros((0, 4, 4), np.float32)), np.ones((1, 2)), "max"
    )
    assert found.shape == (0,)


def test_fields_begin_at_the_images_first_cell():
    """Positions of the input's frame become those of the image, and channels go where they belong."""
    k, e, c = SCHEMA.n_landmarks, len(SCHEMA.edges), len(SCHEMA.categories)
    placement = Placement.fit(30, 40, 40, 32, 8)
    w, h = (side // 8 for side in placement.padded)
    pif = np.arange(k * 5 * h * w, dtype=np.float32).reshape(k, 5, h, w)
    paf = np.arange(e * 9 * h * w, dtype=np.float32).reshape(e, 9, h, w)
    category = np.arange(c * h * w, dtype=np.float32).reshape(c, h, w)
    fields = fields_of(FieldArrays(pif, paf, category), placement, SCHEMA, 8)
    cells = (..., slice(1, 6), slice(1, 5))
    assert fields.grid == (5, 4)
    np.testing.assert_array_equal(fields.pif_confidence, pif[:, 0][cells])
    np.testing.assert_array_equal(fields.pif_xy, pif[:, 1:3][cells] - 1)
    np.testing.assert_array_equal(fields.pif_spread, pif[:, 3][cells])
    np.testing.assert_array_equal(fields.pif_size, np.maximum(pif[:, 4], 2 * pif[:, 3])[cells])
    np.testing.assert_array_equal(fields.paf_xy1, paf[:, 1:3][cells] - 1)
    np.testing.assert_array_equal(fields.paf_xy2, paf[:, 3:5][cells] - 1)
    np.testing.assert_array_equal(fields.paf_spread1, paf[:, 5][cells])
    np.testing.assert_array_equal(fields.paf_spread2, paf[:, 6][cells])
    np.testing.assert_array_equal(fields.category, category[cells])
