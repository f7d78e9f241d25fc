"""Kinds of cloth, their colours, and what a garment is cut of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .graphics import GRAPHICS
from .pieces import Garment
from .raster import Array


def rgb(text: str) -> Array:
    """Return ``rrggbb`` as three floats 0..1."""
    return np.array([int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)], dtype=np.float32)


_PALETTES = {
    "any": "22304f 27282b 4a4d52 8d9094 ece8df e9dcc4 6d1f2f b23a3f d0a03a 6a7048 2f4d3e 2d7376 8fb4d3"
    " 34579f a796c4 dfa5ad dd745f b58a5b 5d4637 a8cfbb",
    "deep": "22304f 27282b 3b3f45 6d1f2f 2f4d3e 2d5f66 34579f 5d4637 57406b 20423a",
    "light": "f1eee7 e9dcc4 c9d9e6 e8c3c6 cfe0d2 d8d0e4 f0e3b8 d9d9d6",
    "wool": "2a2f3c 27282b 54555a 8a8178 b58a5b 6d1f2f 46513f 9a7a5a 3d4a63",
    "denim": "2e4468 3f5f8c 5c7fa8 86a5c2 22304a 2b2f36 7f95a8",
    "chambray": "7f9cba 9db4c8 5f7ea3 b9c7d2",
    "twill": "b59f78 5f6546 3a3d3f 22304f 8c7a5c 9b9c96 6b4a3a 2f4a44",
    "nylon": "1f2226 22304f 2f5d50 a43434 d08a2e 3d6fa5 6a7048 8b8f98 59406b",
    "camo": "5d6343 6a6a4a 59605a",
}
_ACCENTS = "f2efe8 27282b 22304f b23a3f d9a441 2d7376 8fb4d3 dfa5ad 6a7048 dd745f"


@dataclass(frozen=True)
class Fabric:
    """A kind of cloth.

    Attributes
    ----------
    print_, palette
        Names of the print and of the colours it may have.
    weave
        What the yarn looks like from near.
    crumple, drape
        Strength of small wrinkles and of long soft folds.
    sheen
        Strength of the highlight.
    """

    print_: str
    palette: str = "any"
    weave: str = "jersey"
    crumple: float = 0.5
    drape: float = 0.6
    sheen: float = 0.06


FABRICS: dict[str, Fabric] = {
    "solid": Fabric("solid"),
    "graphic": Fabric("graphic"),
    "stripes": Fabric("stripes"),
    "heather": Fabric("heather"),
    "ribbed": Fabric("solid", weave="rib", crumple=0.25),
    "knit": Fabric("solid", weave="knit", crumple=0.2, drape=0.8),
    "pique": Fabric("solid", weave="pique", crumple=0.35),
    "fleece": Fabric("solid", weave="felt", crumple=0.3, drape=0.9),
    "plaid": Fabric("plaid", weave="plain", crumple=0.8),
    "gingham": Fabric("gingham", weave="plain", crumple=0.8),
    "pinstripe": Fabric("pinstripe", "deep", "plain", 0.6),
    "micro": Fabric("micro", weave="plain", crumple=0.6),
    "chambray": Fabric("solid", "chambray", "chambray", 0.9),
    "floral": Fabric("floral", weave="plain", crumple=0.5, drape=0.8),
    "dots": Fabric("dots", weave="plain", crumple=0.45, drape=0.8),
    "motif": Fabric("motif", "light"),
    "satin": Fabric("solid", weave="none", crumple=0.5, drape=1.0, sheen=0.3),
    "denim": Fabric("denim", "denim", "twill", 0.7, 0.5),
    "twill": Fabric("solid", "twill", "twill", 0.7, 0.5),
    "wool": Fabric("solid", "wool", "felt", 0.2, 0.6),
    "herringbone": Fabric("solid", "wool", "herringbone", 0.2, 0.6),
    "nylon": Fabric("solid", "nylon", "none", 0.9, 0.5, 0.22),
    "camo": Fabric("camo", "camo", "twill", 0.6),
}


@dataclass(frozen=True)
class Bolt:
    """A fabric in its colours, with the random numbers of its print: what one garment is cut of."""

    fabric: Fabric
    colors: Array
    trim: Array
    scale: float
    seed: int
    thread: Array
    graphic: int

    @classmethod
    def choose(cls, garment: Garment, rng: np.random.Generator) -> Bolt:
        """Choose a fabric that suits the garment, and its colours."""
        fabric = FABRICS[garment.fabrics[int(rng.integers(len(garment.fabrics)))]]
        names = _PALETTES[fabric.palette].split()
        base = np.clip(rgb(names[int(rng.integers(len(names)))]) + rng.normal(0, 0.012, 3), 0, 1)
        accents = np.array([rgb(name) for name in _ACCENTS.split()])
        order = rng.permutation(len(accents))
        far = [i for i in order if np.abs(accents[i] - base).max() > 0.3]
        colors = np.array([base, *accents[far[:3]]], dtype=np.float32)
        plain = rng.random() < 0.65
        trim = base * rng.uniform(0.82, 1.0) if plain else colors[1]
        light = float(base.mean())
        thread = (
            rgb("c98f4a") if fabric.print_ == "denim" else base + (0.16 if light < 0.5 else -0.14)
        )
        return cls(
            fabric,
            colors,
            trim.astype(np.float32),
            float(rng.uniform(0.75, 1.4)),
            int(rng.integers(2**31)),
            np.clip(thread, 0, 1).astype(np.float32),
            int(rng.integers(len(GRAPHICS))),
        )

    def with_color(self, color: Array) -> Bolt:
        """Return plain cloth of a colour and this garment's weave."""
        plain = Fabric("solid", self.fabric.palette, self.fabric.weave, 0.3, 0.4)
        return Bolt(plain, color[None], color, 1.0, self.seed + 1, self.thread, -1)
