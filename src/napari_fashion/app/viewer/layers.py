"""The napari layers of a window: they follow the session and its editor.

What happens goes one way. A gesture becomes an action (`gestures`), an action an edit, and an edit
comes back as a signal of the editor, after which this draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.field_layers import FieldLayers
from napari_fashion.app.viewer.gestures import Gestures
from napari_fashion.app.viewer.image_layer import ImageLayer
from napari_fashion.app.viewer.landmark_layers import LandmarkLayers
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import FIELD_LAYERS, OVERLAYS
from napari_fashion.editing.editor import Applied, Editor


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
        self.gestures.refused.connect(self._draw_landmarks)
        self._editor: Editor | None = None
        self._followed: list[tuple[Any, Any]] = []
        self._follow_session()
        if session.editor is not None:
            self._on_opened(session.editor)

    def close(self) -> None:
        """Stop following."""
        self._follow(None)
        for signal, slot in self._followed:
            signal.disconnect(slot, missing_ok=True)
        self.gestures.close()
        self.set.close()

    @property
    def image(self) -> NDArray[np.uint8] | None:
        """The image that is shown, (H, W, 3) RGB."""
        return self.shown.pixels

    def layer(self, name: str) -> Any:
        """Return one of our layers, by the constants of `layer_styles`."""
        return self.set[name]

    # -- following -------------------------------------------------------------------------

    def _follow_session(self) -> None:
        session, shown = self.session, self.session.view.events
        self._followed = [
            (session.opened, self._on_opened),
            (session.fields_changed, self._on_fields),
            *((getattr(shown, name), self._on_view) for name in OVERLAYS.values()),
            (shown.opacity, self._show_overlays),
            (shown.names, self._draw_landmarks),
            (shown.landmark, self._draw_fields),
            (shown.edge, self._draw_fields),
        ]
        for signal, slot in self._followed:
            signal.connect(slot)

    def _on_opened(self, editor: Editor | None) -> None:
        self._follow(editor)
        if editor is not None:
            self._draw_image(fit=True)

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
        self._draw_image()

    def _on_changed(self, change: Applied) -> None:
        if self._editor is not None and change.image_id == self._editor.image_id:
            self._draw_landmarks()

    def _on_selection(self, _: Any) -> None:
        self._draw_landmarks()

    def _on_fields(self, image_id: Any) -> None:
        if self._editor is not None and image_id == self._editor.image_id:
            self._draw_fields()

    # -- drawing ---------------------------------------------------------------------------

    def _draw_image(self, *, fit: bool = False) -> None:
        if self._editor is None:
            return
        self.shown.show(self._editor, fit=fit)
        with self.set.drawing():
            self.fields.fit(self.shown.extent)
            self.landmarks.fit(self.shown.extent)
        self._on_view()

    def _on_view(self) -> None:
        self._show_overlays()
        self._draw_fields()
        self._draw_landmarks()

    def _draw_fields(self) -> None:
        if self._editor is not None and self.set:
            self.fields.draw(self._editor)

    def _draw_landmarks(self) -> None:
        if self._editor is not None and self.set and self.image is not None:
            self.landmarks.draw(self._editor, self.image)

    def _show_overlays(self) -> None:
        view = self.session.view
        with self.set.drawing():
            for name, part in OVERLAYS.items():
                # Setting what is set already would put napari's mode back to an older one.
                if name in self.set and self.set[name].visible != getattr(view, part):
                    self.set[name].visible = getattr(view, part)
            for name in FIELD_LAYERS:
                if name in self.set:
                    self.set[name].opacity = view.opacity
