"""`napari-fashion demo`: the app on sample garments; without a person, the main job by itself.

Without a person the same window does what a person would: predict, correct, export, retrain, and
predict with the new model. Screenshots of the window, the exported COCO file and a page that shows
them are left in a folder.
"""

from __future__ import annotations

import html
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_fashion.app.sample_data import FILE, photos_file, procedural_file
from napari_fashion.app.viewer.window import ANNOTATOR, RETRAIN, FashionWindow, window_of
from napari_fashion.coco import Dataset
from napari_fashion.datasets.photos import locate
from napari_fashion.datasets.procedural import demo_files
from napari_fashion.editing.workfiles import WorkFiles
from napari_fashion.errors import FashionError

HEADLESS = "NAPARI_FASHION_HEADLESS"
"""Environment variable: the display is not visible."""
SIZE = (1440, 900)
FOLDERS = ("data", "data/images", "runs")
"""In the output folder: what is annotated, and the retraining."""
SCREENSHOTS = (
    ("landmarks", "Landmarks, skeleton and category of every garment, each with its source"),
    ("pif", "PIF: where the model sees landmarks, and the vectors that point at them"),
    ("paf", "PAF: which landmarks belong together"),
    ("retrain", "Retraining, starting at the current model"),
    ("after", "The new model's prediction on another image"),
)


def run(
    *,
    headless: bool = False,
    output: Path = Path("demo-output"),
    samples_only: bool = False,
    copy_screenshots_to: Path | None = None,
    model: str = "bundled",
    epochs: int | None = None,
    notify: Callable[[str], None] = lambda text: None,
) -> Path | None:
    """Open the app on the photos if they are here, else on the procedural garments.

    Parameters
    ----------
    headless
        Do the main job without a person and end; also when NAPARI_FASHION_HEADLESS is set.
    output
        Folder for what a run without a person leaves.
    samples_only
        Procedural garments even if the photos are here.
    copy_screenshots_to
        Also copy the screenshots of the window to this folder.
    model
        The model to begin with.
    epochs
        Number of epochs of the retraining; by default 2 on the photos, 16 on the procedural garments.
    notify
        Takes a sentence about each step.

    Returns
    -------
    The page with the screenshots, if the window was not visible.
    """
    import napari

    headless = is_headless(headless)
    on_photos = _on_photos(samples_only)
    data = output / "data" if headless else None
    path = photos_file(data) if on_photos else procedural_file(data)
    if not headless:
        viewer = napari.Viewer(title="napari-fashion")
        window_of(viewer).session.model_source = model
        window_of(viewer).open(path)
        napari.run()
        return None

    for folder in WorkFiles(
        path
    ).folders:  # edits that a demo which was killed left; nobody could be asked
        shutil.rmtree(folder)
    from napari.settings import get_settings

    application = get_settings().application
    level = application.gui_notification_level
    application.gui_notification_level = "error"  # nothing may cover the window in the screenshots
    viewer = napari.Viewer(title="napari-fashion")
    try:
        viewer.window.resize(*SIZE)
        window = window_of(viewer)
        window.session.model_source = model
        window.show_dock(ANNOTATOR)
        tour = _Tour(window, output, epochs=epochs or (2 if on_photos else 16), notify=notify)
        tour.take(path)
    finally:
        application.gui_notification_level = level
        window_of(viewer).may_discard = lambda: True
        viewer.close()
    page = tour.write_page()
    if copy_screenshots_to is not None:
        copy_screenshots_to.mkdir(parents=True, exist_ok=True)
        for name, _ in SCREENSHOTS:
            shutil.copy(output / f"{name}.png", copy_screenshots_to / f"{name}.png")
    notify(f"Done in {tour.seconds:.0f} s. Open {page.resolve()}")
    return page


def is_headless(asked: bool) -> bool:
    """Whether the window is not visible."""
    return asked or bool(os.environ.get(HEADLESS))


def written(
    output: Path, copy_screenshots_to: Path | None, *, samples_only: bool = False
) -> list[Path]:
    """Return the files that a run without a person leaves, except for the run of the retraining.

    The run gets a folder of its own, which is not there yet.
    """
    names = [f"{name}.png" for name, _ in SCREENSHOTS]
    on_photos = _on_photos(samples_only)
    data = [output / "data" / name for name in (FILE, *(() if on_photos else demo_files()))]
    files = [*(output / name for name in (*names, "index.html", "export.json")), *data]
    return files + ([copy_screenshots_to / name for name in names] if copy_screenshots_to else [])


def _on_photos(samples_only: bool) -> bool:
    return locate() is not None and not samples_only


