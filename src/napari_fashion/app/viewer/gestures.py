"""What a person does on the layers, as actions.

A gesture (a drag's release, an added or a deleted point) goes to `Actions`; the edit that follows
comes back as a signal of the editor and is drawn. While we draw, the events of napari's layers
are ignored, so that nothing goes in circles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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
from napari_fashion.app.viewer.layer_styles import KEY, LANDMARKS, OVERLAYS
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor

HELP = "drag a landmark; D visible, F hidden, G absent; ? all keys"
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
        actions.select_asked.connect(self._select_again)
        actions.under_pointer = lambda: self._under_pointer() if self._pointed_last else None
        self._pointed_last = False
        self._editor: Editor | None = None
        session.opened.connect(self._follow)
        self._follow(session.editor)
        self.garment_at: Callable[[tuple[float, float]], RecordId | None] = lambda xy: None
        """Which garment's landmark, line or plate lies at xy pixels of the image."""
        layers.viewer.mouse_move_callbacks.append(self._point)
        layers.viewer.mouse_drag_callbacks.append(self._activate)
        layers.viewer.mouse_drag_callbacks.append(self._press)

    def close(self) -> None:
        """Stop following."""
        viewer = self._layers.viewer
        viewer.mouse_move_callbacks.remove(self._point)
        self._session.opened.disconnect(self._follow)
        self._follow(None)
        viewer.mouse_drag_callbacks.remove(self._activate)
        viewer.mouse_drag_callbacks.remove(self._press)
        self._actions.select_asked.disconnect(self._select_again)
        self._session.view.events.placing.disconnect(self._on_placing)

    def _on_made(self, layers: list[Layer]) -> None:
        for layer in layers:
            layer.events.affine.connect(self._on_moved)
            layer.events.mode.connect(self._on_any_mode)
            if layer.name in OVERLAYS:
                layer.events.visible.connect(self._on_visible)
        points = self._layers[LANDMARKS]
        points.mode = "select"
        points.help = HELP
        points.events.data.connect(self._on_points)
        points.events.mode.connect(self._on_mode)
        points.events.help.connect(self._on_help)
        points.selected_data.events.items_changed.connect(self._on_points_selected)
        self._layers.viewer.layers.selection.active = points

    # -- modes and places of layers --------------------------------------------------------

    def _follow(self, editor: Editor | None) -> None:
        if self._editor is not None:
            self._editor.selection_changed.disconnect(self._on_selected)
        self._editor, self._pointed_last = editor, False
        if editor is not None:
            editor.selection_changed.connect(self._on_selected)

    def _on_selected(self, _: Any) -> None:
        self._pointed_last = False

    def _point(self, *_: Any) -> None:
        self._pointed_last = True
        self._activate()

    def _activate(self, *_: Any) -> None:
        """Make the landmarks the active layer where another of ours is: a drag would pan."""
        active = self._layers.viewer.layers.selection.active
        if LANDMARKS in self._layers and (active is None or active.metadata.get(KEY)):
            points = self._layers[LANDMARKS]
            if active is not points:
                self._layers.viewer.layers.selection.active = points

    def _press(self, _: Any, event: Any) -> None:
        """Select the garment whose line or plate is pressed; napari takes hold of landmarks."""
        editor, view = self._session.editor, self._session.view
        if editor is None or view.placing or view.boxing or self._under_pointer() is not None:
            return
        y, x = event.position[-2:]
        garment_id = self.garment_at((float(x), float(y)))
        if garment_id is not None and garment_id != editor.selection.garment_id:
            editor.select(garment_id)

    def _select_again(self) -> None:
        if LANDMARKS in self._layers:
            self._activate()
            self._layers[LANDMARKS].mode = "select"

    def _under_pointer(self) -> tuple[RecordId, int] | None:
        points = self._layers.seen(LANDMARKS)
        if points is None or self._session.editor is None:
            return None
        position = self._layers.viewer.cursor.position
        row = points.get_value(position[-2:], world=True)
        rows = self._landmarks.rows
        return rows[row] if row is not None and row < len(rows) else None

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
            mode = str(event.source.mode)
            placing = self._session.view.placing
            # While placing, a held Space moves the image; the layer then adds again.
            if not (placing and mode in ("pan_zoom", "add")):
                self._actions.set_placing(mode == "add")
                self._on_placing(self._session.view.placing)

    def _on_help(self, event: Any) -> None:
        """Put our hint in place of napari's, which names keys that mean other things here.

        Once napari is done: it announces its hint before it takes it.
        """
        if event.help != HELP:
            QTimer.singleShot(0, self._keep_hint)

    def _keep_hint(self) -> None:
        if LANDMARKS in self._layers:
            viewer, points = self._layers.viewer, self._layers[LANDMARKS]
            points.help = HELP
            if viewer.layers.selection.active is points:
                viewer.help = HELP

    # -- points ----------------------------------------------------------------------------

    def _on_points_selected(self, *_: Any) -> None:
        editor = self._session.editor
        if self._layers.is_drawing or editor is None:
            return
        all_rows = self._landmarks.rows
        selected = self._layers[LANDMARKS].selected_data
        rows = [all_rows[i] for i in selected if i < len(all_rows)]
        if not rows:
            if not self._session.view.placing:
                editor.select(editor.selection.garment_id)
            return
        before = editor.selection
        owners = Counter(garment for garment, _ in rows)
        owner = before.garment_id if before.garment_id in owners else owners.most_common(1)[0][0]
        chosen = {landmark for garment, landmark in rows if garment == owner}
        kept = before.landmark if owner == before.garment_id and before.landmark in chosen else None
        editor.select(owner, kept, chosen)
        if len(owners) > 1 and editor.selection == before:
            self.refused.emit()  # the other garments' are to be unselected

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
