"""The schema: landmarks, edges, flips, sigmas, body types and categories, as frozen data."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from napari_fashion.errors import SchemaError

Edge = tuple[int, int]

BUNDLED = ("garments", "deepfashion")
"""Names of the schemas that the package carries; `Schema.load` takes them."""


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
        _unique("landmark", self.name, self.landmarks)
        _unique("category", self.name, (c.name for c in self.categories))
        if sorted(self.flips) != list(range(k)) or any(
            self.flips[self.flips[i]] != i for i in range(k)
        ):
            raise SchemaError(
                f"Schema {self.name!r}: flips {list(self.flips)} is not a permutation of 0..{k - 1} "
                "that undoes itself; list the left/right pairs, each landmark once."
            )
        if len(self.sigmas) != k or any(s <= 0 for s in self.sigmas):
            raise SchemaError(
                f"Schema {self.name!r}: expected {k} positive sigmas, found {list(self.sigmas)}."
            )
        if len(self.colors) != k:
            raise SchemaError(
                f"Schema {self.name!r}: expected {k} colours, found {len(self.colors)}."
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
                f"{[label for label, _ in self.skeletons]}."
            )
        types = dict(self.body_types)
        for label, members in types.items():
            if not members or any(not 0 <= i < k for i in members):
                raise SchemaError(
                    f"Schema {self.name!r}, body type {label!r}: expected landmarks of 1..{k}, "
                    f"found {[i + 1 for i in members]}."
                )
        for category in self.categories:
            if not category.body_types or any(b not in types for b in category.body_types):
                raise SchemaError(
                    f"Schema {self.name!r}, category {category.name!r}: body types "
                    f"{list(category.body_types)} are not among {list(types)}."
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
        else:
            path = Path(source)
            if path.suffix != ".toml" or not path.is_file():
                raise SchemaError(
                    f"No schema {str(source)!r}: expected one of {list(BUNDLED)} or the path of a "
                    "schema file ending in .toml."
                )
            text = path.read_text("utf-8")
        try:
            return cls.from_dict(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise SchemaError(f"{source}: not valid TOML ({error}).") from error

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Schema:
        """Build a schema from its dictionary form (1-based indices, as in the TOML files)."""
        try:
            landmarks = data["landmarks"]
            names = tuple(str(entry["name"]) for entry in landmarks)
            pairs = [(names.index(a), names.index(b)) for a, b in data.get("flip_pairs", ())]
            flips = list(range(len(names)))
            for a, b in pairs:
                flips[a], flips[b] = b, a
            categories = tuple(
                Category(str(entry["name"]), tuple(str(b) for b in entry["body_types"]))
                for entry in data.get("categories", ())
            )
            return cls(
                name=str(data["name"]),
                landmarks=names,
                skeletons=tuple(
                    (str(label), tuple((int(a) - 1, int(b) - 1) for a, b in edges))
                    for label, edges in data["skeletons"].items()
                ),
                default_skeleton=str(data["default_skeleton"]),
                flips=tuple(flips),
                sigmas=tuple(float(entry["sigma"]) for entry in landmarks),
                body_types=tuple(
                    (str(label), tuple(int(i) - 1 for i in members))
                    for label, members in data["body_types"].items()
                ),
                categories=categories,
                colors=tuple(str(entry["color"]) for entry in landmarks),
            )
        except SchemaError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise SchemaError(
                f"Schema {data.get('name', '?')!r} is malformed: {type(error).__name__} {error}. "
                "Compare it with the package's schema/data/deepfashion.toml."
            ) from error

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
        entries = [c for c in categories if c.get("keypoints")]
        if not entries:
            raise SchemaError(
                "No category of the document has 'keypoints'; expected a COCO keypoint file whose "
                "categories name their landmarks."
            )
        lists = [tuple(str(n) for n in entry["keypoints"]) for entry in entries]
        names = tuple(dict.fromkeys(n for labels in lists for n in labels))
        labels = tuple(dict.fromkeys(str(c["name"]) for c in entries))
        best: Schema | None = None
        fit: tuple[int, int] = (-1, 0)
        for bundled in BUNDLED:
            schema = cls.load(bundled)
            if any(labels != schema.landmarks for labels in lists):
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
        flips = [
            names.index(twin) if (twin := _mirrored(n)) in names else i for i, n in enumerate(names)
        ]
        flips = [j if flips[j] == i else i for i, j in enumerate(flips)]
        edges: dict[Edge, None] = {}
        types: dict[tuple[int, ...], str] = {}
        members: dict[str, tuple[str, ...]] = {}
        for entry, points in zip(entries, lists, strict=True):
            places = tuple(names.index(n) for n in points)
            edges |= dict.fromkeys(
                (places[a], places[b])
                for a, b in skeleton_edges(entry.get("skeleton"), len(points))
            )
            whole = len(set(places)) == len(names)
            body_type = types.setdefault(places, "all" if whole else str(entry["name"]))
            label = str(entry["name"])
            members[label] = tuple(dict.fromkeys((*members.get(label, ()), body_type)))
        k = len(names)
        return cls(
            name=name,
            landmarks=names,
            skeletons=(("file", tuple(edges)),),
            default_skeleton="file",
            flips=tuple(flips),
            sigmas=(0.08,) * k,
            body_types=tuple((label, places) for places, label in types.items()),
            categories=tuple(Category(label, members[label]) for label in labels),
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
            f"Found the schema {note!r:.60}; expected one of {list(BUNDLED)} or a whole schema."
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

    def category_index(self, name: str) -> int:
        """Return the index of the category called `name`.

        Raises
        ------
        SchemaError
            If the schema has no such category.
        """
        try:
            return self.category_names.index(name)
        except ValueError:
            raise SchemaError(
                f"Schema {self.name!r} has no category {name!r}; it has "
                f"{', '.join(self.category_names)}."
            ) from None

    def landmarks_of(self, body_type: str) -> tuple[int, ...]:
        """Return the indices of the landmarks that a body type has."""
        try:
            return dict(self.body_types)[body_type]
        except KeyError:
            raise SchemaError(
                f"Schema {self.name!r} has no body type {body_type!r}; it has "
                f"{', '.join(self.body_type_names)}."
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

    A skeleton in which a 0 occurs counts from 0; COCO's count from 1.
    """
    pairs = [
        (pair[0], pair[1])
        for pair in (skeleton if isinstance(skeleton, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and all(type(end) is int for end in pair)
    ]
    first = 0 if any(0 in pair for pair in pairs) else 1
    edges = [(a - first, b - first) for a, b in pairs]
    return [(a, b) for a, b in edges if 0 <= a < k and 0 <= b < k and a != b]


def _unique(what: str, schema: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise SchemaError(f"Schema {schema!r} has the {what} {name!r} twice.")
        seen.add(name)


def _mirrored(name: str) -> str:
    if "left" in name:
        return name.replace("left", "right")
    return name.replace("right", "left")


def _hue(turn: float) -> str:
    import colorsys

    rgb: Sequence[float] = colorsys.hsv_to_rgb(turn, 0.75, 1.0)
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)
