"""Why a garment was found as it was: the decoder's steps, and the one that the image shows."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_fashion.app.replay import Replay
from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_data import title
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.style import SPACING, faint, quiet_button, section, swatch_icon
from napari_fashion.engine.decode.story import Found, Missing
from napari_fashion.schema import Schema

PLAY_MS = 1000
"""A step a second."""


class WhyPanel(QWidget):
    """The list of steps, a card about the one that is shown, and play."""

    def __init__(self, session: Session, replay: Replay) -> None:
        super().__init__()
        self._session = session
        self._replay = replay
        self.steps = QListWidget()
        self.steps.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.steps.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.card = QLabel()
        self.card.setWordWrap(True)
        self.card.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.play = QPushButton("Play")
        self.play.setToolTip("Show one step a second")
        self.play.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.back = quiet_button("<", "The step before")
        self.on = quiet_button(">", "The next step")
        self.end = QPushButton("Close")
        self.end.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._timer = QTimer(self)
        self._timer.setInterval(PLAY_MS)
        self._lay_out()
        self._timer.timeout.connect(self._tick)
        self.play.clicked.connect(self._play)
        self.back.clicked.connect(lambda: replay.go_by(-1))
        self.on.clicked.connect(lambda: replay.go_by(1))
        self.end.clicked.connect(replay.close)
        self.steps.itemClicked.connect(self._on_item)
        follow(self, replay.changed, self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACING)
        for widget in (self.back, self.on, self.play):
            row.addWidget(widget)
        row.addStretch()
        row.addWidget(self.end)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(section("How this garment was found"))
        column.addWidget(faint("From the fields of the detection pass"))
        column.addWidget(self.steps, 1)
        column.addWidget(self.card)
        column.addLayout(row)

    # -- what is shown ---------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the story and the step at which it stands."""
        replay, schema = self._replay, self._session.schema
        self.setVisible(replay.is_open)
        story = replay.story
        if not replay.is_open or schema is None:
            self._stop()
            return
        lines = (
            [] if story is None else [_line(i, one, schema) for i, one in enumerate(story.found)]
        )
        missing = [] if story is None else [_lack(one, schema) for one in story.missing]
        if [self.steps.item(i).text() for i in range(self.steps.count())] != lines + missing:
            self._fill(lines, missing, schema)
        self.steps.setCurrentRow(replay.step - 1)
        self.card.setText("Decoding …" if replay.last is None else card(replay.last, schema))
        self.back.setEnabled(replay.step > 1)
        self.on.setEnabled(story is not None and replay.step < len(story.found))

    def _fill(self, lines: list[str], missing: list[str], schema: Schema) -> None:
        self.steps.clear()
        story = self._replay.story
        if story is None:
            return
        for text, one in zip(lines, story.found, strict=True):
            self.steps.addItem(QListWidgetItem(swatch_icon(schema.colors[one.landmark]), text))
        for text in missing:
            item = QListWidgetItem(text)
            item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.steps.addItem(item)

    # -- gestures --------------------------------------------------------------------------

    def _on_item(self, item: QListWidgetItem) -> None:
        self._replay.go_to(self.steps.row(item) + 1)

    def _play(self) -> None:
        if self._timer.isActive():
            self._stop()
            return
        story = self._replay.story
        if story is not None and self._replay.step == len(story.found):
            self._replay.go_to(1)
        self.play.setText("Stop")
        self._timer.start()

    def _tick(self) -> None:
        story = self._replay.story
        if story is None or self._replay.step >= len(story.found):
            self._stop()
        else:
            self._replay.go_by(1)

    def _stop(self) -> None:
        self._timer.stop()
        self.play.setText("Play")


def card(one: Found, schema: Schema) -> str:
    """Return what is known of a step, a line each."""
    x, y = one.xy
    lines = [f"{title(schema, one.landmark)}: score {one.score:.2f} at {x:.1f}, {y:.1f}"]
    if one.how == "seed":
        lines.append("The surest place that no garment had yet: the garment grew from it.")
    elif one.how in ("edge", "faint edge") and one.source is not None:
        faintly = "a faint edge" if one.how == "faint edge" else "the edge"
        lines.append(f"Reached by {faintly} from the {title(schema, one.source)}.")
    elif one.how == "middle":
        lines.append("Nothing speaks for a place: put in the middle of the garment.")
    else:
        lines.append("The best place in the garment's region.")
    if one.way_back is not None:
        distance, allowed = one.way_back
        lines.append(f"The way back ends {distance:.1f} pixels off its start; {allowed:.1f} pass.")
    if one.second is not None:
        x, y = one.second.xy
        lines.append(f"Second best: {one.second.score:.2f} at {x:.1f}, {y:.1f}.")
    return "\n".join(lines)


def _line(i: int, one: Found, schema: Schema) -> str:
    source = "start" if one.source is None else f"from {title(schema, one.source)}"
    return f"{i + 1}  {title(schema, one.landmark)}   {source}   {one.score:.2f}"


def _lack(one: Missing, schema: Schema) -> str:
    name = title(schema, one.landmark)
    if one.why == "nothing":
        return f"{name}   not found: nothing leads to it"
    if one.why == "taken":
        return f"{name}   not found: its place is a better garment's"
    if one.why == "no way back":
        return f"{name}   not found: best {one.best:.2f}, but its edge does not lead back"
    return f"{name}   not found: best {one.best:.2f}, needs {one.needed:.2f}"
