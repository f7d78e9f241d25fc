"""Garments that are worn together: lower, inner and outer layer, cut and put on so that they fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .openings import draw_opening, open_front
from .pieces import Garment, Piece, Points
from .silhouettes import cut_garment

INNER = ("T-Shirt", "Longsleeve", "Shirt", "Polo", "Blouse", "Top", "Undershirt", "Hoodie")
OUTER = ("Blazer", "Outwear", "Hoodie", "Shirt")
LOWER = ("Pants", "Pants", "Shorts", "Skirt")
FULL = ("Dress",)

OUTFITS: dict[int, tuple[tuple[tuple[str, ...], ...], ...]] = {
    2: ((LOWER, INNER), (LOWER, INNER), (INNER, OUTER), (FULL, OUTER)),
    3: ((LOWER, INNER, OUTER),),
}
"""What is worn together, by the number of garments, each kind as likely as the others: the categories of
each layer, from the body outwards."""


@dataclass(frozen=True)
class Layer:
    """A garment of an outfit.

    Attributes
    ----------
    garment
        In its own plane.
    shift
        (2,) where the origin of its plane lies in the outfit's.
    back, front
        Its pieces, bottom to top: what lies behind the layers within it, and what lies over them.
    """

    garment: Garment
    shift: Points
    back: tuple[Piece, ...]
    front: tuple[Piece, ...]

    @property
    def landmarks(self) -> Points:
        """(n, 2) the landmarks that the garment has, in the outfit's plane."""
        has = np.array([bool(owner) for owner in self.garment.owners])
        return np.asarray(self.garment.landmarks[has] + self.shift)

    @property
    def outlines(self) -> list[Points]:
        """Outlines of all its pieces in the outfit's plane."""
        return [piece.outline + self.shift for piece in (*self.back, *self.front)]


def single(garment: Garment) -> tuple[Layer, ...]:
    """Return a garment that is worn with nothing else."""
    return (Layer(garment, np.zeros(2), (), tuple(garment.pieces)),)


def dress(n: int, rng: np.random.Generator) -> tuple[Layer, ...]:
    """Cut an outfit of `n` garments (a key of `OUTFITS`) and put it on.

    All are to one scale. Collars, sleeves and hems of upper garments fall together within a few hundredths
    of their length, as those of a shirt and a jacket do; an outer garment is open in front; the inner one
    is tucked in or hangs over the waist of the lower one.

    Returns
    -------
    Layers, each over the ones before it.
    """
    kinds = OUTFITS[n][int(rng.integers(len(OUTFITS[n])))]
    names = [kind[int(rng.integers(len(kind)))] for kind in kinds]
    if names[-1] == names[-2]:  # a hoodie over a hoodie
        names[-1] = "Outwear"
    has_outer = kinds[-1] is OUTER
    tucked = bool(LOWER in kinds and rng.random() < 0.4)
    arms = float(rng.uniform(8, 38)), float(rng.uniform(-12, 24))
    layers: list[Layer] = []
    lower: Layer | None = None
    for kind, name in zip(kinds, names, strict=True):
        if kind is LOWER:
            garment = cut_garment(name, rng)
            lower = Layer(garment, np.zeros(2), (), tuple(garment.pieces))
            continue
        layers.append(_upper(name, kind is OUTER, has_outer, tucked, arms, rng))
    if lower is None:
        return tuple(layers)
    high = float(rng.uniform(0.66, 0.76) if tucked else rng.uniform(0.66, 0.86))
    hem = layers[0].garment.landmarks[6:8]
    middle, length = hem.mean(axis=0)
    lower = replace(lower, shift=np.array([middle, high * length]))
    return (*layers[:1], lower, *layers[1:]) if tucked else (lower, *layers)


def _upper(
    name: str,
    is_outer: bool,
    has_outer: bool,
    tucked: bool,
    arms: tuple[float, float],
    rng: np.random.Generator,
) -> Layer:
    """Cut one upper garment: wide if it is the outer one, narrow below it, narrower if tucked in."""
    angle, bend = arms[0] + rng.normal(0, 2), arms[1] + rng.normal(0, 3)
    changes: dict[str, object] = {"angle": (angle, angle), "bend": (bend, bend), "folded": 0.0}
    if is_outer:
        changes["chest"] = (0.37, 0.42)
    elif has_outer or tucked:
        changes["chest"] = (0.29, 0.34)
    if tucked:
        changes["hem"] = (0.74, 0.84)
    garment = cut_garment(name, rng, **changes)
    shift = rng.normal(0, 0.008, 2) if is_outer else np.zeros(2)
    if not is_outer:
        return Layer(garment, shift, (), tuple(garment.pieces))
    opened = open_front(garment, *draw_opening(garment, rng))
    return Layer(garment, shift, opened.back, opened.front)
