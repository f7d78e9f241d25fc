"""From images to batches of the network's input: one path, in NumPy and Pillow, for every runtime."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.network.config import NetworkConfig
from napari_fashion.engine.padding import Colour
from napari_fashion.images.transforms import Placement, RGBImage, resize

CELLS_ACROSS = 3
"""Minimum number of cells across the shorter side. Cells mostly in padding are untrained, and fewer than
three cannot separate the two edges (training/model-card.md)."""


def place(
    image_size: tuple[int, int], side: int, config: NetworkConfig, aspect: float = 1.0
) -> Placement:
    """Return how an image is scaled and padded into the network's input.

    Parameters
    ----------
    image_size
        Width and height, pixels.
    side
        Longer side in the input, pixels.
    config
        Of the network: its stride, its margin, and what the input is a multiple of.
    aspect
        `InferenceOptions.crop_aspect` for crops; 1 keeps the shape.
    """
    least = CELLS_ACROSS * config.stride
    return Placement.fit(*image_size, side, config.multiple, config.margin, least, aspect)


@dataclass(frozen=True, eq=False)
class Batch:
    """Images in one input of the network.

    Attributes
    ----------
    indices
        Which images of the sequence these are.
    placements
        Of each.
    pixels
        (B, H, W, 3) uint8; with flip TTA (2 B, H, W, 3), the flipped images behind the others.
    """

    indices: list[int]
    placements: list[Placement]
    pixels: NDArray[np.uint8]


def batches(
    images: Sequence[RGBImage], placements: Sequence[Placement], *, flip: bool, padding: Colour
) -> Iterator[Batch]:
    """Yield the images in batches, those of one input size in one.

    Parameters
    ----------
    images
        (H, W, 3) uint8 RGB each.
    placements
        Of each image.
    flip
        Whether to add each image flipped horizontally, in the same place. One pass over both is faster than
        two.
    padding
        Colour of what lies outside the images.
    """
    groups: dict[tuple[int, int], list[int]] = {}
    for i, placement in enumerate(placements):
        groups.setdefault(placement.padded, []).append(i)
    for (width, height), indices in groups.items():
        n = len(indices)
        shape = (2 * n if flip else n, height, width, 3)
        pixels = np.full(shape, padding, dtype=np.uint8)
        for row, i in enumerate(indices):
            small = resize(images[i], placements[i].size)
            margin = placements[i].margin
            rows = slice(margin, margin + small.shape[0])
            columns = slice(margin, margin + small.shape[1])
            pixels[row, rows, columns] = small
            if flip:
                pixels[n + row, rows, columns] = small[:, ::-1]
        yield Batch(indices, [placements[i] for i in indices], pixels)
