"""Sources become annotated images: what can be learned from, and why the rest is left out."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from sys import intern

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco import Dataset, Garment, Image, columns
from napari_fashion.coco.categories import (
    FOREIGN,
    UNCLEAR,
    CategoryAnswer,
    CategoryRule,
    read_category_map,
)
from napari_fashion.coco.keypoints import far_outside
from napari_fashion.datasets.opening import image_identity, open_source, unlabelled_of
from napari_fashion.datasets.source import Source
from napari_fashion.documents import counted
from napari_fashion.engine.data.body_types import BodyTypeFilter, Use, body_type_of
from napari_fashion.engine.data.sample import UNREADABLE, AnnotatedImage
from napari_fashion.engine.places import fold_landmarks
from napari_fashion.errors import ImageError, RecipeError
from napari_fashion.images import image_size
from napari_fashion.schema import Schema
from napari_fashion.tally import EXAMPLES, Tally

HEADER_THREADS = 8
"""Number of threads that read the headers of image files."""

_OF_OTHER_TYPES = {
    Use.SHARED: "garments of other body types, which share landmarks but have no category",
    Use.IGNORED: "garments of other or unknown body types, which are ignored",
    Use.BACKGROUND: "garments of other body types, which are taken as background",
}
"""What garments outside `Source.body_types` are counted as."""

_Box = tuple[float, float, float, float]
"""x, y, width, height in pixels."""

_log = logging.getLogger(__name__)


def load_sources(
    sources: Iterable[Source],
    schema: Schema,
    tally: Tally | None = None,
    *,
    answer: CategoryAnswer | None = None,
) -> list[AnnotatedImage]:
    """Read the annotations of all sources, and the headers of their images; pixels are read later.

    What a model predicted and no person touched or reviewed is no truth: such garments are regions to
    ignore, like crowds, unless the source says that they are to be learned from (`Source.pseudo`);
    no model is judged by them. Left out and counted are

    - images that then have no garment, unless the source calls empty images negative, or somebody reviewed
      the image and left it empty;
    - images that are missing, are none, or have another size than their record;
    - of a garment, what cannot be used: keypoints of another form (the garment becomes a region to
      ignore), landmarks far outside the image, a malformed box.

    Parameters
    ----------
    sources
        Where the annotations are.
    schema
        The model's. If its landmarks are the places of another (`Schema.shared`), the files have that
        one's landmarks, and the images get the places.
    tally
        Counts what is left out, and why; without it, that is logged.
    answer
        What the categories that the model lacks stand for (`CategoryRule`), unless the source names a map;
        by default what the file remembers.

    Raises
    ------
    RecipeError
        If nothing is left to learn from, a source cannot be opened, or it has other landmarks than the
        schema.
    CocoError
        If a file cannot be read.
    """
    left_out = Tally() if tally is None else tally
    images: list[AnnotatedImage] = []
    for source in sources:
        dataset = open_source(source, schema.file_schema)
        expected = schema.file_schema
        if dataset.schema.landmarks != expected.landmarks:
            raise RecipeError(
                f"{source.file} has {counted(dataset.schema.landmarks, 'landmarks')}; expected those of "
                f"schema {expected.name!r}: {counted(expected.landmarks, 'landmarks')}. Name a model that "
                "finds the file's landmarks (evaluate: --model), or the file's schema (a recipe: schema)."
            )
        own = answer if source.categories is None else read_category_map(source.categories)
        images += _SourceReader(source, dataset, schema, left_out, own).images()
    if not images:
        raise RecipeError(
            "No source has an image with a garment that a person annotated or reviewed; there is "
            f"nothing to learn from, or to judge by. Left out: {left_out or 'nothing'}."
        )
    if tally is None and left_out:
        _log.warning("left out: %s", left_out)
    return images


@dataclass(frozen=True, eq=False)
class _Truth:
    """What is known of one image.

    Attributes
    ----------
    image, path
        Its record, and its file.
    garments
        What to learn from or to judge by.
    ignored
        Boxes of regions to ignore.
    unknown_place
        Whether there is a garment whose place is not known: then the whole image is a region to ignore.
    """

    image: Image
    path: Path
    garments: list[Garment]
    ignored: list[_Box]
    unknown_place: bool


@dataclass(frozen=True, eq=False)
class _Row:
    """One garment as the rows of `AnnotatedImage` have it; `xy` (K, 2), `visibility` and `member` (K,)."""

    garment: Garment
    use: Use
    xy: NDArray[np.float64]
    visibility: NDArray[np.int64]
    member: NDArray[np.bool_]
    box: _Box
    category: int
    area: float


class _SourceReader:
    """Reads the images of one source, and counts what it leaves out."""

    def __init__(
        self,
        source: Source,
        dataset: Dataset,
        schema: Schema,
        tally: Tally,
        answer: CategoryAnswer | None,
    ) -> None:
        self.source, self.dataset, self.schema, self.tally = source, dataset, schema, tally
        self.rule = CategoryRule.of(dataset, schema, answer)
        self.body_types = BodyTypeFilter(source, schema)

    def images(self) -> list[AnnotatedImage]:
        """Return the images to learn from or to judge by, each as often as the source repeats it."""
        self._count_orphans()
        self.rule.count_spelled(self.tally, self.source.file)
        truths = [t for image in self.dataset.images if (t := self._truth(image)) is not None]
        images: list[AnnotatedImage] = []
        with ThreadPoolExecutor(HEADER_THREADS) as pool:
            for truth, size in zip(truths, pool.map(_size_of, truths), strict=True):
                if isinstance(size, str):
                    self.tally.add(UNREADABLE, size)
                    continue
                recorded = truth.image.known_size
                if recorded is not None and size != recorded:
                    self.tally.add(
                        "images of another size than their record",
                        f"{truth.path} has {size[0]} x {size[1]} pixels, the file says "
                        f"{recorded[0]} x {recorded[1]}",
                    )
                    continue
                if (rows := self._rows(truth, size)) is not None:
                    images += [self._annotated(truth, size, rows)] * self.source.repeat
        return images

    def _count_orphans(self) -> None:
        found = columns(self.dataset)
        lost = np.flatnonzero(found.annotation_image < 0)
        for row in lost[:EXAMPLES].tolist():
            garment = self.dataset.garment(found.annotation_ids[row])
            self.tally.add(
                "annotations of no image",
                f"{self.source.file}: annotation {garment.id!r} has the image_id {garment.image_id!r}, "
                "which no image has",
            )
        if len(lost) > EXAMPLES:
            self.tally.add("annotations of no image", n=len(lost) - EXAMPLES)

    def _truth(self, image: Image) -> _Truth | None:
        """Return what is known of an image; None, counted, if there is nothing to learn from it."""
        if image.is_rejected:
            self.tally.add("rejected images")
            return None
        truth: list[Garment] = []
        ignored: list[_Box] = []
        unknown_place = False
        for garment in image.garments:
            if self._is_usable(garment, image):
                truth.append(garment)
            elif garment.bbox is not None and not garment.bbox_problem:
                ignored.append(garment.bbox)
            else:
                unknown_place |= bool(garment.keypoints.problem)
        if not truth and self.source.empty == "skip" and not image.reviewed:
            self.tally.add("images without a garment to learn from or to judge by")
            return None
        if not image.reviewed:
            ignored += image.ignored_boxes
        try:
            if not image.file_name:
                raise ImageError(f"{self.source.file}: image {image.id!r} has no file_name")
            return _Truth(image, image.path, truth, ignored, unknown_place)
        except ImageError as error:
            self.tally.add(UNREADABLE, str(error))
            return None

    def _is_usable(self, garment: Garment, image: Image) -> bool:
        """Whether a garment has keypoints that can be read, and is truth or to be learned from."""
        if garment.keypoints.problem:
            self.tally.add(
                "garments whose keypoints have another form",
                f"{_name(image)}: annotation {garment.id!r} has keypoints of "
                f"{garment.keypoints.problem}",
            )
            return False
        if not (image.reviewed or self.source.pseudo or garment.touched_by_human):
            self.tally.add("predicted garments that nobody has reviewed")
            return False
        return True

    def _rows(self, truth: _Truth, size: tuple[int, int]) -> list[_Row] | None:
        """Return the garments of an image that are no background.

        None, counted, if there are only garments of body types that are to be ignored.
        """
        rows = [self._row(garment, truth, size) for garment in truth.garments]
        kept = [row for row in rows if row.use is not Use.BACKGROUND]
        if kept and all(row.use is Use.IGNORED for row in kept):
            self.tally.add("images without a garment of the body types to learn from")
            return None
        return kept

    def _row(self, garment: Garment, truth: _Truth, size: tuple[int, int]) -> _Row:
        schema = self.schema
        category = self._category(garment, truth)
        xy, visibility = self._at_places(*self._landmarks(garment, truth, size), category)
        present = np.flatnonzero(visibility > 0)
        body_type = body_type_of(schema, garment, category, present.tolist())
        member = np.zeros(schema.n_landmarks, np.bool_)
        member[_members(schema, body_type, category)] = True
        box = self._box(garment, truth, size)
        area = math.nan if (given := garment.area) is None else given
        use = Use.OWN if garment.is_crowd else self.body_types.use_of(body_type)
        if use is Use.SHARED:
            shared = np.zeros_like(member)
            shared[self.body_types.shared()] = True
            xy[~shared], visibility[~shared], member = 0.0, 0, shared
            present = np.flatnonzero(visibility > 0)
            if len(present) > 1:
                box, area = None, math.nan
            else:
                use = self.body_types.others
        if use is Use.IGNORED:  # as a garment of which nobody says where a landmark is
            member[:], visibility[:] = True, 0
        if use is not Use.OWN:
            self.tally.add(_OF_OTHER_TYPES[use])
            category = UNCLEAR
        box = box or _landmark_box(xy[present], size)
        return _Row(garment, use, xy, visibility, member, box, category, area)

    def _annotated(self, truth: _Truth, size: tuple[int, int], rows: list[_Row]) -> AnnotatedImage:
        """Return an image of `size` (width, height) with its garments, then the regions to ignore."""
        key, group = image_identity(self.source, truth.image.file_name)
        k = self.schema.n_landmarks
        ignored = [box for box in truth.ignored if _is_region(box, size)]
        if truth.unknown_place:
            ignored.append((0.0, 0.0, float(size[0]), float(size[1])))
        n = len(rows) + len(ignored)
        xy = np.zeros((n, k, 2), np.float32)
        visibility = np.zeros((n, k), np.int64)
        member = np.zeros((n, k), np.bool_)
        box = np.zeros((n, 4), np.float32)
        category = np.full(n, UNCLEAR, np.int64)
        crowd = np.zeros(n, np.bool_)
        shared = np.zeros(n, np.bool_)
        area = np.full(n, np.nan)
        for i, row in enumerate(rows):
            xy[i], visibility[i], member[i] = row.xy, row.visibility, row.member
            box[i], category[i], area[i] = row.box, row.category, row.area
            crowd[i], shared[i] = row.garment.is_crowd, row.use is Use.SHARED
        for i, region in enumerate(ignored, start=len(rows)):
            box[i], crowd[i] = region, True
        box[:, 2:] += box[:, :2]
        return AnnotatedImage(
            key,
            group,
            truth.path,
            size,
            xy,
            visibility,
            member,
            box,
            category,
            crowd,
            truth=truth.image.reviewed or all(g.touched_by_human for g in truth.garments),
            absent=unlabelled_of(self.source) == "absent",
            given_area=area,
            shared=shared if shared.any() else None,
            image_id=truth.image.id,
            annotation_ids=tuple(row.garment.id for row in rows),
            category_names=tuple(intern(row.garment.category_name) for row in rows),
        )

    def _landmarks(
        self, garment: Garment, truth: _Truth, size: tuple[int, int]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the landmarks of a garment; those far outside the image are not labelled.

        Returns
        -------
        xy, visibility
            (K, 2) pixels, (K,).
        """
        xy, visibility = garment.xy.copy(), garment.visibility.copy()
        labelled = np.flatnonzero(visibility > 0).tolist()
        far = [i for i in labelled if far_outside(float(xy[i, 0]), float(xy[i, 1]), size)]
        if far:
            x, y = xy[far[0]].tolist()
            self.tally.add(
                "landmarks far outside their image",
                f"{_name(truth.image)}: annotation {garment.id!r} has {len(far)}, such as "
                f"({x:g}, {y:g}) in {size[0]} x {size[1]} pixels",
                n=len(far),
            )
            xy[far], visibility[far] = 0.0, 0
        if garment.is_crowd:
            self.tally.add("crowds, which are regions to ignore")
        elif not (visibility > 0).any():
            self.tally.add("garments without landmarks, of which only the category counts")
        return xy, visibility

    def _at_places(
        self, xy: NDArray[np.float64], visibility: NDArray[np.int64], category: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the landmarks of a garment as the model has them."""
        if self.schema.places_of is None:
            return xy, visibility
        own = self.schema.file_schema.landmarks_of_category(category) if category >= 0 else ()
        return fold_landmarks(xy, visibility, self.schema, own)

    def _category(self, garment: Garment, truth: _Truth) -> int:
        index = self.rule.index_of(garment.category_id)
        if index == FOREIGN and not garment.is_crowd:
            self.tally.add(
                "garments of categories that the model lacks: nothing to learn, wrong in top-1, 3 and 5",
                f"{_name(truth.image)}: {garment.category_name}",
            )
        return index

    def _box(self, garment: Garment, truth: _Truth, size: tuple[int, int]) -> _Box | None:
        """Return the box of a garment; None if it has none, or one that cannot be used (counted)."""
        box, problem = garment.bbox, garment.bbox_problem
        if box is not None and not problem and any(box) and not _is_region(box, size):
            problem = f"{box}, far outside {size[0]} x {size[1]} pixels"
        if problem:
            self.tally.add(
                "boxes that cannot be used, in place of which the landmarks' own counts",
                f"{_name(truth.image)}: annotation {garment.id!r} has {problem}",
            )
            return None
        return box if box is not None and any(box) else None


def _name(image: Image) -> str:
    return image.file_name or f"image {image.id!r}"


def _is_region(box: _Box, size: tuple[int, int]) -> bool:
    """Whether a box has an area, and does not reach far beyond its image."""
    x, y, w, h = box
    if not (w > 0 and h > 0):
        return False
    return not (far_outside(x, y, size) or far_outside(x + w, y + h, size))


def _size_of(truth: _Truth) -> tuple[int, int] | str:
    """Return width and height of an image file from its header, or why it has none."""
    try:
        return image_size(truth.path, size=truth.image.known_size)
    except ImageError as error:
        return str(error)


def _members(schema: Schema, body_type: str | None, category: int) -> list[int]:
    """Return the landmarks that a garment can have: by body type or category; all if none is known."""
    if body_type is not None:
        return list(schema.landmarks_of(body_type))
    if category >= 0:
        return list(schema.landmarks_of_category(category))
    return list(range(schema.n_landmarks))


def _landmark_box(xy: NDArray[np.float64], size: tuple[int, int]) -> _Box:
    """Return the box of (n, 2) landmarks; the whole image if there are none."""
    if not len(xy):
        return 0.0, 0.0, float(size[0]), float(size[1])
    (x0, y0), (x1, y1) = xy.min(0), xy.max(0)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)
