"""napari's canvas as a Qt widget: where it is, and which place of the image a point of it shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, QPointF
from qtpy.QtWidgets import QMainWindow, QWidget


def canvas_of(main_window: QWidget) -> QWidget | None:
    """Return the widget that napari draws on, in a main window; None if it isn't there."""
    central = main_window.centralWidget() if isinstance(main_window, QMainWindow) else None
    if central is None:
        return None
    widgets = [w for w in central.findChildren(QWidget) if w.inherits("QOpenGLWidget")]
    return max(widgets, key=lambda w: w.width() * w.height(), default=None)


def image_xy(viewer: Any, canvas: QWidget, point: QPoint | QPointF) -> NDArray[np.float64]:
    """Return the place, xy pixels of the image, (2,), that a point of the canvas shows."""
    size = np.array([canvas.width(), canvas.height()])
    centre = np.array(viewer.camera.center[-2:])[::-1]
    place: NDArray[np.float64] = (
        centre + (np.array([point.x(), point.y()]) - size / 2) / viewer.camera.zoom
    )
    return place
