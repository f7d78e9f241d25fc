"""Landmarks, skeletons and categories on the image."""

from __future__ import annotations

import numpy as np
import pandas as pd
from napari.layers import Points
from numpy.typing import NDArray

from napari_fashion.app.session import Session
from napari_fashion.app.viewer import layer_data
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import CATEGORY, LANDMARKS, SKELETON, set_vectors
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.viewing import Selection
from napari_fashion.images import ReducedImage


class LandmarkLayers:
    """Draws the garments of the image in view.

    Attributes
    ----------
    rows
        Garment and landmark of each point of the landmarks layer.
    yx
        (N, 2) pixels, where they were drawn.
    """

    def __init__(self, session: Session, layers: LayerSet) -> None:
        self._session = session
        self._layers = layers
        self.rows: list[tuple[RecordId, int]] = []
        self.yx = np.empty((0, 2))

    def fit(self, extent: int) -> None:
        """Draw lines in a width that suits an image of some extent, pixels."""
        self._layers[SKELETON].edge_width = extent / 200

    def draw(self, editor: Editor, image: ReducedImage) -> None:
        """Draw the garments on the image that is shown."""
        selection, garments, schema = editor.selection, editor.garments, editor.dataset.schema
        if self._session.mismatch is not None:
            garments = []  # they would lie in the wrong places
        with self._layers.drawing() as ours:
            if not ours:
                return
            if layer := self._layers.seen(LANDMARKS):
                points = layer_data.landmarks(
                    garments, schema, selection.garment_id, selection.landmark
                )
                with self._layers.at_once(layer):
                    self._set_points(layer, points, selection, image)
            if words := self._layers.seen(CATEGORY):
                yx, texts = layer_data.categories(garments, selection.garment_id, image.size[1])
                with self._layers.at_once(words):
                    words.data = yx
                    words.features = pd.DataFrame({"text": np.array(texts, dtype=object)})
                    if texts:
                        words.text.color = _ink(image, yx)
            if bones := self._layers.seen(SKELETON):
                with self._layers.at_once(bones):
                    set_vectors(bones, *layer_data.skeleton(garments, schema, selection.garment_id))

    def _set_points(
        self,
        layer: Points,
        points: layer_data.Landmarks,
        selection: Selection,
        image: ReducedImage,
    ) -> None:
        rows = list(zip(points.features["garment"], points.features["landmark"], strict=True))
        layer.selected_data = set()
        layer.data = points.yx
        layer.features = pd.DataFrame(points.features)
        if rows:
            layer.face_color = points.face
            layer.border_color = points.border
            layer.size = points.size * (max(image.size) / 45)
            layer.border_width = points.border_width
            layer.text.color = _ink(image, points.yx)
        layer.text.visible = self._session.view.names
        chosen = {(selection.garment_id, landmark) for landmark in selection.landmarks}
        layer.selected_data = {i for i, row in enumerate(rows) if row in chosen}
        self.rows, self.yx = rows, points.yx.copy()


def _ink(image: ReducedImage, yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the colours of names beside places, yx pixels of the whole image."""
    share = np.divide(image.rgb.shape[:2], image.size[::-1])
    return layer_data.ink(image.rgb, yx * share)
