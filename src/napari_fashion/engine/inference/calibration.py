"""Platt's calibration of probabilities (NumPy)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEAST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that their logits are finite."""


def logit(p: ArrayLike) -> NDArray[np.float64]:
    """Return the logits of probabilities, those of 0 and 1 bounded (`LEAST`)."""
    inside = np.asarray(p, np.float64).clip(LEAST, 1 - LEAST)
    logits: NDArray[np.float64] = np.log(inside) - np.log1p(-inside)
    return logits


def platt(p: NDArray[np.floating[Any]], scale: float, offset: float) -> NDArray[np.float32]:
    """Calibrate probabilities: ``sigmoid(scale * logit(p) + offset)`` (Platt 1999).

    Parameters
    ----------
    p
        Probabilities of any shape.
    scale, offset
        See `VisibilityOptions`. By 1 and 0, `p` is returned unchanged.

    Returns
    -------
    float32 of the same shape.

    Examples
    --------
    >>> platt(np.array([0.5, 0.9]), 1.0, 0.0).tolist()
    [0.5, 0.8999999761581421]
    >>> platt(np.array([0.5, 0.9]), 2.0, 0.0).round(3).tolist()
    [0.5, 0.9879999756813049]
    """
    if scale == 1 and offset == 0:
        return np.asarray(p, np.float32)
    x = scale * logit(p) + offset
    # By tanh, which overflows nowhere.
    calibrated: NDArray[np.float32] = (0.5 + 0.5 * np.tanh(0.5 * x)).astype(np.float32)
    return calibrated
