"""Zoom to a garment or a landmark, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session

GARMENT_SHARE = 0.8
"""Share of the canvas that a garment then fills."""
LANDMARK_SHARE = 0.15
"""Share of the image's longer side that is seen around a landmark."""


class Zooming:
    """Moves napari's camera; the second time it goes back to where it was."""

    def __init__(self, canvas: QWidget, session: Session, actions: Actions, viewer: Any) -> None:
        self._canvas = canvas
        self._session = session
        self._actions = actions
        self._viewer = viewer
        self._before: tuple[Any, float] | None = None
        self._at: tuple[Any, ...] = ()
        actions.zoom_asked.connect(self._zoom)

    def close(self) -> None:
        """Stop following."""
        self._actions.zoom_asked.disconnect(self._zoom)

    def _zoom(self, garment_id: Any, landmark: int | None) -> None:
        editor, camera = self._session.editor, self._viewer.camera
        if editor is None:
            return
        garment = editor.dataset.garment(garment_id)
        placed = garment.visibility > 0
        if landmark is not None and not placed[landmark]:
            landmark = None
        if not placed.any():
            self._session.notify("The garment has no landmarks to zoom to.")
            return
        here = (editor.image_id, garment_id, landmark, *camera.center, camera.zoom)
        if self._before is not None and here == self._at:
            camera.center, camera.zoom = self._before
            self._before = None
            return
        if self._before is None or self._at[:1] != here[:1]:
            self._before = (camera.center, camera.zoom)
        size = np.array([self._canvas.width(), self._canvas.height()])
        if landmark is None:
            low, high = garment.xy[placed].min(axis=0), garment.xy[placed].max(axis=0)
            centre, zoom = (
                (low + high) / 2,
                GARMENT_SHARE * (size / np.maximum(high - low, 1)).min(),
            )
        else:
            extent = LANDMARK_SHARE * max(self._session.image_size or (400, 400))
            centre, zoom = garment.xy[landmark], size.min() / extent
        camera.center = (0.0, float(centre[1]), float(centre[0]))
        camera.zoom = float(zoom)
        self._at = (editor.image_id, garment_id, landmark, *camera.center, camera.zoom)
