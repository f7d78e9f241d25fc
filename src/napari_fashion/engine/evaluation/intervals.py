"""Bootstrap confidence intervals over images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


def bootstrap_interval(
    metric: Callable[[NDArray[np.int64]], float | None],
    groups: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the percentile interval of a metric over resampled images (Efron 1979).

    Parameters
    ----------
    metric
        Computes the metric of the rows that it is given (indices, some of them repeated).
    groups
        (N,) the image of each row; the rows of one image are drawn together.
    confidence
        Share of the resampled values that the interval holds.
    rounds, seed
        Number of resamplings, and the seed that makes them repeatable.

    Returns
    -------
    Lower and upper bound; None if there are no rows, or the metric is never defined.
    """
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rows = [np.asarray(m, np.int64) for m in members.values()]
    if not rows:
        return None
    random = np.random.default_rng(seed)
    values = []
    for _ in range(rounds):
        drawn = random.integers(len(rows), size=len(rows))
        value = metric(np.concatenate([rows[d] for d in drawn]))
        if value is not None:
            values.append(value)
    if not values:
        return None
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
