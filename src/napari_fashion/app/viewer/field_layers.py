"""PIF and PAF on the image."""

from __future__ import annotations

import numpy as np
from napari.utils import Colormap

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import HEAT, NO_ARROWS, PAF, PIF, VECTORS, set_vectors
from napari_fashion.editing.editor import Editor
from napari_fashion.schema import Schema


class FieldLayers:
    """Draws the fields of the image in view, as far as they are there and shown."""

    def __init__(self, session: Session, layers: LayerSet) -> None:
        self._session = session
        self._layers = layers

    def fit(self, extent: int) -> None:
        """Draw lines in a width that suits an image of some extent, pixels."""
        line = extent / 300
        for name, width in ((VECTORS, line), (PAF, line / 2)):
            self._layers[name].edge_width = width

    def draw(self, editor: Editor) -> None:
        """Draw what is shown of the fields."""
        fields, view = self._session.fields_of(editor.image_id), self._session.view
        schema = editor.dataset.schema
        with self._layers.drawing():
            if pif := self._layers.seen(PIF):
                if fields is None:
                    pif.data = np.zeros((1, 1))
                else:
                    pif.data = layer_data.pif_confidence(fields, view.landmark)
                    place = layer_data.placement(fields)
                    pif.scale, pif.translate = place["scale"], place["translate"]
                    pif.colormap = HEAT if view.landmark is None else _tint(schema, view.landmark)
            if vectors := self._layers.seen(VECTORS):
                arrows = NO_ARROWS
                if fields is not None:
                    arrows = layer_data.pif_arrows(fields, schema, view.landmark)
                with self._layers.at_once(vectors):
                    set_vectors(vectors, *arrows)
            if paf := self._layers.seen(PAF):
                arrows = NO_ARROWS
                if fields is not None:
                    arrows = layer_data.paf_arrows(fields, schema, view.edge)
                with self._layers.at_once(paf):
                    set_vectors(paf, *arrows)


def _tint(schema: Schema, landmark: int) -> Colormap:
    """Return a colormap from nothing to the landmark's colour."""
    r, g, b = layer_data.rgb(schema)[landmark]
    return Colormap(
        [[r, g, b, 0], [r, g, b, 0.3], [r, g, b, 0.9], [1, 1, 1, 1]],
        controls=[0, 0.15, 0.7, 1],
        name=f"fashion {schema.landmarks[landmark]}",
    )
