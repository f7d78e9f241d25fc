"""An edit: a small, reversible change of a COCO file that is written as one JSON line.

Values are JSON *text*, so that an edit and its inverse give back every number and every escape as it
was written. A change names its record by id and never by its place in a list: edits of different
records can be made in any order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from napari_fashion.coco import Dataset, TableName, jsontext
from napari_fashion.coco.ids import RecordId, is_id
from napari_fashion.errors import EditError

VERSION = 1
"""Of the line format; a reader refuses a later one."""

FEW_ELEMENTS = 12
"""Maximum number of list elements that change one by one; more are one change of the whole list."""

Id = int | str | float
Key = str | int
RecordKey = tuple[TableName, RecordId]


class SetValue(msgspec.Struct, frozen=True, tag_field="op", tag="set", forbid_unknown_fields=True):
    """Set (or create, or remove) the value at a key path of one record.

    Attributes
    ----------
    table, id
        The record, such as ``"annotations"``, 7.
    path
        Keys and list indices from the record to the value.
    before, after
        JSON text, or None for a key that is not there. An element of a list can be set, not
        created or removed.
    """

    table: TableName
    id: Id
    path: tuple[Key, ...]
    before: str | None = None
    after: str | None = None

    @property
    def record_key(self) -> RecordKey:
        """The record that changes."""
        return self.table, self.id

    def inverse(self) -> SetValue:
        """Return the change that takes this one back."""
        return SetValue(self.table, self.id, self.path, self.after, self.before)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the record does not hold `before`."""
        found = dataset.text(self.table, self.id, self.path)
        if not _is_still(found, self.before):
            place = f"{self.table} {self.id!r} {'.'.join(map(str, self.path))}"
            raise EditError(
                f"{place}: found {_short(found)}, expected {_short(self.before)}; the data set was "
                "changed by something else than an edit."
            )
        dataset.set_text(self.table, self.id, self.path, self.after)


class _WholeRecord(msgspec.Struct, frozen=True, tag_field="op", forbid_unknown_fields=True):
    """A change of the list of records."""

    table: TableName
    id: Id
    record: str

    @property
    def record_key(self) -> RecordKey:
        """The record that comes or goes."""
        return self.table, self.id


class InsertRecord(_WholeRecord, frozen=True, tag="insert"):
    """Insert a record, given as JSON text; the inverse of `RemoveRecord`."""

    def inverse(self) -> RemoveRecord:
        """Return the change that takes this one back."""
        return RemoveRecord(self.table, self.id, self.record)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the id is taken, or not the record's."""
        found = dataset.insert_text(self.table, self.record)
        if found != self.id:
            dataset.remove_record(self.table, found)
            raise EditError(f"{self.table} {self.id!r}: the record has the id {found!r}.")


class RemoveRecord(_WholeRecord, frozen=True, tag="remove"):
    """Take a record out; its whole text is kept so that it can come back."""

    def inverse(self) -> InsertRecord:
        """Return the change that takes this one back."""
        return InsertRecord(self.table, self.id, self.record)

    def apply(self, dataset: Dataset) -> None:
        """Make the change; EditError if the record is not there as it was."""
        if not dataset.has(self.table, self.id) or not _is_still(
            dataset.text(self.table, self.id), self.record
        ):
            raise EditError(
                f"{self.table} {self.id!r} is not what it was when the edit was made; the data "
                "set was changed by something else than an edit."
            )
        dataset.remove_record(self.table, self.id)


