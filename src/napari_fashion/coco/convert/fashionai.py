"""FashionAI, key points: tables with a cell ``x_y_v`` for each of 24 landmarks."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.faults import NO_SENSE, At, Faults, Wrong
from napari_fashion.coco.convert.items import Garment, Item, Part, Plan
from napari_fashion.coco.convert.registry import ConvertOptions, register_format
from napari_fashion.documents import shown
from napari_fashion.errors import ConvertError
from napari_fashion.files import open_regular, why_unreadable
from napari_fashion.schema import Schema

VISIBILITY = {"1": 2, "0": 1, "-1": 0}
"""COCO's visibility of FashionAI's: visible, hidden, not there."""
_FIRST = ["image_id", "image_category"]
_DEPTH = 4
"""Folders below the data set's in which tables are looked for."""
_CELL = re.compile(r"(-?\d{1,9})_(-?\d{1,9})_(-1|0|1)")
_ARCHIVE = re.compile(r"fashionai_key_?points_|_?\d{8}$", re.IGNORECASE)
"""What the names of archives have beside the part's."""
_LAYOUT = "the folder of FashionAI's parts, each with Images and a table (CSV) of image_id, image_category "
_LAYOUT += "and 24 landmarks"


@dataclass
class _Table:
    """A table with landmarks: the part that it becomes, and its file."""

    part: Part
    path: Path
    name: str
    header: list[str]


@register_format("fashionai", title="FashionAI, key points", layout=_LAYOUT)
def _plan(source: Path, options: ConvertOptions, faults: Faults) -> Plan:
    schema = Schema.load("fashionai")
    tables: list[_Table] = []
    taken: set[str] = set()
    for path in _csv_files(source):
        name = path.relative_to(source).as_posix()
        header = next(_rows(path, name), (1, []))[1]
        if header == _FIRST:
            faults.notes.append(f"{name} has no landmarks (a test part): its images are left out.")
            continue
        if header[:2] != _FIRST or sorted(header[2:]) != sorted(schema.landmarks):
            faults.add(
                "parts left out: no header", At(name, 1), _found(header, schema),
                "the header image_id, image_category and the names of 24 landmarks",
            )  # fmt: skip
            continue
        images = _image_folder(path, source, options)
        label = _part_name(path, source, taken)
        tables.append(_Table(Part(label, schema, images, label), path, name, header))
    if not tables and not faults:
        raise ConvertError(f"{source}: found no table with landmarks; expected {_LAYOUT}.")
    items = (item for i, table in enumerate(tables) for item in _items(i, table, schema, faults))
    return Plan([table.part for table in tables], items)


def _csv_files(source: Path) -> list[Path]:
    patterns = ("/".join(["*"] * depth + ["*.csv"]) for depth in range(_DEPTH))
    return sorted(path for pattern in patterns for path in source.glob(pattern))


def _found(header: list[str], schema: Schema) -> str:
    if header[:2] != _FIRST:
        return f"no header but {shown(','.join(header))}" if header else "nothing, an empty file"
    strange = [name for name in header[2:] if name not in schema.landmarks]
    return f"{len(header) - 2} landmarks" + (f", such as {shown(strange[0])}" if strange else "")


def _image_folder(path: Path, source: Path, options: ConvertOptions) -> Path:
    """Return the folder that has the table's ``Images``: the table's own, or one above."""
    if options.image_root is not None:
        return options.image_root
    for folder in path.parents:
        if (folder / "Images").is_dir():
            return folder
        if folder == source:
            break
    raise ConvertError(
        f"{path}: found no folder Images beside it or above; expected the images, whose sizes are needed. "
        "Unpack them there, or give the folder that holds Images with --images."
    )


def _part_name(path: Path, source: Path, taken: set[str]) -> str:
    """Return the name of a table's part: that of its archive, else of the table."""
    parts = path.relative_to(source).parts
    top = parts[0] if len(parts) > 1 else path.stem
    plain = _ARCHIVE.sub("", top).strip("_- ") or path.stem
    name, n = plain, 1
    while name in taken:
        n += 1
        name = f"{plain}-{n}"
    taken.add(name)
    return name


def _rows(path: Path, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and cells of each line that is not blank."""
    try:
        with open_regular(path) as stream:
            lines = (
                line.decode("utf-8-sig" if i == 0 else "utf-8") for i, line in enumerate(stream)
            )
            reader = csv.reader(lines)
            for cells in reader:
                if cells:
                    yield reader.line_num, [cell.strip() for cell in cells]
    except (OSError, ValueError, csv.Error) as error:
        raise ConvertError(
            f"{name}: cannot be read ({why_unreadable(error)}); expected a table (CSV) in UTF-8."
        ) from error


def _items(part: int, table: _Table, schema: Schema, faults: Faults) -> Iterator[Item]:
    """Yield the images of a table, in its order."""
    slots = [schema.landmarks.index(name) for name in table.header[2:]]
    categories = {name: i for i, name in enumerate(schema.category_names)}
    lines: dict[str, int] = {}
    rows = _rows(table.path, table.name)
    next(rows)
    for line, cells in rows:
        at, image = At(table.name, line), cells[0]
        if (first := lines.setdefault(image, line)) != line:
            found = f"{image} a second time (first on line {first})"
            faults.add("lines left out: an image again", at, found, "each image once")
            continue
        read = _garment(cells, slots, categories, schema.n_landmarks, at)
        if isinstance(read, Wrong):
            faults.add(NO_SENSE, at, *read)
            continue
        yield Item(part, image, at, [read])


def _garment(
    cells: list[str], slots: list[int], categories: dict[str, int], k: int, at: At
) -> Garment | Wrong:
    """Return the garment of a line."""
    if len(cells) != len(slots) + 2:
        return Wrong(f"{len(cells)} cells", f"{len(slots) + 2}, as in the header")
    category = categories.get(cells[1])
    if category is None:
        return Wrong(f"the category {shown(cells[1])}", f"one of {', '.join(categories)}")
    flat: list[Any] = [0] * (3 * k)
    xs, ys = [], []
    for slot, cell in zip(slots, cells[2:], strict=True):
        match = _CELL.fullmatch(cell)
        if match is None:
            return Wrong(f"the cell {cell[:60]}", "x_y_v, numbers and a visibility of 1, 0 or -1")
        seen = VISIBILITY[match[3]]
        if seen:
            x, y = int(match[1]), int(match[2])
            flat[3 * slot : 3 * slot + 3] = (x, y, seen)
            xs.append(x)
            ys.append(y)
    # The data set has no boxes: the box of the labelled landmarks stands for one.
    box = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)) if xs else (0, 0, 0, 0)
    return Garment(category, flat, box, box_at=at, landmarks_at=at)
