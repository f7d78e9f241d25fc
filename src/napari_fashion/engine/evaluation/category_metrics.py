"""Category accuracy: the rank of the true category, and top-n."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_fashion.coco.categories import FOREIGN
from napari_fashion.engine.evaluation._arrays import mean_or_none


def category_ranks(probabilities: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Return the rank of the true category, 0 for the likeliest. Ties count against the model.

    Parameters
    ----------
    probabilities
        (N, C); logits serve as well.
    truth
        (N,) category indices. `UNCLEAR` ones are left out; those that the model lacks (`FOREIGN`) rank
        behind all.

    Returns
    -------
    (M,) int64, of the M garments whose category is known.
    """
    table = np.asarray(probabilities, np.float64)
    true = np.asarray(truth, np.int64)
    counted = (true >= 0) | (true == FOREIGN)
    table, true = table[counted], true[counted]
    foreign = true == FOREIGN
    own = np.take_along_axis(table, np.where(foreign, 0, true)[:, None], axis=1)
    ranks = np.asarray((table >= own).sum(axis=1) - 1, np.int64)
    ranks[foreign] = np.iinfo(np.int64).max
    return ranks


def top(ranks: ArrayLike, n: int) -> float | None:
    """Return the share of garments whose true category is among the `n` likeliest."""
    return mean_or_none(np.asarray(ranks) < n)
