"""One napari window: its session, actions, layers, keys and jobs, made once and shared by docks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMainWindow, QWidget

from napari_fashion.app.actions import Actions
from napari_fashion.app.comparing import Comparison
from napari_fashion.app.guard import Guard
from napari_fashion.app.jobs.export import ExportJob
from napari_fashion.app.jobs.fetch import FetchJob
from napari_fashion.app.jobs.fields import FieldsJob
from napari_fashion.app.jobs.predict import PredictJob, load_model
from napari_fashion.app.jobs.problems import ProblemsJob
from napari_fashion.app.jobs.train import TrainJob
from napari_fashion.app.jobs.train_processes import find_left_alone
from napari_fashion.app.keys import used_keymap
from napari_fashion.app.keys.fields import Fields
from napari_fashion.app.keys.listening import KeyListener
from napari_fashion.app.offers import Offers
from napari_fashion.app.replay import Replay
from napari_fashion.app.session import Predictor, Session
from napari_fashion.app.viewer.canvas import canvas_of
from napari_fashion.app.viewer.canvas_gestures import CanvasGestures
from napari_fashion.app.viewer.closing import CloseGuard
from napari_fashion.app.viewer.compare_paint import ComparePainter
from napari_fashion.app.viewer.layer_styles import KEY
from napari_fashion.app.viewer.layers import Layers
from napari_fashion.app.viewer.notice import NoticeCloser
from napari_fashion.app.viewer.replay_paint import ReplayPainter
from napari_fashion.app.viewer.zooming import Zooming
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.category_map import ask_category_map
from napari_fashion.app.widgets.saving import wait_until_saved
from napari_fashion.engine.train.runs import EVENTS
from napari_fashion.schema import Schema

PLUGIN = "napari-fashion"
ANNOTATOR = "Fashion annotator"
RETRAIN = "Retrain"


class FashionWindow:
    """Everything of ours that belongs to one viewer."""

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.session = Session()
        self.actions = Actions(self.session)
        self.offers = Offers(self.session, self.actions)  # follows before the layers draw
        self.layers = Layers(self.session, self.actions, viewer)
        self.predicting = PredictJob(self.session)
        self.computing = FieldsJob(self.session)
        self.training = TrainJob()
        self.checking = ProblemsJob()
        self.exporting = ExportJob(self.session)
        self.fetching = FetchJob()
        self.last_guard = Guard(lambda text: self.session.notify(text, "error"))
        self.may_discard: Callable[[], bool] = lambda: True
        """Whether edits that are not saved may go; the annotator dock asks the person."""
        self._stops_training = False
        self._guard: CloseGuard | None = None
        self._main_window: QWidget | None = None
        self._notice: NoticeCloser | None = None
        self._keys: KeyListener | None = None
        self._on_canvas: list[CanvasGestures | Zooming] = []
        self.replay = Replay(self.session)
        self.comparison = Comparison(self.session)
        self.offers.ask_map = lambda names, theirs: ask_category_map(
            self._main_window, names, theirs
        )
        self.offers.ask_folder = lambda start: files.ask_images_folder(self._main_window, start)
        self.offers.predict_again = lambda ids: self.predicting.start(only=ids)
        self.actions.predict_asked.connect(lambda everything: self.predict(everything=everything))
        self.actions.box_asked.connect(lambda box: self.predicting.start(box=box))
        self.actions.retrain_asked.connect(lambda: self.show_dock(RETRAIN))

    def predict(self, *, everything: bool = False) -> None:
        """Predict the shown image, or all."""
        self.predicting.start(everything=everything)

    def load_model(self, source: str) -> None:
        """Load a model in the background and use it."""
        create_worker(
            load_model,
            source,
            _connect={
                "returned": lambda model: self._use(model, source),
                "errored": lambda error: self.session.notify(str(error), "error"),
            },
        )

    def _use(self, model: Predictor, source: str) -> None:
        self.session.use_model(model, source)
        self.session.notify(f"{model.id} predicts from now on.")

    def show_dock(self, name: str) -> Any:
        """Open one of our docks, or bring it to the front where it is open; return its widget."""
        beside = name == RETRAIN  # a tab beside the annotator: both are high
        dock, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, name, tabify=beside)
        dock.setWindowTitle(name)  # neither tab nor title has room for more
        for label in dock.titleBarWidget().findChildren(QLabel):
            label.setText(name)
        dock.show()
        dock.raise_()
        return widget

    def open(self, path: Path) -> None:
        """Open a COCO file or a folder of images in the annotator."""
        self.show_dock(ANNOTATOR).open(path)

    def guard(self, main_window: QWidget) -> None:
        """Watch over the closing of the main window; once is enough."""
        if self._guard is None:
            self._main_window = main_window
            self.layers.shown.canvas = lambda: _inside(main_window)
            if isinstance(main_window, QMainWindow):
                self.layers.attach(main_window)
                self.layers.invite(
                    ReplayPainter(self.session, self.replay),
                    ComparePainter(self.session, self.comparison),
                )
            self._guard = CloseGuard(main_window, self._may_close, self._close)
            self._notice = NoticeCloser(main_window, self.session.notify)
            self._listen(main_window)
            self._find_training()

    def _listen(self, main_window: QWidget) -> None:
        """Take keys, and the mouse on the canvas."""
        keymap = used_keymap()
        canvas = canvas_of(main_window)
        if canvas is not None:
            self._on_canvas = [
                CanvasGestures(canvas, self.session, self.actions, self.layers),
                Zooming(canvas, self.session, self.actions, self.viewer),
            ]
        back = main_window if canvas is None else canvas
        fields = Fields(lambda: back.setFocus(Qt.FocusReason.OtherFocusReason))
        self._keys = KeyListener(main_window, self.actions, keymap, self._takes_keys, fields)
        if keymap.problem:
            self.session.notify(keymap.problem, "warning")

    def _takes_keys(self, always: bool) -> bool:
        """Whether keys are ours: not while a layer is active that is of others."""
        active = self.viewer.layers.selection.active
        ours = active is None or active.metadata.get(KEY) is self.session
        return ours and (always or self.session.editor is not None)

    def _find_training(self) -> None:
        """Follow a training that was left running when its window closed."""
        if self.training.running or (record := find_left_alone()) is None:
            return
        self.training.attach(record)
        what = "is still running" if record.process.alive else "has ended"
        self.session.notify(
            f"A training that an earlier window started {what}: see the dock {RETRAIN}."
        )

    def _may_close(self) -> bool:
        return self.may_discard() and self._may_leave_training()

    def _close(self) -> None:
        self.predicting.close()
        self.computing.close()
        self.checking.close()
        self.exporting.close()
        self.fetching.close()
        run, process = self.training.run, self.training.let_go()
        if self._stops_training and process is not None and run is not None:
            wait_until_saved(self._main_window, process, run / EVENTS)
        self.session.close()
        self.last_guard.close()
        if self._notice is not None:
            self._notice.stop()
        if _windows.pop(self.viewer, None) is not None:
            self.layers.close()
            for part in (self._keys, *self._on_canvas):
                if part is not None:
                    part.close()

    def _may_leave_training(self) -> bool:
        """Ask what becomes of a training that runs; it is stopped once every window has agreed."""
        self._stops_training = False
        if not self.training.running:
            return True
        answer = files.ask_training(self._main_window)
        self._stops_training = answer == "stop"
        return answer is not None


def _inside(main_window: QWidget) -> tuple[int, int]:
    """Return width and height of what is between the docks, in pixels of the screen."""
    middle = main_window.centralWidget() if isinstance(main_window, QMainWindow) else main_window
    ratio = middle.devicePixelRatioF()
    return round(middle.width() * ratio), round(middle.height() * ratio)


_windows: dict[Any, FashionWindow] = {}


def run_window(
    path: Path,
    *,
    model: str = "bundled",
    images: Path | None = None,
    allow_roots: Sequence[Path] = (),
    schema: Schema | None = None,
) -> None:
    """Open a file or a folder in a window of its own; return when it is closed.

    Parameters
    ----------
    path
        COCO file, results of a prediction, or a folder of images.
    model
        What predicts: ``"bundled"`` or the path of a model.
    images
        Folder of a COCO file's images, if it is not the one that the file notes.
    allow_roots
        Folders beyond the data set's that its images may lie in.
    schema
        What the landmarks of a folder of images are; by default the window asks.
    """
    import napari

    viewer = napari.Viewer(title="napari-fashion")
    window = window_of(viewer)
    window.session.model_source = model
    window.session.image_root = images
    window.session.allow_roots = tuple(allow_roots)
    window.session.folder_schema = schema
    window.open(path)
    napari.run()


def window_of(viewer: Any) -> FashionWindow:
    """Return what belongs to a viewer, making it on the first call."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # docks are given a proxy of it
    if viewer not in _windows:
        _windows[viewer] = FashionWindow(viewer)
    return _windows[viewer]
