"""Targets against a slow, plain reference, and against cases whose answer is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from garment_batches import SCHEMA, STRIDE, batch, on_cells, random_garments
from napari_fashion.engine.inference.postprocess import category_probabilities
from napari_fashion.engine.targets.encode import MARGIN, encode_targets
from napari_fashion.engine.targets.options import TargetOptions
from small import SHIRT_XY, fields_of


def encode(garments, **options):
    return encode_targets(garments, SCHEMA, TargetOptions(**options), (12, 12), STRIDE)


def fields_of_category(logits):
    """Fields whose category field has (C, H, W) logits."""
    made = fields_of(SHIRT_XY, (8 * logits.shape[2], 8 * logits.shape[1]), 8, 3.5)
    return replace(made, category=logits)


def cell_centre(i):
    return i * STRIDE + (STRIDE - 1) / 2


def slow_pif(garments, k, row, column, options):
    """(confidence, weight, vector, size) of one cell, by plain arithmetic."""
    x, y = cell_centre(column), cell_centre(row)
    best, weight = None, 1.0
    for g in range(garments.xy.shape[1]):
        px, py = garments.xy[0, g, k].tolist()
        labelled = garments.visibility[0, g, k] > 0
        if labelled and max(abs(px - x), abs(py - y)) <= options.side / 2 * STRIDE + 1e-4:
            distance = math.hypot(px - x, py - y)
            if best is None or distance < best[0]:
                best = (distance, g, px, py)
    for g in range(garments.xy.shape[1]):
        x0, y0, x1, y1 = garments.box[0, g].tolist()
        gx = max((x1 - x0) * MARGIN, STRIDE / 2)
        gy = max((y1 - y0) * MARGIN, STRIDE / 2)
        inside = x0 - gx <= x <= x1 + gx and y0 - gy <= y <= y1 + gy
        member = bool(garments.member[0, g, k])
        blank = not (garments.visibility[0, g] > 0).any()
        ignored = garments.visibility[0, g, k] == 0 and (
            member or blank or options.foreign == "ignore"
        )
        if inside and ignored and best is None:
            weight = 0.0
    if best is None:
        return 0.0, weight, None, None
    _, g, px, py = best
    size = math.sqrt(float(garments.area[0, g])) * SCHEMA.sigmas[k] / STRIDE
    return 1.0, 1.0, ((px - x) / STRIDE, (py - y) / STRIDE), size


@pytest.mark.parametrize("foreign", ["ignore", "negative"])
@pytest.mark.parametrize("seed", range(4))
def test_pif_equals_the_slow_reference(seed, foreign):
    garments = random_garments(seed)
    options = TargetOptions(foreign=foreign)
    targets = encode(garments, foreign=foreign)
    (end,) = targets.pif.points
    vectors, sizes = on_cells(targets.pif, end.vector), on_cells(targets.pif, end.size)
    for k in range(8):
        for row in range(12):
            for column in range(12):
                confidence, weight, vector, size = slow_pif(garments, k, row, column, options)
                assert targets.pif.confidence[0, k, row, column] == confidence
                assert targets.pif.weight[0, k, row, column] == weight
                if vector is not None:
                    got = vectors[0, k, row, column].numpy()
                    np.testing.assert_allclose(got, vector, atol=1e-4)
                    assert float(sizes[0, k, row, column]) == pytest.approx(size, rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_paf_points_to_both_ends_near_the_segment_and_nowhere_else(seed):
    garments = random_garments(seed, n=2)
    targets = encode(garments)
    ends = [on_cells(targets.paf, end.vector) for end in targets.paf.points]
    for e, (a, b) in enumerate(SCHEMA.edges):
        for row in range(12):
            for column in range(12):
                at = np.array([cell_centre(column), cell_centre(row)])
                near = []
                for g in range(2):
                    if garments.visibility[0, g, a] > 0 and garments.visibility[0, g, b] > 0:
                        p, q = garments.xy[0, g, a].numpy(), garments.xy[0, g, b].numpy()
                        t = np.clip(np.dot(at - p, q - p) / np.dot(q - p, q - p), 0, 1)
                        near.append((np.linalg.norm(at - p - t * (q - p)) / STRIDE, p, q))
                near = [n for n in near if n[0] <= 1.5 - 1e-4]
                confidence = float(targets.paf.confidence[0, e, row, column])
                if not near:
                    continue
                assert confidence == 1.0
                _, p, q = min(near, key=lambda n: n[0])
                one, two = (end[0, e, row, column].numpy() for end in ends)
                np.testing.assert_allclose(one, (p - at) / STRIDE, atol=1e-3)
                np.testing.assert_allclose(two, (q - at) / STRIDE, atol=1e-3)
        labelled = (garments.visibility[0, :, a] > 0) & (garments.visibility[0, :, b] > 0)
        if not labelled.any():
            assert targets.paf.confidence[0, e].sum() == 0


def test_the_nearest_landmark_wins_the_cell():
    xy = np.full((2, 8, 2), 40.0)
    xy[1] = 52.0
    targets = encode(batch(xy, np.full((2, 8), 2)))
    vectors = on_cells(targets.pif, targets.pif.points[0].vector)
    column = 5  # centre at 43.5: nearer to 40
    assert float(vectors[0, 0, 5, column, 0]) == pytest.approx((40 - 43.5) / 8)
    column = 6  # centre at 51.5: nearer to 52
    assert float(vectors[0, 0, 6, column, 0]) == pytest.approx((52 - 51.5) / 8)


def test_padding_and_crowds_are_ignored_not_negative():
    xy = np.full((2, 8, 2), 40.0)
    xy[1, :, 0], xy[1, 0] = 80.0, 60.0
    content = [[-0.5, -0.5], [71.5, -0.5], [71.5, 95.5], [-0.5, 95.5]]
    garments = batch(xy, np.full((2, 8), 2), crowd=[False, True], content=content)
    targets = encode(garments)
    assert targets.pif.weight[0, :, :, 9:].max() == 0  # beyond x = 71.5
    assert targets.pif.weight[0, 0, 0, 0] == 1
    assert targets.pif.weight[0, 0, 6, 8] == 0  # in the crowd's box
    assert targets.category[0].tolist() == [0, -1]


def test_cells_that_reach_into_the_image_count():
    # An image's fields end with a cell that is part padding; a cut may be thinner than a cell.
    sliver = [[-0.5, 39.5], [95.5, 39.5], [95.5, 41.5], [-0.5, 41.5]]
    xy = np.zeros((1, 8, 2))
    xy[0, 4:6] = [(4.0, 40.0), (90.0, 41.0)]
    garments = batch(xy, np.array([[0, 0, 0, 0, 2, 2, 0, 0]]), content=sliver)
    weight = encode(garments, foreign="negative").pif.weight[0, 4]
    rows = torch.nonzero(weight.amax(1)).flatten().tolist()
    assert rows == [5]  # centres at y = 35.5 and 43.5: only the second is within half a cell
    partly = [[-0.5, -0.5], [66.5, -0.5], [66.5, 95.5], [-0.5, 95.5]]
    full = batch(np.full((1, 8, 2), 40.0), np.full((1, 8), 2), content=partly)
    columns = encode(full).pif.weight[0, 0].amax(0)
    assert columns.tolist() == [1.0] * 9 + [0.0] * 3  # the ninth's centre is at 67.5


def test_an_annotation_without_landmarks_teaches_its_category_only():
    garments = batch(np.zeros((1, 8, 2)), np.zeros((1, 8), int))
    targets = encode(garments, foreign="negative")
    assert targets.pif.weight.max() == 0
    assert targets.paf.weight.max() == 0
    assert targets.garment_cells.all()
    assert targets.category.tolist() == [[0]]


def test_an_image_without_garments_is_negative_everywhere():
    garments = batch(np.zeros((1, 8, 2)), np.zeros((1, 8), int))
    garments.valid[:] = False
    targets = encode(garments)
    assert targets.pif.weight.min() == 1
    assert targets.pif.confidence.max() == 0
    assert targets.category.tolist() == [[-1]]


def test_the_cells_that_vote_are_those_that_predictions_read():
    """The box of the labelled landmarks, whatever the annotation's own box is."""
    xy = np.zeros((1, 8, 2))
    xy[0, [4, 5, 6, 7]] = [(30.0, 28.0), (55.0, 30.0), (26.0, 70.0), (60.0, 66.0)]
    labels = np.array([[0, 0, 0, 0, 2, 1, 2, 2]])
    garments = batch(xy, labels)
    garments.box[:] = torch.tensor([0.0, 0.0, 95.0, 95.0])
    cells = encode(garments).garment_cells[0, 0].numpy()
    logits = np.zeros((2, *cells.shape), np.float32)
    logits[0][cells] = 5.0  # says category 0 where training votes, and 1 elsewhere
    logits[1][~cells] = 5.0
    places = (xy[0, labels[0] > 0] + 0.5) / 8 - 0.5
    fields = fields_of_category(logits)
    for pool in ("max", "mean"):
        read = category_probabilities(fields, places, pool)
        assert read[0] == pytest.approx(1 / (1 + np.exp(-5.0)))
    one = np.array([[0, 0, 0, 0, 2, 0, 0, 0]])
    alone = batch(xy, one)
    alone.box[:] = torch.tensor([0.0, 0.0, 95.0, 95.0])
    assert encode(alone).garment_cells.all()  # a landmark alone has no box: the annotation's counts
