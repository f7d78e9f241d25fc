"""A schema as a commented file (TOML), for a person to complete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from napari_fashion.schema._checks import check_letters
from napari_fashion.schema._schema import DEFAULT_SIGMA, Schema

_WIDTH = 100


def commented_toml(schema: Schema, source: str) -> str:
    """Return the text of a schema file with comments; `Schema.load` reads the same schema from it.

    Parameters
    ----------
    schema
        The schema.
    source
        Where it comes from, for the first line.

    Raises
    ------
    SchemaError
        If a name cannot be shown on one line, which a schema file does not allow.
    """
    check_letters(
        {
            "landmarks": (*schema.landmarks, *schema.places),
            "skeletons": (label for label, _ in schema.skeletons),
            "body_types": schema.body_type_names,
            "categories": schema.category_names,
            "name": (schema.name,),
        }
    )
    parts = [
        _head(schema, source),
        _landmarks(schema),
        _flips(schema),
        _skeletons(schema),
        _body_types(schema),
        _categories(schema),
    ]
    return "\n".join(line for part in parts for line in [*part, ""])


def _head(schema: Schema, source: str) -> list[str]:
    return [
        f"# A landmark schema, begun from {' '.join(source.split())}. docs/schemas.md describes every key.",
        f"name = {_text(schema.name)}",
        f"default_skeleton = {_text(schema.default_skeleton)}",
    ]


def _landmarks(schema: Schema) -> list[str]:
    lines = [
        "# The landmarks, in the order of the keypoints of the COCO files.",
        "# sigma: how exactly a landmark can be placed, as a share of the root of the garment's area:",
        f"#   0.03 a sharp corner, 0.1 a soft edge; {DEFAULT_SIGMA} is used where nothing is known.",
        "# color: how it is drawn.",
        '# place: add place = "neckline" to landmarks of different body types that mark the same place of',
        "#   a garment; leave it away if each landmark is a place of its own.",
        "landmarks = [",
    ]
    for i, name in enumerate(schema.landmarks):
        place = f", place = {_text(schema.places[i])}" if schema.places else ""
        lines.append(
            f"  {{ name = {_text(name)}{place}, sigma = {schema.sigmas[i]!r}, "
            f"color = {_text(schema.colors[i])} }},"
        )
    return [*lines, "]"]


def _flips(schema: Schema) -> list[str]:
    pairs = [(i, j) for i, j in enumerate(schema.flips) if i < j]
    lines = [
        "# Landmarks that a horizontal flip of the image exchanges, as pairs. The others go to themselves.",
        "# Guessed from the names: check them.",
    ]
    if schema.mirror_problem:
        lines += [
            f"# They are not known ({' '.join(schema.mirror_problem.split())}), so that images are never "
            "flipped:",
            "# list the pairs and remove mirrors.",
        ]
    ends = schema.landmarks
    listed = [f"  [{_text(ends[i])}, {_text(ends[j])}]," for i, j in pairs]
    lines += ["flip_pairs = [", *listed, "]"] if listed else ["flip_pairs = []"]
    if "mirrors" in schema.to_dict():
        lines.append(f"mirrors = {'true' if schema.mirrors else 'false'}")
    return lines


def _skeletons(schema: Schema) -> list[str]:
    lines = [
        "# Edges between landmarks, by number from 1. Those of each body type should hang together: a",
        "# garment whose parts no edge joins is found as several.",
        "[skeletons]",
    ]
    for label, edges in schema.skeletons:
        lines += _wrapped(f"{_text(label)} = ", (f"[{a + 1}, {b + 1}]" for a, b in edges))
    return lines


def _body_types(schema: Schema) -> list[str]:
    lines = [
        "# Which landmarks, by number from 1, garments of a body type have.",
        "[body_types]",
    ]
    for label, members in schema.body_types:
        lines += _wrapped(f"{_text(label)} = ", (str(i + 1) for i in members))
    return lines


def _categories(schema: Schema) -> list[str]:
    lines = [
        "# The categories, as the COCO files name them, with their body types, the usual first."
    ]
    for category in schema.categories:
        types = ", ".join(_text(label) for label in category.body_types)
        lines += [
            "[[categories]]",
            f"name = {_text(category.name)}",
            f"body_types = [{types}]",
            "",
        ]
    return lines[:-1] if schema.categories else lines


def _wrapped(before: str, values: Iterable[str]) -> list[str]:
    """Return a list of values on one line, or on several if they need them."""
    found: Sequence[str] = list(values)
    whole = f"{before}[{', '.join(found)}]"
    if len(whole) <= _WIDTH:
        return [whole]
    lines = [f"{before}["]
    for value in found:
        if len(lines) == 1 or len(lines[-1]) + len(value) + 2 > _WIDTH:
            lines.append("  ")
        lines[-1] += f"{value}, "
    return [line.rstrip() for line in lines] + ["]"]


def _text(value: str) -> str:
    """Return a text as TOML writes it; JSON's escapes are among TOML's."""
    return json.dumps(value, ensure_ascii=False)
