"""How work begins: the cards over the canvas, what was open last, and the sample photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QFileDialog, QMainWindow, QWidget

from napari_fashion.app import recent
from napari_fashion.app.jobs.fetch import FetchJob
from napari_fashion.app.offers import PHOTOS, Offer
from napari_fashion.app.sample_data import photos_file, procedural_file
from napari_fashion.app.viewer.window import FashionWindow
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.filing import Filing
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.roles import Palette
from napari_fashion.app.widgets.welcome import Welcome
from napari_fashion.datasets import photos
from napari_fashion.editing.opening import pending_of
from napari_fashion.errors import FashionError


class Beginning:
    """Shows the cards while nothing is open and the canvas is empty, and does what they offer.

    Parameters
    ----------
    dock
        Parent of the dialogs; what is followed is followed as long as it lives.
    """

    def __init__(
        self,
        window: FashionWindow,
        main_window: QMainWindow,
        filing: Filing,
        palette: Palette,
        dock: QWidget,
    ) -> None:
        self._window = window
        self._filing = filing
        self._dock = dock
        self.fetching: FetchJob = window.fetching
        self.welcome = Welcome(main_window.centralWidget(), palette)
        welcome = self.welcome
        welcome.folder_asked.connect(lambda: filing.open_asked(files.ask_open_folder))
        welcome.file_asked.connect(lambda: filing.open_asked(files.ask_open_file))
        welcome.sample_asked.connect(self._open_sample)
        welcome.photos_asked.connect(self.open_photos)
        welcome.opened.connect(lambda path: filing.open(Path(path)))
        welcome.located.connect(self._locate)
        follow(dock, window.session.opened, lambda *_: self.refresh())
        follow(dock, self.fetching.done, self._fetched)
        layers = window.viewer.layers.events
        layers.inserted.connect(self.refresh)
        layers.removed.connect(self.refresh)

    def refresh(self, *_: Any) -> None:
        """Show the cards, or take them away."""
        empty = self._window.session.editor is None and not len(self._window.viewer.layers)
        if empty and self._dock.isVisible():
            if not self.welcome.isVisible():
                self.welcome.show_over(_waiting())
        else:
            self.welcome.hide()

    def _open_sample(self) -> None:
        self._filing.open(procedural_file())

    def _locate(self, old: str) -> None:
        """Ask where a data set lies now, and open it."""
        start = next((p for p in Path(old).parents if p.is_dir()), Path.home())
        name, _ = QFileDialog.getOpenFileName(
            self._dock, f"Where is {Path(old).name} now?", str(start), files.COCO_FILES
        )
        if name:
            recent.replace_path(old, Path(name))
            self._filing.open(Path(name))

    # -- the sample photos -------------------------------------------------------------------

    def open_photos(self) -> None:
        """Open the sample photos; where they are not here yet, offer to fetch them."""
        if photos.locate() is not None:
            try:
                self._filing.open(photos_file())
            except FashionError as error:
                self._window.session.notify(str(error), "error")
            return
        offers = self._window.offers
        text = (
            "The sample photos (2,232 garments, CC0, some 60 MB) are not on this machine yet. Download "
            f"them to {photos.default_folder()}? On the command line: napari-fashion fetch"
        )

        def fetch() -> None:
            offers.withdraw(PHOTOS)
            self.fetching.start()

        choices = (("Download", fetch), ("Not now", lambda: offers.withdraw(PHOTOS)))
        offers.make(PHOTOS, Offer(text, (), choices))

    def _fetched(self, text: str, complete: bool) -> None:
        self._window.session.notify(text, "info" if complete else "warning")
        if complete and self._window.session.editor is None:
            self.open_photos()


def _waiting() -> str:
    """Return a sentence about changes of the latest data set that only its journal has."""
    for one in recent.read()[:1]:
        try:
            pending = pending_of(one.path)
        except (FashionError, OSError):
            return ""
        if pending is not None:
            name = Path(one.path).name
            return f"{name}: {pending} Open it to restore them or to put them aside."
    return ""
