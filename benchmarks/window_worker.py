"""The window of one checkout at the hands of a person; `bench_window.py` starts it and tells it what to do.

It reads one JSON list a line, a scenario and its arguments, and answers with one JSON line: the seconds
of each kind of step, from the event until a frame that shows what came of it has been drawn.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

try:
    from napari_fashion.app.viewer.window import ANNOTATOR, window_of
except ImportError:  # as it was called earlier
    from napari_fashion.app.window import ANNOTATOR, window_of

warnings.simplefilter("ignore")
LEFT = Qt.MouseButton.LeftButton
NO_BUTTON = Qt.MouseButton.NoButton
NONE = Qt.KeyboardModifier.NoModifier
LONGEST = 5.0
"""Seconds that a step may take."""
Times = dict[str, list[float]]


class Window:
    """The window, and a person at it."""

    def __init__(self, size: tuple[int, int] = (1366, 768)) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*size)
        self.window = window_of(self.viewer)
        self.dock = self.window.show_dock(ANNOTATOR)
        self.canvas = self.viewer.window._qt_viewer.canvas.native
        self._is_shown: Callable[[], bool] = lambda: False
        self._seen: float | None = None
        self.canvas.frameSwapped.connect(self._on_frame)
        self.rest(0.5)

    def _on_frame(self) -> None:
        if self._seen is None and self._is_shown():
            self._seen = time.perf_counter()

    @property
    def editor(self) -> Any:
        return self.window.session.editor

    def rest(self, seconds: float = 0.15) -> None:
        """Let the window do what it does while a person looks."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.001)

    def until(self, is_shown: Callable[[], bool], act: Callable[[], None]) -> float:
        """Return the seconds from an act to the first frame that was drawn while something was so."""
        self._is_shown, self._seen = is_shown, None
        began = time.perf_counter()
        act()
        while self._seen is None:
            if time.perf_counter() - began > LONGEST:
                raise SystemExit(
                    f"after {LONGEST} s the window has not drawn what came of an event"
                )
            QApplication.processEvents()
        return self._seen - began

    def press(self, key: Qt.Key, is_shown: Callable[[], bool], modifier: Any = NONE) -> float:
        """Press a key; return the seconds until a frame shows what came of it."""
        self.canvas.setFocus()
        took = self.until(is_shown, lambda: QTest.keyPress(self.canvas, key, modifier))
        QTest.keyRelease(self.canvas, key, modifier)
        return took

    def drag(self, xy: Any, by: Any, is_shown: Callable[[], bool]) -> float:
        """Drag what lies at xy pixels; return the seconds from the release to pixels."""
        start, end = QPointF(self.where(xy)), QPointF(self.where(np.array(xy) + by))
        self._mouse(QEvent.Type.MouseMove, start)
        self.rest(0.03)
        self._mouse(QEvent.Type.MouseButtonPress, start, LEFT, LEFT)
        for share in (0.3, 0.7, 1.0):
            self._mouse(QEvent.Type.MouseMove, start + (end - start) * share, NO_BUTTON, LEFT)
            self.rest(0.02)
        release = QEvent.Type.MouseButtonRelease
        return self.until(is_shown, lambda: self._mouse(release, end, LEFT))

    def _mouse(
        self, kind: QEvent.Type, at: QPointF, button: Any = NO_BUTTON, held: Any = NO_BUTTON
    ) -> None:
        """Send an event of the mouse; the display's own pointer may lie on the other window."""
        everywhere = self.canvas.mapToGlobal(at.toPoint())
        event = QMouseEvent(kind, at, QPointF(everywhere), button, held, NONE)
        QApplication.sendEvent(self.canvas, event)

    def where(self, xy: Any) -> QPoint:
        """Return the place on the canvas of a place on the image, xy pixels."""
        centre = np.array(self.viewer.camera.center[-2:])
        size = np.array([self.canvas.height(), self.canvas.width()])
        y, x = size / 2 + (np.array(xy)[::-1] - centre) * self.viewer.camera.zoom
        return QPoint(round(x), round(y))

    # -- what is shown -----------------------------------------------------------------------

    def shows_image(self, before: Any) -> bool:
        """Whether the layers have another image than `before`, and its garments."""
        layers = self.viewer.layers
        if layers["image"].data is before:
            return False
        placed = sum(int((g.visibility > 0).sum()) for g in self.editor.garments)
        return len(layers["landmarks"].data) == placed

    def point_at(self, xy: Any) -> bool:
        """Whether a landmark is drawn at xy pixels."""
        points = self.viewer.layers["landmarks"].data
        return bool(len(points)) and bool((abs(points - np.array(xy)[::-1]).max(1) < 0.01).any())


