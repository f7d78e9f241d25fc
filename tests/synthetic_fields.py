"""Fields with known garments in them, for the decoder's tests and its benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from napari_fashion.engine.fields import Fields

EDGES = (  # skeleton B-hem
    (0, 1), (0, 2), (0, 4), (4, 5), (5, 1), (3, 1), (4, 6), (6, 7), (5, 7), (0, 6), (1, 7),
)  # fmt: skip
UPPER, LOWER, FULL = (0, 1, 2, 3, 6, 7), (4, 5, 6, 7), tuple(range(8))
SHAPE = np.array(  # width and height 1
    [[0.35, 0], [0.65, 0], [0, 0.4], [1, 0.4], [0.3, 0.5], [0.7, 0.5], [0.2, 1], [0.8, 1]]
)


class Scene:
    """Fields being painted: 4 x 4 PIF cells a landmark, PAF cells along each edge.

    Everything is exact unless `noise` (cells, of the positions) says otherwise.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        k: int = 8,
        edges: Sequence[tuple[int, int]] = EDGES,
        noise: float = 0.0,
        background: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.noise = noise
        self.edges = tuple(edges)
        e = len(self.edges)
        grid = (height, width)
        here = np.stack(np.meshgrid(np.arange(width), np.arange(height)))

        def scatter(n: int) -> np.ndarray:
            return here[None] + self.random.normal(0, 2, (n, 2, *grid))

        self.arrays = {
            "pif_confidence": self.random.uniform(0, background, (k, *grid)),
            "pif_xy": scatter(k),
            "pif_spread": np.full((k, *grid), 0.3),
            "pif_size": np.ones((k, *grid)),
            "paf_confidence": self.random.uniform(0, background, (e, *grid)),
            "paf_xy1": scatter(e),
            "paf_xy2": scatter(e),
            "paf_spread1": np.ones((e, *grid)),
            "paf_spread2": np.ones((e, *grid)),
        }

    def landmark(self, k: int, xy: Sequence[float], c: float = 0.9, size: float = 1.5) -> None:
        """Paint the 4 x 4 cells nearest to a landmark."""
        a = self.arrays
        height, width = a["pif_confidence"].shape[1:]
        left, top = int(np.floor(xy[0])) - 1, int(np.floor(xy[1])) - 1
        for j in range(max(top, 0), min(top + 4, height)):
            for i in range(max(left, 0), min(left + 4, width)):
                a["pif_confidence"][k, j, i] = c
                a["pif_xy"][k, :, j, i] = xy + self.random.normal(0, self.noise, 2)
                a["pif_size"][k, j, i] = size

    def edge(
        self, e: int, first: np.ndarray, second: np.ndarray, c: float = 0.85, size: float = 1.5
    ) -> None:
        """Paint the cells within one cell of the line between two landmarks."""
        a = self.arrays
        height, width = a["paf_confidence"].shape[1:]
        y, x = np.mgrid[:height, :width]
        d = second - first
        t = ((x - first[0]) * d[0] + (y - first[1]) * d[1]) / max(float(d @ d), 1e-9)
        t = np.clip(t, 0, 1)
        near = np.hypot(x - first[0] - t * d[0], y - first[1] - t * d[1]) <= 1
        a["paf_confidence"][e][near] = c
        n = int(near.sum())
        for axis in range(2):
            for name, end in (("paf_xy1", first), ("paf_xy2", second)):
                values = end[axis] + self.random.normal(0, 2 * self.noise, n)
                a[name][e, axis][near] = values
        a["paf_spread1"][e][near] = size
        a["paf_spread2"][e][near] = size

    def garment(
        self,
        xy: np.ndarray,
        have: Iterable[int] = FULL,
        c: float = 0.9,
        paf: float = 0.85,
        size: float = 1.5,
    ) -> None:
        """Paint the landmarks that a garment has and the edges between them."""
        have = set(have)
        for k in have:
            self.landmark(k, xy[k], c, size)
        for e, (a, b) in enumerate(self.edges):
            if a in have and b in have:
                self.edge(e, xy[a], xy[b], paf, size)

    def fields(self, **changes: object) -> Fields:
        """Return what was painted, 15 categories, a cell every 8 pixels."""
        grid = self.arrays["pif_confidence"].shape[1:]
        arrays = {**self.arrays, "category": np.zeros((15, *grid)), "edges": self.edges}
        return Fields(**{**arrays, "scale": (8.0, 8.0), "offset": (3.5, 3.5), **changes})


def row_of_garments(n: int, cells: int, seed: int = 0) -> list[tuple[np.ndarray, tuple[int, ...]]]:
    """n garments on a square grid of the image: positions (8, 2) and the landmarks they have."""
    random = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    room = cells / side
    garments = []
    for i in range(n):
        height = room * random.uniform(0.6, 0.75)
        width = height * random.uniform(0.5, 0.7)
        middle = (np.array([i % side, i // side]) + 0.5) * room
        xy = SHAPE * [width, height] + middle - [width / 2, height / 2]
        garments.append((xy, (FULL, UPPER, LOWER)[i % 3]))
    return garments
