"""Between the landmarks of a schema and those of a larger one, by name.

A model of upper garments may know six landmarks of the eight that a data set has. What it finds is given
the landmarks, edges and categories of the larger schema. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import counted, listed
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.errors import SchemaError
from napari_fashion.schema import Schema

Float32 = NDArray[np.float32]

NO_LOGIT = -1e4
"""Logit of a category that the part does not know; finite, so that it can be averaged and drawn."""


@dataclass(frozen=True, eq=False)
class SubSchema:
    """A schema whose landmarks and categories are among those of another one.

    Attributes
    ----------
    schema
        The larger one: K landmarks, C categories.
    part
        The smaller one: L landmarks; it may be as large.
    landmarks
        (L,) int64: for each landmark of the part its index in `schema`.
    own
        (K,) bool: landmarks of the body types that count; all are among those of the part.
    categories
        For each category of the part its index in `schema`.
    possible
        (C,) bool: categories that have one of the body types.
    """

    schema: Schema
    part: Schema
    landmarks: NDArray[np.int64]
    own: NDArray[np.bool_]
    categories: NDArray[np.int64]
    possible: NDArray[np.bool_]

    @classmethod
    def of(cls, schema: Schema, part: Schema, body_types: Sequence[str]) -> SubSchema:
        """Match a schema with a larger one by name.

        Parameters
        ----------
        schema, part
            The larger one, and the smaller one.
        body_types
            Of the larger one: those whose garments count.

        Raises
        ------
        SchemaError
            If landmarks or categories of the part are not in the larger schema, the part lacks a landmark
            of the body types, or it knows categories, and none that has one of them.
        """
        where = {name: i for i, name in enumerate(schema.landmarks)}
        if foreign := [name for name in part.landmarks if name not in where]:
            raise SchemaError(
                f"it has {counted(foreign, 'landmarks')} that schema {schema.name!r} lacks; expected "
                f"some of {listed(schema.landmarks)}"
            )
        names = schema.category_names
        if foreign := [name for name in part.category_names if name not in names]:
            raise SchemaError(
                f"it has {counted(foreign, 'categories')} that schema {schema.name!r} lacks; expected "
                f"some of {listed(names)}"
            )
        members = sorted({i for name in body_types for i in schema.landmarks_of(name)})
        wanted = [schema.landmarks[i] for i in members]
        if lacking := [name for name in wanted if name not in part.landmarks]:
            raise SchemaError(
                f"it lacks {counted(lacking, 'landmarks')} of body type {' and '.join(body_types)}; "
                f"expected {listed(wanted)}"
            )
        categories = np.array([names.index(name) for name in part.category_names], np.int64)
        own = np.zeros(schema.n_landmarks, np.bool_)
        own[members] = True
        possible = np.array(
            [bool(set(c.body_types) & set(body_types)) for c in schema.categories], np.bool_
        )
        if len(categories) and not possible[categories].any():
            raise SchemaError(
                f"none of its {counted(part.category_names, 'categories')} has body type "
                f"{' or '.join(body_types)}; expected one that has"
            )
        landmarks = np.array([where[name] for name in part.landmarks], np.int64)
        return cls(schema, part, landmarks, own, categories, possible)

    def garment(self, garment: PredictedGarment) -> PredictedGarment:
        """Return a garment of the part with the landmarks and categories of the larger schema.

        Landmarks and categories of other body types than those that count are left out.
        """

        def wide(values: Float32) -> Float32:
            made = np.zeros((self.schema.n_landmarks, *values.shape[1:]), np.float32)
            made[self.landmarks] = values
            return made

        return replace(
            garment,
            xy=wide(garment.xy),
            scores=wide(garment.scores),
            spread=wide(garment.spread),
            category=self._category(garment.category),
            present=None if garment.present is None else wide(garment.present),
            visible=None if garment.visible is None else wide(garment.visible),
            layer=0,
        ).keeping(self.own)

    def _category(self, category: Float32) -> Float32:
        """Return (C,) probabilities: those of possible categories, or all alike if nothing is known."""
        wide = np.zeros(len(self.schema.categories), np.float32)
        wide[self.categories] = category
        wide[~self.possible] = 0
        if not wide.sum() > 0:
            wide[self.possible if self.possible.any() else slice(None)] = 1
        total = wide.sum()
        return wide / total if total > 0 else wide

    def fields(self, fields: Fields) -> Fields:
        """Return fields of the part with the landmarks, edges and categories of the larger schema.

        The confidence of landmarks and edges that the part lacks is 0.
        """
        k, edges = self.schema.n_landmarks, self.schema.edges

        def wide(values: Float32, size: int, at: NDArray[np.int64], blank: float = 0) -> Float32:
            made = np.full((size, *values.shape[1:]), blank, np.float32)
            made[at] = values
            return made

        of = {ends: n for n, ends in enumerate(edges)}
        from_part, to, turned = [], [], []
        for n, (a, b) in enumerate(
            self.landmarks[np.array(fields.edges, int).reshape(-1, 2)].tolist()
        ):
            if (a, b) in of or (b, a) in of:
                from_part.append(n)
                to.append(of.get((a, b), of.get((b, a), 0)))
                turned.append((a, b) not in of)
        source, target = np.array(from_part, np.int64), np.array(to, np.int64)
        turn = np.array(turned, np.bool_)

        def ends(one: Float32, other: Float32) -> Float32:
            chosen = np.where(turn.reshape(-1, *[1] * (one.ndim - 1)), other[source], one[source])
            return wide(chosen, len(edges), target)

        names = ("pif_confidence", "pif_xy", "pif_spread", "pif_size")
        pif: dict[str, Any] = {
            name: wide(getattr(fields, name), k, self.landmarks) for name in names
        }
        visible = fields.pif_visible
        return replace(
            fields,
            **pif,
            pif_visible=None if visible is None else wide(visible, k, self.landmarks),
            paf_confidence=wide(fields.paf_confidence[source], len(edges), target),
            paf_xy1=ends(fields.paf_xy1, fields.paf_xy2),
            paf_xy2=ends(fields.paf_xy2, fields.paf_xy1),
            paf_spread1=ends(fields.paf_spread1, fields.paf_spread2),
            paf_spread2=ends(fields.paf_spread2, fields.paf_spread1),
            category=wide(fields.category, len(self.schema.categories), self.categories, NO_LOGIT),
            edges=edges,
        )
