"""Layers of clothing: which fields a network has for the landmarks of which categories.

A jacket over a shirt over trousers have collars and sleeves within a few pixels of each other. Fields of
one landmark can say one place a cell, so that one of two such garments is lost, and hems of an upper
garment and of trousers are confused. A network with layers (`NetworkConfig.layers`) has landmarks and
edges of its own for each of them. That is the network's own matter: labels and predictions have the
schema's landmarks, and without layers both are the same. No torch here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode.garment import DecodedGarment
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.network.config import REST
from napari_fashion.schema import Category, Schema

OTHER_LAYER = 0.1
"""How likely a category of another layer is than the layer says in whose fields a garment was found: the
category field of a shirt shows the open jacket around it as well."""


@dataclass(frozen=True)
class Layer:
    """One layer, with L landmarks.

    Attributes
    ----------
    name
        Of the layer.
    categories
        Indices of its categories.
    landmarks
        For each of its landmarks the index in the schema.
    first, first_edge
        Where its landmarks and edges begin among the network's.
    edges
        Its edges, between the L landmarks.
    sets
        The landmarks of its body types, among the L.
    """

    name: str
    categories: tuple[int, ...]
    landmarks: tuple[int, ...]
    first: int
    first_edge: int
    edges: tuple[tuple[int, int], ...]
    sets: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Layers:
    """The layers of a network.

    Attributes
    ----------
    schema
        What labels and predictions have: K landmarks, C categories.
    field_schema
        What the network has fields for; the schema itself without layers.
    layers
        One or more.
    """

    schema: Schema
    field_schema: Schema
    layers: tuple[Layer, ...]

    @staticmethod
    def of(schema: Schema, names: Mapping[str, Sequence[str]]) -> Layers:
        """Return the layers of a schema.

        Parameters
        ----------
        schema
            Of labels and predictions.
        names
            `NetworkConfig.layers`. Layers of which the schema has no category are left out.
        """
        return _layers(schema, tuple((name, tuple(of)) for name, of in names.items()))

    @property
    def is_one(self) -> bool:
        """Whether there is one layer of all, whose fields are the schema's landmarks."""
        return self.field_schema is self.schema

    @property
    def landmark_of(self) -> tuple[int, ...]:
        """For each of the network's landmarks the schema's."""
        return tuple(i for layer in self.layers for i in layer.landmarks)

    @property
    def layer_of(self) -> tuple[int, ...]:
        """For each of the network's landmarks its layer."""
        return tuple(n for n, layer in enumerate(self.layers) for _ in layer.landmarks)

    @property
    def of_category(self) -> tuple[int, ...]:
        """For each category its layer."""
        found = {c: n for n, layer in enumerate(self.layers) for c in layer.categories}
        return tuple(found[c] for c in range(len(self.schema.categories)))

    def part_of(self, fields: Fields, layer: int) -> Fields:
        """Return the fields of one layer: L landmarks, its edges, and all categories."""
        if self.is_one:
            return fields
        of = self.layers[layer]
        pif = slice(of.first, of.first + len(of.landmarks))
        paf = slice(of.first_edge, of.first_edge + len(of.edges))
        return replace(
            fields,
            pif_confidence=fields.pif_confidence[pif],
            pif_xy=fields.pif_xy[pif],
            pif_spread=fields.pif_spread[pif],
            pif_size=fields.pif_size[pif],
            pif_visible=None if fields.pif_visible is None else fields.pif_visible[pif],
            paf_confidence=fields.paf_confidence[paf],
            paf_xy1=fields.paf_xy1[paf],
            paf_xy2=fields.paf_xy2[paf],
            paf_spread1=fields.paf_spread1[paf],
            paf_spread2=fields.paf_spread2[paf],
            edges=of.edges,
        )

    def widened(self, values: NDArray[np.float32], layer: int) -> NDArray[np.float32]:
        """Return (L, ...) values of a layer's landmarks as (K, ...) of the schema's; 0 for the others."""
        if self.is_one:
            return values
        wide = np.zeros((self.schema.n_landmarks, *values.shape[1:]), values.dtype)
        wide[list(self.layers[layer].landmarks)] = values
        return wide

    def widened_garment(self, garment: DecodedGarment, layer: int) -> DecodedGarment:
        """Return a garment that was decoded from the fields of a layer, with the schema's landmarks."""
        return DecodedGarment(
            self.widened(garment.xy, layer),
            self.widened(garment.scores, layer),
            self.widened(garment.spread, layer),
            garment.score,
        )

    def with_prior(self, category: NDArray[np.float32], layer: int) -> NDArray[np.float32]:
        """Return (C,) probabilities of the categories of a garment that was found in a layer's fields."""
        if self.is_one or not category.size:
            return category
        weighed = category * OTHER_LAYER
        own = list(self.layers[layer].categories)
        weighed[own] = category[own]
        total = weighed.sum()
        return weighed / total if total > 0 else category

    def mass(self, category: NDArray[np.float32]) -> list[float]:
        """Return for each layer the probability of its categories, (C,); 1 where none are known."""
        if not category.size:
            return [1.0] * len(self.layers)
        return [float(category[list(layer.categories)].sum()) for layer in self.layers]

    def together(self, fields: Fields) -> Fields:
        """Return the fields as one layer: of each landmark and edge, in each cell, the surest layer's."""
        if self.is_one:
            return fields
        parts = [self.part_of(fields, n) for n in range(len(self.layers))]
        k, edges = self.schema.n_landmarks, self.schema.edges
        places = [{i: n for n, i in enumerate(layer.landmarks)} for layer in self.layers]
        pif = [
            [(part, at[i]) for part, at in zip(parts, places, strict=True) if i in at]
            for i in range(k)
        ]
        paf = []
        for a, b in edges:
            having = [
                (part, part.edges.index((at[a], at[b])))
                for part, at in zip(parts, places, strict=True)
                if a in at and b in at and (at[a], at[b]) in part.edges
            ]
            paf.append(having)
        names = ("pif_confidence", "pif_xy", "pif_spread", "pif_size")
        ends = ("paf_confidence", "paf_xy1", "paf_xy2", "paf_spread1", "paf_spread2")
        values = {name: np.stack([_surest(name, of) for of in pif]) for name in names}
        if fields.pif_visible is not None:
            values["pif_visible"] = np.stack([_surest("pif_visible", of) for of in pif])
        blank = {name: np.zeros_like(getattr(fields, name)[0]) for name in ends} if edges else {}
        values |= {
            name: np.stack([_surest(name, of) if of else blank[name] for of in paf])
            if edges
            else getattr(fields, name)[:0]
            for name in ends
        }
        return replace(fields, **values, edges=edges)  # type: ignore[arg-type]


