"""Sleeves: short, long, bent at the elbow, or folded over the chest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .pieces import Cloth, Detail, Piece, Points, curve, inset


@dataclass(frozen=True)
class Sleeve:
    """The measures of a right sleeve.

    Attributes
    ----------
    shoulder, armpit
        (2,) ends of the seam that joins it to the torso.
    length, opening
        From the seam's middle to the opening, and the opening's width.
    angle, bend
        Of the upper arm from hanging straight down, and of the elbow; degrees.
    cuff, part, quilt
        Style of the cuff, and see `Piece`.
    """

    shoulder: Points
    armpit: Points
    length: float
    opening: float
    angle: float
    bend: float
    cuff: str
    part: str
    quilt: float

    @property
    def is_short(self) -> bool:
        """Whether it ends above the elbow."""
        return self.length < 0.4

    @property
    def root(self) -> Points:
        """(2,) middle of the seam."""
        return 0.5 * (self.shoulder + self.armpit)

    @property
    def seam(self) -> Points:
        """Line of the seam, from the armpit to the shoulder."""
        middle = 0.5 * (self.shoulder + self.armpit) + (-0.035, 0.03)
        return curve(self.armpit, middle, self.shoulder, n=8)


@dataclass(frozen=True)
class SleeveOutline:
    """Where a sleeve lies.

    Attributes
    ----------
    outlines
        Closed outlines, the lower first; two if the forearm is folded over the upper arm.
    top, low
        Outer edge towards the opening, and inner edge away from it, of the last one.
    axis
        Along the arm.
    end
        (2,) outer corner of the opening.
    """

    outlines: list[Points]
    top: Points
    low: Points
    axis: Points
    end: Points


def _ray(degrees: float) -> tuple[Points, Points]:
    """Return the unit vectors along an arm and to its outer side."""
    a = np.deg2rad(degrees)
    return np.array([np.sin(a), np.cos(a)]), np.array([np.cos(a), -np.sin(a)])


def cut_sleeve(sleeve: Sleeve, rng: np.random.Generator) -> tuple[list[Piece], SleeveOutline]:
    """Return the pieces of a right sleeve, and where it lies."""
    lie = _short(sleeve) if sleeve.is_short else _long(sleeve)
    rise = 0.35 if len(lie.outlines) == 1 else 0.7
    pieces = [
        Piece(outline, sleeve.part, axis=lie.axis, rise=rise, quilt=sleeve.quilt)
        for outline in lie.outlines
    ]
    pieces[0].details.append(Detail("seam", inset(sleeve.seam, 0.0), 0.006))
    _crease(pieces, sleeve, lie, rng)
    _finish_opening(pieces, sleeve, lie)
    return pieces, lie


def _short(sleeve: Sleeve) -> SleeveOutline:
    shoulder, armpit, opening = sleeve.shoulder, sleeve.armpit, sleeve.opening
    along, across = _ray(sleeve.angle)
    end = sleeve.root + along * sleeve.length
    out, into = end + across * opening * 0.5, end - across * opening * 0.5
    top = curve(shoulder, 0.55 * shoulder + 0.45 * out + across * 0.012, out)
    low = curve(into, 0.5 * (into + armpit) - across * 0.004, armpit)
    outline = np.vstack([top, low, sleeve.seam])
    return SleeveOutline([outline], top, low, np.array([sleeve.root, end]), out)


def _long(sleeve: Sleeve) -> SleeveOutline:
    shoulder, armpit, opening = sleeve.shoulder, sleeve.armpit, sleeve.opening
    wide = float(np.linalg.norm(shoulder - armpit))
    upper, lower = _ray(sleeve.angle), _ray(sleeve.angle - sleeve.bend)
    elbow = sleeve.root + upper[0] * sleeve.length * 0.5
    end = elbow + lower[0] * sleeve.length * 0.5
    w = 0.5 * (0.55 * wide + 0.45 * opening)
    out, into = end + lower[1] * opening * 0.5, end - lower[1] * opening * 0.5
    axis = np.array([sleeve.root, elbow, end])
    if sleeve.bend < 60:
        middle = _ray(sleeve.angle - 0.5 * sleeve.bend)[1]
        top = curve(shoulder, elbow + middle * w, out)
        low = curve(into, elbow - middle * w, armpit)
        return SleeveOutline([np.vstack([top, low, sleeve.seam])], top, low, axis, out)
    # Folded over: the forearm is a piece of its own on top.
    fold_out, fold_in = elbow + upper[1] * w, elbow - upper[1] * w
    arm = np.vstack(
        [curve(shoulder, fold_out), curve(fold_out, elbow + upper[0] * w * 0.6, fold_in)]
    )
    arm = np.vstack([arm, curve(fold_in, armpit), sleeve.seam])
    top = curve(elbow + lower[1] * w - lower[0] * w * 0.3, out)
    low = curve(into, elbow - lower[1] * w - lower[0] * w * 0.3)
    back = curve(low[-1], elbow - lower[0] * w, top[0], n=8)
    return SleeveOutline([arm, np.vstack([top, low, back])], top, low, axis, out)


def _crease(
    pieces: list[Piece], sleeve: Sleeve, lie: SleeveOutline, rng: np.random.Generator
) -> None:
    """Fold the cloth at the elbow (or across a short sleeve) and at the armpit."""
    bent = len(lie.axis) > 2
    centre = lie.axis[1] if bent else sleeve.root
    across = _ray(sleeve.angle)[1]
    for _ in range(4 if bent else 2):
        at = centre + rng.normal(0, 0.03, 2)
        direction = np.arctan2(across[1], across[0]) + rng.normal(0.5, 0.4)
        pieces[-1].folds.append((at[0], at[1], direction, 0.16, 0.8))
    armpit = sleeve.armpit
    pieces[0].folds.append((armpit[0], armpit[1], np.arctan2(-1, 0.2), 0.14, 0.7))


def _finish_opening(pieces: list[Piece], sleeve: Sleeve, lie: SleeveOutline) -> None:
    """Add a rib or a cuff, or sew a hem."""
    top, low = lie.top, lie.low
    n = max(2, int(len(top) * (0.24 if sleeve.is_short else 0.13)))
    if sleeve.cuff in ("rib", "cuff"):
        band = np.vstack([top[-n:], low[:n]])
        cloth: Cloth = "rib" if sleeve.cuff == "rib" else "main"
        pieces.append(Piece(band, sleeve.part, cloth, lie.axis, rise=0.12))
        if sleeve.cuff == "cuff":
            edge = np.array([top[-n], low[n - 1]])
            pieces[-1].details += [
                Detail("seam", edge),
                Detail("button", (0.35 * top[-n // 2] + 0.65 * low[n // 2])[None], 0.011),
            ]
    else:
        edge = curve(top[-n], low[n - 1], n=6)
        pieces[-1].details.append(Detail("stitch", edge, 0.003))
