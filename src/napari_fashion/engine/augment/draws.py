"""Random draws, keyed by sample: the same on every device and in every batch that a sample is in.

Each sample has a stream of SplitMix64 of its own (Steele, Lea and Flood 2014), which begins at the
sample's key. Noise is read from one table of normal numbers, at a place that is drawn: to draw it
anew on the CPU would keep a GPU waiting.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_TABLE = 1 << 22
"""Number of normal numbers in the table of noise."""


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the outputs of SplitMix64 for its states."""
    state = (state ^ (state >> np.uint64(30))) * _FACTORS[0]
    state = (state ^ (state >> np.uint64(27))) * _FACTORS[1]
    return state ^ (state >> np.uint64(31))


def mixed_key(*numbers: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """Mix whole numbers of at least 0 into keys.

    Parameters
    ----------
    numbers
        Scalars or arrays that broadcast, of less than 2**63.

    Returns
    -------
    int64 keys of the common shape, at least (1,).

    Examples
    --------
    >>> mixed_key(3, 0, np.arange(2)).shape
    (2,)
    """
    state = np.zeros(1, np.uint64)
    for number in numbers:
        state = _mix(state + np.asarray(number, np.int64).astype(np.uint64) + _STEP)
    return state.view(np.int64)


class Draws:
    """Random numbers of B samples.

    Parameters
    ----------
    keys
        (B,) int64, one a sample (`mixed_key`).
    """

    def __init__(self, keys: Tensor | NDArray[np.int64]) -> None:
        self._keys = np.array(keys, np.int64).view(np.uint64)
        self._used = 0

    def __len__(self) -> int:
        return len(self._keys)

    def rand(self, *shape: int) -> Tensor:
        """Return (B, *shape) float32 numbers of [0, 1), uniform."""
        n = math.prod(shape)
        place = np.arange(self._used + 1, self._used + n + 1, dtype=np.uint64) * _STEP
        self._used += n
        bits = _mix(self._keys[:, None] + place) >> np.uint64(40)
        return torch.from_numpy(bits.astype(np.float32) * np.float32(2**-24)).view(-1, *shape)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return (B, *shape) float32 numbers of [low, high)."""
        return self.rand(*shape) * (high - low) + low

    def chance(self, probability: float) -> Tensor:
        """Return (B,) bool, each true with `probability`."""
        return self.rand() < probability

    def integers(self, low: int, high: int) -> Tensor:
        """Return (B,) int64 numbers of low .. high - 1."""
        return (self.rand() * (high - low)).long() + low

    def noise(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Return (B, *shape) float32 normal numbers on a device.

        A sample's are consecutive entries of the table of noise, from a drawn place on.
        """
        n = math.prod(shape)
        table = _noise_table(str(device))
        if n > _TABLE // 2:
            table = table.repeat(math.ceil(n / _TABLE) + 1)
        starts = (self.rand().double() * (len(table) - n)).long().tolist()
        return torch.stack([table[start : start + n].view(shape) for start in starts])


@lru_cache(maxsize=4)
def _noise_table(device: str) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(_TABLE, generator=generator).to(device)
