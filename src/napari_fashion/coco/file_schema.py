"""The schema of a COCO file: the given one, the one that the file notes, or one of its categories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_fashion.coco import provenance
from napari_fashion.documents import counted, shown
from napari_fashion.errors import CocoError, SchemaError
from napari_fashion.schema import BUNDLED, Category, Schema

Record = Mapping[str, Any]


def find_schema(
    records: Sequence[Record],
    *,
    given: Schema | None,
    fallback: Schema | None,
    note: object,
    path: Path | None,
) -> tuple[Schema, str]:
    """Return the schema of a file, and why the noted one was not used (empty if it was).

    Parameters
    ----------
    records
        The file's categories.
    given
        The schema that the caller asks for; it takes precedence.
    fallback
        The schema of a file whose categories name no landmarks.
    note
        The schema that the file notes (`Schema.to_note`), or None.
    path
        Named in errors.

    Raises
    ------
    CocoError
        If the categories are malformed, make no schema, or have no landmark of the given schema.
    """
    named = _with_landmarks(records, needs_names=given is None, path=path)
    problem = ""
    schema = given
    if schema is None and note is not None:
        schema, problem = _noted_schema(note, [category for _, category in named])
    if schema is None:
        is_plain = not named and fallback is not None
        return (fallback if is_plain and fallback else _own_schema(records, path)), problem
    known = set(schema.landmarks)
    if named and not any(set(c["keypoints"]) <= known for _, c in named):
        i, category = named[0]
        raise CocoError(
            f"found {counted(list(map(str, category['keypoints'])), 'landmarks')}; expected those of the "
            f"schema {schema.name!r}, {counted(schema.landmarks, 'landmarks')}, in this order.",
            path=path,
            place=f"categories[{i}].keypoints",
            remedy="Give the schema that fits the file, or none to take the file's own.",
        )
    return schema, problem


def _with_landmarks(
    records: Sequence[Record], *, needs_names: bool, path: Path | None
) -> list[tuple[int, Record]]:
    """Return the categories that name landmarks, with their places in the file."""
    named = []
    for i, category in enumerate(records):
        names = category.get("keypoints")
        if names is not None and not (
            isinstance(names, list) and all(isinstance(name, str) for name in names)
        ):
            raise CocoError(
                f"found {shown(names)}; expected a list of the landmarks' names.",
                path=path,
                place=f"categories[{i}].keypoints",
            )
        if names and needs_names and "name" not in category:
            raise CocoError(
                "there is none; expected the name of a category that has landmarks.",
                path=path,
                place=f"categories[{i}].name",
            )
        if names:
            named.append((i, category))
    return named


def _noted_schema(note: object, named: Sequence[Record]) -> tuple[Schema | None, str]:
    """Return the schema that the file notes, or None and why it cannot be used."""
    try:
        schema = Schema.from_note(note)
    except SchemaError as error:
        return None, str(error)
    known = set(schema.landmarks)
    strange = [c for c in named if not set(c["keypoints"]) <= known]
    if strange:
        return None, (
            f"The schema {schema.name!r} lacks landmarks of the category "
            f"{shown(strange[0].get('name'))}."
        )
    # Categories that were added for a model's garments (`coco.categories`) belong to the schema since.
    added = (c for c in named if provenance.MODEL_CATEGORIES in provenance.of(c))
    return with_categories_of(schema, added), ""


def _own_schema(records: Sequence[Record], path: Path | None) -> Schema:
    """Return the schema that the file's categories make."""
    try:
        return Schema.from_coco(records)
    except SchemaError as error:
        raise CocoError(str(error), path=path, place="categories") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CocoError(
            f"found categories that make no schema ({type(error).__name__} {error}); "
            "expected 'name', 'keypoints' and 'skeleton' (pairs of 1-based numbers) in "
            "each.",
            path=path,
            place="categories",
        ) from error


def with_categories_of(schema: Schema, records: Iterable[Mapping[str, Any]]) -> Schema:
    """Return a schema that also has the categories of records whose landmarks it has.

    Their body types are those of a bundled schema with the same landmarks, else any.
    """
    more: dict[str, Category] = {}
    for record in records:
        name, names = record.get("name"), record.get("keypoints")
        if not isinstance(name, str) or name in schema.category_names or not names:
            continue
        if not isinstance(names, list) or not {str(n) for n in names} <= set(schema.landmarks):
            continue
        more[name] = next(
            (
                category
                for bundled in map(Schema.load, BUNDLED)
                if bundled.landmarks == schema.landmarks
                for category in bundled.categories
                if category.name == name and set(category.body_types) <= set(schema.body_type_names)
            ),
            Category(name, schema.body_type_names),
        )
    return schema.with_categories([*schema.categories, *more.values()]) if more else schema
