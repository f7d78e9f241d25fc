"""Evaluation protocols: what a model is shown of annotated images, and what its answers are compared with.

A protocol is a class registered under its name; `evaluate_images` runs one of them.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_fashion.documents import did_you_mean
from napari_fashion.engine.data.sample import UNREADABLE, AnnotatedImage
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation.average_precision import average_precision
from napari_fashion.engine.evaluation.landmark_metrics import average_error, normalised_errors
from napari_fashion.engine.evaluation.matching import (
    match_garments,
    oks_matrix,
    precision_recall,
)
from napari_fashion.engine.evaluation.report import Evaluation, Judged, build_report
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError, ImageError
from napari_fashion.images.batches import batches_by_pixels
from napari_fashion.images.transforms import Crop, RGBImage, crop_to_box
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

Advance = Callable[[int], None]
Job = TypeVar("Job")
View = TypeVar("View")

BOX_OPTIONS = DecoderOptions(single_instance=True, force_complete=True)
"""A crop by the garment's box shows one garment, and every landmark gets a position."""


@dataclass(eq=False)
class Predictor:
    """A model with the settings of one evaluation; predicts annotated images in batches.

    Attributes
    ----------
    model, flip, sizes, refine, options
        See `evaluate_images`.
    batch
        Largest number of views that the network gets at once.
    advance, tally
        See `evaluate_images`.
    broken
        Files that could not be read.
    seconds
        Time spent in the model so far.
    """

    model: Model
    flip: bool | None
    sizes: Sequence[int] | None
    refine: bool | None
    options: DecoderOptions
    batch: int
    advance: Advance
    tally: Tally | None
    broken: set[Path] = field(default_factory=set)
    seconds: float = 0.0

    def predict(
        self,
        jobs: Iterable[tuple[AnnotatedImage, Job]],
        view: Callable[[RGBImage, AnnotatedImage, Job], tuple[RGBImage, View]],
        *,
        crop: bool,
    ) -> Iterator[tuple[AnnotatedImage, Job, View, Prediction]]:
        """Predict what a protocol shows of each image; images that cannot be read are passed over.

        Images are read when they are needed, and a batch is bounded by the pixels of the images in full
        size (`images.batches`), of which crops are views.

        Parameters
        ----------
        jobs
            Images, each with what the protocol wants of it.
        view
            Returns the part of an image that the model is shown, and where that part lies.
        crop
            Whether views are crops of one garment.
        """
        read = (
            (image, job, pixels.shape[0] * pixels.shape[1], *view(pixels, image, job))
            for image, job in jobs
            if (pixels := self._read(image)) is not None
        )
        done: set[int] = set()
        for chunk in batches_by_pixels(read, self.batch, lambda item: item[2]):
            began = time.perf_counter()
            options = self.model.inference.overridden(
                flip_tta=self.flip, sizes=self.sizes, refine=self.refine, decoder=self.options
            )
            predictions = self.model.predict(
                [shown for _, _, _, shown, _ in chunk], options, crop=crop
            )
            self.seconds += time.perf_counter() - began
            for (image, job, _, _, where), prediction in zip(chunk, predictions, strict=True):
                yield image, job, where, prediction
            new = {id(image) for image, *_ in chunk} - done
            done |= new
            self.advance(len(new))

    def _read(self, image: AnnotatedImage) -> RGBImage | None:
        """Read an image; None, counted once per file, if it cannot be read.

        Raises
        ------
        ImageError
            If it cannot be read, and nobody counts (no `tally`).
        """
        try:
            return image.read()
        except ImageError as error:
            if self.tally is None:
                raise
            if image.path not in self.broken:
                self.tally.add(UNREADABLE, str(error))
                self.advance(1)
            self.broken.add(image.path)
            return None


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a protocol found: garments compared, and shares of what was detected.

    Attributes
    ----------
    judged
        One per garment of the truth.
    detection
        ``precision``, ``recall`` and `average_precision`; empty if the protocol gives the garment.
    images
        See `Evaluation.images`.
    """

    judged: list[Judged]
    detection: dict[str, float | None] = field(default_factory=dict)
    images: dict[str, float | None] = field(default_factory=dict)


class EvaluationProtocol(ABC):
    """What a model is shown, how its answers are decoded, and what they are compared with.

    Attributes
    ----------
    name, title
        Its name in the registry, and what it measures in words.
    divided_by_box
        Whether errors are divided by the garment's box; otherwise by the image.
    detects
        Whether garments are detected: then images without any count, and the refinement pass applies.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    divided_by_box: ClassVar[bool]
    detects: ClassVar[bool]

    @abstractmethod
    def decoder_options(self, model: Model) -> DecoderOptions:
        """Return how fields are decoded by default."""

    @abstractmethod
    def judge(
        self, predictor: Predictor, images: Sequence[AnnotatedImage], margin: float
    ) -> Judgement:
        """Predict images and compare with the truth."""


