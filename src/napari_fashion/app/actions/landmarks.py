"""Actions on landmarks: select, visibility, move, delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from napari_fashion.app.actions.base import told
from napari_fashion.app.actions.choices import unsure_landmarks
from napari_fashion.app.actions.garments import GarmentActions
from napari_fashion.app.session import Session
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing import operations, whole_garments
from napari_fashion.editing.edits import joined
from napari_fashion.errors import FashionError

Place = tuple[RecordId, int]
"""A garment and a landmark of it."""


class LandmarkActions(GarmentActions):
    """Select landmarks, and change those that are selected."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.under_pointer: Callable[[], Place | None] = lambda: None
        """The landmark onto which the pointer came since the last selection; the layers say which."""

    def _targets(self) -> tuple[RecordId, list[int]] | None:
        """Return what keys act on: what was pointed at or selected last.

        A landmark under the pointer counts if the pointer came there after the last selection; if it is
        one of those that are selected, all of them do.
        """
        editor = self._editor
        assert editor is not None
        selection = editor.selection
        place = self.under_pointer()
        chosen = selection.garment_id is not None and bool(selection.landmarks)
        if place is not None and not (
            place[0] == selection.garment_id and place[1] in selection.landmarks
        ):
            return place[0], [place[1]]
        return (selection.garment_id, sorted(selection.landmarks)) if chosen else None

    @told
    def set_visibility(self, visibility: int) -> None:
        """Set the visibility of the selected landmarks; 0 makes them absent.

        It is that of the landmark under the pointer if the pointer came there after the last selection. A
        single one that is not placed yet is placed by the next click.
        """
        if not (editor := self._editor):
            return
        targets = self._targets()
        if targets is None:
            raise FashionError(
                "Select a landmark first: click it, or go through them with E and W."
            )
        garment_id, landmarks = targets
        seen = editor.dataset.garment(garment_id).visibility
        if visibility and len(landmarks) == 1 and not seen[landmarks[0]]:
            editor.select(garment_id, landmarks[0])
            self.set_placing(True)
            return
        if visibility:
            landmarks = [k for k in landmarks if seen[k]]
        edit = operations.set_visibility(editor.dataset, garment_id, landmarks, visibility)
        editor.apply(edit)

    def delete_landmark(self) -> None:
        """Make the selected landmarks absent."""
        self.set_visibility(0)

    @told
    def move_landmarks(self, places: dict[Place, operations.XY]) -> None:
        """Move landmarks, named by garment and landmark, to xy pixels: one step of undo."""
        if editor := self._editor:
            by_garment: dict[RecordId, dict[int, operations.XY]] = {}
            for (garment_id, landmark), xy in places.items():
                by_garment.setdefault(garment_id, {})[landmark] = xy
            edits = [
                operations.move_landmarks(editor.dataset, garment_id, moved)
                for garment_id, moved in by_garment.items()
            ]
            editor.apply(joined(f"Move {len(places)} landmarks", edits))

    @told
    def move_pair(self, place: Place, xy: operations.XY) -> None:
        """Move a landmark to xy pixels, and its twin of the other side as the mirror image of that."""
        if editor := self._editor:
            self._require_fit()
            editor.apply(whole_garments.move_pair(editor.dataset, *place, xy))

    @told
    def delete_landmarks(self, landmarks: list[Place]) -> None:
        """Delete landmarks, named by garment and landmark: one step of undo."""
        if editor := self._editor:
            by_garment: dict[RecordId, list[int]] = {}
            for garment_id, landmark in landmarks:
                by_garment.setdefault(garment_id, []).append(landmark)
            edits = [
                operations.delete_landmarks(editor.dataset, garment_id, gone)
                for garment_id, gone in by_garment.items()
            ]
            editor.apply(joined(f"Delete {len(landmarks)} landmarks", edits))

    @told
    def nudge(self, dx: float, dy: float) -> None:
        """Move the selected landmarks by pixels."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            chosen = sorted(k for k in editor.selection.landmarks if garment.visibility[k])
            if chosen:
                self._require_fit()
                moved = garment.xy[chosen] + np.array([dx, dy])
                places = cast(
                    "dict[int, operations.XY]",
                    dict(zip(chosen, map(tuple, moved.tolist()), strict=True)),
                )
                edit = operations.move_landmarks(editor.dataset, garment.id, places)
                editor.apply(edit, nudge=True)

    # -- which are selected ----------------------------------------------------------------

    def select_all(self) -> None:
        """Select every placed landmark of the selected garment."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            placed = np.flatnonzero(garment.visibility).tolist()
            editor.select(garment.id, editor.selection.landmark, placed)

    def step_landmark(self, by: int) -> None:
        """Select the next or previous landmark of the garment, placed or not."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            members = self.members(garment)
            if not members:
                return
            here = editor.selection.landmark
            if here in members:
                place = (members.index(here) + by) % len(members)
            else:
                place = 0 if by > 0 else len(members) - 1
            editor.select(garment.id, members[place])

    def next_landmark(self) -> None:
        """Select the next landmark."""
        self.step_landmark(1)

    def previous_landmark(self) -> None:
        """Select the previous landmark."""
        self.step_landmark(-1)

    def next_unsure(self) -> None:
        """Select the next unsure landmark of the image, of whichever garment."""
        if not (editor := self._editor):
            return
        unsure = [(g.id, k) for g in editor.garments for k in unsure_landmarks(g)]
        if not unsure:
            self.session.notify("No landmark of this image is unsure.")
            return
        order = {garment.id: i for i, garment in enumerate(editor.garments)}
        selection = editor.selection
        here = (order.get(selection.garment_id, -1), -1)
        if selection.landmark is not None:
            here = (here[0], selection.landmark)
        later = [place for place in unsure if (order[place[0]], place[1]) > here]
        editor.select(*(later or unsure)[0])
