"""Actions on whole garments."""

from __future__ import annotations

from collections.abc import Callable

from psygnal import Signal

from napari_fashion.app.actions.base import told
from napari_fashion.app.actions.choices import category_candidates
from napari_fashion.app.actions.placing import PlacingActions
from napari_fashion.app.session import Session
from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing import operations, whole_garments
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import Edit
from napari_fashion.editing.whole_garments import Copied
from napari_fashion.errors import FashionError

Box = tuple[float, float, float, float]


class GarmentActions(PlacingActions):
    """Add, choose, change, copy and delete garments."""

    category_asked = Signal()
    """The category shall be chosen."""
    box_asked = Signal(tuple)
    """The garment inside a box x0, y0, x1, y1, pixels, shall be predicted."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._copied: Copied | None = None

    @told
    def add_garment(self) -> None:
        """Add a garment with the category of the selected one, and start placing its landmarks."""
        if editor := self._editor:
            self._require_fit()
            garment = editor.selected_garment
            category = max(garment.category, 0) if garment else 0
            edit, garment_id = operations.add_garment(editor.dataset, editor.image_id, category)
            editor.apply(edit)
            self._added.add(garment_id)
            editor.select(garment_id)
            self.set_placing(True)

    @told
    def delete_garment(self, garment_id: RecordId | None = None) -> None:
        """Delete the selected garment, or the one given."""
        if editor := self._editor:
            garment_id = editor.selection.garment_id if garment_id is None else garment_id
            if garment_id is not None:
                editor.apply(operations.delete_garment(editor.dataset, garment_id))

    @told
    def set_category(self, garment_id: RecordId, category: int) -> None:
        """Set a garment's category, an index into the schema's."""
        if editor := self._editor:
            editor.apply(operations.set_category(editor.dataset, garment_id, category))

    @told
    def choose_top_category(self, number: int) -> None:
        """Choose the category that the model finds most probable, or second, and so on: from 1."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            names = editor.dataset.schema.category_names
            order = category_candidates(garment.category_scores, names)
            if number <= len(order):
                self.set_category(garment.id, order[number - 1])

    def choose_category(self) -> None:
        """Let the person choose the selected garment's category."""
        self.category_asked.emit()

    # -- which is selected -----------------------------------------------------------------

    def next_garment(self) -> None:
        """Select the next garment of the image."""
        self._step_garment(1)

    def previous_garment(self) -> None:
        """Select the previous garment of the image."""
        self._step_garment(-1)

    def go_to_garment(self, number: int) -> None:
        """Select a garment by its number, from 1."""
        if editor := self._editor:
            garments = editor.garments
            if 1 <= number <= len(garments):
                editor.select(garments[number - 1].id)
            else:
                self.session.notify(
                    f"There is no garment {number} on this image; it has {len(garments)}."
                )

    def _step_garment(self, by: int) -> None:
        if (editor := self._editor) and editor.garments:
            ids = [garment.id for garment in editor.garments]
            here = editor.selection.garment_id
            after = (ids.index(here) + by) % len(ids) if here in ids else 0
            editor.select(ids[after])

    # -- all landmarks of it ---------------------------------------------------------------

    @told
    def swap_left_right(self) -> None:
        """Exchange left and right of the selected garment."""
        self._change(lambda e, g: operations.swap_left_right(e.dataset, g.id))

    @told
    def mirror_garment(self) -> None:
        """Put the selected garment's mirror image in its place."""
        self._change(lambda e, g: whole_garments.mirror_garment(e.dataset, g.id))

    @told
    def move_garment(self, dx: float, dy: float) -> None:
        """Move the selected garment by pixels."""
        self._change(lambda e, g: whole_garments.move_garment(e.dataset, g.id, dx, dy))

    @told
    def rotate_garment(self, degrees: float) -> None:
        """Turn the selected garment clockwise; turns in quick succession are one step of undo."""
        self._change(
            lambda e, g: whole_garments.rotate_garment(e.dataset, g.id, degrees), quick=True
        )

    @told
    def scale_garment(self, factor: float) -> None:
        """Scale the selected garment; steps in quick succession are one step of undo."""
        self._change(lambda e, g: whole_garments.scale_garment(e.dataset, g.id, factor), quick=True)

    def _change(
        self, make: Callable[[Editor, Garment], Edit | None], *, quick: bool = False
    ) -> None:
        if (editor := self._editor) and (garment := editor.selected_garment):
            self._require_fit()
            editor.apply(make(editor, garment), nudge=quick)

    # -- copies ----------------------------------------------------------------------------

    def copy_garment(self) -> None:
        """Copy the selected garment, to be pasted on this or another image."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            self._copied = Copied.of(editor.dataset, garment)
            self.session.notify(f"{garment.category_name} copied.")

    @told
    def paste_garment(self) -> None:
        """Add the copied garment to the image in view."""
        if self._editor:
            if self._copied is None:
                raise FashionError("No garment was copied. Select one and copy it first (Ctrl+C).")
            self._paste([self._copied], "Paste garment")

    @told
    def duplicate_garment(self) -> None:
        """Add a copy of the selected garment beside it."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            self._paste([Copied.of(editor.dataset, garment)], f"Duplicate {garment.category_name}")

    @told
    def copy_from_previous(self) -> None:
        """Add copies of the garments of the previous image, in order."""
        if not (editor := self._editor):
            return
        if editor.index == 0:
            raise FashionError("This is the first image; there is none before it to copy from.")
        before = editor.dataset.garments_of(editor.image_ids[editor.index - 1])
        copies = [Copied.of(editor.dataset, garment) for garment in before]
        if not copies:
            raise FashionError("The previous image has no garments to copy.")
        self._paste(copies, "Copy from the previous image")

    def _paste(self, copies: list[Copied], label: str) -> None:
        editor = self._editor
        assert editor is not None
        self._require_fit()
        schema = editor.dataset.schema
        copies = [c for c in copies if len(c.visibility) == schema.n_landmarks]
        if not copies:
            raise FashionError("What was copied has other landmarks than this data set.")
        edit, ids = whole_garments.paste_garments(editor.dataset, editor.image_id, copies, label)
        editor.apply(edit)
        editor.select(ids[0])

    # -- a garment inside a box ------------------------------------------------------------

    @told
    def start_box(self) -> None:
        """Let the next drag on the image draw a box, inside which a garment is predicted; or stop."""
        view = self.session.view
        if view.boxing or not self._editor:
            view.boxing = False
            return
        self._require_fit()
        view.placing = False
        view.boxing = True
        self.session.notify("Draw a box around the garment; Esc stops.")

    def predict_in_box(self, box: Box) -> None:
        """Predict the garment inside a box x0, y0, x1, y1, pixels of the image."""
        self.session.view.boxing = False
        self.box_asked.emit(box)
