"""Garments of one image, for tests of targets and losses."""

from __future__ import annotations

import numpy as np
import torch

from napari_fashion.engine.data.batch import GarmentBatch
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
STRIDE = 8
SIDE = 96
"""Of the network's input, pixels."""


def batch(xy, visibility, member=None, *, crowd=None, content=None) -> GarmentBatch:
    """One image with N garments; boxes are those of the labelled landmarks."""
    xy = torch.as_tensor(np.asarray(xy), dtype=torch.float32)[None]
    visibility = torch.as_tensor(np.asarray(visibility), dtype=torch.long)[None]
    n = xy.shape[1]
    member = (
        torch.ones_like(visibility, dtype=torch.bool)
        if member is None
        else torch.as_tensor(member)[None]
    )
    box = torch.zeros(1, n, 4)
    for i in range(n):
        labelled = xy[0, i][visibility[0, i] > 0]
        labelled = labelled if len(labelled) else torch.tensor([[0.0, 0.0], [95.0, 95.0]])
        box[0, i] = torch.cat([labelled.amin(0), labelled.amax(0)])
    corners = torch.tensor(
        [[-0.5, -0.5], [SIDE - 0.5, -0.5], [SIDE - 0.5, SIDE - 0.5], [-0.5, SIDE - 0.5]]
    )
    return GarmentBatch(
        xy,
        visibility,
        member,
        box,
        (box[..., 2:] - box[..., :2]).clamp(min=1).prod(-1),
        torch.arange(n)[None],
        torch.zeros(1, n, dtype=torch.bool) if crowd is None else torch.as_tensor(crowd)[None],
        torch.ones(1, n, dtype=torch.bool),
        (corners if content is None else torch.as_tensor(content, dtype=torch.float32))[None],
    )


def random_garments(seed, n=3):
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, SIDE, (n, 8, 2))
    visibility = rng.choice([0, 1, 2], (n, 8), p=[0.2, 0.2, 0.6])
    member = rng.random((n, 8)) < 0.8
    member[visibility > 0] = True
    return batch(xy, visibility, member)


def on_cells(field, values):
    """Lay (P, ...) values of a field's positive cells out: (B, L, H, W, ...), NaN elsewhere."""
    dense = torch.full((*field.confidence.shape, *values.shape[1:]), torch.nan)
    dense[field.cells.unbind(1)] = values
    return dense
