"""Placing landmarks by clicks, and garments that were added and got none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.app.actions import choices
from napari_fashion.app.actions.base import ActionsBase, told
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_data import title
from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Applied, Editor
from napari_fashion.editing.viewing import Selection
from napari_fashion.errors import FashionError

NO_GARMENT = "There is no garment to place landmarks of. Add one first (O)."


class PlacingActions(ActionsBase):
    """Put the missing landmarks of a garment on the image, one click each."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._followed: Editor | None = None
        self._placing_of: RecordId | None = None
        self._placed: NDArray[np.int64] = np.empty(0, np.int64)
        self._added: set[RecordId] = set()
        session.opened.connect(self._on_opened)
        self._on_opened(session.editor)

    def toggle_placing(self) -> None:
        """Start or stop placing landmarks by clicks."""
        self.set_placing(not self.session.view.placing)

    @told
    def set_placing(self, placing: bool) -> None:
        """Start placing the selected landmark, or the first missing one, by clicks; or stop."""
        view = self.session.view
        if not placing or not (editor := self._editor):
            view.placing = False
            return
        if self.session.mismatch is not None:
            view.placing = False
            self._require_fit()
        garment = editor.selected_garment
        if garment is None:
            view.placing = False
            raise FashionError(NO_GARMENT)
        here = editor.selection.landmark
        if here is None or garment.visibility[here]:
            missing = self.missing(garment)
            if here is None and not missing:
                view.placing = False
                raise FashionError(
                    "Every landmark of this garment is placed. Drag one to move it, or select one "
                    "to place it again."
                )
            if missing:
                editor.select(garment.id, missing[0])
        self._placing_of = garment.id
        self._placed = garment.visibility
        view.boxing = False
        view.placing = True
        self._say_which()

    @told
    def place(self, xy: operations.XY) -> None:
        """Put the selected landmark at xy pixels and go on to the next missing one."""
        if not (editor := self._editor):
            return
        self._require_inside(xy)
        garment = editor.selected_garment
        if garment is None:
            raise FashionError(NO_GARMENT)
        landmark = editor.selection.landmark
        missing = self.missing(garment)
        if landmark is None:
            if not missing:
                raise FashionError("Select the landmark to place in the list first.")
            landmark = missing[0]
        editor.apply(operations.place_landmark(editor.dataset, garment.id, landmark, xy))
        self._go_on(editor, garment, landmark)

    def _go_on(self, editor: Editor, garment: Garment, landmark: int) -> None:
        """Select the next missing landmark after one; without any, placing is done."""
        left = self.missing(garment)
        later = [k for k in left if k > landmark] or left
        editor.select(garment.id, later[0] if later else landmark)
        if later:
            self._say_which()
        else:
            self.session.view.placing = False
            self.session.notify("Every landmark of this garment is placed.")

    def _require_inside(self, xy: operations.XY) -> None:
        size = self.session.image_size
        if size is None:
            return
        width, height = size
        if not (-0.5 <= xy[0] <= width - 0.5 and -0.5 <= xy[1] <= height - 0.5):
            raise FashionError(
                f"The click at {xy[0]:.0f}, {xy[1]:.0f} lies outside the image of {width} x {height} "
                "pixels; landmarks are placed on the image."
            )

    def members(self, garment: Garment) -> list[int]:
        """Return the landmarks that a garment can have (`choices.members`)."""
        assert self.session.schema is not None
        return choices.members(garment, self.session.schema)

    def missing(self, garment: Garment) -> list[int]:
        """Return the landmarks that a garment has not yet (`choices.missing`)."""
        assert self.session.schema is not None
        return choices.missing(garment, self.session.schema)

    def _say_which(self) -> None:
        if (editor := self._editor) and editor.selection.landmark is not None:
            name = title(editor.dataset.schema, editor.selection.landmark)
            self.session.notify(f"Click on the image to place: {name}.")

    # -- following the editor --------------------------------------------------------------

    def _on_opened(self, editor: Editor | None) -> None:
        if self._followed is not None:
            self._followed.selection_changed.disconnect(self._on_selection)
            self._followed.changed.disconnect(self._on_changed)
            self._followed.image_changed.disconnect(self._on_image)
        self._followed = editor
        self._added.clear()
        if editor is not None:
            editor.selection_changed.connect(self._on_selection)
            editor.changed.connect(self._on_changed)
            editor.image_changed.connect(self._on_image)

    def _on_selection(self, selection: Selection) -> None:
        """Stop placing where another garment came to be selected: clicks were not meant for it."""
        if self.session.view.placing and selection.garment_id != self._placing_of:
            self.session.view.placing = False

    def _on_changed(self, applied: Applied) -> None:
        """After an undo, place the landmark that was taken back; after a redo, the one after it."""
        editor = self._editor
        if not self.session.view.placing or editor is None:
            return
        garment = editor.selected_garment
        if garment is None or garment.id != self._placing_of:
            return
        before, now = self._placed, garment.visibility
        self._placed = now
        gone = np.flatnonzero((before > 0) & (now == 0)).tolist()
        come = np.flatnonzero((before == 0) & (now > 0)).tolist()
        if applied.do == "undo" and gone:
            editor.select(garment.id, gone[0])
            self._say_which()
        elif applied.do == "redo" and come:
            self._go_on(editor, garment, come[-1])

    def _on_image(self, _: Any) -> None:
        self.drop_empty()

    @told
    def drop_empty(self) -> None:
        """Take back the adding of garments that were left without a landmark."""
        editor = self._editor
        if editor is None:
            return
        for garment_id in list(self._added):
            if not editor.dataset.has("annotations", garment_id):
                continue  # undone; a redo brings it back
            garment = editor.dataset.garment(garment_id)
            if garment.image_id == editor.image_id:
                continue
            self._added.discard(garment_id)
            if not garment.visibility.any():
                editor.take_garment_back(garment_id)
