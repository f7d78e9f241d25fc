"""Garment shapes: closed spline outlines, seams and landmarks of one flat garment.

Everything here is in the garment's own plane: x to the viewer's right from the garment's middle,
y down from its shoulders (or waistband); the length of a T-shirt is about 1. What distinguishes
one kind of garment from another is data, in `CUTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Range = tuple[float, float]
Cloth = Literal["main", "trim", "rib", "lining"]

LANDMARKS = (
    "left_collar",
    "right_collar",
    "left_sleeve",
    "right_sleeve",
    "left_waistline",
    "right_waistline",
    "left_hem",
    "right_hem",
)


@dataclass
class Detail:
    """What is sewn on or into a piece: ``seam``, ``stitch``, ``line``, ``zip``, ``patch``, ``button``.

    `points` is an open line, for ``patch`` a closed outline, for ``button`` a single point;
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


@dataclass
class Garment:
    """A flat garment: pieces bottom to top, landmarks (K, 2) and the part each belongs to."""

    category: str
    body_type: str
    pieces: list[Piece]
    landmarks: Points
    owners: tuple[str, ...]
    fabrics: tuple[str, ...]


@dataclass(frozen=True)
class Upper:
    """The cut of what has shoulders. Pairs are ranges; widths are half widths.

    `waist`, `hem` and `shoulder` are relative to `chest`, `waist_at` to `length`; angles are in
    degrees from hanging straight down.
    """

    length: Range = (0.95, 1.08)
    chest: Range = (0.36, 0.42)
    waist: Range = (0.93, 1.0)
    hem: Range = (0.96, 1.06)
    shoulder: Range = (0.84, 0.95)
    waist_at: Range = (0.55, 0.62)
    drop: Range = (0.07, 0.11)
    armhole: Range = (0.27, 0.33)
    neck: Range = (0.13, 0.17)
    neck_depth: Range = (0.09, 0.14)
    necks: tuple[str, ...] = ("round",)
    collar: tuple[str, ...] = ("rib",)
    sleeve: Range = (0.2, 0.28)
    opening: Range = (0.17, 0.21)
    angle: Range = (38, 68)
    bend: Range = (0, 0)
    folded: float = 0.0
    cuff: tuple[str, ...] = ("hem",)
    front: tuple[str, ...] = ("plain",)
    bottom: tuple[str, ...] = ("straight",)
    pocket: tuple[str, ...] = ("none",)
    body_type: str = "upper"
    flutes: tuple[Range, Range] = ((0, 0), (0, 0))
    waist_seam: float = 0.0
    quilt: Range = (0, 0)
    fabrics: tuple[str, ...] = ("solid", "graphic", "stripes", "heather", "graphic")


@dataclass(frozen=True)
class Lower:
    """The cut of what hangs from the waist. `hip` and `hem` are relative to `waist`."""

    length: Range = (1.3, 1.5)
    waist: Range = (0.25, 0.31)
    hip: Range = (1.14, 1.28)
    hem: Range = (0.1, 0.15)
    rise: Range = (0.32, 0.4)
    spread: Range = (1, 9)
    dip: Range = (0.0, 0.035)
    waistband: tuple[str, ...] = ("band",)
    pocket: tuple[str, ...] = ("jeans",)
    cuff: tuple[str, ...] = ("hem",)
    flutes: tuple[Range, Range] = ((0, 0), (0, 0))
    legs: bool = True
    body_type: str = "lower"
    fabrics: tuple[str, ...] = ("denim", "denim", "solid", "twill")


Cut = Upper | Lower

_LONG = {
    "sleeve": (0.72, 0.86),
    "opening": (0.11, 0.14),
    "angle": (14, 44),
    "bend": (-12, 32),
    "folded": 0.12,
}
_NONE = {"sleeve": (0.0, 0.0), "collar": ("none",)}

