"""Collars, fronts and pockets: what is sewn to a torso."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .pieces import Cloth, Detail, Piece, Points, box, closed, curve, disc, inset, mirrored


@dataclass(frozen=True)
class Frame:
    """The measures of a torso that its trims go by; `neckline` is its right half, from below."""

    neck: float
    depth: float
    neckline: Points
    chest: float
    length: float
    drop: float
    collar: str


def _collar_none(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    edge = f.neckline
    torso = next(p for p in pieces if p.part == "torso" and p.cloth == "main")
    for sx in (-1, 1):
        torso.details.append(Detail("stitch", inset(edge, 0.016) * (sx, 1), 0.003))


def _collar_rib(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    inner = f.neckline
    wide = rng.uniform(0.022, 0.034)
    outer = inset(inner, wide)
    outer[0, 0], outer[-1] = 0.0, (f.neck + wide * 0.95, 0.25 * f.drop)
    shape = np.vstack([inner, outer[::-1], mirrored(outer[::-1]), mirrored(inner)])
    pieces.append(Piece(shape, "torso", "rib", rise=0.08))
    back = curve((0, 0.022), (0.6 * f.neck, 0.016), (f.neck, 0))
    low = curve((0, 0.05), (0.5 * f.neck, 0.045), (0.9 * f.neck, 0.012))
    shape = np.vstack([back, low[::-1], mirrored(low[::-1]), mirrored(back)])
    first = next(i for i, p in enumerate(pieces) if p.part == "torso")
    pieces.insert(first + 1, Piece(shape, "torso", "rib", rise=0.0))


def _collar_stand(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    high = rng.uniform(0.08, 0.12)
    right = np.vstack(
        [
            curve((0, -high + 0.008), (0.6 * f.neck, -high), (0.94 * f.neck, -high + 0.012)),
            curve((0.97 * f.neck, -high + 0.03), (f.neck, 0), n=5),
            curve((f.neck, 0), (0.6 * f.neck, 0.75 * f.depth), (0, f.depth)),
        ]
    )
    pieces.append(Piece(closed(right), "torso", "main", rise=0.2))
    pieces[-1].details.append(
        Detail(
            "seam",
            curve(
                (-f.neck, 0),
                (-0.6 * f.neck, 0.75 * f.depth),
                (0, f.depth),
                (0.6 * f.neck, 0.75 * f.depth),
                (f.neck, 0),
            ),
        )
    )
    mouth = disc(0, -high + 0.022, 0.86 * f.neck, 0.02)
    pieces.append(Piece(mouth, "torso", "lining", rise=0.0))


def _collar_shirt(
    pieces: list[Piece], f: Frame, rng: np.random.Generator, cloth: Cloth = "main"
) -> None:
    high, point = rng.uniform(0.05, 0.07), rng.uniform(0.1, 0.14)
    back = np.vstack(
        [
            curve((0, -high), (0.6 * f.neck, -high + 0.004), (0.9 * f.neck, -high + 0.022)),
            curve((f.neck, 0), (0.5 * f.neck, 0.03), (0, 0.035)),
        ]
    )
    pieces.append(Piece(closed(back), "torso", cloth, rise=0.15))
    inside = np.vstack(
        [
            curve((0, -0.2 * high), (0.5 * f.neck, 0), (0.7 * f.neck, 0.03)),
            [[0.2 * f.neck, 0.7 * f.depth], [0, 0.8 * f.depth]],
        ]
    )
    pieces.append(Piece(closed(inside), "torso", "lining", rise=0.0))
    for sx in (-1, 1):
        tip = (rng.uniform(0.68, 0.86) * f.neck, 0.9 * f.depth + point * 0.55)
        leaf = np.vstack(
            [
                curve(
                    (0.86 * f.neck, -high + 0.016),
                    (0.995 * f.neck, -0.25 * high),
                    (1.0 * f.neck, 0.012),
                ),
                curve((1.02 * f.neck, 0.03), tip, n=6),
                curve(tip, (0.05 * f.neck, 0.95 * f.depth), n=8),
                curve(
                    (0.03 * f.neck, 0.82 * f.depth),
                    (0.42 * f.neck, 0.3 * f.depth),
                    (0.6 * f.neck, -0.4 * high),
                ),
            ]
        )
        leaf = leaf if sx > 0 else mirrored(leaf)
        piece = Piece(leaf, "torso", cloth, rise=0.3)
        edge = np.array([[1.0 * f.neck, 0.02], tip, [0.05 * f.neck, 0.93 * f.depth]])
        edge = (edge - edge.mean(0)) * 0.86 + edge.mean(0) + (-0.006, -0.006)
        piece.details.append(Detail("stitch", edge * (sx, 1), 0.003))
        pieces.append(piece)


def _collar_polo(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    _collar_shirt(pieces, f, rng, "rib")


def _collar_hood(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    high, wide = rng.uniform(0.36, 0.46), f.neck * rng.uniform(1.15, 1.35)
    lean = rng.uniform(-0.05, 0.05)
    right = curve(
        (0, -high),
        (0.62 * wide, -0.9 * high),
        (wide, -0.45 * high),
        (1.04 * f.neck, -0.1),
        (f.neck, 0),
    )
    low = curve(
        (f.neck, 0),
        (0.8 * f.neck, 0.45 * f.depth),
        (0.3 * f.neck, 0.95 * f.depth),
        (0, 1.05 * f.depth),
    )
    shape = closed(np.vstack([right, low]))
    hole = closed(
        curve(
            (0, -0.78 * high),
            (0.52 * wide, -0.68 * high),
            (0.66 * wide, -0.36 * high),
            (0.44 * f.neck, -0.03),
            (0, 0.55 * f.depth),
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
    piece.details.append(Detail("stitch", inset(np.vstack([hole, hole[:1]]), -0.02), 0.003))
    rim = Piece(closed(np.vstack([low[:1] * (0.3, 1), low[-2:]])), "torso", rise=0.0)
    for sx in (-1, 1):
        fall = rng.uniform(0.16, 0.28)
        cord = curve(
            (sx * 0.28 * f.neck, 0.72 * f.depth),
            (sx * 0.34 * f.neck, f.depth + 0.4 * fall),
            (sx * rng.uniform(0.2, 0.45) * f.neck, f.depth + fall),
        )
        rim.details.append(Detail("line", cord, 0.012))
    pieces.append(rim)


def _collar_lapel(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    meet = rng.uniform(0.4, 0.5)
    gap = np.vstack(
        [
            curve((0, -0.01), (0.62 * f.neck, 0.0), (0.85 * f.neck, 0.02)),
            curve((0.7 * f.neck, 0.1), (0.0, meet)),
        ]
    )
    pieces.append(Piece(closed(gap), "torso", "lining", rise=-0.3))
    back = np.vstack(
        [
            curve((0, -0.055), (0.6 * f.neck, -0.05), (0.95 * f.neck, -0.025)),
            curve((f.neck, 0), (0.5 * f.neck, 0.0), (0, 0.01)),
        ]
    )
    pieces.append(Piece(closed(back), "torso", "trim" if rng.random() < 0.15 else "main", rise=0.1))
    for sx in (-1, 1):
        wide = rng.uniform(0.8, 1.0) * 0.17
        inner = curve((0.6 * f.neck, -0.03), (0.62 * f.neck, 0.1), (-0.012, meet))
        notch = 0.13
        lapel = np.vstack(
            [
                inner,
                curve(
                    (0.02, meet + 0.01),
                    (0.55 * f.neck + wide * 0.9, notch + 0.09),
                    (0.62 * f.neck + wide, notch + 0.015),
                ),
                [[0.62 * f.neck + wide * 0.42, notch]],
            ]
        )
        upper = np.vstack(
            [
                curve((0.6 * f.neck, -0.035), (0.93 * f.neck, -0.025), (f.neck, 0.0)),
                curve((f.neck + 0.015, 0.04), (0.62 * f.neck + wide * 0.72, notch - 0.035), n=6),
                [[0.62 * f.neck + wide * 0.42, notch], [0.62 * f.neck, notch - 0.01]],
            ]
        )
        for outline in (upper, lapel):
            shape = outline if sx > 0 else mirrored(outline)
            pieces.append(Piece(shape, "torso", rise=0.35))


def _collar_lap(pieces: list[Piece], f: Frame, rng: np.random.Generator) -> None:
    """Envelope shoulders, as on baby clothes: a rib neckline and a lap seam over each shoulder."""
    _collar_rib(pieces, f, rng)
    torso = next(p for p in pieces if p.part == "torso" and p.cloth == "main")
    for sx in (-1, 1):
        lap = curve((0.75 * f.neck, 0.55 * f.depth), (f.neck + 0.05, 0.16), (f.neck + 0.12, 0.24))
        torso.details.append(Detail("seam", lap * (sx, 1), 0.008))


COLLARS: dict[str, Callable[..., None]] = {
    "none": _collar_none,
    "rib": _collar_rib,
    "stand": _collar_stand,
    "shirt": _collar_shirt,
    "polo": _collar_polo,
    "hood": _collar_hood,
    "lapel": _collar_lapel,
    "lap": _collar_lap,
}


def _front_plain(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    """Nothing on the front."""


def _front_buttons(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    if f.collar == "lapel":
        torso.details.append(Detail("seam", curve((0.02, 0.4), (0.025, f.length)), 0.008))
        count = int(rng.integers(2, 4)) if f.length < 1.25 else 4
        rows = 0.46 + np.arange(count) * 0.14
        radius = 0.017
    else:
        for x in (-0.026, 0.026):
            torso.details.append(Detail("stitch", curve((x, f.depth), (x, f.length + 0.05)), 0.003))
        torso.details.append(
            Detail("seam", curve((0.032, f.depth), (0.032, f.length + 0.1)), 0.006)
        )
        rows = np.arange(f.depth + 0.08, f.length - 0.04, rng.uniform(0.11, 0.14))
        radius = 0.0115
    torso.details += [Detail("button", np.array([[0.0, y]]), radius) for y in rows]


def _front_placket(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    stop = f.depth + rng.uniform(0.17, 0.24)
    box = np.array([[-0.028, f.depth * 0.8], [0.028, f.depth * 0.8], [0.028, stop], [-0.028, stop]])
    torso.details.append(Detail("patch", box, 0.005))
    rows = np.linspace(f.depth + 0.05, stop - 0.03, int(rng.integers(2, 4)))
    torso.details += [Detail("button", np.array([[0.0, y]]), 0.0115) for y in rows]


def _front_zip(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    torso.details.append(
        Detail("zip", curve((0, f.depth * 0.5), (0.0, f.length + 0.03), n=20), 0.02)
    )


FRONTS: dict[str, Callable[..., None]] = {
    "plain": _front_plain,
    "buttons": _front_buttons,
    "placket": _front_placket,
    "zip": _front_zip,
}


def _pocket_none(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    """No pocket."""


def _pocket_chest(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    corner = box(0.1, 0.3, 0.15, 0.15)
    shape = np.vstack([corner, [[0.1, 0.45]]])
    shape[2:4] = [[0.25, 0.45], [0.175, 0.475]]
    torso.details.append(Detail("patch", shape, 0.005))


def _pocket_kangaroo(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    w, y, low = 0.62 * f.chest, 0.62 * f.length, 0.9 * f.length
    half = np.array([[0.55 * w, y], [w, y + 0.14], [w, low]])
    torso.details.append(Detail("patch", np.vstack([half, mirrored(half)]), 0.006))


def _pocket_welt(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    for sx in (-1, 1):
        line = curve((0.52 * f.chest, 0.6 * f.length), (0.66 * f.chest, 0.76 * f.length), n=5) * (
            sx,
            1,
        )
        torso.details.append(Detail("zip" if rng.random() < 0.3 else "seam", line, 0.014))


def _pocket_flap(torso: Piece, f: Frame, rng: np.random.Generator) -> None:
    y = rng.uniform(0.62, 0.68) * min(f.length, 1.2)
    for sx in (-1, 1):
        flap = box(0.36 * f.chest, y, 0.42 * f.chest, 0.065, 0.006) * (sx, 1)
        torso.details.append(Detail("patch", flap, 0.006))


POCKETS: dict[str, Callable[..., None]] = {
    "none": _pocket_none,
    "chest": _pocket_chest,
    "kangaroo": _pocket_kangaroo,
    "welt": _pocket_welt,
    "flap": _pocket_flap,
}
