"""What was done and can be undone: one list in which every picture has its own undo. No Qt.

Edits of different pictures touch different records, so they may change places in the list. Two
things stand between them: places in a table shift when records come and go, and one edit may use
a category that another one added. The first is worked out here, by the rule that two neighbours
changed for their swapped order make the same document; the second keeps them in order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from napari_fashion.app.edits import Edit, InsertRecord, Primitive, RecordId, SetValue


@dataclass(frozen=True)
class Step:
    """An edit and the number it keeps, wherever in the list it goes."""

    edit: Edit
    number: int


class History:
    """The edits made and those taken back; what applies them to a document is the editor."""

    def __init__(self) -> None:
        self.done: list[Step] = []
        """Oldest first; made in this order, they make the document."""
        self.undone: list[Step] = []
        """The one to be made again first comes first."""
        self._count = 0
        self._per_image: Counter[RecordId] = Counter()  # of `done`
        self._unsaved = set[int]()  # steps made or taken back since the last save

    def add(self, edit: Edit) -> None:
        """Remember an edit that was made; what was taken back on its picture is forgotten."""
        self.undone = _after(edit, _without_image(self.undone, edit.image_id))
        self._count += 1
        self._made(Step(edit, self._count))

    def merge(self, edit: Edit) -> bool:
        """Make an edit part of the latest one of its picture where both set the same values."""
        index = self._latest(edit.image_id)
        if index is None or self.done[index].number not in self._unsaved:
            return False
        merged = self.done[index].edit.merged_with(edit)
        if merged is None:  # so it sets values and no more: its place does not matter
            return False
        self.done[index] = replace(self.done[index], edit=merged)
        self.undone = _after(edit, _without_image(self.undone, edit.image_id))
        return True

    def to_undo(self, image_id: RecordId) -> Edit | None:
        """Return what to take back: the picture's latest edit, else the latest of all.

        It is as it has to be taken back now: as though it were the last one made.
        """
        index = self._latest(image_id)
        return None if index is None else _as_last(self.done, index)[-1].edit

    def to_redo(self, image_id: RecordId) -> Edit | None:
        """Return what to make again: the picture's, else whichever was taken back last."""
        index = self._next(image_id)
        return None if index is None else _as_first(self.undone, index)[0].edit

    def undo_label(self, image_id: RecordId) -> str:
        """Return the label of `to_undo`; empty where nothing."""
        index = self._latest(image_id)
        return "" if index is None else self.done[index].edit.label

    def redo_label(self, image_id: RecordId) -> str:
        """Return the label of `to_redo`; empty where nothing."""
        index = self._next(image_id)
        return "" if index is None else self.undone[index].edit.label

    def undo(self, image_id: RecordId) -> None:
        """Remember that `to_undo` was taken back."""
        index = self._latest(image_id)
        assert index is not None
        self.done = _as_last(self.done, index)
        step = self.done.pop()
        self.undone.insert(0, step)
        self._per_image[step.edit.image_id] -= 1
        self._unsaved ^= {step.number}

    def redo(self, image_id: RecordId) -> None:
        """Remember that `to_redo` was made again."""
        index = self._next(image_id)
        assert index is not None
        self.undone = _as_first(self.undone, index)
        self._made(self.undone.pop(0))

    @property
    def saved(self) -> bool:
        """Whether the edits made are those that were made at the last save."""
        return not self._unsaved

    def save(self) -> None:
        """Remember that all was saved."""
        self._unsaved.clear()

    def _made(self, step: Step) -> None:
        self.done.append(step)
        self._per_image[step.edit.image_id] += 1
        self._unsaved ^= {step.number}

    def _latest(self, image_id: RecordId) -> int | None:
        """Return the place in `done` of what to take back."""
        last = len(self.done) - 1
        if self._per_image[image_id]:
            index = last
            while self.done[index].edit.image_id != image_id:
                index -= 1
            edit = self.done[index].edit
            if not any(_bound(edit, later.edit) for later in self.done[index + 1 :]):
                return index
        return last if self.done else None

    def _next(self, image_id: RecordId) -> int | None:
        """Return the place in `undone` of what to make again."""
        for index, step in enumerate(self.undone):
            if step.edit.image_id == image_id:
                if not any(_bound(sooner.edit, step.edit) for sooner in self.undone[:index]):
                    return index
                break
        return 0 if self.undone else None


