from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_fashion.engine.inference.averaging import average_flipped
from napari_fashion.engine.inference.runtime import FieldArrays
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
K, E, C = SCHEMA.n_landmarks, len(SCHEMA.edges), len(SCHEMA.categories)
PIF_X, PAF_XS = 1, (1, 3)


def random_fields(seed, h=3, w=5):
    rng = np.random.default_rng(seed)
    arrays = (rng.random((K, 5, h, w)), rng.random((E, 9, h, w)), rng.normal(size=(C, h, w)))
    return FieldArrays(*(a.astype(np.float32) for a in arrays))


def weighted(one, two):
    """Average two cells' channels, the first of them the confidence."""
    a, b = one[0], two[0]
    share = a / max(a + b, 1e-6)
    return np.array([(a + b) / 2, *(share * one[1:] + (1 - share) * two[1:])])


def slowly(fields, flipped, mirror):
    """The same, a cell at a time."""
    _, h, w = fields.category.shape
    pif, paf = fields.pif.copy(), fields.paf.copy()
    category = fields.category.copy()
    for i in range(h):
        for j in range(w):
            other = w - 1 - j
            category[:, i, j] = (fields.category[:, i, j] + flipped.category[:, i, other]) / 2
            for k in range(K):
                cell = flipped.pif[SCHEMA.flips[k], :, i, other].copy()
                cell[PIF_X] = mirror - cell[PIF_X]
                pif[k, :, i, j] = weighted(fields.pif[k, :, i, j], cell)
            for e, (a, b) in enumerate(SCHEMA.edges):
                swapped = SCHEMA.flips[a], SCHEMA.flips[b]
                for twin, turned in ((swapped, False), (swapped[::-1], True)):
                    if twin in SCHEMA.edges:
                        cell = flipped.paf[SCHEMA.edges.index(twin), :, i, other].copy()
                        cell[list(PAF_XS)] = mirror - cell[list(PAF_XS)]
                        if turned:
                            cell = cell[[0, 3, 4, 1, 2, 6, 5, 8, 7]]
                        paf[e, :, i, j] = weighted(fields.paf[e, :, i, j], cell)
                        break
    return FieldArrays(pif, paf, category)


@pytest.mark.parametrize("mirror", [4.0, 5.25])
def test_it_is_the_plain_average_of_each_cell_and_its_mirrored_one(mirror):
    one, two = random_fields(0), random_fields(1)
    for found, expected in zip(
        average_flipped(one, two, SCHEMA, mirror), slowly(one, two, mirror), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_some_edges_are_their_own_reverse_in_the_mirror():
    """The schema of the tests exercises both kinds of twin."""
    swapped = [(SCHEMA.flips[a], SCHEMA.flips[b]) for a, b in SCHEMA.edges]
    assert any(edge in SCHEMA.edges for edge in swapped)
    assert any(edge not in SCHEMA.edges and edge[::-1] in SCHEMA.edges for edge in swapped)


def test_an_edge_without_a_twin_keeps_its_own_fields():
    alone = next(e for e in SCHEMA.edges if len({*e, *(SCHEMA.flips[i] for i in e)}) == 4)
    twin = {tuple(SCHEMA.flips[i] for i in alone), tuple(SCHEMA.flips[i] for i in alone)[::-1]}
    kept = [edge for edge in SCHEMA.edges if edge not in twin]
    assert len(kept) == E - 1
    schema = replace(SCHEMA, skeletons=(("short", tuple(kept)),), default_skeleton="short")
    one, two = (FieldArrays(f.pif, f.paf[: E - 1], f.category) for f in map(random_fields, (0, 1)))
    found = average_flipped(one, two, schema, 4.0)
    unchanged = [bool((found.paf[i] == one.paf[i]).all()) for i in range(E - 1)]
    assert unchanged == [edge == alone for edge in kept]


def test_cells_where_both_confidences_are_0_stay_finite():
    one, two = random_fields(0), random_fields(1)
    for part in (one.pif, two.pif, one.paf, two.paf):
        part[:, 0] = 0
    assert all(np.isfinite(part).all() for part in average_flipped(one, two, SCHEMA, 4.0))
