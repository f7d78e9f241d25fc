"""What DeepFashion's lists say of an image besides garment and landmarks: attributes and joints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_fashion.coco.convert.faults import Faults
from napari_fashion.coco.convert.lists import ListFile, numbers
from napari_fashion.documents import shown
from napari_fashion.files import is_file

Noted = Callable[[str], Mapping[str, Any]]
"""Returns what is noted of an image under our key, by its name."""

_NOT_THERE, _UNKNOWN, _THERE = b"-1", b"0", b"1"
_NONE: Mapping[str, Any] = {}


def attribute_names(source: Path, folder: str, faults: Faults) -> list[str]:
    """Return the names of ``list_attr_cloth.txt``; the last word of a line is the attribute's type."""
    file = ListFile(source, f"{folder}/list_attr_cloth.txt", "attribute_name", faults)
    return [" ".join(words[:-1] if len(words) > 1 else words) for _, words in file.rows()]


def read_attributes(source: Path, folder: str, faults: Faults) -> Noted:
    """Return what ``list_attr_img.txt`` notes of an image; nothing of any if there is no such list.

    1 is *there*, -1 *not there* and 0 *unknown*.
    """
    name = f"{folder}/list_attr_img.txt"
    if not is_file(source / name):
        return lambda image: _NONE
    names = attribute_names(source, folder, faults)
    known: dict[str, tuple[Sequence[int], Sequence[int]]] = {}
    file = ListFile(source, name, "image_name", faults)
    for line, text in file.raw_rows():
        image, _, row = text.strip().partition(b" ")
        image_name = image.decode(errors="replace")
        found = _marks(row)
        if found is None or len(found) != len(names):
            n = len(row.split())
            faults.add(
                "garments kept without attributes: a line makes no sense",
                file.at(line),
                f"{n} values" if n != len(names) else "other values than 1, -1 and 0",
                f"{len(names)} values of 1, -1 or 0, one for each attribute",
            )
            continue
        known[image_name] = (_places(found, _THERE), _places(found, _UNKNOWN))

    def noted(image: str) -> Mapping[str, Any]:
        marks = known.get(image)
        if marks is None:
            return _NONE
        result = {"attributes": [names[i] for i in marks[0]]}
        if marks[1]:
            result["attributes_unknown"] = [names[i] for i in marks[1]]
        return result

    return noted


def _marks(row: bytes) -> bytes | None:
    """Return a letter for each value of a row: ``1``, ``0``, or ``-`` for -1; None for other values.

    A row of the real list has 1000 values, and the list 289,222 rows: no value becomes an object.
    """
    marks = row.replace(_NOT_THERE, b"-").translate(None, b" \t\r\n")
    return None if marks.translate(None, b"-01") else marks


def _places(marks: bytes, mark: bytes) -> tuple[int, ...]:
    found = []
    at = marks.find(mark)
    while at >= 0:
        found.append(at)
        at = marks.find(mark, at + 1)
    return tuple(found)


def read_joints(source: Path, name: str, faults: Faults) -> Noted:
    """Return what ``list_joints.txt`` notes of an image: its numbers, visibility, x and y of each joint.

    They are kept as they are: DeepFashion's visibility, 0 visible, 1 hidden, 2 cut off.
    """
    if not is_file(source / name):
        return lambda image: _NONE
    file = ListFile(source, name, "image_name", faults)
    skipped = 2 if "variation_type" in file.header else 1

    def parse(words: list[str]) -> list[Any] | str:
        found = numbers(words[skipped:])
        if not found or len(found) % 3:
            return f"{len(words)} words, {shown(' '.join(words))}"
        return list(found)

    table = file.table(
        parse,
        "types, then visibility, x and y of each joint",
        kind="garments kept without joints: a line makes no sense",
    )

    def noted(image: str) -> Mapping[str, Any]:
        found = table.get(image)
        return _NONE if found is None else {"joints": found[1]}

    return noted
