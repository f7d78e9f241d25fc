"""Merging two versions of a file record by record: what we changed, onto what is on the disk.

A record that only one side changed is taken from that side. A record that both changed is a conflict,
which a person decides; nothing is decided silently. New records of both sides with one id are two
records: ours gets a new id.

An id means what its record says: an image is found by its file name and a category by its name, so that a
program that counted them anew does not move our garments to other images. What cannot be found is a
conflict.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from napari_fashion.coco import Dataset, TableName, jsontext
from napari_fashion.coco.ids import TABLES, RecordId, other_form
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
from napari_fashion.errors import EditError, FashionError

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
    needs
        Images and categories that have to come along where ours is chosen, and are not on the other side.
    """

    key: RecordKey
    base: str | None
    mine: str | None
    theirs: str | None
    reason: str
    needs: dict[RecordKey, str] = field(default_factory=dict)


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
                wanted |= {k: t for k, t in conflict.needs.items() if not self.theirs.has(*k)}
                wanted[conflict.key] = conflict.mine
        self._settle_removed_images(wanted)
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
            image_id = _image_of(self.theirs, key, text if text is not None else now)
            if key[0] == "categories":
                first += changes
            else:
                by_image.setdefault(image_id, []).extend(changes)
        if first:
            image_id = next(iter(by_image), self.theirs.images.ids[0])
            by_image = {image_id: first + by_image.pop(image_id, []), **by_image}
        return [Edit(MERGE, key, tuple(changes)) for key, changes in by_image.items()]

    def _settle_removed_images(self, wanted: dict[RecordKey, str | None]) -> None:
        """With an image go the garments that the other side has on it; one of ours keeps it."""
        of_ours = {
            self.theirs.find_id("images", _value(text, "image_id"))
            for (table, _), text in wanted.items()
            if table == "annotations" and text is not None
        }
        for table, key in [k for k, text in wanted.items() if k[0] == "images" and text is None]:
            if key in of_ours:
                del wanted[table, key]
                continue
            for garment in self.theirs.garments_of(key):
                wanted.setdefault(("annotations", garment.id), None)


@dataclass(frozen=True)
class Known:
    """What our side knows of a record: its text now, and in the file that we began with."""

    now: Callable[[RecordKey], str | None]
    saved: Callable[[RecordKey], str | None]

    def text(self, key: RecordKey) -> str | None:
        """Return the text of a record as our side has it, or had it before it was removed."""
        now = self.now(key)
        return self.saved(key) if now is None else now


def known_to(dataset: Dataset) -> Known:
    """Return what a data set knows of its records."""

    def now(key: RecordKey) -> str | None:
        return dataset.text(*key) if dataset.has(*key) else None

    return Known(now, lambda key: dataset.saved_text(*key))


def unsaved_changes(dataset: Dataset) -> list[RecordChange]:
    """Return what the data set has that its file lacks, record by record."""
    return [
        RecordChange(
            (table, key),
            dataset.saved_text(table, key),
            dataset.text(table, key) if dataset.has(table, key) else None,
        )
        for table, key in dataset.unsaved
    ]


def journal_changes(pending: Pending) -> tuple[list[RecordChange], Known]:
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
    try:
        scratch = Dataset.scratch(Store(("{" + body + "}").encode()))
    except UnicodeEncodeError as error:
        raise EditError(f"{pending.path}: a record that is no UTF-8 ({error}).") from error
    for entry in pending.entries:
        edit = entry.edit.inverse() if entry.do == "undo" else entry.edit
        edit.apply(scratch)
    found = []
    for (table, key), base in pending.was.items():
        mine = scratch.text(table, key) if scratch.has(table, key) else None
        if mine != base:
            found.append(RecordChange((table, key), base, mine))
    return found, known_to(scratch)


