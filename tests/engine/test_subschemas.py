from __future__ import annotations

import numpy as np
import pytest

from napari_fashion.engine.fields import Fields
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.engine.subschemas import NO_LOGIT, SubSchema
from napari_fashion.errors import SchemaError
from napari_fashion.schema import Schema

WHOLE = Schema.load("garments")
UPPER = WHOLE.of_category("T-Shirt")


def garment(schema: Schema, category: list[float]) -> PredictedGarment:
    k = schema.n_landmarks
    places = np.arange(2 * k, dtype=np.float32).reshape(k, 2) + 1
    scores = np.linspace(0.2, 0.9, k, dtype=np.float32)
    return PredictedGarment(places, scores, scores / 2, np.array(category, "f4"), 0.7, scores / 3)


def test_landmarks_go_to_their_names_and_the_others_are_not_found():
    wide = SubSchema.of(WHOLE, UPPER, ["upper"]).garment(garment(UPPER, [1.0]))
    own = garment(UPPER, [1.0])
    for i, name in enumerate(WHOLE.landmarks):
        if name in UPPER.landmarks:
            j = UPPER.landmarks.index(name)
            assert wide.xy[i].tolist() == own.xy[j].tolist()
            assert (wide.scores[i], wide.spread[i]) == (own.scores[j], own.spread[j])
            assert wide.present[i] == own.present[j]
        else:
            assert not wide.found[i]
    assert wide.category.argmax() == WHOLE.category_index("T-Shirt")
    assert wide.score == 0.7


def test_a_model_of_all_landmarks_finds_those_of_its_body_types_alone():
    probabilities = np.full(len(WHOLE.categories), 0.02, np.float32)
    probabilities[WHOLE.category_index("Dress")] = 0.7
    probabilities[WHOLE.category_index("Pants")] = 0.2
    wide = SubSchema.of(WHOLE, WHOLE, ["lower"]).garment(garment(WHOLE, probabilities.tolist()))
    assert np.flatnonzero(wide.found).tolist() == list(WHOLE.landmarks_of("lower"))
    types = [set(c.body_types) for c in WHOLE.categories]
    assert [p > 0 for p in wide.category] == ["lower" in t for t in types]
    assert wide.category.sum() == pytest.approx(1)
    assert wide.category_index == WHOLE.category_index("Pants")


def test_a_category_of_the_body_type_is_given_even_if_the_model_says_that_it_is_none():
    probabilities = np.zeros(len(WHOLE.categories))
    probabilities[WHOLE.category_index("Dress")] = 1
    wide = SubSchema.of(WHOLE, WHOLE, ["lower"]).garment(garment(WHOLE, probabilities.tolist()))
    assert "lower" in WHOLE.categories[wide.category_index].body_types


def fields(schema: Schema, edges: list[tuple[int, int]]) -> Fields:
    rng = np.random.default_rng(0)
    k, e, grid = schema.n_landmarks, len(edges), (3, 4)

    def some(*shape: int) -> np.ndarray:
        return rng.uniform(0.1, 1, (*shape, *grid))

    return Fields(
        some(k), some(k, 2), some(k), some(k), some(e), some(e, 2), some(e, 2), some(e), some(e),
        some(len(schema.categories)), tuple(edges), (8, 8), (3.5, 3.5),
    )  # fmt: skip


def test_fields_have_the_edges_of_the_whole_whichever_way_round():
    edges = list(UPPER.edges)
    edges[1] = edges[1][::-1]
    edges.append((0, 5))  # none of the whole's
    part = fields(UPPER, edges)
    wide = SubSchema.of(WHOLE, UPPER, ["upper"]).fields(part)
    assert wide.edges == WHOLE.edges
    names = [tuple(UPPER.landmarks[i] for i in ends) for ends in edges]
    taken = 0
    for n, (a, b) in enumerate(WHOLE.edges):
        ends = WHOLE.landmarks[a], WHOLE.landmarks[b]
        if ends in names:
            m = names.index(ends)
            assert (wide.paf_xy1[n] == part.paf_xy1[m]).all()
            assert (wide.paf_spread2[n] == part.paf_spread2[m]).all()
        elif ends[::-1] in names:
            m = names.index(ends[::-1])
            assert (wide.paf_xy1[n] == part.paf_xy2[m]).all()
            assert (wide.paf_spread2[n] == part.paf_spread1[m]).all()
        else:
            assert not wide.paf_confidence[n].any()
            continue
        assert (wide.paf_confidence[n] == part.paf_confidence[m]).all()
        taken += 1
    assert taken == len(UPPER.edges)
    for i, name in enumerate(WHOLE.landmarks):
        own = name in UPPER.landmarks
        assert wide.pif_confidence[i].any() == own
        if own:
            assert (wide.pif_xy[i] == part.pif_xy[UPPER.landmarks.index(name)]).all()
    unknown = [i for i, name in enumerate(WHOLE.category_names) if name != "T-Shirt"]
    assert (wide.category[unknown] == NO_LOGIT).all()


@pytest.mark.parametrize(
    ("whole", "part", "body_types", "told"),
    [
        (WHOLE, UPPER, ["full"], "lacks 2 landmarks .left_waistline, right_waistline. of body type full"),
        (UPPER, WHOLE, ["upper"], "has 2 landmarks .* that schema .* lacks"),
        (WHOLE, Schema.load("deepfashion"), ["upper"], "categories .* that schema 'garments' lacks"),
        (WHOLE, Schema.load("fashionai"), ["upper"], "has .* landmarks .* that schema 'garments' lacks"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(whole, part, body_types, told):
    with pytest.raises(SchemaError, match=told):
        SubSchema.of(whole, part, body_types)