def _as_last(steps: Sequence[Step], index: int) -> list[Step]:
    """Return steps that make the same, the one at `index` as the last one."""
    step, later = steps[index], list(steps[index + 1 :])
    for i, other in enumerate(later):
        later[i], step = _swapped(step, other)
    return [*steps[:index], *later, step]


def _as_first(steps: Sequence[Step], index: int) -> list[Step]:
    """Return steps that make the same, the one at `index` as the first one."""
    step, sooner = steps[index], list(steps[:index])
    for i in reversed(range(len(sooner))):
        step, sooner[i] = _swapped(sooner[i], step)
    return [step, *sooner, *steps[index + 1 :]]


def _without_image(steps: Sequence[Step], image_id: RecordId) -> list[Step]:
    """Return steps without those of a picture, and without what needs them."""
    kept = list(steps)
    for index in reversed(range(len(kept))):
        if kept[index].edit.image_id != image_id:
            continue
        later = kept[index + 1 :]
        free = [not _bound(kept[index].edit, other.edit) for other in later]
        later = later[: [*free, False].index(False)]
        kept = _as_last([*kept[: index + 1], *later], index)[:-1]
    return kept


def _after(edit: Edit, steps: Sequence[Step]) -> list[Step]:
    """Return steps that could be made before an edit as they can be made after it."""
    kept = []
    for step in steps:
        if _bound(step.edit, edit):
            break  # and what would follow may need it
        edit, back = _swapped_edits(step.edit.inverse(), edit)
        kept.append(replace(step, edit=back.inverse()))
    return kept


def _bound(first: Edit, second: Edit) -> bool:
    """Return whether two edits of different pictures have to stay in order.

    So it is where the first one adds a category that the second one uses, or adds as well.
    """
    added = [
        change.record
        for change in first.changes
        if change.table == "categories" and isinstance(change, InsertRecord)
    ]
    if not added:
        return False
    ids = [record["id"] for record in added]
    names = [record.get("name") for record in added]
    for change in second.changes:
        if isinstance(change, SetValue):
            if change.path == ("category_id",) and (change.before in ids or change.after in ids):
                return True
        elif change.table == "categories":
            if change.record["id"] in ids or change.record.get("name") in names:
                return True
        elif change.record.get("category_id") in ids:
            return True
    return False


def _swapped(first: Step, second: Step) -> tuple[Step, Step]:
    edit_of_second, edit_of_first = _swapped_edits(first.edit, second.edit)
    return replace(second, edit=edit_of_second), replace(first, edit=edit_of_first)


def _swapped_edits(first: Edit, second: Edit) -> tuple[Edit, Edit]:
    """Return the second edit and then the first one, making together what they made."""
    if not (_moves_records(first) and _moves_records(second)):
        return second, first
    of_first = list(first.changes)
    of_second: list[Primitive] = []
    for change in second.changes:
        for i in reversed(range(len(of_first))):
            change, of_first[i] = _swapped_changes(of_first[i], change)
        of_second.append(change)
    return replace(second, changes=tuple(of_second)), replace(first, changes=tuple(of_first))


def _swapped_changes(first: Primitive, second: Primitive) -> tuple[Primitive, Primitive]:
    if isinstance(first, SetValue) or isinstance(second, SetValue) or first.table != second.table:
        return second, first
    i, j = first.index, second.index
    first_inserts = isinstance(first, InsertRecord)
    by_second = 1 if isinstance(second, InsertRecord) else -1
    before = j < i or (j == i and first_inserts)  # the second one's place is before the first's
    if before:
        return second, replace(first, index=i + by_second)
    return replace(second, index=j - 1 if first_inserts else j + 1), first


def _moves_records(edit: Edit) -> bool:
    return any(not isinstance(change, SetValue) for change in edit.changes)
