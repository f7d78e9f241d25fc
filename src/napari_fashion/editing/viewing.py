"""Which image of a data set is in view, and which garment and landmark of it are selected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psygnal import Signal

from napari_fashion.coco import Dataset, Garment, Image
from napari_fashion.coco.ids import RecordId
from napari_fashion.editing.edits import Edit


@dataclass(frozen=True)
class Selection:
    """The garment and, of it, the landmarks that keys and buttons act on.

    Attributes
    ----------
    garment_id
        None without a garment.
    landmark
        The current one, whose name and field are shown; None if none is selected.
    landmarks
        All that are selected; the current one is among them.
    """

    garment_id: RecordId | None = None
    landmark: int | None = None
    landmarks: frozenset[int] = frozenset()


class Viewing:
    """Walks through the images of a data set.

    Parameters
    ----------
    dataset
        It has to have at least one image.
    """

    image_changed = Signal(object)
    """After another image came into view; its id."""
    selection_changed = Signal(Selection)

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.selection = Selection()
        self._order = list(dataset.images.ids)
        self._index_of = {image_id: i for i, image_id in enumerate(self._order)}
        self._index = 0
        self._select_first_garment()

    # -- images ----------------------------------------------------------------------------

    @property
    def n_images(self) -> int:
        """Number of images."""
        return len(self._order)

    @property
    def index(self) -> int:
        """Place of the image in view, from 0."""
        return self._index

    @property
    def image_id(self) -> RecordId:
        """Id of the image in view."""
        return self._order[self._index]

    @property
    def image(self) -> Image:
        """The image in view."""
        return self.dataset.image(self.image_id)

    @property
    def image_ids(self) -> tuple[RecordId, ...]:
        """The images in the order in which they are walked."""
        return tuple(self._order)

    @property
    def garments(self) -> list[Garment]:
        """The garments of the image in view, in file order."""
        return self.dataset.garments_of(self.image_id)

    def go_to(self, index: int) -> None:
        """Bring the image at a place into view; places outside are brought inside."""
        index = min(max(index, 0), self.n_images - 1)
        if index == self._index:
            return
        self._index = index
        self.selection = Selection()
        self._select_first_garment()
        self.image_changed.emit(self.image_id)
        self.selection_changed.emit(self.selection)

    def go_to_image(self, image_id: RecordId) -> None:
        """Bring an image into view; one that is not in the order is passed over."""
        if image_id in self._index_of:
            self.go_to(self._index_of[image_id])

    def step(self, by: int) -> None:
        """Go some images forward, or back where negative."""
        self.go_to(self._index + by)

    # -- selection -------------------------------------------------------------------------

    def select(
        self,
        garment_id: RecordId | None,
        landmark: int | None = None,
        landmarks: Iterable[int] = (),
    ) -> None:
        """Select a garment of the image in view and, of it, a landmark, or several.

        Parameters
        ----------
        landmark
            The current one; by default the first of `landmarks`.
        landmarks
            Further ones.
        """
        chosen = set(landmarks) if landmark is None else {*landmarks, landmark}
        if garment_id is None:
            chosen = set()
        current = landmark if landmark in chosen else min(chosen, default=None)
        selection = Selection(garment_id, current, frozenset(chosen))
        if selection != self.selection:
            self.selection = selection
            self.selection_changed.emit(selection)

    @property
    def selected_garment(self) -> Garment | None:
        """The selected garment."""
        garment_id = self.selection.garment_id
        return None if garment_id is None else self.dataset.garment(garment_id)

    def _select_first_garment(self) -> None:
        garments = self.garments
        self.selection = Selection(garments[0].id if garments else None)

    # -- after a change of the data set -----------------------------------------------------

    def _keep_order_valid(self, edit: Edit) -> None:
        if any(table == "images" for table, _ in edit.record_keys) and (
            len(self.dataset.images) != len(self._order)
        ):
            image_id = self.image_id
            self._order = list(self.dataset.images.ids)
            self._index_of = {key: i for i, key in enumerate(self._order)}
            self._index = self._index_of.get(image_id, 0)

    def _keep_selection_valid(self, touched_ids: Sequence[RecordId]) -> None:
        ids = [garment.id for garment in self.garments]
        if self.selection.garment_id in ids:
            return
        touched = [i for i in touched_ids if i in ids]
        best = touched[0] if touched else (ids[0] if ids else None)
        self.select(best)
