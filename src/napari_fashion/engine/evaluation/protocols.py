"""Evaluation protocols: what a model is shown of annotated images, and what its answers are compared with.

A protocol is a class registered under its name; `evaluate_images` runs one of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from napari_fashion.documents import did_you_mean
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.decode import PUBLISHED, DecoderOptions
from napari_fashion.engine.evaluation.detections import Detections, Judgement, compare
from napari_fashion.engine.evaluation.landmark_metrics import average_error
from napari_fashion.engine.evaluation.predictor import Advance, Predictor
from napari_fashion.engine.evaluation.report import Evaluation, build_report
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model import Model
from napari_fashion.errors import FashionError
from napari_fashion.images.transforms import RGBImage, crop_to_box
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

Place = tuple[tuple[float, float], tuple[float, float]]
"""Where a crop begins in its image, and the width and height of the box, in pixels."""

BOX_OPTIONS = PUBLISHED.model_copy(update={"single_instance": True, "force_complete": True})
"""A crop by the garment's box shows one garment, and every landmark gets a position.

The thresholds are the published ones, so that the errors of all runs stay comparable.
"""


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
    def decoder_options(self, inference: InferenceOptions) -> DecoderOptions:
        """Return how fields are decoded by default, if a model is used with some options."""

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
    title = "Box crops (one garment, all landmarks; errors by the box)"
    divided_by_box = True
    detects = False

    def decoder_options(self, inference: InferenceOptions) -> DecoderOptions:
        """Return `BOX_OPTIONS`."""
        return BOX_OPTIONS

    def judge(
        self, predictor: Predictor, images: Sequence[AnnotatedImage], margin: float
    ) -> Judgement:
        """Predict a crop per garment; the garment found is the one."""

        def view(pixels: RGBImage, image: AnnotatedImage, i: int) -> tuple[RGBImage, Place]:
            crop = crop_to_box(pixels, image.xy[i][image.visibility[i] > 0], margin)
            return crop.image, (crop.origin, crop.extent)

        categories = len(predictor.model.schema.categories)
        jobs = ((image, i) for image in images for i in image.judgeable)
        judged = []
        for image, i, (corner, extent), prediction in predictor.predict(jobs, view, crop=True):
            found = prediction.garments[0] if prediction.garments else None
            origin = np.asarray(corner, np.float64)
            judged.append(compare(image, i, found, origin, extent, categories))
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

    def decoder_options(self, inference: InferenceOptions) -> DecoderOptions:
        """Return the options' own, with every landmark of a garment given a position."""
        return inference.decoder.model_copy(update={"force_complete": True})

    def judge(
        self, predictor: Predictor, images: Sequence[AnnotatedImage], margin: float
    ) -> Judgement:
        """Predict whole images, and match; `margin` has no meaning here."""
        detections = Detections(predictor.model.schema)
        jobs = ((image, None) for image in images)
        for image, _, _, prediction in predictor.predict(
            jobs, lambda pixels, _image, _job: (pixels, None), crop=False
        ):
            detections.add(image, prediction)
        return detections.judgement()


def evaluate_images(
    model: Model,
    images: Sequence[AnnotatedImage],
    *,
    protocol: str = "box",
    inference: InferenceOptions | None = None,
    decoder: DecoderOptions | None = None,
    margin: float = 0.0,
    batch: int = 16,
    rounds: int = 1000,
    seed: int = 0,
    advance: Advance = lambda n: None,
    tally: Tally | None = None,
) -> Evaluation:
    """Evaluate a model.

    With several processes (`engine.distributed`) each predicts a part of the images, and all of them
    return the same metrics; every process has to call this with the same arguments.

    Parameters
    ----------
    model
        The model.
    images
        Annotated images (`load_sources`).
    protocol
        A name in `PROTOCOLS`: ``"box"`` or ``"whole"``.
    inference
        How the model is used, given whole; None for its own options. Crops get no refinement pass.
    decoder
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
    inference = inference or model.inference
    predictor = Predictor(
        model,
        inference.overridden(decoder=decoder or chosen.decoder_options(inference)),
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