PROTOCOLS: dict[str, EvaluationProtocol] = {}
"""The protocols by name."""


def register_protocol(kind: type[EvaluationProtocol]) -> type[EvaluationProtocol]:
    """Register a protocol under its name; a decorator.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    if kind.name in PROTOCOLS:
        raise ValueError(f"The protocol {kind.name!r} is registered twice; expected unique names.")
    PROTOCOLS[kind.name] = kind()
    return kind


@register_protocol
class BoxProtocol(EvaluationProtocol):
    """Crops by the box of each garment's labelled landmarks; one garment each."""

    name = "box"
    title = "Box-cut images (one garment, all landmarks; errors by the box)"
    divided_by_box = True
    detects = False

    def decoder_options(self, model: Model) -> DecoderOptions:
        """Return `BOX_OPTIONS`."""
        return BOX_OPTIONS

    def judge(
        self, predictor: Predictor, images: Sequence[AnnotatedImage], margin: float
    ) -> Judgement:
        """Predict a crop per garment; the garment found is the one."""

        def view(pixels: RGBImage, image: AnnotatedImage, i: int) -> tuple[RGBImage, Crop]:
            crop = crop_to_box(pixels, image.xy[i][image.visibility[i] > 0], margin)
            return crop.image, crop

        categories = len(predictor.model.schema.categories)
        jobs = ((image, i) for image in images for i in image.judgeable)
        judged = []
        for image, i, crop, prediction in predictor.predict(jobs, view, crop=True):
            found = prediction.garments[0] if prediction.garments else None
            origin = np.asarray(crop.origin, np.float64)
            judged.append(_compare(image, i, found, origin, crop.extent, categories))
        return Judgement(judged)


@register_protocol
class WholeProtocol(EvaluationProtocol):
    """Whole images; predictions are matched to garments by object keypoint similarity.

    The prediction with the highest score chooses first; a garment that was not found is compared with the
    most similar prediction that is left.
    """

    name = "whole"
    title = "Whole images (no box given; errors by the image)"
    divided_by_box = False
    detects = True

    def decoder_options(self, model: Model) -> DecoderOptions:
        """Return the model's own options, with every landmark of a garment given a position."""
        return model.inference.decoder.model_copy(update={"force_complete": True})

    def judge(
        self, predictor: Predictor, images: Sequence[AnnotatedImage], margin: float
    ) -> Judgement:
        """Predict whole images, and match; `margin` has no meaning here."""
        detections = _Detections(predictor.model.schema)
        jobs = ((image, None) for image in images)
        for image, _, _, prediction in predictor.predict(
            jobs, lambda pixels, _image, _job: (pixels, None), crop=False
        ):
            detections.add(image, prediction)
        return detections.judgement()


