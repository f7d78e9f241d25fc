"""Merging two versions of a file record by record: what we changed, onto what is on the disk.

A record that only one side changed is taken from that side. A record that both changed is a conflict,
which a person decides; nothing is decided silently. New records of both sides with one id are two
records: ours gets a new id.

An id stands for its record: an image is found by its file name and a category by its name, so that a
program that renumbered them does not move our garments to other images. What cannot be found is a
conflict.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from napari_fashion.coco import Dataset, jsontext
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.edits import (
    Change,
    Edit,
    InsertRecord,
    RecordKey,
    RemoveRecord,
    require_an_image,
)
from napari_fashion.editing.history import Step
from napari_fashion.editing.matching import Names
from napari_fashion.editing.record_changes import Known, RecordChange, value_of, with_value
from napari_fashion.errors import FashionError

_log = logging.getLogger(__name__)

Side = Literal["mine", "theirs"]
MERGE = "Merge your changes"
"""Label of the edits that bring our changes into the other version."""


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
        """Return the edits that bring our side into `theirs` as it is now, one per image.

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
            self.theirs.find_id("images", value_of(text, "image_id"))
            for (table, _), text in wanted.items()
            if table == "annotations" and text is not None
        }
        for table, key in [k for k, text in wanted.items() if k[0] == "images" and text is None]:
            if key in of_ours:
                del wanted[table, key]
                continue
            for garment in self.theirs.garments_of(key):
                wanted.setdefault(("annotations", garment.id), None)


def merge(changes: Iterable[RecordChange], theirs: Dataset, ours: Known) -> Merge:
    """Bring our changes to another version of the file."""
    result = Merge(theirs)
    ordered = sorted(changes, key=lambda c: _ORDER[c.key[0]])
    names = Names(ordered, theirs, ours, result.wanted, result.renumbered)
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
    _log.info(
        "%s: %d changes merged, %d conflicts",
        theirs.path, len(result.wanted), len(result.conflicts),
    )  # fmt: skip
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


def _merge_record(change: RecordChange, result: Merge, names: Names) -> None:
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
            base, mine = (None if t is None else with_value(t, "id", place) for t in (base, mine))
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
            mine = with_value(mine, "id", place)
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


def _equal(a: str | None, b: str | None) -> bool:
    if a is None or b is None:
        return a is b
    return jsontext.same_content(a, b)


def _image_of(dataset: Dataset, key: RecordKey, text: str | None) -> RecordId:
    if key[0] == "images" or text is None:
        return key[1]
    reference = value_of(text, "image_id")
    found = dataset.find_id("images", reference)
    return reference if found is None else found
