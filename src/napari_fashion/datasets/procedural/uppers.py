"""Garments with shoulders: shirts, jackets, dresses, babies' bodies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .cuts import Upper
from .pieces import (
    Detail,
    Edge,
    Edges,
    Garment,
    Piece,
    Points,
    box,
    closed,
    curve,
    flipped,
    inset,
    mirrored,
    on_both_sides,
    pick,
)
from .sleeves import Sleeve, SleeveOutline, cut_sleeve
from .trims import COLLARS, FRONTS, POCKETS, Frame

_BACK_NECK = 0.022  # how far the middle of the back's neckline lies below the shoulders


@dataclass(frozen=True)
class _Shape:
    """The measures and the style of one upper garment; widths are half widths.

    Attributes
    ----------
    cut
        What they were drawn from.
    length, chest, neck, depth, drop, armhole, quilt, sleeve, strap
        As in `Upper`; `depth` of the neckline.
    waist_y
        Height of the waist.
    flutes
        Number and depth of the cloth's waves.
    neckline, collar, front, bottom, pocket, cuff
        Names of styles.
    at_neck, at_shoulder, armpit, at_waist, at_hem
        (2,) points of the right half.
    """

    cut: Upper
    length: float
    chest: float
    neck: float
    depth: float
    waist_y: float
    drop: float
    armhole: float
    quilt: float
    sleeve: float
    strap: float
    flutes: tuple[float, float]
    neckline: str
    collar: str
    front: str
    bottom: str
    pocket: str
    cuff: str
    at_neck: Points
    at_shoulder: Points
    armpit: Points
    at_waist: Points
    at_hem: Points

    @classmethod
    def choose(cls, cut: Upper, rng: np.random.Generator) -> _Shape:
        """Draw measures and styles from a cut."""

        def draw(name: str) -> float:
            return float(rng.uniform(*getattr(cut, name)))

        length, chest = draw("length"), draw("chest")
        shoulder, neck, depth = draw("shoulder") * chest, draw("neck"), draw("neck_depth")
        waist, hem, waist_y = draw("waist") * chest, draw("hem") * chest, draw("waist_at") * length
        neckline, collar, front = pick(rng, cut.necks), pick(rng, cut.collar), pick(rng, cut.front)
        bottom, pocket, cuff = pick(rng, cut.bottom), pick(rng, cut.pocket), pick(rng, cut.cuff)
        drop, armhole, quilt = draw("drop"), draw("armhole"), draw("quilt")
        flutes = (float(rng.uniform(*cut.flutes[0])), float(rng.uniform(*cut.flutes[1])))
        sleeve = draw("sleeve")
        strap = draw("strap") if cut.strap[1] else 0.0
        at_shoulder = (neck + strap, drop) if strap else (max(shoulder, neck + 0.03), drop)
        return cls(
            cut=cut,
            length=length,
            chest=chest,
            neck=neck,
            depth=depth,
            waist_y=waist_y,
            drop=drop,
            armhole=armhole,
            quilt=quilt,
            sleeve=sleeve,
            strap=strap,
            flutes=flutes,
            neckline=neckline,
            collar=collar,
            front=front,
            bottom=bottom,
            pocket=pocket,
            cuff=cuff,
            at_neck=np.array([neck, 0.0]),
            at_shoulder=np.array(at_shoulder),
            armpit=np.array([chest, armhole]),
            at_waist=np.array([waist, waist_y]),
            at_hem=np.array([hem, length]),
        )

    @property
    def neck_line(self) -> Points:
        """The neckline's right half, from the middle to the shoulder."""
        return NECKS[self.neckline](self.neck, self.depth)

    @property
    def side(self) -> Points:
        """The right side, from the armpit to the hem."""
        if self.cut.body_type == "full" and self.at_hem[0] > 1.12 * self.at_waist[0]:
            return _dress_side(self.armpit, self.at_waist, self.at_hem)
        return curve(self.armpit, self.at_waist, self.at_hem)

    @property
    def strap_foot(self) -> Points:
        """(2,) where the right strap's outer edge meets the cloth that hangs from it."""
        return np.array([0.84 * self.neck + self.strap, 0.7 * self.depth])

    @property
    def arm(self) -> Points:
        """The right edge from the shoulder to the armpit; the sleeve lies over it, if there is one."""
        (shoulder, drop), armhole = self.at_shoulder, self.armhole
        if self.sleeve:
            middle = (max(shoulder, self.chest) * 0.99, 0.5 * (drop + armhole))
            return curve(self.at_shoulder, middle, self.armpit, n=6)
        if self.strap:
            foot = self.strap_foot
            below = 0.5 * (foot + self.armpit) + (-0.01, 0.025)
            return np.vstack([curve(self.at_shoulder, foot, n=8), curve(foot, below, self.armpit)])
        middle = (min(shoulder, self.chest) - 0.02, drop + 0.45 * (armhole - drop))
        return curve(self.at_shoulder, middle, self.armpit)


