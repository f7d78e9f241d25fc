"""The dock "Retrain": train the current model further, watch it, and choose."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
)

from napari_fashion.app.jobs.retraining import (
    RetrainOptions,
    corrected_images,
    new_run_folder,
    prepare,
)
from napari_fashion.app.widgets.dock import Dock
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.loss_curve import LossCurve
from napari_fashion.app.widgets.messages import MessageLine
from napari_fashion.app.widgets.metrics import MetricsTable
from napari_fashion.app.widgets.notices import NoticeList
from napari_fashion.app.widgets.style import (
    MARGIN,
    SPACING,
    faint,
    guard_wheel,
    repolish,
    rule,
    section,
    shrinking,
)
from napari_fashion.app.widgets.verdict import VerdictBox
from napari_fashion.documents import shortened
from napari_fashion.engine.train.events import (
    CompareEvent,
    DivergenceEvent,
    DoneEvent,
    EpochEvent,
    LeftOutEvent,
    NoticeEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
    TrainEvent,
    Verdict,
)
from napari_fashion.errors import FashionError

FORGETTING = (
    "The model sees only what you corrected and may forget the rest. Prefer all annotated images."
)
CANCEL_TIPS = {
    False: "Save what is learned so far and stop",
    True: "End at once, without saving; what was saved before stays",
}
"""By whether the training has been asked to stop already."""
AS_NEEDED = "as needed"
"""What the number of epochs says if the engine chooses it."""
PROGRESS = 1000
"""Steps of the progress bar."""
MESSAGE_LETTERS = 2000


class RetrainDock(Dock):
    """Settings, progress, curve, figures, and which model to go on with."""

    wide = 376

    def __init__(self, napari_viewer: Any) -> None:
        self.curve = LossCurve()
        super().__init__(napari_viewer)
        self.job = self.window_state.training
        self.model_path: Path | None = None
        self.runs_folder: Path | None = None
        """Where runs are kept; None: the user's data folder."""
        self._since = (0.0, 0)
        """When the pace began to be measured, and at which step."""
        self._steps = 0
        self._val_images = 0
        self._stopping = False
        self._make_form(RetrainOptions())
        self._make_progress()
        self._lay_out()
        self._connect()
        guard_wheel(self)
        self.apply_theme()
        self._catch_up()

    def _catch_up(self) -> None:
        """Show a training that is followed since before the dock was opened."""
        for event in self.job.history:
            self.on_event(event)
        if self.job.failure:
            self._on_failed(self.job.failure)
        if self.job.running:
            self.refresh()
        else:
            self._on_finished()

    def _make_form(self, defaults: RetrainOptions) -> None:
        self.start_from = shrinking(QLabel())
        self.what = QComboBox()
        self.what.addItem("All annotated images", "all")
        self.what.addItem("Corrected ones only", "corrected")
        self.epochs = QSpinBox()
        self.epochs.setRange(0, 1000)
        self.epochs.setSpecialValueText(AS_NEEDED)
        self.epochs.setValue(defaults.epochs or 0)
        self.epochs.setToolTip(
            "Passes over the images. As needed: ten, and up to thirty for few images."
        )
        self.rate = QDoubleSpinBox()
        self.rate.setDecimals(5)
        self.rate.setRange(0.00001, 0.1)
        self.rate.setSingleStep(0.00001)
        self.rate.setValue(defaults.lr)
        self.share = QSpinBox()
        self.share.setRange(5, 50)
        self.share.setSuffix(" %")
        self.share.setValue(round(100 * defaults.validation_share))
        self.share.setToolTip(
            "Share of the images that old and new model are compared on. The split is saved with "
            "the run; images that the model was judged by before stay on that side."
        )
        self.note = faint()
        self.note.setWordWrap(True)

    def _make_progress(self) -> None:
        self.retrain = QPushButton("Retrain")
        self.retrain.setObjectName("main")
        self.cancel = QPushButton("Cancel")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.state = faint()
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.metrics = MetricsTable()
        self.use = QPushButton("Use new model")
        self.use.setObjectName("main")
        self.keep = QPushButton("Keep old")
        self.held_out = section("On the held-out images")
        self.notices = NoticeList()
        self.verdict = VerdictBox()
        self.message = MessageLine(self.session)

    def _lay_out(self) -> None:
        self.content.addWidget(section("Retrain"))
        self.content.addLayout(self._form())
        self.content.addWidget(self.note)
        self.content.addLayout(_button_row(self.retrain, self.cancel))
        self.content.addWidget(self.progress)
        self.content.addWidget(self.state)
        self.content.addWidget(self.notices)
        self.content.addWidget(rule())
        self.content.addWidget(section("Loss"))
        self.content.addWidget(self.curve)
        self.content.addWidget(rule())
        self.content.addWidget(self.held_out)
        self.content.addWidget(self.metrics)
        self.content.addStretch()
        foot = QVBoxLayout()
        foot.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        foot.setSpacing(SPACING)
        foot.addWidget(self.message)
        foot.addWidget(self.verdict)
        foot.addLayout(_button_row(self.use, self.keep))
        self.outer.addWidget(rule())
        self.outer.addLayout(foot)  # stays in sight while the rest scrolls

    def _form(self) -> QFormLayout:
        form = QFormLayout()
        form.setSpacing(SPACING)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, widget in (
            ("Start from", self.start_from),
            ("Train on", self.what),
            ("Epochs", self.epochs),
            ("Learning rate", self.rate),
            ("Held out", self.share),
        ):
            form.addRow(text, widget)
        return form

    def _connect(self) -> None:
        self.what.currentIndexChanged.connect(self.refresh)
        self.retrain.clicked.connect(self.start)
        self.cancel.clicked.connect(self.stop)
        self.use.clicked.connect(self._use)
        self.keep.clicked.connect(self._keep)
        follow(self, self.session.opened, lambda *_: self.refresh())
        follow(self, self.session.model_changed, self.refresh)
        follow(self, self.job.event, self.on_event)
        follow(self, self.job.failed, self._on_failed)
        follow(self, self.job.finished, self._on_finished)

    def apply_theme(self) -> None:
        """Take the colours of napari's theme."""
        super().apply_theme()
        self.curve.apply_theme(self.colors.roles)

    def refresh(self, *_: Any) -> None:
        """Show what would be trained on and what can be done now."""
        session, running = self.session, self.job.running
        editor = session.editor
        source = session.model_source
        self.start_from.setText(session.model.id if session.model else source)
        self.start_from.setToolTip(source)
        for widget in (self.what, self.epochs, self.rate, self.share):
            widget.setEnabled(not running)
        self.retrain.setEnabled(editor is not None and not running)
        self.cancel.setEnabled(running)
        self.cancel.setText("Stop now" if self._stopping else "Cancel")
        self.cancel.setToolTip(CANCEL_TIPS[self._stopping])
        for button in (self.use, self.keep):
            button.setEnabled(self.model_path is not None and not running)
        if editor is None:
            self.note.setText("Open a data set first.")
        elif self.what.currentData() == "corrected":
            n = len(corrected_images(editor))
            self.note.setText(f"{n} corrected or reviewed images. {FORGETTING}")
        else:
            self.note.setText(
                "What people annotated, corrected or reviewed. Predictions that nobody has looked "
                "at are left out."
            )
        if not running:
            self.progress.setRange(0, PROGRESS)
            self.progress.setValue(0)

    @property
    def options(self) -> RetrainOptions:
        """What the form says."""
        return RetrainOptions(
            epochs=self.epochs.value() or None,
            lr=self.rate.value(),
            what=self.what.currentData(),
            validation_share=self.share.value() / 100,
            start_from=self.session.model_source,
        )

    def start(self) -> None:
        """Write data and recipe, and start the training in a process of its own."""
        editor = self.session.editor
        if editor is None or self.job.running:
            return
        folder = new_run_folder(self.runs_folder)
        try:
            recipe = prepare(editor, self.options, folder)
            self.job.start(recipe, folder / "run")
        except (FashionError, OSError) as error:
            self.session.notify(str(error), "error")
            return
        self._clear()
        self._stopping = False
        self.state.setText("Starting…")
        self.message.clear()
        self.refresh()
        self.progress.setRange(0, 0)

    def _clear(self) -> None:
        """Remove what an earlier run showed."""
        self.model_path = None
        self.curve.clear()
        self.metrics.show_figures({}, {})
        self.notices.clear_all()
        self.verdict.clear()
        self._recommend(None)

    def stop(self) -> None:
        """Ask the training to save and end; the second time, end it at once."""
        if self._stopping:
            self.job.kill()
            return
        self._stopping = True
        self.state.setText("Stopping: what is learned so far is saved…")
        self.job.stop()
        self.refresh()

    def on_event(self, event: TrainEvent) -> None:
        """Show an event of the training."""
        match event:
            case StartEvent():
                self._clear()
                self._on_start(event)
            case StepEvent():
                self._on_step(event)
            case EpochEvent():
                if event.val:
                    self.metrics.show_figures({}, event.val)
            case CompareEvent():
                self.metrics.show_figures(event.old, event.new, event.verdict)
                self.verdict.show_comparison(event)
                self._recommend(event.verdict)
            case NoticeEvent() | DivergenceEvent() | LeftOutEvent():
                self.notices.add(event)
                if isinstance(event, DivergenceEvent):
                    self.session.notify(
                        f"The loss diverged at step {event.step:,}. A lower learning rate may help.",
                        "warning",
                    )
            case DoneEvent() | StoppedEvent():
                self._on_end(event)

    def _on_start(self, event: StartEvent) -> None:
        self._since, self._steps = (time.monotonic(), event.step), event.steps
        self._val_images = event.val_images
        self.progress.setRange(0, PROGRESS)
        n = event.val_images
        self.held_out.setText(f"On {n} held-out image{'' if n == 1 else 's'}")
        self.state.setText(
            f"{event.train_images} images to train on, {n} held out, on {shortened(event.device, 60)}."
        )

    def _on_step(self, event: StepEvent) -> None:
        if not self.job.caught_up:
            self._since = (time.monotonic(), event.step)
        self.progress.setValue(round(PROGRESS * min(1.0, event.step / max(1, self._steps))))
        if event.loss is not None:
            self.curve.add(event.step, event.loss)
            if not self._stopping:
                self.state.setText(self._pace(event, event.loss))

    def _on_end(self, event: DoneEvent | StoppedEvent) -> None:
        self.model_path = Path(event.model)
        word = "Stopped early"
        if isinstance(event, DoneEvent):
            word = f"Done early: {shortened(event.why, 200)}" if event.why else "Done"
        self.state.setText(f"{word.rstrip('.')}. Use the new model, or keep the old one?")

    def _recommend(self, verdict: Verdict | None) -> None:
        """Make one button the main one: the new model's only if it is better."""
        for button, main in ((self.use, verdict == "better"), (self.keep, verdict != "better")):
            repolish(button, objectName="main" if main else "")

    def _pace(self, event: StepEvent, loss: float) -> str:
        began, first = self._since
        text = f"Epoch {event.epoch}, step {event.step} of {self._steps}, loss {_number(loss)}"
        if event.step <= first:
            return text
        spent = time.monotonic() - began
        left = spent / (event.step - first) * max(self._steps - event.step, 0)
        return f"{text}, {_duration(left)} left"

    def _on_finished(self) -> None:
        self._stopping = False
        if self.model_path is not None and not self.verdict.isVisibleTo(self):
            self.verdict.show_not_compared(
                "There is no image to judge by."
                if not self._val_images
                else "The training ended before it compared the models."
            )
        self.refresh()

    def _on_failed(self, why: str) -> None:
        self.state.setText("The training failed.")
        self.session.notify(shortened(why, MESSAGE_LETTERS), "error")

    def _use(self) -> None:
        if self.model_path is not None:
            self.window_state.load_model(str(self.model_path))
            self._chosen("The new model is used.")

    def _keep(self) -> None:
        self._chosen(f"The old model stays. The new one is kept at {self.model_path}.")

    def _chosen(self, text: str) -> None:
        self.model_path = None
        self.verdict.clear()
        self.state.setText(text)
        self.refresh()


def _number(loss: float) -> str:
    return f"{loss:.3f}" if abs(loss) < 1e4 else f"{loss:.3g}"


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes > 2 else f"{60 * minutes + seconds} s"


def _button_row(*buttons: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(SPACING)
    for button in buttons:
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        row.addWidget(button, 1)
    return row
