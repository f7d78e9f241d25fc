"""Where the records of a COCO file are: spans and ids, found without decoding a record.

The fast reader is msgspec, whose `Raw` has a value's length. Files that it refuses (``NaN``,
``Infinity``, half surrogates) are read by the standard library, more slowly, to the same spans.
"""

from __future__ import annotations

import gc
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from napari_fashion.coco import jsontext
from napari_fashion.coco.ids import TABLES, RecordId, TableName, is_id
from napari_fashion.documents import shown
from napari_fashion.errors import CocoError


@dataclass
class Spans:
    """The records of one list.

    Attributes
    ----------
    start, end
        The list: ``data[start:end]`` is ``[...]``.
    present
        Whether the document has it.
    ids
        The N ids, in order.
    starts, ends
        (N,) int64: record i is ``data[starts[i]:ends[i]]``.
    rows
        The place of each id.
    """

    start: int = 0
    end: int = 0
    present: bool = False
    ids: list[RecordId] = field(default_factory=list)
    starts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ends: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: dict[RecordId, int] = field(default_factory=dict)


class Reader:
    """Finds the records of a document.

    Parameters
    ----------
    data
        The document in UTF-8, without a byte order mark.
    path
        Named in errors.
    may_repeat
        Whether a record may have another's id; it is then known by a number that is free.

    Attributes
    ----------
    repeated
        Place and id of the records with an id of another one, and that one's place.
    members
        Keys at the top of the document, with their values' spans.
    tables
        The spans of the three lists.
    image_ids
        The ``image_id`` of each annotation.

    Raises
    ------
    CocoError
        With the place, what was found and what was expected.
    """

    def __init__(self, data: bytes, path: Path | None = None, *, may_repeat: bool = False) -> None:
        self.data = data
        self.path = path
        self.repeated: list[tuple[str, RecordId, str]] = []
        self._may_repeat = may_repeat
        self.members: list[jsontext.Member] = []
        self.tables: dict[TableName, Spans] = {name: Spans() for name in TABLES}
        self.image_ids: list[RecordId] = []
        with collector_paused():
            self._read()

    def _read(self) -> None:
        try:
            self._read_fast()
        except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
            self.tables = {name: Spans() for name in TABLES}
            self._read_slowly()
        for name, table in self.tables.items():
            self._index(name, table)

    def _read_fast(self) -> None:
        data = self.data
        top = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        self._set_top(_walk(data, top))
        for name, table in self.tables.items():
            if not table.present:
                continue
            raw = top.pop(name)
            table.ids, image_ids = _ids(raw, name)
            raws = msgspec.json.decode(raw, type=list[msgspec.Raw])
            lengths = np.fromiter(map(len, raws), np.int64, len(raws))
            del raws
            table.starts = _starts(data, table.start, lengths)
            table.ends = table.starts + lengths
            if image_ids is not None:
                self.image_ids = image_ids

    def _read_slowly(self) -> None:
        """Find the same spans by the standard library: it takes what msgspec does not."""
        text = self.data.decode()
        place = _Places(text)
        try:
            start = _skip(text, 0)
            if text[start : start + 1] != "{":
                json.JSONDecoder(parse_int=str).decode(text)  # raises the error with its place
                self._refuse_top(text[start])
            found = list(_read_members(text, start))
            end = _skip(text, found[-1][0].end if found else start + 1)
            if _skip(text, end + 1) != len(text):
                raise json.JSONDecodeError("Extra data", text, _skip(text, end + 1))
        except json.JSONDecodeError as error:
            raise self._no_json(error.msg, error.pos) from error
        except RecursionError as error:
            raise CocoError(
                "JSON that is nested too deeply to be read; expected a COCO keypoint file.",
                path=self.path,
            ) from error
        spans = [place.of(at) for m, _ in found for at in (m.key_start, m.start, m.end)]
        self._set_top(
            [jsontext.Member(m.key, *spans[3 * i : 3 * i + 3]) for i, (m, _) in enumerate(found)]
        )
        for member, records in found:
            if records is None or member.key not in TABLES:
                continue
            table = self.tables[member.key]
            offsets = _Places(text)
            ends = np.array(
                [offsets.of(at) for start, end, _ in records for at in (start, end)], np.int64
            ).reshape(-1, 2)
            table.starts, table.ends = ends[:, 0].copy(), ends[:, 1].copy()
            table.ids, image_ids = self._checked_ids(member.key, [r for _, _, r in records])
            if member.key == "annotations":
                self.image_ids = image_ids

    def _no_json(self, what: str, position: int) -> CocoError:
        text = self.data.decode(errors="replace")
        line = text.count("\n", 0, position) + 1
        column = position - text.rfind("\n", 0, position)
        found = "the file is empty" if not text.strip() else f"not valid JSON ({what})"
        return CocoError(
            f"{found}; expected a COCO keypoint file.",
            path=self.path,
            place=f"line {line}, column {column}",
        )

    def _refuse_top(self, first: str) -> None:
        if first == "[":
            raise CocoError(
                "found a list; expected a COCO document, an object with 'images', 'annotations' "
                "and 'categories'.",
                path=self.path,
                remedy="A list is what results files hold; give the file they belong to.",
            )
        raise CocoError(
            f"found {_kind(first)}; expected a COCO document, an object.", path=self.path
        )

    def _set_top(self, members: list[jsontext.Member]) -> None:
        keys = [m.key for m in members]
        if len(set(keys)) < len(keys):
            count = Counter(keys)
            twice = next(key for key in keys if count[key] > 1)
            raise CocoError(
                f"the document has the key {shown(twice)} twice; expected each key once, since a reader "
                "keeps only one of the values.",
                path=self.path,
                remedy="Remove one of them.",
            )
        if "images" not in keys:
            raise CocoError(
                f"has no 'images' (its keys are {shown(keys[:8])}); expected a COCO document "
                "with 'images', 'annotations' and 'categories'.",
                path=self.path,
            )
        self.members = members
        for m in members:
            if m.key in TABLES:
                first = chr(self.data[m.start])
                if first != "[":
                    raise CocoError(
                        f"found {_kind(first)}; expected a list.", path=self.path, place=m.key
                    )
                table = self.tables[m.key]
                table.start, table.end, table.present = m.start, m.end, True

    def _index(self, name: TableName, table: Spans) -> None:
        table.rows = dict(zip(table.ids, range(len(table.ids)), strict=True))
        if len(table.rows) != len(table.ids):
            first: dict[RecordId, int] = {}
            for i, key in enumerate(table.ids):
                if key in first and self._may_repeat:
                    self.repeated.append((f"{name}[{i}].id", key, f"{name}[{first[key]}]"))
                elif key in first:
                    raise CocoError(
                        f"the id {shown(key)} is taken by {name}[{first[key]}]; expected every id once.",
                        path=self.path,
                        place=f"{name}[{i}].id",
                        remedy="Give one of the two another id.",
                    )
                first.setdefault(key, i)
            self._renumber(table, first)

    @staticmethod
    def _renumber(table: Spans, first: Mapping[RecordId, int]) -> None:
        numbers = (key for key in table.ids if isinstance(key, (int, float)) and math.isfinite(key))
        free = int(max(numbers, default=0)) + 1
        for i, key in enumerate(table.ids):
            if first[key] != i:
                table.ids[i], free = free, free + 1
        table.rows = dict(zip(table.ids, range(len(table.ids)), strict=True))

    def _checked_ids(
        self, name: TableName, records: list[Any]
    ) -> tuple[list[RecordId], list[RecordId]]:
        """Return the ids and (of annotations) image ids, or raise an error that names the record."""
        ids, image_ids = [], []
        for i, record in enumerate(records):
            if not isinstance(record, dict):
                raise CocoError(
                    f"found {type(record).__name__}; expected an object.",
                    path=self.path,
                    place=f"{name}[{i}]",
                )
            if not is_id(record.get("id")):
                raise CocoError(
                    f"found {shown(record.get('id'))}; expected an id, a number or text.",
                    path=self.path,
                    place=f"{name}[{i}].id",
                )
            ids.append(record["id"])
            if name == "annotations":
                for key, what in (("image_id", "an image"), ("category_id", "a category")):
                    value = record.get(key)
                    if value is not None and not is_id(value):
                        raise CocoError(
                            f"found {shown(value)}; expected the id of {what}.",
                            path=self.path,
                            place=f"annotations[{i}].{key}",
                        )
                image_ids.append(record.get("image_id"))
        return ids, image_ids


