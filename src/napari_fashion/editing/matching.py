"""Finding the records of one version of a file in another: by file name and category name, not by id."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from napari_fashion.coco import Dataset, jsontext
from napari_fashion.coco.ids import TABLES, RecordId, TableName, other_form
from napari_fashion.coco.provenance import KEY, NUMBERS
from napari_fashion.editing.edits import RecordKey
from napari_fashion.editing.record_changes import Known, RecordChange, value_of, with_value
from napari_fashion.errors import EditError

_NAME_OF = {"images": "file_name", "categories": "name"}


class Names:
    """Finds our images and categories on the other side, by what they are called.

    Parameters
    ----------
    changes
        All changes of our side: their ids are not given to other records.
    theirs, ours
        The two sides.
    wanted
        The text that each record of ours shall have on the other side, as the merge goes on.
    renumbered
        Takes the records of ours that have another id on the other side, with that id.
    """

    def __init__(
        self,
        changes: Sequence[RecordChange],
        theirs: Dataset,
        ours: Known,
        wanted: Mapping[RecordKey, str | None],
        renumbered: dict[RecordKey, RecordId],
    ) -> None:
        self._theirs = theirs
        self._ours = ours
        self._wanted = wanted
        self._renumbered = renumbered
        self._known: dict[RecordKey, RecordId | None] = {}
        self._reserved: dict[RecordKey, RecordId] = {}
        self._by_name: dict[str, dict[Any, RecordId | None]] = {}
        self._free: dict[str, int] = {table: theirs.next_id(table) for table in TABLES}
        for change in changes:
            if isinstance(change.key[1], int):
                table = change.key[0]
                self._free[table] = max(self._free[table], change.key[1] + 1)

    def new_id(self, table: TableName) -> int:
        """Return an id that no side uses."""
        found = self._free[table]
        self._free[table] += 1
        return found

    def find(self, table: TableName, key: RecordId) -> RecordId | None:
        """Return the other side's id of an image or category of ours; None if it has none."""
        place = (table, key)
        if place not in self._known:
            found = self._known[place] = self._search(table, key)
            if found is not None and found != key:
                self._renumbered[place] = found
        return self._known[place]

    def reserve(self, table: TableName, key: RecordId) -> RecordId:
        """Return the id that a record of ours has if it comes along: its own, if that is free."""
        place = (table, key)
        if place not in self._reserved:
            found = key if not self._theirs.has(table, key) else self.new_id(table)
            self._reserved[place] = found
            if found != key:
                self._renumbered[place] = found
        return self._reserved[place]

    def _search(self, table: TableName, key: RecordId) -> RecordId | None:
        field = _NAME_OF[table]
        texts = [t for t in (self._ours.now((table, key)), self._ours.saved((table, key))) if t]
        if not texts:  # our side does not have it either
            return key
        for name in dict.fromkeys(hashable(value_of(text, field)) for text in texts):
            theirs = self._theirs
            if theirs.has(table, key):
                called = value_of(theirs.text(table, key), field)
                if hashable(called) == name:
                    return key
            twin = self._names(table).get(name) if isinstance(name, str) else None
            if twin is not None:
                return twin
        return None

    def _names(self, table: TableName) -> dict[Any, RecordId | None]:
        if table not in self._by_name:
            names: dict[Any, RecordId | None] = {}
            for other in self._theirs.ids(table):
                called = value_of(self._theirs.text(table, other), _NAME_OF[table])
                if isinstance(called, str):
                    names[called] = None if called in names else other
            if table == "categories":  # of two of one name, the one that has keypoints
                for called, found in names.items():
                    if found is None:
                        names[called] = self._with_keypoints(called)
            self._by_name[table] = names
        return self._by_name[table]

    def _with_keypoints(self, name: str) -> RecordId | None:
        """Return the other side's only category of a name that has keypoints; None if there is none."""
        records = [
            jsontext.loads(t)
            for k in self._theirs.ids("categories")
            if (t := self._theirs.text("categories", k)) is not None
        ]
        found = [r["id"] for r in records if r.get("name") == name and r.get("keypoints")]
        return found[0] if len(found) == 1 else None

    def translated(self, text: str | None) -> tuple[str | None, str, dict[RecordKey, str]]:
        """Return an annotation of ours in the other side's ids.

        Also why it cannot be there, and the records that it would need there.
        """
        if text is None:
            return None, "", {}
        reason, needs = "", {}
        for name, table, what in _REFERENCES:
            key = reference = value_of(text, name)
            if key is None:
                continue
            if self._ours.text((table, key)) is None:  # 1 and "1" are one, if that is clear
                twin = other_form(key)
                if twin is not None and self._ours.text((table, twin)) is not None:
                    key = twin
            found = self.find(table, key)
            place: RecordKey = (table, found if found is not None else self.reserve(table, key))
            ours = self._ours.text((table, key))
            if ours is not None and not self._theirs.has(*place):
                needs[place] = with_value(ours, "id", place[1])
                if place not in self._wanted:
                    reason = (
                        reason or f"its {what} is not on the disk any more, or called otherwise"
                    )
            elif table == "categories":
                text, lost = self._reordered(text, key, place[1])
                reason = reason or lost
            if place[1] != key or (reference != key and self._theirs.has(table, reference)):
                text = with_value(text, name, place[1])
        return text, reason, needs

    def _reordered(self, text: str, key: RecordId, found: RecordId) -> tuple[str, str]:
        """Return an annotation with its landmarks as the other side's category has them.

        Also what would be lost by that.
        """
        ours = self._ours.text(("categories", key))
        if ours is None or not self._theirs.has("categories", found):
            return text, ""
        old = value_of(ours, "keypoints")
        new = value_of(self._theirs.text("categories", found), "keypoints")
        if old == new or not isinstance(old, list) or not isinstance(new, list):
            return text, ""
        place = {hashable(name): i for i, name in enumerate(old)}
        order = [place.get(hashable(name)) for name in new]
        record = jsontext.loads(text)
        flat = record.get("keypoints")
        if not isinstance(flat, list) or len(flat) != 3 * len(old):
            return (
                text,
                "" if flat is None else "the landmarks of its category are others on the disk",
            )
        dropped = set(range(len(old))) - {i for i in order if i is not None}
        reason = ""
        if any(flat[3 * i + 2] for i in dropped):
            reason = "the category on the disk lacks a landmark that is placed here"
        for path, width in _PER_LANDMARK:
            with contextlib.suppress(EditError):  # it has no such list
                span = jsontext.locate(text, path)
                if span is not None:
                    value = _permuted(text[span[0] : span[1]], order, width, len(old))
                    text = text[: span[0]] + value + text[span[1] :]
        if "num_keypoints" in record:
            seen = jsontext.loads(text)["keypoints"][2::3]
            text = with_value(text, "num_keypoints", sum(bool(v) for v in seen))
        return text, reason


_REFERENCES: tuple[tuple[str, TableName, str], ...] = (
    ("image_id", "images", "image"),
    ("category_id", "categories", "category"),
)
_PER_LANDMARK: tuple[tuple[tuple[str, ...], int], ...] = (
    (("keypoints",), 3),
    *(((name,), 1) for name in NUMBERS),
    *(((KEY, name), 1) for name in NUMBERS),
    ((KEY, "keypoint_sources"), 1),
)
"""Key paths of lists in an annotation, and their number of values per landmark."""


def _permuted(text: str, order: list[int | None], width: int, n: int) -> str:
    """Return a list of `width` values a landmark in another order; nothing if one is not there."""
    if not text.startswith("["):
        return text
    words = [text[a:b] for a, b in jsontext.elements(text)]
    if len(words) != width * n:
        return text
    nothing = ["0"] * width if width > 1 else ["null"]
    parts = [nothing if i is None else words[width * i : width * (i + 1)] for i in order]
    return "[" + ", ".join(word for part in parts for word in part) + "]"


def hashable(value: Any) -> Any:
    """Return a value that can be the key of a dict, equal for equal JSON values."""
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)
