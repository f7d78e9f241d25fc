"""What buttons, keys and menu commands do; what is refused becomes a message to the person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from psygnal import Signal

from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_data import title
from napari_fashion.coco import Garment
from napari_fashion.coco.categories import CategoryAnswer
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.edits import joined
from napari_fashion.editing.viewing import Selection
from napari_fashion.errors import FashionError

P = ParamSpec("P")


def _told(action: Callable[Concatenate[Actions, P], Any]) -> Callable[Concatenate[Actions, P], Any]:
    """Make an error that a person can do something about a message to them."""

    @wraps(action)
    def wrapped(self: Actions, *args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return action(self, *args, **kwargs)
        except FashionError as error:
            self.session.notify(str(error), "warning")
            return None

    return wrapped


class Actions:
    """The gestures on what is in view and selected.

    All of them do nothing if nothing is open.
    """

    predict_asked = Signal(bool)
    """Predict was asked for: the shown image, or all of them where true."""
    category_asked = Signal()
    """The category shall be chosen."""
    help_asked = Signal()

    def __init__(self, session: Session) -> None:
        self.session = session
        self._followed: Editor | None = None
        self._placing_of: RecordId | None = None
        session.opened.connect(self._on_opened)
        self._on_opened(session.editor)

    def predict(self) -> None:
        """Predict the shown image."""
        self.predict_asked.emit(False)

    def predict_all(self) -> None:
        """Predict every image."""
        self.predict_asked.emit(True)

    def choose_category(self) -> None:
        """Let the person choose the selected garment's category."""
        self.category_asked.emit()

    def show_help(self) -> None:
        """Show the shortcuts."""
        self.help_asked.emit()

    # -- images --------------------------------------------------------------------------

    def next_image(self) -> None:
        """Show the next image."""
        if self._editor:
            self._editor.step(1)

    def previous_image(self) -> None:
        """Show the previous image."""
        if self._editor:
            self._editor.step(-1)

    @property
    def main_action(self) -> str:
        """What the main button does."""
        editor = self._editor
        if editor is None:
            return "predict"
        if self.session.view.placing:
            return "place"
        predicted = self.session.fields_of(editor.image_id) is not None
        return "accept" if editor.garments or editor.image.reviewed or predicted else "predict"

    def main_button(self) -> None:
        """Do what the main button does."""
        if self.main_action == "predict":
            self.predict()
        elif self.main_action == "accept":
            self.accept_anyway()

    def accept_anyway(self) -> None:
        """Accept and go on."""
        self.set_reviewed(True)
        self.next_image()

    def toggle_rejected(self) -> None:
        """Not yet."""

    @_told
    def set_reviewed(self, reviewed: bool) -> None:
        """Mark the image as reviewed, or not."""
        if editor := self._editor:
            editor.apply(operations.set_reviewed(editor.dataset, editor.image_id, reviewed))

    def toggle_reviewed(self) -> None:
        """Mark the image as reviewed, or take the mark away."""
        if self._editor:
            self.set_reviewed(not self._editor.image.reviewed)

    # -- history ---------------------------------------------------------------------------

    @_told
    def undo(self) -> None:
        """Take the last edit back."""
        if self._editor:
            self._editor.undo()

    @_told
    def redo(self) -> None:
        """Make it again."""
        if self._editor:
            self._editor.redo()

    # -- the record of the image -----------------------------------------------------------

    @_told
    def rescale(self) -> None:
        """Rescale the image's landmarks to the size that its file has."""
        if (editor := self._editor) and (sizes := self.session.mismatch):
            editor.apply(operations.rescale_landmarks(editor.dataset, editor.image_id, sizes[1]))

    @_told
    def answer_categories(self, answer: CategoryAnswer) -> None:
        """Remember in the file what becomes of the model's categories that it lacks."""
        if (editor := self._editor) and (model := self.session.model):
            edit = operations.remember_categories(
                editor.dataset, model.schema.file_schema, answer, editor.image_id
            )
            if edit is not None:
                editor.apply(edit)

    def _require_fit(self) -> None:
        """Refuse to place landmarks on an image of another size than the file has."""
        if (sizes := self.session.mismatch) is not None:
            (w, h), (width, height) = sizes
            raise FashionError(
                f"The image has {width} x {height} pixels and the file has {w} x {h}: landmarks cannot be "
                "placed on it. Rescale them to the image first."
            )

    # -- garments --------------------------------------------------------------------------

    @_told
    def add_garment(self) -> None:
        """Add a garment with the category of the selected one, and start placing its landmarks."""
        if editor := self._editor:
            self._require_fit()
            garment = editor.selected_garment
            category = max(garment.category, 0) if garment else 0
            edit, garment_id = operations.add_garment(editor.dataset, editor.image_id, category)
            editor.apply(edit)
            editor.select(garment_id)
            self.set_placing(True)

    @_told
    def delete_garment(self, garment_id: RecordId | None = None) -> None:
        """Delete the selected garment, or the one given."""
        if editor := self._editor:
            garment_id = editor.selection.garment_id if garment_id is None else garment_id
            if garment_id is not None:
                editor.apply(operations.delete_garment(editor.dataset, garment_id))

    @_told
    def set_category(self, garment_id: RecordId, category: int) -> None:
        """Set a garment's category, an index into the schema's."""
        if editor := self._editor:
            editor.apply(operations.set_category(editor.dataset, garment_id, category))

    @_told
    def swap_left_right(self) -> None:
        """Exchange left and right of the selected garment."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            editor.apply(operations.swap_left_right(editor.dataset, garment.id))

    def next_garment(self) -> None:
        """Select the next garment of the image."""
        if (editor := self._editor) and editor.garments:
            ids = [garment.id for garment in editor.garments]
            here = editor.selection.garment_id
            after = (ids.index(here) + 1) % len(ids) if here in ids else 0
            editor.select(ids[after])

    # -- landmarks -------------------------------------------------------------------------

    @_told
    def set_visibility(self, visibility: int, landmark: int | None = None) -> None:
        """Set the selected landmark's visibility; 0 deletes it."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            landmark = editor.selection.landmark if landmark is None else landmark
            if landmark is None:
                raise FashionError("Select a landmark first: click it, or press ] or [.")
            editor.apply(
                operations.set_visibility(editor.dataset, garment.id, [landmark], visibility)
            )

    def delete_landmark(self) -> None:
        """Delete the selected landmark."""
        self.set_visibility(0)

    @_told
    def move_landmarks(self, places: dict[tuple[RecordId, int], operations.XY]) -> None:
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

    @_told
    def delete_landmarks(self, landmarks: list[tuple[RecordId, int]]) -> None:
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

    @_told
    def nudge(self, dx: float, dy: float) -> None:
        """Move the selected landmark by pixels."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            landmark = editor.selection.landmark
            if landmark is not None and garment.visibility[landmark]:
                self._require_fit()
                x, y = garment.xy[landmark]
                places = {landmark: (x + dx, y + dy)}
                edit = operations.move_landmarks(editor.dataset, garment.id, places)
                editor.apply(edit, nudge=True)

    def step_landmark(self, by: int) -> None:
        """Select the next or previous landmark of the garment, placed or not."""
        if (editor := self._editor) and (garment := editor.selected_garment):
            members = self.members(garment)
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

    # -- placing landmarks -----------------------------------------------------------------

    def toggle_placing(self) -> None:
        """Start or stop placing landmarks by clicks."""
        self.set_placing(not self.session.view.placing)

    @_told
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
            raise FashionError("There is no garment to place landmarks of. Add one first (A).")
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
        view.placing = True
        self._say_which()

    def _on_opened(self, editor: Editor | None) -> None:
        if self._followed is not None:
            self._followed.selection_changed.disconnect(self._on_selection)
        self._followed = editor
        if editor is not None:
            editor.selection_changed.connect(self._on_selection)

    def _on_selection(self, selection: Selection) -> None:
        """Stop placing where another garment came to be selected: clicks were not meant for it."""
        if self.session.view.placing and selection.garment_id != self._placing_of:
            self.session.view.placing = False

    @_told
    def place(self, xy: operations.XY) -> None:
        """Put the selected landmark at xy pixels and go on to the next missing one."""
        if not (editor := self._editor):
            return
        garment = editor.selected_garment
        if garment is None:
            raise FashionError("There is no garment to place landmarks of. Add one first (A).")
        landmark = editor.selection.landmark
        missing = self.missing(garment)
        if landmark is None:
            if not missing:
                raise FashionError("Select the landmark to place in the list first.")
            landmark = missing[0]
        editor.apply(operations.place_landmark(editor.dataset, garment.id, landmark, xy))
        later = [k for k in self.missing(garment) if k > landmark]
        left = later or self.missing(garment)
        editor.select(garment.id, left[0] if left else landmark)
        if left:
            self._say_which()
        else:
            self.session.view.placing = False
            self.session.notify("Every landmark of this garment is placed.")

    def members(self, garment: Garment) -> list[int]:
        """Return the landmarks that a garment can have, and those that it has all the same."""
        schema = self.session.schema
        assert schema is not None
        can: Iterable[int] = range(schema.n_landmarks)
        if garment.category >= 0:
            can = schema.landmarks_of_category(garment.category)
        return sorted({*can, *(k for k, v in enumerate(garment.visibility) if v)})

    def missing(self, garment: Garment) -> list[int]:
        """Return the landmarks that a garment of its body type has, and this one has not yet.

        A shirt of the upper body lacks no waistline, though a long one may have it.
        """
        schema = self.session.schema
        assert schema is not None
        placed = [k for k, v in enumerate(garment.visibility) if v]
        wanted: Iterable[int] = range(schema.n_landmarks)
        if garment.category >= 0:
            wanted = schema.landmarks_of(schema.body_type_for(garment.category, placed))
        return [k for k in wanted if k not in placed]

    def _say_which(self) -> None:
        if (editor := self._editor) and editor.selection.landmark is not None:
            name = title(editor.dataset.schema, editor.selection.landmark)
            self.session.notify(f"Click on the image to place: {name}.")

    # -- what is shown ---------------------------------------------------------------------

    def toggle_fields(self) -> None:
        """Show the PIF confidence, its vectors, the PAF, or none of them, in turn."""
        view = self.session.view
        turn = [(False, False, False), (True, False, False), (True, True, False)]
        turn += [(False, False, True)]
        now = (view.pif, view.vectors, view.paf)
        after = turn[(turn.index(now) + 1) % len(turn)] if now in turn else turn[0]
        view.pif, view.vectors, view.paf = after

    def toggle_names(self) -> None:
        """Show the landmarks' names, or hide them."""
        self.session.view.names = not self.session.view.names

    @property
    def _editor(self) -> Editor | None:
        return self.session.editor
