"""Garments that hang from the waist: trousers, shorts, skirts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cuts import Lower
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


@dataclass(frozen=True)
class _Trousers:
    """The measures and the style of trousers; widths are half widths, `band` is the waistband's height."""

    cut: Lower
    length: float
    waist: float
    rise: float
    dip: float
    hip: float
    foot: float
    waistband: str
    pocket: str
    cuff: str
    band: float = 0.06

    @classmethod
    def choose(cls, cut: Lower, rng: np.random.Generator) -> _Trousers:
        """Draw measures and styles from a cut."""

        def draw(name: str) -> float:
            return float(rng.uniform(*getattr(cut, name)))

        length, waist, rise, dip = draw("length"), draw("waist"), draw("rise"), draw("dip")
        hip, foot = draw("hip") * waist, draw("hem")
        waistband, pocket, cuff = (pick(rng, f) for f in (cut.waistband, cut.pocket, cut.cuff))
        rise = min(rise, 0.62 * length)
        return cls(cut, length, waist, rise, dip, hip, foot, waistband, pocket, cuff)

    @property
    def is_long(self) -> bool:
        """Whether the legs reach below the knee."""
        return self.length > 0.95


def trousers(category: str, cut: Lower, rng: np.random.Generator) -> Garment:
    """Cut trousers or shorts."""
    shape = _Trousers.choose(cut, rng)
    waist, dip, band = shape.waist, shape.dip, shape.band
    pieces = [_back(waist, dip, 0.018, 0.014)]
    edges: Edges = on_both_sides("waist", _waist_line(waist, dip), "band")
    sides = (-1, 1) if rng.random() < 0.5 else (1, -1)
    for sx in sides:
        leg, leg_edges = _leg(shape, sx, rng)
        pieces += leg
        edges.update(leg_edges)
    if shape.waistband == "band":
        top_leg = next(p for p in reversed(pieces) if p.part.endswith("leg") and p.cloth == "main")
        sx = sides[1]
        fly = curve(
            (0.05 * sx, band + dip), (0.05 * sx, 0.7 * shape.rise), (0.0, 0.86 * shape.rise)
        )
        top_leg.details += [
            Detail("stitch", fly, 0.003),
            Detail("seam", curve((0.0, band + dip), (0, shape.rise), n=6), 0.006),
        ]
    pieces.append(_waistband(waist, shape.hip, shape.rise, dip, band, shape.waistband, rng))
    marks = np.zeros((8, 2))
    marks[4:6] = (-waist, 0), (waist, 0)
    marks[6], marks[7] = (edges[f"outer_{side}"].points[-1] for side in ("left", "right"))
    owners = ("", "", "", "", "band", "band", "left_leg", "right_leg")
    edges["crotch"] = Edge(np.array([_crotch(shape.rise)]), _part(sides[1]))
    return Garment(category, "lower", pieces, marks, owners, cut.fabrics, edges)


def _waist_line(waist: float, dip: float) -> Points:
    """Return the right half of the front's upper edge, from the middle."""
    return curve((0, dip), (0.6 * waist, 0.6 * dip), (waist, 0), n=8)


def _part(sx: int) -> str:
    return "left_leg" if sx < 0 else "right_leg"


_GORE = np.array([[0.004, 1.0], [-0.012, 0.9]])
"""The end of the right leg's inner edge, which laps over the middle: x, and y as a share of the rise."""


def _crotch(rise: float) -> tuple[float, float]:
    """Return the point between the legs where their outlines meet."""
    (x0, y0), (x1, y1) = _GORE
    return 0.0, float(y0 + (y1 - y0) * x0 / (x0 - x1)) * rise


def _back(waist: float, dip: float, lift: float, sag: float) -> Piece:
    """Return the inside of the back that shows above the front's edge."""
    outline = np.vstack(
        [
            curve((0, -lift), (0.6 * waist, -sag), (waist, 0)),
            [[0.5 * waist, dip + 0.03], [0, dip + 0.03]],
        ]
    )
    return Piece(closed(outline), "torso", "lining", rise=0.0)


