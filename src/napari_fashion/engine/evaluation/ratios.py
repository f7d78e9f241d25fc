"""Many metrics of garments at once, so that their bootstrap takes seconds: each is a sum over a sum.

A mean over points or garments is the sum of numerators over the sum of denominators, each a number per
garment; a resample of images only weighs these numbers. An average over landmarks is the mean of such
ratios.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_fashion.engine.evaluation._arrays import Bool, Float64


class Ratios:
    """Metrics of N garments by name."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._over: list[Float64] = []
        self._under: list[Float64] = []
        self._stacked: tuple[Float64, Float64] | None = None
        self._averages: list[tuple[str, slice]] = []
        self._medians: list[tuple[str, Float64, np.ndarray[tuple[int], np.dtype[np.int64]]]] = []

    def add(self, name: str, values: Float64, counts: Bool) -> None:
        """Add the mean of values over all that count.

        Parameters
        ----------
        values, counts
            (N,), or (N, K) for a mean over all points.
        """
        self._names.append(name)
        self._over.append(_by_garment(np.where(counts, values, 0.0)))
        self._under.append(_by_garment(counts.astype(np.float64)))

    def add_average(
        self, name: str, values: Float64, counts: Bool, members: Sequence[str] = ()
    ) -> None:
        """Add the mean over K landmarks of their means.

        Parameters
        ----------
        values, counts
            (N, K).
        members
            K names of the landmarks' own means; none to leave these out.
        """
        first = len(self._names)
        for k in range(values.shape[1]):
            self.add(members[k] if members else "", values[:, k], counts[:, k])
        self._averages.append((name, slice(first, len(self._names))))

    def add_median(self, name: str, values: Float64, counts: Bool) -> None:
        """Add the median of all that count, (N, K)."""
        rows, columns = np.nonzero(counts)
        found = values[rows, columns]
        order = np.argsort(found, kind="stable")
        self._medians.append((name, found[order], rows[order]))

    def figures(self, weights: Float64) -> dict[str, float | None]:
        """Return all metrics; undefined ones are None.

        Parameters
        ----------
        weights
            (N,) how often each garment counts.
        """
        if not self._names:
            return {}
        if self._stacked is None or len(self._stacked[0]) != len(self._names):
            self._stacked = np.array(self._over), np.array(self._under)
        over, under = (part @ weights for part in self._stacked)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(under > 0, over / under, np.nan)
        result = {
            name: _defined(value)
            for name, value in zip(self._names, means.tolist(), strict=True)
            if name
        }
        for name, members in self._averages:
            own = means[members]
            own = own[~np.isnan(own)]
            result[name] = float(own.mean()) if len(own) else None
        for name, values, rows in self._medians:
            result[name] = _weighted_median(values, weights[rows])
        return result


def _by_garment(values: Float64) -> Float64:
    """Return the (N,) sums of the rows of (N, K) values; (N,) values as they are."""
    return values if values.ndim == 1 else np.asarray(values.sum(1), np.float64)


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value


def _weighted_median(values: Float64, weights: Float64) -> float | None:
    """Return the median of sorted values of which each counts so often."""
    upto = np.cumsum(weights)
    if not len(upto) or not upto[-1]:
        return None
    middle = upto[-1] / 2
    low = int(np.searchsorted(upto, middle, side="left"))
    high = int(np.searchsorted(upto, middle, side="right"))
    return float((values[low] + values[min(high, len(values) - 1)]) / 2)
