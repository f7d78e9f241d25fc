"""The landmarks that a person takes hold of, and what is drawn of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Layer, Points
from psygnal import Signal

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.coordinates import xy_from_yx
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import LANDMARKS
from napari_fashion.app.viewer.overlay_data import REACH, Scene, scene_of
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.viewing import Selection

ZOOM_STEP = 1.1
"""The size of what can be taken hold of follows the zoom in such steps."""
CHANGING = ("visibility", "score", "source")
"""What of a landmark may change where it lies."""


class LandmarkLayers:
    """Follows the garments of the image in view: napari's points, which are not seen, and the scene.

    Attributes
    ----------
    rows
        Garment and landmark of each point of the landmarks layer.
    yx
        (N, 2) pixels, where they were drawn.
    scene
        What the overlay draws.
    dragged
        What it draws instead while a person drags.
    """

    scene_changed = Signal()
    """After what is drawn changed, also while a person drags."""

    def __init__(self, session: Session, layers: LayerSet) -> None:
        self._session = session
        self._layers = layers
        self.rows: list[tuple[RecordId, int]] = []
        self.yx = np.empty((0, 2))
        self.scene = Scene()
        self.dragged: Scene | None = None
        layers.made.connect(self._on_made)
        layers.viewer.camera.events.zoom.connect(self._on_zoom)

    def close(self) -> None:
        """Stop following."""
        self._layers.viewer.camera.events.zoom.disconnect(self._on_zoom)

    def draw(self, editor: Editor) -> None:
        """Draw the garments of the image in view."""
        selection, garments, schema = editor.selection, editor.garments, editor.dataset.schema
        if self._session.mismatch is not None:
            garments = []  # they would lie in the wrong places
        with self._layers.drawing() as ours:
            if not ours:
                return
            if layer := self._layers.seen(LANDMARKS):
                points = layer_data.landmarks(
                    garments, schema, selection.garment_id, selection.landmark, self._reach
                )
                self._set_points(layer, points, selection)
        self.scene = scene_of(garments, schema, selection)
        self.dragged = None
        self.scene_changed.emit()

    def _set_points(
        self, layer: Points, points: layer_data.Landmarks, selection: Selection
    ) -> None:
        rows = list(zip(points.features["garment"], points.features["landmark"], strict=True))
        chosen = {(selection.garment_id, landmark) for landmark in selection.landmarks}
        selected = {i for i, row in enumerate(rows) if row in chosen}
        if not (rows == self.rows and np.array_equal(layer.data, points.yx)):
            with self._layers.at_once(layer):
                layer.selected_data = set()
                layer.data = points.yx
                layer.features = pd.DataFrame(points.features)
                self._fit(layer)
        elif any(
            not layer.features[name].equals(pd.Series(points.features[name])) for name in CHANGING
        ):
            layer.features = pd.DataFrame(points.features)
        self.rows, self.yx = rows, points.yx.copy()
        if selected != set(layer.selected_data):
            layer.selected_data = selected

    # -- the size of what can be taken hold of ---------------------------------------------

    @property
    def _reach(self) -> float:
        """Pixels of the image within which a press is for a landmark."""
        return REACH / max(float(self._layers.viewer.camera.zoom), 1e-9)

    def _on_zoom(self, _: Any = None) -> None:
        if layer := self._layers.seen(LANDMARKS):
            with self._layers.drawing():
                self._fit(layer)

    def _fit(self, layer: Points) -> None:
        size = np.asarray(layer.size, np.float64)
        wanted = 2 * self._reach
        if len(size) and not (np.ptp(size) == 0 and 1 / ZOOM_STEP < size[0] / wanted < ZOOM_STEP):
            layer.size = np.full(len(size), wanted)

    # -- dragging --------------------------------------------------------------------------

    def _on_made(self, layers: list[Layer]) -> None:
        self.rows, self.yx = [], np.empty((0, 2))
        self._layers[LANDMARKS].events.set_data.connect(self._on_points_drawn)

    def _on_points_drawn(self, event: Any) -> None:
        """Let what is drawn follow points that a person drags; the edit comes when they let go."""
        data = np.asarray(event.source.data)
        if self._layers.is_drawing or len(data) != len(self.rows):
            return
        moved = np.flatnonzero((data != self.yx).any(axis=1))
        if len(moved):
            xy = xy_from_yx(data)
            places = {self.rows[i]: (float(xy[i, 0]), float(xy[i, 1])) for i in moved.tolist()}
            self.dragged = self.scene.moved(places)
            self.scene_changed.emit()
