"""Actions on images: walk, accept, reject, predict."""

from __future__ import annotations

from typing import Literal

from psygnal import Signal

from napari_fashion.app.actions.base import ActionsBase, told
from napari_fashion.app.actions.choices import unsure_landmarks
from napari_fashion.coco.categories import CategoryAnswer
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing import operations
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import FashionError

MainAction = Literal["predict", "accept", "place", "take_back"]
"""What the main button does: see `ImageActions.main_action`."""


class ImageActions(ActionsBase):
    """Walk through the images, and say how far each is."""

    predict_asked = Signal(bool)
    """Predict was asked for: the shown image, or all of them where true."""

    def next_image(self) -> None:
        """Show the next image."""
        if self._editor:
            self._editor.step(1)

    def previous_image(self) -> None:
        """Show the previous image."""
        if self._editor:
            self._editor.step(-1)

    def next_unreviewed(self) -> None:
        """Show the next image, in order, that is neither reviewed nor rejected."""
        if not (editor := self._editor):
            return
        image_id = _to_review(editor)
        if image_id is None:
            self.session.notify("There is no other image to review.")
        else:
            editor.go_to_image(image_id)

    # -- how far an image is ---------------------------------------------------------------

    @property
    def main_action(self) -> MainAction:
        """What the main button does on the image in view.

        ``"place"`` while landmarks are placed: it does nothing until that is done or stopped.
        ``"take_back"`` on a rejected image. ``"predict"`` on one without a garment that was not
        predicted. Else ``"accept"``.
        """
        editor = self._editor
        if editor is None:
            return "predict"
        if self.session.view.placing:
            return "place"
        image = editor.image
        if image.is_rejected:
            return "take_back"
        predicted = self.session.fields_of(image.id) is not None
        return "accept" if editor.garments or image.reviewed or predicted else "predict"

    def main_button(self) -> None:
        """Do what the main button does (`main_action`)."""
        if self._editor is None:
            return
        match self.main_action:
            case "place":
                self.session.notify(
                    "Landmarks are being placed: click the image, or stop with Esc."
                )
            case "take_back":
                self.toggle_rejected()
            case "predict":
                self.predict()
            case "accept":
                self.accept_and_next()

    @told
    def accept_and_next(self, *, anyway: bool = False) -> None:
        """Mark the image as reviewed and go to the next one to review, there to what is unsure.

        Parameters
        ----------
        anyway
            Also where nothing is on it: the image then states that it shows no garment.
        """
        if not (editor := self._editor):
            return
        self.session.view.placing = False
        if not anyway and not any(g.visibility.any() for g in editor.garments):
            raise FashionError(
                "There is no garment on this image. Shift+Enter accepts it as an image without one; O adds "
                "one by hand, Shift+O predicts one inside a box."
            )
        edit = operations.set_reviewed(editor.dataset, editor.image_id, True)
        image_id = _to_review(editor)
        if image_id is None:
            editor.apply(edit)
            self.session.notify(f"No image is left to review; there are {editor.n_images}.")
            return
        editor.apply_and_go(edit, image_id)
        for garment in editor.garments:
            if unsure := unsure_landmarks(garment):
                editor.select(garment.id, unsure[0])
                break

    def accept_anyway(self) -> None:
        """Accept the image also where nothing is on it."""
        self.accept_and_next(anyway=True)

    @told
    def set_reviewed(self, reviewed: bool) -> None:
        """Mark the image as reviewed, or not."""
        if editor := self._editor:
            editor.apply(operations.set_reviewed(editor.dataset, editor.image_id, reviewed))

    @told
    def toggle_rejected(self) -> None:
        """Reject the image and go to the next one to review; or take it back."""
        if not (editor := self._editor):
            return
        rejected = not editor.image.is_rejected
        edit = operations.set_rejected(editor.dataset, editor.image_id, rejected)
        image_id = _to_review(editor) if rejected else None
        if image_id is None:
            editor.apply(edit)
        else:
            editor.apply_and_go(edit, image_id)

    def predict(self) -> None:
        """Predict the shown image."""
        self.predict_asked.emit(False)

    def predict_all(self) -> None:
        """Predict every image."""
        self.predict_asked.emit(True)

    # -- the record of the image -----------------------------------------------------------

    @told
    def rescale(self) -> None:
        """Rescale the image's landmarks to the size that its file has."""
        if (editor := self._editor) and (sizes := self.session.mismatch):
            editor.apply(operations.rescale_landmarks(editor.dataset, editor.image_id, sizes[1]))

    @told
    def answer_categories(self, answer: CategoryAnswer) -> None:
        """Remember in the file what becomes of the model's categories that it lacks."""
        if (editor := self._editor) and (model := self.session.model):
            edit = operations.remember_categories(
                editor.dataset, model.schema.file_schema, answer, editor.image_id
            )
            if edit is not None:
                editor.apply(edit)


def _to_review(editor: Editor) -> RecordId | None:
    """Return the next image, in order and from the front again, that a person has not settled."""
    ids, here = editor.image_ids, editor.index
    for image_id in (*ids[here + 1 :], *ids[:here]):
        image = editor.dataset.image(image_id)
        if not (image.reviewed or image.is_rejected):
            return image_id
    return None
