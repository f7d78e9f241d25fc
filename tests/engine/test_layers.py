"""Layers of clothing: what the network has fields for, and what labels and predictions have."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from garment_batches import SIDE, STRIDE, batch
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.layering import filling_most, found_once
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.pipeline import Pipeline
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.engine.targets.encode import encode_targets
from napari_fashion.engine.targets.layers import in_layers
from napari_fashion.engine.targets.options import TargetOptions
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
NAMES = {"outer": ["Blazer", "Outwear"], "lower": ["Pants", "Shorts", "Skirt"]}
LAYERS = Layers.of(SCHEMA, NAMES)
UPPER = [0, 1, 2, 3, 6, 7]


def index(name: str) -> int:
    return SCHEMA.category_index(name)


def test_each_layer_has_the_landmarks_of_its_categories():
    outer, lower, rest = LAYERS.layers
    assert [layer.name for layer in LAYERS.layers] == ["outer", "lower", "rest"]
    assert outer.landmarks == rest.landmarks == tuple(range(8))
    assert lower.landmarks == (4, 5, 6, 7)
    assert (outer.first, lower.first, rest.first) == (0, 8, 12)
    assert {SCHEMA.category_names[c] for c in lower.categories} == {"Pants", "Shorts", "Skirt"}
    assert len(outer.categories) + len(lower.categories) + len(rest.categories) == 15
    assert LAYERS.of_category[index("Outwear")] == 0
    assert LAYERS.of_category[index("Skirt")] == 1
    assert LAYERS.of_category[index("Dress")] == 2
    assert lower.sets == ((0, 1, 2, 3),)
    assert lower.edges == tuple((a - 4, b - 4) for a, b in SCHEMA.edges if min(a, b) >= 4)


def test_the_network_has_fields_by_layer():
    fields = LAYERS.field_schema
    assert fields.n_landmarks == 20
    assert fields.landmarks[8:12] == tuple(f"lower {SCHEMA.landmarks[i]}" for i in range(4, 8))
    assert len(fields.edges) == 11 + 4 + 11
    assert all(LAYERS.layer_of[a] == LAYERS.layer_of[b] for a, b in fields.edges)
    for i, flipped in enumerate(fields.flips):
        assert LAYERS.layer_of[i] == LAYERS.layer_of[flipped]
        assert SCHEMA.flips[LAYERS.landmark_of[i]] == LAYERS.landmark_of[flipped]
    assert fields.category_names == SCHEMA.category_names
    assert fields.mirrors


@pytest.mark.parametrize("names", [{}, {"hats": ["Cap"]}])
def test_without_layers_the_fields_are_those_of_the_schema(names):
    layers = Layers.of(SCHEMA, names)
    assert layers.is_one
    assert layers.field_schema is SCHEMA
    garments = batch(np.full((1, 8, 2), 40.0), np.full((1, 8), 2))
    assert in_layers(garments, layers) is garments


def test_names_of_layers_are_checked():
    with pytest.raises(ValueError, match="is in several layers"):
        NetworkConfig(layers={"a": ["Skirt"], "b": ["Skirt"]})
    with pytest.raises(ValueError, match="is no name of a layer"):
        NetworkConfig(layers={"rest": ["Skirt"]})
    with pytest.raises(ValueError, match="is no name of a layer"):
        NetworkConfig(layers={"a\nb": ["Skirt"]})


# -- targets -------------------------------------------------------------------------------


def worn(gap: float):
    """A jacket over a shirt, whose collars lie `gap` pixels inside of the jacket's, over trousers."""
    jacket = [(30, 20), (60, 20), (10, 60), (80, 60), (0, 0), (0, 0), (26, 64), (64, 64)]
    shirt = [(30 + gap, 20), (60 - gap, 20), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    trousers = [(0, 0)] * 4 + [(32, 56), (58, 56), (34, 90), (56, 90)]
    xy = np.array([jacket, shirt, trousers], float)
    garments = batch(xy, np.where(xy.any(-1), 2, 0))
    garments.category[:] = torch.tensor([[index("Outwear"), index("Shirt"), index("Pants")]])
    return xy, garments


def test_garments_get_the_landmarks_of_their_layer_alone():
    _, garments = worn(2)
    garments.category[0, 2] = -1
    found = in_layers(garments, LAYERS)
    assert found.xy.shape == (1, 3, 20, 2)
    labelled = found.visibility[0] > 0
    assert labelled[0].nonzero().flatten().tolist() == UPPER
    assert labelled[1].nonzero().flatten().tolist() == [12, 13]
    assert not labelled[2].any()
    assert found.crowd.tolist() == [[False, False, True]]  # of no known category
    assert found.member[0, 0].tolist() == [True] * 8 + [False] * 12
    torch.testing.assert_close(found.xy[0, 1, 12:14], garments.xy[0, 1, :2])


def fields_of_targets(garments, layers: Layers) -> Fields:
    """Perfect fields: what a network would say that has learned the targets of an image."""
    side = SIDE // STRIDE
    targets = encode_targets(
        in_layers(garments, layers), layers.field_schema, TargetOptions(), (side, side), STRIDE
    )
    edges = layers.field_schema.edges
    arrays = {}
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)))
    for name, of, n in (
        ("pif", targets.pif, layers.field_schema.n_landmarks),
        ("paf", targets.paf, len(edges)),
    ):
        arrays[f"{name}_confidence"] = of.confidence[0].numpy() * 0.95
        for end, point in zip(("", "1", "2")[(name == "paf") :], of.points, strict=False):
            xy = np.broadcast_to(grid, (n, 2, side, side)).astype(np.float32).copy()
            size = np.ones((n, side, side), np.float32)
            for (_, channel, y, x), vector, length in zip(
                of.cells.tolist(), point.vector.numpy(), point.size.numpy(), strict=True
            ):
                xy[channel, :, y, x] += vector
                size[channel, y, x] = length
            arrays[f"{name}_xy{end}"] = xy
            arrays[f"{name}_spread{end}"] = np.full((n, side, side), 0.1, np.float32)
            if name == "pif":
                arrays["pif_size"] = size
    category = np.zeros((len(SCHEMA.categories), side, side), np.float32)
    scale, offset = (float(STRIDE),) * 2, ((STRIDE - 1) / 2,) * 2
    return Fields(**arrays, category=category, edges=edges, scale=scale, offset=offset)


