"""Bootstrap confidence intervals over images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

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
    return _percentiles(values, confidence)


def bootstrap_intervals(
    figures: Callable[[NDArray[np.float64]], Mapping[str, float | None]],
    groups: Sequence[Hashable],
    *,
    confidence: float = 0.95,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Return the percentile intervals of many metrics over the same resampled images.

    The draws are those of `bootstrap_interval`; a resample is given as how often each row counts.

    Parameters
    ----------
    figures
        Computes all metrics by name, from (N,) weights of the rows.
    groups, confidence, rounds, seed
        As for `bootstrap_interval`.

    Returns
    -------
    Lower and upper bound by the metric's name; None if it is never defined.
    """
    values: dict[str, list[float]] = {}
    for weights in _resamples(groups, rounds, seed):
        for name, value in figures(weights).items():
            kept = values.setdefault(name, [])
            if value is not None:
                kept.append(value)
    return {name: _percentiles(kept, confidence) for name, kept in values.items()}


def _resamples(groups: Sequence[Hashable], rounds: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each row counts in each of the resamples of groups."""
    numbers: dict[Hashable, int] = {}
    of_row = np.array([numbers.setdefault(group, len(numbers)) for group in groups], np.int64)
    if not numbers:
        return
    random = np.random.default_rng(seed)
    for _ in range(rounds):
        drawn = random.integers(len(numbers), size=len(numbers))
        yield np.bincount(drawn, minlength=len(numbers))[of_row].astype(np.float64)


def _percentiles(values: Sequence[float], confidence: float) -> tuple[float, float] | None:
    if not values:
        return None
    tail = 50 * (1 - confidence)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
