"""What was done and can be undone: one list in which every image has its own undo.

Edits name their records by id, so two that touch different records can change places. The
latest edit of an image can therefore be taken back before later ones of other images, unless one of
those touches the same record or uses a category that this one added. All questions are answered in
constant time: predicting a large data set makes an edit for each of its images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import cached_property

from napari_fashion.coco import jsontext
from napari_fashion.coco.ids import RecordId, other_form
from napari_fashion.editing.edits import Edit, SetValue

_NAMES = {"image_id": "images", "category_id": "categories"}
"""What a garment's record names, and in which table that is."""


@dataclass(frozen=True, eq=False)
class Step:
    """An edit and the number it keeps, wherever in the list it goes."""

    edit: Edit
    number: int

    @cached_property
    def touches(self) -> frozenset[Hashable]:
        """What it changes: records, the names of categories that come or go, the list of images."""
        keys: set[Hashable] = set(self.edit.record_keys)
        for change in self.edit.changes:
            if isinstance(change, SetValue):
                continue
            if change.table == "categories":
                keys.add(("category named", str(jsontext.loads(change.record).get("name"))))
            elif change.table == "images":
                keys.add("images come and go in order")  # so that one is always left
        return frozenset(keys)

    @cached_property
    def uses(self) -> frozenset[Hashable]:
        """The categories and images that its garments have before or after it."""
        keys: set[tuple[str, RecordId]] = set()
        for change in self.edit.changes:
            if change.table != "annotations":
                continue
            if not isinstance(change, SetValue):
                record = jsontext.loads(change.record)
                keys |= {(table, record.get(key)) for key, table in _NAMES.items()}
            elif change.path[0] in _NAMES:
                table = _NAMES[str(change.path[0])]
                texts = (t for t in (change.before, change.after) if t is not None)
                keys |= {(table, jsontext.loads(t)) for t in texts}
        # A number in text may name the record whose id is the number.
        keys |= {(table, other_form(key)) for table, key in keys if isinstance(key, str)}
        return frozenset(keys)

    def needs_order(self, other: Step) -> bool:
        """Whether the two have to stay in the order in which they were made."""
        return bool(
            self.touches & other.touches or self.touches & other.uses or self.uses & other.touches
        )