CUTS: dict[str, tuple[Cut, ...]] = {
    "T-Shirt": (
        Upper(pocket=("none", "none", "chest")),
        Upper(
            chest=(0.31, 0.35),
            waist=(0.86, 0.93),
            hem=(0.98, 1.08),
            necks=("v", "round", "scoop"),
            sleeve=(0.13, 0.2),
            opening=(0.14, 0.17),
        ),
    ),
    "Longsleeve": (
        Upper(**_LONG, cuff=("hem", "rib"), bottom=("straight", "rib"), necks=("round", "v")),
        Upper(
            **_LONG,
            cuff=("rib",),
            bottom=("rib",),
            collar=("rib", "stand"),
            fabrics=("knit", "knit", "stripes", "heather"),
        ),
    ),
    "Shirt": (
        Upper(
            **_LONG,
            collar=("shirt",),
            front=("buttons",),
            bottom=("tail", "tail", "straight"),
            cuff=("cuff",),
            pocket=("chest", "none"),
            necks=("v",),
            neck_depth=(0.07, 0.13),
            fabrics=("plaid", "gingham", "solid", "pinstripe", "plaid", "chambray"),
        ),
        Upper(
            collar=("shirt",),
            front=("buttons",),
            bottom=("tail", "straight"),
            pocket=("chest", "none"),
            necks=("v",),
            neck_depth=(0.08, 0.16),
            fabrics=("plaid", "solid", "micro", "floral", "chambray"),
        ),
    ),
    "Polo": (
        Upper(
            collar=("polo",),
            front=("placket",),
            cuff=("rib", "hem"),
            necks=("v",),
            neck_depth=(0.08, 0.13),
            fabrics=("pique", "pique", "stripes", "micro"),
        ),
    ),
    "Blouse": (
        Upper(
            chest=(0.36, 0.42),
            waist=(0.88, 0.98),
            hem=(1.0, 1.15),
            necks=("v", "round"),
            collar=("none", "shirt"),
            front=("buttons", "plain"),
            sleeve=(0.45, 0.8),
            opening=(0.15, 0.22),
            angle=(18, 46),
            bend=(-8, 20),
            cuff=("cuff", "hem"),
            bottom=("tail", "straight"),
            flutes=((5, 8), (0.1, 0.3)),
            fabrics=("floral", "satin", "dots", "floral", "solid"),
        ),
    ),
    "Top": (
        Upper(
            **_NONE,
            length=(0.72, 0.92),
            chest=(0.31, 0.36),
            waist=(0.88, 0.98),
            hem=(0.98, 1.2),
            shoulder=(0.5, 0.62),
            neck=(0.14, 0.17),
            neck_depth=(0.2, 0.28),
            drop=(-0.005, 0.01),
            necks=("sweet", "v", "square"),
            flutes=((5, 8), (0.1, 0.4)),
            fabrics=("floral", "stripes", "solid", "satin", "dots"),
        ),
    ),
    "Undershirt": (
        Upper(
            **_NONE,
            length=(0.92, 1.05),
            chest=(0.32, 0.38),
            shoulder=(0.62, 0.76),
            neck=(0.14, 0.17),
            neck_depth=(0.16, 0.24),
            drop=(0.015, 0.04),
            necks=("scoop", "round"),
            fabrics=("solid", "ribbed", "graphic", "stripes", "heather"),
        ),
    ),
    "Hoodie": (
        Upper(
            **_LONG,
            collar=("hood",),
            front=("plain", "zip"),
            cuff=("rib",),
            bottom=("rib",),
            pocket=("kangaroo",),
            neck=(0.15, 0.18),
            neck_depth=(0.1, 0.13),
            fabrics=("fleece", "graphic", "heather", "fleece"),
        ),
    ),
    "Outwear": (
        Upper(
            **{**_LONG, "opening": (0.13, 0.16)},
            chest=(0.4, 0.46),
            collar=("hood", "stand", "stand"),
            front=("zip",),
            cuff=("rib", "hem"),
            bottom=("rib", "straight"),
            pocket=("welt",),
            quilt=(0.7, 1.0),
            fabrics=("nylon",),
        ),
        Upper(
            **{**_LONG, "opening": (0.13, 0.16)},
            chest=(0.38, 0.44),
            collar=("shirt", "stand"),
            front=("zip", "buttons"),
            cuff=("cuff",),
            bottom=("rib", "straight"),
            pocket=("flap", "welt"),
            fabrics=("denim", "twill", "camo", "nylon"),
        ),
        Upper(
            **{**_LONG, "opening": (0.14, 0.17)},
            length=(1.3, 1.55),
            chest=(0.37, 0.42),
            waist=(0.84, 0.93),
            hem=(1.08, 1.25),
            waist_at=(0.4, 0.45),
            collar=("lapel", "hood"),
            front=("buttons", "zip"),
            pocket=("flap",),
            body_type="full",
            fabrics=("wool", "wool", "twill"),
        ),
    ),
    "Blazer": (
        Upper(
            **{**_LONG, "opening": (0.13, 0.15)},
            length=(1.0, 1.15),
            waist=(0.86, 0.93),
            hem=(0.98, 1.08),
            drop=(0.08, 0.11),
            collar=("lapel",),
            front=("buttons",),
            bottom=("cutaway",),
            pocket=("flap",),
            fabrics=("wool", "herringbone", "plaid", "pinstripe", "wool"),
        ),
    ),
    "Dress": (
        Upper(
            **_NONE,
            length=(1.5, 1.9),
            chest=(0.29, 0.34),
            waist=(0.8, 0.9),
            hem=(1.6, 2.2),
            shoulder=(0.56, 0.7),
            waist_at=(0.36, 0.42),
            drop=(0.0, 0.02),
            neck=(0.12, 0.16),
            neck_depth=(0.16, 0.26),
            necks=("sweet", "v", "scoop", "square"),
            body_type="full",
            flutes=((6, 10), (0.7, 1.0)),
            waist_seam=0.8,
            fabrics=("floral", "floral", "dots", "satin", "gingham", "solid"),
        ),
        Upper(
            length=(1.45, 1.75),
            chest=(0.31, 0.36),
            waist=(0.82, 0.92),
            hem=(1.15, 1.75),
            waist_at=(0.37, 0.43),
            necks=("round", "v", "boat"),
            collar=("none",),
            sleeve=(0.14, 0.5),
            opening=(0.13, 0.18),
            angle=(20, 50),
            body_type="full",
            flutes=((4, 8), (0.3, 0.8)),
            waist_seam=0.6,
            fabrics=("solid", "floral", "stripes", "dots", "knit"),
        ),
    ),
    "Body": (
        Upper(
            length=(0.95, 1.05),
            chest=(0.35, 0.4),
            waist=(0.93, 0.99),
            hem=(0.96, 1.04),
            shoulder=(0.8, 0.9),
            waist_at=(0.6, 0.66),
            neck=(0.16, 0.2),
            neck_depth=(0.1, 0.14),
            collar=("lap",),
            sleeve=(0.16, 0.6),
            opening=(0.13, 0.16),
            angle=(35, 75),
            cuff=("rib",),
            bottom=("body",),
            body_type="full",
            fabrics=("motif", "stripes", "graphic", "dots", "motif"),
        ),
    ),
    "Pants": (
        Lower(),
        Lower(
            hem=(0.13, 0.18),
            pocket=("slant",),
            fabrics=("twill", "wool", "solid", "pinstripe", "camo"),
        ),
        Lower(
            length=(1.2, 1.35),
            hem=(0.09, 0.11),
            waistband=("elastic",),
            cuff=("rib",),
            pocket=("slant",),
            fabrics=("heather", "fleece"),
        ),
    ),
    "Shorts": (
        Lower(
            length=(0.62, 0.85),
            hem=(0.2, 0.25),
            spread=(4, 14),
            fabrics=("denim", "twill", "plaid", "denim"),
        ),
        Lower(
            length=(0.52, 0.68),
            hem=(0.22, 0.28),
            spread=(6, 16),
            waistband=("elastic",),
            pocket=("slant",),
            fabrics=("solid", "heather", "floral", "stripes", "nylon"),
        ),
    ),
    "Skirt": (
        Lower(
            legs=False,
            length=(0.55, 1.25),
            hip=(1.3, 1.6),
            hem=(2.0, 3.0),
            waist=(0.22, 0.28),
            flutes=((6, 11), (0.7, 1.0)),
            pocket=("none",),
            waistband=("band", "elastic"),
            fabrics=("floral", "satin", "solid", "dots", "plaid"),
        ),
        Lower(
            legs=False,
            length=(0.55, 0.95),
            hip=(1.2, 1.3),
            hem=(1.05, 1.4),
            waist=(0.25, 0.3),
            pocket=("jeans", "none", "none"),
            fabrics=("denim", "wool", "solid", "herringbone"),
        ),
    ),
}


