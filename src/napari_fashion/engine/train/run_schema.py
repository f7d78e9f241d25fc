"""Which landmarks and categories a run learns: by its recipe, its start, and what the data name.

This module imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from napari_fashion.coco import Dataset, Garment, Image
from napari_fashion.coco.categories import (
    FOREIGN,
    CategoryRule,
    other_spellings,
    read_category_map,
)
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.documents import listed, shown
from napari_fashion.engine.data.body_types import BodyTypeFilter, Use, body_type_of
from napari_fashion.errors import RecipeError, SchemaError
from napari_fashion.schema import Category, Schema

DEFAULT = "garments"
"""What landmarks mean in a run that starts from no model, if no file of its data says it."""

FROM_DATA = "from-data"
"""`Recipe.schema_name` of the schema that the data have."""


def choose_schema(name: str | None, sources: Sequence[Source], start: Schema | None) -> Schema:
    """Return the schema that a run has.

    Without a name, a run that starts from no model has the schema of its data. One that starts from a model
    has that model's schema with the categories that garments of the data have and the model lacks, unless a
    map or the file's own answers say what they stand for (`coco.categories`). If the data have other
    landmarks than the model, it has the data's.

    Parameters
    ----------
    name
        `Recipe.schema_name`: a bundled schema, a schema file, `FROM_DATA`, or None.
    sources
        Of the training images.
    start
        Of the model that the run starts from; None if there is none.

    Raises
    ------
    SchemaError, RecipeError, CocoError
        If a schema or a source cannot be read.
    """
    if name == FROM_DATA:
        return _of_data(open_source(source) for source in sources)
    if name is not None:
        return Schema.load(name)
    if start is None:
        return _of_data(open_source(source, Schema.load(DEFAULT)) for source in sources)
    datasets = [open_source(source, start.file_schema) for source in sources]
    if any(dataset.schema.landmarks != start.file_schema.landmarks for dataset in datasets):
        return _of_data(datasets)
    schema = start
    for source, dataset in zip(sources, datasets, strict=True):
        schema = extended(schema, dataset.schema, _new_categories(source, dataset, schema))
    return schema


def with_skeleton(schema: Schema, skeleton: str | Sequence[tuple[str, str]] | None) -> Schema:
    """Return a schema with the skeleton that a recipe asks for.

    Parameters
    ----------
    schema
        Of a run.
    skeleton
        `Recipe.skeleton`: the name of one of the schema's, edges between its landmarks by their names, or
        None for the one that it has.

    Raises
    ------
    RecipeError
        If the schema has no such skeleton, or lacks a landmark.
    """
    if skeleton is None:
        return schema
    if not isinstance(skeleton, str):
        try:
            return schema.with_edges(skeleton)
        except SchemaError as error:
            raise RecipeError(f"skeleton: {error}") from None
    known = [label for label, _ in schema.skeletons]
    if skeleton not in known:
        raise RecipeError(
            f"skeleton: schema {schema.name!r} has none called {shown(skeleton)}; expected one of "
            f"{listed(known)}, or a list of edges, pairs of landmarks' names."
        )
    return schema.with_skeleton(skeleton)


def _of_data(datasets: Iterable[Dataset]) -> Schema:
    """Return the first data set's schema, with the categories of all others that have its landmarks."""
    schemas = (dataset.schema for dataset in datasets)
    schema = next(iter(schemas))
    for other in schemas:
        if other.landmarks == schema.landmarks:
            names = other.category_names
            same = other_spellings(names, schema.category_names)
            schema = extended(schema, other, [name for name in names if name not in same])
    return schema


def _new_categories(source: Source, dataset: Dataset, schema: Schema) -> list[str]:
    """Return the names of a source's categories that the schema lacks, and that garments have.

    Garments count that are learned from (`engine.data.reading`).
    """
    answer = None if source.categories is None else read_category_map(source.categories)
    rule = CategoryRule.of(dataset, schema, answer)
    foreign = {
        key: dataset.category_name(key)
        for key in dataset.ids("categories")
        if rule.index_of(key) == FOREIGN
    }
    if not foreign:
        return []
    body_types = BodyTypeFilter(source, dataset.schema)

    def is_learned(image: Image, garment: Garment) -> bool:
        if garment.is_crowd or not (image.reviewed or source.pseudo or garment.touched_by_human):
            return False
        if source.body_types is None:
            return True
        present = np.flatnonzero(garment.visibility > 0).tolist()
        body_type = body_type_of(dataset.schema, garment, garment.category, present)
        return body_types.use_of(body_type) is Use.OWN

    worn = {
        foreign.get(garment.category_id)
        for image in dataset.images
        for garment in image.garments
        if is_learned(image, garment)
    }
    return [name for name in dict.fromkeys(foreign.values()) if name in worn]


def extended(schema: Schema, other: Schema, names: Iterable[str]) -> Schema:
    """Return a schema with more categories.

    Parameters
    ----------
    schema
        Gets the categories.
    other
        With the same landmarks; says which body types its categories have. A category that it lacks
        has all body types of `schema`.
    names
        Of the categories; those that `schema` has already are passed over.
    """
    if schema.places_of is not None:
        return extended(schema.places_of, other, names).shared()
    types = dict(schema.body_types)
    by_members = {frozenset(members): label for label, members in schema.body_types}
    theirs = {category.name: category for category in other.categories}
    categories = list(schema.categories)
    for name in dict.fromkeys(names):
        if name in schema.category_names:
            continue
        labels: list[str] = []
        for label in theirs[name].body_types if name in theirs else ():
            members = other.landmarks_of(label)
            ours = by_members.get(frozenset(members))
            if ours is None:
                ours = _free(label, types)
                types[ours] = members
                by_members[frozenset(members)] = ours
            labels.append(ours)
        categories.append(Category(name, tuple(dict.fromkeys(labels)) or schema.body_type_names))
    return replace(schema, body_types=tuple(types.items()), categories=tuple(categories))


def _free(label: str, taken: Iterable[str]) -> str:
    """Return a label like the given one that is not taken."""
    names, new, n = set(taken), label, 1
    while new in names:
        n += 1
        new = f"{label} {n}"
    return new
