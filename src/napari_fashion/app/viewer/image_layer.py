"""The image in view, as a napari layer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_fashion.app.jobs.decoding import WHOLE, Decoding, Wanted, neighbours
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_set import LayerSet
from napari_fashion.app.viewer.layer_styles import IMAGE
from napari_fashion.editing.editor import Editor
from napari_fashion.errors import FashionError
from napari_fashion.images import ReducedImage

AHEAD_MILLISECONDS = 60
"""How long the neighbours wait: the image in view is painted first, and a held key passes them by."""
MAGNIFIED = 1.25
"""Screen pixels for one of a reduced image, from which on the whole one is shown."""
STEP = 256
"""Pixels in which the size of the canvas is counted: another by a little decodes nothing anew."""


class ImageLayer(QObject):
    """Reads the image in view and shows it.

    A large one is shown at the size of the canvas, laid over the place of the whole one: coordinates
    are always those of the file. The whole one follows, decoded in a thread, when a person zooms in.

    Attributes
    ----------
    image
        What is shown, and the size of the whole; None before the first one.
    canvas
        Returns width and height in pixels of what images are shown in.
    """

    _decoded = Signal(object, object)

    def __init__(self, session: Session, layers: LayerSet) -> None:
        super().__init__()
        self._session = session
        self._layers = layers
        self._decoding = Decoding()
        self._wanted: Wanted | None = None
        self._editor: Editor | None = None
        self.image: ReducedImage | None = None
        self.canvas: Callable[[], tuple[int, int]] = lambda: (1400, 1000)
        self._ahead = QTimer()
        self._ahead.setSingleShot(True)
        self._ahead.setInterval(AHEAD_MILLISECONDS)
        self._ahead.timeout.connect(self._decode_ahead)
        self._decoded.connect(self._show_whole)
        layers.viewer.camera.events.zoom.connect(self._on_zoom)

    def close(self) -> None:
        """Stop decoding."""
        self._layers.viewer.camera.events.zoom.disconnect(self._on_zoom)
        self._ahead.stop()
        self._wanted = self._editor = None
        self._decoding.close()

    @property
    def pixels(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) uint8 RGB of what is shown."""
        return None if self.image is None else self.image.rgb

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the image in view, pixels of the file; (0, 0) before the first one."""
        return (0, 0) if self.image is None else self.image.size

    def show(self, editor: Editor, *, fit: bool = False) -> None:
        """Show the image in view; a grey one in place of one that cannot be read.

        Parameters
        ----------
        fit
            Show the whole of it, also where the camera could stay: that it does for an image of the
            same size, so that a person walks on zoomed in.
        """
        record, problem = editor.image, None
        self._editor, self._wanted = editor, None
        try:
            self._wanted = Wanted(record.path, record.known_size, self._within())
            image = self._decoding.get(self._wanted)
        except FashionError as error:
            problem = error
            width, height = within(record.known_size or (400, 400))
            image = ReducedImage(np.full((height, width, 3), 60, np.uint8), (width, height))
        fit = fit or self.image is None or self.image.size != image.size
        viewer = self._layers.viewer
        center, zoom = viewer.camera.center, viewer.camera.zoom
        self._set(image, editor)
        self._session.tell_image(None if problem else image.size, problem)
        if fit:
            viewer.reset_view(layers=[self._layers[IMAGE]], margin=0.04)
        else:
            viewer.camera.center, viewer.camera.zoom = center, zoom
        self._on_zoom()
        self._ahead.start()

    def _set(self, image: ReducedImage, editor: Editor) -> None:
        before, self.image = self.image, image
        (width, height), (h, w) = image.size, image.rgb.shape[:2]
        scale = np.array([height / h, width / w])
        with self._layers.drawing():
            self._layers.make(image, editor.dataset.schema)
            layer = self._layers[IMAGE]
            if (
                before is not None
                and before.size == image.size
                and layer.data.shape == image.rgb.shape
                and np.array_equal(layer.scale, scale)
            ):
                with self._layers.at_once(layer):
                    layer.data = image.rgb
                return
            layer.data = image.rgb
            # The centre of the first pixel lies at 0, whatever the size of a pixel.
            layer.scale, layer.translate = scale, (scale - 1) / 2

    def _within(self) -> tuple[int, int]:
        width, height = self.canvas()
        return -(-max(width, 1) // STEP) * STEP, -(-max(height, 1) // STEP) * STEP

    def _decode_ahead(self) -> None:
        if self._editor is not None:
            self._decoding.ahead(neighbours(self._editor, self._within()))

    # -- the whole of a large image ---------------------------------------------------------

    def _on_zoom(self, _: Any = None) -> None:
        if self._wanted is None or self.image is None or self.image.is_whole:
            return
        if self._layers.viewer.camera.zoom * self.image.size[0] < (
            MAGNIFIED * self.image.rgb.shape[1]
        ):
            return
        future = self._decoding.fetch(Wanted(self._wanted.path, self._wanted.size, WHOLE))
        if future is not None:
            future.add_done_callback(partial(self._tell, self._wanted))

    def _tell(self, wanted: Wanted, future: Future[ReducedImage]) -> None:
        """Hand a whole image to the GUI thread; called in the one that decoded it."""
        try:
            self._decoded.emit(wanted, future.result())
        except (FashionError, CancelledError, RuntimeError):
            return  # the reduced one stays; the window may be gone

    def _show_whole(self, wanted: Wanted, image: ReducedImage) -> None:
        now = self.image
        if wanted is not self._wanted or self._editor is None or now is None:
            return  # another one is in view by now
        if not now.is_whole and image.size == now.size:
            self._set(image, self._editor)


def within(size: tuple[int, int], most: int = 4096) -> tuple[int, int]:
    """Return a size that is cheap to fill, whatever a file has."""
    share = min(1.0, most / max(size))
    return max(1, round(size[0] * share)), max(1, round(size[1] * share))
