"""Cut a garment of a category and lay it down by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .cuts import CUTS, Cuts, Upper
from .lowers import skirt, trousers
from .pieces import Garment, Points
from .uppers import upper


def cut_garment(
    category: str, rng: np.random.Generator, among: Cuts = CUTS, /, **changes: Any
) -> Garment:
    """Cut a garment of a category, one of the keys of `among`; `changes` replace values of its cut."""
    cuts = among[category]
    cut = replace(cuts[int(rng.integers(len(cuts)))], **changes)
    if isinstance(cut, Upper):
        garment = upper(category, cut, rng)
    elif cut.shape == "trousers":
        garment = trousers(category, cut, rng)
    else:
        garment = skirt(category, cut, rng)
    _relax(garment, rng)
    return garment


def _relax(garment: Garment, rng: np.random.Generator) -> None:
    """Lay the garment down by hand: bend everything on it by one smooth random displacement."""
    waves = []
    for wavelength, depth in ((2.2, 0.03), (1.1, 0.012), (0.42, 0.0045), (0.17, 0.0016)):
        for _ in range(2):
            angle, phase, turn = rng.uniform(0, 2 * np.pi, 3)
            k = 2 * np.pi / wavelength * np.array([np.cos(angle), np.sin(angle)])
            push = depth * np.array([np.cos(turn), np.sin(turn)]) * rng.uniform(0.3, 1)
            waves.append((k, phase, push))

    def displaced(p: Points) -> Points:
        shifts = [np.sin(p @ k + phase)[:, None] * push for k, phase, push in waves]
        return np.asarray(p + np.sum(shifts, axis=0))

    for piece in garment.pieces:
        piece.outline = displaced(piece.outline)
        for detail in piece.details:
            detail.points = displaced(detail.points)
    garment.landmarks = displaced(garment.landmarks)
    garment.edges = {
        name: replace(edge, points=displaced(edge.points)) for name, edge in garment.edges.items()
    }
