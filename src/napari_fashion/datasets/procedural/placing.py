"""Where garments lie on each other: places with a given overlap of their boxes, and a given occlusion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from .grounds import Matrix
from .outfits import Layer
from .pieces import Points
from .raster import coverage

_DIRECTIONS = 10  # places that are considered beside each garment that lies already
_SAMPLES = 60  # samples of a mask along the longer side of the largest garment


def shared_boxes(boxes: npt.ArrayLike) -> NDArray[np.float64]:
    """Return how far boxes intersect: the shared area as a share of the smaller box's.

    Parameters
    ----------
    boxes
        (N, 4) x0, y0, x1, y1.

    Returns
    -------
    (N, N) in 0..1, 0 on the diagonal and for boxes without an area.

    Examples
    --------
    >>> shared_boxes([[0, 0, 4, 4], [2, 0, 4, 8], [9, 9, 10, 10]])[0]
    array([0. , 0.5, 0. ])
    """
    b = np.asarray(boxes, np.float64).reshape(-1, 4)
    low = np.maximum(b[:, None, :2], b[None, :, :2])
    high = np.minimum(b[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=-1)
    area = np.clip(b[:, 2:] - b[:, :2], 0, None).prod(axis=1)
    smaller = np.minimum(area[:, None], area[None])
    shares = np.divide(both, smaller, out=np.zeros_like(both), where=smaller > 0)
    np.fill_diagonal(shares, 0.0)
    return np.asarray(shares)


@dataclass(frozen=True, eq=False)
class Item:
    """A garment or an outfit that is laid down as one: turned and scaled, its place not chosen yet.

    Attributes
    ----------
    layers
        What it is of.
    turn
        (2, 2) rotation.
    scale
        Pixels for a unit of the garments' plane.
    """

    layers: Sequence[Layer]
    turn: Matrix
    scale: float

    @classmethod
    def of(cls, layers: Sequence[Layer], angle: float, length: float) -> Item:
        """Return layers turned by `angle` (radians), the longer side of their cloth `length` pixels."""
        c, s = np.cos(angle), np.sin(angle)
        item = cls(layers, np.array([[c, -s], [s, c]]), 1.0)
        return cls(layers, item.turn, length / float(np.ptp(item.extent, axis=0).max()))

    def matrix(self, position: Points) -> Matrix:
        """Return the matrix (3, 3) from the layers' plane to pixels, for a position of its origin."""
        matrix = np.eye(3)
        matrix[:2, :2] = self.scale * self.turn
        matrix[:2, 2] = position
        return matrix

    def _at_origin(self, points: Points) -> Points:
        return np.asarray(self.scale * points @ self.turn.T)

    @cached_property
    def extent(self) -> Points:
        """(2, 2) least and greatest x, y of its cloth about its origin."""
        return _ends(self._at_origin(np.vstack([o for la in self.layers for o in la.outlines])))

    @cached_property
    def box(self) -> Points:
        """(2, 2) least and greatest x, y of its landmarks about its origin."""
        return _ends(self._at_origin(np.vstack([layer.landmarks for layer in self.layers])))

    def mask(self, side: float) -> NDArray[np.bool_]:
        """Return where its cloth is: samples of `side` pixels, from the low corner of its extent on."""
        low, high = self.extent
        columns, rows = (np.ceil((high - low) / side).astype(int) + 1).tolist()
        filled = np.zeros((rows, columns), np.bool_)
        for layer in self.layers:
            for outline in layer.outlines:
                filled |= coverage([(self._at_origin(outline) - low) / side], filled.shape) > 0.5
        return filled


def _ends(points: Points) -> Points:
    return np.stack([points.min(axis=0), points.max(axis=0)])


def arrange(
    items: Sequence[Item],
    overlap: float,
    occlusion: float | None,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Points:
    """Lay items down, each but the first onto one that lies already.

    Parameters
    ----------
    items
        In the order in which they are laid.
    overlap
        Share of the smaller box that an item shares with the one that it is laid on; with the others it
        shares no more if there is room.
    occlusion
        Share of that one's cloth that it is to cover, as near as the overlap permits; None for any.
    size
        Width and height of an image whose form they should fill.
    rng
        Source of randomness.

    Returns
    -------
    (n, 2) positions of their origins.
    """
    side = max(float(np.ptp(item.extent, axis=0).max()) for item in items) / _SAMPLES
    masks = [] if occlusion is None else [item.mask(side) for item in items]
    form = np.array(size) / np.sqrt(np.prod(size))
    total = np.sqrt(sum(np.ptp(item.extent, axis=0).prod() for item in items))
    positions: list[Points] = [np.zeros(2)]
    for i in range(1, len(items)):
        best, least = positions[0], np.inf
        for j, place in _places(items, positions, i, overlap, rng):
            boxes = [item.box + p for item, p in zip(items, [*positions, place], strict=False)]
            shared = shared_boxes([b.ravel() for b in boxes])[i]
            cost = 4 * float(np.clip(np.delete(shared, j) - overlap, 0, None).sum())
            extents = [item.extent + p for item, p in zip(items, [*positions, place], strict=False)]
            room = np.ptp(np.vstack(extents), axis=0) / form
            cost += float(room.max() / total) * (0.5 if masks else 1.0)
            if occlusion is not None:
                covered = _covered(
                    items[i], masks[i], place, items[j], masks[j], positions[j], side
                )
                cost += 4 * abs(covered - occlusion)
            if cost < least:
                best, least = place, cost
        positions.append(best)
    return np.array(positions)


def _places(
    items: Sequence[Item],
    positions: Sequence[Points],
    i: int,
    overlap: float,
    rng: np.random.Generator,
) -> Iterator[tuple[int, Points]]:
    """Yield places of item `i` around each one that lies already, with its number."""
    for j in range(i):
        phase = rng.uniform(0, 2 * np.pi)
        gap = 1 + rng.uniform(0.01, 0.06)
        for angle in phase + 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS:
            direction = np.array([np.cos(angle), np.sin(angle)])
            # From one centre on the other outwards: the boxes share less and less.
            centre = positions[j] + items[j].box.mean(axis=0) - items[i].box.mean(axis=0)
            box = items[j].box + positions[j]
            near, far = 0.0, float(np.ptp(items[i].box, axis=0).sum() + np.ptp(box, axis=0).sum())
            for _ in range(30):
                middle = 0.5 * (near + far)
                own = items[i].box + centre + middle * direction
                shares = shared_boxes([own.ravel(), box.ravel()])[0, 1] > overlap
                near, far = (middle, far) if shares else (near, middle)
            yield j, centre + far * direction * (gap if overlap == 0 else 1.0)


def _covered(
    upper: Item,
    upper_mask: NDArray[np.bool_],
    upper_at: Points,
    lower: Item,
    lower_mask: NDArray[np.bool_],
    lower_at: Points,
    side: float,
) -> float:
    """Return the share of the lower item's cloth that the upper one covers."""
    shift = (upper.extent[0] + upper_at - lower.extent[0] - lower_at) / side
    dx, dy = np.round(shift).astype(int).tolist()
    rows, columns = lower_mask.shape
    y0, y1 = max(dy, 0), min(dy + upper_mask.shape[0], rows)
    x0, x1 = max(dx, 0), min(dx + upper_mask.shape[1], columns)
    if y0 >= y1 or x0 >= x1:
        return 0.0
    over = upper_mask[y0 - dy : y1 - dy, x0 - dx : x1 - dx] & lower_mask[y0:y1, x0:x1]
    return float(over.sum() / max(int(lower_mask.sum()), 1))
