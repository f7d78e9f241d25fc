"""PIF, PAF and category field on the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Layer
from napari.utils import Colormap
from psygnal import Signal

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import field_data, layer_data
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import FIELD, HEAT, IMAGE, tint
from napari_fashion.editing.editor import Editor
from napari_fashion.engine.decode.confidence import RESOLUTION
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema


class FieldLayers:
    """Draws the fields of the image in view, as far as they are there and shown.

    Attributes
    ----------
    fields
        Of the image in view, if one is shown.
    arrows
        What the overlay draws of it.
    """

    arrows_changed = Signal(field_data.Arrows)

    def __init__(self, session: Session, layers: LayerSet) -> None:
        self._session = session
        self._layers = layers
        self.fields: Fields | None = None
        self.arrows = field_data.NO_ARROWS
        self._drawn: tuple[Any, ...] = ()
        layers.made.connect(self._on_made)

    def _on_made(self, _: list[Layer]) -> None:
        self._drawn = ()

    @property
    def landmark(self) -> int | None:
        """Of which landmark the field is shown: the selected one; None: of all."""
        editor, view = self._session.editor, self._session.view
        return None if editor is None or view.all_channels else editor.selection.landmark

    def draw(self, editor: Editor) -> None:
        """Draw what is shown of the fields."""
        view, schema = self._session.view, editor.dataset.schema
        shown = (view.pif or view.paf) and not view.image_only
        self.fields = self._session.fields_of(editor.image_id) if shown else None
        with self._layers.drawing():
            if IMAGE in self._layers:
                opacity = 1 - view.dim if self.fields is not None else 1.0
                if self._layers[IMAGE].opacity != opacity:
                    self._layers[IMAGE].opacity = opacity
            if self._layers.seen(FIELD):
                self._draw_image(editor, schema)
        self.arrows = self._arrows(schema)
        self.arrows_changed.emit(self.arrows)

    def _draw_image(self, editor: Editor, schema: Schema) -> None:
        layer, fields, view = self._layers[FIELD], self.fields, self._session.view
        category = _category_of(editor) if view.pif_kind == "category" else None
        drawn = (fields, self.landmark, view.pif_kind, view.confidence_from, category)
        if drawn == self._drawn or (fields is None and layer.data.shape == (1, 1)):
            return
        self._drawn = drawn
        if fields is None:
            layer.data = np.zeros((1, 1))
            return
        samples, colors = 1, _colors(schema, self.landmark)
        if view.pif_kind == "map":
            samples = RESOLUTION
            layer.data = field_data.fine_confidence(fields, self.landmark, view.confidence_from)
        elif view.pif_kind == "category":
            layer.data = field_data.category_probability(fields, category or 0)
            colors = HEAT
        else:
            layer.data = field_data.pif_confidence(fields, self.landmark, view.confidence_from)
        place = field_data.placement(fields, samples)
        for name, value in place.items():
            if not np.array_equal(getattr(layer, name), value):
                setattr(layer, name, value)
        if layer.colormap.name != colors.name:
            layer.colormap = colors

    def _arrows(self, schema: Schema) -> field_data.Arrows:
        view, fields = self._session.view, self.fields
        if fields is None:
            return field_data.NO_ARROWS
        if view.paf:
            edges = field_data.edges_of(fields.edges, self.landmark)
            edges = [e for e in edges if e not in view.edges_off]
            return field_data.paf_arrows(fields, schema, edges, view.confidence_from)
        if view.pif_kind == "cells":
            return field_data.pif_arrows(fields, schema, self.landmark, view.confidence_from)
        return field_data.NO_ARROWS


def _category_of(editor: Editor) -> int:
    garment = editor.selected_garment
    return 0 if garment is None else max(garment.category, 0)


def _colors(schema: Schema, landmark: int | None) -> Colormap:
    if landmark is None:
        return HEAT
    return tint(layer_data.rgb(schema)[landmark], schema.landmarks[landmark])