class _Tour:
    """The main job, step by step, on the window's own widgets."""

    def __init__(
        self, window: FashionWindow, output: Path, epochs: int, notify: Callable[[str], None]
    ) -> None:
        self.notify = notify
        self.window = window
        self.viewer = window.viewer
        self.output = output
        self.epochs = epochs
        self.notes: list[str] = []
        self.seconds = 0.0
        self._problem = ""
        output.mkdir(parents=True, exist_ok=True)
        window.session.message.connect(self._hear)

    def take(self, path: Path) -> None:
        """Do all of it."""
        began = time.monotonic()
        dock, session = self.window.show_dock(ANNOTATOR), self.window.session
        dock.open(path)
        editor = session.editor
        assert editor is not None
        empty = [i for i, image in enumerate(editor.dataset.images) if not image.garments]
        self.note(f"Opened {editor.n_images} images, {len(empty)} of them not annotated.")

        for index in empty:
            editor.go_to(index)
            dock.work.predict.click()
            self.wait(lambda: not self.window.predicting.running)
        found = sum(len(editor.dataset.images[i].garments) for i in empty)
        self.note(f"Predicted {found} garments on them with {_id(session.model)}.")

        shown = [i for i in empty if editor.dataset.images[i].garments]
        if not shown:
            raise FashionError("The model found no garment on any image.")
        editor.go_to(shown[0])
        self.correct(dock)
        editor.select(editor.garments[0].id)
        self.screenshot("landmarks")
        view = session.view
        editor.select(editor.garments[0].id, int(editor.garments[0].visibility.argmax()))
        for name in ("pif", "paf"):
            view.show_field(name)
            self.screenshot(name)
        view.show_field(None)
        editor.select(editor.garments[0].id)

        for index in empty:
            editor.go_to(index)
            if not editor.image.reviewed:
                self.window.actions.set_reviewed(True)
        target = self.output / "export.json"
        dock.export(target)
        exported = Dataset.load(target)
        count = len(exported.garments)
        self.note(f"Exported {count} garments on {len(exported.images)} images to export.json.")

        editor.go_to(shown[len(shown) // 2])
        self.retrain(dock)
        editor.go_to(shown[-1])
        self.window.actions.set_reviewed(False)
        dock.work.predict.click()
        self.wait(lambda: not self.window.predicting.running)
        self.note(f"Predicted with {_id(session.model)}.")
        self.screenshot("after")
        self.seconds = time.monotonic() - began

    def correct(self, dock: Any) -> None:
        """Move a landmark, hide one, choose a category, undo and redo."""
        actions, editor = self.window.actions, self.window.session.editor
        assert editor is not None
        garment = editor.garments[0]
        placed = [k for k, v in enumerate(garment.visibility) if v]
        editor.select(garment.id, placed[0])
        for _ in range(3):
            actions.nudge(1, 0)
        dock.landmarks.table.set_asked.emit(placed[-1], 1)
        dock.garments.rows[0].category.chosen.emit(garment.category)
        steps = [edit.label for edit in editor.history[-3:]]
        for _ in steps:
            dock.file.undo.click()
        for _ in steps:
            dock.file.redo.click()
        self.note(f"Corrected: {', '.join(steps)}; undone and redone.")

    def retrain(self, dock: Any) -> None:
        """Train further from the dock, and use the new model."""
        dock.work.retrain.click()
        panel = self.window.show_dock(RETRAIN)
        panel.runs_folder = self.output / "runs"
        panel.epochs.setValue(self.epochs)
        panel.retrain.click()
        self.wait(lambda: not self.window.training.running, seconds=1800)
        if panel.model_path is None:
            raise FashionError(f"Retraining failed: {self._problem}")
        self.screenshot("retrain")
        self.note(f"Retrained for {len(panel.curve.steps)} steps, NE {panel.metrics.text('ne')}.")
        old = self.window.session.model
        panel.use.click()
        self.wait(lambda: self.window.session.model is not old)
        self.window.show_dock(ANNOTATOR)

    def screenshot(self, name: str) -> None:
        """Save a screenshot of the whole window."""
        self.pump()
        self.viewer.screenshot(str(self.output / f"{name}.png"), canvas_only=False, flash=False)

    def note(self, text: str) -> None:
        """Remember what was done, and print it."""
        self.notes.append(text)
        self.notify(text)

    def wait(self, done: Callable[[], bool], seconds: float = 300) -> None:
        """Process events until a condition holds; FashionError if it takes too long."""
        from qtpy.QtCore import QCoreApplication, QEventLoop

        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                raise FashionError(f"Nothing happened for {seconds:.0f} s. {self._problem}")
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
            time.sleep(0.005)
        if self._problem:
            raise FashionError(self._problem)

    def pump(self) -> None:
        """Process events so that the window is drawn."""
        from qtpy.QtCore import QCoreApplication

        for _ in range(20):
            QCoreApplication.processEvents()

    def write_page(self) -> Path:
        """Write the page that shows what was done."""
        steps = "\n".join(f"<li>{html.escape(note)}</li>" for note in self.notes)
        screenshots = "\n".join(
            f'<figure><img src="{name}.png" alt="{html.escape(text)}">'
            f"<figcaption>{html.escape(text)}</figcaption></figure>"
            for name, text in SCREENSHOTS
        )
        page = self.output / "index.html"
        page.write_text(_PAGE.format(steps=steps, screenshots=screenshots), encoding="utf-8")
        return page

    def _hear(self, level: str, text: str) -> None:
        if level == "error":
            self._problem = text


def _id(model: Any) -> str:
    return "no model" if model is None else str(model.id)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>napari-fashion demo</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 3rem auto;
         padding: 0 1rem; color: #222; }}
  figure {{ margin: 2.5rem 0; }}
  img {{ max-width: 100%; border-radius: 6px; box-shadow: 0 2px 14px #0003; }}
  figcaption {{ color: #666; margin-top: .5rem; }}
</style>
<h1>napari-fashion</h1>
<p>One window: predict, correct, export, retrain. This is what it did just now;
the annotations are in <a href="export.json">export.json</a>, a COCO keypoint file.</p>
<ol>
{steps}
</ol>
{screenshots}
</html>
"""
