"""The napari layers: they follow the editor, and a gesture on them becomes an edit.

A gesture (a drag's release, an added or a deleted point) goes to `Actions`; the edit that follows
comes back as a signal of the editor and is drawn. While we draw, the events of napari's layers
are ignored, so that nothing goes in circles.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Layer, Points, Vectors
from napari.utils import Colormap
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_fashion.app import layer_data
from napari_fashion.app.actions import Actions
from napari_fashion.app.coordinates import xy_from_yx
from napari_fashion.app.layer_styles import (
    CATEGORY,
    FIELD_LAYERS,
    HEAT,
    IMAGE,
    KEY,
    LANDMARKS,
    NO_ARROWS,
    OVERLAYS,
    PAF,
    PIF,
    SKELETON,
    VECTORS,
    new_layers,
)
from napari_fashion.app.session import Session
from napari_fashion.editing.editor import Applied, Editor
from napari_fashion.editing.viewing import Selection
from napari_fashion.errors import FashionError
from napari_fashion.images import read_image
from napari_fashion.schema import Schema

HELP = "drag a landmark; 2 visible, 1 hidden, 0 not there; H all keys"
"""Stands in napari's status bar in place of its own keys, which mean other things here."""


class Layers:
    """The layers of one viewer."""

    made = Signal(list)
    """After the layers were made; all of them."""

    def __init__(self, session: Session, actions: Actions, viewer: Any) -> None:
        self.session = session
        self.actions = actions
        self.viewer = viewer
        self.image: NDArray[np.uint8] | None = None
        self._layers: dict[str, Layer] = {}
        self._rows: list[tuple[Any, int]] = []  # garment and landmark of each point
        self._yx = np.empty((0, 2))
        self._drawing = False
        self._editor: Editor | None = None
        session.opened.connect(self._on_opened)
        session.fields_changed.connect(self._on_fields)
        for name in OVERLAYS.values():
            getattr(session.view.events, name).connect(self._on_view)
        session.view.events.opacity.connect(self._show_overlays)
        session.view.events.names.connect(self._draw_landmarks)
        session.view.events.landmark.connect(self._draw_fields)
        session.view.events.edge.connect(self._draw_fields)
        session.view.events.placing.connect(self._on_placing)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        if session.editor is not None:
            self._on_opened(session.editor)

    def close(self) -> None:
        """Stop following."""
        self._follow(None)
        self.session.opened.disconnect(self._on_opened)
        self.session.fields_changed.disconnect(self._on_fields)
        for name in {*OVERLAYS.values(), "opacity", "names", "landmark", "edge", "placing"}:
            signal = getattr(self.session.view.events, name)
            for slot in (
                self._on_view,
                self._show_overlays,
                self._draw_landmarks,
                self._draw_fields,
                self._on_placing,
            ):
                signal.disconnect(slot, missing_ok=True)
        self.viewer.layers.events.removed.disconnect(self._on_layer_removed)

    def layer(self, name: str) -> Any:
        """Return one of our layers, by the constants of this module."""
        return self._layers[name]

    # -- following the session -------------------------------------------------------------

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

    @contextmanager
    def _draw(self) -> Iterator[bool]:
        """Draw without following the events of the layers; False while drawing already."""
        if self._drawing:
            yield False
            return
        self._drawing = True
        try:
            yield True
        finally:
            self._drawing = False

    def _draw_image(self, *, fit: bool = False) -> None:
        editor = self._editor
        if editor is None:
            return
        image = editor.image
        problem: FashionError | None = None
        try:
            pixels = read_image(image.path, size=image.known_size)
        except FashionError as error:
            problem = error
            self.session.notify(str(error), "error")
            width, height = within(image.known_size or (400, 400))
            pixels = np.full((height, width, 3), 60, np.uint8)
        fit = fit or self.image is None or self.image.shape != pixels.shape
        self.image = pixels
        center, zoom = self.viewer.camera.center, self.viewer.camera.zoom
        with self._draw():
            self._make_layers(editor.dataset.schema)
            self._layers[IMAGE].data = pixels
            line = max(pixels.shape[:2]) / 300
            for name in (VECTORS, PAF):
                self._layers[name].edge_width = line if name == VECTORS else line / 2
            self._layers[SKELETON].edge_width = 1.5 * line
        size = None if problem else (pixels.shape[1], pixels.shape[0])
        self.session.tell_image(size, problem)
        self._on_view()
        if fit:  # an image of the same size keeps the view, so that a person walks on zoomed in
            self.viewer.reset_view(layers=[self._layers[IMAGE]], margin=0.04)
        else:
            self.viewer.camera.center, self.viewer.camera.zoom = center, zoom

    def _on_view(self) -> None:
        """Show what shall be seen, and draw it.

        A hidden layer is not drawn: napari doesn't slice it, and setting colours for data that it
        hasn't sliced fails.
        """
        self._show_overlays()
        self._draw_fields()
        self._draw_landmarks()

    def _draw_fields(self) -> None:
        editor = self._editor
        if editor is None or not self._layers:
            return
        fields, view = self.session.fields_of(editor.image_id), self.session.view
        schema = editor.dataset.schema
        with self._draw():
            if pif := self._seen(PIF):
                if fields is None:
                    pif.data = np.zeros((1, 1))
                else:
                    pif.data = layer_data.pif_confidence(fields, view.landmark)
                    place = layer_data.placement(fields)
                    pif.scale, pif.translate = place["scale"], place["translate"]
                    pif.colormap = HEAT if view.landmark is None else _tint(schema, view.landmark)
            if vectors := self._seen(VECTORS):
                arrows = NO_ARROWS
                if fields is not None:
                    arrows = layer_data.pif_arrows(fields, schema, view.landmark)
                _set_vectors(vectors, *arrows)
            if paf := self._seen(PAF):
                arrows = NO_ARROWS
                if fields is not None:
                    arrows = layer_data.paf_arrows(fields, schema, view.edge)
                _set_vectors(paf, *arrows)

    def _seen(self, name: str) -> Any:
        """Return one of our layers where it is there and shown, else None."""
        layer = self._layers.get(name)
        return layer if layer is not None and layer.visible else None

    def _draw_landmarks(self) -> None:
        editor = self._editor
        if editor is None or not self._layers or self.image is None:
            return
        selection, garments, schema = editor.selection, editor.garments, editor.dataset.schema
        if self.session.mismatch is not None:
            garments = []  # they would lie in the wrong places
        with self._draw() as ours:
            if not ours:
                return
            if layer := self._seen(LANDMARKS):
                points = layer_data.landmarks(
                    garments, schema, selection.garment_id, selection.landmark
                )
                self._set_points(layer, points, selection)
            if words := self._seen(CATEGORY):
                yx, texts = layer_data.categories(
                    garments, selection.garment_id, self.image.shape[0]
                )
                words.data = yx
                words.features = pd.DataFrame({"text": np.array(texts, dtype=object)})
                if texts:
                    words.text.color = layer_data.ink(self.image, yx)
            if bones := self._seen(SKELETON):
                _set_vectors(bones, *layer_data.skeleton(garments, schema, selection.garment_id))

    def _set_points(
        self, layer: Points, points: layer_data.Landmarks, selection: Selection
    ) -> None:
        assert self.image is not None
        rows = list(zip(points.features["garment"], points.features["landmark"], strict=True))
        chosen = {self._rows[i] for i in layer.selected_data if i < len(self._rows)}
        layer.selected_data = set()
        layer.data = points.yx
        layer.features = pd.DataFrame(points.features)
        if rows:
            layer.face_color = points.face
            layer.border_color = points.border
            layer.size = points.size * (max(self.image.shape[:2]) / 45)
            layer.border_width = points.border_width
            layer.text.color = layer_data.ink(self.image, points.yx)
        layer.text.visible = self.session.view.names
        if selection.landmark is not None:
            chosen = {(selection.garment_id, selection.landmark)}
        elif len(chosen) < 2:  # several may be selected, to be dragged together
            chosen = set()
        layer.selected_data = {i for i, row in enumerate(rows) if row in chosen}
        self._rows, self._yx = rows, points.yx.copy()

    def _show_overlays(self) -> None:
        view = self.session.view
        with self._draw():
            for name, part in OVERLAYS.items():
                layer = self._layers.get(name)
                # Setting what is set already would put napari's mode back to an older one.
                if layer is not None and layer.visible != getattr(view, part):
                    layer.visible = getattr(view, part)
            for name in FIELD_LAYERS:
                if name in self._layers:
                    self._layers[name].opacity = view.opacity

    def _on_placing(self, placing: bool) -> None:
        if LANDMARKS in self._layers:
            layer = self._layers[LANDMARKS]
            with self._draw():
                if placing:
                    self.viewer.layers.selection.active = layer
                    layer.mode = "add"
                elif layer.mode == "add":  # a person who chose another mode keeps it
                    layer.mode = "select"

    # -- the layers themselves -------------------------------------------------------------

    def _make_layers(self, schema: Schema) -> None:
        if len(self._layers) == 1 + len(OVERLAYS):
            return
        for layer in list(self._layers.values()):  # a person removed some: make all again, in order
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        assert self.image is not None
        for layer in new_layers(self.image, schema):
            layer.metadata[KEY] = self.session
            self.viewer.add_layer(layer)
            self._layers[layer.name] = layer
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
        self.viewer.layers.selection.active = points
        self.made.emit(list(self._layers.values()))

    def _on_layer_removed(self, event: Any) -> None:
        for name, layer in list(self._layers.items()):
            if layer is event.value and not self._drawing:
                del self._layers[name]
                # What is left is drawn no more; the next image brings all layers back.
                if name in (LANDMARKS, IMAGE):
                    self.session.view.placing = False

    # -- gestures on the layers ------------------------------------------------------------

    def _on_visible(self, event: Any) -> None:
        if not self._drawing:
            setattr(self.session.view, OVERLAYS[event.source.name], event.source.visible)

    def _on_any_mode(self, event: Any) -> None:
        if str(event.source.mode) == "transform":  # it would move the image under its landmarks
            self.session.notify("The layers lie on the image; they cannot be moved.", "warning")
            event.source.mode = "select" if event.source.name == LANDMARKS else "pan_zoom"

    def _on_moved(self, event: Any) -> None:
        still = np.eye(3)
        if not np.allclose(event.source.affine.affine_matrix, still):
            event.source.affine = still

    def _on_mode(self, event: Any) -> None:
        if not self._drawing:
            self.actions.set_placing(event.source.mode == "add")
            self._on_placing(self.session.view.placing)
            event.source.help = HELP

    def _on_points_selected(self, *_: Any) -> None:
        if self._drawing or self._editor is None:
            return
        rows = [self._rows[i] for i in self._layers[LANDMARKS].selected_data if i < len(self._rows)]
        garments = {garment for garment, _ in rows}
        if len(rows) == 1:
            self._editor.select(*rows[0])
        elif len(garments) == 1:
            self._editor.select(garments.pop(), None)
        elif not rows and not self.session.view.placing:
            self._editor.select(self._editor.selection.garment_id, None)

    def _on_points(self, event: Any) -> None:
        """Make an edit of a gesture that napari has carried out on the points.

        napari announces everything twice (before and after), and a drag only at its end.
        """
        if self._drawing or self._editor is None:
            return
        layer = self._layers[LANDMARKS]
        rows, action = self._rows, str(event.action)
        if action == "changed" and len(layer.data) == len(rows):
            moved = [i for i in event.data_indices if (layer.data[i] != self._yx[i]).any()]
            xy = xy_from_yx(layer.data)
            self.actions.move_landmarks({rows[i]: tuple(xy[i].tolist()) for i in moved})
        elif action == "removed":
            self.actions.delete_landmarks([rows[i] for i in event.data_indices])
        elif action == "added":
            xy = xy_from_yx(layer.data[-1]).tolist()
            # napari goes on to select the new point: let it finish before the points change
            QTimer.singleShot(0, lambda: self._place(tuple(xy)))
            return
        if action in ("changed", "removed") and not np.array_equal(layer.data, self._yx):
            self._draw_landmarks()  # the edit was refused

    def _place(self, xy: tuple[float, float]) -> None:
        if self.session.view.placing:
            self.actions.place(xy)
        self._draw_landmarks()


def within(size: tuple[int, int], most: int = 4096) -> tuple[int, int]:
    """Return a size that is cheap to fill, whatever a file has."""
    share = min(1.0, most / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))


def _tint(schema: Schema, landmark: int) -> Colormap:
    """Return a colormap from nothing to the landmark's colour."""
    r, g, b = layer_data.rgb(schema)[landmark]
    return Colormap(
        [[r, g, b, 0], [r, g, b, 0.3], [r, g, b, 0.9], [1, 1, 1, 1]],
        controls=[0, 0.15, 0.7, 1],
        name=f"fashion {schema.landmarks[landmark]}",
    )


def _set_vectors(layer: Vectors, lines: NDArray[np.float64], rgba: NDArray[np.float64]) -> None:
    layer.data = lines
    if len(lines):
        layer.edge_color = rgba
