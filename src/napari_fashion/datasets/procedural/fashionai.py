"""Garments with the landmarks of the schema ``fashionai``: 24 places, and the data set's five categories.

They are cut as garments of DeepFashion2 (`contours`), whose edges have the places. FashionAI's names say
which they are: ``neckline`` where the neckline meets the shoulder, ``shoulder`` the top of the armhole and
``armpit`` its foot, ``waistline`` the narrowest place of the sides, ``top_hem`` the corner of the hem,
``hemline`` that of a skirt's, ``in`` and ``out`` the inner and the outer end of a cuff or of a leg's hem.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from napari_fashion.schema import Schema

from .contours import contour_marks, cut_contoured, marked
from .pieces import Edge, Garment

FASHIONAI_CUTS: dict[str, tuple[str, ...]] = {
    "blouse": ("short sleeve top", "long sleeve top"),
    "dress": ("short sleeve dress", "long sleeve dress"),
    "outwear": ("long sleeve outwear",),
    "skirt": ("skirt",),
    "trousers": ("trousers",),
}
"""By category, the categories of DeepFashion2 that are cut for it: those that have all its landmarks."""

_SIDES = ("left", "right")


def cut_for_fashionai(category: str, rng: np.random.Generator) -> Garment:
    """Cut a garment of a category of ``fashionai``.

    Raises
    ------
    KeyError
        If there is no such category.
    """
    cuts = FASHIONAI_CUTS[category]
    return replace(cut_contoured(cuts[int(rng.integers(len(cuts)))], rng), category=category)


def with_fashionai(garment: Garment) -> Garment:
    """Give a garment the landmarks of ``fashionai`` that its category has.

    Raises
    ------
    KeyError
        If its edges lack one of the category's places.
    """
    schema = _schema()
    edges = garment.edges
    marks = contour_marks(edges, is_dress=garment.category == "dress")
    if "side_left" in edges:
        sides = [edges[f"side_{side}"] for side in _SIDES]
        share = _narrowest(*sides)
        for side, edge in zip(_SIDES, sides, strict=True):
            marks[f"waistline_{side}"] = edge.at(share), edge.part
    places = (_PLACES[name] for name in schema.landmarks)
    return marked(
        garment, schema, [next((marks[p] for p in some if p in marks), None) for some in places]
    )


def _narrowest(left: Edge, right: Edge) -> float:
    """Return the share of two sides, a quarter to three quarters, at which they are nearest."""
    shares = np.linspace(0.25, 0.75, 51)
    widths = [np.linalg.norm(left.at(share) - right.at(share)) for share in shares]
    return float(shares[int(np.argmin(widths))])


@cache
def _schema() -> Schema:
    return Schema.load("fashionai")


def _places(side: str) -> dict[str, tuple[str, ...]]:
    """Return the landmarks of a side, each with the places of DeepFashion2 that it may be."""
    return {
        f"neckline_{side}": ("neckline_2" if side == "left" else "neckline_6",),
        f"shoulder_{side}": (f"long_sleeve_{side}_1",),
        f"armpit_{side}": (f"armhole_{side}",),
        f"waistline_{side}": (f"waistline_{side}",),
        f"cuff_{side}_out": (f"long_sleeve_{side}_5",),
        f"cuff_{side}_in": (f"long_sleeve_{side}_6",),
        f"top_hem_{side}": (f"side_{side}_3",),
        f"waistband_{side}": (f"waist_{side}",),
        f"hemline_{side}": (f"skirt_hem_{side}", f"skirt_bottom_{side}"),
        f"bottom_{side}_in": (f"leg_hem_{side}_in",),
        f"bottom_{side}_out": (f"leg_hem_{side}_out",),
    }


_PLACES = {
    "center_front": ("neckline_4",),
    "crotch": ("crotch",),
    **_places("left"),
    **_places("right"),
}
