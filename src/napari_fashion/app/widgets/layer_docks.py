"""napari's docks of layers: folded while the annotator is in use, unless a person wants them."""

from __future__ import annotations

import json

from qtpy.QtWidgets import QDockWidget, QWidget

from napari_fashion.documents import read_json
from napari_fashion.errors import FashionError
from napari_fashion.files import atomic_write
from napari_fashion.paths import config_folder

NAMES = ("layer controls", "layer list")
_FILE = "window.json"


class LayerDocks:
    """Hides them, and gives them back.

    Attributes
    ----------
    wanted
        Whether a person wants them beside the annotator; remembered.
    """

    def __init__(self, main_window: QWidget) -> None:
        self._docks = [
            dock for name in NAMES if (dock := main_window.findChild(QDockWidget, name)) is not None
        ]
        self._folded: list[QDockWidget] = []
        self.wanted = _remembered()

    def fold(self) -> None:
        """Hide those that are shown, unless they are wanted."""
        if not self.wanted:
            self._folded += [dock for dock in self._docks if not dock.isHidden()]
            for dock in self._docks:
                dock.hide()

    def unfold(self) -> None:
        """Show again what was hidden here."""
        for dock in self._folded:
            dock.show()
        self._folded.clear()

    def choose(self, shown: bool) -> None:
        """Show or hide them as a person wants it, now and from now on."""
        self.wanted = shown
        if shown:
            for dock in self._docks:
                dock.show()
            self._folded.clear()
        else:
            self.fold()
        text = json.dumps({"layer_docks": shown})
        try:
            atomic_write(config_folder() / _FILE, text.encode())
        except (OSError, FashionError):
            return  # the choice holds for this window


def _remembered() -> bool:
    try:
        document = read_json(config_folder() / _FILE, FashionError)
    except FashionError:
        return False
    return isinstance(document, dict) and document.get("layer_docks") is True
