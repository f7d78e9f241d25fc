"""The one place where xy (COCO, engine) becomes yx (napari) and back; same frame, swapped axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def yx_from_xy(xy: ArrayLike) -> NDArray[np.float64]:
    """Turn positions (..., 2) from x, y into y, x.

    >>> yx_from_xy([[10, 20]]).tolist()
    [[20.0, 10.0]]
    """
    return np.asarray(xy, np.float64)[..., ::-1]


def xy_from_yx(yx: ArrayLike) -> NDArray[np.float64]:
    """Turn positions (..., 2) from y, x into x, y."""
    return np.asarray(yx, np.float64)[..., ::-1]
