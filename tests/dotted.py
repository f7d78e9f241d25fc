"""Images with a bright blob at each landmark, for tests of augmentation."""

from __future__ import annotations

import numpy as np
import torch

from napari_fashion.engine.augment.batch import augment_batch
from napari_fashion.engine.augment.draws import Draws, mixed_key
from napari_fashion.engine.augment.mosaic import group_sizes
from napari_fashion.engine.data.batch import Canvases, GarmentBatch
from napari_fashion.schema import Schema

SCHEMA = Schema.load("garments")
CANVAS = 160
"""Side of the canvases, pixels."""


def dotted(b: int, seed: int = 0) -> Canvases:
    """Images with a bright blob at each of 8 landmarks, each in a channel of its own kind."""
    rng = np.random.default_rng(seed)
    size = torch.tensor([[CANVAS, 120.0], [100.0, CANVAS]] * b)[:b]
    xy = torch.zeros(b, 1, 8, 2)
    pixels = torch.zeros(b, 3, CANVAS, CANVAS, dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(CANVAS), torch.arange(CANVAS), indexing="ij")
    for i in range(b):
        w, h = size[i].tolist()
        spots = rng.permutation(12)[:8]
        for k in range(8):
            px = (spots[k] % 3 + 0.5) * w / 3 + rng.uniform(-4, 4)
            py = (spots[k] // 3 + 0.5) * h / 4 + rng.uniform(-4, 4)
            xy[i, 0, k] = torch.tensor([px, py])
            blob = torch.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * 2.0**2))
            pixels[i, k % 3] = torch.maximum(pixels[i, k % 3], (255 * blob).byte())
    box = torch.cat([xy.amin(2), xy.amax(2)], dim=-1)
    ones = torch.ones(b, 1, dtype=torch.bool)
    garments = GarmentBatch(
        xy,
        torch.full((b, 1, 8), 2),
        torch.ones(b, 1, 8, dtype=torch.bool),
        box,
        (box[..., 2:] - box[..., :2]).prod(-1),
        torch.zeros(b, 1, dtype=torch.long),
        ~ones,
        ones,
        torch.zeros(b, 4, 2),
    )
    group = torch.repeat_interleave(torch.tensor(group_sizes(b)))
    return Canvases(pixels, size, garments, torch.arange(b), torch.arange(b), group)


def augment(batch, side, options, seed=0, aspect=1.0):
    return augment_batch(batch, side, options, SCHEMA.flips, draws(len(batch.pixels), seed), aspect)


def draws(b, seed=0):
    return Draws(mixed_key(seed, np.arange(b)))
