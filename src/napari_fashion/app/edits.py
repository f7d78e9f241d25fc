"""An edit: a small, reversible change of the COCO document that can be written as one JSON line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from napari_fashion.coco import ABSENT, Dataset, Table
from napari_fashion.errors import EditError, FashionError

RecordId = Any
"""Whatever the file has: mostly integers, sometimes text."""
Key = str | int
Record = dict[str, Any]


@dataclass(frozen=True)
class SetValue:
    """Set (or, with ABSENT, remove or create) the value at a key path of one record.

    Attributes
    ----------
    table, id
        The record, such as ``"annotations"``, 7.
    path
        Keys and list indices from the record to the value.
    before, after
        JSON values, or ABSENT. A list element can be set, not created or removed.
    """

    table: Table
    id: RecordId
    path: tuple[Key, ...]
    before: Any
    after: Any

    def inverse(self) -> SetValue:
        """Return the change that takes this one back."""
        return SetValue(self.table, self.id, self.path, self.after, self.before)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the document does not hold `before`."""
        found = value_at(dataset.record(self.table, self.id), self.path)
        if not _same(found, self.before):
            place = f"{self.table} {self.id!r} {'.'.join(map(str, self.path))}"
            raise EditError(
                f"{place}: found {found!r}, expected {self.before!r}; the data set was changed by "
                "something else than an edit."
            )
        dataset.set_value(self.table, self.id, self.path, self.after)

    def to_dict(self) -> Record:
        """Return the JSON form; an absent value is an absent key."""
        data = {"op": "set", "table": self.table, "id": self.id, "path": list(self.path)}
        if self.before is not ABSENT:
            data["before"] = self.before
        if self.after is not ABSENT:
            data["after"] = self.after
        return data


@dataclass(frozen=True)
class InsertRecord:
    """Put a record at a place of a table; the inverse of `RemoveRecord`."""

    table: Table
    index: int
    record: Record

    def inverse(self) -> RemoveRecord:
        """Return the change that takes this one back."""
        return RemoveRecord(self.table, self.index, self.record)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the id is taken."""
        dataset.insert_record(self.table, self.record, self.index)

    def to_dict(self) -> Record:
        """Return the JSON form."""
        return {"op": "insert", "table": self.table, "index": self.index, "record": self.record}


@dataclass(frozen=True)
class RemoveRecord:
    """Take a record out of a table; the whole record is kept so that it can come back."""

    table: Table
    index: int
    record: Record

    def inverse(self) -> InsertRecord:
        """Return the change that takes this one back."""
        return InsertRecord(self.table, self.index, self.record)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the record is not there as it was."""
        record_id = self.record["id"]
        if (
            not dataset.has(self.table, record_id)
            or dataset.position(self.table, record_id) != self.index
            or not _same(dataset.record(self.table, record_id), self.record)
        ):
            raise EditError(
                f"{self.table} {record_id!r} is not what it was when the edit was made; the data "
                "set was changed by something else than an edit."
            )
        dataset.remove_record(self.table, record_id)

    def to_dict(self) -> Record:
        """Return the JSON form."""
        return {"op": "remove", "table": self.table, "index": self.index, "record": self.record}


Primitive = SetValue | InsertRecord | RemoveRecord


