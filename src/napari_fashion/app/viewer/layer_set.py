"""Our napari layers: made together, kept in order, and drawn without their events going in circles."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from napari.layers import Layer, Points
from psygnal import Signal

from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_styles import IMAGE, KEY, LANDMARKS, OVERLAYS, new_layers
from napari_fashion.images import ReducedImage
from napari_fashion.schema import Schema


class LayerSet:
    """The layers of one viewer that are ours, by name.

    Parameters
    ----------
    session
        Noted in each layer's metadata: whose it is.
    """

    made = Signal(list)
    """After the layers were made; all of them."""
    lost = Signal(str)
    """After a person removed one; its name."""

    def __init__(self, viewer: Any, session: Session) -> None:
        self.viewer = viewer
        self._session = session
        self._layers: dict[str, Layer] = {}
        self._drawing = False
        viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Stop following the viewer."""
        self.viewer.layers.events.removed.disconnect(self._on_removed)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, name: object) -> bool:
        return name in self._layers

    def __getitem__(self, name: str) -> Any:
        return self._layers[name]

    def seen(self, name: str) -> Any:
        """Return a layer where it is there and shown, else None.

        A hidden layer is not drawn: napari doesn't slice it, and setting colours for data that it
        hasn't sliced fails.
        """
        layer = self._layers.get(name)
        return layer if layer is not None and layer.visible else None

    @property
    def is_drawing(self) -> bool:
        """Whether what happens to the layers is our own doing."""
        return self._drawing

    @contextmanager
    def drawing(self) -> Iterator[bool]:
        """Draw without following the events of the layers; False while drawing already."""
        if self._drawing:
            yield False
            return
        self._drawing = True
        try:
            yield True
        finally:
            self._drawing = False

    @contextmanager
    def at_once(self, layer: Layer) -> Iterator[None]:
        """Set several properties of a layer; napari hears of it once, after all of them.

        Each setter alone has napari slice, measure and draw the layer, and every other layer's
        extent be asked for.
        """
        with ExitStack() as quiet:
            quiet.enter_context(layer.events.blocker_all())
            if isinstance(layer, Points):
                quiet.enter_context(layer.text.events.blocker_all())
            yield
        layer.refresh(thumbnail=False)

    def make(self, image: ReducedImage, schema: Schema) -> None:
        """Make all layers, in order, unless all are there."""
        if len(self._layers) == 1 + len(OVERLAYS):
            return
        for layer in list(self._layers.values()):  # a person removed some
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        for layer in new_layers(image, schema):
            layer.metadata[KEY] = self._session
            self.viewer.add_layer(layer)
            self._layers[layer.name] = layer
        self.made.emit(list(self._layers.values()))

    def _on_removed(self, event: Any) -> None:
        for name, layer in list(self._layers.items()):
            if layer is event.value and not self._drawing:
                del self._layers[
                    name
                ]  # what is left is drawn no more; the next image brings all back
                if name in (LANDMARKS, IMAGE):
                    self._session.view.placing = False
                self.lost.emit(name)
