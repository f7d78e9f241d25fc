"""The ids of records: what can be one, its other form, their order; the names of the three tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Literal

from napari_fashion.coco import jsontext

TableName = Literal["images", "annotations", "categories"]
TABLES: Final[tuple[TableName, ...]] = ("images", "annotations", "categories")
RecordId = Any
"""Whatever the file has: mostly integers, sometimes text."""

MAX_NUMBER_LETTERS: Final = 40
"""Longer text is not read as a number."""


def is_id(value: object) -> bool:
    """Whether a value can be a record's id: a number or text."""
    return isinstance(value, (int, str, float)) and not isinstance(value, bool) and value == value


def other_form(record_id: RecordId) -> RecordId | None:
    """Return an id's other form: ``"1"`` for 1, 1 for ``"1"``; None if it has none.

    >>> other_form(1), other_form("1"), other_form("a"), other_form("01")
    ('1', 1, None, None)
    """
    if isinstance(record_id, str):
        if not 0 < len(record_id) <= MAX_NUMBER_LETTERS:
            return None
        for kind in (int, float):
            try:
                number = kind(record_id)
            except ValueError:
                continue
            if str(number) == record_id and number == number:
                return number
        return None
    if isinstance(record_id, float) and record_id.is_integer():
        record_id = int(record_id)
    if isinstance(record_id, bool) or not isinstance(record_id, (int, float)):
        return None
    if abs(record_id) >= 10**MAX_NUMBER_LETTERS:
        return None
    return str(record_id)


def id_order(record_id: RecordId) -> tuple[int, Any]:
    """Sort key of the ids of new records: numbers first."""
    return (1, record_id) if isinstance(record_id, str) else (0, record_id)


def whole_numbers(ids: Iterable[RecordId]) -> Iterator[int]:
    """Yield the ids that are whole numbers, or text that says one: new ids have to be above them."""
    for key in ids:
        if key is None:
            continue
        if isinstance(key, int):
            yield key
        elif isinstance(key, float):
            if abs(key) != float("inf"):
                yield int(key)
        elif key.isdecimal() and len(key) <= jsontext.MAX_DIGITS:
            yield int(key)
