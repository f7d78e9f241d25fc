"""Opening the front of a garment: the two halves, the back that shows between them, and their edges."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .pieces import Edge, Edges, Garment, Piece, Points

_HOOD = 0.2  # what reaches so far above the neck is a hood, which lies behind it when worn


@dataclass(frozen=True)
class Opened:
    """A garment with an open front.

    Attributes
    ----------
    back, front
        The inside of its back, and the rest with a gap from the neck to the hem, bottom to top.
    edges
        The garment's, with ``opening_left`` and ``opening_right`` from the neck to the hem; the neck
        and the hem begin there.
    """

    back: tuple[Piece, ...]
    front: tuple[Piece, ...]
    edges: Edges


class _Front(NamedTuple):
    """Middles (2,) of the neck and the hem of a garment, and half their widths."""

    neck: Points
    hem: Points
    half_neck: float
    half_hem: float

    @classmethod
    def of(cls, garment: Garment) -> _Front:
        marks = garment.landmarks
        neck, hem = 0.5 * (marks[0] + marks[1]), 0.5 * (marks[6] + marks[7])
        half_neck, half_hem = 0.5 * np.ptp(marks[:2, 0]), 0.5 * np.ptp(marks[6:8, 0])
        return cls(neck, hem, float(half_neck), float(half_hem))


def draw_opening(garment: Garment, rng: np.random.Generator) -> tuple[float, float]:
    """Draw half the width of an open front at the neck and at the hem, in the garment's plane."""
    front = _Front.of(garment)
    top = float(front.half_neck * rng.uniform(0.35, 0.75))
    return top, float(front.half_hem * rng.uniform(0.1, 0.6))


def open_front(garment: Garment, top: float, bottom: float) -> Opened:
    """Open the front of an upper garment by half a width at the neck and one at the hem."""
    neck, hem, _, _ = _Front.of(garment)
    across = np.array([1.0, 0.0])
    lines = {side: (neck + side * top * across, hem + side * bottom * across) for side in (-1, 1)}
    cloth = [p for p in garment.pieces if p.part == "torso" and p.cloth == "main"]
    torso = max(cloth, key=lambda p: float(np.ptp(p.outline, axis=0).prod()))
    back: list[Piece] = []
    front: list[Piece] = []
    for piece in garment.pieces:
        if piece.part != "torso" or not _spans(piece, neck, hem):
            front.append(piece)
            continue
        is_hood = float(piece.outline[:, 1].min()) < neck[1] - _HOOD
        if piece.cloth == "lining" or is_hood:
            back.append(piece)
            continue
        if piece is torso:
            back.insert(0, Piece(piece.outline, "torso", "lining", piece.axis, rise=0.1))
        for side, (above, below) in lines.items():
            half = _clipped(piece.outline, above, below, side)
            if len(half) > 2:
                front.append(replace(piece, outline=half, front=False))
    edges = dict(garment.edges)
    for name, (above, below) in zip(("left", "right"), lines.values(), strict=True):
        edges |= _cut_edges(edges, name, above, below)
    return Opened(tuple(back), tuple(front), edges)


def _spans(piece: Piece, neck: Points, hem: Points) -> bool:
    """Whether a piece lies on both sides of the middle."""
    low, high = piece.outline[:, 0].min(), piece.outline[:, 0].max()
    middle = 0.5 * (neck[0] + hem[0])
    return bool(low < middle - 0.02 and high > middle + 0.02)


def _away(points: Points, a: Points, b: Points, side: int) -> Points:
    """Return (N,) how far points lie from the line from `a` to `b`, positive towards a `side`."""
    normal = side * np.array([b[1] - a[1], a[0] - b[0]])
    return np.asarray((points - a) @ normal)


def _clipped(outline: Points, a: Points, b: Points, side: int) -> Points:
    """Return the part of a closed outline on one side of the line from `a` to `b` (Sutherland-Hodgman).

    `side` is 1 for the part to the viewer's right of a line that goes down, -1 for the left.
    """
    at = _away(outline, a, b, side)
    kept: list[Points] = []
    for p, q, u, v in zip(outline, np.roll(outline, -1, 0), at, np.roll(at, -1), strict=True):
        if u >= 0:
            kept.append(p)
        if (u >= 0) != (v >= 0):
            kept.append(p + (q - p) * (u / (u - v)))
    return np.array(kept).reshape(-1, 2)


def _cut_edges(edges: Edges, name: str, a: Points, b: Points) -> Edges:
    """Return the neck and the hem of one side, cut at the line from `a` to `b`, and the line between."""
    side = -1 if name == "left" else 1
    neck, hem = edges[f"neck_{name}"], edges[f"hem_{name}"]
    shoulder = _outer(neck.points, a, b, side)
    corner = _outer(hem.points[::-1], a, b, side)[::-1]
    return {
        f"neck_{name}": Edge(shoulder, neck.part),
        f"hem_{name}": Edge(corner, hem.part),
        f"opening_{name}": Edge(np.array([shoulder[0], corner[-1]]), neck.part),
    }


def _outer(line: Points, a: Points, b: Points, side: int) -> Points:
    """Return what follows the last point at which a line crosses that from `a` to `b` outwards."""
    at = _away(line, a, b, side)
    inside = np.flatnonzero(at < 0)
    if len(inside) == 0:
        return line
    k = int(inside[-1])
    cross = line[k] + (line[k + 1] - line[k]) * (at[k] / (at[k] - at[k + 1]))
    return np.vstack([cross, line[k + 1 :]])
