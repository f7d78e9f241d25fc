"""Garments with shoulders: shirts, jackets, dresses, babies' bodies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .cuts import Upper
from .pieces import (
    Detail,
    Garment,
    Piece,
    Points,
    box,
    closed,
    curve,
    flipped,
    inset,
    mirrored,
    pick,
)
from .trims import COLLARS, FRONTS, POCKETS, Frame


def upper(category: str, cut: Upper, rng: np.random.Generator) -> Garment:
    """Cut a shirt, a jacket, a dress or a body."""

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
        [NECKS[neckline](neck, depth), curve(at_neck, at_shoulder, n=4), arm, side, low]
    )
    torso = Piece(
        closed(right),
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
    well = np.vstack([back, inset(NECKS[neckline](neck, depth), 0.012)[-2::-1]])
    pieces.append(Piece(closed(well), "torso", "lining", rise=-0.25))
    if depth > 0.08 and rng.random() < 0.7:
        pieces[-1].details.append(Detail("label", box(-0.028, 0.036, 0.056, 0.032)))
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
            tube, end = [flipped(piece) for piece in tube], end * (-1, 1)
        (under if not folded and sleeve > 0.5 and rng.random() < 0.2 else arms).extend(tube)
        sleeve_ends.append(end)
    pieces = under + pieces + [torso]
    frame = Frame(neck, depth, NECKS[neckline](neck, depth), chest, length, drop, collar)
    FRONTS[front](torso, frame, rng)
    POCKETS[pocket](torso, frame, rng)
    if cut.waist_seam and rng.random() < cut.waist_seam:
        torso.details.append(
            Detail("seam", curve(-at_waist * (1, -1), (0, waist_y + 0.01), at_waist))
        )
    _finish_bottom(torso, pieces, bottom, side, at_hem, hem, length, rng)
    if not sleeve:
        for sx in (-1, 1):
            torso.details.append(Detail("stitch", inset(arm, 0.018) * (sx, 1), 0.003))
    pieces += arms
    COLLARS[collar](pieces, frame, rng)

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
            torso.details.append(Detail("line", inset(half, 0.008), 0.022))
        low = float(edge[:, 1].max())
        torso.details += [
            Detail("button", np.array([[x, low - 0.025]]), 0.012) for x in (-0.05, 0.0, 0.05)
        ]
    else:
        torso.details += [
            Detail("stitch", edge * (0.985, 1) - (0, gap), 0.003) for gap in (0.024, 0.031)
        ]


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
    pieces[0].details.append(Detail("seam", inset(seam, 0.0), 0.006))
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
