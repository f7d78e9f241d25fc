"""What a flat garment is made of: pieces of cloth, what is sewn on them, and smooth lines.

Everything is in the garment's own plane: x to the viewer's right from the garment's middle, y down
from its shoulders (or waistband); the length of a T-shirt is about 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]
Cloth = Literal["main", "trim", "rib", "lining"]


@dataclass
class Detail:
    """What is sewn on or into a piece.

    Kinds are ``seam``, ``stitch``, ``line``, ``zip``, ``patch``, ``label`` and ``button``.
    `points` is an open line, for ``patch`` and ``label`` a closed outline, for ``button`` a single point;
    `width` is the line's width or the button's radius.
    """

    kind: str
    points: Points
    width: float = 0.006


@dataclass
class Piece:
    """One piece of cloth; the pieces of a garment lie on each other in the order of its list.

    Attributes
    ----------
    outline
        (N, 2) closed outline.
    part
        Pieces of the same part do not hide each other's landmarks.
    cloth
        Which of the garment's fabrics.
    axis
        (M, 2) line along which weave, print and folds run.
    details, folds
        Sewn details; fold lines as (F, 5): x, y, direction (radians), length, strength.
    rise
        How high the piece lies over what is below it (0..1): how much shadow it throws.
    flutes
        Number and depth of the cloth's vertical waves, as a skirt has.
    quilt
        Height of a padded coat's bands, 0 for none.
    front
        Whether a graphic may be printed on it.
    """

    outline: Points
    part: str
    cloth: Cloth = "main"
    axis: Points = field(default_factory=lambda: np.array([[0.0, 0.0], [0.0, 1.0]]))
    details: list[Detail] = field(default_factory=list)
    folds: list[tuple[float, float, float, float, float]] = field(default_factory=list)
    rise: float = 0.5
    flutes: tuple[float, float] = (0.0, 0.0)
    quilt: float = 0.0
    front: bool = False


@dataclass(frozen=True)
class Edge:
    """A line (N, 2) along the edge of a garment's cloth, one point for a corner, and the part it is of."""

    points: Points
    part: str

    def at(self, share: float) -> Points:
        """Return the point (2,) at a share, 0..1, of the line's length."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        length = np.concatenate([[0.0], np.cumsum(steps)])
        return np.array([np.interp(share * length[-1], length, self.points[:, i]) for i in (0, 1)])


Edges = dict[str, Edge]
"""Edges of a garment by name; those of a side are called after it, such as ``hem_left``."""


def on_both_sides(name: str, right: Points, part: str) -> Edges:
    """Return an edge of the right half and its mirror image, (N, 2) or one point (2,)."""
    line = np.atleast_2d(right)
    return {f"{name}_left": Edge(line * (-1.0, 1.0), part), f"{name}_right": Edge(line, part)}


@dataclass
class Garment:
    """A flat garment.

    Attributes
    ----------
    category, body_type
        As the schema ``garments`` names them.
    pieces
        Bottom to top.
    landmarks, owners
        (K, 2), and the part each belongs to, empty for those it does not have.
    fabrics
        What it may be cut of.
    edges
        Where its cloth ends, for landmarks along it (`contours`).
    """

    category: str
    body_type: str
    pieces: list[Piece]
    landmarks: Points
    owners: tuple[str, ...]
    fabrics: tuple[str, ...]
    edges: Edges = field(default_factory=dict)


def curve(*points: object, n: int = 14) -> Points:
    """Return a smooth line through `points` (cubic Hermite, chord-length knots), ends included."""
    p = np.array(points, dtype=np.float64)
    if len(p) == 2:
        return np.asarray(p[0] + (p[1] - p[0]) * np.linspace(0, 1, n)[:, None])
    knots = np.maximum(np.sqrt(np.linalg.norm(np.diff(p, axis=0), axis=1)), 1e-6)[:, None]
    slope = np.diff(p, axis=0) / knots
    inner = (slope[:-1] * knots[1:] + slope[1:] * knots[:-1]) / (knots[:-1] + knots[1:])
    tangent = np.vstack([1.5 * slope[0] - 0.5 * inner[0], inner, 1.5 * slope[-1] - 0.5 * inner[-1]])
    t = np.linspace(0, 1, n, endpoint=False)[:, None]
    h00, h01 = (1 + 2 * t) * (1 - t) ** 2, t * t * (3 - 2 * t)
    h10, h11 = t * (1 - t) ** 2, t * t * (t - 1)
    spans = [
        h00 * p[i] + h01 * p[i + 1] + knots[i] * (h10 * tangent[i] + h11 * tangent[i + 1])
        for i in range(len(p) - 1)
    ]
    return np.vstack([*spans, p[-1:]])


def mirrored(line: Points) -> Points:
    """Return the line on the other side, in the opposite direction."""
    return np.asarray(line[::-1] * (-1.0, 1.0))


def closed(right: Points) -> Points:
    """Close a right half, from the middle above to the middle below, by its mirror image."""
    return np.vstack([right, mirrored(right)])


def disc(x: float, y: float, rx: float, ry: float | None = None, n: int = 32) -> Points:
    """Return an ellipse."""
    a = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * np.cos(a), y + (ry or rx) * np.sin(a)], axis=1)


def box(x: float, y: float, w: float, h: float, taper: float = 0.0) -> Points:
    """Return a rectangle, narrower below by `taper` on each side."""
    return np.array([[x, y], [x + w, y], [x + w - taper, y + h], [x + taper, y + h]])


def inset(line: Points, by: float) -> Points:
    """Move a line sideways, to the right of its direction (in y-down coordinates)."""
    d = np.gradient(line, axis=0)
    d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
    return line + by * np.stack([-d[:, 1], d[:, 0]], axis=1)


def flipped(piece: Piece) -> Piece:
    """Move a piece to the other side, in place, and return it."""
    piece.outline, piece.axis = mirrored(piece.outline), piece.axis * (-1, 1)
    for detail in piece.details:
        detail.points = detail.points * (-1, 1)
    piece.folds = [(-x, y, np.pi - a, n, s) for x, y, a, n, s in piece.folds]
    return piece


def pick(rng: np.random.Generator, among: tuple[str, ...]) -> str:
    """Draw one of some names."""
    return among[int(rng.integers(len(among)))]
