"""What is drawn over napari's canvas: silhouettes, landmarks, names, plates and arrows.

A plain widget above the canvas that events pass through. It follows the camera, so that all of it lies on
the image while its sizes stay those of the screen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QEvent, QObject, QRect, Qt
from qtpy.QtGui import QFont, QHideEvent, QKeyEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QMainWindow, QOpenGLWidget, QWidget
from superqt.utils import qthrottled

from napari_fashion.app.keys.events import of_kind
from napari_fashion.app.session import Session
from napari_fashion.app.viewer import overlay_paint as paint
from napari_fashion.app.viewer.field_data import NO_ARROWS, Arrows, PafCell, PifCell, cell_size
from napari_fashion.app.viewer.overlay_data import (
    Camera,
    Rect,
    Scene,
    garment_at,
    landmark_at,
    plates,
)
from napari_fashion.coco.ids import RecordId
from napari_fashion.engine.fields import Fields

HOVER_MILLISECONDS = 30


class Guest(Protocol):
    """Something else that is painted over the image.

    Attributes
    ----------
    changed
        After it looks different.
    """

    changed: Any

    @property
    def is_shown(self) -> bool:
        """Whether it is painted."""

    @property
    def is_alone(self) -> bool:
        """Whether it is painted in place of the garments and fields."""

    def paint(self, painter: QPainter, camera: Camera, font: QFont) -> None:
        """Paint it."""


class Overlay(QWidget):
    """Draws a scene and the arrows of a field over the canvas.

    Parameters
    ----------
    main_window
        napari's; the overlay lies in its central widget, above the canvas.
    viewer
        Whose camera it follows.
    image_size
        Returns width and height of the image in view, pixels.
    """

    hovered = Signal(object)
    """After the pointer came to another place of the image, xy pixels; None: it left the canvas."""

    def __init__(
        self,
        main_window: QMainWindow,
        viewer: Any,
        session: Session,
        image_size: Callable[[], tuple[int, int]],
    ) -> None:
        super().__init__(main_window.centralWidget())
        self._viewer, self._session, self._image_size = viewer, session, image_size
        self.scene = Scene()
        self.arrows = NO_ARROWS
        self.fields: Fields | None = None
        self.cell: PifCell | PafCell | None = None
        """The cell that is read out."""
        self.spread: float | None = None
        """Of the selected landmark, pixels of the image."""
        self._under: tuple[RecordId, int] | None = None
        self._guests: list[Guest] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.canvas: QWidget = (
            main_window.centralWidget().findChild(QOpenGLWidget) or main_window.centralWidget()
        )
        self.canvas.installEventFilter(self)
        camera = viewer.camera.events
        self._followed = [camera.center, camera.zoom, viewer.dims.events.ndisplay]
        for signal in self._followed:
            signal.connect(self._on_camera)
        viewer.mouse_move_callbacks.append(self._on_move)
        self._hover = qthrottled(self._tell_hover, timeout=HOVER_MILLISECONDS)
        self._lie_over_canvas()
        self.show()
        self.raise_()

    def close_overlay(self) -> None:
        """Stop following; the window is closing."""
        for signal in (*self._followed, *(guest.changed for guest in self._guests)):
            signal.disconnect(self._on_camera)
        if self._on_move in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_move)
        self._hover.cancel()

    def add_guest(self, guest: Guest) -> None:
        """Paint something else as well, above the garments or in their place."""
        self._guests.append(guest)
        guest.changed.connect(self._on_camera)

    # -- what is drawn ---------------------------------------------------------------------

    def set_scene(self, scene: Scene) -> None:
        """Draw other garments."""
        self.scene = scene
        self.update()

    def set_field(self, fields: Fields | None, arrows: Arrows) -> None:
        """Draw other arrows."""
        self.fields, self.arrows, self.cell = fields, arrows, None
        self.update()

    def set_cell(self, cell: PifCell | PafCell | None) -> None:
        """Mark the cell that is read out."""
        if cell != self.cell:
            self.cell = cell
            self.update()

    def set_spread(self, spread: float | None) -> None:
        """Draw a ring of a radius, pixels of the image, around the selected landmark."""
        self.spread = spread
        self.update()

    # -- where it lies ---------------------------------------------------------------------

    @property
    def camera(self) -> Camera:
        """How places on the image become places on the canvas."""
        y, x = self._viewer.camera.center[-2:]
        size = (float(self.width()), float(self.height()))
        return Camera((float(x), float(y)), float(self._viewer.camera.zoom), size)

    def plates(self) -> dict[RecordId, Rect]:
        """Return where the plates lie on the canvas, by garment."""
        font = self.font()
        widths = {f.garment_id: paint.plate_width(f, font) for f in self.scene.figures}
        return plates(self.scene, self.camera, self._image_size(), widths)

    def garment_at(self, xy: tuple[float, float]) -> RecordId | None:
        """Return the garment whose landmark, plate or line lies at a place on the image, xy pixels."""
        if not self._is_seen:
            return None
        camera, shown = self.camera, self._session.view
        scene = self.scene if shown.skeleton else _without_lines(self.scene)
        return garment_at(scene, camera, camera.to_screen(xy), self.plates())

    @property
    def _is_seen(self) -> bool:
        view = self._session.view
        return (
            self._session.editor is not None
            and not view.image_only
            and self._viewer.dims.ndisplay == 2
        )

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: D102
        kind = event.type()
        if kind in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show):
            self._lie_over_canvas()
        elif kind == QEvent.Type.Leave:
            self._hover(None)
        elif kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease, QEvent.Type.FocusOut):
            self._follow_shift(event)
        return False

    def _follow_shift(self, event: QEvent) -> None:
        """Show the field of all landmarks while Shift is held."""
        view = self._session.view
        kind = event.type()
        if kind == QEvent.Type.FocusOut:
            view.all_channels = False
            return
        key = of_kind(event, QKeyEvent)
        if key.key() == Qt.Key.Key_Shift and not key.isAutoRepeat():
            view.all_channels = kind == QEvent.Type.KeyPress and (view.pif or view.paf)

    def _lie_over_canvas(self) -> None:
        parent = self.parentWidget()
        corner = self.canvas.mapTo(parent, self.canvas.rect().topLeft())
        self.setGeometry(QRect(corner, self.canvas.size()))

    def _on_camera(self, _: Any = None) -> None:
        self.update()

    # -- the pointer -----------------------------------------------------------------------

    def _on_move(self, _: Any, event: Any) -> None:
        y, x = event.position[-2:]
        self._hover((float(x), float(y)))

    def _tell_hover(self, xy: tuple[float, float] | None) -> None:
        under = None
        if xy is not None and self._is_seen:
            camera = self.camera
            under = landmark_at(self.scene, camera, camera.to_screen(xy))
        if under != self._under:
            self._under = under
            self.update()
        self.hovered.emit(xy)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: D102
        super().hideEvent(event)
        self._under = None

    # -- painting --------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102
        if not self._is_seen:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint(painter, self.camera, self.font())
        painter.end()

    def _paint(self, painter: QPainter, camera: Camera, font: QFont) -> None:
        scene, view = self.scene, self._session.view
        for guest in self._guests:
            if guest.is_alone:
                guest.paint(painter, camera, font)
                return
        if view.skeleton:
            for figure in scene.figures:
                paint.paint_lines(painter, figure, camera)
        if len(self.arrows.start):
            paint.paint_arrows(painter, self.arrows, camera)
        if self.cell is not None and self.fields is not None:
            paint.paint_cell(painter, self.cell, cell_size(self.fields), camera)
        if not view.landmarks:
            return
        for figure in scene.figures:
            paint.paint_landmarks(painter, figure, scene, camera)
        found = self.plates()
        for figure in scene.figures:
            if figure.garment_id in found:
                paint.paint_plate(painter, figure, found[figure.garment_id], font)
        self._paint_names(painter, camera, font)
        for guest in self._guests:
            if guest.is_shown:
                guest.paint(painter, camera, font)

    def _paint_names(self, painter: QPainter, camera: Camera, font: QFont) -> None:
        scene = self.scene
        for figure in scene.figures:
            row = figure.row_of(scene.landmark) if figure.selected else None
            if row is not None:
                if self.spread is not None and self.spread * camera.zoom > paint.RING + 2:
                    at = camera.to_screen(figure.xy[row])
                    paint.paint_spread(painter, at, self.spread * camera.zoom)
                paint.paint_name(painter, scene, figure, row, camera, font)
            if self._under is not None and self._under[0] == figure.garment_id:
                under = figure.row_of(self._under[1])
                if under is not None and under != row:
                    paint.paint_name(painter, scene, figure, under, camera, font)


def _without_lines(scene: Scene) -> Scene:
    from dataclasses import replace

    bare = tuple(replace(f, lines=np.empty((0, 2), np.int64)) for f in scene.figures)
    return replace(scene, figures=bare)
