"""What runs a network: NumPy images in, activated fields out. No torch here."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

RuntimeName = Literal["auto", "torch", "onnx"]
RUNTIMES: tuple[RuntimeName, ...] = ("auto", "torch", "onnx")
"""``"auto"`` is the one that the model's file is for."""


class FieldArrays(NamedTuple):
    """Activated outputs of the heads (`network.heads`), float32.

    The axis B is missing where the fields are of one image.

    Attributes
    ----------
    pif
        (B, K, channels, H, W).
    paf
        (B, E, channels, H, W).
    category
        (B, C, H, W) logits.
    """

    pif: Float32
    paf: Float32
    category: Float32

    def rows(self, start: int, stop: int) -> FieldArrays:
        """Return the fields of some of the images, as views."""
        return FieldArrays(*(part[start:stop] for part in self))


class Runtime(Protocol):
    """A network that is ready to run."""

    @property
    def device(self) -> str:
        """Name of the device that it runs on."""

    def run(self, images: NDArray[np.uint8]) -> FieldArrays:
        """Compute the fields of a batch.

        Parameters
        ----------
        images
            (B, H, W, 3) RGB, H and W multiples of `NetworkConfig.multiple`.
        """
