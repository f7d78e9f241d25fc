"""What can be asked of a schema."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from napari_fashion.documents import shown
from napari_fashion.errors import SchemaError
from napari_fashion.schema._derived import numbered
from napari_fashion.schema._flips import find_flips

Edge = tuple[int, int]


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


class Queries:
    """The part of `Schema` that answers questions about its data."""

    name: str
    landmarks: tuple[str, ...]
    skeletons: tuple[tuple[str, tuple[Edge, ...]], ...]
    default_skeleton: str
    body_types: tuple[tuple[str, tuple[int, ...]], ...]
    categories: tuple[Category, ...]
    mirrors: bool
    places: tuple[str, ...]

    @property
    def n_landmarks(self) -> int:
        """Number K of landmarks."""
        return len(self.landmarks)

    @cached_property
    def mirror_problem(self) -> str:
        """Why images must not be flipped horizontally, as a clause; empty if they may be."""
        if self.mirrors:
            return ""
        return (
            find_flips(self.landmarks).problem or "the schema says so, or lists of flips disagree"
        )

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
    def _category_places(self) -> dict[str, int]:
        return {c.name: i for i, c in enumerate(self.categories)}

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

    def pieces_of(self, body_type: str) -> list[tuple[int, ...]]:
        """Return the parts into which the default skeleton's edges divide a body type's landmarks.

        Each is decoded as a garment of its own, unless an image has one garment only.

        Examples
        --------
        >>> from napari_fashion.schema import Schema
        >>> Schema.load("deepfashion").with_skeleton("A").pieces_of("upper")
        [(0, 1, 2, 3), (6, 7)]
        """
        part = {i: {i} for i in self.landmarks_of(body_type)}
        for a, b in self.edges:
            if a in part and b in part:
                joined = part[a] | part[b]
                part |= dict.fromkeys(joined, joined)
        return sorted({tuple(sorted(members)) for members in part.values()})

    def landmarks_of_category(self, index: int) -> tuple[int, ...]:
        """Return the landmarks that garments of a category can have (all its body types)."""
        members = {i for b in self.categories[index].body_types for i in self.landmarks_of(b)}
        return tuple(sorted(members))

    def own_landmarks(self, category: str) -> tuple[str, ...]:
        """Return the names of the landmarks that garments of a category can have."""
        members = self.landmarks_of_category(self.category_index(category))
        return tuple(self.landmarks[i] for i in members)

    def counterparts(self, category: int) -> dict[int, int]:
        """Return for landmarks that a category lacks its landmark at the same place, if it has one.

        Examples
        --------
        >>> from napari_fashion.schema import Schema
        >>> schema = Schema.load("deepfashion2")
        >>> schema.landmarks[25], schema.landmarks[schema.counterparts(0)[25]]
        ('long_sleeve_top_neckline_1', 'short_sleeve_top_neckline_1')
        """
        own = self.landmarks_of_category(category)
        at = {self.places[i]: i for i in own} if self.places else {}
        return {i: at[place] for i, place in enumerate(self.places) if place in at and i not in own}

    def body_type_for(self, category: int, present: Iterable[int]) -> str:
        """Return the category's body type that fits the `present` landmarks best.

        Ranked by (1) fewest `present` landmarks outside the body type, (2) fewest landmarks of the
        body type missing from `present`, (3) order in the category.

        Examples
        --------
        >>> from napari_fashion.schema import Schema
        >>> schema = Schema.load("garments")
        >>> schema.body_type_for(schema.category_index("Dress"), [0, 1, 6, 7])
        'full'
        """
        have = set(present)

        def misfit(body_type: str) -> tuple[int, int]:
            members = set(self.landmarks_of(body_type))
            return len(have - members), len(members - have)

        return min(self.categories[category].body_types, key=misfit)

    @cached_property
    def place_indices(self) -> tuple[int, ...]:
        """For each of the K landmarks the index of its place, by the places' first appearance.

        Raises
        ------
        SchemaError
            If the schema has no places.
        """
        if not self.places:
            raise SchemaError(
                f"Schema {self.name!r} has no places that landmarks share; expected a 'place' with some "
                "of its landmarks."
            )
        return numbered(self.places)


def _listed(names: Sequence[str]) -> str:
    few = ", ".join(name[:60] for name in names[:60])
    return f"{few} and {len(names) - 60} more" if len(names) > 60 else few
