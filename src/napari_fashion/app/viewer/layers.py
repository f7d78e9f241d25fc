"""The napari layers of a window: they follow the session and its editor.

What happens goes one way. A gesture becomes an action (`gestures`), an action an edit, and an edit
comes back as a signal of the editor. Signals note what is to be drawn; all that one event of a person
changed is drawn once, at its end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QMainWindow

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session
from napari_fashion.app.viewer import field_data
from napari_fashion.app.viewer.field_layers import FieldLayers
from napari_fashion.app.viewer.gestures import Gestures
from napari_fashion.app.viewer.image_layer import ImageLayer
from napari_fashion.app.viewer.landmark_layers import LandmarkLayers
from napari_fashion.app.viewer.later import Later
from napari_fashion.app.viewer.layer_data import HUMAN
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import LANDMARKS, OVERLAYS
from napari_fashion.app.viewer.overlay import Guest, Overlay
from napari_fashion.app.widgets.readout import ReadOut
from napari_fashion.editing.editor import Applied, Editor

FIELD_CHOICES = ("pif_kind", "all_channels", "edges_off", "confidence_from", "dim")
"""Parts of the `View` that say how a field is drawn."""


class Layers:
    """The layers of one viewer, and what draws them."""

    def __init__(self, session: Session, actions: Actions, viewer: Any) -> None:
        self.session = session
        self.viewer = viewer
        self.set = LayerSet(viewer, session)
        self.shown = ImageLayer(session, self.set)
        self.landmarks = LandmarkLayers(session, self.set)
        self.fields = FieldLayers(session, self.set)
        self.gestures = Gestures(session, actions, self.set, self.landmarks)
        self.gestures.refused.connect(self._ask_landmarks)
        self._due: set[str] = set()
        self._later = Later(self._draw)
        self.overlay: Overlay | None = None
        self.readout: ReadOut | None = None
        self._editor: Editor | None = None
        self._followed: list[tuple[Any, Any]] = []
        self._follow_session()
        if session.editor is not None:
            self._on_opened(session.editor)

    def attach(self, main_window: QMainWindow) -> None:
        """Draw over the canvas of napari's window; once is enough."""
        if self.overlay is not None:
            return
        self.overlay = Overlay(main_window, self.viewer, self.session, lambda: self.shown.size)
        self.readout = ReadOut(self.session, self.overlay, self.fields)
        self.landmarks.scene_changed.connect(self._on_scene)
        self.fields.arrows_changed.connect(self._on_arrows)
        self.gestures.garment_at = self.overlay.garment_at
        self._on_scene()
        self._on_arrows()

    def invite(self, *guests: Guest) -> None:
        """Paint something else as well over the canvas, once we are attached."""
        if self.overlay is not None:
            for guest in guests:
                self.overlay.add_guest(guest)

    def close(self) -> None:
        """Stop following."""
        if self.overlay is not None:
            self.overlay.close_overlay()
        self.landmarks.close()
        self._later.drop()
        self._follow(None)
        for signal, slot in self._followed:
            signal.disconnect(slot, missing_ok=True)
        self.gestures.close()
        self.shown.close()
        self.set.close()

    @property
    def image(self) -> NDArray[np.uint8] | None:
        """The pixels that are shown, (H, W, 3) RGB; fewer than the file has where it is large."""
        self.draw()
        return self.shown.pixels

    def activate(self) -> None:
        """Make the landmarks the layer that the mouse acts on."""
        if LANDMARKS in self.set:
            self.viewer.layers.selection.active = self.set[LANDMARKS]

    def layer(self, name: str) -> Any:
        """Return one of our layers as it is drawn, by the constants of `layer_styles`."""
        self.draw()
        return self.set[name]

    def draw(self) -> None:
        """Draw now what is due; else it is drawn at the end of the event."""
        self._later.now()

    # -- following -------------------------------------------------------------------------

    def _follow_session(self) -> None:
        session, shown = self.session, self.session.view.events
        self._followed = [
            (session.opened, self._on_opened),
            (session.fields_changed, self._on_fields),
            *((getattr(shown, name), self._ask_view) for name in OVERLAYS.values()),
            *((getattr(shown, name), self._ask_view) for name in ("paf", "image_only")),
            *((getattr(shown, name), self._ask_fields) for name in FIELD_CHOICES),
            (shown.skeleton, self._on_scene),
        ]
        for signal, slot in self._followed:
            signal.connect(slot)

    def _on_opened(self, editor: Editor | None) -> None:
        self._follow(editor)
        if editor is not None:
            self._ask("fit", "image")

    def _follow(self, editor: Editor | None) -> None:
        if self._editor is not None:
            self._editor.changed.disconnect(self._on_changed)
            self._editor.image_changed.disconnect(self._on_image)
            self._editor.selection_changed.disconnect(self._on_selection)
        self._editor = editor
        if editor is not None:
            editor.changed.connect(self._on_changed)
            editor.image_changed.connect(self._on_image)
            editor.selection_changed.connect(self._on_selection)

    def _on_image(self, _: Any) -> None:
        self._ask("image")

    def _on_changed(self, change: Applied) -> None:
        if self._editor is not None and change.image_id == self._editor.image_id:
            self._ask("landmarks")

    def _on_selection(self, _: Any) -> None:
        self._ask("landmarks", "fields")

    def _on_fields(self, image_id: Any) -> None:
        if self._editor is not None and image_id == self._editor.image_id:
            self._ask("fields", "landmarks")

    def _ask_view(self) -> None:
        self._ask("view", "fields", "landmarks")

    def _ask_landmarks(self) -> None:
        self._ask("landmarks")

    def _ask_fields(self) -> None:
        self._ask("fields")

    def _ask(self, *parts: str) -> None:
        self._due.update(parts)
        self._later.ask()

    # -- drawing ---------------------------------------------------------------------------

    def _draw(self) -> None:
        due, self._due = self._due, set()
        if self._editor is None:
            return
        if "image" in due:
            self._draw_image(self._editor, fit="fit" in due)
            due = {"view", "fields", "landmarks"}
        if not self.set:
            return
        if "view" in due:
            self._show_overlays()
        if "fields" in due:
            self.fields.draw(self._editor)
        if "landmarks" in due and self.shown.image is not None:
            self.landmarks.draw(self._editor)
            self._draw_spread(self._editor)

    def _draw_image(self, editor: Editor, *, fit: bool) -> None:
        self.shown.show(editor, fit=fit)

    def _show_overlays(self) -> None:
        view = self.session.view
        with self.set.drawing():
            for name, part in OVERLAYS.items():
                # Setting what is set already would put napari's mode back to an older one.
                seen = getattr(view, part) and not view.image_only
                if name in self.set and self.set[name].visible != seen:
                    self.set[name].visible = seen

    def _on_scene(self, _: Any = None) -> None:
        if self.overlay is not None:
            self.overlay.set_scene(self.landmarks.dragged or self.landmarks.scene)

    def _on_arrows(self, _: Any = None) -> None:
        if self.overlay is not None:
            self.overlay.set_field(self.fields.fields, self.fields.arrows)

    def _draw_spread(self, editor: Editor) -> None:
        """Tell the overlay how far off the selected landmark may be, where the fields are there."""
        if self.overlay is None:
            return
        garment, landmark = editor.selected_garment, editor.selection.landmark
        fields, spread = self.session.fields_of(editor.image_id), None
        if fields is not None and garment is not None and landmark is not None:  # noqa: SIM102
            if garment.visibility[landmark] and garment.landmark_sources[landmark] != HUMAN:
                spread = field_data.spread_at(fields, landmark, garment.xy[landmark])
        self.overlay.set_spread(spread)
