"""Images and garments as views of their records: the interface of `coco` for reading."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt

from napari_fashion.coco import provenance
from napari_fashion.coco.ids import RecordId, TableName, other_form
from napari_fashion.coco.image_places import root_of
from napari_fashion.coco.keypoints import (
    Keypoints,
    Order,
    box_problem,
    flag,
    landmark_order,
    parse_box,
    parse_keypoints,
)
from napari_fashion.coco.store import Store
from napari_fashion.coco.tables import Version
from napari_fashion.errors import ImageError, OutsideRootError
from napari_fashion.images import ImageFolder, image_size
from napari_fashion.schema import Schema

Id = Hashable
"""Ids are whatever the file has: mostly integers, sometimes text."""
V = TypeVar("V", "Image", "Garment")
Status = Literal["new", "predicted", "edited", "reviewed", "rejected"]
"""How far an image is (`Image.status`)."""
_MOST_AREA = 1e18
"""Square pixels; a number beyond it is no area."""


class Frame:
    """The records, what their landmarks mean, and where their images lie.

    Attributes
    ----------
    store
        The records; private to `coco`.
    schema
        What the landmarks mean.
    image_folder
        Where the images lie, and which files may be read as such.
    """

    def __init__(self, store: Store, schema: Schema, image_folder: ImageFolder) -> None:
        self.store = store
        self.schema = schema
        self.image_folder = image_folder
        self._categories: dict[Any, tuple[int, str, Order | None]] | None = None

    @property
    def image_root(self) -> Path:
        """Folder that ``file_name`` is relative to."""
        return self.image_folder.root

    # -- looking up ------------------------------------------------------------------------

    @property
    def images(self) -> Views[Image]:
        """All images, in file order: a lazy sequence."""
        return Views(self, "images", Image)

    @property
    def garments(self) -> Views[Garment]:
        """All garments, in file order, new ones last: a lazy sequence."""
        return Views(self, "annotations", Garment)

    def image(self, image_id: RecordId) -> Image:
        """Return the image with an id, or raise CocoError."""
        self.store.version("images", image_id)
        return Image(self, image_id)

    def garment(self, annotation_id: RecordId) -> Garment:
        """Return the garment with an id, or raise CocoError."""
        self.store.version("annotations", annotation_id)
        return Garment(self, annotation_id)

    def garments_of(self, image_id: RecordId) -> list[Garment]:
        """Return the garments of an image, in file order; none for an unknown image."""
        return [Garment(self, key) for key in self.store.of_image(image_id)]

    def has(self, table: TableName, record_id: RecordId) -> bool:
        """Whether a table has a record with this id."""
        return self.store.has(table, record_id)

    def find_id(self, table: TableName, record_id: RecordId) -> RecordId | None:
        """Return the id of the record that a reference means; None if there is none.

        ``1`` and ``"1"`` match where no record has exactly the id.
        """
        return self.store.find(table, record_id)

    def allow_root(self, folder: Path | str) -> None:
        """Also read images from a folder, and what is below it."""
        old = self.image_folder
        self.image_folder = ImageFolder(
            old.root, (*old.allowed, folder), trusted=old.trusted, origin=old.origin
        )

    def locate_images(self, folder: Path, name: str) -> bool:
        """Read images from a folder that a person chose, if the image of a name is there (`root_of`)."""
        if (root := root_of(folder, name)) is None:
            return False
        allowed = self.image_folder.allowed
        self.image_folder = ImageFolder(root, allowed, trusted=True, origin="given")
        return True

    # -- categories ------------------------------------------------------------------------

    def category_index(self, category_id: RecordId) -> int:
        """Return the index into ``schema.categories`` of the file's category, by its name.

        -1 where the file does not have the category, or the schema has none of that name.
        """
        return self._category(category_id)[0]

    def category_id(self, index: int) -> RecordId | None:
        """Return the file's id of a category of the schema, or None if the file lacks it.

        Of two categories of one name it is the one that has keypoints.
        """
        found = [key for key, (i, _, _) in self._all_categories().items() if i == index]
        with_points = [
            key for key in found if self.store.record("categories", key).get("keypoints")
        ]
        return next(iter(with_points + found), None)

    def category_name(self, category_id: RecordId) -> str:
        """Return the name that the file gives a category; ``?`` where it has none."""
        return self._category(category_id)[1]

    def landmark_order(self, category_id: RecordId) -> Order | None:
        """Return the landmark of each triplet of a category's annotations; None: 0 to K - 1.

        Categories may have landmarks of their own, of which the schema has all.
        """
        return self._category(category_id)[2]

    def _category(self, category_id: RecordId) -> tuple[int, str, Order | None]:
        known = self._all_categories()
        try:
            found = known.get(category_id)
        except TypeError:  # no id, for example a list
            return (-1, "?", None)
        if found is None and (twin := other_form(category_id)) is not None:
            found = known.get(twin)
        return found or (-1, "?", None)

    def _all_categories(self) -> dict[Any, tuple[int, str, Order | None]]:
        if self._categories is None:
            index = {name: i for i, name in enumerate(self.schema.category_names)}
            self._categories = {}
            for key in self.store.ids("categories"):
                record = self.store.record("categories", key)
                name = str(record.get("name", "?"))
                order = landmark_order(record.get("keypoints"), self.schema)
                self._categories[key] = (index.get(name, -1), name, order)
        return self._categories


class Views(Sequence[V], Generic[V]):
    """All records of a table as views, made when they are asked for."""

    def __init__(self, frame: Frame, table: TableName, kind: type[V]) -> None:
        self._frame = frame
        self._table: TableName = table
        self._kind: Callable[[Frame, RecordId], V] = kind

    @property
    def ids(self) -> list[RecordId]:
        """The ids, in order; not to be changed."""
        return self._frame.store.ids(self._table)

    def __len__(self) -> int:
        return self._frame.store.count(self._table)

    @overload
    def __getitem__(self, place: int) -> V: ...
    @overload
    def __getitem__(self, place: slice) -> list[V]: ...
    def __getitem__(self, place: int | slice) -> V | list[V]:
        if isinstance(place, slice):
            return [self._kind(self._frame, key) for key in self.ids[place]]
        return self._kind(self._frame, self.ids[place])

    def __iter__(self) -> Iterator[V]:
        return (self._kind(self._frame, key) for key in self.ids)

    def __repr__(self) -> str:
        return f"{len(self)} {self._table}"


class _View:
    """A record as it is now; equal to every other view of it."""

    __slots__ = ("_frame", "id")
    _table: TableName

    def __init__(self, frame: Frame, record_id: RecordId) -> None:
        self._frame = frame
        self.id = record_id

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _View)
            and type(self) is type(other)
            and self._frame.store is other._frame.store
            and self.id == other.id
        )

    def __hash__(self) -> int:
        return hash((self._table, self.id))

    @property
    def _version(self) -> Version:
        return self._frame.store.version(self._table, self.id)

    @property
    def _record(self) -> dict[str, Any]:
        return self._version.value


class Image(_View):
    """One image of a data set: a view of its record, always up to date."""

    __slots__ = ()
    _table = "images"

    def __repr__(self) -> str:
        return f"Image({self.id!r}, {self.file_name!r})"

    @property
    def file_name(self) -> str:
        """As the file has it, relative to the data set's `image_root`; empty if it has none."""
        name = self._record.get("file_name")
        return name if isinstance(name, str) else ""

    @property
    def path(self) -> Path:
        """Where the image file lies, or should.

        Raises
        ------
        OutsideRootError
            If that is outside the folders that images may be read from.
        ImageError
            If the record has no ``file_name``, or none that a file can have.
        """
        try:
            return self._frame.image_folder.path(self._record.get("file_name"))
        except OutsideRootError:
            raise
        except ImageError as error:
            raise ImageError(f"image {self.id!r}: {error}") from None

    @property
    def known_size(self) -> tuple[int, int] | None:
        """Width and height in pixels as the record has them, after EXIF rotation; else None."""
        width, height = (pixels(self._record.get(key)) for key in ("width", "height"))
        return (width, height) if width and height else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the image file where the record has none.

        Raises
        ------
        ImageError
            If the record has none and the file cannot be read.
        """
        return self.known_size or image_size(self.path)

    @property
    def width(self) -> int:
        """Width in pixels, as of `size`."""
        return self.size[0]

    @property
    def height(self) -> int:
        """Height in pixels, as of `size`."""
        return self.size[1]

    @property
    def reviewed(self) -> bool:
        """Whether a person has marked the image's garments as right."""
        return provenance.is_reviewed(self._record)

    @property
    def is_rejected(self) -> bool:
        """Whether a person has rejected the image: it is not to be annotated."""
        return provenance.is_rejected(self._record)

    @property
    def status(self) -> Status:
        """How far the image is.

        ``"rejected"`` and ``"reviewed"`` are a person's word. Before, it is ``"edited"`` once a person
        made, changed or deleted a garment (those of a file without a note of a model are a person's),
        ``"predicted"`` if a model alone found some, and ``"new"`` without any.
        """
        if self.is_rejected:
            return "rejected"
        if self.reviewed:
            return "reviewed"
        garments = self.garments
        if provenance.rejected(self._record) or any(g.touched_by_human for g in garments):
            return "edited"
        return "predicted" if garments else "new"

    @property
    def ignored_boxes(self) -> list[tuple[float, float, float, float]]:
        """Regions x, y, width, height whose content is unknown."""
        return provenance.ignored_boxes(self._record)

    @property
    def rejected(self) -> list[Keypoints]:
        """The garments of a model that a person deleted."""
        k = self._frame.schema.n_landmarks
        return [parse_keypoints(r.get("keypoints"), k) for r in provenance.rejected(self._record)]

    @property
    def garments(self) -> list[Garment]:
        """The image's garments, in file order."""
        return self._frame.garments_of(self.id)


