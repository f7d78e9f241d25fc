"""The main dock, "Fashion annotator"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from napari_fashion.app.keys import used_keymap
from napari_fashion.app.keys.napari_keys import napari_keys
from napari_fashion.app.offers import MISSING
from napari_fashion.app.viewer.window import RETRAIN
from napari_fashion.app.widgets import files
from napari_fashion.app.widgets.beginning import Beginning
from napari_fashion.app.widgets.compare import ComparePanel
from napari_fashion.app.widgets.dock import Dock, main_window_of
from napari_fashion.app.widgets.file_line import FileLine
from napari_fashion.app.widgets.filing import Filing
from napari_fashion.app.widgets.follow import follow
from napari_fashion.app.widgets.footer import Footer
from napari_fashion.app.widgets.garments import REACH, GarmentList
from napari_fashion.app.widgets.keys_dialog import KeysDialog
from napari_fashion.app.widgets.landmarks import LandmarkList
from napari_fashion.app.widgets.layer_docks import LayerDocks
from napari_fashion.app.widgets.messages import MessageLine, MessageRow
from napari_fashion.app.widgets.navigation import Navigation
from napari_fashion.app.widgets.offer_rows import OfferRows
from napari_fashion.app.widgets.show import Show
from napari_fashion.app.widgets.style import MARGIN, SPACING, guard_wheel, rule
from napari_fashion.app.widgets.tips import caps
from napari_fashion.app.widgets.why import WhyPanel
from napari_fashion.app.widgets.work_row import Running, WorkRow
from napari_fashion.editing.editor import Applied, Editor
from napari_fashion.errors import OutsideRootError


class AnnotatorDock(Dock):
    """Open, predict, correct, export; everything here follows the session."""

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        session, actions, colors = self.session, self.actions, self.colors
        self.file = FileLine(actions, colors)
        self.menu = self.file.menu
        self.navigation = Navigation(actions, colors)
        self.work = WorkRow(actions, colors, self.menu.export)
        self.garments = GarmentList(actions, colors)
        self.landmarks = LandmarkList(actions, colors)
        self.why = WhyPanel(session, self.window_state.replay)
        self.compare = ComparePanel(session, self.window_state.comparison)
        self.show_row = Show(actions, colors)
        self.opened_part = QWidget()
        """What is shown while a data set is open."""
        self.running = Running("Predicting", "Stop predicting; what was found stays")
        self.fetching = Running("Fetching photos:", "Stop; what has come stays")
        self.offers = OfferRows(self.window_state.offers)
        self.problem = MessageRow()
        """What is wrong with the image in view."""
        self.message = MessageLine(session)
        self.footer = Footer(actions, colors)
        self.help: KeysDialog | None = None
        self.filing = Filing(self.window_state, self, self.message)
        self.layer_docks: LayerDocks | None = None
        self.beginning: Beginning | None = None
        self._editor: Editor | None = None
        self._lay_out()
        self._connect()
        guard_wheel(self)
        self.window_state.may_discard = self.filing.may_discard
        self._follow(session.editor)

    def _lay_out(self) -> None:
        self.content.setContentsMargins(MARGIN - REACH, 4, MARGIN - REACH, 0)
        self.content.setSpacing(4)
        self.content.addWidget(_inset(self.file))
        lines = QVBoxLayout(self.opened_part)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(4)
        for part in (rule(), self.navigation, self.work, rule()):
            lines.addWidget(_inset(part))
        lines.addWidget(self.garments)
        lines.addWidget(self.landmarks, 1)
        self.compare_part = _inset(self.compare)
        lines.addWidget(self.compare_part, 1)
        self.why_part = _inset(self.why)
        lines.addWidget(self.why_part, 1)
        lines.addStretch()
        self.content.addWidget(self.opened_part, 1)
        self.content.addStretch()
        foot = QVBoxLayout()
        foot.setContentsMargins(MARGIN, SPACING, MARGIN, MARGIN)
        foot.setSpacing(SPACING)
        for part in (
            *(self.show_row, self.running, self.fetching, self.offers, self.problem),
            self.message,
            self.footer,
        ):
            foot.addWidget(part)
        self.outer.addLayout(foot)  # stays in sight while the rest scrolls

    def _connect(self) -> None:
        session, actions, menu, filing = self.session, self.actions, self.menu, self.filing
        menu.open_file.connect(lambda: filing.open_asked(files.ask_open_file))
        menu.open_folder.connect(lambda: filing.open_asked(files.ask_open_folder))
        menu.open_recent.connect(lambda path: filing.open(Path(path)))
        menu.go_to.connect(filing.go_to_asked)
        menu.save.connect(filing.save)
        menu.save_as.connect(filing.save_as)
        menu.versions.connect(filing.restore_asked)
        menu.export_all.connect(lambda: filing.export_asked(only_reviewed=False))
        menu.export_reviewed.connect(lambda: filing.export_asked(only_reviewed=True))
        menu.export_format.connect(filing.export_to_asked)
        menu.export_cancel.connect(self.window_state.exporting.cancel)
        menu.load_model.connect(self._load_model)
        menu.predict_all.connect(lambda: actions.predict_all())
        menu.keys.connect(lambda: actions.show_help())
        menu.layer_docks.connect(self._choose_layer_docks)
        self.footer.export_asked.connect(lambda: filing.export_asked(only_reviewed=False))
        self.running.cancel.connect(self.window_state.predicting.cancel)
        for asked in (menu.retrain, self.work.retrain_asked):
            asked.connect(lambda: self.window_state.show_dock(RETRAIN))

        follow(self, session.opened, self._follow)
        follow(self, session.model_changed, self.file.refresh)
        follow(self, session.image_read, self._tell_image)
        follow(self, session.fields_changed, lambda *_: self.footer.refresh())
        follow(self, session.view.events.placing, lambda *_: self._refresh_landmarks())
        follow(self, session.view.events.compare, lambda *_: self._choose_parts())
        follow(self, self.window_state.replay.changed, self._choose_parts)
        follow(self, self.window_state.checking.found, filing.tell_problems)
        for shown in (self.work, self.running):
            follow(self, self.window_state.predicting.progress, shown.show_progress)
        self.fetching.cancel.connect(self.window_state.fetching.cancel)
        follow(self, self.window_state.fetching.progress, self.fetching.show_progress)
        follow(self, self.window_state.exporting.progress, menu.show_export)
        follow(self, self.window_state.exporting.done, filing.tell_export)
        follow(self, actions.category_asked, self.garments.open_category)
        follow(self, actions.help_asked, self.show_help)
        follow(self, actions.save_asked, filing.save)

    # -- following -------------------------------------------------------------------------

    def _follow(self, editor: Editor | None) -> None:
        self._editor = editor
        if editor is not None:
            follow(self, editor.image_changed, lambda *_: self._other_image())
            follow(self, editor.changed, self._on_changed)
            follow(self, editor.selection_changed, lambda *_: self._refresh_garments())
            follow(self, editor.history_changed, self.file.refresh)
        for part in (self.opened_part, self.show_row):
            part.setVisible(editor is not None)
        self.work.refresh()
        self.file.refresh()
        self.footer.follow(editor)
        self._refresh_image()

    def _other_image(self) -> None:
        self.message.clear_info()
        self.file.refresh()  # each image has its own history
        self._refresh_image()

    def _on_changed(self, change: Applied) -> None:
        self.footer.count_again(change.image_id)
        self._say_what_was_done(change)
        if self._editor is not None and change.image_id == self._editor.image_id:
            self._refresh_image()
        else:
            self.footer.refresh()

    def _say_what_was_done(self, change: Applied) -> None:
        label, image_id = change.edit.label, change.image_id
        if self._editor is not None and image_id != self._editor.image_id:
            return  # a prediction that arrives in the background
        undone = change.do == "undo"
        key = caps("redo" if undone else "undo")
        what = f"Taken back: {label}" if undone else label
        self.viewer.status = f"{what}. {key} {'makes it again' if undone else 'undoes'}"

    def _refresh_image(self) -> None:
        self.navigation.refresh()
        self.footer.refresh()
        self._refresh_garments()

    def _choose_parts(self) -> None:
        """Give the replay the place of the garments, and the comparison that of the landmarks."""
        why, compared = self.window_state.replay.is_open, self.session.view.compare
        self.why_part.setVisible(why)
        self.garments.setVisible(not why)
        self.compare_part.setVisible(compared and not why)
        garment = self._editor.selected_garment if self._editor else None
        self.landmarks.setVisible(garment is not None and not why and not compared)

    def _refresh_garments(self) -> None:
        self.garments.refresh()
        self.landmarks.refresh()
        self.compare.refresh()
        self._choose_parts()

    def _refresh_landmarks(self) -> None:
        self.landmarks.refresh()
        self.footer.refresh()
        self._choose_parts()

    def _tell_image(self, problem: Exception | None) -> None:
        """Say what is wrong with the image in view; what was wrong with the last one is over."""
        asked = MISSING in self.window_state.offers.open or isinstance(problem, OutsideRootError)
        if problem is None or asked:
            self.problem.clear()
        else:
            self.problem.say("error", str(problem))

    # -- the window ------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: D102
        super().showEvent(event)
        if self.layer_docks is None:
            main = main_window_of(self)
            self.layer_docks = LayerDocks(main)
            if isinstance(main, QMainWindow) and main.centralWidget() is not None:
                self.beginning = Beginning(self.window_state, main, self.filing, self.colors, self)
        self.layer_docks.fold()
        self.menu.docks.setChecked(self.layer_docks.wanted)
        if self.beginning is not None:
            self.beginning.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Give napari its docks back where this one is closed."""
        super().hideEvent(event)
        if self.layer_docks is not None and not event.spontaneous():
            self.layer_docks.unfold()
        if self.beginning is not None:
            self.beginning.refresh()

    def _choose_layer_docks(self, shown: bool) -> None:
        if self.layer_docks is not None:
            self.layer_docks.choose(shown)

    # -- what commands and other parts of the window ask for ---------------------------------

    def open(self, path: Path, *, asked: bool = False) -> None:
        """Open a COCO file or a folder; unsaved changes of what is open are asked about.

        Parameters
        ----------
        asked
            They were asked about already.
        """
        self.filing.open(path, asked=asked)

    def open_photos(self) -> None:
        """Open the sample photos, or offer to fetch them."""
        if self.beginning is not None:
            self.beginning.open_photos()

    def save(self) -> bool:
        """Save the whole work to its file; return whether it was saved."""
        return self.filing.save()

    def save_as(self) -> bool:
        """Ask where to, and save the whole work there; it goes on in that file."""
        return self.filing.save_as()

    def export_asked(self, *, only_reviewed: bool) -> None:
        """Ask where to, and export."""
        self.filing.export_asked(only_reviewed=only_reviewed)

    def export(self, path: Path, *, only_reviewed: bool = False) -> None:
        """Export to a file; an existing one is replaced."""
        self.filing.export(path, only_reviewed=only_reviewed)

    def _load_model(self, source: str) -> None:
        """Load a packaged model by its name, or one from a file that is asked for."""
        chosen = source or files.ask_model(self, Path.home())
        if chosen is not None:
            self.window_state.load_model(str(chosen))

    def show_help(self) -> None:
        """Show the keys in a window of their own."""
        if self.help is None:
            self.help = KeysDialog(used_keymap(), napari_keys(main_window_of(self)), self)
        self.help.show()
        self.help.raise_()


def _inset(part: QWidget) -> QWidget:
    """Put a part where the text of the rows begins."""
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(REACH, 0, REACH, 0)
    layout.addWidget(part)
    return holder
