"""The file's bytes and the records found in them: the bytes are the truth.

Opening finds where each record of ``images``, ``annotations`` and ``categories`` begins and ends,
and its ids. A record is decoded when it is asked for, once a version. A change keeps the new text of
that record beside the bytes; `Store.chunks` copies everything else as it stands in the file.
"""

from __future__ import annotations

import bisect
import codecs
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from napari_fashion.coco import jsontext
from napari_fashion.coco.jsontext import Layout, dump_object, layout_of
from napari_fashion.coco.spans import (
    TABLES,
    Reader,
    RecordId,
    Spans,
    TableName,
    as_utf8,
    collector_paused,
    find_encoding,
    is_id,
    scanstring_end,
)
from napari_fashion.errors import CocoError, EditError

_NOWHERE: Final = object()
_LONGEST_NUMBER: Final = 40
"""Text of more letters is taken for no number."""
KEPT_VERSIONS = 4096
"""Number of unchanged records whose decoded form is kept."""
KEPT_BYTES = 32 << 20
"""Together these have no more text than this: decoded it takes several times as much memory."""


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


class _Table:
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


class Store:
    """A COCO document as bytes, with its records by id.

    Parameters
    ----------
    data
        The whole file.
    path
        Named in errors.

    Raises
    ------
    CocoError
        With the place, what was found and what was expected.
    """

    def __init__(self, data: bytes, path: Path | None = None) -> None:
        self.path = path
        self.encoding, self.bom = find_encoding(data)
        self.data = as_utf8(data, self.encoding, self.bom, path)
        del data
        found = Reader(self.data, path)
        self.members = found.members
        self._tables = {name: _Table(spans) for name, spans in found.tables.items()}
        self._of_image: dict[RecordId, list[RecordId] | RecordId] = {}
        self._group(found.tables["annotations"].ids, found.image_ids)
        self._kept: dict[tuple[TableName, RecordId], Version] = {}
        self._kept_bytes = 0
        self._saved: dict[tuple[TableName, RecordId], bytes | None] = {}
        self._letters_known: Layout | None = None
        self._layouts: dict[TableName, Layout] = {}
        self.unsaved: set[tuple[TableName, RecordId]] = set()
        """Records whose text is not the last saved one."""

    def _group(self, ids: list[RecordId], image_ids: list[RecordId]) -> None:
        groups = dict(zip(image_ids, ids, strict=True))
        if len(groups) < len(ids):  # some image has several
            many: dict[RecordId, list[RecordId] | RecordId] = {}
            for image_id, key in zip(image_ids, ids, strict=True):
                if image_id in many:
                    other = many[image_id]
                    if isinstance(other, list):
                        other.append(key)
                    else:
                        many[image_id] = [other, key]
                else:
                    many[image_id] = key
            groups = many
        self._of_image = groups

    # -- looking up ------------------------------------------------------------------------

    def has(self, table: TableName, record_id: RecordId) -> bool:
        """Whether a table has a record with this id."""
        t = self._tables[table]
        try:
            if record_id in t.changed:
                return t.changed[record_id] is not None
            return record_id in t.rows
        except TypeError:  # not hashable
            return False

    def count(self, table: TableName) -> int:
        """Return the number of records."""
        t = self._tables[table]
        return len(t.ids) - t.removed + len(t.new)

    def ids(self, table: TableName) -> list[RecordId]:
        """Return the ids in order: the file's, then the new ones by id. Not to be changed."""
        t = self._tables[table]
        if not t.new and not t.removed:
            return t.ids
        if t.live is None:
            changed = t.changed
            t.live = [key for key in t.ids if changed.get(key, True) is not None]
            t.live += sorted(t.new, key=_order)
        return t.live

    def version(self, table: TableName, record_id: RecordId) -> Version:
        """Return a record as it is now, or raise CocoError."""
        t = self._tables[table]
        if not self.has(table, record_id):
            raise CocoError(
                f"no record with the id {record_id!r} among {self.count(table)}.",
                path=self.path,
                place=table,
            )
        changed = t.changed.get(record_id)
        if changed is not None:
            return changed
        kept = self._kept.get((table, record_id))
        if kept is None:
            text = self._file_text(t, t.rows[record_id])
            self._kept_bytes += len(text)
            if len(self._kept) >= KEPT_VERSIONS or self._kept_bytes > KEPT_BYTES:
                self._kept.clear()
                self._kept_bytes = len(text)
            kept = self._kept[table, record_id] = Version(text)
        return kept

    def record(self, table: TableName, record_id: RecordId) -> dict[str, Any]:
        """Return a record decoded, not to be changed; CocoError if there is none."""
        return self.version(table, record_id).value

    def original(self, table: TableName, record_id: RecordId) -> bytes | None:
        """Return the text that the file has of a record, or None."""
        t = self._tables[table]
        row = t.rows.get(record_id)
        return None if row is None else self._file_text(t, row)

    def saved(self, table: TableName, record_id: RecordId) -> bytes | None:
        """Return the text of a record that was read or saved last; None where there was none."""
        key = (table, record_id)
        return self._saved[key] if key in self._saved else self.original(table, record_id)

    def find(self, table: TableName, record_id: RecordId) -> RecordId | None:
        """Return the id of the record that a reference means, or None where there is none.

        It is the record with exactly this id; else the one whose id is the same number or text in its
        other form, ``1`` and ``"1"``.
        """
        if self.has(table, record_id):
            return record_id
        twin = other_form(record_id)
        return twin if twin is not None and self.has(table, twin) else None

    def of_image(self, image_id: RecordId) -> list[RecordId]:
        """Return the ids of an image's annotations, in order.

        Those that name it in the other form of its id belong to it, unless an image has that id.
        """
        found = self.find("images", image_id)
        if found is None:
            return self._named(image_id)
        ids = self._named(found)
        twin = other_form(found)
        if twin is not None and twin in self._of_image and not self.has("images", twin):
            ids = sorted(ids + self._named(twin), key=self._place)
        return ids

    def _named(self, image_id: RecordId) -> list[RecordId]:
        """Return the ids of the annotations that name exactly this image, in order."""
        try:
            found = self._of_image.get(image_id, _NOWHERE)
        except TypeError:
            return []
        if isinstance(found, list):
            return list(found)
        return [] if found is _NOWHERE else [found]

    def next_id(self, table: TableName) -> int:
        """Return an id that no record of the table has or had: one more than the highest."""
        t = self._tables[table]
        if t.highest is None:
            used = self._of_image if table == "images" else ()  # images that annotations name
            t.highest = max([0, *_numbers(t.ids), *_numbers(t.changed), *_numbers(used)])
        return t.highest + 1

    def top(self, key: str) -> str | None:
        """Return the text of a value at the top of the document; None where it is missing."""
        found = next((m for m in self.members if m.key == key), None)
        return None if found is None else self.data[found.start : found.end].decode()

    def bulk(self, table: TableName, kind: type) -> list[Any]:
        """Decode all records of a table as msgspec Structs, in order: one pass for a few keys.

        Raises
        ------
        msgspec.MsgspecError
            If some record does not fit; read them one by one then.
        """
        t = self._tables[table]
        rows: list[Any] = []
        if t.present and len(t.ids):
            with collector_paused():
                rows = msgspec.json.decode(
                    memoryview(self.data)[t.start : t.end],
                    type=list[kind],  # type: ignore[valid-type]
                )
        if not t.changed:
            return rows
        known = t.rows
        result = []
        for key in self.ids(table):
            version = t.changed.get(key)
            if version is None:
                result.append(rows[known[key]])
            else:
                result.append(msgspec.json.decode(version.text, type=kind))
        return result

    def _file_text(self, t: _Table, row: int) -> bytes:
        return self.data[t.starts[row] : t.ends[row]]

    # -- changing --------------------------------------------------------------------------

    def put(self, table: TableName, record_id: RecordId, text: bytes) -> None:
        """Give a record another text, or insert a new one. The text has to have this id.

        A text that says what the file says, to the letters of its numbers, becomes the file's.

        Raises
        ------
        EditError
            If the id of an image or category is none.
        """
        t = self._tables[table]
        value = jsontext.loads(text)
        for key in ("image_id", "category_id") if table == "annotations" else ():
            if value.get(key) is not None and not is_id(value[key]):
                raise EditError(f"{table} {record_id!r}: {value[key]!r} is not an id ({key}).")
        before = (
            self.record(table, record_id).get("image_id")
            if self.has(table, record_id)
            else _NOWHERE
        )
        original = self.original(table, record_id)
        if original is not None and jsontext.same_text(original.decode(), text.decode()):
            if t.changed.pop(record_id, original) is None:
                t.removed -= 1
                t.live = None
            text = original
        else:
            if record_id in t.rows:
                if record_id in t.changed and t.changed[record_id] is None:
                    t.removed -= 1
                    t.live = None
            elif record_id not in t.new:
                t.new.add(record_id)
                t.live = None
            t.changed[record_id] = Version(text)
        if t.highest is not None and type(record_id) is int:
            t.highest = max(t.highest, record_id)
        self._note(table, record_id, text)
        if table == "annotations":
            self._regroup(record_id, before, value.get("image_id"))

    def remove(self, table: TableName, record_id: RecordId) -> bytes:
        """Take a record out; return its text. CocoError if there is none."""
        t = self._tables[table]
        version = self.version(table, record_id)
        self.next_id(table)  # the id of a removed record is not given again
        if record_id in t.rows:
            t.changed[record_id] = None
            t.removed += 1
        else:
            del t.changed[record_id]
            t.new.discard(record_id)
        t.live = None
        self._note(table, record_id, None)
        if table == "annotations":
            self._regroup(record_id, version.value.get("image_id"), _NOWHERE)
        return version.text

    def _note(self, table: TableName, record_id: RecordId, text: bytes | None) -> None:
        key = (table, record_id)
        if self.saved(table, record_id) == text:
            self.unsaved.discard(key)
        else:
            self.unsaved.add(key)

    def mark_saved(self) -> None:
        """Remember the records as they are as saved."""
        for table, key in self.unsaved:
            self._saved[table, key] = (
                self.version(table, key).text if self.has(table, key) else None
            )
        self.unsaved.clear()

    def _regroup(self, record_id: RecordId, before: Any, after: Any) -> None:
        """Move an annotation from one image's list to another's, from or to nowhere."""
        if before == after and before is not _NOWHERE:
            return
        if before is not _NOWHERE:
            left = self._own_list(before)
            left.pop(bisect.bisect_left(left, self._place(record_id), key=self._place))
            if not left:
                self._of_image.pop(before, None)
        if after is not _NOWHERE:
            bisect.insort(self._own_list(after), record_id, key=self._place)

    def _own_list(self, image_id: RecordId) -> list[RecordId]:
        """Return the list of an image's annotations, to be changed."""
        found = self._of_image.get(image_id, _NOWHERE)
        if not isinstance(found, list):
            found = self._of_image[image_id] = [] if found is _NOWHERE else [found]
        return found

    def _place(self, record_id: RecordId) -> tuple[Any, ...]:
        """Return an annotation's place among others: the file's first, then the new ones by id."""
        row = self._tables["annotations"].rows.get(record_id)
        return (1, *_order(record_id)) if row is None else (0, row)

    # -- writing ---------------------------------------------------------------------------

    def layout(self, table: TableName) -> Layout:
        """Return how records of a table are written, from the last one that the file has."""
        if table not in self._layouts:
            self._layouts[table] = self._find_layout(table)
        return self._layouts[table]

    def _find_layout(self, table: TableName) -> Layout:
        beside = [name for name in ("annotations", "images", "categories") if name != table]
        for name in (table, *beside):
            t = self._tables[name]  # type: ignore[index]
            if len(t.ids):
                text = self._file_text(t, len(t.ids) - 1).decode()
                if len(jsontext.members(text)) > 1:
                    return layout_of(text, self._letters())
        return self._letters()

    def _letters(self) -> Layout:
        """Return a layout on one line with the file's way to write letters beyond ASCII."""
        if self._letters_known is None:
            self._letters_known = self._find_letters()
        return self._letters_known

    def _find_letters(self) -> Layout:
        at = -1
        if self.data.isascii() and (slash := self.data.find(b"\\")) >= 0:
            found = re.search(rb"\\u", memoryview(self.data)[slash:])
            at = -1 if found is None else slash + found.start()
        digits = self.data[at + 2 : at + 6]
        upper = at >= 0 and digits != digits.lower()
        return Layout(separator=", ", colon=": ", comma=", ", ascii=at >= 0, upper=upper)

    def encoded(self, table: TableName, record: Mapping[str, Any]) -> bytes:
        """Return the text of a new record, in the layout of its table."""
        return dump_object(dict(record), self.layout(table)).encode()

    def chunks(
        self,
        *,
        keep: Mapping[TableName, Collection[RecordId]] | None = None,
        texts: Mapping[tuple[TableName, RecordId], bytes] | None = None,
        top: Mapping[str, str] | None = None,
    ) -> Iterator[bytes | memoryview]:
        """Yield the document's bytes: what did not change is copied from the file.

        Parameters
        ----------
        keep
            Ids of the records to write, by table; by default all.
        texts
            Other texts for some records, in this output only.
        top
            Texts for keys at the top of the document, in this output only; they are changed or,
            at the end, added.
        """
        parts = self._parts(keep or {}, texts or {}, dict(top or {}))
        if self.encoding == "utf-8":
            if self.bom:
                yield codecs.BOM_UTF8
            yield from parts
        else:
            text = b"".join(parts).decode()
            yield (("\ufeff" if self.bom else "") + text).encode(self.encoding)

    def _parts(
        self,
        keep: Mapping[TableName, Collection[RecordId]],
        texts: Mapping[tuple[TableName, RecordId], bytes],
        top: dict[str, str],
    ) -> Iterator[bytes | memoryview]:
        view = memoryview(self.data)
        at = 0
        for m in self.members:
            yield view[at : m.start]
            if m.key in TABLES:
                yield from self._table_parts(m.key, keep.get(m.key), texts)
            elif m.key in top:
                yield top.pop(m.key).encode()
            else:
                yield view[m.start : m.end]
            at = m.end
        added = {key: text.encode() for key, text in top.items()}
        for name, t in self._tables.items():
            if not t.present and t.new:
                added[name] = b"".join(self._table_parts(name, keep.get(name), texts))
        if added:
            yield self._top_members(added)
        yield view[at:]

    def _top_members(self, added: Mapping[str, bytes]) -> bytes:
        first = self.members[0]
        colon = self.data[scanstring_end(self.data, first.key_start) : first.start]
        if len(self.members) > 1:
            gap = self.data[first.end : self.members[1].key_start]
        else:
            gap = b"," + self.data[self.data.index(b"{") + 1 : first.key_start]
        return b"".join(
            gap + json.dumps(key).encode() + colon + text for key, text in added.items()
        )

    def _table_parts(
        self,
        name: TableName,
        keep: Collection[RecordId] | None,
        texts: Mapping[tuple[TableName, RecordId], bytes],
    ) -> Iterator[bytes | memoryview]:
        t = self._tables[name]
        view = memoryview(self.data)
        n = len(t.ids)
        kept = np.ones(n, np.bool_)
        if keep is not None:
            keep = keep if isinstance(keep, (set, frozenset, dict)) else set(keep)
            kept[:] = np.fromiter((key in keep for key in t.ids), np.bool_, n)
        others: dict[int, bytes] = {}
        for key, version in t.changed.items():
            if (row := t.rows.get(key)) is not None:
                if version is None:
                    kept[row] = False
                else:
                    others[row] = version.text
        others |= {t.rows[key]: text for (table, key), text in texts.items()
                   if table == name and key in t.rows}  # fmt: skip
        rows = np.flatnonzero(kept)
        new = [key for key in sorted(t.new, key=_order) if keep is None or key in keep]
        if not len(rows) and not new:
            yield b"[]" if n or not t.present else view[t.start : t.end]
            return
        lead, gap, tail = self._spacing(name)
        yield b"["
        yield lead
        # Runs of neighbours that did not change are copied in one piece with what is between them.
        crops = np.zeros(len(rows), np.bool_)
        crops[:1] = True
        crops[1:] = np.diff(rows) != 1
        for row in others:
            place = int(np.searchsorted(rows, row))
            if place < len(rows) and rows[place] == row:
                crops[place : place + 2] = True
        places = [*np.flatnonzero(crops).tolist(), len(rows)]
        for first, last in itertools.pairwise(places):
            a, b = int(rows[first]), int(rows[last - 1])
            if first:
                yield view[t.ends[a - 1] : t.starts[a]]
            yield others[a] if a in others else view[t.starts[a] : t.ends[b]]
        for i, key in enumerate(new):
            if i or len(rows):
                yield gap
            version = t.changed[key]
            assert version is not None
            yield texts.get((name, key), version.text)
        yield tail
        yield b"]"

    def _spacing(self, name: TableName) -> tuple[bytes, bytes, bytes]:
        """Return what stands before the first record, between two, and after the last one."""
        own = self._tables[name]
        tables = [own, *(self._tables[other] for other in ("annotations", "images", "categories"))]
        for least in (2, 1):
            for t in tables:
                n = len(t.ids)
                if n >= least and (t is own or not len(own.ids)):
                    lead = self.data[t.start + 1 : t.starts[0]]
                    tail = self.data[t.ends[-1] : t.end - 1]
                    if n > 1:
                        return lead, self.data[t.ends[-2] : t.starts[-1]], tail
                    return lead, (b"," + lead if lead else self.layout(name).comma.encode()), tail
        return b"", b", ", b""


