"""Landmarks and categories that are likely wrong, by comparison with the other garments of a data set.

A garment is laid over the mean shape of its category by the similarity (shift, turn, scale) that fits best
(Procrustes analysis; Dryden & Mardia, "Statistical Shape Analysis", 2016). A landmark is judged by how far
it lies from where the garment's *other* landmarks put it, in units of the usual distance. Left and right
are swapped if a garment fits the shape far better with them exchanged. A category is doubted if another's
shape, and the landmarks that its garments have, explain the garment much better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_fashion.coco.dataset import Dataset
from napari_fashion.coco.placed import Placed, placed_landmarks
from napari_fashion.coco.statistics import Columns, columns
from napari_fashion.schema import Schema

FEWEST = 20
"""A category with fewer garments has no shape of its own; its garments are not judged."""
ROUNDS = 6
"""Of fitting the mean shape; after each, garments that fit badly count less."""
TRIED, SOME = 12, 400
"""Garments of which one becomes the first shape, and those that decide which."""
LEAST_SPREAD = 0.004
"""Of a landmark, as a share of the garment's size: hands are not more exact."""

Complex = npt.NDArray[np.complexfloating[Any, Any]]
Float = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Suspects:
    """How doubtful each garment is; rows are those of the columns' annotations.

    Attributes
    ----------
    outlier
        (M,) float64: of its landmark that is farthest off, in usual distances; nan where not judged.
    outlier_landmark
        (M,) int64: which that is; -1 where not judged.
    swap
        (M,) float64: by how many usual distances, on average, landmarks fit better with left and right
        exchanged; 0 or less where they do not; nan where not judged.
    category
        (M,) float64: how much better another category explains it (difference of log-likelihoods by
        landmark); nan where not judged.
    other_category
        (M,) int64: which that is; -1 where not judged.
    """

    outlier: Float
    outlier_landmark: npt.NDArray[np.int64]
    swap: Float
    category: Float
    other_category: npt.NDArray[np.int64]

    @property
    def doubt(self) -> Float:
        """(M,) the greatest of the three as ranks, 0..1; nan where nothing was judged."""
        ranks = np.stack([_ranks(v) for v in (self.outlier, self.swap, self.category)])
        judged = ~np.isnan(ranks).all(axis=0)
        doubt = np.full(ranks.shape[1], np.nan)
        doubt[judged] = np.nanmax(ranks[:, judged], axis=0)
        return doubt


@dataclass(frozen=True, eq=False)
class _Shape:
    """The mean shape of a category.

    Attributes
    ----------
    landmarks
        (L,) which it has.
    mean
        (L,) places, x + iy, about 0 and of size 1.
    spread
        (L,) usual distance of each from where the others put it.
    share
        (L,) how many of the garments have it.
    """

    landmarks: npt.NDArray[np.int64]
    mean: Complex
    spread: Float
    share: Float


def find_suspects(dataset: Dataset, found: Columns | None = None) -> Suspects:
    """Judge all garments of a data set as it is now.

    Parameters
    ----------
    found
        Its columns, where they are known already.
    """
    found = columns(dataset) if found is None else found
    return judge(placed_landmarks(dataset, found), found.category, dataset.schema)


def judge(placed: Placed, category: npt.NDArray[np.int64], schema: Schema) -> Suspects:
    """Judge garments by their landmarks and categories.

    Parameters
    ----------
    placed
        The landmarks of M garments.
    category
        (M,) index into the schema's categories; -1 for none.
    """
    m = len(category)
    result = Suspects(
        np.full(m, np.nan), np.full(m, -1), np.full(m, np.nan), np.full(m, np.nan), np.full(m, -1)
    )
    shapes: dict[int, _Shape] = {}
    groups: dict[int, tuple[npt.NDArray[np.int64], Complex, Mask]] = {}
    for c in np.unique(category[category >= 0]).tolist():
        rows, z, has = _dense(placed, np.flatnonzero(category == c), schema.n_landmarks)
        several = has.sum(axis=1) >= 2
        groups[c] = rows[several], z[several], has[several]
        if several.sum() >= FEWEST:
            shapes[c] = _fit(z[several], has[several])
    for c, shape in shapes.items():
        _judge_landmarks(result, shape, *groups[c], schema)
    for c in shapes:
        _judge_categories(result, shapes, c, *groups[c])
    return result


def _dense(
    placed: Placed, rows: npt.NDArray[np.int64], k: int
) -> tuple[npt.NDArray[np.int64], Complex, Mask]:
    """Return rows, (n, K) places as x + iy, and which are there, of some garments."""
    low = np.searchsorted(placed.garment, rows)
    high = np.searchsorted(placed.garment, rows, side="right")
    counts = high - low
    at = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(
        counts.sum()
    )
    i, j = np.repeat(np.arange(len(rows)), counts), placed.landmark[at]
    z, has = np.zeros((len(rows), k), np.complex128), np.zeros((len(rows), k), np.bool_)
    z[i, j] = placed.xy[at, 0] + 1j * placed.xy[at, 1]
    has[i, j] = True
    return rows, z, has


