from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_fashion.engine.decode import DecoderOptions, decode_fields
from napari_fashion.engine.inference.calibration import platt
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.inference.postprocess import (
    category_probabilities,
    fields_of,
    judged_presence,
    visible_probabilities,
)
from napari_fashion.engine.inference.runtime import FieldArrays
from napari_fashion.engine.network.category import pool_category
from napari_fashion.engine.prediction import PredictedGarment
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


# -- visibility and presence ---------------------------------------------------------------


def fields_that_see(logits):
    """A shirt's fields whose cells say `logits` (K,) of visibility around each landmark."""
    made = fields_of_a_garment(SHIRT_XY, (120, 120), 8, 3.5)
    grid = np.broadcast_to(np.float32(logits)[:, None, None], made.pif_confidence.shape)
    return replace(made, pif_visible=np.where(made.pif_confidence > 0, grid, -9))


def test_visibility_is_read_where_the_landmark_is():
    logits = np.linspace(-2, 2, 8)
    fields = fields_that_see(logits)
    (decoded,) = decode_fields(fields, SCHEMA)
    found = visible_probabilities(fields, decoded)
    there = decoded.scores > 0
    np.testing.assert_allclose(found[there], 1 / (1 + np.exp(-logits[there])), atol=0.05)
    assert not found[~there].any()
    assert visible_probabilities(fields_of_a_garment(SHIRT_XY, (120, 120), 8, 3.5), decoded) is None


def a_garment(scores, visible=None):
    scores = np.asarray(scores, np.float32)
    return PredictedGarment(
        np.ones((8, 2), np.float32), scores, scores, np.eye(15, dtype=np.float32)[3], 0.5,
        visible=None if visible is None else np.asarray(visible, np.float32),
    )  # fmt: skip


def test_landmarks_are_there_and_visible_by_the_models_thresholds():
    garment = a_garment([0.9, 0.8, 0.5, 0.4, 0.9, 0, 0.9, 0.9], [0.9, 0.6, 0.4, 0.9, 0.2, 0, 1, 0])
    options = VisibilityOptions(
        present_threshold=0.6, present_scale=2.0, present_offset=-0.5, visible_threshold=0.55
    )
    judged = judged_presence(garment, SCHEMA, DecoderOptions(), options)
    expected = 1 / (1 + np.exp(-(2 * np.log(0.8 / 0.2) - 0.5)))
    assert judged.present[1] == pytest.approx(expected)
    assert judged.found.tolist() == [True, True, False, False, True, False, True, True]
    assert judged.visibility.tolist() == [2, 2, 0, 0, 1, 0, 2, 1]
    complete = DecoderOptions(force_complete=True)
    whole = judged_presence(garment, SCHEMA, complete, options)
    assert whole.found.sum() == 7
    assert whole.visibility.tolist() == [2, 2, 1, 2, 1, 0, 2, 1]
    nothing = VisibilityOptions(present_threshold=1.0)
    assert judged_presence(garment, SCHEMA, DecoderOptions(), nothing) is None


def test_what_is_found_is_visible_if_the_model_does_not_say():
    judged = judged_presence(
        a_garment([0.9, 0.2] + [0] * 6), SCHEMA, DecoderOptions(), VisibilityOptions()
    )
    assert judged.visible is None
    assert judged.visibility.tolist() == [2, 2] + [0] * 6
    np.testing.assert_array_equal(judged.present, judged.scores)


@given(st.floats(0, 1), st.floats(0, 5), st.floats(-5, 5))
def test_calibration_keeps_the_order_and_its_neutral_values_change_nothing(p, scale, offset):
    some = np.array([p / 2, p], np.float32)
    assert platt(some, 1, 0) is some
    low, high = platt(some, scale, offset)
    assert 0 <= low <= high <= 1
