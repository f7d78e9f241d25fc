"""What the mouse does on the canvas that napari has nothing for, as actions.

Alt+drag moves the garment, Alt+wheel turns it, Alt+Shift+wheel scales it, Ctrl+drag moves a landmark with
its twin, and while a box is asked for, a drag draws it. They are taken before napari sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt
from qtpy.QtGui import QMouseEvent, QWheelEvent
from qtpy.QtWidgets import QRubberBand, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.keys.events import of_kind
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.canvas import image_xy
from napari_fashion.app.viewer.coordinates import yx_from_xy
from napari_fashion.app.viewer.layer_styles import LANDMARKS
from napari_fashion.app.viewer.layers import Layers
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.whole_garments import pair_places

NOTCH = 120
"""What Qt calls a step of the wheel."""
DEGREES = 2.0
"""A garment turns by a step of the wheel."""
FACTOR = 1.02
"""A garment grows by a step of the wheel."""
LEAST_BOX = 8
"""Pixels of the screen: what is drawn smaller was a click."""

Array = NDArray[np.float64]
Places = dict[tuple[RecordId, int], Array]
ALT, SHIFT = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


@dataclass
class _Drag:
    """A drag that is going on: where it began, what it shows meanwhile and does at its end."""

    start: Array
    preview: Callable[[Array], Places]
    end: Callable[[Array], None]
    moved: bool = False


class CanvasGestures(QObject):
    """Watches the canvas.

    Parameters
    ----------
    canvas
        See `canvas_of`.
    """

    def __init__(self, canvas: QWidget, session: Session, actions: Actions, layers: Layers) -> None:
        super().__init__(canvas)
        self._canvas = canvas
        self._session = session
        self._actions = actions
        self._layers = layers
        self._drag: _Drag | None = None
        self._band = QRubberBand(QRubberBand.Shape.Rectangle, canvas)
        self._corner: QPoint | None = None
        canvas.installEventFilter(self)
        session.view.events.boxing.connect(self._on_boxing)

    def close(self) -> None:
        """Stop watching."""
        with suppress(RuntimeError):  # napari may have deleted the canvas already
            self._canvas.removeEventFilter(self)
        self._session.view.events.boxing.disconnect(self._on_boxing)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: D102
        if self._session.editor is None or event is None:
            return False
        match event.type():
            case QEvent.Type.MouseButtonPress:
                return self._press(of_kind(event, QMouseEvent))
            case QEvent.Type.MouseMove:
                return self._move(of_kind(event, QMouseEvent))
            case QEvent.Type.MouseButtonRelease:
                return self._release(of_kind(event, QMouseEvent))
            case QEvent.Type.Wheel:
                return self._wheel(of_kind(event, QWheelEvent))
        return False

    def _on_boxing(self, boxing: bool) -> None:
        if boxing:
            self._canvas.setCursor(Qt.CursorShape.CrossCursor)
        else:
            self._canvas.unsetCursor()
            self._band.hide()
            self._corner = None

    def _xy(self, event: QMouseEvent) -> Array:
        return image_xy(self._layers.viewer, self._canvas, event.pos())

    def _press(self, event: QMouseEvent) -> bool:
        if event.button() != Qt.MouseButton.LeftButton:
            return False
        if self._session.view.boxing:
            self._corner = event.pos()
            self._band.setGeometry(QRect(self._corner, self._corner))
            self._band.show()
            return True
        if self._session.view.placing or LANDMARKS not in self._layers.set:
            return False
        held = event.modifiers()
        if held == ALT:
            self._drag = self._garment_drag(self._xy(event))
        elif held == CONTROL:
            self._drag = self._pair_drag(self._xy(event))
        return self._drag is not None

    def _move(self, event: QMouseEvent) -> bool:
        if self._corner is not None:
            self._band.setGeometry(QRect(self._corner, event.pos()).normalized())
            return True
        if self._drag is None:
            return False
        self._drag.moved = True
        self._show(self._drag.preview(self._xy(event)))
        return True

    def _release(self, event: QMouseEvent) -> bool:
        if self._corner is not None:
            corner, self._corner = self._corner, None
            self._band.hide()
            self._take_box(corner, event.pos())
            return True
        drag, self._drag = self._drag, None
        if drag is None:
            return False
        if drag.moved:
            drag.end(self._xy(event))
            self._layers.gestures.refused.emit()  # what was shown meanwhile goes, whatever came of it
        return True

    def _take_box(self, corner: QPoint, other: QPoint) -> None:
        size = other - corner
        if min(abs(size.x()), abs(size.y())) < LEAST_BOX:
            self._session.notify("Drag a box around the garment; Esc stops.")
            return
        viewer = self._layers.viewer
        a, b = (image_xy(viewer, self._canvas, point) for point in (corner, other))
        low, high = np.minimum(a, b), np.maximum(a, b)
        self._actions.predict_in_box((*low.tolist(), *high.tolist()))

    def _wheel(self, event: QWheelEvent) -> bool:
        held = event.modifiers()
        if held not in (ALT, ALT | SHIFT):
            return False
        turned = event.angleDelta()
        notches = (turned.x() or turned.y()) / NOTCH  # Alt makes it sideways
        if held == ALT:
            self._actions.rotate_garment(DEGREES * notches)
        else:
            self._actions.scale_garment(FACTOR**notches)
        return True

    # -- drags -----------------------------------------------------------------------------

    def _garment_drag(self, start: Array) -> _Drag | None:
        editor = self._session.editor
        assert editor is not None
        under = self._under(start)
        if under is not None:
            editor.select(under[0])
        garment = editor.selected_garment
        if garment is None:
            return None
        places = {
            (garment.id, k): garment.xy[k] for k in np.flatnonzero(garment.visibility).tolist()
        }

        def end(xy: Array) -> None:
            self._actions.move_garment(*(xy - start).tolist())

        return _Drag(
            start, lambda xy: {key: place + xy - start for key, place in places.items()}, end
        )

    def _pair_drag(self, start: Array) -> _Drag | None:
        editor = self._session.editor
        assert editor is not None
        under = self._under(start)
        if under is None:
            return None
        garment_id, landmark = under
        editor.select(garment_id, landmark)
        dataset = editor.dataset
        offset = dataset.garment(garment_id).xy[landmark] - start

        def preview(xy: Array) -> Places:
            at = tuple((xy + offset).tolist())
            places = pair_places(dataset, garment_id, landmark, at)
            return {(garment_id, k): np.array(place) for k, place in places.items()}

        def end(xy: Array) -> None:
            self._actions.move_pair((garment_id, landmark), tuple((xy + offset).tolist()))

        return _Drag(start, preview, end)

    def _under(self, xy: Array) -> tuple[RecordId, int] | None:
        points = self._layers.set.seen(LANDMARKS)
        if points is None:
            return None
        row = points.get_value(yx_from_xy(xy), world=True)
        rows = self._layers.landmarks.rows
        return rows[row] if row is not None and row < len(rows) else None

    def _show(self, places: Places) -> None:
        """Show landmarks where they would be; the edit comes at the end of the drag."""
        points: Any = self._layers.set.seen(LANDMARKS)
        if points is None:
            return
        yx = np.array(points.data)
        for row, key in enumerate(self._layers.landmarks.rows):
            if key in places and row < len(yx):
                yx[row] = yx_from_xy(places[key])
        with self._layers.set.drawing():  # it is no edit yet
            points.data = yx
        points.refresh()  # what follows points that are dragged follows these as well
