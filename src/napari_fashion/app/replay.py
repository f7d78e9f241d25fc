"""Why the selected garment was found as it was: the decoder's steps (`engine.decode.story`), replayed.

The fields that are kept are those of the detection pass, so the places are those from which the refinement
pass started; the landmarks that are shown may lie a little off them.
"""

from __future__ import annotations

from collections.abc import Sequence

from napari.qt.threading import create_worker
from psygnal import Signal

from napari_fashion.app.session import Session
from napari_fashion.app.viewer.layer_data import HUMAN
from napari_fashion.coco import Garment
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Editor
from napari_fashion.editing.viewing import Selection
from napari_fashion.engine.decode import DecoderOptions, DecodeTrace, decode_fields
from napari_fashion.engine.decode.story import Found, Story, nearest, tell
from napari_fashion.engine.fields import Fields
from napari_fashion.schema import Schema


class Replay:
    """The story of one garment, and the step at which it stands."""

    changed = Signal()
    """After it was opened or closed, its story came in, or it went to another step."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._editor: Editor | None = None
        self._garment_id: RecordId | None = None
        self._worker: object = None
        self.is_open = False
        self.story: Story | None = None
        self.step = 0
        """Number of landmarks that are found by now."""
        session.opened.connect(self._follow)
        session.fields_changed.connect(self._on_fields)
        session.view.events.why.connect(self._on_view)

    # -- opening and closing ---------------------------------------------------------------

    def _on_view(self, shown: bool) -> None:
        if shown != self.is_open:
            if shown:
                self.open()
            else:
                self.close()

    def open(self) -> None:
        """Replay the selected garment; say why where there is nothing to replay."""
        editor = self._session.editor
        if editor is None:
            return
        self._follow(editor)
        if why_not := self._hindrance(editor):
            self.close()
            self._session.notify(why_not)
            return
        garment = editor.selected_garment
        assert garment is not None
        self.is_open, self.story, self.step = True, None, 0
        self._garment_id = garment.id
        self._session.view.why = True
        self.changed.emit()
        fields = self._session.fields_of(editor.image_id)
        if fields is None:
            return  # they are being computed
        model = self._session.model
        options = DecoderOptions() if model is None else model.inference.decoder
        self._worker = create_worker(
            stories_of,
            fields,
            editor.dataset.schema,
            options,
            _connect={"returned": lambda stories: self._take(garment, stories)},
        )

    def close(self) -> None:
        """End it."""
        self._session.view.why = False
        if self.is_open:
            self.is_open, self.story, self.step, self._garment_id = False, None, 0, None
            self.changed.emit()

    def _hindrance(self, editor: Editor) -> str:
        garment = editor.selected_garment
        if garment is None:
            return "Select a garment first: there is nothing to replay."
        placed = garment.visibility > 0
        sources = [garment.landmark_sources[k] for k in range(len(placed)) if placed[k]]
        if sources and all(source == HUMAN for source in sources):
            return "This garment was placed by a person; there is nothing to replay."
        if self._session.fields_of(editor.image_id) is None and self._session.model is None:
            return "The fields of this image are not computed. Predict it first."
        return ""

    def _take(self, garment: Garment, stories: Sequence[Story]) -> None:
        if not self.is_open or garment.id != self._garment_id:
            return
        self.story = nearest(stories, garment.xy, garment.visibility > 0)
        if self.story is None:
            self.close()
            self._session.notify(
                "The decoder found no garment here: this one was added, or moved far, by a person."
            )
            return
        self.go_to(len(self.story.found))

    # -- steps -----------------------------------------------------------------------------

    @property
    def found(self) -> tuple[Found, ...]:
        """What is found by now, in its order."""
        return () if self.story is None else self.story.found[: self.step]

    @property
    def last(self) -> Found | None:
        """The landmark that was found last."""
        return self.found[-1] if self.found else None

    def go_to(self, step: int) -> None:
        """Go to the step after which `step` landmarks are found."""
        if self.story is not None:
            self.step = min(max(step, 1), len(self.story.found))
            self.changed.emit()

    def go_by(self, by: int) -> None:
        """Go some steps on, or back where negative."""
        self.go_to(self.step + by)

    def go_to_landmark(self, landmark: int) -> None:
        """Go to the step that found a landmark; nothing happens if none did."""
        if self.story is not None:
            for i, one in enumerate(self.story.found):
                if one.landmark == landmark:
                    self.go_to(i + 1)

    # -- following -------------------------------------------------------------------------

    def _follow(self, editor: Editor | None) -> None:
        if editor is self._editor:
            return
        if self._editor is not None:
            self._editor.image_changed.disconnect(self._on_image)
            self._editor.selection_changed.disconnect(self._on_selection)
        self._editor = editor
        self.close()
        if editor is not None:
            editor.image_changed.connect(self._on_image)
            editor.selection_changed.connect(self._on_selection)

    def _on_image(self, _: object) -> None:
        self.close()

    def _on_fields(self, image_id: RecordId) -> None:
        editor = self._session.editor
        if self.is_open and editor is not None and editor.image_id == image_id:
            self.open()

    def _on_selection(self, selection: Selection) -> None:
        if not self.is_open:
            return
        if selection.garment_id != self._garment_id:
            self.open()
        elif selection.landmark is not None:
            self.go_to_landmark(selection.landmark)


def stories_of(fields: Fields, schema: Schema, options: DecoderOptions) -> list[Story]:
    """Decode fields anew with a trace, and tell it; runs in a thread."""
    trace = DecodeTrace()
    decode_fields(fields, schema, options, trace=trace)
    return tell(trace, fields, options)
