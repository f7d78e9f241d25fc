"""What a person does on the layers, as actions.

A gesture (a drag's release, an added or a deleted point) goes to `Actions`; the edit that follows
comes back as a signal of the editor and is drawn. While we draw, the events of napari's layers
are ignored, so that nothing goes in circles.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.coordinates import xy_from_yx
from napari_fashion.app.viewer.landmark_layers import LandmarkLayers
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import CATEGORY, LANDMARKS, OVERLAYS

HELP = "drag a landmark; 2 visible, 1 hidden, 0 not there; H all keys"
"""Stands in napari's status bar in place of its own keys, which mean other things here."""


class Gestures:
    """Follows the events of the layers."""

    refused = Signal()
    """After napari changed points in a way that no edit has followed: they are to be drawn anew."""

    def __init__(
        self, session: Session, actions: Actions, layers: LayerSet, landmarks: LandmarkLayers
    ) -> None:
        self._session = session
        self._actions = actions
        self._layers = layers
        self._landmarks = landmarks
        layers.made.connect(self._on_made)
        session.view.events.placing.connect(self._on_placing)

    def close(self) -> None:
        """Stop following."""
        self._session.view.events.placing.disconnect(self._on_placing)

    def _on_made(self, layers: list[Layer]) -> None:
        for layer in layers:
            layer.events.affine.connect(self._on_moved)
            layer.events.mode.connect(self._on_any_mode)
            if layer.name in OVERLAYS:
                layer.events.visible.connect(self._on_visible)
        self._layers[CATEGORY].editable = False
        points = self._layers[LANDMARKS]
        points.mode = "select"
        points.help = HELP
        points.events.data.connect(self._on_points)
        points.events.mode.connect(self._on_mode)
        points.selected_data.events.items_changed.connect(self._on_points_selected)
        self._layers.viewer.layers.selection.active = points

    # -- modes and places of layers --------------------------------------------------------

    def _on_placing(self, placing: bool) -> None:
        if LANDMARKS in self._layers:
            layer = self._layers[LANDMARKS]
            with self._layers.drawing():
                if placing:
                    self._layers.viewer.layers.selection.active = layer
                    layer.mode = "add"
                elif layer.mode == "add":  # a person who chose another mode keeps it
                    layer.mode = "select"

    def _on_visible(self, event: Any) -> None:
        if not self._layers.is_drawing:
            setattr(self._session.view, OVERLAYS[event.source.name], event.source.visible)

    def _on_any_mode(self, event: Any) -> None:
        if str(event.source.mode) == "transform":  # it would move the image under its landmarks
            self._session.notify("The layers lie on the image; they cannot be moved.", "warning")
            event.source.mode = "select" if event.source.name == LANDMARKS else "pan_zoom"

    def _on_moved(self, event: Any) -> None:
        still = np.eye(3)
        if not np.allclose(event.source.affine.affine_matrix, still):
            event.source.affine = still

    def _on_mode(self, event: Any) -> None:
        if not self._layers.is_drawing:
            self._actions.set_placing(event.source.mode == "add")
            self._on_placing(self._session.view.placing)
            event.source.help = HELP

    # -- points ----------------------------------------------------------------------------

    def _on_points_selected(self, *_: Any) -> None:
        editor = self._session.editor
        if self._layers.is_drawing or editor is None:
            return
        all_rows = self._landmarks.rows
        selected = self._layers[LANDMARKS].selected_data
        rows = [all_rows[i] for i in selected if i < len(all_rows)]
        garments = {garment for garment, _ in rows}
        if len(rows) == 1:
            editor.select(*rows[0])
        elif len(garments) == 1:
            editor.select(garments.pop(), None)
        elif not rows and not self._session.view.placing:
            editor.select(editor.selection.garment_id, None)

    def _on_points(self, event: Any) -> None:
        """Make an edit of a gesture that napari has carried out on the points.

        napari announces everything twice (before and after), and a drag only at its end.
        """
        if self._layers.is_drawing or self._session.editor is None:
            return
        layer = self._layers[LANDMARKS]
        rows, yx, action = self._landmarks.rows, self._landmarks.yx, str(event.action)
        if action == "changed" and len(layer.data) == len(rows):
            moved = [i for i in event.data_indices if (layer.data[i] != yx[i]).any()]
            xy = xy_from_yx(layer.data)
            self._actions.move_landmarks({rows[i]: tuple(xy[i].tolist()) for i in moved})
        elif action == "removed":
            self._actions.delete_landmarks([rows[i] for i in event.data_indices])
        elif action == "added":
            place = tuple(xy_from_yx(layer.data[-1]).tolist())
            # napari goes on to select the new point: let it finish before the points change
            QTimer.singleShot(0, lambda: self._place(place))
            return
        if action in ("changed", "removed") and not np.array_equal(layer.data, self._landmarks.yx):
            self.refused.emit()  # the edit was refused

    def _place(self, xy: tuple[float, float]) -> None:
        if self._session.view.placing:
            self._actions.place(xy)
        self.refused.emit()
