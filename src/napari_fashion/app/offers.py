"""Questions that wait for an answer while work goes on; each is a row in the dock with its buttons.

They are asked of images of another size than the file notes, images that are missing or outside of the
file's folder, categories that the file lacks, and sample photos to fetch. None stops anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from psygnal import Signal

from napari_fashion.app.actions import Actions
from napari_fashion.app.session import Session
from napari_fashion.coco.categories import CategoryAnswer, Names, file_categories
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.editor import Applied, Editor
from napari_fashion.errors import ImageError, OutsideRootError
from napari_fashion.images import remember_root

SIZE = "size"
ROOT = "root"
CATEGORIES = "categories"
PHOTOS = "photos"
MISSING = "missing"


@dataclass(frozen=True)
class Offer:
    """A question and what can be answered.

    Attributes
    ----------
    text
        The question.
    about
        The images or the folder that it is about: the same words about others are another question.
    choices
        The texts of the buttons, and what they do.
    """

    text: str
    about: tuple[RecordId | Path, ...]
    choices: tuple[tuple[str, Callable[[], None]], ...] = field(compare=False)


class Offers:
    """The questions of one window, by their kind; a new one of a kind replaces the old one."""

    changed = Signal()

    def __init__(self, session: Session, actions: Actions) -> None:
        self.session = session
        self.actions = actions
        self.open: dict[str, Offer] = {}
        self._left: set[tuple[str, Any]] = set()
        self._editor: Editor | None = None
        session.opened.connect(self._on_opened)
        session.image_read.connect(self._on_image)
        session.categories_missing.connect(self._on_categories)
        self.ask_map: Callable[[list[str], list[str]], dict[str, Names] | None] = lambda a, b: None
        """Lets the person choose the file's category, or several, for each of the model's."""
        self.ask_folder: Callable[[Path], Path | None] = lambda start: None
        """Lets the person choose the folder that the images lie in now; `start` is where to begin."""
        self.predict_again: Callable[[list[RecordId]], None] = lambda ids: None

    def make(self, kind: str, offer: Offer) -> None:
        """Ask something."""
        if self.open.get(kind) != offer:
            self.open[kind] = offer
            self.changed.emit()

    def withdraw(self, kind: str) -> None:
        """Take a question back."""
        if self.open.pop(kind, None) is not None:
            self.changed.emit()

    # -- following -------------------------------------------------------------------------

    def _on_opened(self, editor: Editor | None) -> None:
        if self._editor is not None:
            self._editor.changed.disconnect(self._on_changed)
        self._editor = editor
        if editor is not None:
            editor.changed.connect(self._on_changed)
        self._left.clear()
        for kind in (SIZE, ROOT, MISSING, CATEGORIES):
            self.withdraw(kind)

    def _on_changed(self, change: Applied) -> None:
        if self._editor is not None and change.image_id == self._editor.image_id:
            self._offer_size()

    def _on_image(self, problem: Exception | None) -> None:
        self._offer_size()
        if isinstance(problem, OutsideRootError):
            self._offer_root(problem)
        else:
            self.withdraw(ROOT)
            self._offer_missing(problem)

    # -- images that are not where the file says ----------------------------------------------

    def _offer_missing(self, problem: Exception | None) -> None:
        editor = self._editor
        try:
            place = None if editor is None or problem is None else editor.image.path
        except ImageError:  # no name that a file can have: another folder does not help
            place = None
        if editor is None or place is None or place.exists() or (MISSING, None) in self._left:
            self.withdraw(MISSING)
            return
        name = editor.image.file_name

        def locate() -> None:
            folder = self.ask_folder(next((p for p in place.parents if p.is_dir()), Path.home()))
            if folder is not None and not self.session.locate_images(folder):
                self.session.notify(
                    f"{name} is not in {folder}; choose the folder that holds it, or one above.",
                    "warning",
                )

        def leave() -> None:
            self._left.add((MISSING, None))
            self.withdraw(MISSING)

        text = (
            f"{place.name} is not in {place.parent}. Its landmarks are shown on grey. Choose the folder "
            "that the images lie in now; the next Save notes it in the file."
        )
        choices = (("Locate folder…", locate), ("Leave", leave))
        self.make(MISSING, Offer(text, (editor.image_id,), choices))

    # -- an image of another size than its record has ---------------------------------------

    def _offer_size(self) -> None:
        editor, sizes = self._editor, self.session.mismatch
        if editor is None or sizes is None or (SIZE, editor.image_id) in self._left:
            self.withdraw(SIZE)
            return
        (w, h), (width, height) = sizes
        text = (
            f"This image has {width} x {height} pixels; the file has {w} x {h}. Its landmarks are not "
            "drawn, since they would lie in the wrong places."
        )
        image_id = editor.image_id

        def leave() -> None:
            self._left.add((SIZE, image_id))
            self.withdraw(SIZE)

        if SIZE not in self.open or self.open[SIZE].about != (image_id,):
            self.session.notify(
                f"{width} x {height} pixels, not {w} x {h}: no landmarks drawn.", "warning"
            )
        choices = (("Rescale landmarks to the image", self.actions.rescale), ("Leave", leave))
        self.make(SIZE, Offer(text, (image_id,), choices))

    # -- images outside of the data set's folder ---------------------------------------------

    def _offer_root(self, problem: OutsideRootError) -> None:
        folder = problem.folder
        if folder is None or (ROOT, folder) in self._left:
            self.withdraw(ROOT)
            return

        def allow() -> None:
            self.withdraw(ROOT)
            remember_root(folder)
            self.session.allow_root(folder)

        def leave() -> None:
            self._left.add((ROOT, folder))
            self.withdraw(ROOT)

        text = (
            f"The file names an image outside of its folder: {Path(problem.path)}. Images are read from "
            f"elsewhere only if you allow it. Allow {folder}?"
        )
        choices = (("Allow this folder", allow), ("Leave out", leave))
        self.make(ROOT, Offer(text, (folder,), choices))

    # -- categories that the file lacks ------------------------------------------------------

    def _on_categories(self, image_ids: list[RecordId], names: list[str]) -> None:
        editor = self._editor
        if editor is None:
            return
        if (waiting := self.open.get(CATEGORIES)) is not None:
            image_ids = list(dict.fromkeys([*waiting.about, *image_ids]))
        theirs = file_categories(editor.dataset)
        listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        text = (
            f"The model found {listed}; the file has no such category. Those garments were left out. What "
            "you choose is remembered in the file."
        )

        def answered(answer: CategoryAnswer) -> None:
            self.withdraw(CATEGORIES)
            self.actions.answer_categories(answer)
            if answer.rest != "skip":
                self.predict_again(image_ids)

        def choose() -> None:
            found = self.ask_map(names, theirs)
            if found is not None:
                answered(CategoryAnswer(names={name: found.get(name, "") for name in names}))

        choices = (
            ("Map them…", choose),
            ("Add them", lambda: answered(CategoryAnswer("add"))),
            ("Leave out", lambda: answered(CategoryAnswer("skip"))),
        )
        self.make(CATEGORIES, Offer(text, tuple(image_ids), choices))