Change = SetValue | InsertRecord | RemoveRecord


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"image_id": "image"}):
    """What one gesture does to the data set.

    Attributes
    ----------
    label
        What the person did, for the undo button: "Move left collar".
    image_id
        The image it happened on; undo and redo go there.
    changes
        Applied in this order, all or none.
    v
        Version of the line format.
    """

    label: str
    image_id: Id | None
    changes: tuple[Change, ...]
    v: int = VERSION

    def inverse(self) -> Edit:
        """Return the edit that takes this one back."""
        return Edit(self.label, self.image_id, tuple(c.inverse() for c in reversed(self.changes)))

    def apply(self, dataset: Dataset) -> None:
        """Make all changes, or none and raise FashionError."""
        done: list[Change] = []
        try:
            for change in self.changes:
                change.apply(dataset)
                done.append(change)
        except BaseException:
            for change in reversed(done):
                change.inverse().apply(dataset)
            raise

    @property
    def record_keys(self) -> tuple[RecordKey, ...]:
        """The records that it touches, each once."""
        return tuple(dict.fromkeys(c.record_key for c in self.changes))

    @property
    def garment_ids(self) -> tuple[RecordId, ...]:
        """The garments that it touches, each once."""
        return tuple(key for table, key in self.record_keys if table == "annotations")

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

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, as `from_dict` reads it."""
        data: dict[str, Any] = msgspec.to_builtins(self)
        return data

    @classmethod
    def from_dict(cls, data: Any) -> Edit:
        """Read what `to_dict` returned, strictly.

        Raises
        ------
        EditError
            If it is not an edit, of a later version, or its texts are no JSON.
        """
        try:
            edit = msgspec.convert(data, cls)
        except (msgspec.MsgspecError, RecursionError, ValueError, TypeError) as error:
            raise EditError(f"Not an edit: {error}.") from error
        if not 1 <= edit.v <= VERSION:
            raise EditError(
                f"An edit of version {edit.v}; expected {VERSION} or earlier. Use a newer "
                "napari-fashion to read it."
            )
        for change in edit.changes:
            _check(change)
        return edit

    def to_json(self) -> str:
        """Return the edit as one line of JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, line: str) -> Edit:
        """Read back what `to_json` wrote; EditError if the line is not an edit."""
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise EditError(f"Not an edit: {line[:80]!r} ({error}).") from error
        return cls.from_dict(data)


def require_an_image(dataset: Dataset, edit: Edit) -> None:
    """Raise EditError if an edit would leave no image."""
    of_images = [c for c in edit.changes if c.table == "images"]
    fewer = sum(isinstance(c, RemoveRecord) for c in of_images)
    more = sum(isinstance(c, InsertRecord) for c in of_images)
    if fewer and len(dataset.images) + more - fewer < 1:
        raise EditError(f"{edit.label} would leave no image; expected at least one.")


def joined(label: str, edits: Sequence[Edit | None]) -> Edit | None:
    """Return several edits of one image as one step, or None if they change nothing."""
    steps = [edit for edit in edits if edit is not None]
    if not steps:
        return None
    if len(steps) == 1:
        return steps[0]
    return Edit(label, steps[0].image_id, tuple(c for edit in steps for c in edit.changes))


def set_values(
    dataset: Dataset, table: TableName, record_id: RecordId, values: Mapping[str, Any]
) -> list[Change]:
    """Return the changes that give a record these fields; equal ones are passed over.

    A list of unchanged length changes element by element, so that an edit of one landmark of 294
    stays small, and the other landmarks keep their numbers.
    """
    changes: list[Change] = []
    try:
        for key, value in values.items():
            old = dataset.text(table, record_id, (key,))
            changes += _set_value(dataset, table, record_id, (key,), old, value)
    except RecursionError as error:
        raise EditError(f"{table} {record_id!r} is nested too deeply to be changed.") from error
    except TypeError as error:
        raise EditError(f"{table} {record_id!r}: {error}; expected JSON values.") from error
    return changes


