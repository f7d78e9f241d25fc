"""The schema: landmarks, edges, flips, sigmas, body types and categories, as frozen data."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from napari_fashion.documents import parse_toml, read_toml, shown, shown_path
from napari_fashion.errors import SchemaError
from napari_fashion.files import is_file

_log = logging.getLogger(__name__)
_MISSING = object()

Edge = tuple[int, int]

BUNDLED = ("garments", "deepfashion")
"""Names of the schemas that the package carries; `Schema.load` takes them."""
MAX_LANDMARKS = 4096
"""A schema has at most so many landmarks."""
MAX_EDGES = 16_384
"""A skeleton has at most so many edges; of longer ones in COCO files the first are read."""
MAX_CATEGORIES = 10_000
"""A schema has at most so many categories."""
MAX_SIGMA = 10.0
"""No sigma is greater: that is ten times the square root of the garment's area."""
MAX_LETTERS = 1000
"""A name in a schema file has at most so many letters."""


@dataclass(frozen=True)
class Category:
    """One garment category.

    Attributes
    ----------
    name
        As the COCO file writes it.
    body_types
        The body types that garments of this category have, the usual one first: a Dress is
        ``("full",)``, Outwear ``("upper", "full")``.
    """

    name: str
    body_types: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """What a data set's landmarks mean; a new data set is a new schema and no new code.

    Hashable and compared by content. All indices are 0-based here; COCO files are 1-based.

    Attributes
    ----------
    name
        Short name.
    landmarks
        Names of the K landmarks, in the order of the COCO ``keypoints``.
    skeletons
        Named lists of edges (pairs of landmark indices).
    default_skeleton
        The name of the skeleton in use.
    flips
        Permutation of length K: where each landmark goes under a horizontal flip.
    sigmas
        K object keypoint similarity constants, relative to the square root of the area.
    body_types
        For each body type the indices of the landmarks that it has.
    categories
        The C categories, in the order of the model's category channels.
    colors
        K colours ``#rrggbb``, one a landmark.
    """

    name: str
    landmarks: tuple[str, ...]
    skeletons: tuple[tuple[str, tuple[Edge, ...]], ...]
    default_skeleton: str
    flips: tuple[int, ...]
    sigmas: tuple[float, ...]
    body_types: tuple[tuple[str, tuple[int, ...]], ...]
    categories: tuple[Category, ...]
    colors: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        k = len(self.landmarks)
        if k == 0:
            raise SchemaError(f"Schema {self.name!r} has no landmarks; expected at least one.")
        for what, n, most in (
            ("landmarks", k, MAX_LANDMARKS),
            ("edges", max((len(edges) for _, edges in self.skeletons), default=0), MAX_EDGES),
            ("categories", len(self.categories), MAX_CATEGORIES),
            ("body types", len(self.body_types), MAX_CATEGORIES),
        ):
            if n > most:
                raise SchemaError(
                    f"Schema {self.name!r} has {n:,} {what}; expected at most {most:,}."
                )
        _unique("landmark", self.name, self.landmarks)
        _unique("category", self.name, (c.name for c in self.categories))
        if (
            len(self.flips) != k
            or sorted(self.flips) != list(range(k))
            or any(self.flips[self.flips[i]] != i for i in range(k))
        ):
            raise SchemaError(
                f"Schema {self.name!r}: flips {shown(list(self.flips))} is not a permutation of 0..{k - 1} "
                "that undoes itself; list the left/right pairs, each landmark once."
            )
        if len(self.sigmas) != k:
            raise SchemaError(
                f"Schema {self.name!r}: expected {k} sigmas, found {len(self.sigmas)}."
            )
        for name, sigma in zip(self.landmarks, self.sigmas, strict=True):
            if not 0 < sigma <= MAX_SIGMA:
                raise SchemaError(
                    f"Schema {self.name!r}, landmark {shown(name)}: the sigma is {shown(sigma)}; "
                    f"expected positive sigmas, up to {MAX_SIGMA}."
                )
        if len(self.colors) != k:
            raise SchemaError(
                f"Schema {self.name!r}: expected {k} colours, found {len(self.colors)}."
            )
        for name, color in zip(self.landmarks, self.colors, strict=True):
            if not _is_color(color):
                raise SchemaError(
                    f"Schema {self.name!r}, landmark {shown(name)}: the colour is {shown(color)}; "
                    "expected one such as '#ff8800'."
                )
        for label, edges in self.skeletons:
            for a, b in edges:
                if not (0 <= a < k and 0 <= b < k and a != b):
                    raise SchemaError(
                        f"Schema {self.name!r}, skeleton {label!r}: edge ({a + 1}, {b + 1}) does "
                        f"not join two of the landmarks 1..{k}."
                    )
        if self.default_skeleton not in dict(self.skeletons):
            raise SchemaError(
                f"Schema {self.name!r}: default skeleton {self.default_skeleton!r} is not one of "
                f"{shown([label for label, _ in self.skeletons])}."
            )
        types = dict(self.body_types)
        for label, members in types.items():
            if not members or any(not 0 <= i < k for i in members):
                raise SchemaError(
                    f"Schema {self.name!r}, body type {label!r}: expected landmarks of 1..{k}, "
                    f"found {shown([i + 1 for i in members])}."
                )
        for category in self.categories:
            if not category.body_types or any(b not in types for b in category.body_types):
                raise SchemaError(
                    f"Schema {self.name!r}, category {category.name!r}: body types "
                    f"{shown(list(category.body_types))} are not among {shown(list(types))}."
                )

    # -- reading ---------------------------------------------------------------------------

    @classmethod
    def load(cls, source: str | Path) -> Schema:
        """Read a schema from the package by name, or from a ``.toml`` file.

        Raises
        ------
        SchemaError
            If there is no such schema, or it is malformed.
        """
        if str(source) in BUNDLED:
            text = resources.files(__package__).joinpath(f"data/{source}.toml").read_text("utf-8")
            return cls.from_dict(parse_toml(text, str(source), SchemaError))
        path = Path(source)
        if path.suffix.lower() != ".toml" or not is_file(path):
            raise SchemaError(
                f"No schema {shown(str(source))}: expected one of {list(BUNDLED)} or the path of a "
                "schema file ending in .toml."
            )
        data = read_toml(path, SchemaError, expected="a landmark schema (TOML)")
        try:
            schema = cls.from_dict(data)
            schema._check_letters()
        except SchemaError as error:
            raise SchemaError(f"{path}: {error}") from error
        _log.info(
            "schema %s of %s: %d landmarks, %d edges, %d categories",
            schema.name, path, schema.n_landmarks, len(schema.edges), len(schema.categories),
        )  # fmt: skip
        return schema

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """Build a schema from its dictionary form (1-based indices, as in the TOML files).

        Raises
        ------
        SchemaError
            With the key, what was found and what was expected.
        """
        if not isinstance(data, Mapping):
            raise SchemaError(f"Found {shown(data)}; expected a schema, a table.")
        form = _Form(data)
        landmarks = form.tables("landmarks", MAX_LANDMARKS)
        names = tuple(entry.text("name") for entry in landmarks)
        places = {name: i for i, name in enumerate(names)}
        flips = list(range(len(names)))
        for pair in form.lists("flip_pairs", MAX_LANDMARKS, ()):
            ends = pair.items
            if len(ends) != 2 or any(not isinstance(e, str) or e not in places for e in ends):
                raise pair.wrong(ends, "the names of two landmarks")
            a, b = (places[end] for end in ends)
            flips[a], flips[b] = b, a
        return cls(
            name=form.text("name"),
            landmarks=names,
            skeletons=tuple(
                (label, tuple((a - 1, b - 1) for a, b in form.at("skeletons", label).pairs()))
                for label in form.table("skeletons")
            ),
            default_skeleton=form.text("default_skeleton"),
            flips=tuple(flips),
            sigmas=tuple(entry.number("sigma") for entry in landmarks),
            body_types=tuple(
                (label, tuple(i - 1 for i in form.at("body_types", label).whole_numbers()))
                for label in form.table("body_types")
            ),
            categories=tuple(
                Category(entry.text("name"), tuple(entry.texts("body_types")))
                for entry in form.tables("categories", MAX_CATEGORIES, ())
            ),
            colors=tuple(entry.text("color") for entry in landmarks),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary form that `from_dict` reads (1-based indices)."""
        return {
            "name": self.name,
            "default_skeleton": self.default_skeleton,
            "landmarks": [
                {"name": n, "sigma": s, "color": c}
                for n, s, c in zip(self.landmarks, self.sigmas, self.colors, strict=True)
            ],
            "flip_pairs": [
                [self.landmarks[i], self.landmarks[j]] for i, j in enumerate(self.flips) if i < j
            ],
            "skeletons": {
                label: [[a + 1, b + 1] for a, b in edges] for label, edges in self.skeletons
            },
            "body_types": {label: [i + 1 for i in members] for label, members in self.body_types},
            "categories": [
                {"name": c.name, "body_types": list(c.body_types)} for c in self.categories
            ],
        }

    @classmethod
    def from_coco(cls, categories: Iterable[Mapping[str, Any]], name: str = "data set") -> Schema:
        """Find or make the schema of the categories of a COCO keypoint document.

        Categories whose landmarks are those of a bundled schema get the one that has the most of
        their names (with its sigmas, flips and body types); where it lacks some, its landmarks with
        the document's categories. Any other categories get a schema of their own: flips by
        ``left``/``right`` in the names, and a body type for each list of landmarks. Categories with
        different lists share one schema, which has the landmarks of all of them.

        A skeleton that is missing, null or counts from 0 is read as far as it can be.

        Raises
        ------
        SchemaError
            If no category names keypoints.
        """
        entries = [c for c in categories if isinstance(c.get("keypoints"), list) and c["keypoints"]]
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
        labels_of = [_as_text(entry["name"]) for entry in entries]
        names = tuple(dict.fromkeys(n for labels in lists for n in labels))
        if len(names) > MAX_LANDMARKS:
            raise SchemaError(
                f"The categories name {len(names):,} landmarks; expected at most {MAX_LANDMARKS:,}."
            )
        labels = tuple(dict.fromkeys(labels_of))
        best: Schema | None = None
        fit: tuple[int, int] = (-1, 0)
        for bundled in BUNDLED:
            schema = cls.load(bundled)
            if any(points != schema.landmarks for points in lists):
                continue
            known = set(schema.category_names) & set(labels)
            if (len(known), -len(schema.categories)) > fit:
                best, fit = schema, (len(known), -len(schema.categories))
        if best is not None:
            if fit[0] == len(labels):
                return best
            by_name = {c.name: c for c in best.categories}
            any_type = tuple(best.body_type_names)
            return best.with_categories(
                by_name.get(label, Category(label, any_type)) for label in labels
            )
        place = {n: i for i, n in enumerate(names)}
        flips = [place.get(_mirrored(n), i) for i, n in enumerate(names)]
        flips = [j if flips[j] == i else i for i, j in enumerate(flips)]
        edges: dict[Edge, None] = {}
        types: dict[tuple[int, ...], str] = {}
        taken: set[str] = set()
        members: dict[str, dict[str, None]] = {}
        for entry, label, points in zip(entries, labels_of, lists, strict=True):
            places = tuple(place[n] for n in points)
            for a, b in skeleton_edges(entry.get("skeleton"), len(points)):
                if places[a] != places[b] and len(edges) < MAX_EDGES:
                    edges[places[a], places[b]] = None
            if places not in types:
                whole = len(set(places)) == len(names)
                types[places] = _another("all" if whole else label, taken)
            members.setdefault(label, {})[types[places]] = None
        k = len(names)
        return cls(
            name=name,
            landmarks=names,
            skeletons=(("file", tuple(edges)),),
            default_skeleton="file",
            flips=tuple(flips),
            sigmas=(0.08,) * k,
            body_types=tuple((label, places) for places, label in types.items()),
            categories=tuple(Category(label, tuple(members[label])) for label in labels),
            colors=tuple(_hue(i / k) for i in range(k)),
        )

    @classmethod
    def from_note(cls, note: object) -> Schema:
        """Read what `to_note` returned.

        Raises
        ------
        SchemaError
            If it is neither the name of a bundled schema nor the dictionary of one.
        """
        if isinstance(note, str) and note in BUNDLED:
            return cls.load(note)
        if isinstance(note, dict):
            return cls.from_dict(note)
        raise SchemaError(
            f"Found the schema {shown(note)}; expected one of {list(BUNDLED)} or a whole schema."
        )

    def to_note(self) -> str | dict[str, Any]:
        """Return what a file says of its schema: a bundled one's name, else all of it."""
        if self.name in BUNDLED and self == Schema.load(self.name):
            return self.name
        return self.to_dict()

    # -- asking ----------------------------------------------------------------------------

    @property
    def n_landmarks(self) -> int:
        """Number K of landmarks."""
        return len(self.landmarks)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The E edges of the default skeleton, 0-based."""
        return dict(self.skeletons)[self.default_skeleton]

    @property
    def body_type_names(self) -> tuple[str, ...]:
        """Names of the body types."""
        return tuple(label for label, _ in self.body_types)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the C categories."""
        return tuple(c.name for c in self.categories)

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the content's SHA-256."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _category_places(self) -> dict[str, int]:
        return {c.name: i for i, c in enumerate(self.categories)}

    def _check_letters(self) -> None:
        """Raise SchemaError for a name that cannot be shown on one line."""
        groups = {
            "name": (self.name,),
            "landmarks": self.landmarks,
            "skeletons": (label for label, _ in self.skeletons),
            "body_types": self.body_type_names,
            "categories": self.category_names,
        }
        for key, names in groups.items():
            for name in names:
                if not name.strip() or not name.isprintable() or len(name) > MAX_LETTERS:
                    raise SchemaError(
                        f"{key}: found the name {shown(name)}; expected letters that can be shown, "
                        f"at most {MAX_LETTERS}."
                    )

    def category_index(self, name: str) -> int:
        """Return the index of the category called `name`.

        Raises
        ------
        SchemaError
            If the schema has no such category.
        """
        try:
            return self._category_places[name]
        except (KeyError, TypeError):
            raise SchemaError(
                f"Schema {self.name!r} has no category {shown(name)}; it has "
                f"{_listed(self.category_names)}."
            ) from None

    def landmarks_of(self, body_type: str) -> tuple[int, ...]:
        """Return the indices of the landmarks that a body type has."""
        try:
            return dict(self.body_types)[body_type]
        except KeyError:
            raise SchemaError(
                f"Schema {self.name!r} has no body type {shown(body_type)}; it has "
                f"{_listed(self.body_type_names)}."
            ) from None

    def landmarks_of_category(self, index: int) -> tuple[int, ...]:
        """Return the landmarks that garments of a category can have (all its body types)."""
        members = {i for b in self.categories[index].body_types for i in self.landmarks_of(b)}
        return tuple(sorted(members))

    def body_type_for(self, category: int, present: Iterable[int]) -> str:
        """Return the category's body type that fits the `present` landmarks best.

        The one that lacks the fewest of them, then the one with the fewest beside them, then
        the category's usual one.
        """
        have = set(present)

        def misfit(body_type: str) -> tuple[int, int]:
            members = set(self.landmarks_of(body_type))
            return len(have - members), len(members - have)

        return min(self.categories[category].body_types, key=misfit)

    def with_skeleton(self, label: str) -> Schema:
        """Return this schema with another of its skeletons as the default."""
        return self._replace(default_skeleton=label)

    def with_categories(self, categories: Iterable[Category]) -> Schema:
        """Return this schema with other categories."""
        return self._replace(categories=tuple(categories))

    def _replace(self, **changes: Any) -> Schema:
        from dataclasses import replace

        return replace(self, **changes)


def skeleton_edges(skeleton: object, k: int) -> list[Edge]:
    """Return the 0-based edges of a COCO skeleton, without those that join no two of K landmarks.

    A skeleton in which a 0 occurs counts from 0; COCO's count from 1. Only the first `MAX_EDGES` pairs
    are looked at.
    """
    pairs = [
        (pair[0], pair[1])
        for pair in (skeleton[:MAX_EDGES] if isinstance(skeleton, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
    ]
    first = 0 if any(0 in pair for pair in pairs) else 1
    edges = [(a - first, b - first) for a, b in pairs]
    return [(a, b) for a, b in edges if 0 <= a < k and 0 <= b < k and a != b]


class _Form:
    """A value of a schema's dictionary form with its place in it."""

    def __init__(self, value: Any, place: str = "", schema: object = "?") -> None:
        self.value = value
        self.place = place
        self.schema = (value.get("name") or "?") if not place else schema

    def wrong(self, found: object, expected: str, key: str = "") -> SchemaError:
        place = f"{self.place}.{key}".strip(".") if key else self.place
        said = f"found {shown(found)}" if found is not _MISSING else "it is missing"
        return SchemaError(
            f"Schema {shown(self.schema)} is malformed: {shown_path(place[:100])}: {said}; expected "
            f"{expected}."
        )

    def at(self, *keys: str) -> _Form:
        value = self.value
        for key in keys:
            value = value[key]
        return _Form(value, ".".join([*filter(None, [self.place]), *keys]), self.schema)

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

    def lists(self, key: str, most: int, default: object = _MISSING) -> list[_Form]:
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
            _Form(item, f"{self.place}.{key}[{i}]".strip("."), self.schema)
            for i, item in enumerate(found)
        ]

    def tables(self, key: str, most: int, default: object = _MISSING) -> list[_Form]:
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


def _unique(what: str, schema: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"Schema {schema!r} has the {what} {shown(name)} twice.")
        seen.add(name)


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(name[:60] for name in names[:60])
    return f"{few} and {len(names) - 60} more" if len(names) > 60 else few


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


def _is_color(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", text) is not None


def _mirrored(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _hue(turn: float) -> str:
    import colorsys

    rgb: Sequence[float] = colorsys.hsv_to_rgb(turn, 0.75, 1.0)
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)
