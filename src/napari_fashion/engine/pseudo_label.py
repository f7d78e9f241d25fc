"""Self-training: landmarks for images of one garment, kept where several readings agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_fashion.coco import Dataset, Image, provenance
from napari_fashion.coco.categories import FOREIGN, CategoryAnswer, CategoryRule
from napari_fashion.coco.ids import RecordId
from napari_fashion.coco.keypoints import landmark_box
from napari_fashion.coco.records import annotation_record, category_record
from napari_fashion.documents import listed
from napari_fashion.engine.decode import PUBLISHED
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import PredictedGarment
from napari_fashion.errors import CheckpointError, ImageError
from napari_fashion.images import read_image
from napari_fashion.images.transforms import RGBImage
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

SINGLE_COMPLETE = PUBLISHED.model_copy(update={"single_instance": True, "force_complete": True})
"""An image shows one garment, and every landmark gets a position."""


@dataclass(frozen=True)
class AgreementOptions:
    """When readings agree well enough to be learned from.

    Attributes
    ----------
    tolerance
        A landmark's readings lie within this of its place, as a share of the garment's box.
    margin
        By what share of its size a garment's box grows for the second look.
    share
        A garment of whose landmarks a smaller share agrees keeps none: only its category.
    place
        Where an agreed landmark is put: at the ``"mean"`` of the models' looks at the box, or where
        the ``"first"`` model, the best one, sees it; the others then only have to agree.
    """

    tolerance: float = 0.04
    margin: float = 0.08
    share: float = 0.6
    place: Literal["mean", "first"] = "mean"


@dataclass(frozen=True, eq=False)
class Reading:
    """What several looks at one garment say together.

    Attributes
    ----------
    xy
        (K, 2) float32: from the looks at the garment's box (`AgreementOptions.place`), pixels of
        the image.
    member
        (K,) bool: landmarks of the garment's likeliest body type.
    agreed
        (K,) bool: members whose readings agree, inside the image.
    scores
        (K,) float32, 0..1: the mean score.
    disagreement
        (K,) float32: the farthest reading from `xy`, as a share of the garment's box.
    """

    xy: NDArray[np.float32]
    member: NDArray[np.bool_]
    agreed: NDArray[np.bool_]
    scores: NDArray[np.float32]
    disagreement: NDArray[np.float32]


def read_garment(
    models: Sequence[Model],
    image: RGBImage,
    category: int,
    options: AgreementOptions | None = None,
) -> Reading:
    """Read the landmarks of an image's only garment several times.

    Every model looks at the whole image; then at the garment's box, with the mirrored box
    averaged in.

    Parameters
    ----------
    models
        One or more models of one schema.
    image
        (H, W, 3) uint8.
    category
        Index of the garment's category; its body types say which landmarks there are.
    options
        See `AgreementOptions`.
    """
    options = options or AgreementOptions()
    schema = models[0].schema
    first = [_only(model, image, flip=False, crop=False) for model in models]
    member = _members(schema, category, np.mean([g.scores for g in first], axis=0))
    places = np.mean([g.xy for g in first], axis=0)[member]
    low, high = places.min(0), places.max(0)
    grow = np.maximum((high - low) * options.margin, 2.0)
    height, width = image.shape[:2]
    x0, y0 = np.floor(np.clip(low - grow, 0, [width - 2, height - 2])).astype(int)
    x1, y1 = np.ceil(np.clip(high + grow + 1, [x0 + 2, y0 + 2], [width, height])).astype(int)
    second = [_only(model, image[y0:y1, x0:x1], flip=True, crop=True) for model in models]
    closer = np.array([g.xy + np.array([x0, y0], np.float32) for g in second])
    xy = closer[0] if options.place == "first" else closer.mean(0)
    readings = np.concatenate([closer, [g.xy for g in first]])
    extent = np.maximum(np.ptp(xy[member], axis=0), 1.0)
    disagreement = np.linalg.norm((readings - xy) / extent, axis=-1).max(0)
    inside = ((xy >= -0.5) & (xy <= np.array([width, height]) - 0.5)).all(1)
    agreed = member & inside & (disagreement <= options.tolerance)
    if agreed.sum() < options.share * member.sum():
        agreed[:] = False
    scores = np.mean([g.scores for g in second], axis=0)
    return Reading(
        xy.astype(np.float32),
        member,
        agreed,
        scores.astype(np.float32),
        disagreement.astype(np.float32),
    )


def pseudo_label(
    models: Sequence[Model],
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
    models
        One or more models of the data set's schema.
    dataset
        Its images with exactly one garment, which has a category that the models know and no
        landmark, are read; the others are left as they are, and so are those that a person has
        reviewed. Categories that do not name the landmarks get them, where a garment of theirs does.
    options
        See `AgreementOptions`.
    advance
        Called with 1 for each image.
    tally
        Counts the images that were passed over, and why.
    answer
        What the file's categories that the models lack stand for (`CategoryRule`).

    Returns
    -------
    dataset
        A copy, whose new landmarks name the models as their source.
    counts
        Of ``images`` read, ``garments`` that got landmarks, ``landmarks`` that agreed and
        landmarks ``asked`` for.

    Raises
    ------
    CheckpointError
        If the models' schemas differ from the data set's.
    """
    for model in models:
        if model.schema.landmarks != dataset.schema.landmarks:
            raise CheckpointError(
                f"{model.id} finds the landmarks {listed(model.schema.landmarks)}; expected "
                f"those of the images: {listed(dataset.schema.landmarks)}."
            )
    result = dataset.subset([image.id for image in dataset.images])
    source = "model:" + "+".join(model.id for model in models)
    counts = {"images": 0, "garments": 0, "landmarks": 0, "asked": 0}
    tally = Tally() if tally is None else tally
    rule = CategoryRule.of(dataset, models[0].schema, answer)
    for image in dataset.images:
        advance(1)
        if reason := _why_passed_over(image, rule):
            tally.add(reason, image.file_name or f"image {image.id!r}")
            continue
        try:
            pixels = read_image(image.path, size=image.known_size, exact=True)
        except ImageError as error:
            tally.add("images that are missing or cannot be read", str(error))
            continue
        garments = image.garments
        known = rule.index_of(garments[0].category_id)
        reading = read_garment(models, pixels, known, options)
        counts["images"] += 1
        counts["asked"] += int(reading.member.sum())
        if not reading.agreed.any():
            tally.add("images whose readings do not agree", image.file_name)
            continue
        counts["garments"] += 1
        counts["landmarks"] += int(reading.agreed.sum())
        member = reading.member.astype(np.int64)
        values = annotation_record(
            garments[0].id,
            image.id,
            garments[0].category_id,
            xy=reading.xy,
            visibility=np.where(reading.agreed, 2, 0),
            bbox=landmark_box(reading.xy.astype(float), member),
            order=result.landmark_order(garments[0].category_id),
            fashion=provenance.of_model(
                source,
                float(reading.scores[reading.member].mean()),
                reading.scores.tolist(),
                {},
            ),
        )
        for key in ("bbox", "area", "num_keypoints", "keypoints", provenance.KEY):
            result.set_value("annotations", garments[0].id, (key,), values[key])
        _name_landmarks(result, garments[0].category_id)
    return result, counts