def pipeline(layers) -> Pipeline:
    config = NetworkConfig(layers=layers)
    return Pipeline(None, SCHEMA, config, lambda: "test")  # type: ignore[arg-type]


def test_layers_tell_garments_apart_that_share_a_cell():
    """Perfect fields: with layers all three are found where they are; without, two."""
    truth, garments = worn(gap=2)
    found = {}
    for name, names in (("layers", NAMES), ("one", {})):
        layers = Layers.of(SCHEMA, names)
        fields = fields_of_targets(garments, layers)
        found[name] = pipeline(names).find(fields, (SIDE, SIDE), DecoderOptions()).garments

    def off(kind: str, i: int) -> float:
        there = truth[i].any(-1)
        return min(
            np.abs(np.where(g.found[there, None], g.xy[there], 1e3) - truth[i][there]).max()
            for g in found[kind]
        )

    assert len(found["layers"]) == 3
    assert [off("layers", i) for i in range(3)] == pytest.approx([0, 0, 0], abs=0.2)
    assert len(found["one"]) == 2  # jacket and shirt have grown together


def test_a_garment_gets_a_category_of_its_layer():
    _, garments = worn(gap=2)
    fields = fields_of_targets(garments, LAYERS)
    fields.category[index("Outwear")] = 1.0  # the jacket is seen everywhere
    found = pipeline(NAMES).find(fields, (SIDE, SIDE), DecoderOptions()).garments
    layer_of = {g.layer: LAYERS.of_category[g.category_index] for g in found}
    assert layer_of == {0: 0, 1: 1, 2: 2}
    assert all(g.category.sum() == pytest.approx(1) for g in found)
    assert LAYERS.with_prior(np.zeros(0, np.float32), 1).shape == (0,)


def test_a_crop_shows_the_garment_that_fills_it():
    truth, garments = worn(gap=2)
    options = DecoderOptions(single_instance=True)
    fields = fields_of_targets(garments, LAYERS)
    (one,) = pipeline(NAMES).find(fields, (SIDE, SIDE), options).garments
    assert one.layer == 0
    (shirt,) = pipeline(NAMES).find(fields, (SIDE, SIDE), options, layer=2).garments
    np.testing.assert_allclose(shirt.xy[:2], truth[1, :2], atol=0.2)


def test_the_fields_of_all_layers_together_are_the_surest():
    _, garments = worn(gap=2)
    fields = fields_of_targets(garments, LAYERS)
    whole = LAYERS.together(fields)
    assert whole.edges == SCHEMA.edges
    parts = [LAYERS.part_of(fields, n) for n in range(3)]
    np.testing.assert_array_equal(
        whole.pif_confidence[0], np.maximum(parts[0].pif_confidence[0], parts[2].pif_confidence[0])
    )
    hem = np.maximum.reduce([parts[0].pif_confidence[6], parts[1].pif_confidence[2],
                             parts[2].pif_confidence[6]])  # fmt: skip
    np.testing.assert_array_equal(whole.pif_confidence[6], hem)
    others = np.maximum(parts[0].pif_confidence[6], parts[2].pif_confidence[6])
    y, x = np.argwhere(parts[1].pif_confidence[2] > others)[0]
    np.testing.assert_array_equal(whole.pif_xy[6, :, y, x], parts[1].pif_xy[2, :, y, x])
    e, lower = SCHEMA.edges.index((6, 7)), parts[1].edges.index((2, 3))
    others = np.maximum(parts[0].paf_confidence[e], parts[2].paf_confidence[e])
    y, x = np.argwhere(parts[1].paf_confidence[lower] > others)[0]
    np.testing.assert_array_equal(whole.paf_xy2[e, :, y, x], parts[1].paf_xy2[lower, :, y, x])
    alone = Layers.of(SCHEMA, {})
    plain = fields_of_targets(garments, alone)
    assert alone.together(plain) is plain
    assert alone.part_of(plain, 0) is plain


