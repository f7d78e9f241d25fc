"""The file's bytes and the records found in them: the bytes are the truth.

Opening finds where each record of ``images``, ``annotations`` and ``categories`` begins and ends,
and its ids. A record is decoded when it is asked for, once per version. A change keeps the new text of
that record beside the bytes; `Store.chunks` copies everything else as it stands in the file.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from napari_fashion.coco import jsontext
from napari_fashion.coco.encoding import as_utf8, find_encoding, in_encoding
from napari_fashion.coco.ids import RecordId, TableName, id_order, is_id, other_form, whole_numbers
from napari_fashion.coco.jsontext import Layout
from napari_fashion.coco.spans import Reader, collector_paused
from napari_fashion.coco.splice import Splicer
from napari_fashion.coco.tables import Table, Version
from napari_fashion.errors import CocoError, EditError

_NOWHERE: Final = object()
KEPT_VERSIONS = 4096
"""Number of unchanged records whose decoded form is kept."""
KEPT_BYTES = 32 << 20
"""Together these have no more text than this: decoded it takes several times as much memory."""


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

    def __init__(self, data: bytes, path: Path | None = None, *, may_repeat: bool = False) -> None:
        self.path = path
        self.encoding, self.bom = find_encoding(data)
        self.data = as_utf8(data, self.encoding, self.bom, path)
        del data
        found = Reader(self.data, path, may_repeat=may_repeat)
        self.repeated = found.repeated
        self.members = found.members
        self._tables = {name: Table(spans) for name, spans in found.tables.items()}
        self._of_image: dict[RecordId, list[RecordId] | RecordId] = {}
        self._group(found.tables["annotations"].ids, found.image_ids)
        self._kept: dict[tuple[TableName, RecordId], Version] = {}
        self._kept_bytes = 0
        self._saved: dict[tuple[TableName, RecordId], bytes | None] = {}
        self._splicer = Splicer(self.data, self.members, self._tables)
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
            t.live += sorted(t.new, key=id_order)
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
            text = t.file_text(self.data, t.rows[record_id])
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
        return None if row is None else t.file_text(self.data, row)

    def saved(self, table: TableName, record_id: RecordId) -> bytes | None:
        """Return the text of a record that was read or saved last; None if there was none."""
        key = (table, record_id)
        return self._saved[key] if key in self._saved else self.original(table, record_id)

    def find(self, table: TableName, record_id: RecordId) -> RecordId | None:
        """Return the id of the record that a reference means, or None if there is none.

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
            t.highest = max(
                [0, *whole_numbers(t.ids), *whole_numbers(t.changed), *whole_numbers(used)]
            )
        return t.highest + 1

    def top(self, key: str) -> str | None:
        """Return the text of a value at the top of the document; None if it is missing."""
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

    # -- changing --------------------------------------------------------------------------

    def put(self, table: TableName, record_id: RecordId, text: bytes) -> None:
        """Give a record another text, or insert a new one. The text has to have this id.

        A text with the content of the file's, down to the digits of its numbers, becomes the file's.

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
        return (1, *id_order(record_id)) if row is None else (0, row)

    # -- writing ---------------------------------------------------------------------------

    def layout(self, table: TableName) -> Layout:
        """Return how records of a table are written, from the last one that the file has."""
        return self._splicer.layout(table)

    def encoded(self, table: TableName, record: Mapping[str, Any]) -> bytes:
        """Return the text of a new record, in the layout of its table."""
        return self._splicer.encoded(table, record)

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
        parts = self._splicer.parts(keep or {}, texts or {}, top or {})
        return in_encoding(parts, self.encoding, self.bom)