def upper(category: str, cut: Upper, rng: np.random.Generator) -> Garment:
    """Cut a shirt, a jacket, a dress or a body."""
    shape = _Shape.choose(cut, rng)
    low = _BOTTOMS[shape.bottom](shape.at_hem, rng)
    torso = _torso(shape, low, rng)
    pieces = [_well(shape, rng)]
    under, over, sleeves = _sleeves(shape, rng)
    pieces = [*under, *pieces, torso]
    frame = Frame(
        shape.neck,
        shape.depth,
        shape.neck_line,
        shape.chest,
        shape.length,
        shape.drop,
        shape.collar,
    )
    FRONTS[shape.front](torso, frame, rng)
    POCKETS[shape.pocket](torso, frame, rng)
    at_waist, at_hem = shape.at_waist, shape.at_hem
    if cut.waist_seam and rng.random() < cut.waist_seam:
        seam = curve(-at_waist * (1, -1), (0, shape.waist_y + 0.01), at_waist)
        torso.details.append(Detail("seam", seam))
    _finish_bottom(torso, pieces, shape, rng)
    if not shape.sleeve:
        for sx in (-1, 1):
            torso.details.append(Detail("stitch", inset(shape.arm, 0.018) * (sx, 1), 0.003))
    pieces += over
    COLLARS[shape.collar](pieces, frame, rng)

    edges = _edges(shape, low)
    for end in sleeves:
        edges.update(end.edges)
    marks = [shape.at_neck * (-1, 1), shape.at_neck, *(end.corner for end in sleeves)]
    marks += [at_waist * (-1, 1), at_waist, at_hem * (-1, 1), at_hem]
    arms = ("left_sleeve", "right_sleeve") if shape.sleeve else ("torso", "torso")
    waists = ("torso", "torso") if cut.body_type == "full" else ("", "")
    owners = ("torso", "torso", *arms, *waists, "torso", "torso")
    return Garment(category, cut.body_type, pieces, np.array(marks), owners, cut.fabrics, edges)


def _edges(shape: _Shape, low: Points) -> Edges:
    """Return the torso's edges; `low` is the right half of its bottom, from the side."""
    edges = {"back_neck": Edge(np.array([[0.0, _BACK_NECK]]), "torso")}
    lines = {"neck": shape.neck_line, "arm": shape.arm, "side": shape.side, "hem": low}
    if shape.strap:
        lines["strap"] = shape.strap_foot
    for name, line in lines.items():
        edges.update(on_both_sides(name, line, "torso"))
    return edges


def _torso(shape: _Shape, low: Points, rng: np.random.Generator) -> Piece:
    yoke = curve(shape.at_neck, shape.at_shoulder, n=4)
    right = np.vstack([shape.neck_line, yoke, shape.arm, shape.side, low])
    fluted = shape.cut.body_type == "full" or shape.flutes[0]
    torso = Piece(
        closed(right),
        "torso",
        flutes=shape.flutes if fluted else (0.0, 0.0),
        quilt=shape.quilt,
        front=shape.front == "plain",
        axis=np.array([[0.0, 0.0], [0.0, shape.length]]),
    )
    chest, waist, armhole = shape.chest, float(shape.at_waist[0]), shape.armhole
    for sx in (-1, 1):
        torso.folds += [
            (sx * chest * 0.96, armhole + 0.01, np.pi / 2 + sx * rng.uniform(0.5, 1.1), 0.28, 0.9),
            (sx * chest * 0.9, armhole - 0.03, np.pi / 2 + sx * rng.uniform(1.0, 1.7), 0.22, 0.6),
            (sx * waist * 0.95, shape.waist_y, np.pi / 2 + sx * rng.uniform(0.8, 1.9), 0.3, 0.7),
        ]
    return torso


