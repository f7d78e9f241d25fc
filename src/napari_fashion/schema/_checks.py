"""The rules that a schema obeys, as functions of its parts; each raises a SchemaError in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from napari_fashion.documents import did_you_mean, shown
from napari_fashion.errors import SchemaError
from napari_fashion.schema._limits import MAX_LETTERS, MAX_SIGMA


def check_counts(name: str, counts: Mapping[str, tuple[int, int]]) -> None:
    """Compare the number of each part, by what it is called, with the most that there may be."""
    for what, (n, most) in counts.items():
        if n > most:
            raise SchemaError(f"Schema {name!r} has {n:,} {what}; expected at most {most:,}.")


def check_unique(what: str, schema: str, names: Iterable[str]) -> None:
    """Check that no name occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"Schema {schema!r} has the {what} {shown(name)} twice.")
        seen.add(name)


def check_flips(name: str, flips: Sequence[int], k: int) -> None:
    """Check that the flips of K landmarks are a permutation that undoes itself."""
    if (
        len(flips) != k
        or sorted(flips) != list(range(k))
        or any(flips[flips[i]] != i for i in range(k))
    ):
        raise SchemaError(
            f"Schema {name!r}: flips {shown(list(flips))} is not a permutation of 0..{k - 1} "
            "that undoes itself; list the left/right pairs, each landmark once."
        )


def check_sigmas(name: str, landmarks: Sequence[str], sigmas: Sequence[float]) -> None:
    """Check that there is one usable sigma a landmark."""
    if len(sigmas) != len(landmarks):
        raise SchemaError(
            f"Schema {name!r}: expected {len(landmarks)} sigmas, found {len(sigmas)}."
        )
    for landmark, sigma in zip(landmarks, sigmas, strict=True):
        if not 0 < sigma <= MAX_SIGMA:
            raise SchemaError(
                f"Schema {name!r}, landmark {shown(landmark)}: the sigma is {shown(sigma)}; "
                f"expected positive sigmas, up to {MAX_SIGMA}."
            )


def check_colors(name: str, landmarks: Sequence[str], colors: Sequence[str]) -> None:
    """Check that there is one colour ``#rrggbb`` a landmark."""
    if len(colors) != len(landmarks):
        raise SchemaError(
            f"Schema {name!r}: expected {len(landmarks)} colours, found {len(colors)}."
        )
    for landmark, color in zip(landmarks, colors, strict=True):
        if not isinstance(color, str) or re.fullmatch(r"#[0-9a-fA-F]{6}", color) is None:
            raise SchemaError(
                f"Schema {name!r}, landmark {shown(landmark)}: the colour is {shown(color)}; "
                "expected one such as '#ff8800'."
            )


def check_skeletons(
    name: str,
    skeletons: Sequence[tuple[str, Sequence[tuple[int, int]]]],
    default: str,
    k: int,
) -> None:
    """Check that each edge joins two of K landmarks, and that there is the default skeleton."""
    for label, edges in skeletons:
        for a, b in edges:
            if not (0 <= a < k and 0 <= b < k and a != b):
                raise SchemaError(
                    f"Schema {name!r}, skeleton {label!r}: edge ({a + 1}, {b + 1}) does "
                    f"not join two of the landmarks 1..{k}."
                )
    if default not in dict(skeletons):
        raise SchemaError(
            f"Schema {name!r}: default skeleton {default!r} is not one of "
            f"{shown([label for label, _ in skeletons])}."
        )


def find_edges(
    name: str, landmarks: Sequence[str], edges: Sequence[tuple[str, str]]
) -> tuple[tuple[int, int], ...]:
    """Return edges between landmarks that are given by name; each joins two, and is there once."""
    index = {landmark: i for i, landmark in enumerate(landmarks)}
    found: dict[frozenset[int], tuple[int, int]] = {}
    for edge in edges:
        for end in edge:
            if end not in index:
                raise SchemaError(
                    f"Schema {name!r} has no landmark {shown(end)}, which the edge {shown(list(edge))} "
                    f"joins; {did_you_mean(end, landmarks)}"
                )
        a, b = index[edge[0]], index[edge[1]]
        if a == b or frozenset((a, b)) in found:
            what = "joins a landmark to itself" if a == b else "is there twice"
            raise SchemaError(
                f"Schema {name!r}: the edge {shown(list(edge))} {what}; expected pairs of two landmarks, "
                "each pair once."
            )
        found[frozenset((a, b))] = (a, b)
    return tuple(found.values())


def check_body_types(
    name: str,
    body_types: Mapping[str, Sequence[int]],
    categories: Iterable[tuple[str, Sequence[str]]],
    k: int,
) -> None:
    """Check that body types have some of K landmarks, and that categories have known body types."""
    for label, members in body_types.items():
        if not members or any(not 0 <= i < k for i in members):
            raise SchemaError(
                f"Schema {name!r}, body type {label!r}: expected landmarks of 1..{k}, "
                f"found {shown([i + 1 for i in members])}."
            )
    for category, types in categories:
        if not types or any(b not in body_types for b in types):
            raise SchemaError(
                f"Schema {name!r}, category {category!r}: body types "
                f"{shown(list(types))} are not among {shown(list(body_types))}."
            )


def check_places(
    name: str,
    landmarks: Sequence[str],
    places: Sequence[str],
    flips: Sequence[int],
    body_types: Mapping[str, Sequence[int]],
) -> None:
    """Check the places of K landmarks, if there are any.

    No two landmarks of a body type share a place, and landmarks at one place flip to one place.
    """
    if not places:
        return
    if len(places) != len(landmarks):
        raise SchemaError(
            f"Schema {name!r}: expected {len(landmarks)} places, found {len(places)}."
        )
    for label, members in body_types.items():
        first: dict[str, int] = {}
        for i in members:
            if (other := first.setdefault(places[i], i)) != i:
                both = f"{shown(landmarks[other])} and {shown(landmarks[i])}"
                raise SchemaError(
                    f"Schema {name!r}, body type {label!r}: {both} are both at the place "
                    f"{shown(places[i])}; expected places that landmarks of different body types share."
                )
    partner: dict[str, int] = {}
    for i, j in enumerate(flips):
        other = flips[partner.setdefault(places[i], i)]
        if places[other] != places[j]:
            raise SchemaError(
                f"Schema {name!r}: a flip takes {shown(landmarks[i])}, at {shown(places[i])}, to "
                f"{shown(places[j])}, and {shown(landmarks[partner[places[i]]])}, at the same place, to "
                f"{shown(places[other])}; expected one mirror place for each place."
            )


def check_places_of(
    name: str, landmarks: Sequence[str], parent: str, places: Sequence[str]
) -> None:
    """Check that landmarks are the places of the parent schema."""
    theirs = tuple(dict.fromkeys(places))
    if tuple(landmarks) != theirs:
        raise SchemaError(
            f"Schema {name!r}: its {len(landmarks)} landmarks are not the {len(theirs)} places of "
            f"{parent!r} (places_of); expected the same, in the same order."
        )


def check_letters(names_of: Mapping[str, Iterable[str]]) -> None:
    """Check that names, by the key that they stand under, can be shown on one line."""
    for key, names in names_of.items():
        for name in names:
            if not name.strip() or not name.isprintable() or len(name) > MAX_LETTERS:
                raise SchemaError(
                    f"{key}: found the name {shown(name)}; expected letters that can be shown, "
                    f"at most {MAX_LETTERS}."
                )
