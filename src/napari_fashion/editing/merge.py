"""Merging two versions of a file record by record: what we changed, onto what is on the disk.

A record that only one side changed is taken from that side. A record that both changed is a conflict,
which a person decides; nothing is decided silently. New records of both sides with one id are two
records: ours gets a new id.

An id means what its record says: an image is found by its file name and a category by its name, so that a
program that counted them anew does not move our garments to other images. What cannot be found is a
conflict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_fashion.coco import Dataset, TableName, jsontext
from napari_fashion.coco.spans import TABLES, RecordId
from napari_fashion.coco.store import Store
from napari_fashion.editing.edits import (
    Change,
    Edit,
    InsertRecord,
    RecordKey,
    RemoveRecord,
    require_an_image,
)
from napari_fashion.editing.history import Step
from napari_fashion.editing.journal import Pending
from napari_fashion.errors import FashionError

Side = Literal["mine", "theirs"]
MERGE = "Merge your changes"
"""Label of the edits that bring our changes into the other version."""


@dataclass(frozen=True)
class RecordChange:
    """What we did to a record: its text in the file that we began with, and now; None for no record."""

    key: RecordKey
    base: str | None
    mine: str | None


@dataclass(frozen=True)
class Conflict:
    """A record that both sides changed.

    Attributes
    ----------
    key
        Table and id.
    base, mine, theirs
        JSON text on each side, None where the record is not there.
    reason
        What happened, for a person.
    """

    key: RecordKey
    base: str | None
    mine: str | None
    theirs: str | None
    reason: str


@dataclass
class Merge:
    """Our changes brought to another version of the file, but for the conflicts.

    Attributes
    ----------
    theirs
        The other version, unchanged so far.
    wanted
        The text that each record of ours shall have in it; None: removed.
    conflicts
        What a person has to decide.
    renumbered
        Records of ours that have another id on the other side, with that id.
    """

    theirs: Dataset
    wanted: dict[RecordKey, str | None] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    renumbered: dict[RecordKey, RecordId] = field(default_factory=dict)

    def edits(self, choices: Mapping[RecordKey, Side] | None = None) -> list[Edit]:
        """Return the edits that bring our side into `theirs` as it is now, one an image.

        Parameters
        ----------
        choices
            For each conflict whose version stays; without one it is theirs.
        """
        wanted = dict(self.wanted)
        for conflict in self.conflicts:
            if (choices or {}).get(conflict.key) == "mine":
                wanted[conflict.key] = conflict.mine
        by_image: dict[RecordId, list[Change]] = {}
        first: list[Change] = []
        for key in sorted(wanted, key=lambda k: _ORDER[k[0]]):
            text = wanted[key]
            now = self.theirs.text(*key) if self.theirs.has(*key) else None
            if _equal(text, now):
                continue
            changes: list[Change] = []
            if now is not None:
                changes.append(RemoveRecord(*key, now))
            if text is not None:
                changes.append(InsertRecord(*key, text))
            image_id = _image_of(key, text if text is not None else now)
            if key[0] == "categories":
                first += changes
            else:
                by_image.setdefault(image_id, []).extend(changes)
        if first:
            image_id = next(iter(by_image), self.theirs.images.ids[0])
            by_image = {image_id: first + by_image.pop(image_id, []), **by_image}
        return [Edit(MERGE, key, tuple(changes)) for key, changes in by_image.items()]


OurText = Callable[[RecordKey], str | None]
"""Returns the text of a record as our side knows it: as it is now, or as it was before we removed it."""


def unsaved_changes(dataset: Dataset) -> list[RecordChange]:
    """Return what the data set has that its file lacks, record by record."""
    store = dataset.store
    found = []
    for table, key in store.unsaved:
        base = store.saved(table, key)
        mine = store.version(table, key).text if store.has(table, key) else None
        found.append(
            RecordChange(
                (table, key),
                None if base is None else base.decode(),
                None if mine is None else mine.decode(),
            )
        )
    return found


def saved_text(dataset: Dataset) -> OurText:
    """Return how to find a record of a data set, or of its file where the data set has it no more."""

    def find(key: RecordKey) -> str | None:
        if dataset.has(*key):
            return dataset.text(*key)
        saved = dataset.store.saved(*key)
        return None if saved is None else saved.decode()

    return find


def journal_changes(pending: Pending) -> tuple[list[RecordChange], OurText]:
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
    scratch = Dataset.scratch(Store(("{" + body + "}").encode()))
    for entry in pending.entries:
        edit = entry.edit.inverse() if entry.do == "undo" else entry.edit
        edit.apply(scratch)
    found = []
    for (table, key), base in pending.was.items():
        mine = scratch.text(table, key) if scratch.has(table, key) else None
        if mine != base:
            found.append(RecordChange((table, key), base, mine))
    return found, saved_text(scratch)


def merge(changes: Iterable[RecordChange], theirs: Dataset, ours: OurText) -> Merge:
    """Bring our changes to another version of the file."""
    result = Merge(theirs)
    ordered = sorted(changes, key=lambda c: _ORDER[c.key[0]])
    names = _Names(ordered, theirs, ours, result)
    removed = {c.key[1] for c in ordered if c.key[0] == "annotations" and c.mine is None}
    for change in ordered:
        _merge_record(change, result, names, removed)
    return result


def replay_steps(steps: Sequence[Step], merged: Merge) -> list[Edit]:
    """Apply the edits of a history that still fit the other version; return them in order.

    Edits of records that are in conflict or have another id are left out, and so is what cannot be
    applied; `Merge.edits` makes up for them afterwards.
    """
    blocked = {conflict.key for conflict in merged.conflicts} | set(merged.renumbered)
    kept = []
    for step in steps:
        for key in step.edit.record_keys:  # what is not ours in the end stays theirs
            now = merged.theirs.text(*key) if merged.theirs.has(*key) else None
            if key not in blocked:
                merged.wanted.setdefault(key, now)
        if blocked & (set(step.edit.record_keys) | set(step.uses)):
            continue
        try:
            require_an_image(merged.theirs, step.edit)
            step.edit.apply(merged.theirs)
        except FashionError:
            continue
        kept.append(step.edit)
    return kept


_ORDER = {"categories": 0, "images": 1, "annotations": 2}
_NAME_OF = {"images": "file_name", "categories": "name"}


class _Names:
    """Finds our images and categories on the other side, by what they are called."""

    def __init__(
        self, changes: Sequence[RecordChange], theirs: Dataset, ours: OurText, result: Merge
    ) -> None:
        self._theirs = theirs
        self._ours = ours
        self._result = result
        self._known: dict[RecordKey, RecordId | None] = {}
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

    def find(self, table: TableName, key: RecordId, *, is_new: bool = False) -> RecordId | None:
        """Return the other side's id of an image or category of ours; None where it has none.

        A new one of ours that it lacks keeps its id, or gets a new one where that is taken.
        """
        place = (table, key)
        if place not in self._known:
            self._known[place] = self._search(table, key, is_new)
            found = self._known[place]
            if found is not None and found != key:
                self._result.renumbered[place] = found
        return self._known[place]

    def _search(self, table: TableName, key: RecordId, is_new: bool) -> RecordId | None:
        ours = self._ours((table, key))
        if ours is None:  # our side does not have it either
            return key
        name = _value(ours, _NAME_OF[table])
        theirs = self._theirs
        if theirs.has(table, key) and _value(theirs.text(table, key), _NAME_OF[table]) == name:
            return key
        if table not in self._by_name:
            names: dict[Any, RecordId | None] = {}
            for other in theirs.store.ids(table):
                called = theirs.store.record(table, other).get(_NAME_OF[table])
                if isinstance(called, str):
                    names[called] = None if called in names else other
            self._by_name[table] = names
        twin = self._by_name[table].get(name) if isinstance(name, str) else None
        if twin is not None or not is_new:
            return twin
        return key if not theirs.has(table, key) else self.new_id(table)

    def translated(self, text: str | None) -> tuple[str | None, str]:
        """Return an annotation of ours in the other side's ids, and why that is not possible."""
        if text is None:
            return None, ""
        for name, table, what in (
            ("image_id", "images", "image"),
            ("category_id", "categories", "category"),
        ):
            key = _value(text, name)
            if key is None:
                continue
            found = self.find(table, key)  # type: ignore[arg-type]
            gone = found is None or (
                not self._theirs.has(table, found)  # type: ignore[arg-type]
                and (table, found) not in self._result.wanted
                and self._ours((table, key)) is not None  # type: ignore[arg-type]
            )
            if gone:
                return text, f"its {what} is not on the disk any more, or called otherwise"
            if table == "categories":
                text = self._reordered(text, key, found)
            if found != key:
                text = _with_value(text, name, found)
        return text, ""

    def _reordered(self, text: str, key: RecordId, found: RecordId) -> str:
        """Return an annotation with its keypoints in the order that the other side's category has."""
        ours, theirs = self._ours(("categories", key)), self._theirs
        if ours is None or not theirs.has("categories", found):
            return text
        old = _value(ours, "keypoints")
        new = theirs.store.record("categories", found).get("keypoints")
        span = jsontext.locate(text, ("keypoints",))
        if old == new or span is None or not isinstance(old, list) or not isinstance(new, list):
            return text
        flat = text[span[0] : span[1]]
        if not flat.startswith("["):
            return text
        words = [flat[a:b] for a, b in jsontext.elements(flat)]
        if len(words) != 3 * len(old):
            return text
        place = {name: i for i, name in enumerate(old)}
        triplets = [
            words[3 * place[name] : 3 * place[name] + 3] if name in place else ["0", "0", "0"]
            for name in new
        ]
        value = "[" + ", ".join(word for triplet in triplets for word in triplet) + "]"
        return text[: span[0]] + value + text[span[1] :]