class _Detections:
    """Predictions on whole images, matched with the truth as they come."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.images: list[AnnotatedImage] = []
        self.judged: list[Judged] = []
        self.matches: list[NDArray[np.int64]] = []
        self.results: list[dict[str, Any]] = []
        self.single_found: list[bool] = []
        self.single_more: list[bool] = []
        self.none_found: list[bool] = []

    def add(self, image: AnnotatedImage, prediction: Prediction) -> None:
        garments = prediction.garments
        real = image.judgeable
        similarity = oks_matrix(
            np.array([g.xy for g in garments]).reshape(-1, *image.xy.shape[1:]),
            image.xy[real],
            image.visibility[real],
            image.box_area[real],
            self.schema.sigmas,
        )
        matches = match_garments(similarity, [g.score for g in garments])
        nearest = _match_remaining(matches, similarity)
        for row, i in enumerate(real):
            found = np.flatnonzero(nearest == row)
            garment = garments[int(found[0])] if len(found) else None
            categories = len(self.schema.categories)
            self.judged.append(
                _compare(image, i, garment, np.zeros(2), image.size, categories),
            )
        if len(real) == 1 and len(image.category) == 1:
            self.single_found.append(bool((matches >= 0).any()))
            self.single_more.append(len(garments) > 1)
        elif not len(image.category):
            self.none_found.append(not garments)
        self.matches.append(matches)
        self.results += [_result(len(self.images), garment) for garment in garments]
        self.images.append(image)

    def judgement(self) -> Judgement:
        n = sum(len(image.judgeable) for image in self.images)
        precision, recall = precision_recall(self.matches, n)
        truth = _truth(self.images, self.schema)
        return Judgement(
            self.judged,
            {
                "precision": precision,
                "recall": recall,
                **average_precision(truth, self.results, self.schema.sigmas),
            },
            {
                "one garment: found": _share(self.single_found),
                "one garment: a second, false one found": _share(self.single_more),
                "no garment: none found": _share(self.none_found),
            },
        )


def evaluate_images(
    model: Model,
    images: Sequence[AnnotatedImage],
    *,
    protocol: str = "box",
    flip: bool | None = None,
    sizes: Sequence[int] | None = None,
    refine: bool | None = None,
    options: DecoderOptions | None = None,
    margin: float = 0.0,
    batch: int = 16,
    rounds: int = 1000,
    seed: int = 0,
    advance: Advance = lambda n: None,
    tally: Tally | None = None,
) -> Evaluation:
    """Evaluate a model.

    Parameters
    ----------
    model
        The model.
    images
        Annotated images (`read_sources`).
    protocol
        A name in `PROTOCOLS`: ``"box"`` or ``"whole"``.
    flip, sizes
        Flip TTA, and the sizes of multi-scale inference (`InferenceOptions.overridden`); None for
        the model's own.
    refine
        Run the refinement pass, if the protocol detects garments; None for the model's own.
    options
        How fields are decoded; None for the protocol's default.
    margin
        Share of the box's width and height that a crop shows around it (``"box"`` only). Errors are
        divided by the box itself.
    batch
        Largest number of images or crops that the network gets at once.
    rounds, seed
        Of the bootstrap; 0 rounds for no intervals.
    advance
        Called with the number of images done since the last call.
    tally
        Counts the garments that cannot be judged, with the reason, and the images that cannot be read;
        without it, the first unreadable image is an error.

    Raises
    ------
    FashionError
        If there is no such protocol, or no landmark can be judged.
    ImageError
        If an image cannot be read, and there is no `tally`.
    """
    if protocol not in PROTOCOLS:
        raise FashionError(
            f"No evaluation protocol {protocol!r}; {did_you_mean(protocol, list(PROTOCOLS))}"
        )
    chosen = PROTOCOLS[protocol]
    _require_judgeable(images, chosen, tally)
    predictor = Predictor(
        model,
        flip,
        sizes,
        refine if chosen.detects else None,
        options or chosen.decoder_options(model),
        batch,
        advance,
        tally,
    )
    found = chosen.judge(predictor, images, margin)
    unread = all(image.path in predictor.broken for image in images)
    if not found.judged and predictor.broken and (unread or not chosen.detects):
        raise FashionError(
            f"No garment of the {len(images)} images could be judged: none of them can be read. Found "
            f"{tally or 'nothing else'}."
        )
    return _evaluation(chosen, model.schema, found, predictor.seconds / len(images), rounds, seed)


def _evaluation(
    protocol: EvaluationProtocol,
    schema: Schema,
    found: Judgement,
    seconds: float,
    rounds: int,
    seed: int,
) -> Evaluation:
    judged = found.judged
    k, c = schema.n_landmarks, len(schema.categories)
    visibility = np.array([j.visibility for j in judged]).reshape(-1, k)
    report = build_report(
        np.array([j.errors for j in judged]).reshape(-1, k),
        visibility,
        schema.landmarks,
        [j.key for j in judged],
        probabilities=np.array([j.probabilities for j in judged]).reshape(-1, c),
        categories=np.array([j.category for j in judged], dtype=np.int64),
        detection=found.detection,
        rounds=rounds,
        seed=seed,
    )
    by_box = np.array([j.box_errors for j in judged]).reshape(-1, k)
    return Evaluation(
        protocol=protocol.name,
        title=protocol.title,
        report=report,
        judged=judged,
        seconds_per_image=seconds,
        average_error_by_box=average_error(by_box, visibility == 2),
        divided_by_box=protocol.divided_by_box,
        images=found.images,
    )


def _require_judgeable(
    images: Sequence[AnnotatedImage], protocol: EvaluationProtocol, tally: Tally | None
) -> None:
    """Count the garments that cannot be judged; raise FashionError if none can."""
    reasons = Tally()
    for image in images:
        for i in range(len(image.category)):
            if reason := image.why_not_judged(i):
                reasons.add(reason)
    garments = sum(len(image.category) for image in images)
    empty = any(not len(image.category) for image in images)
    if reasons.total == garments and not (protocol.detects and empty):
        raise FashionError(
            f"No landmark can be judged in {len(images)} images with {garments} garments: expected "
            "garments with two labelled landmarks, of which one is visible (v = 2). Found "
            f"{reasons or 'no garment'}."
        )
    if tally is not None:
        for reason, n in reasons.counts.items():
            tally.add(reason, n=n)


def _match_remaining(
    matches: NDArray[np.int64], similarity: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Match each garment that was not found with the most similar prediction that is left.

    A prediction that is far off still has an error to count, but takes no garment from another.

    Parameters
    ----------
    matches, similarity
        (P,) of `match_garments`, and the (P, G) similarities.

    Returns
    -------
    (P,) int64, -1 where nothing is left.
    """
    completed = matches.copy()
    left = similarity.copy()
    left[matches >= 0] = -1.0
    left[:, matches[matches >= 0]] = -1.0
    while left.size and left.max() > 0:
        p, g = np.unravel_index(int(left.argmax()), left.shape)
        completed[p] = g
        left[p], left[:, g] = -1.0, -1.0
    return completed


