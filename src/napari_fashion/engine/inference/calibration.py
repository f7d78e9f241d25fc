"""From what a network says to probabilities (NumPy)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-6


def platt(probabilities: NDArray[np.float32], scale: float, offset: float) -> NDArray[np.float32]:
    """Calibrate probabilities: ``sigmoid(scale * logit(p) + offset)``, after Platt (1999).

    Scale 1 and offset 0 leave them as they are.
    """
    if scale == 1 and offset == 0:
        return probabilities
    p = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    logits = scale * np.log(p / (1 - p)) + offset
    return (1 / (1 + np.exp(-np.clip(logits, -50, 50)))).astype(np.float32)
