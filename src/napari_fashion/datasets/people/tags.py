"""The photos' tags, and which categories of a schema they are: the table ``categories.csv``."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from functools import cache

from napari_fashion.coco.categories import CategoryAnswer
from napari_fashion.datasets.people.locate import DATA
from napari_fashion.schema import Category, Schema

TAGS = "tags"
"""The kind of categories that are the tags themselves."""


@dataclass(frozen=True)
class Tag:
    """A row of the table.

    Attributes
    ----------
    name
        As the landmark files have it.
    body_types
        What garments of this tag are, as seen; the usual one first.
    n_train
        Number of garments with landmarks in ``train.json``.
    categories
        The category that it is, by the name of a schema.
    """

    name: str
    body_types: tuple[str, ...]
    n_train: int
    categories: dict[str, str]


@cache
def tags() -> tuple[Tag, ...]:
    """Return the tags, in the order of their category ids, which count from 1."""
    with (DATA / "categories.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(
            Tag(row.pop("tag"), tuple(row.pop("body_types").split()), int(row.pop("n_train")), row)
            for row in csv.DictReader(stream)
        )


@cache
def kinds() -> tuple[str, ...]:
    """Return what the categories of a data set may be: the names of schemas, and `TAGS`."""
    return (*tags()[0].categories, TAGS)


@cache
def schema_of(kind: str) -> Schema:
    """Return the schema of the data set with a kind of categories (`kinds`)."""
    if kind != TAGS:
        return Schema.load(kind)
    base = Schema.load("garments")
    categories = tuple(Category(tag.name, tag.body_types) for tag in tags())
    return replace(base, name="people", categories=categories)


@cache
def category_ids(kind: str) -> dict[str, int]:
    """Return the category's id of each tag, for a kind of categories."""
    if kind == TAGS:
        return {tag.name: i for i, tag in enumerate(tags(), start=1)}
    schema = schema_of(kind)
    return {tag.name: schema.category_index(tag.categories[kind]) + 1 for tag in tags()}


def category_map(name: str) -> CategoryAnswer:
    """Return what a schema's categories are in the landmark files, whose categories are the tags.

    Parameters
    ----------
    name
        ``garments`` or ``deepfashion``. Of several tags for one category the most frequent comes first:
        it is what predicted garments get.
    """
    names: dict[str, tuple[str, ...]] = {}
    for tag in sorted(tags(), key=lambda tag: -tag.n_train):
        category = tag.categories[name]
        names[category] = (*names.get(category, ()), tag.name)
    return CategoryAnswer(names=names)


def map_text(name: str) -> str:
    """Return `category_map` as a file that `coco.categories.read_category_map` reads."""
    found = category_map(name)
    lines = [
        f"{json.dumps(ours)} = {json.dumps(list(found.targets(ours)))}" for ours in found.names
    ]
    head = f"# A model's categories ({name}) = the tags of train.json and test.json."
    return "\n".join([head, "[categories]", *lines]) + "\n"
