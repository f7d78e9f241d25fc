"""The image in view, as a napari layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import IMAGE
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import FashionError
from napari_fashion.images import read_image


class ImageLayer:
    """Reads the image in view and shows it.

    Attributes
    ----------
    pixels
        (H, W, 3) uint8 RGB of the image that is shown; None before the first one.
    """

    def __init__(self, session: Session, layers: LayerSet) -> None:
        self._session = session
        self._layers = layers
        self.pixels: NDArray[np.uint8] | None = None

    def show(self, editor: Editor, *, fit: bool = False) -> None:
        """Show the image in view; a grey one in place of one that cannot be read.

        Parameters
        ----------
        fit
            Show the whole of it, also where the camera could stay: that it does for an image of the
            same size, so that a person walks on zoomed in.
        """
        image = editor.image
        problem: FashionError | None = None
        try:
            pixels = read_image(image.path, size=image.known_size)
        except FashionError as error:
            problem = error
            self._session.notify(str(error), "error")
            width, height = within(image.known_size or (400, 400))
            pixels = np.full((height, width, 3), 60, np.uint8)
        fit = fit or self.pixels is None or self.pixels.shape != pixels.shape
        self.pixels = pixels
        viewer = self._layers.viewer
        center, zoom = viewer.camera.center, viewer.camera.zoom
        with self._layers.drawing():
            self._layers.make(pixels, editor.dataset.schema)
            self._layers[IMAGE].data = pixels
        self._session.tell_image(None if problem else (pixels.shape[1], pixels.shape[0]), problem)
        if fit:
            viewer.reset_view(layers=[self._layers[IMAGE]], margin=0.04)
        else:
            viewer.camera.center, viewer.camera.zoom = center, zoom

    @property
    def extent(self) -> int:
        """The longer side of the image that is shown, pixels."""
        assert self.pixels is not None
        return max(self.pixels.shape[:2])


def within(size: tuple[int, int], most: int = 4096) -> tuple[int, int]:
    """Return a size that is cheap to fill, whatever a file has."""
    share = min(1.0, most / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