def _fit(z: Complex, has: Mask) -> _Shape:
    """Return the mean shape of (n, K) garments, robustly."""
    landmarks = np.flatnonzero(has.sum(axis=0) >= max(5, 0.02 * len(z)))
    z, has = z[:, landmarks], has[:, landmarks]
    weight = has.astype(np.float64)
    known = np.asarray(has.any(axis=0), np.bool_)
    mean = _first_shape(z, has, known)
    spread = np.full(len(landmarks), 0.1)
    for _ in range(ROUNDS):
        laid = _laid(z, mean, weight)
        mean = _normal(_weighted_mean(laid, weight), known)
        laid = _laid(z, mean, weight)
        off = np.abs(laid - mean)
        spread = np.maximum(_medians(off, has) * 1.2, LEAST_SPREAD)
        weight = has / (1 + (off / (3 * spread)) ** 2)
    alone, _ = _left_out(z, mean, has.astype(np.float64))
    spread = np.maximum(_medians(alone, has) * 1.2, LEAST_SPREAD)
    return _Shape(landmarks, mean, spread, has.mean(axis=0))


def _first_shape(z: Complex, has: Mask, known: Mask) -> Complex:
    """Return the garment, of some that have the most landmarks, on which the others lie best."""
    counts = has.sum(axis=1)
    fullest = np.flatnonzero(counts == counts.max())
    some = np.linspace(0, len(z) - 1, min(len(z), SOME)).astype(np.int64)
    weight = has[some].astype(np.float64)
    best = np.inf
    shape: Complex = np.zeros(z.shape[1], np.complex128)
    for i in fullest[np.linspace(0, len(fullest) - 1, min(len(fullest), TRIED)).astype(np.int64)]:
        filled = np.where(has[i], z[i], z[i][has[i]].mean())
        if not np.ptp(filled.real) or not np.ptp(filled.imag):
            continue
        tried = _normal(filled, known)
        both = weight * has[i]
        off = (np.abs(_laid(z[some], tried, both) - tried) * both).sum(axis=1)
        if (misfit := float(np.median(off / np.maximum(both.sum(axis=1), 1)))) < best:
            best, shape = misfit, tried
    return shape


def _judge_landmarks(
    result: Suspects,
    shape: _Shape,
    rows: npt.NDArray[np.int64],
    z: Complex,
    has: Mask,
    schema: Schema,
) -> None:
    z, has = z[:, shape.landmarks], has[:, shape.landmarks]
    enough = has.sum(axis=1) >= 3
    rows, z, has = rows[enough], z[enough], has[enough]
    if not len(rows):
        return
    off, misfit = _left_out(z, shape.mean, has / shape.spread**2)
    # The one without which the others fit best: one that is off draws others away with it.
    worst = np.where(has, misfit, np.inf).argmin(axis=1)
    result.outlier[rows] = (off / shape.spread)[np.arange(len(rows)), worst]
    result.outlier_landmark[rows] = shape.landmarks[worst]
    result.swap[rows] = _gain_of_swapping(shape, z, has, schema)


def _gain_of_swapping(shape: _Shape, z: Complex, has: Mask, schema: Schema) -> Float:
    """Return how much better garments fit with all sides, or those of one pair, exchanged."""
    here = {int(k): i for i, k in enumerate(shape.landmarks)}
    partner = np.array([here.get(schema.flips[k], i) for i, k in enumerate(shape.landmarks)])
    pairs = [(i, int(j)) for i, j in enumerate(partner) if i < j]
    if not pairs:
        return np.full(len(z), np.nan)
    before = _misfit(shape, z, has)
    orders = [partner]
    for i, j in pairs:
        one = np.arange(len(partner))
        one[[i, j]] = j, i
        orders.append(one)
    after = np.min([_misfit(shape, z[:, order], has[:, order]) for order in orders], axis=0)
    return np.asarray(before - after)


def _misfit(shape: _Shape, z: Complex, has: Mask) -> Float:
    """Return the mean distance of garments from their shape, in usual distances, (n,)."""
    weight = has.astype(np.float64)
    off = np.abs(_laid(z, shape.mean, weight) - shape.mean) / shape.spread
    return np.asarray((off * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1))


def _judge_categories(
    result: Suspects,
    shapes: dict[int, _Shape],
    own: int,
    rows: npt.NDArray[np.int64],
    z: Complex,
    has: Mask,
) -> None:
    """Compare each garment's likelihood under its own category and under all others."""
    others = [c for c in shapes if c != own]
    if not others or not len(rows):
        return
    mine = _likelihood(shapes[own], z, has)
    theirs = np.stack([_likelihood(shapes[c], z, has) for c in others])
    best = theirs.argmax(axis=0)
    result.category[rows] = theirs.max(axis=0) - mine
    result.other_category[rows] = np.array(others)[best]


