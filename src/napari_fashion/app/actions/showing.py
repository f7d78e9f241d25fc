"""Actions on what is shown."""

from __future__ import annotations

from psygnal import Signal

from napari_fashion.app.actions.landmarks import LandmarkActions


class ShowingActions(LandmarkActions):
    """Show and hide what lies over the image; zoom."""

    help_asked = Signal()
    retrain_asked = Signal()
    """The Retrain dock shall be shown."""
    zoom_asked = Signal(object, object)
    """Zoom to a garment, by its id, and to one of its landmarks, or None for all of it; and back."""
    select_asked = Signal()
    """The mouse shall select again."""

    def toggle_skeleton(self) -> None:
        """Show the skeletons, or hide them."""
        self.session.view.skeleton = not self.session.view.skeleton

    def toggle_pif(self) -> None:
        """Show the PIF, in place of the PAF; or hide it."""
        view = self.session.view
        view.show_field(None if view.pif else "pif")

    def toggle_paf(self) -> None:
        """Show the PAF, in place of the PIF; or hide it."""
        view = self.session.view
        view.show_field(None if view.paf else "paf")

    def toggle_why(self) -> None:
        """Replay how the decoder found the selected garment, or end it."""
        self.session.view.why = not self.session.view.why

    def toggle_compare(self) -> None:
        """Compare with another file or a model, or end it."""
        self.session.view.compare = not self.session.view.compare

    def hold_image_only(self, held: bool) -> None:
        """Hide all that lies over the image while a key is held."""
        self.session.view.image_only = held

    def zoom_to_landmark(self) -> None:
        """Zoom to the selected landmark, or to the garment without one; and back."""
        if (editor := self._editor) and editor.selection.garment_id is not None:
            self.zoom_asked.emit(editor.selection.garment_id, editor.selection.landmark)

    def zoom_to_garment(self) -> None:
        """Zoom to the selected garment, and back."""
        if (editor := self._editor) and editor.selection.garment_id is not None:
            self.zoom_asked.emit(editor.selection.garment_id, None)

    def stop(self) -> None:
        """Stop placing or drawing a box; else select nothing. The mouse selects then."""
        view = self.session.view
        if view.placing or view.boxing:
            view.placing = view.boxing = False
        elif view.why:
            view.why = False
        elif editor := self._editor:
            editor.select(editor.selection.garment_id)
        self.select_asked.emit()

    def show_help(self) -> None:
        """Show the keys."""
        self.help_asked.emit()

    def show_retrain(self) -> None:
        """Show the Retrain dock."""
        self.retrain_asked.emit()