class Garment(_View):
    """One annotation of a data set: a view of its record, always up to date."""

    __slots__ = ()
    _table = "annotations"

    def __repr__(self) -> str:
        return f"Garment({self.id!r}, image {self.image_id!r}, {self.category_name!r})"

    @property
    def image_id(self) -> RecordId:
        """The id of its image; if there is no such image, the value in the record."""
        reference = self._record.get("image_id")
        found = self._frame.store.find("images", reference)
        return reference if found is None else found

    @property
    def category_id(self) -> RecordId:
        """The file's id of its category; if there is no such category, the value in the record."""
        reference = self._record.get("category_id")
        found = self._frame.store.find("categories", reference)
        return reference if found is None else found

    @property
    def category(self) -> int:
        """Index into ``schema.categories``; -1 where the schema does not have the category."""
        return self._frame.category_index(self.category_id)

    @property
    def category_name(self) -> str:
        """The category's name as the file has it; ``?`` if it has none."""
        return self._frame.category_name(self.category_id)

    @property
    def body_type(self) -> str | None:
        """The body type that the record names, where the schema has it."""
        value = self._record.get("body_type")
        return value if value in self._frame.schema.body_type_names else None

    @property
    def keypoints(self) -> Keypoints:
        """The landmarks as arrays, parsed once per version of the record."""
        version = self._version
        k = self._frame.schema.n_landmarks
        order = self._frame.landmark_order(version.value.get("category_id"))
        known = version.memo.get("keypoints")
        if known is None or known[:2] != (k, order):
            found = parse_keypoints(version.value.get("keypoints"), k, order)
            known = version.memo["keypoints"] = (k, order, found)
        keypoints: Keypoints = known[2]
        return keypoints

    @property
    def xy(self) -> npt.NDArray[np.float64]:
        """(K, 2) places of the landmarks in pixels, x then y; 0 if not labelled. Read-only."""
        return self.keypoints.xy

    @property
    def visibility(self) -> npt.NDArray[np.int64]:
        """(K,): 0 not labelled, 1 hidden, 2 visible. Read-only."""
        return self.keypoints.visibility

    @property
    def bbox(self) -> tuple[float, float, float, float] | None:
        """The record's box x, y, width, height in pixels, or None if it is no such thing."""
        return parse_box(self._record.get("bbox"))

    @property
    def bbox_problem(self) -> str:
        """Why the record's box cannot be used; empty if it can, or if there is none."""
        return box_problem(self._record.get("bbox"))

    @property
    def area(self) -> float | None:
        """The record's area in square pixels, or None if it is no number from 0."""
        value = self._record.get("area")
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if 0 <= value <= _MOST_AREA else None

    @property
    def is_crowd(self) -> bool:
        """Whether the annotation marks a crowd: a region to ignore, not one garment."""
        return flag(self._record.get("iscrowd"))

    @property
    def is_foreign(self) -> bool:
        """Whether another tool keeps something of its own under our key."""
        return not isinstance(self._record.get(provenance.KEY, {}), dict)

    @property
    def source(self) -> str:
        """Who made the garment: ``human`` or ``model:<id>``."""
        return provenance.source(self._record)

    @property
    def score(self) -> float | None:
        """The model's score, 0..1, or None."""
        return provenance.score(self._record)

    @property
    def landmark_sources(self) -> tuple[str, ...]:
        """Who placed each of the K landmarks."""
        memo = self._version.memo
        if "sources" not in memo:
            k = self._frame.schema.n_landmarks
            memo["sources"] = provenance.landmark_sources(self._record, k)
        sources: tuple[str, ...] = memo["sources"]
        return sources

    @property
    def landmark_scores(self) -> npt.NDArray[np.float64]:
        """(K,) the model's scores of the landmarks, 0..1; NaN if there is none. Read-only."""
        memo = self._version.memo
        if "scores" not in memo:
            k = self._frame.schema.n_landmarks
            memo["scores"] = provenance.landmark_scores(self._record, k)
            memo["scores"].flags.writeable = False
        scores: npt.NDArray[np.float64] = memo["scores"]
        return scores

    @property
    def landmark_visible(self) -> npt.NDArray[np.float64]:
        """(K,) the model's probabilities that landmarks, if there, are visible; NaN if there is none."""
        return provenance.landmark_numbers(
            self._record, provenance.VISIBLE, self._frame.schema.n_landmarks
        )

    @property
    def landmark_present(self) -> npt.NDArray[np.float64]:
        """(K,) the model's probabilities that landmarks are there at all; NaN if there is none."""
        return provenance.landmark_numbers(
            self._record, provenance.PRESENT, self._frame.schema.n_landmarks
        )

    @property
    def category_source(self) -> str:
        """Who chose the category."""
        return provenance.category_source(self._record)

    @property
    def category_scores(self) -> dict[str, float]:
        """The highest category probabilities of the model, by name."""
        return provenance.category_scores(self._record)

    @property
    def touched_by_human(self) -> bool:
        """Whether a person made the garment or changed anything in it."""
        return provenance.touched_by_human(self._record)

    @property
    def edited(self) -> bool:
        """Whether a person changed the garment since it came from a file or a model."""
        return provenance.edited(self._record)


def pixels(value: Any) -> int:
    """Return a size by its value, 0 if it is none: ``640``, ``640.0`` and ``"640"`` are one."""
    if isinstance(value, bool):
        return 0
    try:
        size = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return 0
    return int(size) if size > 0 and size == size and size.is_integer() and size < 1e9 else 0
