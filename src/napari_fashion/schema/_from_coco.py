"""What the categories of a COCO document say of their landmarks, as the parts of one schema."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from napari_fashion.documents import shown
from napari_fashion.errors import SchemaError
from napari_fashion.schema._flips import KEYS, Flips, find_flips, listed_flips
from napari_fashion.schema._limits import MAX_CATEGORIES, MAX_EDGES, MAX_LANDMARKS

Listed = tuple[str, tuple[str, ...]]
"""A category's name and the names of its landmarks."""


class JoinedLandmarks(NamedTuple):
    """The landmarks of all categories in one list, with what the categories say about them.

    Attributes
    ----------
    landmarks
        The K names, in the order in which the categories list them.
    edges
        Pairs of landmark indices of all skeletons, 0-based.
    flips
        By the categories' own lists, else by the sides in the names.
    body_types
        Name and landmark indices, one for each distinct list of landmarks.
    categories
        Name and body types.
    """

    landmarks: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    flips: Flips
    body_types: tuple[tuple[str, tuple[int, ...]], ...]
    categories: tuple[tuple[str, tuple[str, ...]], ...]


def listed_landmarks(entries: Sequence[Mapping[str, Any]]) -> list[Listed]:
    """Return the name of each category record and the names of its landmarks.

    Raises
    ------
    SchemaError
        If there is no category, or there are more categories or landmarks than a schema may have.
    """
    if not entries:
        raise SchemaError(
            "No category of the document has 'keypoints'; expected a COCO keypoint file whose "
            "categories name their landmarks."
        )
    if len(entries) > MAX_CATEGORIES:
        raise SchemaError(
            f"{len(entries):,} categories name landmarks; expected at most {MAX_CATEGORIES:,}."
        )
    lists = [tuple(_as_text(n) for n in entry["keypoints"]) for entry in entries]
    listed = [
        (_as_text(entry["name"]), points) for entry, points in zip(entries, lists, strict=True)
    ]
    count = len({n for points in lists for n in points})
    if count > MAX_LANDMARKS:
        raise SchemaError(
            f"The categories name {count:,} landmarks; expected at most {MAX_LANDMARKS:,}."
        )
    return listed


def join_landmarks(
    entries: Sequence[Mapping[str, Any]], listed: Sequence[Listed]
) -> JoinedLandmarks:
    """Return the landmarks of all categories in one list; `listed` is of `listed_landmarks`."""
    names = tuple(dict.fromkeys(n for _, points in listed for n in points))
    place = {n: i for i, n in enumerate(names)}
    edges: dict[tuple[int, int], None] = {}
    types: dict[tuple[int, ...], str] = {}
    taken: set[str] = set()
    members: dict[str, dict[str, None]] = {}
    for entry, (label, points) in zip(entries, listed, strict=True):
        places = tuple(place[n] for n in points)
        for a, b in skeleton_edges(entry.get("skeleton"), len(points)):
            if places[a] != places[b] and len(edges) < MAX_EDGES:
                edges[places[a], places[b]] = None
        if places not in types:
            whole = len(set(places)) == len(names)
            types[places] = _another("all" if whole else label, taken)
        members.setdefault(label, {})[types[places]] = None
    return JoinedLandmarks(
        landmarks=names,
        edges=tuple(edges),
        flips=_flips(entries, listed, names),
        body_types=tuple((label, places) for places, label in types.items()),
        categories=tuple((label, tuple(body_types)) for label, body_types in members.items()),
    )


def skeleton_edges(skeleton: object, k: int) -> list[tuple[int, int]]:
    """Return the 0-based edges of a COCO skeleton, without those that join no two of K landmarks.

    A skeleton that contains a 0 counts from 0; COCO's count from 1. Only the first `MAX_EDGES` pairs
    are read.
    """
    pairs = [
        (pair[0], pair[1])
        for pair in (skeleton[:MAX_EDGES] if isinstance(skeleton, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
    ]
    first = 0 if any(0 in pair for pair in pairs) else 1
    edges = [(a - first, b - first) for a, b in pairs]
    return [(a, b) for a, b in edges if 0 <= a < k and 0 <= b < k and a != b]


def _as_text(value: object) -> str:
    """Return a name that a COCO file has, which may be a number."""
    return value if isinstance(value, str) else shown(value)


def _another(label: str, taken: set[str]) -> str:
    """Return a label that is not taken yet, and take it."""
    new, n = label, 1
    while new in taken:
        n += 1
        new = f"{label} {n}"
    taken.add(new)
    return new


def _flips(
    entries: Sequence[Mapping[str, Any]], listed: Sequence[Listed], names: Sequence[str]
) -> Flips:
    """Return the flips of all landmarks: as the categories list them, the others' by their names."""
    partners: dict[str, str] = {}
    problem = ""
    for entry, (label, points) in zip(entries, listed, strict=True):
        for key in KEYS:
            if not entry.get(key):  # nothing is known of them, as without a list
                continue
            own = listed_flips(key, entry[key], points)
            if isinstance(own, str):
                problem = problem or f"category {shown(label)}: {own}"
                continue
            for name, partner in own.items():
                if partners.setdefault(name, partner) != partner:
                    problem = problem or (
                        f"category {shown(label)}: {key} maps {shown(name)} to {shown(partner)}, "
                        f"another list to {shown(partners[name])}"
                    )
    open_names = [name for name in names if name not in partners]
    found = find_flips(open_names)
    problem = problem or (found.problem if open_names else "")
    partners |= {name: open_names[j] for name, j in zip(open_names, found.order, strict=True)}
    place = {name: i for i, name in enumerate(names)}
    order = [place[partners[name]] for name in names]
    return Flips(tuple(j if order[j] == i else i for i, j in enumerate(order)), problem)


def hue(turn: float) -> str:
    """Return the colour ``#rrggbb`` of a hue, given in turns of 0..1."""
    rgb: Sequence[float] = colorsys.hsv_to_rgb(turn, 0.75, 1.0)
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)
