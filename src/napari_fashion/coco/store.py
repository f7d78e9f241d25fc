"""The file's bytes and the records found in them: the bytes are the truth.

Opening finds where each record of ``images``, ``annotations`` and ``categories`` begins and ends,
and its ids. A record is decoded when it is asked for, once a version. A change keeps the new text of
that record beside the bytes; `Store.chunks` copies everything else as it stands in the file.

The fast reader is msgspec, whose `Raw` tells a value's length without decoding it. Files that it
refuses (``NaN``, ``Infinity``, half surrogates) are read by the standard library, more slowly, to
the same spans.
"""

from __future__ import annotations

import bisect
import codecs
import gc
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from napari_fashion.coco import jsontext
from napari_fashion.coco.jsontext import Layout, dump_object, layout_of
from napari_fashion.errors import CocoError, EditError

TableName = Literal["images", "annotations", "categories"]
TABLES: Final[tuple[TableName, ...]] = ("images", "annotations", "categories")
RecordId = Any
"""Whatever the file has: mostly integers, sometimes text."""

_NOWHERE: Final = object()
KEPT_VERSIONS = 4096
"""Number of unchanged records whose decoded form is kept."""


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


@dataclass
class _Table:
    """Where the records of one list stand; `changed` has what differs from the file.

    `start` and `end` are the list's brackets: ``data[start:end]`` is ``[...]``. A new or changed
    record is a Version, a removed one None.
    """

    start: int = 0
    end: int = 0
    present: bool = False
    ids: list[RecordId] = field(default_factory=list)
    starts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ends: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: dict[RecordId, int] = field(default_factory=dict)
    changed: dict[RecordId, Version | None] = field(default_factory=dict)
    new: set[RecordId] = field(default_factory=set)
    removed: int = 0
    live: list[RecordId] | None = None
    highest: int | None = None


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
        self.encoding, self.bom = _encoding(data, path)
        self.data = _as_utf8(data, self.encoding, self.bom, path)
        del data
        self.members: list[jsontext.Member] = []
        self._tables: dict[TableName, _Table] = {name: _Table() for name in TABLES}
        self._of_image: dict[RecordId, list[RecordId] | RecordId] = {}
        self._kept: dict[tuple[TableName, RecordId], Version] = {}
        self._saved: dict[tuple[TableName, RecordId], bytes | None] = {}
        self._letters_known: Layout | None = None
        self._layouts: dict[TableName, Layout] = {}
        self.unsaved: set[tuple[TableName, RecordId]] = set()
        """Records whose text is not the last saved one."""
        with _collector_paused():
            self._read()

    # -- reading ---------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            self._read_fast()
        except (msgspec.MsgspecError, RecursionError, ValueError, KeyError):
            self._tables = {name: _Table() for name in TABLES}
            self._read_slowly()
        for name, table in self._tables.items():
            self._index(name, table)

    def _read_fast(self) -> None:
        data = self.data
        top = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        self._set_top(_walk(data, top))
        for name, table in self._tables.items():
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
                self._group(table.ids, image_ids)

    def _read_slowly(self) -> None:
        """Find the same spans by the standard library: it takes what msgspec does not."""
        text = self.data.decode()
        place = _Places(text)
        try:
            start = _skip(text, 0)
            if text[start : start + 1] != "{":
                json.JSONDecoder(parse_int=str).decode(text)  # says what is wrong with the text
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
            table = self._tables[member.key]
            offsets = _Places(text)
            ends = np.array(
                [offsets.of(at) for start, end, _ in records for at in (start, end)], np.int64
            ).reshape(-1, 2)
            table.starts, table.ends = ends[:, 0].copy(), ends[:, 1].copy()
            table.ids, image_ids = self._checked_ids(member.key, [r for _, _, r in records])
            if member.key == "annotations":
                self._group(table.ids, image_ids)

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
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise CocoError(
                f"the document has the key {twice!r} twice; expected each key once, since a reader "
                "keeps only one of the values.",
                path=self.path,
                remedy="Remove one of them.",
            )
        if "images" not in keys:
            raise CocoError(
                f"has no 'images' (its keys are {keys[:8]}); expected a COCO document "
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
                table = self._tables[m.key]
                table.start, table.end, table.present = m.start, m.end, True

    def _index(self, name: TableName, table: _Table) -> None:
        table.rows = dict(zip(table.ids, range(len(table.ids)), strict=True))
        if len(table.rows) != len(table.ids):
            first: dict[RecordId, int] = {}
            for i, key in enumerate(table.ids):
                if key in first:
                    raise CocoError(
                        f"the id {key!r} is taken by {name}[{first[key]}]; expected every id once.",
                        path=self.path,
                        place=f"{name}[{i}].id",
                        remedy="Give one of the two another id.",
                    )
                first[key] = i

    def _checked_ids(
        self, name: TableName, records: list[Any]
    ) -> tuple[list[RecordId], list[RecordId]]:
        """Return the ids and (of annotations) image ids, or say which record is wrong."""
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
                    f"found {record.get('id')!r}; expected an id, a number or text.",
                    path=self.path,
                    place=f"{name}[{i}].id",
                )
            ids.append(record["id"])
            if name == "annotations":
                for key, what in (("image_id", "an image"), ("category_id", "a category")):
                    value = record.get(key)
                    if value is not None and not is_id(value):
                        raise CocoError(
                            f"found {value!r}; expected the id of {what}.",
                            path=self.path,
                            place=f"annotations[{i}].{key}",
                        )
                image_ids.append(record.get("image_id"))
        return ids, image_ids

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
            if len(self._kept) >= KEPT_VERSIONS:
                self._kept.clear()
            kept = self._kept[table, record_id] = Version(self._file_text(t, t.rows[record_id]))
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

    def of_image(self, image_id: RecordId) -> list[RecordId]:
        """Return the ids of an image's annotations, in order."""
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
            with _collector_paused():
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
        cuts = np.zeros(len(rows), np.bool_)
        cuts[:1] = True
        cuts[1:] = np.diff(rows) != 1
        for row in others:
            place = int(np.searchsorted(rows, row))
            if place < len(rows) and rows[place] == row:
                cuts[place : place + 2] = True
        places = [*np.flatnonzero(cuts).tolist(), len(rows)]
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


