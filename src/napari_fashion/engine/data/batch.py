"""Batches: what the loader gives, augmentation moves and the targets are encoded from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class GarmentBatch:
    """The garments of B images, padded to N an image; coordinates in network-input pixels.

    Attributes
    ----------
    xy
        (B, N, K, 2) float32.
    visibility
        (B, N, K) int64: 0 not labelled, 1 hidden, 2 visible.
    member
        (B, N, K) bool: the garment has this landmark or may have it: its body type does, and it is
        labelled or its source does not say that it is absent.
    box
        (B, N, 4) float32: x0, y0, x1, y1.
    area
        (B, N) float32: of the garment's upright box, square pixels; the box of a turned garment
        has more.
    category
        (B, N) int64, -1 where unknown.
    crowd
        (B, N) bool: a region to ignore, not a garment.
    valid
        (B, N) bool: false where the row only pads.
    content
        (B, 4, 2) float32: corners of the visible part of the image, in order around it; what
        lies outside is padding.
    """

    xy: Tensor
    visibility: Tensor
    member: Tensor
    box: Tensor
    area: Tensor
    category: Tensor
    crowd: Tensor
    valid: Tensor
    content: Tensor

    def to(self, device: torch.device) -> GarmentBatch:
        """Return the batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> GarmentBatch:
        """Return the batch in pinned memory."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> GarmentBatch:
        return GarmentBatch(*(change(getattr(self, name)) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Canvases:
    """A batch as the loader gives it: images at the top left of equal canvases.

    Attributes
    ----------
    pixels
        (B, 3, S, S) uint8.
    size
        (B, 2) float32: width and height of each image on its canvas.
    garments
        Coordinates in canvas pixels; `GarmentBatch.content` is not yet filled.
    index
        (B,) int64: which training image each one is. Stays on the CPU.
    key
        (B,) int64: of each image's random draws (`augment.draws`). Stays on the CPU.
    group
        (B,) int64: images of equal number may be mixed (`augment.mosaic`). Stays on the CPU.
    """

    pixels: Tensor
    size: Tensor
    garments: GarmentBatch
    index: Tensor
    key: Tensor
    group: Tensor

    def to(self, device: torch.device) -> Canvases:
        """Return the batch on another device; what is in pinned memory is copied asynchronously."""
        return replace(
            self,
            pixels=self.pixels.to(device, non_blocking=True),
            size=self.size.to(device, non_blocking=True),
            garments=self.garments.to(device),
        )

    def pin_memory(self) -> Canvases:
        """Return the batch in pinned memory, as the loader asks for it."""
        return replace(
            self,
            pixels=self.pixels.pin_memory(),
            size=self.size.pin_memory(),
            garments=self.garments.pin_memory(),
        )