def _leg(shape: _Trousers, sx: int, rng: np.random.Generator) -> tuple[list[Piece], Edges]:
    """Return a leg with its cuff, on the left (`sx` -1) or right (1), and its edges."""
    waist, hip, foot, rise, dip = shape.waist, shape.hip, shape.foot, shape.rise, shape.dip
    a = np.deg2rad(float(rng.uniform(*shape.cut.spread)))
    along, across = np.array([np.sin(a), np.cos(a)]), np.array([np.cos(a), -np.sin(a)])
    joint = np.array([0.5 * hip, rise])
    down = shape.length - rise
    knee, end = joint + along * down * 0.48, joint + along * down
    knee_width = 0.5 * (0.45 * (0.5 * hip) * 2 + 0.55 * foot * 2) * 0.93
    out, into = end + across * foot, end - across * foot
    top_in, lap = _GORE * (1, rise)
    if shape.is_long:
        outer = curve((waist, 0), (hip, 0.62 * rise), knee + across * knee_width, out)
        inner = curve(into, knee - across * knee_width, top_in)
    else:
        outer = curve((waist, 0), (hip, 0.62 * rise), out)
        inner = curve(into, top_in, n=8)
    foot_line = curve(out, end + along * 0.012, into, n=8)
    top = curve((-0.012, dip), (0.6 * waist, 0.6 * dip), (waist, 0), n=8)
    outline = np.vstack([top, outer, foot_line, inner, lap])
    part = _part(sx)
    leg = Piece(outline, part, axis=np.array([[0.5 * hip, 0.0], joint, end]), rise=0.35)
    _crease(leg, shape, knee, knee_width, rng)
    leg.details.append(Detail("seam", inset(outer[6:], 0.012), 0.005))
    _leg_pocket(leg, shape.pocket, waist, hip, rise, shape.band)
    pieces = [leg]
    if shape.cuff == "rib":
        k = max(2, int(0.1 * len(outer)))
        strip = np.vstack([outer[-k:], foot_line[1:-1], inner[:k]])
        pieces.append(Piece(strip, part, "rib", leg.axis, rise=0.1))
    else:
        for gap in (0.03, 0.037):
            leg.details.append(Detail("stitch", inset(foot_line, gap) * (1, 1), 0.003))
    lines = {"outer": outer, "inner": inner}
    if shape.is_long:
        n = len(outer) // 3  # of each of the outer edge's three spans
        lines |= {"thigh": outer[: 2 * n + 1], "knee_in": inner[n : n + 1]}
    name = "left" if sx < 0 else "right"
    edges = {f"{key}_{name}": Edge(line * (sx, 1), part) for key, line in lines.items()}
    return [flipped(piece) for piece in pieces] if sx < 0 else pieces, edges


def _crease(
    leg: Piece, shape: _Trousers, knee: Points, knee_width: float, rng: np.random.Generator
) -> None:
    """Fold the cloth at the crotch, and at the knee of long legs."""
    rise = shape.rise
    leg.folds += [
        (0.04, rise - 0.01, rng.uniform(-0.5, 0.3), 0.2, 1.0),
        (0.05, rise + 0.01, rng.uniform(0.1, 0.8), 0.22, 0.9),
        (0.06, rise - 0.03, rng.uniform(-1.0, -0.4), 0.16, 0.7),
    ]
    if shape.is_long:
        x, y = knee[0] - knee_width * 0.7, knee[1]
        leg.folds += [
            (x, y + rng.normal(0, 0.05), rng.normal(0.2, 0.4), 0.2, 0.8) for _ in range(3)
        ]


def _leg_pocket(
    leg: Piece, pocket: str, waist: float, hip: float, rise: float, band: float
) -> None:
    if pocket == "jeans":
        line = curve((0.5 * waist, band), (0.6 * waist, 0.13), (0.97 * waist, 0.16), n=8)
        leg.details += [
            Detail("seam", line, 0.006),
            Detail("stitch", line - (0.006, -0.012), 0.003),
            Detail("stitch", line - (0.009, -0.02), 0.003),
        ]
    elif pocket == "slant":
        line = curve((0.62 * waist, band), (1.02 * waist, 0.24), n=6)
        leg.details += [Detail("seam", line, 0.007), Detail("stitch", line - (0.014, 0), 0.003)]


