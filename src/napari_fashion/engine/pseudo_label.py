"""Pseudo-labels: landmarks of images whose category is known, kept if the readings of teachers agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from napari_fashion.coco import Dataset, Garment, Image, provenance
from napari_fashion.coco.categories import FOREIGN, CategoryAnswer, CategoryRule
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.keypoints import landmark_box
from napari_fashion.coco.records import annotation_record, category_record
from napari_fashion.documents import counted
from napari_fashion.engine.data.sample import UNREADABLE
from napari_fashion.engine.decode import PUBLISHED
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.places import unfold_garment
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.engine.pseudo_tags import read_tagged
from napari_fashion.errors import CheckpointError, ImageError
from napari_fashion.images import read_image
from napari_fashion.images.transforms import RGBImage
from napari_fashion.options import Options
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

SINGLE_COMPLETE = PUBLISHED.model_copy(update={"single_instance": True, "force_complete": True})
"""An image shows one garment, and every landmark gets a position."""


class AgreementOptions(Options):
    """When the readings of teachers agree well enough to be learned from.

    Attributes
    ----------
    tolerance
        Largest distance of a landmark's readings from its position, as a share of the garment's box.
    margin
        Margin of the crop around the garment's box, as a share of the box.
    share
        Least share of a garment's landmarks that agree; a garment with a smaller share keeps only its
        category.
    place
        Where a landmark on which the teachers agree is put: at the ``"mean"`` of their readings of the
        crop, or where the ``"first"`` teacher, the best one, reads it; the others then only confirm it.
    """

    tolerance: float = Field(default=0.04, ge=0, le=1e9)
    margin: float = Field(default=0.08, ge=0, le=10)
    share: float = Field(default=0.6, ge=0, le=1)
    place: Literal["mean", "first"] = "mean"


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the readings of one garment say together.

    Attributes
    ----------
    xy
        (K, 2) float32: positions by the readings of the crop (`AgreementOptions.place`), pixels of the
        image.
    member
        (K,) bool: landmarks of the garment's most likely body type.
    agreed
        (K,) bool: members whose readings agree, inside the image.
    scores
        (K,) float32, 0..1: mean of the readings of the crop.
    disagreement
        (K,) float32: distance of the farthest reading from `xy`, as a share of the garment's box.
    visibility
        (K,) int64: 2 visible or 1 hidden for those agreed, 0 for the others. Most of the teachers that
        tell visibility decide, the first one if they are split; by teachers that tell none, all are
        visible.
    present, visible
        (K,) float32: mean probabilities of the teachers that tell them; None if none does.
    """

    xy: NDArray[np.float32]
    member: NDArray[np.bool_]
    agreed: NDArray[np.bool_]
    scores: NDArray[np.float32]
    disagreement: NDArray[np.float32]
    visibility: NDArray[np.int64]
    present: NDArray[np.float32] | None = None
    visible: NDArray[np.float32] | None = None


def read_garment(
    teachers: Sequence[GarmentModel],
    image: RGBImage,
    category: int,
    options: AgreementOptions | None = None,
) -> Agreement:
    """Let teachers read the landmarks of an image's only garment, and compare the readings.

    Every teacher reads the full image; then a crop around the garment, with flip TTA.

    Parameters
    ----------
    teachers
        One or more models of one schema.
    image
        (H, W, 3) uint8.
    category
        Index of the garment's category; its body types tell which landmarks there are.
    options
        See `AgreementOptions`.
    """
    options = options or AgreementOptions()
    full = [_read(teacher, image, category, flip_tta=False, crop=False) for teacher in teachers]
    member = _members(
        teachers[0].schema.file_schema, category, np.mean([g.scores for g in full], axis=0)
    )
    x0, y0, x1, y1 = _crop_around(
        np.mean([g.xy for g in full], axis=0)[member], options.margin, image.shape[1::-1]
    )
    crop = image[y0:y1, x0:x1]
    close = [_read(teacher, crop, category, flip_tta=True, crop=True) for teacher in teachers]
    close_xy = np.array([g.xy + np.array([x0, y0], np.float32) for g in close])
    xy = close_xy[0] if options.place == "first" else close_xy.mean(0)
    readings = np.concatenate([close_xy, [g.xy for g in full]])
    extent = np.maximum(np.ptp(xy[member], axis=0), 1.0)
    disagreement = np.linalg.norm((readings - xy) / extent, axis=-1).max(0)
    height, width = image.shape[:2]
    inside = ((xy >= -0.5) & (xy <= np.array([width, height]) - 0.5)).all(1)
    agreed = member & inside & (disagreement <= options.tolerance)
    if agreed.sum() < options.share * member.sum():
        agreed[:] = False
    agreed &= _there(teachers, close)
    return Agreement(
        xy.astype(np.float32),
        member,
        agreed,
        np.mean([g.scores for g in close], axis=0).astype(np.float32),
        disagreement.astype(np.float32),
        np.where(agreed, _visibility(close), 0),
        _mean([g.present for g in close]),
        _mean([g.visible for g in close]),
    )


