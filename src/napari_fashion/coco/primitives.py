"""Looking up and changing the records of a data set as JSON text: what edits are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_fashion.coco import jsontext
from napari_fashion.coco.file_schema import with_categories_of
from napari_fashion.coco.ids import RecordId, TableName, is_id
from napari_fashion.coco.store import Store
from napari_fashion.coco.views import Frame
from napari_fashion.errors import EditError
from napari_fashion.images.folder import ImageFolder
from napari_fashion.schema import Schema


class Records(Frame):
    """The records of a document and the primitives that change them.

    A change (`set_text`, `insert_text`, `remove_record`) keeps every other byte of the record. The schema
    follows the categories that are added to the file.
    """

    def __init__(self, store: Store, schema: Schema, image_folder: ImageFolder) -> None:
        super().__init__(store, schema, image_folder)
        self._file_schema = schema

    # -- looking up ------------------------------------------------------------------------

    def next_id(self, table: TableName) -> int:
        """Return an id that no record of the table has or had: one more than the highest."""
        return self.store.next_id(table)

    def ids(self, table: TableName) -> list[RecordId]:
        """Return the ids of a table's records, in order; not to be changed."""
        return self.store.ids(table)

    @property
    def data(self) -> bytes:
        """The document that the edits are of, in UTF-8."""
        return self.store.data

    @property
    def unsaved(self) -> set[tuple[TableName, RecordId]]:
        """The records whose text is not the last saved one; not to be changed."""
        return self.store.unsaved

    def saved_text(self, table: TableName, record_id: RecordId) -> str | None:
        """Return the text of a record that was read or saved last; None if there was none."""
        text = self.store.saved(table, record_id)
        return None if text is None else text.decode()

    def mark_saved(self) -> None:
        """Remember the records as they are as saved."""
        self.store.mark_saved()

    # -- changing --------------------------------------------------------------------------

    def text(self, table: TableName, record_id: RecordId, path: jsontext.Path = ()) -> str | None:
        """Return the JSON text of a record, or of a value in it; None for a missing key.

        Raises
        ------
        CocoError
            If there is no such record.
        EditError
            If the path leads nowhere.
        """
        text = self.store.version(table, record_id).text.decode()
        if not path:
            return text
        try:
            span = jsontext.locate(text, path)
        except EditError as error:
            raise EditError(f"{table} {record_id!r}: {error}") from None
        except RecursionError as error:
            raise EditError(f"{table} {record_id!r} is nested too deeply to be read.") from error
        return None if span is None else text[span[0] : span[1]]

    def set_text(
        self, table: TableName, record_id: RecordId, path: jsontext.Path, text: str | None
    ) -> None:
        """Set a value at a key path of one record; everything else of it keeps its bytes.

        Parameters
        ----------
        table, record_id
            The record.
        path
            Keys and list indices, the last of them the one to set: ``("bbox",)`` or
            ``("keypoints", 5)``. All but the last must be there.
        text
            JSON text, or None to remove the key. A key that is put back takes the place among the
            keys that it had in the file.

        Raises
        ------
        EditError
            If the path leads nowhere, or to the record's id, or the record has a key twice.
        CocoError
            If there is no such record.
        """
        version = self.store.version(table, record_id)
        old = version.text.decode()
        if not path or path[0] == "id":
            raise EditError(
                f"{table} {record_id!r}: cannot set {list(path)}; expected a key other than the id."
            )
        try:
            if "twice" not in version.memo:
                version.memo["twice"] = jsontext.first_double_key(old)
            if (key := version.memo["twice"]) is not None:
                raise EditError(
                    f"{table} {record_id!r} has the key {key!r} twice, and a change would keep only one "
                    "of the values; remove one of them in the file to edit the record."
                )
            order: list[str] = []
            original = self.store.original(table, record_id)
            if original is not None and text is not None and len(path) == 1:
                order = [m.key for m in jsontext.members(original.decode())]
            layout = self.store.layout(table)
            if text is not None:
                jsontext.loads(text)
            new = jsontext.replaced(old, path, text, layout=layout, order=order)
            self.store.put(table, record_id, new.encode())
        except RecursionError as error:
            raise EditError(f"{table} {record_id!r} is nested too deeply to be changed.") from error
        except EditError as error:
            if str(error).startswith(table):
                raise
            raise EditError(f"{table} {record_id!r}: {error}") from None
        except ValueError as error:
            raise EditError(f"{table} {record_id!r}: {text!r:.60} is no JSON ({error}).") from None
        if table == "categories":
            self._categories_changed()

    def set_value(
        self, table: TableName, record_id: RecordId, path: jsontext.Path, value: Any
    ) -> None:
        """Set a JSON value at a key path of one record (`set_text`)."""
        self.set_text(table, record_id, path, self.dumps(table, record_id, value))

    def dumps(self, table: TableName, record_id: RecordId, value: Any) -> str:
        """Return a value's text as it is to stand in a record: laid out like the rest of it.

        Raises
        ------
        EditError
            If it is no JSON, or nested too deeply.
        """
        text = self.store.version(table, record_id).text.decode()
        try:
            return jsontext.dumps(value, jsontext.layout_of(text, self.store.layout(table)))
        except RecursionError as error:
            raise EditError(
                f"{table} {record_id!r}: a value that is nested too deeply to be written."
            ) from error
        except (TypeError, ValueError) as error:
            raise EditError(f"{table} {record_id!r}: {error}; expected a JSON value.") from error

    def insert_text(self, table: TableName, text: str) -> RecordId:
        """Insert a record; return its id. It comes back to its place where the file has it.

        Raises
        ------
        EditError
            If the record has no id, or one that is taken.
        """
        try:
            data = text.encode()
            record = jsontext.loads(data)
        except (ValueError, RecursionError) as error:
            raise EditError(f"{table}: a new record that is no JSON ({error}).") from error
        record_id = record.get("id") if isinstance(record, dict) else None
        if not is_id(record_id):
            raise EditError(f"{table}: a new record has the id {record_id!r}; expected a new id.")
        if self.has(table, record_id):
            raise EditError(
                f"{table}: the id {record_id!r} is taken; expected a new one, such as "
                f"{self.next_id(table)!r}."
            )
        self.store.put(table, record_id, data)
        if table == "categories":
            self._categories_changed()
        return record_id

    def insert_record(self, table: TableName, record: Mapping[str, Any]) -> None:
        """Insert a new record, written as those of its table are (`insert_text`)."""
        self.insert_text(table, self.record_text(table, record))

    def record_text(self, table: TableName, record: Mapping[str, Any]) -> str:
        """Return the text of a new record, laid out as those of its table are."""
        return self.store.encoded(table, record).decode()

    def remove_record(self, table: TableName, record_id: RecordId) -> str:
        """Take a record out of its table; return its text, for `insert_text` to put it back.

        Raises
        ------
        CocoError
            If there is no such record.
        """
        text = self.store.remove(table, record_id)
        if table == "categories":
            self._categories_changed()
        return text.decode()

    def _categories_changed(self) -> None:
        """Forget the categories known; the schema gets those that were added to the file."""
        self._categories = None
        added = [
            self.store.record("categories", key)
            for key in self.store.ids("categories")
            if self.store.original("categories", key) is None
        ]
        self.schema = with_categories_of(self._file_schema, added)
