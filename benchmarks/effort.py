"""Gestures an image: predictions are corrected to the truth by real key and mouse events, and counted.

    X="scripts/with-display --virtual .venv/bin/python benchmarks/effort.py"
    $X photos:test --images 100 --model bundled
    $X people:test --images 40 --model people
    $X photos:test --images 100 --from-nothing

The first images of a data set are predicted without a window, opened in the annotator, and put right as a
person would who knows the truth and the keys: what is wrong is looked for anew after each correction
(`editing.corrections`), so that a gesture which does not do its work shows as a failure. A drag, a key
(with the keys held beside it) and a click count as one gesture each; typing a category counts each key.
A landmark is right within 2 % of the sides of the garment's box, or a pixel of the screen.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from napari_fashion.app.actions.choices import TOP, category_candidates
from napari_fashion.app.viewer.window import ANNOTATOR, window_of
from napari_fashion.cli import main as napari_fashion
from napari_fashion.coco import Dataset, Garment
from napari_fashion.datasets.opening import open_source
from napari_fashion.datasets.source import Source
from napari_fashion.editing.comparison import Pair, Reading, compare
from napari_fashion.editing.corrections import Correction, corrections

LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
MOST = 80
"""Corrections of one image; more are a failure."""


class Person:
    """A person at the window; every gesture is counted."""

    def __init__(self) -> None:
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1366, 768)
        self.window = window_of(self.viewer)
        self.dock = self.window.show_dock(ANNOTATOR)
        self.canvas = self.viewer.window._qt_viewer.canvas.native
        self.counts: Counter[str] = Counter()
        self.see()

    @property
    def editor(self) -> Any:
        """The window's editor."""
        return self.window.session.editor

    @property
    def focus(self) -> QWidget:
        """Where the keyboard is: in an open list, else on the image (there is no window manager to ask)."""
        popup = QApplication.activePopupWidget()
        return self.canvas if popup is None else popup.field

    def see(self) -> None:
        """Let the window draw."""
        for _ in range(4):
            QApplication.processEvents()

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NONE) -> None:
        """Press a key where the keyboard is."""
        self.counts["key"] += 1
        QTest.keyClick(self.focus, key, modifier)
        self.see()

    def type(self, text: str) -> None:
        """Type, a key a letter."""
        for letter in text:
            self.counts["key"] += 1
            QTest.keyClicks(self.focus, letter)
        self.see()

    def hover(self, xy: Any) -> None:
        """Move the pointer: what a hand does on its way, not counted."""
        QTest.mouseMove(self.canvas, self.where(xy))
        self._move(self.where(xy), Qt.MouseButton.NoButton)
        self.see()

    def click(self, xy: Any) -> None:
        """Click on the image."""
        self.counts["click"] += 1
        self.hover(xy)
        QTest.mousePress(self.canvas, LEFT, pos=self.where(xy))
        QTest.mouseRelease(self.canvas, LEFT, pos=self.where(xy))
        self.see()

    def drag(self, start: Any, end: Any) -> None:
        """Press, move in steps, and let go."""
        self.counts["drag"] += 1
        start, end = np.asarray(start, float), np.asarray(end, float)
        self.hover(start)
        QTest.mousePress(self.canvas, LEFT, pos=self.where(start))
        for share in (0.25, 0.5, 0.75, 1.0):
            self._move(self.where(start + share * (end - start)), LEFT)
            QTest.qWait(15)  # napari drops moves that follow within 5 ms: a hand is slower
        QTest.mouseRelease(self.canvas, LEFT, pos=self.where(end))
        self.see()

    def choose_row(self, landmark: int) -> None:
        """Click on a landmark's row in the dock."""
        self.counts["click"] += 1
        table = self.dock.landmarks.table
        rows = [one.landmark for one in table.rows.rows]
        if landmark not in rows:
            return  # the category cannot have it
        row = rows.index(landmark)
        at = table.visualRect(table.model().index(row, 1)).center()
        QTest.mouseClick(table.viewport(), LEFT, pos=at)
        self.see()

    def popup(self) -> Any:
        """Return the open list of categories."""
        return QApplication.activePopupWidget()

    def reviewed(self, image_id: Any) -> bool:
        """Return whether an image is reviewed."""
        return self.editor.dataset.image(image_id).reviewed

    def wait_until(self, done: Callable[[], bool], seconds: float = 60) -> None:
        """Let the window work until something is so."""
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            QTest.qWait(20)

    def where(self, xy: Any) -> QPoint:
        """Return the place on the canvas of a place on the image, xy pixels."""
        centre = np.array(self.viewer.camera.center[-2:])
        size = np.array([self.canvas.height(), self.canvas.width()])
        y, x = size / 2 + (np.asarray(xy, float)[::-1] - centre) * self.viewer.camera.zoom
        return QPoint(round(x), round(y))

    def _move(self, at: QPoint, held: Qt.MouseButton) -> None:
        event = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), held, held, NONE)
        QApplication.sendEvent(self.canvas, event)