def step_images(window: Window, file: str, pause: float, steps: int) -> Times:
    """Go through images by the key N."""
    open_file(window, file)
    times: list[float] = []
    for _ in range(min(steps, window.editor.n_images - 1)):
        before, image_id = window.viewer.layers["image"].data, window.editor.image_id
        times.append(window.press(Qt.Key.Key_N, lambda b=before: window.shows_image(b)))
        if window.editor.image_id == image_id:
            raise SystemExit("the key N did not show the next image")
        window.rest(pause)
    return {"next image": times}


def fields(window: Window, file: str, parts: list[str], pause: float, steps: int) -> Times:
    """Go through images with fields shown, which the bundled model has computed before."""
    from napari_fashion.images import read_image

    open_file(window, file)
    session = window.window.session
    if session.model is None:
        session.use_model(_load(), "bundled")
    ids = list(window.editor.image_ids)[: steps + 1]
    kept = _FIELDS.setdefault(file, {})
    for image_id in ids:
        if image_id not in kept:
            image = read_image(window.editor.dataset.image(image_id).path)
            kept[image_id] = session.model.predict_with_fields([image])[0][0]
        session.keep_fields(image_id, kept[image_id])
    for part in parts:
        setattr(session.view, part, True)
    window.rest(0.3)
    times: list[float] = []
    for image_id in ids[1:]:
        before = window.viewer.layers["image"].data
        session.keep_fields(image_id, kept[image_id])
        window.rest(0.02)
        times.append(window.press(Qt.Key.Key_N, lambda b=before: window.shows_image(b)))
        window.rest(pause)
    for part in parts:
        setattr(session.view, part, False)
    window.rest(0.2)
    return {"next image, " + " and ".join(parts): times}


def drags(window: Window, file: str, steps: int) -> Times:
    """Drag landmarks and take that back."""
    open_file(window, file)
    times: list[float] = []
    for _ in range(steps):
        (garment, *_) = window.editor.garments
        visible = np.flatnonzero(garment.visibility)
        landmark = int(visible[len(visible) // 2])
        xy = np.array(garment.xy[landmark])
        moved = lambda k=landmark: np.array(window.editor.garments[0].xy[k])  # noqa: E731
        took = window.drag(
            xy,
            (9.0, 6.0),
            lambda xy=xy, moved=moved: (moved() != xy).any() and window.point_at(moved()),
        )
        times.append(took)
        window.rest()
        window.press(
            Qt.Key.Key_Z,
            lambda xy=xy: window.point_at(xy),
            Qt.KeyboardModifier.ControlModifier,
        )
        window.rest()
    return {"drag release": times}


def select(window: Window, file: str, steps: int) -> Times:
    """Go through the landmarks of a garment by a key."""
    open_file(window, file)
    times: list[float] = []
    key = _next_landmark_key(window)
    for _ in range(steps):
        before = window.editor.selection.landmark
        times.append(window.press(key, lambda b=before: window.editor.selection.landmark != b))
        window.rest(0.1)
    return {"next landmark": times}


def _next_landmark_key(window: Window) -> Qt.Key:
    for key in (Qt.Key.Key_E, Qt.Key.Key_J):
        before = window.editor.selection
        QTest.keyClick(window.canvas, key)
        window.rest(0.2)
        if window.editor.selection.landmark not in (None, before.landmark):
            return key
    raise SystemExit("no key selected the next landmark")


def open_file(window: Window, file: str) -> None:
    """Open a file at its first image."""
    window.window.may_discard = lambda: True
    window.window.session.open(Path(file))
    window.rest(0.6)


_FIELDS: dict[str, dict[Any, Any]] = {}


def _load() -> Any:
    from napari_fashion.engine.model_set import load_model

    return load_model("bundled")


SCENARIOS: dict[str, Callable[..., Times]] = {
    "step": step_images,
    "fields": fields,
    "drags": drags,
    "select": select,
}


def main() -> None:
    """Do what standard input says."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        window = Window()
        print("{}", file=answers, flush=True)
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            print(name, *arguments)
            print(json.dumps(SCENARIOS[name](window, *arguments)), file=answers, flush=True)
        window.window.may_discard = lambda: True
        window.viewer.close()


if __name__ == "__main__":
    main()