@dataclass(frozen=True)
class Edit:
    """What one gesture does to the document.

    Attributes
    ----------
    label
        What the person did, for the undo button: "Move left collar".
    image_id
        The picture it happened on; undo and redo go there.
    changes
        Applied in this order, all or none.
    """

    label: str
    image_id: RecordId
    changes: tuple[Primitive, ...]

    def inverse(self) -> Edit:
        """Return the edit that takes this one back."""
        return Edit(self.label, self.image_id, tuple(c.inverse() for c in reversed(self.changes)))

    def apply(self, dataset: Dataset) -> None:
        """Make all changes, or none and raise FashionError."""
        done: list[Primitive] = []
        try:
            for change in self.changes:
                change.apply(dataset)
                done.append(change)
        except FashionError:
            for change in reversed(done):
                change.inverse().apply(dataset)
            raise

    @property
    def garment_ids(self) -> tuple[RecordId, ...]:
        """The garments that it touches, each once."""
        ids = (
            c.id if isinstance(c, SetValue) else c.record["id"]
            for c in self.changes
            if c.table == "annotations"
        )
        return tuple(dict.fromkeys(ids))

    def merged_with(self, later: Edit) -> Edit | None:
        """Return one edit that does this and then `later`, where that sets no other values."""
        if self.label != later.label or self.image_id != later.image_id:
            return None
        first = _by_place(self.changes)
        second = _by_place(later.changes)
        if first is None or second is None or not second.keys() <= first.keys():
            return None
        changes = tuple(
            SetValue(c.table, c.id, c.path, c.before, second.get(place, c).after)
            for place, c in first.items()
        )
        return Edit(self.label, self.image_id, changes)

    def to_json(self) -> str:
        """Return the edit as one line of JSON."""
        data = {
            "label": self.label,
            "image": self.image_id,
            "changes": [c.to_dict() for c in self.changes],
        }
        return json.dumps(data, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Edit:
        """Read back what `to_json` wrote; EditError if the line is not an edit."""
        try:
            data = json.loads(line)
            changes = tuple(_read_change(c) for c in data["changes"])
            return cls(data["label"], data["image"], changes)
        except (KeyError, TypeError, ValueError) as error:
            raise EditError(f"Not an edit: {line[:80]!r} ({error}).") from error


def joined(label: str, edits: Sequence[Edit | None]) -> Edit | None:
    """Return several edits of one picture as one step, or None where they change nothing."""
    some = [edit for edit in edits if edit is not None]
    if not some:
        return None
    if len(some) == 1:
        return some[0]
    return Edit(label, some[0].image_id, tuple(c for edit in some for c in edit.changes))


def record_changes(table: Table, record: Record, values: Mapping[str, Any]) -> list[Primitive]:
    """Return the changes that give a record these fields; equal ones are passed over.

    A list of unchanged length changes element by element, so that an edit of one landmark of 294
    stays small.
    """
    changes: list[Primitive] = []
    for key, value in values.items():
        old = record.get(key, ABSENT)
        if isinstance(old, list) and isinstance(value, list) and len(old) == len(value):
            places = enumerate(zip(old, value, strict=True))
            parts: list[tuple[tuple[Key, ...], Any, Any]] = [
                ((key, i), a, b) for i, (a, b) in places
            ]
        else:
            parts = [((key,), old, value)]
        changes += [
            SetValue(table, record["id"], path, deepcopy(before), deepcopy(after))
            for path, before, after in parts
            if not _same(before, after)
        ]
    return changes


def value_at(record: Record, path: Sequence[Key]) -> Any:
    """Return the value at a key path, ABSENT where the last key is missing.

    Raises
    ------
    EditError
        If the path leads nowhere.
    """
    holder: Any = record
    try:
        for key in path[:-1]:
            holder = holder[key]
        last = path[-1]
        return holder.get(last, ABSENT) if isinstance(holder, dict) else holder[last]
    except (KeyError, IndexError, TypeError) as error:
        raise EditError(
            f"{record.get('id')!r}: there is no place {list(path)} in the record."
        ) from error


def _read_change(data: Record) -> Primitive:
    match data["op"]:
        case "set":
            path = tuple(data["path"])
            before, after = data.get("before", ABSENT), data.get("after", ABSENT)
            return SetValue(data["table"], data["id"], path, before, after)
        case "insert":
            return InsertRecord(data["table"], data["index"], data["record"])
        case "remove":
            return RemoveRecord(data["table"], data["index"], data["record"])
        case other:
            raise ValueError(f"unknown change {other!r}")


def _by_place(changes: Sequence[Primitive]) -> dict[tuple[Any, ...], SetValue] | None:
    places = {}
    for change in changes:
        if not isinstance(change, SetValue):
            return None
        places[change.table, change.id, change.path] = change
    return places if len(places) == len(changes) else None


def _same(a: Any, b: Any) -> bool:
    """Compare JSON values; unlike ``==``, 1, 1.0 and True are three things."""
    if a is ABSENT or b is ABSENT:
        return a is b
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)
