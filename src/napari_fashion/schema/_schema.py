"""The schema: landmarks, edges, flips, sigmas, body types and categories, as frozen data."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from napari_fashion.documents import parse_toml, read_toml, shown
from napari_fashion.errors import SchemaError
from napari_fashion.files import is_file
from napari_fashion.schema._checks import (
    check_body_types,
    check_colors,
    check_counts,
    check_flips,
    check_letters,
    check_places,
    check_places_of,
    check_sigmas,
    check_skeletons,
    check_unique,
    find_edges,
)
from napari_fashion.schema._derived import SUFFIX, category_parts, edges_at, place_parts, slug
from napari_fashion.schema._form import Form, read_flips, read_places
from napari_fashion.schema._from_coco import hue, join_landmarks, listed_landmarks
from napari_fashion.schema._limits import MAX_CATEGORIES, MAX_EDGES, MAX_LANDMARKS
from napari_fashion.schema._queries import Category, Edge, Queries

_log = logging.getLogger(__name__)

BUNDLED = ("garments", "deepfashion", "deepfashion2", "fashionai")
"""Names of the schemas that the package carries; `Schema.load` takes them."""
_EXPECTED = (
    f"one of {list(BUNDLED)}, one of them with a category of it (such as deepfashion2-skirt), or "
    "deepfashion2-places"
)
OWN_SKELETON = "own"
"""Label of the skeleton that `Schema.with_edges` adds."""
DEFAULT_SIGMA = 0.08
"""Of every landmark of a schema that is made from a COCO file, which has no sigmas."""


@dataclass(frozen=True)
class Schema(Queries):
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
        K colours ``#rrggbb``, one per landmark.
    mirrors
        Whether the flips are known, so that a horizontally flipped image is labelled right: images
        are flipped in training and inference only then.
    places
        K names of the place on a garment that each landmark marks. Landmarks of different body types
        may share one, those of one body type never do. Empty if the schema has none.
    places_of
        The schema whose places this one's landmarks are (`shared`); None if they are no places.
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
    mirrors: bool = True
    places: tuple[str, ...] = ()
    places_of: Schema | None = None

    def __post_init__(self) -> None:
        name, k = self.name, len(self.landmarks)
        if k == 0:
            raise SchemaError(f"Schema {name!r} has no landmarks; expected at least one.")
        n_edges = max((len(edges) for _, edges in self.skeletons), default=0)
        check_counts(
            name,
            {
                "landmarks": (k, MAX_LANDMARKS),
                "edges": (n_edges, MAX_EDGES),
                "categories": (len(self.categories), MAX_CATEGORIES),
                "body types": (len(self.body_types), MAX_CATEGORIES),
            },
        )
        check_unique("landmark", name, self.landmarks)
        check_unique("category", name, (c.name for c in self.categories))
        check_flips(name, self.flips, k)
        check_sigmas(name, self.landmarks, self.sigmas)
        check_colors(name, self.landmarks, self.colors)
        check_skeletons(name, self.skeletons, self.default_skeleton, k)
        categories = ((c.name, c.body_types) for c in self.categories)
        check_body_types(name, dict(self.body_types), categories, k)
        check_places(name, self.landmarks, self.places, self.flips, dict(self.body_types))
        if (parent := self.places_of) is not None:
            check_places_of(name, self.landmarks, parent.name, parent.places)

    # -- reading ---------------------------------------------------------------------------

    @classmethod
    def load(cls, source: str | Path) -> Schema:
        """Read a schema from the package by name, or from a ``.toml`` file.

        The name of a bundled schema and one of its categories, such as ``deepfashion2-skirt``, is the
        schema of that category alone (`of_category`), and ``deepfashion2-places`` that of the places that
        its landmarks share (`shared`).

        Raises
        ------
        SchemaError
            If there is no such schema, or it is malformed.
        """
        if (found := _bundled(str(source))) is not None:
            return found
        path = Path(source)
        if path.suffix.lower() != ".toml" or not is_file(path):
            raise SchemaError(
                f"No schema {shown(str(source))}: expected {_EXPECTED} or the path of a schema file "
                "ending in .toml."
            )
        data = read_toml(path, SchemaError, expected="a landmark schema (TOML)")
        try:
            schema = cls.from_dict(data)
            check_letters(
                {
                    "name": (schema.name,),
                    "landmarks": (*schema.landmarks, *schema.places),
                    "skeletons": (label for label, _ in schema.skeletons),
                    "body_types": schema.body_type_names,
                    "categories": schema.category_names,
                }
            )
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

        Without ``flip_pairs`` the flips are found by the sides in the landmarks' names, unless
        ``mirrors`` says whether each landmark goes to itself (true) or none is known (false).

        Raises
        ------
        SchemaError
            With the key, what was found and what was expected.
        """
        if not isinstance(data, Mapping):
            raise SchemaError(f"Found {shown(data)}; expected a schema, a table.")
        form = Form(data)
        landmarks = form.tables("landmarks", MAX_LANDMARKS)
        names = tuple(entry.text("name") for entry in landmarks)
        flips, mirrors = read_flips(form, names)
        return cls(
            name=form.text("name"),
            landmarks=names,
            skeletons=tuple(
                (label, tuple((a - 1, b - 1) for a, b in form.at("skeletons", label).pairs()))
                for label in form.table("skeletons")
            ),
            default_skeleton=form.text("default_skeleton"),
            flips=flips,
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
            mirrors=mirrors,
            places=read_places(landmarks, names),
            places_of=cls.from_note(data["places_of"]) if "places_of" in data else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary form that `from_dict` reads (1-based indices)."""
        paired = any(i != j for i, j in enumerate(self.flips))
        mirrors = (
            {} if self.mirrors and (paired or self.n_landmarks == 1) else {"mirrors": self.mirrors}
        )
        return {
            "name": self.name,
            "default_skeleton": self.default_skeleton,
            "landmarks": [
                {"name": n, "sigma": s, "color": c}
                | ({"place": self.places[i]} if self.places else {})
                for i, (n, s, c) in enumerate(
                    zip(self.landmarks, self.sigmas, self.colors, strict=True)
                )
            ],
            "flip_pairs": [
                [self.landmarks[i], self.landmarks[j]] for i, j in enumerate(self.flips) if i < j
            ],
            **mirrors,
            "skeletons": {
                label: [[a + 1, b + 1] for a, b in edges] for label, edges in self.skeletons
            },
            "body_types": {label: [i + 1 for i in members] for label, members in self.body_types},
            "categories": [
                {"name": c.name, "body_types": list(c.body_types)} for c in self.categories
            ],
            **({} if self.places_of is None else {"places_of": self.places_of.to_note()}),
        }

    @classmethod
    def from_coco(cls, categories: Iterable[Mapping[str, Any]], name: str = "data set") -> Schema:
        """Find or make the schema of the categories of a COCO keypoint document.

        Categories whose landmarks are those of a bundled schema get the one that has the most of
        their names (with its sigmas, flips and body types); where it lacks some, its landmarks with
        the document's categories. Any other categories get a schema of their own: flips by their
        own lists, such as ``flip_pairs``, else by the sides in the names (`find_flips`), and a body
        type for each list of landmarks. Categories with
        different lists share one schema, which has the landmarks of all of them.

        A skeleton that is missing, null or counts from 0 is read as far as it can be.

        Raises
        ------
        SchemaError
            If no category names keypoints.
        """
        entries = [c for c in categories if isinstance(c.get("keypoints"), list) and c["keypoints"]]
        listed = listed_landmarks(entries)
        labels = tuple(dict.fromkeys(label for label, _ in listed))
        best = cls._best_bundled(labels, listed)
        if best is not None:
            if set(labels) <= set(best.category_names):
                return best
            by_name = {c.name: c for c in best.categories}
            any_type = tuple(best.body_type_names)
            return best.with_categories(
                by_name.get(label, Category(label, any_type)) for label in labels
            )
        joined = join_landmarks(entries, listed)
        k = len(joined.landmarks)
        if joined.flips.problem:
            _log.info("mirroring is off: %s", joined.flips.problem)
        return cls(
            name=name,
            landmarks=joined.landmarks,
            skeletons=(("file", joined.edges),),
            default_skeleton="file",
            flips=joined.flips.order,
            sigmas=(DEFAULT_SIGMA,) * k,
            body_types=joined.body_types,
            categories=tuple(Category(label, types) for label, types in joined.categories),
            colors=tuple(hue(i / k) for i in range(k)),
            mirrors=not joined.flips.problem,
        )

    @classmethod
    def _best_bundled(
        cls, labels: Sequence[str], listed: Sequence[tuple[str, tuple[str, ...]]]
    ) -> Schema | None:
        """Return the bundled schema with these landmarks that has the most of the names, if any.

        Categories of a schema with places may list their own landmarks only.
        """
        best: Schema | None = None
        fit: tuple[int, int] = (-1, 0)
        for bundled in BUNDLED:
            schema = cls.load(bundled)
            own = schema.places and {
                c.name: schema.own_landmarks(c.name) for c in schema.categories
            }
            if any(p != schema.landmarks and (not own or own.get(n) != p) for n, p in listed):
                continue
            known = set(schema.category_names) & set(labels)
            if (len(known), -len(schema.categories)) > fit:
                best, fit = schema, (len(known), -len(schema.categories))
        if best and len(listed) == 1 and listed[0][1] != best.landmarks:
            return best.of_category(labels[0])
        return best

    @classmethod
    def from_note(cls, note: object) -> Schema:
        """Read what `to_note` returned.

        Raises
        ------
        SchemaError
            If it is neither the name of a bundled schema nor the dictionary of one.
        """
        if isinstance(note, str) and (found := _bundled(note)) is not None:
            return found
        if isinstance(note, dict):
            return cls.from_dict(note)
        raise SchemaError(
            f"Found the schema {shown(note)}; expected {_EXPECTED} or a whole schema."
        )

    def to_note(self) -> str | dict[str, Any]:
        """Return the note of a schema in a file: a bundled one's name, else all of it."""
        return self.name if self == _bundled(self.name) else self.to_dict()

    @cached_property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the content's SHA-256."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    # -- deriving --------------------------------------------------------------------------

    def with_skeleton(self, label: str) -> Schema:
        """Return this schema with another of its skeletons as the default."""
        if self.places_of is not None:
            return self.places_of.with_skeleton(label).shared()
        return replace(self, default_skeleton=label)

    def with_edges(self, edges: Sequence[tuple[str, str]]) -> Schema:
        """Return this schema with a skeleton of one's own as the default, called `OWN_SKELETON`.

        Parameters
        ----------
        edges
            Pairs of names of landmarks. If the landmarks are places of others (`shared`), an edge joins
            the landmarks at its places in each body type that has both.

        Raises
        ------
        SchemaError
            If the schema lacks a landmark, or an edge is there twice or joins a landmark to itself.

        Examples
        --------
        >>> Schema.load("deepfashion").with_edges([("left_hem", "right_hem")]).edges
        ((6, 7),)
        """
        own = find_edges(self.name, self.landmarks, edges)
        if (parent := self.places_of) is not None:
            own = edges_at(own, parent.place_indices, dict(parent.body_types))
            return parent._with_own(own).shared()
        return self._with_own(own)

    def _with_own(self, edges: tuple[Edge, ...]) -> Schema:
        others = tuple(entry for entry in self.skeletons if entry[0] != OWN_SKELETON)
        return replace(
            self, skeletons=(*others, (OWN_SKELETON, edges)), default_skeleton=OWN_SKELETON
        )

    def with_categories(self, categories: Iterable[Category]) -> Schema:
        """Return this schema with other categories."""
        if self.places_of is not None:
            return self.places_of.with_categories(categories).shared()
        return replace(self, categories=tuple(categories))

    @property
    def file_schema(self) -> Schema:
        """The schema of the files: the one whose places these landmarks are, otherwise this one."""
        return self.places_of or self

    def shared(self) -> Schema:
        """Return the schema whose landmarks are the places that this one's landmarks share.

        A network of that schema has one field for each place; files keep all landmarks
        (`engine.places`). A place has the mean of its landmarks' sigmas.

        Raises
        ------
        SchemaError
            If the schema has no places.

        Examples
        --------
        >>> schema = Schema.load("deepfashion2")
        >>> schema.n_landmarks, schema.shared().n_landmarks
        (294, 81)
        """
        of = self.place_indices
        first = [of.index(place) for place in range(max(of) + 1)]
        return self._taking(
            first,
            name=f"{self.name}{SUFFIX}",
            landmarks=tuple(self.places[i] for i in first),
            places=(),
            places_of=self,
            **place_parts(
                of,
                skeletons=self.skeletons,
                flips=self.flips,
                sigmas=self.sigmas,
                body_types=dict(self.body_types),
            ),
        )

    def of_category(self, name: str) -> Schema:
        """Return the schema of one category: its landmarks, under their names, and what is said of them.

        It is called after this one and the category, in small letters with hyphens. Without the mirror
        partner of one of its landmarks it is not to be flipped.

        Raises
        ------
        SchemaError
            If the schema has no such category.

        Examples
        --------
        >>> skirt = Schema.load("deepfashion2").of_category("skirt")
        >>> skirt.name, skirt.n_landmarks, skirt.landmarks[0]
        ('deepfashion2-skirt', 8, 'skirt_waist_left')
        """
        category = self.categories[self.category_index(name)]
        kept = self.landmarks_of_category(self.category_index(name))
        types = dict(self.body_types)
        return self._taking(
            kept,
            name=f"{self.name}-{slug(name)}",
            places=tuple(self.places[i] for i in kept) if self.places else (),
            categories=(category,),
            sigmas=tuple(self.sigmas[i] for i in kept),
            **category_parts(
                kept,
                skeletons=self.skeletons,
                flips=self.flips,
                mirrors=self.mirrors,
                body_types={label: types[label] for label in category.body_types},
            ),
        )

    def _taking(self, kept: Sequence[int], **changes: Any) -> Schema:
        """Return this schema with some of its landmarks, in an order, and changes."""
        landmarks, colors = (tuple(all_[i] for i in kept) for all_ in (self.landmarks, self.colors))
        return replace(self, **{"landmarks": landmarks, "colors": colors, **changes})


@cache
def _bundled(name: str) -> Schema | None:
    """Return a schema that the package carries, or that of one of its categories; None if it is none."""
    if name in BUNDLED:
        text = resources.files(__package__).joinpath(f"data/{name}.toml").read_text("utf-8")
        return Schema.from_dict(parse_toml(text, name, SchemaError))
    whole, _, category = name.partition("-")
    found = _bundled(whole) if category and whole in BUNDLED else None
    if found and name == f"{whole}{SUFFIX}" and found.places:
        return found.shared()
    names = found.category_names if found else ()
    own = next((label for label in names if slug(label) == category), None)
    return found.of_category(own) if found and own else None