def cut_garment(category: str, rng: np.random.Generator) -> Garment:
    """Cut a garment of a category, one of the keys of `CUTS`."""
    cuts = CUTS[category]
    cut = cuts[int(rng.integers(len(cuts)))]
    if isinstance(cut, Upper):
        garment = _upper(category, cut, rng)
    elif cut.legs:
        garment = _trousers(category, cut, rng)
    else:
        garment = _skirt(category, cut, rng)
    _relax(garment, rng)
    return garment


# -- curves --------------------------------------------------------------------------------------


def curve(*points: object, n: int = 14) -> Points:
    """Return a smooth line through `points` (cubic Hermite, chord-length knots), ends included."""
    p = np.array(points, dtype=np.float64)
    if len(p) == 2:
        return p[0] + (p[1] - p[0]) * np.linspace(0, 1, n)[:, None]
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
    return line[::-1] * (-1.0, 1.0)


def _closed(right: Points) -> Points:
    """Close a right half, from the middle above to the middle below, by its mirror image."""
    return np.vstack([right, mirrored(right)])


def _disc(centre: object, rx: float, ry: float | None = None, n: int = 24) -> Points:
    a = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.array(centre) + np.stack([rx * np.cos(a), (ry or rx) * np.sin(a)], axis=1)


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
        return p + sum(np.sin(p @ k + phase)[:, None] * push for k, phase, push in waves)

    for piece in garment.pieces:
        piece.outline = displaced(piece.outline)
        for detail in piece.details:
            detail.points = displaced(detail.points)
    garment.landmarks = displaced(garment.landmarks)


# -- uppers and dresses --------------------------------------------------------------------------


def _pick(rng: np.random.Generator, among: tuple[str, ...]) -> str:
    return among[int(rng.integers(len(among)))]


def _upper(category: str, cut: Upper, rng: np.random.Generator) -> Garment:
    def draw(name: str) -> float:
        return float(rng.uniform(*getattr(cut, name)))

    length, chest = draw("length"), draw("chest")
    shoulder, neck, depth = draw("shoulder") * chest, draw("neck"), draw("neck_depth")
    waist, hem, waist_y = draw("waist") * chest, draw("hem") * chest, draw("waist_at") * length
    neckline, collar, front = _pick(rng, cut.necks), _pick(rng, cut.collar), _pick(rng, cut.front)
    bottom, pocket, cuff = _pick(rng, cut.bottom), _pick(rng, cut.pocket), _pick(rng, cut.cuff)
    drop, armhole, quilt = draw("drop"), draw("armhole"), draw("quilt")
    flutes = (float(rng.uniform(*cut.flutes[0])), float(rng.uniform(*cut.flutes[1])))
    sleeve = draw("sleeve")
    shoulder = max(shoulder, neck + 0.03)

    at_neck, at_shoulder = np.array([neck, 0.0]), np.array([shoulder, drop])
    armpit, at_waist = np.array([chest, armhole]), np.array([waist, waist_y])
    at_hem = np.array([hem, length])
    side = (
        _dress_side(armpit, at_waist, at_hem)
        if hem > 1.12 * waist and cut.body_type == "full"
        else curve(armpit, at_waist, at_hem)
    )
    if sleeve:  # the sleeve lies over this stretch
        arm = curve(at_shoulder, (max(shoulder, chest) * 0.99, 0.5 * (drop + armhole)), armpit, n=6)
    else:
        inner = min(shoulder, chest) - 0.02
        arm = curve(at_shoulder, (inner, drop + 0.45 * (armhole - drop)), armpit)
    low = _BOTTOMS[bottom](at_hem, rng)
    right = np.vstack(
        [_NECKS[neckline](neck, depth), curve(at_neck, at_shoulder, n=4), arm, side, low]
    )
    torso = Piece(
        _closed(right),
        "torso",
        flutes=flutes if cut.body_type == "full" or flutes[0] else (0.0, 0.0),
        quilt=quilt,
        front=front == "plain",
        axis=np.array([[0.0, 0.0], [0.0, length]]),
    )
    for sx in (-1, 1):
        torso.folds += [
            (sx * chest * 0.96, armhole + 0.01, np.pi / 2 + sx * rng.uniform(0.5, 1.1), 0.28, 0.9),
            (sx * chest * 0.9, armhole - 0.03, np.pi / 2 + sx * rng.uniform(1.0, 1.7), 0.22, 0.6),
            (sx * waist * 0.95, waist_y, np.pi / 2 + sx * rng.uniform(0.8, 1.9), 0.3, 0.7),
        ]
    pieces: list[Piece] = []
    back = np.vstack([curve((0, 0.022), (neck * 0.6, 0.016), (neck, 0)), [[neck + 0.01, 0.01]]])
    well = np.vstack([back, [[neck * 0.7, depth + 0.02], [0, depth + 0.03]]])
    pieces.append(Piece(_closed(well), "torso", "lining", rise=0.0))
    arms: list[Piece] = []
    under: list[Piece] = []
    sleeve_ends: list[Points] = []
    for sx, part in ((-1, "left_sleeve"), (1, "right_sleeve")):
        if not sleeve:
            sleeve_ends.append(at_shoulder * (sx, 1))
            continue
        folded = rng.random() < cut.folded
        angle, bend = draw("angle"), draw("bend")
        if folded:
            angle, bend = rng.uniform(15, 32), rng.uniform(95, 150)
        tube, end = _sleeve(
            at_shoulder, armpit, sleeve, draw("opening"), angle, bend, cuff, part, quilt, rng
        )
        if sx < 0:
            tube, end = [_flip_piece(piece) for piece in tube], end * (-1, 1)
        (under if not folded and sleeve > 0.5 and rng.random() < 0.2 else arms).extend(tube)
        sleeve_ends.append(end)
    pieces = under + pieces + [torso]
    _FRONTS[front](torso, neck, depth, length, collar, rng)
    _POCKETS[pocket](torso, chest, length, front, rng)
    if cut.waist_seam and rng.random() < cut.waist_seam:
        torso.details.append(
            Detail("seam", curve(-at_waist * (1, -1), (0, waist_y + 0.01), at_waist))
        )
    _finish_bottom(torso, pieces, bottom, side, at_hem, hem, length, rng)
    if not sleeve:
        for sx in (-1, 1):
            torso.details.append(Detail("stitch", _inset(arm, 0.018) * (sx, 1), 0.003))
    pieces += arms
    _COLLARS[collar](pieces, neck, depth, neckline, length, drop, rng)

    marks = [at_neck * (-1, 1), at_neck, *sleeve_ends]
    marks += [at_waist * (-1, 1), at_waist, at_hem * (-1, 1), at_hem]
    sleeves = ("left_sleeve", "right_sleeve") if sleeve else ("torso", "torso")
    waists = ("torso", "torso") if cut.body_type == "full" else ("", "")
    owners = ("torso", "torso", *sleeves, *waists, "torso", "torso")
    return Garment(category, cut.body_type, pieces, np.array(marks), owners, cut.fabrics)


