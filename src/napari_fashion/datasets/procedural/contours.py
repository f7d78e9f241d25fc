"""Landmarks along the contour of a garment: those of the schema ``deepfashion2``, at their places.

DeepFashion2 publishes a figure of its landmarks and no text; the places are those of the schema. Along a
sleeve, a seam or an opening they divide the edge evenly. ``armhole`` is the foot of the armhole, where the
side begins, and ``strap`` the foot of a strap's outer edge. ``side`` 1 to 3 lie at thirds of the side, the
third at the corner of the hem; at quarters of a dress's, whose fourth is ``skirt_hem``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from napari_fashion.schema import Schema

from .cuts import DEEPFASHION2_CUTS
from .openings import draw_opening, open_front
from .pieces import Edge, Edges, Garment, Points
from .silhouettes import cut_garment

Mark = tuple[Points, str]
"""A place (2,) on a garment, and the part it is of."""

_SIDES = ("left", "right")


def cut_contoured(category: str, rng: np.random.Generator) -> Garment:
    """Cut a garment of a category of ``deepfashion2``; outwear with an open front."""
    garment = cut_garment(category, rng, DEEPFASHION2_CUTS)
    if "outwear" not in category:
        return garment
    opened = open_front(garment, *draw_opening(garment, rng))
    return replace(garment, pieces=[*opened.back, *opened.front], edges=opened.edges)


def with_contour(garment: Garment) -> Garment:
    """Give a garment the landmarks of ``deepfashion2`` that its category has.

    Raises
    ------
    KeyError
        If its edges lack one of the category's places.
    """
    schema = _schema()
    marks = contour_marks(garment.edges, is_dress=garment.category.endswith("dress"))
    return marked(garment, schema, [marks.get(place) for place in schema.places])


def marked(garment: Garment, schema: Schema, marks: Sequence[Mark | None]) -> Garment:
    """Give a garment the landmarks of a schema that its category has.

    Parameters
    ----------
    marks
        Of each of the schema's landmarks where it is; None where the garment has no such place.

    Raises
    ------
    KeyError
        If one of the category's landmarks has no place.
    """
    xy = np.zeros((schema.n_landmarks, 2))
    owners = [""] * schema.n_landmarks
    index = schema.category_index(garment.category)
    for k in schema.landmarks_of_category(index):
        if (mark := marks[k]) is None:
            raise KeyError(schema.landmarks[k])
        xy[k], owners[k] = mark
    (body_type,) = schema.categories[index].body_types
    return replace(garment, body_type=body_type, landmarks=xy, owners=tuple(owners))


@cache
def _schema() -> Schema:
    return Schema.load("deepfashion2")


def contour_marks(edges: Edges, *, is_dress: bool = False) -> dict[str, Mark]:
    """Return all places of ``deepfashion2`` that a garment's edges have, by their names."""
    if "crotch" in edges:
        return {**_waist(edges), **_legs(edges)}
    if "back_neck" not in edges:
        return {**_waist(edges), **_skirt(edges)}
    marks = _neckline(edges)
    marks |= _dress_hem(edges) if is_dress else {"hem_center": _mark(edges["hem_left"], 1.0)}
    for side in _SIDES:
        shares = (0.25, 0.5, 0.75) if is_dress else (1 / 3, 2 / 3, 1.0)
        marks |= _along(f"side_{side}", edges[f"side_{side}"], shares)
        marks |= _arm(edges, side) | _opening(edges, side)
    return marks


def _mark(edge: Edge, share: float = 0.0) -> Mark:
    return edge.at(share), edge.part


def _along(name: str, edge: Edge, shares: tuple[float, ...], first: int = 1) -> dict[str, Mark]:
    """Return marks at shares of an edge, numbered from `first` on."""
    return {f"{name}_{first + i}": _mark(edge, share) for i, share in enumerate(shares)}


def _neckline(edges: Edges) -> dict[str, Mark]:
    left, right = edges["neck_left"], edges["neck_right"]
    return {
        "neckline_1": _mark(edges["back_neck"]),
        **_along("neckline", left, (1.0, 0.5, 0.0), 2),
        **_along("neckline", right, (0.5, 1.0), 5),
    }


def _arm(edges: Edges, side: str) -> dict[str, Mark]:
    arm = edges[f"arm_{side}"]
    marks = {f"armhole_{side}": _mark(arm, 1.0)}
    if f"strap_{side}" in edges:
        marks[f"strap_{side}"] = _mark(edges[f"strap_{side}"])
    if f"sleeve_top_{side}" in edges:
        top, low = edges[f"sleeve_top_{side}"], edges[f"sleeve_low_{side}"]
        for name, shares in (("short_sleeve", (0.5,)), ("long_sleeve", (0.25, 0.5, 0.75))):
            of = f"{name}_{side}"
            marks |= {
                f"{of}_1": _mark(arm),
                **_along(of, top, (*shares, 1.0), 2),
                **_along(of, low, (0.0, *shares), len(shares) + 3),
                f"{of}_{2 * len(shares) + 4}": _mark(arm, 1.0),
            }
    return marks


def _opening(edges: Edges, side: str) -> dict[str, Mark]:
    opening = edges.get(f"opening_{side}")
    if opening is None:
        return {}
    return {
        f"opening_top_{side}": _mark(opening),
        **_along(f"opening_{side}", opening, (1 / 3, 2 / 3)),
        f"opening_bottom_{side}": _mark(opening, 1.0),
    }


def _dress_hem(edges: Edges) -> dict[str, Mark]:
    marks = {"skirt_hem_center": _mark(edges["hem_left"], 1.0)}
    for side in _SIDES:
        marks[f"skirt_hem_{side}"] = _mark(edges[f"hem_{side}"])
        marks[f"skirt_hem_{side}_mid"] = _mark(edges[f"hem_{side}"], 0.5)
    return marks


def _skirt(edges: Edges) -> dict[str, Mark]:
    marks = {"skirt_bottom_center": _mark(edges["hem_left"], 1.0)}
    for side in _SIDES:
        marks[f"skirt_side_{side}"] = _mark(edges[f"side_{side}"], 0.5)
        marks[f"skirt_bottom_{side}"] = _mark(edges[f"hem_{side}"])
    return marks


def _waist(edges: Edges) -> dict[str, Mark]:
    marks = {f"waist_{side}": _mark(edges[f"waist_{side}"], 1.0) for side in _SIDES}
    return {**marks, "waist_center": _mark(edges["waist_left"])}


def _legs(edges: Edges) -> dict[str, Mark]:
    marks = {"crotch": _mark(edges["crotch"])}
    for side in _SIDES:
        outer, inner = edges[f"outer_{side}"], edges[f"inner_{side}"]
        marks[f"outseam_{side}"] = _mark(edges.get(f"thigh_{side}", outer), 0.5)
        marks[f"leg_hem_{side}_out"] = _mark(outer, 1.0)
        marks[f"leg_hem_{side}_in"] = _mark(inner)
        if f"thigh_{side}" in edges:
            marks[f"knee_{side}_out"] = _mark(edges[f"thigh_{side}"], 1.0)
            marks[f"knee_{side}_in"] = _mark(edges[f"knee_in_{side}"])
    return marks
