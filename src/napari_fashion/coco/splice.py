"""Writing a document: what did not change is copied from the file, what did is put in its place."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from napari_fashion.coco import jsontext
from napari_fashion.coco.ids import TABLES, RecordId, TableName, id_order
from napari_fashion.coco.jsontext import Layout, dump_object, layout_of
from napari_fashion.coco.spans import scanstring_end
from napari_fashion.coco.tables import Table


class Splicer:
    """Writes a document from the file's bytes and the versions of its tables that differ from them.

    Parameters
    ----------
    data
        The document in UTF-8, without a byte order mark.
    members
        Keys at the top of the document, with their values' spans.
    tables
        The records of the three lists, as they are whenever something is written.
    """

    def __init__(
        self,
        data: bytes,
        members: Sequence[jsontext.Member],
        tables: Mapping[TableName, Table],
    ) -> None:
        self._data = data
        self._members = members
        self._tables = tables
        self._letters_known: Layout | None = None
        self._layouts: dict[TableName, Layout] = {}

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
                text = t.file_text(self._data, len(t.ids) - 1).decode()
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
        if self._data.isascii() and (slash := self._data.find(b"\\")) >= 0:
            found = re.search(rb"\\u", memoryview(self._data)[slash:])
            at = -1 if found is None else slash + found.start()
        digits = self._data[at + 2 : at + 6]
        upper = at >= 0 and digits != digits.lower()
        return Layout(separator=", ", colon=": ", comma=", ", ascii=at >= 0, upper=upper)

    def encoded(self, table: TableName, record: Mapping[str, Any]) -> bytes:
        """Return the text of a new record, in the layout of its table."""
        return dump_object(dict(record), self.layout(table)).encode()

    def parts(
        self,
        keep: Mapping[TableName, Collection[RecordId]],
        texts: Mapping[tuple[TableName, RecordId], bytes],
        top: Mapping[str, str],
    ) -> Iterator[bytes | memoryview]:
        """Yield the document's bytes in UTF-8; the parameters are those of `Store.chunks`."""
        top = dict(top)
        view = memoryview(self._data)
        at = 0
        for m in self._members:
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
        first = self._members[0]
        colon = self._data[scanstring_end(self._data, first.key_start) : first.start]
        if len(self._members) > 1:
            gap = self._data[first.end : self._members[1].key_start]
        else:
            gap = b"," + self._data[self._data.index(b"{") + 1 : first.key_start]
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
        view = memoryview(self._data)
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
        new = [key for key in sorted(t.new, key=id_order) if keep is None or key in keep]
        if not len(rows) and not new:
            yield b"[]" if n or not t.present else view[t.start : t.end]
            return
        lead, gap, tail = self._spacing(name)
        yield b"["
        yield lead
        # Runs of neighbours that did not change are copied in one piece with what is between them.
        breaks = np.zeros(len(rows), np.bool_)
        breaks[:1] = True
        breaks[1:] = np.diff(rows) != 1
        for row in others:
            place = int(np.searchsorted(rows, row))
            if place < len(rows) and rows[place] == row:
                breaks[place : place + 2] = True
        places = [*np.flatnonzero(breaks).tolist(), len(rows)]
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
                    lead = self._data[t.start + 1 : t.starts[0]]
                    tail = self._data[t.ends[-1] : t.end - 1]
                    if n > 1:
                        return lead, self._data[t.ends[-2] : t.starts[-1]], tail
                    return lead, (b"," + lead if lead else self.layout(name).comma.encode()), tail
        return b"", b", ", b""


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