# -- what a person does about each kind of mistake ----------------------------------------------


def correct(person: Person, correction: Correction, *, again: bool) -> None:
    """Make one correction by the fewest gestures.

    Parameters
    ----------
    again
        The same was tried before and did not help: a garment is then added by hand, not by a box.
    """
    kind, true, k = correction.kind, correction.truth, correction.landmark
    if kind == "add":
        assert true is not None
        add(person, true, by_hand=again)
        return
    select(person, correction.garment_id)
    garment = person.editor.selected_garment
    if kind == "delete":
        person.key(Qt.Key.Key_Delete, Qt.KeyboardModifier.ShiftModifier)
        return
    assert true is not None
    if kind == "category":
        choose_category(person, true.category_name)
        return
    assert k is not None
    if kind == "move":
        person.drag(garment.xy[k], true.xy[k])
    elif kind == "place":
        place(person, k, true)
    else:
        wanted = 0 if kind == "remove" else int(true.visibility[k])
        pick(person, garment.xy[k], k)
        person.key({0: Qt.Key.Key_G, 1: Qt.Key.Key_F, 2: Qt.Key.Key_D}[wanted])


def swapped(person: Person, truth: list[Garment]) -> Any:
    """Return a garment most of whose landmarks are right once left and right are exchanged, or None."""
    garments, flips = person.editor.garments, np.array(person.editor.dataset.schema.flips)
    for pair in compare(*([Reading.of_file(one) for one in side] for side in (garments, truth))):
        if pair.ours is None or pair.theirs is None:
            continue
        ours, theirs = garments[pair.ours], Reading.of_file(truth[pair.theirs])
        turned = Reading(ours.xy[flips], ours.visibility[flips], ours.category_name)
        other = compare([turned], [theirs])[0]
        if _wrong(pair) - _wrong(other) >= 4:
            return ours.id
    return None


def _wrong(pair: Pair) -> int:
    """Return how many landmarks lie apart, or are in one reading alone."""
    return int((pair.far | (pair.in_ours != pair.in_theirs)).sum())


def select(person: Person, garment_id: Any) -> None:
    """Select a garment by its number."""
    editor = person.editor
    if editor.selection.garment_id != garment_id:
        number = [garment.id for garment in editor.garments].index(garment_id) + 1
        person.key(getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.AltModifier)


def pick(person: Person, xy: Any, landmark: int) -> None:
    """Let keys act on a landmark: the selected one, or the one that the pointer comes onto."""
    if person.editor.selection.landmark != landmark:
        person.hover(xy)


def place(person: Person, landmark: int, true: Garment) -> None:
    """Place a missing landmark: the next one by a key and a click, another by its row first."""
    missing = person.window.actions.missing(person.editor.selected_garment)
    if not person.window.session.view.placing:
        if person.editor.selection.landmark != landmark and missing[:1] != [landmark]:
            person.choose_row(landmark)
        person.key(Qt.Key.Key_P)
    elif person.editor.selection.landmark != landmark:
        person.choose_row(landmark)
    person.click(true.xy[landmark])


def choose_category(person: Person, name: str) -> None:
    """Choose a category: by the digit of the model's first ones, else by the letters that it needs."""
    garment = person.editor.selected_garment
    names = person.editor.dataset.schema.category_names
    order = [names[i] for i in category_candidates(garment.category_scores, names)]
    if name in order[:TOP]:
        person.key(
            getattr(Qt.Key, f"Key_{order.index(name) + 1}"), Qt.KeyboardModifier.ControlModifier
        )
        return
    person.key(Qt.Key.Key_C)
    popup = person.popup()
    offered = [_name(popup.list.item(i).text()) for i in range(popup.list.count())]
    if name not in offered:
        person.key(Qt.Key.Key_Escape)
        return
    typed = next(n for n in range(1, len(name) + 1) if first_of(offered, name[:n]) == name)
    person.type(name[:typed].lower())
    person.key(Qt.Key.Key_Return)


def _name(text: str) -> str:
    """Return the category of a row such as "1  Dress   72 %"."""
    return re.sub(r"^\d  |   \d+ %$", "", text)


def first_of(offered: list[str], typed: str) -> str:
    """Return the row that is marked after some letters, as a person foresees it."""
    found = [name for name in offered if typed.casefold() in name.casefold()]
    found.sort(key=lambda name: not name.casefold().startswith(typed.casefold()))
    return found[0] if found else ""


