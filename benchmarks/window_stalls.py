"""Stalls of the window in a scripted day: open, predict all, correct, export, by real keys.

    scripts/with-display --virtual .venv/bin/python benchmarks/window_stalls.py [--images 40]

A timer ticks on the GUI thread every 10 ms; where it comes late, the window stood still. A second thread
notes what ran then. A step of a key counts as a stall as well, its drawing included.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from qtpy.QtCore import Qt, QTimer
from qtpy.QtTest import QTest
from window_worker import Window

from napari_fashion.datasets.procedural import write_dataset

TICK = 0.010
LONG = 0.100


@dataclass
class Gap:
    """A time in which the GUI thread did nothing else."""

    stage: str
    seconds: float
    ran: Counter[str] = field(default_factory=Counter)


class Watch:
    """Notes when the GUI thread is held up, and by what."""

    def __init__(self) -> None:
        self.stage = "start"
        self.gaps: list[Gap] = []
        self._last = time.perf_counter()
        self._ran: Counter[str] = Counter()
        self._gui = threading.get_ident()
        self._ends = threading.Event()
        self._timer = QTimer()
        self._timer.setInterval(round(1000 * TICK))
        self._timer.timeout.connect(self._tick)
        self._timer.start()
        threading.Thread(target=self._sample, daemon=True).start()

    def close(self) -> None:
        self._ends.set()
        self._timer.stop()

    def _tick(self) -> None:
        now = time.perf_counter()
        if now - self._last > LONG:
            self.gaps.append(Gap(self.stage, now - self._last, self._ran))
        self._last, self._ran = now, Counter()

    def _sample(self) -> None:
        while not self._ends.wait(TICK):
            if time.perf_counter() - self._last > 2 * TICK:
                frames = traceback.extract_stack(sys._current_frames()[self._gui])
                ours = [f for f in frames if "napari_fashion" in f.filename] or frames
                self._ran[f"{Path(ours[-1].filename).name}:{ours[-1].name}"] += 1


def main() -> None:
    """Spend the day and print its stalls."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--model", default="bundled")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CONFIG_HOME"] = folder  # what is opened is nobody's recent work
        file = write_dataset(Path(folder) / "day", options.images, 5)
        window = Window()
        watch = Watch()
        window.window.session.model_source = options.model
        day(window, watch, file)
        watch.close()
        window.window.may_discard = lambda: True
        window.viewer.close()
    stages = Counter(gap.stage for gap in watch.gaps)
    print(f"{len(watch.gaps)} stalls over {1000 * LONG:.0f} ms: {dict(stages)}")
    for gap in sorted(watch.gaps, key=lambda gap: -gap.seconds)[:25]:
        ran = ", ".join(f"{what} {n}" for what, n in gap.ran.most_common(3))
        print(f"{1000 * gap.seconds:6.0f} ms  {gap.stage:<12} {ran}")


def day(window: Window, watch: Watch, file: Path) -> None:
    """Open, predict all, correct every image, export."""
    watch.stage = "open"
    window.dock.open(file)
    window.rest(2)
    editor, predicting = window.editor, window.window.predicting
    watch.stage = "predict all"
    window.window.predict(everything=True)
    while predicting.running:
        window.rest(0.1)
    window.rest(1)
    watch.stage = "correct"
    window.canvas.setFocus()
    for _ in range(editor.n_images - 1):
        for key in (Qt.Key.Key_E, Qt.Key.Key_L, Qt.Key.Key_D, Qt.Key.Key_E, Qt.Key.Key_F):
            QTest.keyClick(window.canvas, key)
            window.rest(0.12)
        QTest.keyClick(window.canvas, Qt.Key.Key_N)
        window.rest(0.25)
    if not editor.can_undo:
        raise SystemExit("no key has corrected anything")
    watch.stage = "save"
    editor.save()
    window.rest(0.5)
    watch.stage = "export"
    window.dock.export(file.with_name("export.json"))
    window.rest(1)


if __name__ == "__main__":
    main()
