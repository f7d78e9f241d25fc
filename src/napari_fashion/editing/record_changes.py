"""What one side did to the records of a file, from its data set or from its journal alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_fashion.coco import Dataset, jsontext
from napari_fashion.coco.ids import TABLES
from napari_fashion.coco.store import Store
from napari_fashion.editing.edits import RecordKey
from napari_fashion.editing.journal import Pending
from napari_fashion.errors import EditError


@dataclass(frozen=True)
class RecordChange:
    """What we did to a record: its text in the file that we began with, and now; None for no record."""

    key: RecordKey
    base: str | None
    mine: str | None


@dataclass(frozen=True)
class Known:
    """What our side knows of a record: its text now, and in the file that we began with."""

    now: Callable[[RecordKey], str | None]
    saved: Callable[[RecordKey], str | None]

    def text(self, key: RecordKey) -> str | None:
        """Return the text of a record as our side has it, or had it before it was removed."""
        now = self.now(key)
        return self.saved(key) if now is None else now


def known_to(dataset: Dataset) -> Known:
    """Return what a data set knows of its records."""

    def now(key: RecordKey) -> str | None:
        return dataset.text(*key) if dataset.has(*key) else None

    return Known(now, lambda key: dataset.saved_text(*key))


def unsaved_changes(dataset: Dataset) -> list[RecordChange]:
    """Return what the data set has that its file lacks, record by record."""
    return [
        RecordChange(
            (table, key),
            dataset.saved_text(table, key),
            dataset.text(table, key) if dataset.has(table, key) else None,
        )
        for table, key in dataset.unsaved
    ]


def journal_changes(pending: Pending) -> tuple[list[RecordChange], Known]:
    """Return what a journal changes record by record, and the records it knows: from the journal alone.

    Raises
    ------
    FashionError
        If its edits do not fit each other.
    """
    tables: dict[str, list[str]] = {name: [] for name in TABLES}
    for (table, _), text in pending.was.items():
        if text is not None:
            tables[table].append(text)
    body = ",".join(f'"{name}":[{",".join(texts)}]' for name, texts in tables.items())
    try:
        scratch = Dataset.scratch(Store(("{" + body + "}").encode()))
    except UnicodeEncodeError as error:
        raise EditError(f"{pending.path}: a record that is no UTF-8 ({error}).") from error
    for entry in pending.entries:
        edit = entry.edit.inverse() if entry.do == "undo" else entry.edit
        edit.apply(scratch)
    found = []
    for (table, key), base in pending.was.items():
        mine = scratch.text(table, key) if scratch.has(table, key) else None
        if mine != base:
            found.append(RecordChange((table, key), base, mine))
    return found, known_to(scratch)


def value_of(text: str | None, key: str) -> Any:
    """Return the value that a record has under a key, or None."""
    record = {} if text is None else jsontext.loads(text)
    return record.get(key)


def with_value(text: str, key: str, value: Any) -> str:
    """Return a record with another value under a key; everything else keeps its bytes."""
    return jsontext.replaced(text, (key,), jsontext.dumps(value), layout=jsontext.Layout())
