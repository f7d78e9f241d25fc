"""What all lists of DeepFashion share: schema, partitions, where images lie, landmarks, categories."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.faults import Faults, Wrong
from napari_fashion.coco.convert.lists import ListFile, Number, Table, numbers
from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import is_file
from napari_fashion.schema import Category, Schema

PARTITIONS = ("train", "val", "test")
BODY_TYPES = {1: "upper", 2: "lower", 3: "full"}
"""The body type of each clothes type."""
VISIBILITY: dict[Number, int] = {0: 2, 1: 1, 2: 0}
"""COCO's visibility of DeepFashion's: visible, hidden, cut off."""


def schema_of(upper_last_pair: str) -> Schema:
    """Return the schema of DeepFashion, by what the last pair of an upper garment is.

    Parameters
    ----------
    upper_last_pair
        ``hem``, or ``waistline`` as the report has it.
    """
    schema = Schema.load("deepfashion")
    if upper_last_pair == "hem":
        return schema
    pair = [schema.landmarks.index(f"{side}_waistline") for side in ("left", "right")]
    upper = (*schema.landmarks_of("upper")[:4], *pair)
    types = tuple((label, upper if label == "upper" else m) for label, m in schema.body_types)
    return replace(schema, name=f"{schema.name}-waistline", body_types=types)


def landmark_schema(upper_last_pair: str) -> Schema:
    """Return the schema of DeepFashion-L, which has clothes types and no categories."""
    schema = schema_of(upper_last_pair)
    categories = (Category(f"{label}-body clothes", (label,)) for label in BODY_TYPES.values())
    return replace(
        schema,
        name=schema.name.replace("deepfashion", "deepfashion-l"),
        categories=tuple(categories),
    )


# -- where things lie --------------------------------------------------------------------------


def list_name(folder: Path, *names: str) -> str:
    """Return the first of some names, relative to a folder, that is a file there.

    Raises
    ------
    ConvertError
        If none is.
    """
    for name in names:
        if is_file(folder / name):
            return name
    raise ConvertError(
        f"{folder}: found no {' or '.join(names)}; expected the lists of DeepFashion."
    )


def image_folder(source: Path, given: Path | None) -> Path:
    """Return the folder that holds ``img``: that of the data set, or its ``Img``.

    Raises
    ------
    ConvertError
        If none does.
    """
    if given is not None:
        return given.parent if given.name == "img" and not (given / "img").is_dir() else given
    for folder in (source, source / "Img"):
        if (folder / "img").is_dir():
            return folder
    raise ConvertError(
        f"{source}: found neither img nor Img/img; expected the folder of the images, whose sizes are "
        "needed. Unpack them there, or give the folder that holds img with --images."
    )


def partitions_of(file: ListFile) -> Table[int]:
    """Return line and index into `PARTITIONS` of each image of ``list_eval_partition.txt``."""
    index = {name: i for i, name in enumerate(PARTITIONS)}

    def parse(words: list[str]) -> int | str:
        found = index.get(words[0]) if len(words) == 1 else None
        return shown(" ".join(words)) if found is None else found

    table = file.table(parse, f"one of {', '.join(PARTITIONS)}")
    if not table and not table.broken:
        raise ConvertError(
            f"{file.name}: found no image; expected a line for each, with its partition."
        )
    return table


def landmarks_of(
    words: list[str], has_variation: bool, slots: Mapping[int, Sequence[int]]
) -> tuple[int, int | None, list[Any]] | Wrong:
    """Return clothes type, variation type and COCO's keypoints of a line without its name.

    Parameters
    ----------
    slots
        The landmarks that each clothes type has, in the order of the list.
    """
    values = numbers(words)
    if values is None:
        return Wrong(shown(" ".join(words)), "numbers after the name")
    own = slots.get(int(values[0])) if values else None
    if own is None:
        return Wrong(f"the clothes type {words[0] if words else 'missing'}", "1, 2 or 3")
    start = 2 if has_variation else 1
    if len(values) != start + 3 * len(own):
        n = len(values) - start
        return Wrong(
            f"{n} numbers ({n // 3} landmarks) for clothes type {values[0]}",
            f"{3 * len(own)} numbers, visibility, x and y of its {len(own)} landmarks",
        )
    variation = int(values[1]) if has_variation else None
    if variation is not None and not 1 <= variation <= 5:
        return Wrong(f"the variation type {words[1]}", "1 to 5")
    keypoints: list[Any] = [0] * (3 * len(slots[3]))
    for i, slot in enumerate(own):
        v, x, y = values[start + 3 * i : start + 3 * i + 3]
        seen = VISIBILITY.get(v)
        if seen is None:
            return Wrong(f"the visibility {v} of landmark {i + 1}", "0, 1 or 2")
        if seen:
            keypoints[3 * slot : 3 * slot + 3] = (x, y, seen)
    return int(values[0]), variation, keypoints


def category_labels(
    source: Path, name: str, schema: Schema, faults: Faults
) -> tuple[list[int | None], Schema]:
    """Return the category of each line of ``list_category_cloth.txt``, and the schema that has it.

    It is the schema that was given if that has all of the list's categories; else one with the list's
    own, whose body types follow from the type in the list.

    Returns
    -------
    Indices of categories, None for a line that names none; and the schema that they belong to.
    """
    known = {category.name.lower(): category for category in schema.categories}
    listed: dict[str, Category] = {}
    lines: list[str | None] = []
    file = ListFile(source, name, "category_name", faults)
    for line, words in file.rows():
        kind = int(words[-1]) if words[-1] in ("1", "2", "3") else None
        label = " ".join(words[:-1]) if words[-1].isdecimal() else " ".join(words)
        if not label:
            faults.add(
                "categories that are left out", file.at(line), shown(" ".join(words)), "a name and a type"
            )  # fmt: skip
            lines.append(None)
            continue
        types = tuple(BODY_TYPES.values()) if kind is None else (BODY_TYPES[kind],)
        key = label.lower()
        listed.setdefault(key, known.get(key) or Category(label, types))
        lines.append(key)
    new = [category.name for key, category in listed.items() if key not in known]
    if new:
        faults.notes.append(
            f"{name}: {len(new)} of the categories are not among the {len(known)} of DeepFashion and are "
            f"converted too, with the list's type: {shown(new)}."
        )
        own = schema.with_categories(listed.values())
        schema = replace(own, name=f"{schema.name}-own-categories")
    index = {category.name.lower(): i for i, category in enumerate(schema.categories)}
    return [None if key is None else index[key] for key in lines], schema


def label_reader(labels: Sequence[int | None]) -> Callable[[list[str]], int | str]:
    """Return what reads a label, which counts from 1, as the index of a category."""

    def read(words: list[str]) -> int | str:
        is_label = len(words) == 1 and words[0].isdecimal() and len(words[0]) < 9
        label = int(words[0]) if is_label else 0
        if not 1 <= label <= len(labels):
            return f"the label {' '.join(words) or 'missing'}"
        found = labels[label - 1]
        return f"the label {label}, whose line has no category" if found is None else found

    return read