def _share(values: list[bool]) -> float | None:
    return sum(values) / len(values) if values else None


def _compare(
    image: AnnotatedImage,
    i: int,
    found: PredictedGarment | None,
    origin: NDArray[np.float64],
    size: tuple[float, float],
    categories: int,
) -> Judged:
    """Compare garment `i` of an image with what was found in a view of it.

    Parameters
    ----------
    found
        The prediction, in the view's pixels; None if there is none.
    origin
        (2,) the view's corner in the image, xy pixels.
    size
        Width and height in pixels that errors are divided by.
    categories
        C, the number of the model's categories.
    """
    truth = image.xy[i].astype(np.float64)
    labelled = truth[image.visibility[i] > 0]
    extent = np.maximum(labelled.max(0) - labelled.min(0), 1.0)
    predicted = np.zeros_like(truth) if found is None else found.xy.astype(np.float64)
    predicted = predicted + origin
    return Judged(
        image.key,
        normalised_errors(predicted, truth, size),
        normalised_errors(predicted, truth, extent),
        image.visibility[i],
        int(image.category[i]),
        np.zeros(categories) if found is None else found.category.astype(np.float64),
    )


def _truth(images: Sequence[AnnotatedImage], schema: Schema) -> dict[str, Any]:
    """Return the truth as the COCO document that `average_precision` takes; ids are positions."""
    annotations: list[dict[str, Any]] = []
    for number, image in enumerate(images):
        for i in range(len(image.category)):
            triplets = np.concatenate([image.xy[i], image.visibility[i][:, None]], axis=1)
            x0, y0, x1, y1 = image.box[i].tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": int(image.crowd[i]),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(image.box_area[i]),
                    "keypoints": triplets.ravel().tolist(),
                }
            )
    return {
        "images": [
            {"id": n, "width": image.size[0], "height": image.size[1]}
            for n, image in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "garment", "keypoints": list(schema.landmarks)}],
    }


def _result(image_id: int, garment: PredictedGarment) -> dict[str, Any]:
    triplets = np.concatenate([garment.xy, np.full((len(garment.xy), 1), 2.0)], axis=1)
    return {
        "image_id": image_id,
        "category_id": 1,
        "keypoints": triplets.ravel().tolist(),
        "score": garment.score,
    }
