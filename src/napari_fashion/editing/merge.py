"""Merging two versions of a file record by record: what we changed, onto what is on the disk.

A record that only one side changed is taken from that side. A record that both changed is a conflict,
which a person decides; nothing is decided silently. New records of both sides with one id are two
records: ours gets a new id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_fashion.coco import Dataset, jsontext
from napari_fashion.coco.store import TABLES, RecordId, Store
from napari_fashion.editing.edits import Change, Edit, InsertRecord, RecordKey, RemoveRecord
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
        New records of ours whose id the other side has given to another one, with their new id.
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
        order = {"categories": 0, "images": 1, "annotations": 2}
        for key in sorted(wanted, key=lambda k: order[k[0]]):
            text = wanted[key]
            now = self.theirs.text(*key) if self.theirs.has(*key) else None
            if text == now:
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


def journal_changes(pending: Pending) -> list[RecordChange]:
    """Return what a journal changes record by record, from the journal alone.

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
    store = Store(("{" + body + "}").encode())
    scratch = Dataset.scratch(store)
    for entry in pending.entries:
        edit = entry.edit.inverse() if entry.do == "undo" else entry.edit
        edit.apply(scratch)
    found = []
    for (table, key), base in pending.was.items():
        mine = scratch.text(table, key) if scratch.has(table, key) else None
        if mine != base:
            found.append(RecordChange((table, key), base, mine))
    return found


def merge(changes: Iterable[RecordChange], theirs: Dataset) -> Merge:
    """Bring our changes to another version of the file."""
    result = Merge(theirs)
    changes = list(changes)
    categories = _match_categories(changes, result)
    taken = {table: theirs.next_id(table) for table in TABLES}
    for change in changes:
        if change.key in result.renumbered or (
            change.key[0] == "categories" and change.base is None
        ):
            continue
        _merge_record(_recategorised(change, categories), result, taken)
    return result


def replay_steps(steps: Sequence[Step], merged: Merge) -> list[Edit]:
    """Apply the edits of a history that still fit the other version; return them in order.

    Edits of records that are in conflict or got another id are left out, and so is what cannot be
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
            step.edit.apply(merged.theirs)
        except FashionError:
            continue
        kept.append(step.edit)
    return kept


def _merge_record(change: RecordChange, result: Merge, taken: dict[Any, int]) -> None:
    table, key = change.key
    theirs = result.theirs
    now = theirs.text(table, key) if theirs.has(table, key) else None
    base, mine = change.base, change.mine
    if base is None:
        if mine is None or _equal(now, mine):
            return
        if now is not None:  # both sides have a new record of this id
            new = taken[table]
            taken[table] += 1
            result.renumbered[change.key] = new
            result.wanted[table, new] = jsontext.replaced(
                mine, ("id",), str(new), layout=theirs.store.layout(table)
            )
            return
        if table == "annotations" and not theirs.has("images", _value(mine, "image_id")):
            result.conflicts.append(
                Conflict(change.key, base, mine, now, "its image was removed on the disk")
            )
            return
        result.wanted[change.key] = mine
        return
    if _equal(now, base):
        result.wanted[change.key] = mine
    elif not _equal(now, mine):
        reason = "changed here and on the disk"
        if now is None:
            reason = "changed here, removed on the disk"
        elif mine is None:
            reason = "removed here, changed on the disk"
        result.conflicts.append(Conflict(change.key, base, mine, now, reason))


def _match_categories(changes: list[RecordChange], result: Merge) -> dict[RecordId, RecordId]:
    """Find the other side's ids of categories that we added; return where ours go."""
    theirs, moved = result.theirs, {}
    by_name = {theirs.category_name(key): key for key in theirs.store.ids("categories")}
    new_id = theirs.next_id("categories")
    for change in changes:
        table, key = change.key
        if table != "categories" or change.base is not None or change.mine is None:
            continue
        twin = by_name.get(str(_value(change.mine, "name")))
        if twin is not None:
            if twin != key:
                moved[key] = twin
                result.renumbered[change.key] = twin
        elif theirs.has("categories", key):
            moved[key] = result.renumbered[change.key] = new_id
            result.wanted["categories", new_id] = jsontext.replaced(
                change.mine, ("id",), str(new_id), layout=theirs.store.layout("categories")
            )
            new_id += 1
        else:
            result.wanted[change.key] = change.mine
    return moved


def _recategorised(change: RecordChange, moved: Mapping[RecordId, RecordId]) -> RecordChange:
    if change.key[0] != "annotations" or change.mine is None or not moved:
        return change
    category_id = _value(change.mine, "category_id")
    if category_id not in moved:
        return change
    text = jsontext.dumps(moved[category_id])
    mine = jsontext.replaced(change.mine, ("category_id",), text, layout=jsontext.Layout())
    return RecordChange(change.key, change.base, mine)


def _equal(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return a is b
    return jsontext.same_content(a, b)


def _value(text: str, key: str) -> Any:
    return jsontext.loads(text).get(key)


def _image_of(key: RecordKey, text: str | None) -> RecordId:
    if key[0] == "images" or text is None:
        return key[1]
    return _value(text, "image_id")