def add(person: Person, true: Garment, *, by_hand: bool) -> None:
    """Add a garment: a box in which it is predicted, or by hand where that did not help."""
    shift = Qt.KeyboardModifier.ShiftModifier
    number = len(person.editor.garments)
    if not by_hand:
        placed = true.xy[true.visibility > 0]
        low, high = placed.min(axis=0), placed.max(axis=0)
        person.key(Qt.Key.Key_O, shift)
        person.drag(low, high)
        person.wait_until(lambda: len(person.editor.garments) > number)
        return
    person.key(Qt.Key.Key_O)
    if person.editor.selected_garment.category_name != true.category_name:
        choose_category(person, true.category_name)
        if not person.window.session.view.placing:
            person.key(Qt.Key.Key_P)
    for k in np.flatnonzero(true.visibility).tolist():
        if person.editor.selection.landmark != k:
            person.choose_row(k)
        person.click(true.xy[k])
    if person.window.session.view.placing:
        person.key(Qt.Key.Key_Escape)


def put_right(person: Person, image_id: Any, truth: list[Garment], tolerance: float) -> str:
    """Correct the image in view and accept it; return what could not be put right."""
    tried: Counter[tuple[Any, ...]] = Counter()
    pixel = 1 / person.viewer.camera.zoom
    for _ in range(MOST):
        shown = person.editor.garments
        if (mirrored := swapped(person, truth)) is not None and not tried[mirrored]:
            tried[mirrored] += 1
            select(person, mirrored)
            person.key(Qt.Key.Key_M)
            continue
        # Landmarks are placed last: placing goes on by itself from one to the next.
        found = sorted(
            corrections(shown, truth, tolerance, pixel), key=lambda one: one.kind == "place"
        )
        if not found:
            break
        first = found[0]
        what = (first.kind, first.garment_id, first.landmark)
        tried[what] += 1
        if tried[what] > 2:
            return f"{first.kind} of {first.landmark}"
        correct(person, first, again=tried[what] > 1)
    else:
        return "too many corrections"
    if person.window.session.view.placing:
        person.key(Qt.Key.Key_Escape)
    person.key(Qt.Key.Key_Space)
    person.see()
    return "" if person.reviewed(image_id) else "not accepted"


def main() -> None:
    """Predict, correct, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("data", help="photos:test, people:test or a COCO file")
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--from-nothing", action="store_true", help="no prediction is made before")
    parser.add_argument("--tolerance", type=float, default=0.02, help="share of the box's sides")
    parser.add_argument("--json", type=Path, help="also write the counts of each image")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # what is opened is nobody's recent work
        truth, file = _work(options, Path(folder))
        person = Person()
        person.window.session.model_source = options.model
        person.dock.open(file)
        rows = [_image(person, truth, image.id, options.tolerance) for image in truth.images]
        print(_table(rows))
        if options.json is not None:
            options.json.write_text(json.dumps(rows, indent=1) + "\n")
        person.window.may_discard = lambda: True
        person.viewer.close()


def _image(person: Person, truth: Dataset, image_id: Any, tolerance: float) -> dict[str, Any]:
    if person.editor.image_id != image_id:  # accepting goes on to the next by itself
        person.editor.go_to_image(image_id)
        person.see()
    person.counts = Counter()
    failure = put_right(person, image_id, truth.garments_of(image_id), tolerance)
    name = truth.image(image_id).file_name
    return {
        "image": name,
        "failure": failure,
        **{k: person.counts[k] for k in ("drag", "key", "click")},
    }


def _work(options: argparse.Namespace, folder: Path) -> tuple[Dataset, Path]:
    """Return the truth of the first images, and a file of them as they are opened."""
    whole = open_source(Source(file=options.data))
    truth = whole.subset([image.id for image in whole.images][: options.images])
    document = truth.to_document()
    document["annotations"] = []
    (folder / "images").mkdir()
    for record, image in zip(document["images"], truth.images, strict=True):
        record["file_name"] = f"{image.id}{image.path.suffix}"
        shutil.copy(image.path, folder / "images" / record["file_name"])
    empty = folder / "images.json"
    empty.write_text(json.dumps(document))
    if options.from_nothing:
        return truth, empty
    work = folder / "predicted.json"
    given = [
        "--images",
        str(folder / "images"),
        "--annotations",
        str(work),
        "--model",
        options.model,
    ]
    if status := napari_fashion(["predict", str(empty), *given, "--quiet"]):
        raise SystemExit(f"predict ended with status {status}.")
    return truth, work


def _table(rows: list[dict[str, Any]]) -> str:
    done = [row for row in rows if not row["failure"]]
    sums = [row["drag"] + row["key"] + row["click"] for row in done]
    parts = {kind: statistics.mean(row[kind] for row in done) for kind in ("drag", "key", "click")}
    lines = [
        f"{len(done)} of {len(rows)} images put right",
        f"gestures an image: mean {statistics.mean(sums):.2f}, median {statistics.median(sums):g}, "
        f"most {max(sums)}",
        ", ".join(f"{kind}s {mean:.2f}" for kind, mean in parts.items()),
    ]
    lines += [f"not put right: {row['image']}: {row['failure']}" for row in rows if row["failure"]]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
