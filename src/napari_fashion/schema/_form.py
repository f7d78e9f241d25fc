"""The dictionary form of a schema: values with their place in it, and errors that say what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_fashion.documents import shown, shown_path
from napari_fashion.errors import SchemaError
from napari_fashion.schema._flips import Flips, find_flips
from napari_fashion.schema._limits import MAX_EDGES, MAX_LANDMARKS, MAX_SIGMA

_MISSING = object()


class Form:
    """A value of a schema's dictionary form with its place in it."""

    def __init__(self, value: Any, place: str = "", schema: object = "?") -> None:
        self.value = value
        self.place = place
        self.schema = (value.get("name") or "?") if not place else schema

    def wrong(self, found: object, expected: str, key: str = "") -> SchemaError:
        place = f"{self.place}.{key}".strip(".") if key else self.place
        was = f"found {shown(found)}" if found is not _MISSING else "it is missing"
        return SchemaError(
            f"Schema {shown(self.schema)} is malformed: {shown_path(place[:100])}: {was}; expected "
            f"{expected}."
        )

    def at(self, *keys: str) -> Form:
        value = self.value
        for key in keys:
            value = value[key]
        return Form(value, ".".join([*filter(None, [self.place]), *keys]), self.schema)

    def text(self, key: str) -> str:
        found = self.value.get(key, _MISSING)
        if not isinstance(found, str):
            raise self.wrong(found, "text", key)
        return found

    def number(self, key: str) -> float:
        found = self.value.get(key, _MISSING)
        if isinstance(found, bool) or not isinstance(found, (int, float)):
            raise self.wrong(found, "a number", key)
        return float(min(found, MAX_SIGMA + 1.0))

    def flag(self, key: str) -> bool | None:
        """Return true or false, or None if the key is missing."""
        found = self.value.get(key, _MISSING)
        if found is _MISSING:
            return None
        if not isinstance(found, bool):
            raise self.wrong(found, "true or false", key)
        return found

    def texts(self, key: str) -> list[str]:
        found = self.value.get(key, _MISSING)
        if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
            raise self.wrong(found, "a list of texts", key)
        return found

    def table(self, key: str) -> Mapping[str, Any]:
        found = self.value.get(key, _MISSING)
        if not isinstance(found, Mapping) or not all(isinstance(label, str) for label in found):
            raise self.wrong(found, "a table", key)
        return found

    @property
    def items(self) -> list[Any]:
        if not isinstance(self.value, list):
            raise self.wrong(self.value, "a list")
        return self.value

    def lists(self, key: str, most: int, default: object = _MISSING) -> list[Form]:
        found = self.value.get(key, default)
        if found == ():
            return []
        if not isinstance(found, list):
            raise self.wrong(found, "a list", key)
        if len(found) > most:
            raise SchemaError(
                f"Schema {shown(self.schema)} has {len(found):,} {key}; expected at most {most:,}."
            )
        return [
            Form(item, f"{self.place}.{key}[{i}]".strip("."), self.schema)
            for i, item in enumerate(found)
        ]

    def tables(self, key: str, most: int, default: object = _MISSING) -> list[Form]:
        found = self.lists(key, most, default)
        for form in found:
            if not isinstance(form.value, Mapping):
                raise form.wrong(form.value, "a table")
        return found

    def whole_numbers(self) -> list[int]:
        if len(self.items) > MAX_LANDMARKS or any(type(i) is not int for i in self.items):
            raise self.wrong(self.items, "a list of landmarks' numbers")
        return self.items

    def pairs(self) -> list[tuple[int, int]]:
        if len(self.items) > MAX_EDGES:
            raise self.wrong(self.items, f"at most {MAX_EDGES:,} edges")
        for pair in self.items:
            if not isinstance(pair, list) or [type(end) for end in pair] != [int, int]:
                raise self.wrong(pair, "pairs of landmarks' numbers")
        return [(a, b) for a, b in self.items]


def read_flips(form: Form, names: Sequence[str]) -> tuple[tuple[int, ...], bool]:
    """Return where each landmark goes under a flip, and whether that is known.

    Parameters
    ----------
    form
        The whole schema.
    names
        Of its K landmarks.
    """
    indices = {name: i for i, name in enumerate(names)}
    flips = list(range(len(names)))
    for pair in form.lists("flip_pairs", MAX_LANDMARKS, ()):
        ends = pair.items
        if len(ends) != 2 or any(not isinstance(e, str) or e not in indices for e in ends):
            raise pair.wrong(ends, "the names of two landmarks")
        a, b = (indices[end] for end in ends)
        flips[a], flips[b] = b, a
    mirrors = form.flag("mirrors")
    if mirrors is None and not form.value.get("flip_pairs"):
        found = find_flips(names) if len(indices) == len(names) else Flips(tuple(flips))
        return found.order, not found.problem
    return tuple(flips), mirrors is not False


def read_places(landmarks: Sequence[Form], names: Sequence[str]) -> tuple[str, ...]:
    """Return the place of each landmark, its own name if it lacks one; empty if all do."""
    if not any("place" in entry.value for entry in landmarks):
        return ()
    return tuple(
        entry.text("place") if "place" in entry.value else name
        for entry, name in zip(landmarks, names, strict=True)
    )
