"""The window with many landmarks: next image and selection with 294 beside 8, by real key and mouse events.

    scripts/with-display --virtual .venv/bin/python benchmarks/bench_window.py [--images 12] [--rounds 3]

Both files show drawn garments, one an image. They are opened in turns in one window; printed are medians,
from the event until the window has drawn, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_fashion.app.viewer.window import ANNOTATOR, window_of
from napari_fashion.datasets.procedural import write_dataset

SCHEMAS = {"8": "garments", "294": "deepfashion2"}
LEFT = Qt.MouseButton.LeftButton
NONE, CTRL = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier


class Window:
    """The window, and a person at it."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1440, 900)
        self.window = window_of(self.viewer)
        self.dock = self.window.show_dock(ANNOTATOR)
        self.canvas = self.viewer.window._qt_viewer.canvas.native
        self.drawn()

    @property
    def editor(self) -> Any:
        return self.window.session.editor

    def drawn(self) -> None:
        """Let the window draw all that is due."""
        for _ in range(5):
            QApplication.processEvents()

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifier)
        self.drawn()

    def click(self, xy: np.ndarray) -> None:
        at = self._where(xy)
        QTest.mouseMove(self.canvas, at)
        QTest.mousePress(self.canvas, LEFT, pos=at)
        QTest.mouseRelease(self.canvas, LEFT, pos=at)
        self.drawn()

    def _where(self, xy: np.ndarray) -> QPoint:
        """Return the place on the canvas of a place on the image, xy pixels."""
        centre = np.array(self.viewer.camera.center[-2:])
        size = np.array([self.canvas.height(), self.canvas.width()])
        y, x = size / 2 + (xy[::-1] - centre) * self.viewer.camera.zoom
        return QPoint(round(x), round(y))


def main() -> None:
    """Open both files in turns and print what the window takes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    found: dict[str, dict[str, list[float]]] = {count: {} for count in SCHEMAS}
    with tempfile.TemporaryDirectory() as folder:
        files = {
            count: write_dataset(
                Path(folder) / count, options.images, 11, scenes=0, empty=0, landmarks=schema
            )
            for count, schema in SCHEMAS.items()
        }
        window = Window()
        for turn in range(options.rounds + 1):
            for count, file in files.items():
                times = measure(window, file, options.images)
                if turn:  # the first round is a warm-up
                    for what, seconds in times.items():
                        found[count].setdefault(what, []).extend(seconds)
        window.window.may_discard = lambda: True
        window.viewer.close()
    table = {
        what: {count: statistics.median(found[count][what]) for count in SCHEMAS}
        for what in found["8"]
    }
    if options.json:
        print(json.dumps(table))
        return
    print(f"{'':<18}{'8, ms':>10}{'294, ms':>10}{'ratio':>8}")
    for what, by in table.items():
        few, many = by["8"], by["294"]
        print(f"{what:<18}{1000 * few:>10.1f}{1000 * many:>10.1f}{many / few:>8.2f}")


def measure(window: Window, file: Path, images: int) -> dict[str, list[float]]:
    """Return the seconds of opening a file, and of each step to an image, selection and move in it."""
    times: dict[str, list[float]] = {}

    def timed(what: str, do: Callable[[], None]) -> None:
        began = time.perf_counter()
        do()
        times.setdefault(what, []).append(time.perf_counter() - began)

    def opened() -> None:
        window.dock.open(file)
        window.drawn()

    timed("open", opened)
    for _ in range(images - 1):
        before = window.editor.image.id
        timed("next image", lambda: window.key(Qt.Key.Key_N))
        if window.editor.image.id == before:
            sys.exit("The key N did not show the next image.")
        (garment,) = window.editor.image.garments
        visible = np.flatnonzero(garment.visibility)
        for landmark in visible[[0, len(visible) // 2, -1]]:
            xy = garment.xy[landmark]
            timed("click a landmark", lambda xy=xy: window.click(xy))
            if window.editor.selection.landmark is None:
                sys.exit(f"A click at {xy} selected no landmark.")
            timed("next landmark", lambda: window.key(Qt.Key.Key_J))
        timed("move by a key", lambda: window.key(Qt.Key.Key_Right))
        if not window.editor.can_undo:
            sys.exit("The key Right moved no landmark.")
        timed("undo", lambda: window.key(Qt.Key.Key_Z, CTRL))
    return times


if __name__ == "__main__":
    main()