def _there(
    teachers: Sequence[GarmentModel], readings: Sequence[PredictedGarment]
) -> NDArray[np.bool_]:
    """Return (K,) bool: landmarks that no teacher says are not there, by its own threshold."""
    there = np.ones(len(readings[0].xy), np.bool_)
    for teacher, garment in zip(teachers, readings, strict=True):
        if garment.present is not None:
            there &= garment.present >= teacher.inference.visibility.present_threshold
    return there


def _visibility(readings: Sequence[PredictedGarment]) -> NDArray[np.int64]:
    """Return (K,) 1 or 2, by most of the readings that tell visibility, else by the first of them."""
    told = [g.visible >= g.visible_threshold for g in readings if g.visible is not None]
    if not told:
        return np.full(len(readings[0].xy), 2)
    votes = np.mean(told, axis=0)
    seen = np.where(votes == 0.5, told[0], votes > 0.5)
    return np.where(seen, 2, 1)


def _mean(values: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32] | None:
    known = [v for v in values if v is not None]
    return np.mean(known, axis=0).astype(np.float32) if known else None


def pseudo_label(
    teachers: Sequence[GarmentModel],
    dataset: Dataset,
    options: AgreementOptions | None = None,
    advance: Callable[[int], None] = lambda n: None,
    tally: Tally | None = None,
    *,
    answer: CategoryAnswer | None = None,
) -> tuple[Dataset, dict[str, int]]:
    """Fill in the landmarks of images of which only the category is known.

    Parameters
    ----------
    teachers
        One or more models of the data set's schema.
    dataset
        Its images whose garments have a category that the teachers know and no landmark are read;
        the others are left as they are, and so are those that a person has reviewed. An image with
        several garments is read by the first teacher (`pseudo_tags.read_tagged`). Categories that do
        not name the landmarks get them, if a garment of theirs does.
    options
        See `AgreementOptions`.
    advance
        Called with 1 for each image.
    tally
        Counts the images that are left as they are, and why.
    answer
        What the file's categories that the teachers lack stand for (`CategoryRule`).

    Returns
    -------
    dataset
        A copy, whose new landmarks name the teachers as their source.
    counts
        Number of ``images`` read, ``garments`` that got landmarks, ``landmarks`` on which the teachers
        agreed and landmarks ``asked`` for.

    Raises
    ------
    CheckpointError
        If the teachers' schemas differ from the data set's.
    """
    _require_schema(teachers, dataset)
    result = dataset.subset([image.id for image in dataset.images])
    source = "model:" + "+".join(teacher.id for teacher in teachers)
    counts = {"images": 0, "garments": 0, "landmarks": 0, "asked": 0}
    tally = Tally() if tally is None else tally
    rule = CategoryRule.of(dataset, teachers[0].schema, answer)
    for image in dataset.images:
        advance(1)
        if reason := _why_passed_over(image, rule):
            tally.add(reason, image.file_name or f"image {image.id!r}")
            continue
        try:
            pixels = read_image(image.path, size=image.known_size, exact=True)
        except ImageError as error:
            tally.add(UNREADABLE, str(error))
            continue
        counts["images"] += 1
        categories = [rule.index_of(garment.category_id) for garment in image.garments]
        agreements = _read_image(teachers, pixels, categories, options)
        if isinstance(agreements, str):
            tally.add(agreements, image.file_name)
            continue
        for garment, agreement in zip(image.garments, agreements, strict=True):
            counts["asked"] += int(agreement.member.sum())
            if not agreement.agreed.any():
                tally.add("images whose readings do not agree", image.file_name)
                continue
            counts["garments"] += 1
            counts["landmarks"] += int(agreement.agreed.sum())
            _write(result, garment, agreement, source)
    return result, counts


def _read_image(
    teachers: Sequence[GarmentModel],
    image: RGBImage,
    categories: Sequence[int],
    options: AgreementOptions | None,
) -> list[Agreement] | str:
    """Read all garments of an image, or return why they cannot be told, as a plural."""
    if len(categories) == 1:
        return [read_garment(teachers, image, categories[0], options)]
    options = options or AgreementOptions()
    read = read_tagged(teachers[0], image, categories, options.tolerance, options.share)
    if isinstance(read, str):
        return read
    return [
        Agreement(
            xy=one.garment.xy,
            member=one.garment.found,
            agreed=one.agreed,
            scores=one.garment.scores,
            disagreement=one.disagreement,
            visibility=np.where(one.agreed, one.garment.visibility, 0),
            present=one.garment.present,
            visible=one.garment.visible,
        )
        for one in read
    ]