def _merge_record(
    change: RecordChange, result: Merge, names: _Names, removed: set[RecordId]
) -> None:
    table, key = change.key
    theirs = result.theirs
    base, mine, reason = change.base, change.mine, ""
    place: RecordId | None = key
    if table == "annotations":
        base = names.translated(base)[0]
        mine, reason = names.translated(mine)
    else:
        place = names.find(table, key, is_new=base is None)
        if place is None:  # it is gone, or called otherwise
            place = key
            if theirs.has(table, key):
                reason = "it is called otherwise on the disk"
        elif place != key:
            base, mine = (None if t is None else _with_value(t, "id", place) for t in (base, mine))
    now = theirs.text(table, place) if theirs.has(table, place) else None
    if _equal(now, mine):
        return
    if base is None:  # new on our side
        if table == "categories" and now is not None:
            return  # one category under one name
        if (
            table == "images"
            and now is not None
            and _value(now, "file_name") == _value(mine or "{}", "file_name")
        ):
            return
        if mine is None:
            return
        if now is not None:  # both sides have a new record of this id
            place = names.new_id(table)
            result.renumbered[change.key] = place
            mine = _with_value(mine, "id", place)
    elif not reason and not _equal(now, base):
        reason = "changed here and on the disk"
        if now is None:
            reason = "changed here, removed on the disk"
        elif mine is None:
            reason = "removed here, changed on the disk"
    left = set(theirs.store.of_image(place)) - removed if table == "images" else set()
    if not reason and mine is None and left:
        reason = "removed here; on the disk it has garments"
    if reason:
        result.conflicts.append(Conflict((table, place), base, mine, now, reason))
    else:
        result.wanted[table, place] = mine


def _equal(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return a is b
    return jsontext.same_content(a, b)


def _value(text: str | None, key: str) -> Any:
    record = {} if text is None else jsontext.loads(text)
    return record.get(key)


def _with_value(text: str, key: str, value: Any) -> str:
    return jsontext.replaced(text, (key,), jsontext.dumps(value), layout=jsontext.Layout())


def _image_of(key: RecordKey, text: str | None) -> RecordId:
    if key[0] == "images" or text is None:
        return key[1]
    return _value(text, "image_id")
