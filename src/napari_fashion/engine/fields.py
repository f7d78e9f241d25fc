"""The composite fields of one image: where landmarks are and which of them belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of one image: PIF, PAF and category, with how a cell becomes a pixel.

    K landmarks, E edges, C categories, H x W cells; arrays are numpy float32 and are converted
    when they are not. Positions are absolute, in cells: (0, 0) is the centre of the first cell.

    Attributes
    ----------
    pif_confidence
        (K, H, W), 0..1: how surely the cell knows where the landmark is.
    pif_xy
        (K, 2, H, W): position of the landmark, x then y.
    pif_spread
        (K, H, W): Laplace scale b of the position, cells.
    pif_size
        (K, H, W): the landmark's sigma, cells.
    paf_confidence
        (E, H, W), 0..1.
    paf_xy1, paf_xy2
        (E, 2, H, W): positions of the two ends of the edge.
    paf_spread1, paf_spread2
        (E, H, W): Laplace scales b of the two ends, cells.
    category
        (C, H, W): logits.
    edges
        E pairs of landmark indices, 0-based.
    pif_visible
        (K, H, W): logits of the landmark being visible and not hidden; None if the network does not
        say so.
    scale, offset
        Length 2, x then y: ``xy_pixels = xy_cells * scale + offset``.
    member
        Name of the member of a model set whose fields these are; empty if one model predicts.

    Raises
    ------
    ValueError
        If an array has another shape than the rest ask for, or an edge names no landmark.
    """

    pif_confidence: Float32
    pif_xy: Float32
    pif_spread: Float32
    pif_size: Float32
    paf_confidence: Float32
    paf_xy1: Float32
    paf_xy2: Float32
    paf_spread1: Float32
    paf_spread2: Float32
    category: Float32
    edges: tuple[tuple[int, int], ...]
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    pif_visible: Float32 | None = None
    member: str = ""

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = np.ascontiguousarray(getattr(self, name), dtype=np.float32)
            object.__setattr__(self, name, array)
        if self.pif_confidence.ndim != 3:
            raise ValueError(
                f"pif_confidence has shape {self.pif_confidence.shape}; expected (K, H, W)."
            )
        k, h, w = self.pif_confidence.shape
        if (visible := self.pif_visible) is not None:
            object.__setattr__(self, "pif_visible", np.ascontiguousarray(visible, np.float32))
            if np.shape(visible) != (k, h, w):
                raise ValueError(
                    f"pif_visible has shape {np.shape(visible)}; expected {(k, h, w)}."
                )
        e = len(self.edges)
        vector = ("pif_xy", "paf_xy1", "paf_xy2")
        for name in _ARRAYS[1:-1]:
            n = k if name.startswith("pif") else e
            shape = (n, 2, h, w) if name in vector else (n, h, w)
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}; expected {shape} for "
                    f"{k} landmarks, {e} edges and {h} x {w} cells."
                )
        if self.category.ndim != 3 or self.category.shape[1:] != (h, w):
            raise ValueError(f"category has shape {self.category.shape}; expected (C, {h}, {w}).")
        for a, b in self.edges:
            if not (0 <= a < k and 0 <= b < k and a != b):
                raise ValueError(f"edge ({a}, {b}) does not join two of the landmarks 0..{k - 1}.")

    @property
    def n_landmarks(self) -> int:
        """Number K of landmarks."""
        return int(self.pif_confidence.shape[0])

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width (H, W) in cells."""
        return int(self.pif_confidence.shape[1]), int(self.pif_confidence.shape[2])

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays: list[Float32] = [getattr(self, name) for name in _ARRAYS]
        if self.pif_visible is not None:
            arrays.append(self.pif_visible)
        return sum(array.nbytes for array in arrays)

    def to_pixels(self, xy_cells: ArrayLike) -> NDArray[np.float64]:
        """Turn positions in cells into pixels of the original image; (..., 2) to (..., 2)."""
        xy = np.array(xy_cells, np.float64)
        xy *= self.scale
        xy += self.offset
        return xy

    def to_cells(self, xy_pixels: ArrayLike) -> NDArray[np.float64]:
        """Turn pixels of the original image into positions in cells; (..., 2) to (..., 2)."""
        xy = np.array(xy_pixels, np.float64)
        xy -= self.offset
        xy /= self.scale
        return xy


def average_fields(looks: Sequence[Fields]) -> Fields:
    """Average the fields of one image, seen at several sizes, on the first one's cells.

    Each cell of the first takes the others' cell that lies nearest. Confidences and category
    logits are averaged plainly; positions, spreads and sizes weighed by the confidence over the
    square of the spread, as independent measurements are: a finer look places more exactly.

    Parameters
    ----------
    looks
        One or more, of the same landmarks, edges and categories.

    Returns
    -------
    Fields with the cells, scale and offset of the first.
    """
    first = looks[0]
    if len(looks) == 1:
        return first
    moved = [first, *(_on_cells_of(first, look) for look in looks[1:])]

    def plain(name: str) -> Float32:
        return np.mean([getattr(look, name) for look in moved], axis=0)  # type: ignore[no-any-return]

    def weighed(name: str, confidence: str, spread: str) -> Float32:
        weights = np.array([getattr(look, confidence) for look in moved]).clip(1e-6)
        weights /= np.array([getattr(look, spread) for look in moved]).clip(1e-3) ** 2
        weights /= weights.sum(0)
        values = np.array([getattr(look, name) for look in moved])
        if values.ndim > weights.ndim:
            weights = weights[:, :, None]
        return (weights * values).sum(0)  # type: ignore[no-any-return]

    averaged: dict[str, Any] = {
        name: plain(name) for name in ("pif_confidence", "paf_confidence", "category")
    }
    visible = () if first.pif_visible is None else ("pif_visible",)
    for name in (*_ARRAYS, *visible):
        if name not in averaged:
            end = name[-1] if name[-1] in "12" else ""
            averaged[name] = weighed(name, f"{name[:3]}_confidence", f"{name[:3]}_spread{end}")
    return replace(first, **averaged)


def _on_cells_of(first: Fields, other: Fields) -> Fields:
    """Return `other` on the cells of `first`, the nearest cell for each, positions in its cells."""
    (h, w), (rows, columns) = first.grid, other.grid
    ratio = np.asarray(other.scale) / np.asarray(first.scale)
    x = other.to_cells(first.to_pixels(np.stack([np.arange(w)] * 2, -1)))[:, 0]
    y = other.to_cells(first.to_pixels(np.stack([np.arange(h)] * 2, -1)))[:, 1]
    column = np.rint(x).astype(int).clip(0, columns - 1)
    row = np.rint(y).astype(int).clip(0, rows - 1)
    wider = np.float32(np.sqrt(ratio.prod()))

    def move(name: str) -> Float32:
        values: Float32 = getattr(other, name)[..., row[:, None], column]
        if "xy" in name:
            to_first = first.to_cells(other.to_pixels(np.moveaxis(values, 1, -1)))
            return np.moveaxis(to_first, -1, 1).astype(np.float32)
        return values * wider if "spread" in name or "size" in name else values

    visible = () if other.pif_visible is None else ("pif_visible",)
    values: dict[str, Any] = {name: move(name) for name in (*_ARRAYS, *visible)}
    return replace(other, scale=first.scale, offset=first.offset, **values)


_ARRAYS = (
    "pif_confidence",
    "pif_xy",
    "pif_spread",
    "pif_size",
    "paf_confidence",
    "paf_xy1",
    "paf_xy2",
    "paf_spread1",
    "paf_spread2",
    "category",
)