def _surest(name: str, of: Sequence[tuple[Fields, int]]) -> NDArray[np.float32]:
    """Return one array of several layers' fields, in each cell that of the highest confidence."""
    confidence = np.stack([getattr(part, f"{name[:3]}_confidence")[i] for part, i in of])
    values = np.stack([getattr(part, name)[i] for part, i in of])
    best = confidence.argmax(0)
    best = best[None] if values.ndim == 3 else best[None, None]
    taken: NDArray[np.float32] = np.take_along_axis(values, best, 0)[0]
    return taken


@lru_cache(maxsize=64)
def _layers(schema: Schema, names: tuple[tuple[str, tuple[str, ...]], ...]) -> Layers:
    index = {category.name: i for i, category in enumerate(schema.categories)}
    groups = [(name, tuple(index[c] for c in of if c in index)) for name, of in names]
    groups = [(name, of) for name, of in groups if of]
    named = {c for _, of in groups for c in of}
    if not groups:
        every = range(schema.n_landmarks)
        one = Layer(
            REST,
            tuple(range(len(schema.categories))),
            tuple(every),
            0,
            0,
            schema.edges,
            tuple(members for _, members in schema.body_types),
        )
        return Layers(schema, schema, (one,))
    if rest := tuple(i for i in range(len(schema.categories)) if i not in named):
        groups.append((REST, rest))
    layers: list[Layer] = []
    for name, categories in groups:
        landmarks = sorted({i for c in categories for i in schema.landmarks_of_category(c)})
        place = {i: n for n, i in enumerate(landmarks)}
        types = dict.fromkeys(b for c in categories for b in schema.categories[c].body_types)
        layers.append(
            Layer(
                name,
                categories,
                tuple(landmarks),
                sum(len(layer.landmarks) for layer in layers),
                sum(len(layer.edges) for layer in layers),
                tuple((place[a], place[b]) for a, b in schema.edges if a in place and b in place),
                tuple(tuple(place[i] for i in schema.landmarks_of(b)) for b in types),
            )
        )
    return Layers(schema, _field_schema(schema, layers), tuple(layers))


def _field_schema(schema: Schema, layers: Sequence[Layer]) -> Schema:
    """Return the schema of the network's landmarks, called by their layer and name."""
    at = {
        (n, i): layer.first + place
        for n, layer in enumerate(layers)
        for place, i in enumerate(layer.landmarks)
    }
    order = [i for layer in layers for i in layer.landmarks]
    types = {
        f"{layer.name} {label}": tuple(at[n, i] for i in members)
        for n, layer in enumerate(layers)
        for label, members in schema.body_types
        if any(label in schema.categories[c].body_types for c in layer.categories)
    }
    layer_of = {c: layer.name for layer in layers for c in layer.categories}
    edges = tuple((layer.first + a, layer.first + b) for layer in layers for a, b in layer.edges)
    return Schema(
        name=f"{schema.name} in layers",
        landmarks=tuple(
            f"{layer.name} {schema.landmarks[i]}" for layer in layers for i in layer.landmarks
        ),
        skeletons=(("layers", edges),),
        default_skeleton="layers",
        flips=tuple(
            at.get((n, schema.flips[i]), at[n, i])
            for n, layer in enumerate(layers)
            for i in layer.landmarks
        ),
        sigmas=tuple(schema.sigmas[i] for i in order),
        body_types=tuple(types.items()),
        categories=tuple(
            Category(c.name, tuple(f"{layer_of[i]} {b}" for b in c.body_types))
            for i, c in enumerate(schema.categories)
        ),
        colors=tuple(schema.colors[i] for i in order),
        mirrors=schema.mirrors,
    )
