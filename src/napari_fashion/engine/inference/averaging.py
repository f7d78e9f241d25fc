"""Flip TTA: fields averaged with those of the horizontally flipped image (NumPy)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.inference.runtime import FieldArrays, Float32
from napari_fashion.engine.network.heads import CONFIDENCE, PAF, HeadSpec, pif_spec
from napari_fashion.schema import Schema

_LEAST = np.float32(1e-6)  # two confidences of 0 weigh alike


class _FlippedEdges(NamedTuple):
    """Which edge of the flipped image shows each edge, of those that have such a one.

    Attributes
    ----------
    edges
        (n,) the edges.
    twins
        (n,) the edges between the swapped landmarks.
    reversed
        Those of the n whose twin runs the other way.
    """

    edges: NDArray[np.intp]
    twins: NDArray[np.intp]
    reversed: NDArray[np.intp]


@lru_cache(maxsize=64)
def _flipped_edges(edges: tuple[tuple[int, int], ...], flips: tuple[int, ...]) -> _FlippedEdges:
    found: list[tuple[int, int, bool]] = []
    places = {edge: i for i, edge in reversed(list(enumerate(edges)))}
    for i, (a, b) in enumerate(edges):
        swapped = (flips[a], flips[b])
        if swapped in places:
            found.append((i, places[swapped], False))
        elif swapped[::-1] in places:
            found.append((i, places[swapped[::-1]], True))
    return _FlippedEdges(
        np.array([i for i, _, _ in found], np.intp),
        np.array([twin for _, twin, _ in found], np.intp),
        np.array([n for n, (_, _, turned) in enumerate(found) if turned], np.intp),
    )


def average_flipped(
    fields: FieldArrays, flipped: FieldArrays, schema: Schema, mirror: float
) -> FieldArrays:
    """Average an image's fields with those of the flipped image.

    Confidences and category logits are averaged, all other channels weighted by confidence. A
    flipped edge is the edge between the swapped landmarks; if the schema has no such edge, the edge
    keeps its own fields.

    Parameters
    ----------
    fields, flipped
        Of one image: (K, channels, H, W), (E, channels, H, W) and (C, H, W); H x W cells that cover the
        image, the same ones in both.
    schema
        Which landmarks swap.
    mirror
        In the frame of the fields' positions, the sum of a place's x and its flipped place's x. Where the
        image's width is no multiple of the stride, flipped cells lie up to half a cell beside the
        others; positions are corrected for it exactly.
    """
    flips = tuple(schema.flips)
    spec = pif_spec(fields.pif.shape[1])
    pif = _blend(spec, fields.pif, _unflip(spec, flipped.pif[list(flips)], mirror))
    paf = fields.paf.copy()
    if paf.size:
        edges = _flipped_edges(schema.edges, flips)
        unflipped = _unflip(PAF, flipped.paf[edges.twins], mirror)
        unflipped[edges.reversed] = unflipped[edges.reversed][:, PAF.reversed_order]
        paf[edges.edges] = _blend(PAF, fields.paf[edges.edges], unflipped)
    category: Float32 = (fields.category + flipped.category[..., ::-1]) / np.float32(2)
    return FieldArrays(pif, paf, category)


def _unflip(spec: HeadSpec, values: Float32, mirror: float) -> Float32:
    """Return a copy of (n, channels, H, W) values, flipped back."""
    unflipped = values[..., ::-1].copy()
    for x in spec.x_channels:
        unflipped[:, x] = mirror - unflipped[:, x]
    return unflipped


def _blend(spec: HeadSpec, one: Float32, two: Float32) -> Float32:
    """Average confidences plainly, the other channels weighted by confidence."""
    first = spec.index(CONFIDENCE)
    a, b = one[:, first : first + 1], two[:, first : first + 1]
    total = a + b
    share = a / np.maximum(total, _LEAST)
    blended: Float32 = share * one + (1 - share) * two
    blended[:, first : first + 1] = total / 2
    return blended