class History:
    """The edits made and those taken back; what applies them to a data set is the editor."""

    def __init__(self) -> None:
        self._done: dict[int, Step] = {}  # oldest first; made in this order, they make the data set
        self.undone: list[Step] = []
        """Those taken back; the one to be made again first comes first."""
        self.count = 0
        """The number of the latest new step."""
        self._made_at: dict[int, int] = {}
        self._clock = 0
        # The steps done by image, and by what they touch and use; in the order in which they were made.
        self._of_image: defaultdict[RecordId, dict[int, None]] = defaultdict(dict)
        self._touching: defaultdict[Hashable, dict[int, None]] = defaultdict(dict)
        self._using: defaultdict[Hashable, dict[int, None]] = defaultdict(dict)
        self._undone_of: Counter[RecordId] = Counter()
        self._merging = False
        self._led_to: dict[RecordId, int] = {}

    @property
    def done(self) -> list[Step]:
        """The edits made and not taken back, oldest first."""
        return list(self._done.values())

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._done)

    def add(self, edit: Edit) -> Step:
        """Remember an edit that was made; what was taken back and could clash is forgotten."""
        self.count += 1
        step = Step(edit, self.count)
        self._forget(step)
        self._make(step)
        self._merging = True
        return step

    def can_merge(self, edit: Edit) -> bool:
        """Whether the latest edit of its image sets the same values, and no save came between."""
        step = self._own_to_undo(edit.image_id)
        return self._merging and step is not None and step.edit.merged_with(edit) is not None

    def merge(self, edit: Edit) -> Step:
        """Make an edit part of the latest one of its image (`can_merge`)."""
        step = self._own_to_undo(edit.image_id)
        assert step is not None
        merged = step.edit.merged_with(edit)
        assert merged is not None
        step = self._done[step.number] = replace(step, edit=merged)
        self._forget(step)
        return step

    def saved(self) -> None:
        """Note a save: what comes next is a step of its own."""
        self._merging = False

    def lead_to(self, image_id: RecordId) -> None:
        """Let the latest step, of another image, count as one of this image, which it led to."""
        self._led_to[image_id] = self.count

    def to_undo(self, image_id: RecordId) -> Step | None:
        """Return what to take back: the image's latest edit, or what led to it; else the latest of all."""
        own = self._own_to_undo(image_id)
        led_here = self._done.get(self._led_to.get(image_id, 0))
        if led_here is None or (
            own is not None and own.edit.image_id == image_id and own.number > led_here.number
        ):
            return own
        return led_here if self._is_free(led_here) else own

    def _own_to_undo(self, image_id: RecordId) -> Step | None:
        if not self._done:
            return None
        if numbers := self._of_image.get(image_id):
            step = self._done[next(reversed(numbers))]
            if self._is_free(step):
                return step
        return self._done[next(reversed(self._done))]

    def to_redo(self, image_id: RecordId) -> Step | None:
        """Return what to make again: the image's, else whichever was taken back last."""
        if self._undone_of[image_id]:
            sooner: list[Step] = []
            for step in self.undone:
                if step.edit.image_id == image_id:
                    if not any(other.needs_order(step) for other in sooner):
                        return step
                    break
                sooner.append(step)
        return self.undone[0] if self.undone else None

    def undo(self, step: Step) -> None:
        """Remember that a step was taken back."""
        del self._done[step.number]
        self._of_image[step.edit.image_id].pop(step.number)
        for keys, index in ((step.touches, self._touching), (step.uses, self._using)):
            for key in keys:
                index[key].pop(step.number)
        self.undone.insert(0, step)
        self._undone_of[step.edit.image_id] += 1

    def steps_of_garment(self, garment_id: RecordId) -> list[Step]:
        """Return the steps that touch one garment alone and can be taken back in turn, latest first."""
        key = ("annotations", garment_id)
        found: list[Step] = []
        gone: set[int] = set()
        for step in reversed(self._done.values()):
            keys = step.edit.record_keys
            if key not in keys:
                continue
            if any(table != "categories" and (table, i) != key for table, i in keys):
                break
            if any(
                other.number not in gone and other is not step and other.needs_order(step)
                for other in self._done.values()
                if self._made_at[other.number] > self._made_at[step.number]
            ):
                break
            found.append(step)
            gone.add(step.number)
        return found

    def forget_undone(self, step: Step) -> None:
        """Forget a step that was taken back."""
        self.undone = [other for other in self.undone if other is not step]
        self._undone_of[step.edit.image_id] -= 1

    def redo(self, step: Step) -> None:
        """Remember that a step was made again."""
        self.undone = [other for other in self.undone if other is not step]
        self._undone_of[step.edit.image_id] -= 1
        self._make(step)

    def adopt(self, edit: Edit, number: int) -> Step:
        """Take an edit as done that an earlier history had under this number."""
        step = Step(edit, number)
        self.count = max(self.count, number)
        self._make(step)
        return step

    def find_done(self, number: int) -> Step | None:
        """Return a step that is done, by its number."""
        return self._done.get(number)

    def find_undone(self, number: int) -> Step | None:
        """Return a step that was taken back, by its number."""
        return next((step for step in self.undone if step.number == number), None)

    def _make(self, step: Step) -> None:
        self._clock += 1
        self._made_at[step.number] = self._clock
        self._done[step.number] = step
        self._of_image[step.edit.image_id][step.number] = None
        for keys, index in ((step.touches, self._touching), (step.uses, self._using)):
            for key in keys:
                index[key][step.number] = None

    def _is_free(self, step: Step) -> bool:
        """Whether a step that is done could as well have been made last."""
        at = self._made_at[step.number]

        def later(index: defaultdict[Hashable, dict[int, None]], key: Hashable) -> bool:
            numbers = index.get(key)
            return numbers is not None and self._is_last_after(numbers, at)

        return not (
            any(later(self._touching, key) or later(self._using, key) for key in step.touches)
            or any(later(self._touching, key) for key in step.uses)
        )

    def _is_last_after(self, numbers: dict[int, None], at: int) -> bool:
        return bool(numbers) and self._made_at[next(reversed(numbers))] > at

    def _forget(self, made: Step) -> None:
        """Forget what can't be made again after a step: its image's, and what needs those."""
        gone = [made]
        kept = []
        for step in self.undone:
            if step.edit.image_id == made.edit.image_id or any(s.needs_order(step) for s in gone):
                gone.append(step)
                self._undone_of[step.edit.image_id] -= 1
            else:
                kept.append(step)
        self.undone = kept