def _waistband(
    waist: float,
    hip: float,
    rise: float,
    dip: float,
    band: float,
    kind: str,
    rng: np.random.Generator,
) -> Piece:
    flare = waist + (hip - waist) * min(1.0, band / (0.62 * rise)) * 1.15
    top = _waist_line(waist, dip)
    low = curve((flare, band), (0.6 * flare, band + 0.6 * dip), (0, band + dip), n=8)
    piece = Piece(
        closed(np.vstack([top, low])), "band", "rib" if kind == "elastic" else "main", rise=0.15
    )
    piece.axis = np.array([[0.0, 0.0], [0.0, 1.0]])
    if kind == "elastic":
        for sx in (-1, 1):
            fall = rng.uniform(0.1, 0.2)
            cord = curve(
                (sx * 0.02, dip + 0.5 * band),
                (sx * 0.05, dip + 0.5 * fall),
                (sx * rng.uniform(0.01, 0.07), dip + band + fall),
            )
            piece.details.append(Detail("line", cord, 0.011))
    else:
        line = np.vstack([low, mirrored(low)])
        piece.details += [
            Detail("stitch", line - (0, 0.008), 0.003),
            Detail("stitch", np.vstack([mirrored(top), top]) - (0, -0.008), 0.003),
            Detail("button", np.array([[0.0, dip + 0.5 * band]]), 0.016),
        ]
        for x in (-0.62, -0.2, 0.2, 0.62):
            loop = box(x * waist - 0.009, 0.6 * dip - 0.002, 0.018, band + 0.006)
            piece.details.append(Detail("patch", loop, 0.004))
    return piece


def skirt(category: str, cut: Lower, rng: np.random.Generator) -> Garment:
    """Cut a skirt."""

    def draw(name: str) -> float:
        return float(rng.uniform(*getattr(cut, name)))

    length, waist, dip = draw("length"), draw("waist"), draw("dip")
    hip, hem = draw("hip") * waist, draw("hem") * waist * (0.6 + 0.4 * length)
    hem = max(hem, 0.98 * hip * 0.9)
    flutes = (float(rng.uniform(*cut.flutes[0])), float(rng.uniform(*cut.flutes[1])))
    waistband, pocket = pick(rng, cut.waistband), pick(rng, cut.pocket)
    hip_y = min(0.24, 0.4 * length)
    sag = (0.03 + 0.12 * (hem - waist)) * (0.5 + 0.5 * flutes[1])
    band = 0.055
    side = curve(
        (waist, 0), (hip, hip_y), (0.5 * (hip + hem), 0.5 * (hip_y + length)), (hem, length)
    )
    x = np.linspace(hem, 0, 40)
    y = length + sag * (1 - (x / hem) ** 2)
    if flutes[0]:
        y += 0.02 * flutes[1] * (1 - (x / hem) ** 8) * np.cos(x / hem * flutes[0] * np.pi)
    low = np.stack([x, y], axis=1)
    low[0] = hem, length
    top = _waist_line(waist, dip)
    skirt = Piece(closed(np.vstack([top, side, low])), "torso", flutes=flutes, rise=0.35)
    skirt.axis = np.array([[0.0, 0.0], [0.0, length]])
    edge = np.vstack([low, mirrored(low)])
    skirt.details += [
        Detail("stitch", edge * (0.99, 1) - (0, gap), 0.003) for gap in (0.025, 0.032)
    ]
    for sx in (-1, 1):
        half = Piece(skirt.outline, "torso")
        _leg_pocket(half, pocket, waist, hip, hip_y, band)
        for detail in half.details:
            detail.points = detail.points * (sx, 1)
        skirt.details += half.details
        skirt.folds.append((sx * waist, 0.12, np.pi / 2 - sx * rng.uniform(-0.2, 0.6), 0.3, 0.6))
    pieces = [_back(waist, dip, 0.016, 0.012), skirt]
    pieces.append(_waistband(waist, hip, hip_y / 0.62, dip, band, waistband, rng))
    marks = np.zeros((8, 2))
    marks[4:] = (-waist, 0), (waist, 0), (-hem, length), (hem, length)
    owners = ("", "", "", "", "band", "band", "torso", "torso")
    edges = on_both_sides("waist", top, "band")
    edges |= on_both_sides("side", side, "torso") | on_both_sides("hem", low, "torso")
    return Garment(category, "lower", pieces, marks, owners, cut.fabrics, edges)
