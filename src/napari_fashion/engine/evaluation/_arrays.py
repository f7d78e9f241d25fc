"""Array types of the metrics, and the mean that is None over nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]


def mean_or_none(values: ArrayLike) -> float | None:
    """Return the mean of all values; None if there is none, never NaN."""
    array = np.asarray(values, np.float64)
    return float(array.mean()) if array.size else None