def _likelihood(shape: _Shape, z: Complex, has: Mask) -> Float:
    """Return the log-likelihood of garments by landmark: of which they have, and of where these lie."""
    share = np.full(has.shape[1], 0.005)
    share[shape.landmarks] = np.clip(shape.share, 0.005, 0.995)
    known = np.where(has, np.log(share), np.log1p(-share)).sum(axis=1)
    of_shape, z = has[:, shape.landmarks], z[:, shape.landmarks]
    off = np.abs(_laid(z, shape.mean, of_shape.astype(np.float64)) - shape.mean)
    # A Laplace density in two dimensions: far landmarks do not outvote all others.
    place = -np.log(2 * np.pi * shape.spread**2) - off / shape.spread
    foreign = has.sum(axis=1) - of_shape.sum(axis=1)
    places = np.where(of_shape, place, 0).sum(axis=1) - foreign * np.log(2 * np.pi)
    return np.asarray((known + places) / np.maximum(has.sum(axis=1), 1))


# -- similarities ------------------------------------------------------------------------------


def _laid(z: Complex, mean: Complex, weight: Float) -> Complex:
    """Lay garments (n, L) over a shape (L,) by the best similarity of each: least squares, weighted."""
    turn, shift = _similarity(*_sums(z, mean, weight))
    return turn[:, None] * z + shift[:, None]


def _left_out(z: Complex, mean: Complex, weight: Float) -> tuple[Float, Float]:
    """Leave out each landmark in turn, and lay a garment over the shape by the others alone.

    Returns
    -------
    (n, L) how far the landmark then lies from its place, and the weighted sum of squares of the others.
    """
    sums = _sums(z, mean, weight)
    each = _terms(z, mean, weight)
    w, wz, wm, wzz, wzm = (s[:, None] - e for s, e in zip(sums, each, strict=True))
    turn, shift = _similarity(w.real, wz, wm, wzz.real, wzm)
    square = weight * np.abs(mean) ** 2
    safe = np.where(w.real > 0, w.real, 1)
    total = square.sum(axis=1)[:, None] - square - np.abs(wm) ** 2 / safe
    explained = (np.conj(turn) * (wzm - np.conj(wz) * wm / safe)).real
    return np.asarray(np.abs(turn * z + shift - mean)), np.asarray(total - explained)


Terms = tuple[Float, Complex, Complex, Float, Complex]


def _terms(z: Complex, mean: Complex, weight: Float) -> Terms:
    """Return what each landmark adds to the normal equations, (n, L) each."""
    return (
        weight,
        weight * z,
        weight * mean,
        weight * np.abs(z) ** 2,
        weight * np.conj(z) * mean,
    )


def _sums(z: Complex, mean: Complex, weight: Float) -> Terms:
    w, wz, wm, wzz, wzm = _terms(z, mean, weight)
    return w.sum(1), wz.sum(1), wm.sum(1), wzz.sum(1), wzm.sum(1)


def _similarity(
    w: Float, wz: Complex, wm: Complex, wzz: Float, wzm: Complex
) -> tuple[Complex, Complex]:
    """Return factor and shift, complex, that lay z over the shape; a garment of one place is not turned."""
    safe = np.where(w > 0, w, 1)
    variance = wzz - np.abs(wz) ** 2 / safe
    flat = variance <= 1e-9 * np.maximum(wzz, 1e-12)
    turn = np.where(flat, 0, (wzm - np.conj(wz) * wm / safe) / np.where(flat, 1, variance))
    return turn, np.where(w > 0, (wm - turn * wz) / safe, 0)


def _normal(shape: Complex, known: Mask) -> Complex:
    """Return a shape about 0 and of size 1."""
    moved = shape - shape[known].mean()
    size = np.sqrt((np.abs(moved[known]) ** 2).sum())
    return np.asarray(moved / (size if size > 0 else 1))


def _weighted_mean(z: Complex, weight: Float) -> Complex:
    return np.asarray((z * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1e-12))


def _medians(off: Float, has: Mask) -> Float:
    """Return the median by landmark over the garments that have it, (L,)."""
    values = np.where(has, off, np.nan)
    return np.asarray(np.nan_to_num(np.nanmedian(values, axis=0), nan=1.0))


def _ranks(values: Float) -> Float:
    """Return the share of values that each is greater than; nan stays."""
    ranks = np.full(len(values), np.nan)
    judged = np.flatnonzero(~np.isnan(values))
    ranks[judged[np.argsort(values[judged], kind="stable")]] = np.arange(len(judged)) / max(
        len(judged), 1
    )
    return ranks