def _require_schema(teachers: Sequence[GarmentModel], dataset: Dataset) -> None:
    for teacher in teachers:
        landmarks = teacher.schema.file_schema.landmarks
        if landmarks != dataset.schema.landmarks:
            raise CheckpointError(
                f"{teacher.id} finds {counted(landmarks, 'landmarks')}; expected those of the images: "
                f"{counted(dataset.schema.landmarks, 'landmarks')}. Name a model that finds these."
            )


def _write(dataset: Dataset, garment: Garment, agreement: Agreement, source: str) -> None:
    """Give a garment's record the landmarks on which the teachers agree, and their source."""
    member = agreement.member
    values = annotation_record(
        garment.id,
        garment.image_id,
        garment.category_id,
        xy=agreement.xy,
        visibility=agreement.visibility,
        bbox=landmark_box(agreement.xy.astype(float), member.astype(np.int64)),
        order=dataset.landmark_order(garment.category_id),
        fashion=provenance.of_model(
            source,
            float(agreement.scores[member].mean()),
            agreement.scores.tolist(),
            {},
            present=agreement.present,
            visible=agreement.visible,
        ),
    )
    for key in ("bbox", "area", "num_keypoints", "keypoints", provenance.KEY):
        dataset.set_value("annotations", garment.id, (key,), values[key])
    _name_landmarks(dataset, garment.category_id)


def _why_passed_over(image: Image, rule: CategoryRule) -> str:
    """Return why an image gets no landmarks, as a plural; empty if it may get some."""
    garments = image.garments
    if image.reviewed:
        return "images that a person has reviewed"
    if not garments:
        return "images with no garment"
    return next(filter(None, (_why_not(garment, rule) for garment in garments)), "") or (
        "" if image.file_name else "images without a file_name"
    )


def _why_not(garment: Garment, rule: CategoryRule) -> str:
    """Return why an image with this garment gets no landmarks, as a plural; empty if it may."""
    if garment.keypoints.problem:
        return "images with keypoints of another form"
    if (garment.visibility > 0).any():
        return "images that have landmarks already"
    if garment.is_crowd:
        return "images with a crowd"
    if garment.is_foreign:
        return "images with something of another tool under our key"
    match rule.index_of(garment.category_id):
        case category if category == FOREIGN:
            return "images with a garment of a category that the model lacks"
        case category if category < 0:
            return "images with a garment whose category is not recorded"
    return ""


def _name_landmarks(dataset: Dataset, category_id: RecordId) -> None:
    """Give a category the landmarks' names, if it has none, as in a detection file."""
    if dataset.text("categories", category_id, ("keypoints",)) in (None, "null", "[]"):
        record = category_record(dataset.schema, 0, category_id)
        for key in ("keypoints", "skeleton"):
            dataset.set_value("categories", category_id, (key,), record[key])


def _read(
    teacher: GarmentModel, image: RGBImage, category: int, *, flip_tta: bool, crop: bool
) -> PredictedGarment:
    options = teacher.inference.overridden(flip_tta=flip_tta, decoder=SINGLE_COMPLETE)
    known = teacher.only(teacher.schema.categories[category].body_types)
    garment = known.predict([image], options, crop=crop)[0].garments[0]
    return unfold_garment(garment, teacher.schema, category)


def _crop_around(
    xy: NDArray[np.floating[Any]], margin: float, size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return the box of (n, 2) landmarks with a margin, inside an image of `size` (width, height).

    Returns
    -------
    x0, y0, x1, y1 in whole pixels, at least two apart.
    """
    width, height = size
    low, high = xy.min(0), xy.max(0)
    grow = np.maximum((high - low) * margin, 2.0)
    x0, y0 = np.floor(np.clip(low - grow, 0, [width - 2, height - 2])).astype(int)
    x1, y1 = np.ceil(np.clip(high + grow + 1, [x0 + 2, y0 + 2], [width, height])).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _members(schema: Schema, category: int, scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return (K,) bool: the landmarks of that body type of the category which the scores fit best."""

    def fit(body_type: str) -> float:
        member = np.zeros(schema.n_landmarks, bool)
        member[list(schema.landmarks_of(body_type))] = True
        return float(np.where(member, scores, 1 - scores).sum())

    best = max(schema.categories[category].body_types, key=fit)
    member = np.zeros(schema.n_landmarks, dtype=np.bool_)
    member[list(schema.landmarks_of(best))] = True
    return member
