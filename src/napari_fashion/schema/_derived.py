"""What schemas made of others have: that of one category, and that of places which landmarks share.

Functions of a schema's parts that return other parts, by the attributes' names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

Edge = tuple[int, int]

Skeletons = Sequence[tuple[str, Sequence[Edge]]]

SUFFIX = "-places"
"""The schema of a schema's places is called after it."""


def numbered(places: Sequence[str]) -> tuple[int, ...]:
    """Return for each landmark the index of its place, by the places' first appearance."""
    index = {place: i for i, place in enumerate(dict.fromkeys(places))}
    return tuple(index[place] for place in places)


def place_parts(
    of: Sequence[int],
    *,
    skeletons: Skeletons,
    flips: Sequence[int],
    sigmas: Sequence[float],
    body_types: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Return the parts of the schema of places, if landmark i is at the place ``of[i]``."""
    members: list[list[int]] = [[] for _ in range(max(of) + 1)]
    for landmark, place in enumerate(of):
        members[place].append(landmark)
    return {
        "skeletons": tuple((label, _place_edges(edges, of)) for label, edges in skeletons),
        "flips": tuple(of[flips[landmarks[0]]] for landmarks in members),
        "sigmas": tuple(fmean(sigmas[i] for i in landmarks) for landmarks in members),
        "body_types": tuple(
            (label, tuple(of[i] for i in landmarks)) for label, landmarks in body_types.items()
        ),
    }


def category_parts(
    kept: Sequence[int],
    *,
    skeletons: Skeletons,
    flips: Sequence[int],
    mirrors: bool,
    body_types: Mapping[str, Sequence[int]],
) -> dict[str, Any]:
    """Return the parts of the schema of one category, which has the `kept` landmarks and body types."""
    new = {old: i for i, old in enumerate(kept)}
    return {
        "skeletons": tuple(
            (label, tuple((new[a], new[b]) for a, b in edges if a in new and b in new))
            for label, edges in skeletons
        ),
        "flips": tuple(new.get(flips[i], new[i]) for i in kept),
        "mirrors": mirrors and all(flips[i] in new for i in kept),
        "body_types": tuple(
            (label, tuple(new[i] for i in landmarks)) for label, landmarks in body_types.items()
        ),
    }


def edges_at(
    edges: Sequence[Edge], of: Sequence[int], body_types: Mapping[str, Sequence[int]]
) -> tuple[Edge, ...]:
    """Return the edges between landmarks of one body type whose places the given edges join.

    Parameters
    ----------
    edges
        Between places.
    of
        The place of each landmark.
    body_types
        The landmarks of each; no two of them are at one place.
    """
    found: dict[Edge, None] = {}
    for landmarks in body_types.values():
        at = {of[i]: i for i in landmarks}
        found |= dict.fromkeys((at[a], at[b]) for a, b in edges if a in at and b in at)
    return tuple(found)


def slug(name: str) -> str:
    """Return a category's name in small letters, with hyphens."""
    return "-".join(name.lower().replace("_", " ").split())


def _place_edges(edges: Sequence[Edge], of: Sequence[int]) -> tuple[Edge, ...]:
    """Return the edges between places: each once, whichever way round."""
    joined: dict[frozenset[int], Edge] = {}
    for a, b in edges:
        joined.setdefault(frozenset((of[a], of[b])), (of[a], of[b]))
    return tuple(edge for ends, edge in joined.items() if len(ends) == 2)
