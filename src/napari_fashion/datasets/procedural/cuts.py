"""The cuts: what distinguishes one kind of garment from another, as data from ``cuts.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from napari_fashion.documents import parse_toml
from napari_fashion.errors import FashionError

Range = tuple[float, float]


@dataclass(frozen=True)
class Upper:
    """The cut of what has shoulders. Pairs are ranges; widths are half widths.

    `waist`, `hem` and `shoulder` are relative to `chest`, `waist_at` to `length`; angles are in
    degrees from hanging straight down. What has a `strap` of a width hangs from straps; it has no
    shoulders.
    """

    shape: str = "upper"
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
    strap: Range = (0.0, 0.0)
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

    shape: str = "trousers"
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
    body_type: str = "lower"
    fabrics: tuple[str, ...] = ("denim", "denim", "solid", "twill")


Cut = Upper | Lower
Cuts = Mapping[str, tuple[Cut, ...]]


def _load(name: str) -> dict[str, tuple[Cut, ...]]:
    def frozen(value: Any) -> Any:
        return tuple(frozen(v) for v in value) if isinstance(value, list) else value

    kinds = {"upper": Upper, "trousers": Lower, "skirt": Lower}
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return {
        category: tuple(
            kinds[cut["shape"]](**{key: frozen(value) for key, value in cut.items()})
            for cut in cuts
        )
        for category, cuts in parse_toml(text, name, FashionError).items()
    }


CUTS = _load("cuts.toml")
"""The cuts of each category of the schema ``garments``."""

DEEPFASHION2_CUTS = _load("cuts-deepfashion2.toml")
"""The cuts of each category of the schema ``deepfashion2``."""