def merge(changes: Iterable[RecordChange], theirs: Dataset, ours: Known) -> Merge:
    """Bring our changes to another version of the file."""
    result = Merge(theirs)
    ordered = sorted(changes, key=lambda c: _ORDER[c.key[0]])
    names = _Names(ordered, theirs, ours, result)
    for change in ordered:
        _merge_record(change, result, names)
    for (table, key), text in list(result.wanted.items()):
        if table != "images" or text is not None:
            continue
        gone = {k[1] for k, t in result.wanted.items() if k[0] == "annotations" and t is None}
        left = [g for g in theirs.garments_of(key) if g.id not in gone]
        if left:
            del result.wanted[table, key]
            now = theirs.text(table, key)
            reason = (
                f"removed here; on the disk it has {len(left)} garments, which would go with it"
            )
            result.conflicts.append(Conflict((table, key), now, None, now, reason))
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
        places = {*step.edit.record_keys, *step.uses, ("images", step.edit.image_id)}
        if blocked & places:
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
        self, changes: Sequence[RecordChange], theirs: Dataset, ours: Known, result: Merge
    ) -> None:
        self._theirs = theirs
        self._ours = ours
        self._result = result
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
        """Return the other side's id of an image or category of ours; None where it has none."""
        place = (table, key)
        if place not in self._known:
            found = self._known[place] = self._search(table, key)
            if found is not None and found != key:
                self._result.renumbered[place] = found
        return self._known[place]

    def reserve(self, table: TableName, key: RecordId) -> RecordId:
        """Return the id that a record of ours has if it comes along: its own, where that is free."""
        place = (table, key)
        if place not in self._reserved:
            found = key if not self._theirs.has(table, key) else self.new_id(table)
            self._reserved[place] = found
            if found != key:
                self._result.renumbered[place] = found
        return self._reserved[place]

    def _search(self, table: TableName, key: RecordId) -> RecordId | None:
        field = _NAME_OF[table]
        texts = [t for t in (self._ours.now((table, key)), self._ours.saved((table, key))) if t]
        if not texts:  # our side does not have it either
            return key
        for name in dict.fromkeys(_hashable(_value(text, field)) for text in texts):
            theirs = self._theirs
            if theirs.has(table, key):
                called = _value(theirs.text(table, key), field)
                if _hashable(called) == name:
                    return key
            twin = self._names(table).get(name) if isinstance(name, str) else None
            if twin is not None:
                return twin
        return None

    def _names(self, table: TableName) -> dict[Any, RecordId | None]:
        if table not in self._by_name:
            names: dict[Any, RecordId | None] = {}
            for other in self._theirs.ids(table):
                called = _value(self._theirs.text(table, other), _NAME_OF[table])
                if isinstance(called, str):
                    names[called] = None if called in names else other
            if table == "categories":  # of two of one name, the one that has keypoints
                for called, found in names.items():
                    if found is None:
                        names[called] = self._with_keypoints(called)
            self._by_name[table] = names
        return self._by_name[table]

    def _with_keypoints(self, name: str) -> RecordId | None:
        """Return the other side's only category of a name that has keypoints; None where there is none."""
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
            key = said = _value(text, name)
            if key is None:
                continue
            if self._ours.text((table, key)) is None:  # 1 and "1" are one, where that is clear
                twin = other_form(key)
                if twin is not None and self._ours.text((table, twin)) is not None:
                    key = twin
            found = self.find(table, key)
            place: RecordKey = (table, found if found is not None else self.reserve(table, key))
            ours = self._ours.text((table, key))
            if ours is not None and not self._theirs.has(*place):
                needs[place] = _with_value(ours, "id", place[1])
                if place not in self._result.wanted:
                    reason = (
                        reason or f"its {what} is not on the disk any more, or called otherwise"
                    )
            elif table == "categories":
                text, lost = self._reordered(text, key, place[1])
                reason = reason or lost
            if place[1] != key or (said != key and self._theirs.has(table, said)):
                text = _with_value(text, name, place[1])
        return text, reason, needs

    def _reordered(self, text: str, key: RecordId, found: RecordId) -> tuple[str, str]:
        """Return an annotation with its landmarks as the other side's category has them.

        Also what would be lost by that.
        """
        ours = self._ours.text(("categories", key))
        if ours is None or not self._theirs.has("categories", found):
            return text, ""
        old = _value(ours, "keypoints")
        new = _value(self._theirs.text("categories", found), "keypoints")
        if old == new or not isinstance(old, list) or not isinstance(new, list):
            return text, ""
        place = {_hashable(name): i for i, name in enumerate(old)}
        order = [place.get(_hashable(name)) for name in new]
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
            text = _with_value(text, "num_keypoints", sum(bool(v) for v in seen))
        return text, reason


