"""Category accuracy: the rank of the true category, and top-n."""

from __future__ import annotations

from collections.abc import Sequence

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


NOT_FOUND, OTHER = "not found", "other"
"""Names of the column of garments that were not found, and of the row of categories that the model lacks
and that have no name, or one that the model has for another."""


def confusion(
    probabilities: ArrayLike,
    truth: ArrayLike,
    found: ArrayLike,
    names: Sequence[str],
    foreign: Sequence[str] = (),
) -> dict[str, dict[str, int]]:
    """Count the garments of each true category by the likeliest predicted one.

    Parameters
    ----------
    probabilities, truth
        As for `category_ranks`.
    found
        (N,) bool: whether a garment was found; otherwise the prediction is `NOT_FOUND`.
    names
        C names of the categories.
    foreign
        N names that the file has for the true categories, for those that the model lacks; `OTHER` where
        there is none.

    Returns
    -------
    Numbers by the true, then by the predicted name, in the order of the categories, those that the
    model lacks at the end; only those that occur.
    """
    table = np.asarray(probabilities, np.float64).reshape(len(np.asarray(truth)), len(names))
    counts: dict[tuple[int, int], int] = {}
    c = len(names)
    own = foreign or [""] * len(table)
    taken = {*names, ""}
    of_file = [OTHER if name in taken else name for name in own]
    rows, columns = [*names, *sorted(set(of_file))], [*names, NOT_FOUND]
    for row, true, there, name in zip(
        table,
        np.asarray(truth).tolist(),
        found,  # type: ignore[arg-type]
        of_file,
        strict=True,
    ):
        if not c or (true < 0 and true != FOREIGN):
            continue
        place = (
            rows.index(name, c) if true == FOREIGN else true,
            int(row.argmax()) if there else c,
        )
        counts[place] = counts.get(place, 0) + 1
    result: dict[str, dict[str, int]] = {}
    for (true, predicted), n in sorted(counts.items()):
        result.setdefault(rows[true], {})[columns[predicted]] = n
    return result
