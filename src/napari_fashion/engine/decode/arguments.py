"""What the compiled functions are given: fields, adjacency and thresholds as flat, typed tuples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Bool = NDArray[np.bool_]


def int64(value: int) -> int:
    """Return an integer that numba takes for any integer, not for a literal.

    A compiled function is compiled anew for each literal that another one gives it.
    """
    return cast(int, np.int64(value))


ZERO: Final = int64(0)
ONE: Final = int64(1)
TWO: Final = int64(2)


class Pif(NamedTuple):
    """PIF of K landmarks; H x W cells as one axis, row by row. Positions and sizes in cells."""

    confidence: Float32
    """(K, H * W)"""
    xy: Float32
    """(K, 2, H * W)"""
    size: Float32
    """(K, H * W)"""
    spread: Float32
    """(K, H * W)"""
    height: int
    width: int


class Paf(NamedTuple):
    """PAF of E edges; H x W cells as one axis, row by row. Positions and spreads in cells."""

    confidence: Float32
    """(E, H * W)"""
    xy1: Float32
    """(E, 2, H * W)"""
    xy2: Float32
    """(E, 2, H * W)"""
    spread1: Float32
    """(E, H * W)"""
    spread2: Float32
    """(E, H * W)"""


class Cells(NamedTuple):
    """The few cells of a field with enough confidence, channel by channel, row by row.

    Fields are nearly empty. Gathered once, these cells spare every later step the whole grid.
    """

    starts: Int64
    """(channels + 1,): the cells of channel k are ``flat[starts[k]:starts[k + 1]]``."""
    flat: Int64
    """(n,): index in the whole field; ``flat - k * H * W`` is the index in channel k."""


class Adjacency(NamedTuple):
    """The E edges of a schema of K landmarks, and its 2E directed edges sorted by their source."""

    ends: Int64
    """(E, 2): the two landmarks of an edge."""
    starts: Int64
    """(K + 1,): the steps from landmark k are ``steps[starts[k]:starts[k + 1]]``."""
    steps: Int64
    """(2E, 4): edge, 1 if it is walked against its direction, target landmark, source landmark."""


class Garments(NamedTuple):
    """Garments being decoded, cells; a landmark that is not found has score 0."""

    xy: Float32
    """(n, K, 2)"""
    scores: Float32
    """(n, K)"""
    spread: Float32
    """(n, K)"""
    size: Float32
    """(n, K)"""

    @classmethod
    def empty(cls, n: int, n_landmarks: int) -> Garments:
        """Return room for n garments."""
        xy = np.zeros((n, n_landmarks, 2), np.float32)
        return cls(xy, *(np.zeros((n, n_landmarks), np.float32) for _ in range(3)))

    def larger(self, n: int) -> Garments:
        """Return a copy with room for n garments."""
        new = Garments.empty(n, self.xy.shape[1])
        for old, array in zip(self, new, strict=True):
            array[: len(old)] = old
        return new


def pif_of(fields: Fields) -> Pif:
    """Return the PIF as the compiled functions take it."""
    k, h, w = fields.pif_confidence.shape
    return Pif(
        _plain(fields.pif_confidence).reshape(k, h * w),
        _plain(fields.pif_xy).reshape(k, 2, h * w),
        _plain(fields.pif_size).reshape(k, h * w),
        _plain(fields.pif_spread).reshape(k, h * w),
        h,
        w,
    )


def paf_of(fields: Fields) -> Paf:
    """Return the PAF as the compiled functions take it."""
    e, h, w = fields.paf_confidence.shape
    return Paf(
        _plain(fields.paf_confidence).reshape(e, h * w),
        _plain(fields.paf_xy1).reshape(e, 2, h * w),
        _plain(fields.paf_xy2).reshape(e, 2, h * w),
        _plain(fields.paf_spread1).reshape(e, h * w),
        _plain(fields.paf_spread2).reshape(e, h * w),
    )


def _plain(array: Float32) -> Float32:
    """Return the array, writable: numba compiles again for read-only ones."""
    return array if array.flags.writeable else array.copy()


def cells_from(confidence: Float32, threshold: float) -> Cells:
    """Gather the cells from a threshold on; NaN is below every threshold.

    Parameters
    ----------
    confidence
        (channels, H * W).
    threshold
        Rounded to float32.
    """
    n_channels, n_cells = confidence.shape
    flat = np.flatnonzero(confidence.reshape(-1) >= np.float32(threshold))
    starts = np.searchsorted(flat, np.arange(n_channels + 1) * n_cells)
    return Cells(starts, flat)


@lru_cache(maxsize=64)
def adjacency_of(k: int, edges: tuple[tuple[int, int], ...]) -> Adjacency:
    """Return the adjacency of k landmarks joined by edges."""
    outgoing: list[list[tuple[int, int, int, int]]] = [[] for _ in range(k)]
    for e, (a, b) in enumerate(edges):
        outgoing[a].append((e, 0, b, a))
        outgoing[b].append((e, 1, a, b))
    starts = np.cumsum([0, *map(len, outgoing)]).astype(np.int64)
    steps = np.array([step for group in outgoing for step in group], np.int64).reshape(-1, 4)
    return Adjacency(np.array(edges, np.int64).reshape(-1, 2), starts, steps)


def set_masks(
    fields: Fields, schema: Schema | None, landmark_sets: Sequence[Sequence[int]] | None
) -> Bool:
    """Return the sets that garments are scored over, (sets, K); see `decode_fields`.

    Raises
    ------
    ValueError
        If schema or sets do not fit the K landmarks of the fields.
    """
    k = fields.n_landmarks
    if schema is not None and schema.n_landmarks != k:
        raise ValueError(
            f"The fields have {k} landmarks, schema {schema.name!r} has {schema.n_landmarks}; "
            "decode with the schema of the model that made the fields."
        )
    if landmark_sets is None:
        members = [range(k)] if schema is None else [m for _, m in schema.body_types]
        return _masks(k, tuple(map(tuple, members)))
    sets = tuple(tuple(int(i) for i in s) for s in landmark_sets)
    if not sets or any(not s or min(s) < 0 or max(s) >= k for s in sets):
        raise ValueError(f"landmark_sets is {sets}; expected non-empty sets of 0..{k - 1}.")
    return _masks(k, sets)


@lru_cache(maxsize=64)
def _masks(k: int, sets: tuple[tuple[int, ...], ...]) -> Bool:
    masks = np.zeros((len(sets), k), np.bool_)
    for mask, members in zip(masks, sets, strict=True):
        mask[list(members)] = True
    return masks