def is_id(value: object) -> bool:
    """Whether a value can be a record's id: a number or text."""
    return isinstance(value, (int, str, float)) and not isinstance(value, bool) and value == value


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


def _walk(data: bytes, top: Mapping[str, msgspec.Raw]) -> list[jsontext.Member]:
    """Return the members of the document from their values' places in memory.

    Raises
    ------
    ValueError
        If a key comes twice.
    """
    memory = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    found: list[jsontext.Member] = []
    i = _skip_bytes(data, _skip_bytes(data, 0) + 1)
    while data[i : i + 1] == b'"':
        end = scanstring_end(data, i)
        key = json.loads(data[i:end])
        start = _skip_bytes(data, _skip_bytes(data, end) + 1)
        value = np.frombuffer(top[key], np.uint8)
        if value.__array_interface__["data"][0] - memory != start:
            raise ValueError(f"the key {key!r} comes twice")
        found.append(jsontext.Member(key, i, start, start + len(value)))
        i = _skip_bytes(data, start + len(value))
        if data[i : i + 1] == b",":
            i = _skip_bytes(data, i + 1)
    return found


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
        if guess[-1] + lengths[-1] <= len(data):
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


def _encoding(data: bytes, path: Path | None) -> tuple[str, bool]:
    encoding = json.detect_encoding(data)
    if encoding == "utf-8-sig":
        return "utf-8", True
    for bom, name in (
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(bom):
            return name, True
    return encoding, False


def _as_utf8(data: bytes, encoding: str, bom: bool, path: Path | None) -> bytes:
    try:
        if encoding == "utf-8":
            data = data[3:] if bom else data
            if not data.isascii():
                decoder = codecs.getincrementaldecoder("utf-8")()
                for at in range(0, len(data), 1 << 20):
                    decoder.decode(data[at : at + (1 << 20)])
                decoder.decode(b"", final=True)
            return data
        return data.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeDecodeError as error:
        raise CocoError(
            f"byte {error.start} is not {error.encoding}; expected JSON in UTF-8.", path=path
        ) from error


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cycle collector: JSON has no cycles, and looking for them doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