def _well(shape: _Shape, rng: np.random.Generator) -> Piece:
    """Return the inside of the back that shows in the neckline, perhaps with a label."""
    neck = shape.neck
    back = np.vstack(
        [curve((0, _BACK_NECK), (neck * 0.6, 0.016), (neck, 0)), [[neck + 0.01, 0.01]]]
    )
    well = np.vstack([back, inset(shape.neck_line, 0.012)[-2::-1]])
    piece = Piece(closed(well), "torso", "lining", rise=-0.25)
    if shape.depth > 0.08 and rng.random() < 0.7:
        piece.details.append(Detail("label", box(-0.028, 0.036, 0.056, 0.032)))
    return piece


@dataclass(frozen=True)
class _ArmEnd:
    """The outer corner (2,) of a sleeve's opening, or the shoulder without one, and the sleeve's edges."""

    corner: Points
    edges: Edges


def _sleeves(
    shape: _Shape, rng: np.random.Generator
) -> tuple[list[Piece], list[Piece], list[_ArmEnd]]:
    """Return the sleeves that lie under the torso, those over it, and where they end, left and right."""
    under: list[Piece] = []
    over: list[Piece] = []
    ends: list[_ArmEnd] = []
    cut = shape.cut
    for sx, part in ((-1, "left_sleeve"), (1, "right_sleeve")):
        if not shape.sleeve:
            ends.append(_ArmEnd(shape.at_shoulder * (sx, 1), {}))
            continue
        folded = rng.random() < cut.folded
        angle, bend = float(rng.uniform(*cut.angle)), float(rng.uniform(*cut.bend))
        if folded:
            angle, bend = rng.uniform(15, 32), rng.uniform(95, 150)
        tube, lie = cut_sleeve(
            Sleeve(
                shoulder=shape.at_shoulder,
                armpit=shape.armpit,
                length=shape.sleeve,
                opening=float(rng.uniform(*cut.opening)),
                angle=angle,
                bend=bend,
                cuff=shape.cuff,
                part=part,
                quilt=shape.quilt,
            ),
            rng,
        )
        if sx < 0:
            tube = [flipped(piece) for piece in tube]
        lies_under = not folded and shape.sleeve > 0.5 and rng.random() < 0.2
        (under if lies_under else over).extend(tube)
        ends.append(_ArmEnd(lie.end * (sx, 1), _sleeve_edges(shape, lie, sx, lies_under)))
    return under, over, ends


def _sleeve_edges(shape: _Shape, lie: SleeveOutline, sx: int, lies_under: bool) -> Edges:
    """Return the edges of the left (`sx` -1) or right (1) sleeve; the seam is of what lies on top."""
    side, part = ("left", "left_sleeve") if sx < 0 else ("right", "right_sleeve")
    return {
        f"arm_{side}": Edge(shape.arm * (sx, 1), "torso" if lies_under else part),
        f"sleeve_top_{side}": Edge(lie.top * (sx, 1), part),
        f"sleeve_low_{side}": Edge(lie.low * (sx, 1), part),
    }


def _dress_side(armpit: Points, waist: Points, hem: Points) -> Points:
    below = waist + (hem - waist) * (0.3, 0.22)
    return np.vstack(
        [
            curve(armpit, waist - (-0.01, 0.08), waist, n=8),
            curve(waist, below, waist + (hem - waist) * (0.72, 0.65), hem),
        ]
    )


def _neck_round(neck: float, depth: float) -> Points:
    return curve((0, depth), (0.5 * neck, 0.88 * depth), (0.86 * neck, 0.5 * depth), (neck, 0))


def _neck_v(neck: float, depth: float) -> Points:
    return curve((0, 1.35 * depth), (0.5 * neck, 0.76 * depth), (neck, 0))