class _Row(msgspec.Struct, gc=False):
    id: int


class _AnyRow(msgspec.Struct, gc=False):
    id: str | int | float


class _Annotation(msgspec.Struct, gc=False):
    id: int
    image_id: int | None = None
    category_id: int | None = None


class _AnyAnnotation(msgspec.Struct, gc=False):
    id: str | int | float
    image_id: str | int | float | None = None
    category_id: str | int | float | None = None


def _ids(raw: msgspec.Raw, name: TableName) -> tuple[list[RecordId], list[RecordId] | None]:
    kinds: Any = (_Annotation, _AnyAnnotation) if name == "annotations" else (_Row, _AnyRow)
    rows: list[Any]
    try:
        rows = msgspec.json.decode(raw, type=list[kinds[0]])
    except msgspec.ValidationError:
        rows = msgspec.json.decode(raw, type=list[kinds[1]])
    image_ids = [row.image_id for row in rows] if name == "annotations" else None
    return [row.id for row in rows], image_ids


def _read_members(
    text: str, start: int
) -> Iterator[tuple[jsontext.Member, list[tuple[int, int, Any]] | None]]:
    """Yield the members of the document, of a table with its records' spans and the records.

    Raises
    ------
    JSONDecodeError
        If the text is not JSON.
    """
    decoder = json.JSONDecoder(parse_int=jsontext.read_int)
    i = _skip(text, start + 1)
    if text[i : i + 1] == "}":
        return
    while True:
        if text[i : i + 1] != '"':
            raise json.JSONDecodeError("Expecting a key in double quotes", text, i)
        key, colon = scanstring(text, i + 1)
        colon = _skip(text, colon)
        if text[colon : colon + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, colon)
        value = _skip(text, colon + 1)
        records: list[tuple[int, int, Any]] | None = None
        if key in TABLES and text[value : value + 1] == "[":
            records = []
            end = _skip(text, value + 1)
            while text[end : end + 1] != "]":
                record, stop = decoder.raw_decode(text, end)
                records.append((end, stop, record))
                end = _next(text, stop, "]")
            end += 1
        else:
            end = decoder.raw_decode(text, value)[1]
        yield jsontext.Member(key, i, value, end), records
        i = _next(text, end, "}")
        if text[i : i + 1] == "}":
            return