def _dress_side(armpit: Points, waist: Points, hem: Points) -> Points:
    below = waist + (hem - waist) * (0.3, 0.22)
    return np.vstack(
        [
            curve(armpit, waist + (0.01, -0.08), waist, n=8),
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


_NECKS: dict[str, Callable[[float, float], Points]] = {
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
    torso: Piece,
    pieces: list[Piece],
    bottom: str,
    side: Points,
    at_hem: Points,
    hem: float,
    length: float,
    rng: np.random.Generator,
) -> None:
    lower = torso.outline[np.abs(torso.outline[:, 1]) > 0]  # the outline is right half then left
    start = int(np.argmin(np.linalg.norm(lower - at_hem, axis=1)))
    stop = len(torso.outline) - start
    edge = torso.outline[start:stop]
    if bottom == "rib":
        band = 0.075
        strip = side[side[:, 1] > length - band]
        outline = np.vstack([strip, edge[1:-1], mirrored(strip), edge[::-1] - (0, band)])
        pieces.append(Piece(outline, "torso", "rib", rise=0.12))
    elif bottom == "body":
        for sx in (-1, 1):
            half = edge[: len(edge) // 2 - 3] if sx > 0 else edge[-(len(edge) // 2 - 3) :]
            torso.details.append(Detail("line", _inset(half, 0.008), 0.022))
        low = float(edge[:, 1].max())
        torso.details += [
            Detail("button", np.array([[x, low - 0.025]]), 0.012) for x in (-0.05, 0.0, 0.05)
        ]
    else:
        torso.details += [
            Detail("stitch", edge * (0.985, 1) - (0, gap), 0.003) for gap in (0.024, 0.031)
        ]


def _inset(line: Points, by: float) -> Points:
    """Move a line sideways, to the right of its direction (in y-down coordinates)."""
    d = np.gradient(line, axis=0)
    d /= np.maximum(np.linalg.norm(d, axis=1, keepdims=True), 1e-9)
    return line + by * np.stack([-d[:, 1], d[:, 0]], axis=1)


def _flip_piece(piece: Piece) -> Piece:
    piece.outline, piece.axis = mirrored(piece.outline), piece.axis * (-1, 1)
    for detail in piece.details:
        detail.points = detail.points * (-1, 1)
    piece.folds = [(-x, y, np.pi - a, n, s) for x, y, a, n, s in piece.folds]
    return piece


def _sleeve(
    shoulder: Points,
    armpit: Points,
    length: float,
    opening: float,
    angle: float,
    bend: float,
    cuff: str,
    part: str,
    quilt: float,
    rng: np.random.Generator,
) -> tuple[list[Piece], Points]:
    """Return the pieces of a right sleeve and the outer corner of its opening."""

    def ray(degrees: float) -> tuple[Points, Points]:
        a = np.deg2rad(degrees)
        return np.array([np.sin(a), np.cos(a)]), np.array([np.cos(a), -np.sin(a)])

    root, wide = 0.5 * (shoulder + armpit), float(np.linalg.norm(shoulder - armpit))
    upper, lower = ray(angle), ray(angle - bend)
    seam = curve(armpit, 0.5 * (shoulder + armpit) + (-0.035, 0.03), shoulder, n=8)
    if length < 0.4:
        end = root + upper[0] * length
        out, into = end + upper[1] * opening * 0.5, end - upper[1] * opening * 0.5
        top = curve(shoulder, 0.55 * shoulder + 0.45 * out + upper[1] * 0.012, out)
        low = curve(into, 0.5 * (into + armpit) - upper[1] * 0.004, armpit)
        axis = np.array([root, end])
        blocks = [(np.vstack([top, low, seam]), top, low)]
    else:
        elbow = root + upper[0] * length * 0.5
        end = elbow + lower[0] * length * 0.5
        middle = ray(angle - 0.5 * bend)[1]
        w = 0.5 * (0.55 * wide + 0.45 * opening)
        out, into = end + lower[1] * opening * 0.5, end - lower[1] * opening * 0.5
        axis = np.array([root, elbow, end])
        if bend < 60:
            top = curve(shoulder, elbow + middle * w, out)
            low = curve(into, elbow - middle * w, armpit)
            blocks = [(np.vstack([top, low, seam]), top, low)]
        else:  # folded over: the forearm is a piece of its own on top
            fold_out, fold_in = elbow + upper[1] * w, elbow - upper[1] * w
            arm = np.vstack(
                [curve(shoulder, fold_out), curve(fold_out, elbow + upper[0] * w * 0.6, fold_in)]
            )
            arm = np.vstack([arm, curve(fold_in, armpit), seam])
            top = curve(elbow + lower[1] * w - lower[0] * w * 0.3, out)
            low = curve(into, elbow - lower[1] * w - lower[0] * w * 0.3)
            back = curve(low[-1], elbow - lower[0] * w, top[0], n=8)
            blocks = [(arm, top[:0], low[:0]), (np.vstack([top, low, back]), top, low)]
    pieces = [
        Piece(outline, part, axis=axis, rise=0.35 if len(blocks) == 1 else 0.7, quilt=quilt)
        for outline, _, _ in blocks
    ]
    pieces[0].details.append(Detail("seam", _inset(seam, 0.0), 0.006))
    centre = axis[1] if len(axis) > 2 else root
    for _ in range(4 if len(axis) > 2 else 2):
        at = centre + rng.normal(0, 0.03, 2)
        across = np.arctan2(upper[1][1], upper[1][0]) + rng.normal(0.5, 0.4)
        pieces[-1].folds.append((at[0], at[1], across, 0.16, 0.8))
    pieces[0].folds.append((armpit[0], armpit[1], np.arctan2(-1, 0.2), 0.14, 0.7))
    _, top, low = blocks[-1]
    n = max(2, int(len(top) * (0.24 if length < 0.4 else 0.13)))
    band = np.vstack([top[-n:], low[:n]])
    if cuff in ("rib", "cuff"):
        pieces.append(Piece(band, part, "rib" if cuff == "rib" else "main", axis, rise=0.12))
        if cuff == "cuff":
            edge = np.array([top[-n], low[n - 1]])
            pieces[-1].details += [
                Detail("seam", edge),
                Detail("button", (0.35 * top[-n // 2] + 0.65 * low[n // 2])[None], 0.011),
            ]
    else:
        edge = curve(top[-n], low[n - 1], n=6)
        pieces[-1].details.append(Detail("stitch", edge, 0.003))
    return pieces, out


# -- collars, fronts, pockets --------------------------------------------------------------------


def _collar_none(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    edge = _NECKS[line](neck, depth)
    torso = next(p for p in pieces if p.part == "torso" and p.cloth == "main")
    for sx in (-1, 1):
        torso.details.append(Detail("stitch", _inset(edge, 0.016) * (sx, 1), 0.003))


def _collar_rib(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    inner = _NECKS[line](neck, depth)
    wide = rng.uniform(0.022, 0.034)
    outer = _inset(inner, wide)
    outer[0, 0], outer[-1] = 0.0, (neck + wide * 0.95, 0.25 * drop)
    shape = np.vstack([inner, outer[::-1], mirrored(outer[::-1]), mirrored(inner)])
    pieces.append(Piece(shape, "torso", "rib", rise=0.08))
    back = curve((0, 0.022), (0.6 * neck, 0.016), (neck, 0))
    low = curve((0, 0.05), (0.5 * neck, 0.045), (0.9 * neck, 0.012))
    shape = np.vstack([back, low[::-1], mirrored(low[::-1]), mirrored(back)])
    first = next(i for i, p in enumerate(pieces) if p.part == "torso")
    pieces.insert(first + 1, Piece(shape, "torso", "rib", rise=0.0))


def _collar_stand(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    high = rng.uniform(0.08, 0.12)
    right = np.vstack(
        [
            curve((0, -high + 0.008), (0.6 * neck, -high), (0.94 * neck, -high + 0.012)),
            curve((0.97 * neck, -high + 0.03), (neck, 0), n=5),
            curve((neck, 0), (0.6 * neck, 0.75 * depth), (0, depth)),
        ]
    )
    pieces.append(Piece(_closed(right), "torso", "main", rise=0.2))
    pieces[-1].details.append(
        Detail(
            "seam",
            curve(
                (-neck, 0),
                (-0.6 * neck, 0.75 * depth),
                (0, depth),
                (0.6 * neck, 0.75 * depth),
                (neck, 0),
            ),
        )
    )
    mouth = _disc((0, -high + 0.022), 0.86 * neck, 0.02)
    pieces.append(Piece(mouth, "torso", "lining", rise=0.0))


def _collar_shirt(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
    cloth: Cloth = "main",
) -> None:
    high, point = rng.uniform(0.05, 0.07), rng.uniform(0.1, 0.14)
    back = np.vstack(
        [
            curve((0, -high), (0.6 * neck, -high + 0.004), (0.9 * neck, -high + 0.022)),
            curve((neck, 0), (0.5 * neck, 0.03), (0, 0.035)),
        ]
    )
    pieces.append(Piece(_closed(back), "torso", cloth, rise=0.15))
    inside = np.vstack(
        [
            curve((0, -0.2 * high), (0.5 * neck, 0), (0.7 * neck, 0.03)),
            [[0.2 * neck, 0.7 * depth], [0, 0.8 * depth]],
        ]
    )
    pieces.append(Piece(_closed(inside), "torso", "lining", rise=0.0))
    for sx in (-1, 1):
        tip = (rng.uniform(0.68, 0.86) * neck, 0.9 * depth + point * 0.55)
        leaf = np.vstack(
            [
                curve(
                    (0.86 * neck, -high + 0.016), (0.995 * neck, -0.25 * high), (1.0 * neck, 0.012)
                ),
                curve((1.02 * neck, 0.03), tip, n=6),
                curve(tip, (0.05 * neck, 0.95 * depth), n=8),
                curve(
                    (0.03 * neck, 0.82 * depth),
                    (0.42 * neck, 0.3 * depth),
                    (0.6 * neck, -0.4 * high),
                ),
            ]
        )
        leaf = leaf if sx > 0 else mirrored(leaf)
        piece = Piece(leaf, "torso", cloth, rise=0.3)
        edge = np.array([[1.0 * neck, 0.02], tip, [0.05 * neck, 0.93 * depth]])
        edge = (edge - edge.mean(0)) * 0.86 + edge.mean(0) + (-0.006, -0.006)
        piece.details.append(Detail("stitch", edge * (sx, 1), 0.003))
        pieces.append(piece)


def _collar_polo(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    _collar_shirt(pieces, neck, depth, line, length, drop, rng, "rib")


def _collar_hood(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    high, wide = rng.uniform(0.36, 0.46), neck * rng.uniform(1.15, 1.35)
    lean = rng.uniform(-0.05, 0.05)
    right = curve(
        (0, -high), (0.62 * wide, -0.9 * high), (wide, -0.45 * high), (1.04 * neck, -0.1), (neck, 0)
    )
    low = curve(
        (neck, 0), (0.8 * neck, 0.45 * depth), (0.3 * neck, 0.95 * depth), (0, 1.05 * depth)
    )
    shape = _closed(np.vstack([right, low]))
    hole = _closed(
        curve(
            (0, -0.78 * high),
            (0.52 * wide, -0.68 * high),
            (0.66 * wide, -0.36 * high),
            (0.44 * neck, -0.03),
            (0, 0.55 * depth),
        )
    )
    for outline in (shape, hole):
        outline[:, 0] += lean * np.clip(-outline[:, 1] / high, 0, 1) ** 1.5
    pieces.append(Piece(shape, "torso", rise=0.3))
    pieces[-1].folds += [
        (sx * 0.8 * wide, -0.5 * high, np.pi / 2 - sx * 0.5, 0.2, 0.9) for sx in (-1, 1)
    ]
    pieces.append(Piece(hole, "torso", "lining", rise=-0.8))
    piece = pieces[-2]
    piece.details.append(Detail("stitch", _inset(np.vstack([hole, hole[:1]]), -0.02), 0.003))
    rim = Piece(_closed(np.vstack([low[:1] * (0.3, 1), low[-2:]])), "torso", rise=0.0)
    for sx in (-1, 1):
        fall = rng.uniform(0.16, 0.28)
        cord = curve(
            (sx * 0.28 * neck, 0.72 * depth),
            (sx * 0.34 * neck, depth + 0.4 * fall),
            (sx * rng.uniform(0.2, 0.45) * neck, depth + fall),
        )
        rim.details.append(Detail("line", cord, 0.012))
    pieces.append(rim)


def _collar_lapel(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    meet = rng.uniform(0.4, 0.5)
    gap = np.vstack(
        [
            curve((0, -0.01), (0.62 * neck, 0.0), (0.85 * neck, 0.02)),
            curve((0.7 * neck, 0.1), (0.0, meet)),
        ]
    )
    pieces.append(Piece(_closed(gap), "torso", "lining", rise=-0.3))
    back = np.vstack(
        [
            curve((0, -0.055), (0.6 * neck, -0.05), (0.95 * neck, -0.025)),
            curve((neck, 0), (0.5 * neck, 0.0), (0, 0.01)),
        ]
    )
    pieces.append(
        Piece(_closed(back), "torso", "trim" if rng.random() < 0.15 else "main", rise=0.1)
    )
    for sx in (-1, 1):
        wide = rng.uniform(0.8, 1.0) * 0.17
        inner = curve((0.6 * neck, -0.03), (0.62 * neck, 0.1), (-0.012, meet))
        notch = 0.13
        lapel = np.vstack(
            [
                inner,
                curve(
                    (0.02, meet + 0.01),
                    (0.55 * neck + wide * 0.9, notch + 0.09),
                    (0.62 * neck + wide, notch + 0.015),
                ),
                [[0.62 * neck + wide * 0.42, notch]],
            ]
        )
        upper = np.vstack(
            [
                curve((0.6 * neck, -0.035), (0.93 * neck, -0.025), (neck, 0.0)),
                curve((neck + 0.015, 0.04), (0.62 * neck + wide * 0.72, notch - 0.035), n=6),
                [[0.62 * neck + wide * 0.42, notch], [0.62 * neck, notch - 0.01]],
            ]
        )
        for outline in (upper, lapel):
            shape = outline if sx > 0 else mirrored(outline)
            pieces.append(Piece(shape, "torso", rise=0.35))


def _collar_lap(
    pieces: list[Piece],
    neck: float,
    depth: float,
    line: str,
    length: float,
    drop: float,
    rng: np.random.Generator,
) -> None:
    """Envelope shoulders, as on baby clothes: a rib neckline and a lap seam over each shoulder."""
    _collar_rib(pieces, neck, depth, line, length, drop, rng)
    torso = next(p for p in pieces if p.part == "torso" and p.cloth == "main")
    for sx in (-1, 1):
        lap = curve((0.75 * neck, 0.55 * depth), (neck + 0.05, 0.16), (neck + 0.12, 0.24))
        torso.details.append(Detail("seam", lap * (sx, 1), 0.008))


_COLLARS: dict[str, Callable[..., None]] = {
    "none": _collar_none,
    "rib": _collar_rib,
    "stand": _collar_stand,
    "shirt": _collar_shirt,
    "polo": _collar_polo,
    "hood": _collar_hood,
    "lapel": _collar_lapel,
    "lap": _collar_lap,
}


def _front_plain(
    torso: Piece, neck: float, depth: float, length: float, collar: str, rng: np.random.Generator
) -> None:
    """Nothing on the front."""


def _front_buttons(
    torso: Piece, neck: float, depth: float, length: float, collar: str, rng: np.random.Generator
) -> None:
    if collar == "lapel":
        torso.details.append(Detail("seam", curve((0.02, 0.4), (0.025, length)), 0.008))
        count = int(rng.integers(2, 4)) if length < 1.25 else 4
        rows = 0.46 + np.arange(count) * 0.14
        radius = 0.017
    else:
        for x in (-0.026, 0.026):
            torso.details.append(Detail("stitch", curve((x, depth), (x, length + 0.05)), 0.003))
        torso.details.append(Detail("seam", curve((0.032, depth), (0.032, length + 0.1)), 0.006))
        rows = np.arange(depth + 0.08, length - 0.04, rng.uniform(0.11, 0.14))
        radius = 0.0115
    torso.details += [Detail("button", np.array([[0.0, y]]), radius) for y in rows]


def _front_placket(
    torso: Piece, neck: float, depth: float, length: float, collar: str, rng: np.random.Generator
) -> None:
    stop = depth + rng.uniform(0.17, 0.24)
    box = np.array([[-0.028, depth * 0.8], [0.028, depth * 0.8], [0.028, stop], [-0.028, stop]])
    torso.details.append(Detail("patch", box, 0.005))
    rows = np.linspace(depth + 0.05, stop - 0.03, int(rng.integers(2, 4)))
    torso.details += [Detail("button", np.array([[0.0, y]]), 0.0115) for y in rows]


def _front_zip(
    torso: Piece, neck: float, depth: float, length: float, collar: str, rng: np.random.Generator
) -> None:
    torso.details.append(Detail("zip", curve((0, depth * 0.5), (0.0, length + 0.03), n=20), 0.02))


_FRONTS: dict[str, Callable[..., None]] = {
    "plain": _front_plain,
    "buttons": _front_buttons,
    "placket": _front_placket,
    "zip": _front_zip,
}


def _box(x: float, y: float, w: float, h: float, taper: float = 0.0) -> Points:
    return np.array([[x, y], [x + w, y], [x + w - taper, y + h], [x + taper, y + h]])


def _pocket_none(
    torso: Piece, chest: float, length: float, front: str, rng: np.random.Generator
) -> None:
    """No pocket."""


def _pocket_chest(
    torso: Piece, chest: float, length: float, front: str, rng: np.random.Generator
) -> None:
    corner = _box(0.1, 0.3, 0.15, 0.15)
    shape = np.vstack([corner, [[0.1, 0.45]]])
    shape[2:4] = [[0.25, 0.45], [0.175, 0.475]]
    torso.details.append(Detail("patch", shape, 0.005))


def _pocket_kangaroo(
    torso: Piece, chest: float, length: float, front: str, rng: np.random.Generator
) -> None:
    w, y, low = 0.62 * chest, 0.62 * length, 0.9 * length
    half = np.array([[0.55 * w, y], [w, y + 0.14], [w, low]])
    torso.details.append(Detail("patch", np.vstack([half, mirrored(half)]), 0.006))


def _pocket_welt(
    torso: Piece, chest: float, length: float, front: str, rng: np.random.Generator
) -> None:
    for sx in (-1, 1):
        line = curve((0.52 * chest, 0.6 * length), (0.66 * chest, 0.76 * length), n=5) * (sx, 1)
        torso.details.append(Detail("zip" if rng.random() < 0.3 else "seam", line, 0.014))


def _pocket_flap(
    torso: Piece, chest: float, length: float, front: str, rng: np.random.Generator
) -> None:
    y = rng.uniform(0.62, 0.68) * min(length, 1.2)
    for sx in (-1, 1):
        flap = _box(0.36 * chest, y, 0.42 * chest, 0.065, 0.006) * (sx, 1)
        torso.details.append(Detail("patch", flap, 0.006))


_POCKETS: dict[str, Callable[..., None]] = {
    "none": _pocket_none,
    "chest": _pocket_chest,
    "kangaroo": _pocket_kangaroo,
    "welt": _pocket_welt,
    "flap": _pocket_flap,
}


# -- trousers and skirts -------------------------------------------------------------------------


def _trousers(category: str, cut: Lower, rng: np.random.Generator) -> Garment:
    def draw(name: str) -> float:
        return float(rng.uniform(*getattr(cut, name)))

    length, waist, rise, dip = draw("length"), draw("waist"), draw("rise"), draw("dip")
    hip, foot = draw("hip") * waist, draw("hem")
    rise = min(rise, 0.62 * length)
    waistband, pocket, cuff = (_pick(rng, f) for f in (cut.waistband, cut.pocket, cut.cuff))
    band = 0.06
    back = np.vstack(
        [
            curve((0, -0.018), (0.6 * waist, -0.014), (waist, 0)),
            [[0.5 * waist, dip + 0.03], [0, dip + 0.03]],
        ]
    )
    pieces = [Piece(_closed(back), "torso", "lining", rise=0.0)]
    hems: dict[int, Points] = {}
    sides = (-1, 1) if rng.random() < 0.5 else (1, -1)
    for sx in sides:
        a = np.deg2rad(draw("spread"))
        d, n = np.array([np.sin(a), np.cos(a)]), np.array([np.cos(a), -np.sin(a)])
        joint = np.array([0.5 * hip, rise])
        down = length - rise
        knee, end = joint + d * down * 0.48, joint + d * down
        thigh = 0.5 * (hip + 0.0)
        kw = 0.5 * (0.45 * thigh * 2 + 0.55 * foot * 2) * 0.93
        out, into = end + n * foot, end - n * foot
        if length > 0.95:
            outer = curve((waist, 0), (hip, 0.62 * rise), knee + n * kw, out)
            inner = curve(into, knee - n * kw, (0.004, rise))
        else:
            outer = curve((waist, 0), (hip, 0.62 * rise), out)
            inner = curve(into, (0.004, rise), n=8)
        foot_line = curve(out, end + d * 0.012, into, n=8)
        top = curve((-0.012, dip), (0.6 * waist, 0.6 * dip), (waist, 0), n=8)
        outline = np.vstack([top, outer, foot_line, inner, [[-0.012, rise * 0.9]]])
        part = "left_leg" if sx < 0 else "right_leg"
        leg = Piece(outline, part, axis=np.array([[0.5 * hip, 0.0], joint, end]), rise=0.35)
        leg.folds += [
            (0.04, rise - 0.01, rng.uniform(-0.5, 0.3), 0.2, 1.0),
            (0.05, rise + 0.01, rng.uniform(0.1, 0.8), 0.22, 0.9),
            (0.06, rise - 0.03, rng.uniform(-1.0, -0.4), 0.16, 0.7),
        ]
        if length > 0.95:
            leg.folds += [
                (knee[0] - kw * 0.7, knee[1] + rng.normal(0, 0.05), rng.normal(0.2, 0.4), 0.2, 0.8)
                for _ in range(3)
            ]
        leg.details.append(Detail("seam", _inset(outer[6:], 0.012), 0.005))
        _leg_pocket(leg, pocket, waist, hip, rise, band)
        if cuff == "rib":
            k = max(2, int(0.1 * len(outer)))
            strip = np.vstack([outer[-k:], foot_line[1:-1], inner[:k]])
            pieces_cuff = Piece(strip, part, "rib", leg.axis, rise=0.1)
        else:
            pieces_cuff = None
            for gap in (0.03, 0.037):
                leg.details.append(Detail("stitch", _inset(foot_line, gap) * (1, 1), 0.003))
        group = [leg] + ([pieces_cuff] if pieces_cuff else [])
        if sx < 0:
            group, out = [_flip_piece(p) for p in group], out * (-1, 1)
        hems[sx] = out
        pieces += group
    pieces[-1].rise = pieces[-1].rise
    top_leg = next(p for p in reversed(pieces) if p.part.endswith("leg") and p.cloth == "main")
    if waistband == "band":
        sx = sides[1]
        fly = curve((0.05 * sx, band + dip), (0.05 * sx, 0.7 * rise), (0.0, 0.86 * rise))
        top_leg.details += [
            Detail("stitch", fly, 0.003),
            Detail("seam", curve((0.0, band + dip), (0, rise), n=6), 0.006),
        ]
    pieces.append(_waistband(waist, hip, rise, dip, band, waistband, rng))
    marks = np.zeros((8, 2))
    marks[4:6] = (-waist, 0), (waist, 0)
    marks[6], marks[7] = hems[-1], hems[1]
    owners = ("", "", "", "", "band", "band", "left_leg", "right_leg")
    return Garment(category, "lower", pieces, marks, owners, cut.fabrics)


def _leg_pocket(
    leg: Piece, pocket: str, waist: float, hip: float, rise: float, band: float
) -> None:
    if pocket == "jeans":
        line = curve((0.5 * waist, band), (0.6 * waist, 0.13), (0.97 * waist, 0.16), n=8)
        leg.details += [
            Detail("seam", line, 0.006),
            Detail("stitch", line + (-0.006, 0.012), 0.003),
            Detail("stitch", line + (-0.009, 0.02), 0.003),
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
    top = curve((0, dip), (0.6 * waist, 0.6 * dip), (waist, 0), n=8)
    low = curve((flare, band), (0.6 * flare, band + 0.6 * dip), (0, band + dip), n=8)
    piece = Piece(
        _closed(np.vstack([top, low])), "band", "rib" if kind == "elastic" else "main", rise=0.15
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
            Detail("stitch", np.vstack([mirrored(top), top]) + (0, 0.008), 0.003),
            Detail("button", np.array([[0.0, dip + 0.5 * band]]), 0.016),
        ]
        for x in (-0.62, -0.2, 0.2, 0.62):
            loop = _box(x * waist - 0.009, 0.6 * dip - 0.002, 0.018, band + 0.006)
            piece.details.append(Detail("patch", loop, 0.004))
    return piece


def _skirt(category: str, cut: Lower, rng: np.random.Generator) -> Garment:
    def draw(name: str) -> float:
        return float(rng.uniform(*getattr(cut, name)))

    length, waist, dip = draw("length"), draw("waist"), draw("dip")
    hip, hem = draw("hip") * waist, draw("hem") * waist * (0.6 + 0.4 * length)
    hem = max(hem, 0.98 * hip * 0.9)
    flutes = (float(rng.uniform(*cut.flutes[0])), float(rng.uniform(*cut.flutes[1])))
    waistband, pocket = _pick(rng, cut.waistband), _pick(rng, cut.pocket)
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
    top = curve((0, dip), (0.6 * waist, 0.6 * dip), (waist, 0), n=8)
    back = np.vstack(
        [
            curve((0, -0.016), (0.6 * waist, -0.012), (waist, 0)),
            [[0.5 * waist, dip + 0.03], [0, dip + 0.03]],
        ]
    )
    skirt = Piece(_closed(np.vstack([top, side, low])), "torso", flutes=flutes, rise=0.35)
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
    pieces = [Piece(_closed(back), "torso", "lining", rise=0.0), skirt]
    pieces.append(_waistband(waist, hip, hip_y / 0.62, dip, band, waistband, rng))
    marks = np.zeros((8, 2))
    marks[4:] = (-waist, 0), (waist, 0), (-hem, length), (hem, length)
    owners = ("", "", "", "", "band", "band", "torso", "torso")
    return Garment(category, "lower", pieces, marks, owners, cut.fabrics)