# -- of a document in memory ---------------------------------------------------------------------


def document_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a new document's bytes: one record a line, for people and for version control."""
    line = Layout(separator=", ", colon=": ", comma=", ")
    parts = []
    for key, value in document.items():
        name = json.dumps(key, ensure_ascii=False) + ": "
        if key in TABLES and isinstance(value, list) and value:
            rows = [
                dump_object(r, line) if isinstance(r, dict) else jsontext.dumps(r, line)
                for r in value
            ]
            parts.append(name + "[\n" + ",\n".join(rows) + "\n]")
        else:
            parts.append(name + jsontext.dumps(value, line))
    text = "{\n" + ",\n".join(parts) + "\n}\n" if parts else "{}\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document).encode() + b"\n"


# -- inside --------------------------------------------------------------------------------------


def other_form(record_id: RecordId) -> RecordId | None:
    """Return an id's other form: ``"1"`` for 1, 1 for ``"1"``; None where it has none."""
    if isinstance(record_id, str):
        if not 0 < len(record_id) <= _LONGEST_NUMBER:
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
    if abs(record_id) >= 10**_LONGEST_NUMBER:
        return None
    return str(record_id)


def _order(record_id: RecordId) -> tuple[int, Any]:
    """Sort key of the ids of new records: numbers first."""
    return (1, record_id) if isinstance(record_id, str) else (0, record_id)


def _numbers(ids: Iterable[RecordId]) -> Iterator[int]:
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