def _set_value(
    dataset: Dataset,
    table: TableName,
    record_id: RecordId,
    path: tuple[Key, ...],
    old: str | None,
    value: Any,
) -> list[Change]:
    """Return what gives a place this value; objects and lists change where they differ."""
    known = None if old is None else jsontext.loads(old)
    if old is not None and _same(known, value):
        return []
    if old is not None and isinstance(known, dict) and isinstance(value, dict) and known:
        texts = {m.key: old[m.start : m.end] for m in jsontext.members(old)}
        changes: list[Change] = [
            SetValue(table, record_id, (*path, key), text, None)
            for key, text in texts.items()
            if key not in value
        ]
        for key, item in value.items():
            changes += _set_value(dataset, table, record_id, (*path, key), texts.get(key), item)
        return changes
    if not (old and isinstance(known, list) and isinstance(value, list)):
        known = None
    if old is not None and known is not None and len(known) == len(value):
        return _set_elements(dataset, table, record_id, path, old, known, value)
    return [SetValue(table, record_id, path, old, dataset.dumps(table, record_id, value))]


def _set_elements(
    dataset: Dataset,
    table: TableName,
    record_id: RecordId,
    path: tuple[Key, ...],
    old: str,
    known: list[Any],
    value: list[Any],
) -> list[Change]:
    """Return what changes a list element by element, or at once where many elements change."""
    spans = jsontext.elements(old)
    changed = [
        (i, span, dataset.dumps(table, record_id, b))
        for i, (span, a, b) in enumerate(zip(spans, known, value, strict=True))
        if not _same(a, b)
    ]
    if len(changed) <= FEW_ELEMENTS:
        return [
            SetValue(table, record_id, (*path, i), old[start:end], text)
            for i, (start, end), text in changed
        ]
    parts, at = [], 0
    for _, (start, end), text in changed:
        parts += [old[at:start], text]
        at = end
    return [SetValue(table, record_id, path, old, "".join(parts) + old[at:])]


def insert_record(dataset: Dataset, table: TableName, record: Mapping[str, Any]) -> InsertRecord:
    """Return the change that inserts a new record, laid out as those of its table are."""
    return InsertRecord(table, record["id"], dataset.record_text(table, record))


def remove_record(dataset: Dataset, table: TableName, record_id: RecordId) -> RemoveRecord:
    """Return the change that takes a record out."""
    text = dataset.text(table, record_id)
    assert text is not None
    return RemoveRecord(table, record_id, text)


def _check(change: Change) -> None:
    """Raise EditError if a change's texts are no JSON, or not of its record."""
    texts = [change.record] if not isinstance(change, SetValue) else [change.before, change.after]
    try:
        for text in texts:
            if text is None:
                continue
            text.encode()  # half a surrogate has no UTF-8; an escape of it has
            value = jsontext.loads(text)
            if not isinstance(change, SetValue) and (
                not isinstance(value, dict)
                or not is_id(value.get("id"))
                or value["id"] != change.id
            ):
                raise EditError(
                    f"Not an edit: the record of {change.table} {change.id!r} has another id."
                )
            if isinstance(change, SetValue) and (key := jsontext.first_double_key(text)):
                raise EditError(f"Not an edit: it has the key {key!r} twice.")
    except (ValueError, RecursionError) as error:
        raise EditError(
            f"Not an edit: {change.table} {change.id!r} has no JSON ({error})."
        ) from error
    if isinstance(change, SetValue) and (not change.path or change.path[0] == "id"):
        raise EditError(
            f"Not an edit: it sets {list(change.path)} of {change.table} {change.id!r}."
        )


def _by_place(changes: Sequence[Change]) -> dict[tuple[Any, ...], SetValue] | None:
    places = {}
    for change in changes:
        if not isinstance(change, SetValue):
            return None
        places[change.table, change.id, change.path] = change
    return places if len(places) == len(changes) else None


def _same(a: Any, b: Any) -> bool:
    """Compare JSON values; unlike ``==``, 1, 1.0 and True are three things, and so are 0.0 and -0.0."""
    if type(a) is type(b) and isinstance(a, (int, float, str)):
        return repr(a) == repr(b)
    return a is b or json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _is_still(found: str | None, expected: str | None) -> bool:
    """Whether a text is the expected one, but for white space: a record may be back in its file's."""
    if found is None or expected is None:
        return found is expected
    return jsontext.same_text(found, expected)


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= 60 else text[:57] + "..."