def _neck_scoop(neck: float, depth: float) -> Points:
    return curve(
        (0, 1.2 * depth), (0.55 * neck, 1.1 * depth), (0.92 * neck, 0.55 * depth), (neck, 0)
    )


def _neck_boat(neck: float, depth: float) -> Points:
    return curve((0, 0.45 * depth), (0.6 * neck, 0.32 * depth), (neck, 0))


def _neck_square(neck: float, depth: float) -> Points:
    corner = (0.86 * neck, depth)
    return np.vstack([curve((0, 1.02 * depth), corner, n=8), curve(corner, (neck, 0), n=8)])


def _neck_sweet(neck: float, depth: float) -> Points:
    top = (0.8 * neck, 0.74 * depth)
    return np.vstack(
        [curve((0, depth), (0.4 * neck, 0.8 * depth), top), curve(top, (neck, 0), n=8)]
    )


NECKS: dict[str, Callable[[float, float], Points]] = {
    "round": _neck_round,
    "v": _neck_v,
    "scoop": _neck_scoop,
    "boat": _neck_boat,
    "square": _neck_square,
    "sweet": _neck_sweet,
}


def _bottom_straight(hem: Points, rng: np.random.Generator) -> Points:
    sag = rng.uniform(0.0, 0.03)
    return curve(hem, hem * (0.5, 1) + (0, 0.8 * sag), (0, hem[1] + sag))


def _bottom_tail(hem: Points, rng: np.random.Generator) -> Points:
    sag = rng.uniform(0.06, 0.1)
    return curve(
        hem, hem * (0.8, 1) + (0, 0.35 * sag), hem * (0.45, 1) + (0, sag), (0, hem[1] + sag)
    )


def _bottom_cutaway(hem: Points, rng: np.random.Generator) -> Points:
    return curve(hem, hem * (0.5, 1) + (0, 0.03), hem * (0.18, 1) + (0, 0.03), (0, hem[1] - 0.05))


def _bottom_body(hem: Points, rng: np.random.Generator) -> Points:
    crotch, fall = rng.uniform(0.085, 0.11), rng.uniform(0.2, 0.26)
    leg = curve(hem, hem * (0.66, 1) + (0, 0.06), (crotch + 0.03, hem[1] + 0.72 * fall))
    return np.vstack([leg, curve((crotch, hem[1] + fall), (0, hem[1] + fall + 0.005), n=4)])


_BOTTOMS: dict[str, Callable[[Points, np.random.Generator], Points]] = {
    "straight": _bottom_straight,
    "rib": _bottom_straight,
    "tail": _bottom_tail,
    "cutaway": _bottom_cutaway,
    "body": _bottom_body,
}


def _finish_bottom(
    torso: Piece, pieces: list[Piece], shape: _Shape, rng: np.random.Generator
) -> None:
    """Sew the hem, or add a rib."""
    at_hem, side = shape.at_hem, shape.side
    lower = torso.outline[np.abs(torso.outline[:, 1]) > 0]  # the outline is right half then left
    start = int(np.argmin(np.linalg.norm(lower - at_hem, axis=1)))
    stop = len(torso.outline) - start
    edge = torso.outline[start:stop]
    if shape.bottom == "rib":
        band = 0.075
        strip = side[side[:, 1] > shape.length - band]
        outline = np.vstack([strip, edge[1:-1], mirrored(strip), edge[::-1] - (0, band)])
        pieces.append(Piece(outline, "torso", "rib", rise=0.12))
    elif shape.bottom == "body":
        for sx in (-1, 1):
            half = edge[: len(edge) // 2 - 3] if sx > 0 else edge[-(len(edge) // 2 - 3) :]
            torso.details.append(Detail("line", inset(half, 0.008), 0.022))
        low = float(edge[:, 1].max())
        torso.details += [
            Detail("button", np.array([[x, low - 0.025]]), 0.012) for x in (-0.05, 0.0, 0.05)
        ]
    else:
        torso.details += [
            Detail("stitch", edge * (0.985, 1) - (0, gap), 0.003) for gap in (0.024, 0.031)
        ]
