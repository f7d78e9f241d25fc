"""Batches: what the loader gives, augmentation moves and the targets are encoded from."""

from __future__ import annotations

from dataclasses import dataclass

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
        (B, N, K) bool: the garment's body type has this landmark.
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
        return GarmentBatch(*(getattr(self, f).to(device) for f in self.__dataclass_fields__))


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
    """

    pixels: Tensor
    size: Tensor
    garments: GarmentBatch

    def to(self, device: torch.device) -> Canvases:
        """Return the batch on another device; pixels in pinned memory are copied asynchronously."""
        return Canvases(
            self.pixels.to(device, non_blocking=True),
            self.size.to(device),
            self.garments.to(device),
        )