# -- the same garment twice ----------------------------------------------------------------


def predicted(xy, scores, score=0.5, layer=0) -> PredictedGarment:
    scores = np.asarray(scores, np.float32)
    return PredictedGarment(
        np.asarray(xy, np.float32), scores, scores, np.ones(15, np.float32) / 15, score, layer=layer
    )


def test_a_garment_of_two_layers_is_found_once():
    xy = np.array([(40, 20), (80, 20), (10, 90), (110, 90), (0, 0), (0, 0), (30, 110), (90, 110)])
    scores = np.isin(np.arange(8), UPPER) * 0.8
    sure, unsure = predicted(xy, scores, 0.7, layer=2), predicted(xy + 2, scores, 0.4, layer=0)
    trousers = predicted(xy, np.isin(np.arange(8), [4, 5, 6, 7]) * 0.9, 0.9, layer=1)
    kept = found_once([unsure, sure, trousers], SCHEMA.sigmas, 0.15)
    assert kept == [trousers, sure]
    as_sure = predicted(xy + 2, scores, 0.6, layer=0)
    assert found_once([sure, as_sure], SCHEMA.sigmas, 0.15) == [sure, as_sure]
    same_layer = predicted(xy + 2, scores, 0.4, layer=2)
    assert found_once([sure, same_layer], SCHEMA.sigmas, 0.15) == [sure, same_layer]
    jacket = predicted(xy + [(-20, 0), (20, 0)] * 4, scores, 0.6, layer=0)
    assert found_once([sure, jacket], SCHEMA.sigmas, 0.15) == [sure, jacket]


def test_places_that_complete_a_garment_do_not_make_it_another_one():
    xy = np.array([(40, 20), (80, 20), (10, 90), (110, 90), (0, 0), (0, 0), (30, 110), (90, 110)])
    again = predicted(xy, np.where(np.arange(8) < 5, 0.8, 0.05), 0.3, layer=2)
    jacket = predicted(xy + 1, np.where(np.arange(8) < 6, 0.8, 0.05), 0.7, layer=0)
    assert found_once([again, jacket], SCHEMA.sigmas, 0.15) == [jacket]
    collar = predicted(xy + 1, np.where(np.arange(8) < 2, 0.8, 0), 0.3, layer=2)
    assert found_once([collar, jacket], SCHEMA.sigmas, 0.15) == [jacket, collar]
    other = predicted(xy + np.array((30, 0)), np.where(np.arange(8) < 5, 0.8, 0.05), 0.3, layer=2)
    assert found_once([other, jacket], SCHEMA.sigmas, 0.15) == [jacket, other]


def test_what_fills_a_crop_counts_by_its_sure_landmarks():
    wide = [(0, 0), (100, 0), (0, 100), (100, 100), (0, 0), (0, 0), (0, 0), (0, 0)]
    guessed = predicted(wide, [0.05] * 4 + [0] * 4, 0.05)
    small = predicted(np.array(wide) * 0.2, [0.9] * 4 + [0] * 4, 0.6, layer=1)
    large = predicted(np.array(wide) * 0.9, [0.9] * 4 + [0] * 4, 0.6, layer=2)
    every = [1.0, 1.0, 1.0]
    (found,) = filling_most([guessed, small, large], (101, 101), 0.15, every)
    assert found.layer == 2
    np.testing.assert_array_equal(found.xy, large.xy)
    (found,) = filling_most([guessed, small, large], (101, 101), 0.15, [1.0, 1.0, 0.01])
    assert found.layer == 1  # whose categories are seen
    assert filling_most([], (101, 101), 0.15, every) == []
    nothing = predicted(np.zeros((8, 2)), [0] * 8, 0.0)
    assert filling_most([nothing], (101, 101), 0.15, every) == [nothing]


def test_the_category_of_a_crop_is_that_of_all_layers_by_what_fills_it():
    wide = [(0, 0), (100, 0), (0, 100), (100, 100), (0, 0), (0, 0), (0, 0), (0, 0)]
    scores = [0.9] * 4 + [0] * 4
    jacket = replace(predicted(wide, scores, 0.6, layer=0), category=np.eye(15)[index("Outwear")])
    shirt = replace(predicted(wide, scores, 0.4, layer=2), category=np.eye(15)[index("Shirt")])
    (found,) = filling_most([shirt, jacket], (101, 101), 0.15, [1.0, 1.0, 1.0])
    assert found.layer == 0
    assert found.category[index("Outwear")] == pytest.approx(0.6)
    assert found.category[index("Shirt")] == pytest.approx(0.4)


def test_an_ordinary_model_is_found_in_as_before():
    """The layer is 0, and options go through whole."""
    _, garments = worn(gap=30)
    plain = Layers.of(SCHEMA, {})
    fields = fields_of_targets(garments, plain)
    prediction = pipeline({}).decode(fields, (SIDE, SIDE), InferenceOptions())
    assert {g.layer for g in prediction.garments} == {0}
    for garment in prediction.garments:
        np.testing.assert_array_equal(garment.present, garment.scores)
        assert garment.visible is None
        assert set(garment.visibility) <= {0, 2}
