"""The state of a file's records: their spans in the file, and the versions that differ from it."""

from __future__ import annotations

from typing import Any

from napari_fashion.coco import jsontext
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.spans import Spans
from napari_fashion.errors import CocoError


class Version:
    """The text of a record, and what was made of it.

    Attributes
    ----------
    text
        UTF-8 JSON.
    memo
        What others derived from the record, by name: it lives as long as this version.
    """

    __slots__ = ("_value", "memo", "text")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self._value: dict[str, Any] | None = None
        self.memo: dict[Any, Any] = {}

    @property
    def value(self) -> dict[str, Any]:
        """The record, decoded; not to be changed."""
        if self._value is None:
            try:
                self._value = jsontext.loads(self.text)
            except RecursionError as error:
                raise CocoError(
                    f"a record that is nested too deeply to be read ({self.text[:60]!r}...)."
                ) from error
        return self._value


class Table:
    """The records of one list: where the file has them, and what differs from it.

    A new or changed record is a Version, a removed one None.
    """

    def __init__(self, spans: Spans) -> None:
        self.start, self.end, self.present = spans.start, spans.end, spans.present
        self.ids, self.rows = spans.ids, spans.rows
        self.starts, self.ends = spans.starts, spans.ends
        self.changed: dict[RecordId, Version | None] = {}
        self.new: set[RecordId] = set()
        self.removed = 0
        self.live: list[RecordId] | None = None
        self.highest: int | None = None

    def file_text(self, data: bytes, row: int) -> bytes:
        """Return the text that the file, given as UTF-8, has of the record in a row."""
        return data[self.starts[row] : self.ends[row]]