_REFERENCES: tuple[tuple[str, TableName, str], ...] = (
    ("image_id", "images", "image"),
    ("category_id", "categories", "category"),
)
_PER_LANDMARK: tuple[tuple[tuple[str, ...], int], ...] = (
    (("keypoints",), 3),
    (("keypoint_scores",), 1),
    (("fashion", "keypoint_scores"), 1),
    (("fashion", "keypoint_sources"), 1),
)
"""Lists of an annotation that have so many values for each landmark."""


def _permuted(text: str, order: list[int | None], width: int, n: int) -> str:
    """Return a list of `width` values a landmark in another order; nothing where one is not there."""
    if not text.startswith("["):
        return text
    words = [text[a:b] for a, b in jsontext.elements(text)]
    if len(words) != width * n:
        return text
    nothing = ["0"] * width if width > 1 else ["null"]
    parts = [nothing if i is None else words[width * i : width * (i + 1)] for i in order]
    return "[" + ", ".join(word for part in parts for word in part) + "]"


def _merge_record(change: RecordChange, result: Merge, names: _Names) -> None:
    table, key = change.key
    theirs = result.theirs
    base, mine, reason = change.base, change.mine, ""
    needs: dict[RecordKey, str] = {}
    place: RecordId = key
    if table == "annotations":
        base = names.translated(base)[0]
        mine, reason, needs = names.translated(mine)
    else:
        found = names.find(table, key)
        if found is not None and (base is not None or theirs.has(table, found)):
            place = found
        else:
            place = names.reserve(table, key)
            if base is not None and place != key:
                reason = "it is not on the disk any more, or called otherwise"
        if place != key:
            base, mine = (None if t is None else _with_value(t, "id", place) for t in (base, mine))
    now = theirs.text(table, place) if theirs.has(table, place) else None
    if _equal(now, mine):
        return
    if reason:
        pass
    elif base is None:
        if mine is None:
            return
        if now is not None and table != "annotations":
            reason = "added here and on the disk"
        elif now is not None:  # both sides have a new garment of this id
            place = names.new_id(table)
            result.renumbered[change.key] = place
            mine = _with_value(mine, "id", place)
    elif not _equal(now, base):
        reason = "changed here and on the disk"
        if now is None:
            reason = "changed here, removed on the disk"
        elif mine is None:
            reason = "removed here, changed on the disk"
    if reason:
        result.conflicts.append(Conflict((table, place), base, mine, now, reason, needs))
    else:
        result.wanted[table, place] = mine


def _hashable(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, type(None))) else repr(value)


def _equal(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return a is b
    return jsontext.same_content(a, b)


def _value(text: str | None, key: str) -> Any:
    record = {} if text is None else jsontext.loads(text)
    return record.get(key)


def _with_value(text: str, key: str, value: Any) -> str:
    return jsontext.replaced(text, (key,), jsontext.dumps(value), layout=jsontext.Layout())


def _image_of(dataset: Dataset, key: RecordKey, text: str | None) -> RecordId:
    if key[0] == "images" or text is None:
        return key[1]
    said = _value(text, "image_id")
    found = dataset.find_id("images", said)
    return said if found is None else found