def _why_passed_over(image: Image, rule: CategoryRule) -> str:
    """Return why an image gets no landmarks, as a plural; empty where it may get some."""
    garments = image.garments
    if image.reviewed:
        return "images that a person has reviewed"
    if len(garments) != 1:
        return f"images with {'several garments' if garments else 'no garment'}, not exactly one garment"
    (garment,) = garments
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
    return "" if image.file_name else "images without a file_name"


def _name_landmarks(dataset: Dataset, category_id: RecordId) -> None:
    """Give a category the landmarks' names, where it has none: a detection file's."""
    if dataset.text("categories", category_id, ("keypoints",)) in (None, "null", "[]"):
        record = category_record(dataset.schema, 0, category_id)
        for key in ("keypoints", "skeleton"):
            dataset.set_value("categories", category_id, (key,), record[key])


def _only(model: Model, image: RGBImage, *, flip: bool, crop: bool) -> PredictedGarment:
    options = model.inference.overridden(flip_tta=flip, decoder=SINGLE_COMPLETE)
    return model.predict([image], options, crop=crop)[0].garments[0]


def _members(schema: Schema, category: int, scores: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """(K,) bool: of the body types that the category can have, the one that the scores fit best."""

    def fit(body_type: str) -> float:
        member = np.zeros(schema.n_landmarks, bool)
        member[list(schema.landmarks_of(body_type))] = True
        return float(np.where(member, scores, 1 - scores).sum())

    best = max(schema.categories[category].body_types, key=fit)
    member = np.zeros(schema.n_landmarks, dtype=np.bool_)
    member[list(schema.landmarks_of(best))] = True
    return member