def _next(text: str, at: int, closing: str) -> int:
    """Return the place of the next item, or of the closing bracket."""
    at = _skip(text, at)
    if text[at : at + 1] == closing:
        return at
    if text[at : at + 1] != ",":
        raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
    at = _skip(text, at + 1)
    if text[at : at + 1] == closing:
        raise json.JSONDecodeError("Illegal trailing comma before end", text, at)
    return at


_COMPARED = 256


def _walk(data: bytes, top: Mapping[str, msgspec.Raw]) -> list[jsontext.Member]:
    """Return the members of the document from their values' places in memory.

    Raises
    ------
    ValueError
        If a key comes twice.
    """
    memory = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    found: list[jsontext.Member] = []
    seen: set[str] = set()
    i = _skip_bytes(data, _skip_bytes(data, 0) + 1)
    while data[i : i + 1] == b'"':
        end = scanstring_end(data, i)
        text = data[i + 1 : end - 1]
        key = json.loads(data[i:end]) if b"\\" in text else text.decode()
        start = _skip_bytes(data, _skip_bytes(data, end) + 1)
        raw = memoryview(top[key])
        stop = start + len(raw)
        if len(raw) <= _COMPARED:  # comparing is quicker than finding the address
            same = key not in seen and data[start:stop] == raw
        else:
            value = np.frombuffer(raw, np.uint8)
            same = value.__array_interface__["data"][0] - memory == start
        if not same:
            raise ValueError("a key comes twice")
        seen.add(key)
        found.append(jsontext.Member(key, i, start, stop))
        i = _skip_bytes(data, stop)
        if data[i : i + 1] == b",":
            i = _skip_bytes(data, i + 1)
    return found


_WIDEST = 64
"""Wider gaps between records are compared one by one: all at once takes eight times their size."""


def _starts(data: bytes, start: int, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return where the objects of a list begin, whose lengths are known.

    Between two objects there are only white space and a comma, and mostly always the same.
    """
    n = len(lengths)
    if n == 0:
        return np.zeros(0, np.int64)
    first = data.index(b"{", start)
    if n > 1:
        end = first + int(lengths[0])
        gap = data.index(b"{", end) - end
        guess = first + np.concatenate([[0], np.cumsum(lengths[:-1] + gap)])
        text = np.frombuffer(data, np.uint8)
        if gap <= _WIDEST and guess[-1] + lengths[-1] <= len(data):
            # Each object is followed by its own gap, so one that is off shows itself.
            inside = guess + lengths - 1
            between = data[end : end + gap]
            pieces = guess[1:, None] - gap + np.arange(gap)
            if (
                (text[guess] == ord("{")).all()
                and (text[inside] == ord("}")).all()
                and (text[pieces] == np.frombuffer(between, np.uint8)).all()
            ):
                return guess
    starts = np.empty(n, np.int64)
    at = start
    for i, length in enumerate(lengths.tolist()):
        at = data.index(b"{", at)
        starts[i] = at
        at += length
    return starts


class _Places:
    """Turns ascending places in a text into places in its UTF-8."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ascii = text.isascii()
        self._at = self._bytes = 0

    def of(self, at: int) -> int:
        if self._ascii:
            return at
        if at < self._at:
            self._at = self._bytes = 0
        self._bytes += len(self._text[self._at : at].encode())
        self._at = at
        return self._bytes


_space = re.compile(r"[ \t\n\r]*")
_space_bytes = re.compile(rb"[ \t\n\r]*")


def _skip(text: str, at: int) -> int:
    match = _space.match(text, at)
    return at if match is None else match.end()


def _skip_bytes(data: bytes, at: int) -> int:
    match = _space_bytes.match(data, at)
    return at if match is None else match.end()


def scanstring_end(data: bytes, start: int) -> int:
    """Return the place behind the string whose opening quote is at `start`."""
    end = start + 1
    while True:
        end = data.index(b'"', end) + 1
        slashes = end - 1
        while data[slashes - 1 : slashes] == b"\\":
            slashes -= 1
        if (end - 1 - slashes) % 2 == 0:
            return end


def _kind(first: str) -> str:
    names = {"{": "an object", "[": "a list", '"': "text", "t": "true", "f": "false", "n": "null"}
    return names.get(first, "a number")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the cycle collector: JSON has no cycles, and looking for them doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
