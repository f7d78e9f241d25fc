"""Evaluation protocols: what a model is shown of annotated images, and what its answers are compared with.

A protocol is a cut, a choice and a fallback, each a name in its registry; usual combinations have names of
their own. `evaluate_images` runs one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from napari_fashion.documents import did_you_mean
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.decode import PUBLISHED, DecoderOptions
from napari_fashion.engine.evaluation.choices import CHOICES, Choice
from napari_fashion.engine.evaluation.cuts import CUTS, Cut, show
from napari_fashion.engine.evaluation.detections import Detections
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.fallbacks import FALLBACKS, Fallback, Places, in_region
from napari_fashion.engine.evaluation.judged import Judged, Region, body_type_of, compare
from napari_fashion.engine.evaluation.predictor import Advance, Predictor
from napari_fashion.engine.evaluation.report import build_report
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError
from napari_fashion.images.transforms import RGBImage
from napari_fashion.registry import Registry
from napari_fashion.tally import Tally

ONE_GARMENT = PUBLISHED.model_copy(update={"single_instance": True, "force_complete": True})
"""There is one garment, and every landmark gets a position.

The thresholds are the published ones, so that the errors of all runs stay comparable.
"""


BodyTypeFrom = Literal["score", "truth"]
"""Whether the member of a model set that a garment is compared with is the one with the best score, or the
one for the garment's true body type."""


@dataclass(frozen=True)
class Protocol:
    """What a model is shown, and what its answers are compared with.

    Attributes
    ----------
    cut
        A name in `CUTS`: what is shown of an image.
    choice
        A name in `CHOICES`: which of the garments found is compared.
    fallback
        A name in `FALLBACKS`: where landmarks are said to be that were not found.
    margin
        Share of the box's width and height that a crop shows around it. Errors are divided by the width
        and height of what is shown, with this margin.

    Raises
    ------
    FashionError
        If one of the names is not registered.
    """

    cut: str
    choice: str
    fallback: str
    margin: float = 0.0

    def __post_init__(self) -> None:
        for what, registry in (("cut", CUTS), ("choice", CHOICES), ("fallback", FALLBACKS)):
            name = getattr(self, what)
            if name not in registry:
                raise FashionError(
                    f"No {what} {name!r} of an evaluation protocol; {did_you_mean(name, list(registry))}"
                )

    @property
    def shows(self) -> Cut:
        """The cut."""
        return CUTS[self.cut]

    @property
    def chooses(self) -> Choice:
        """The choice."""
        return CHOICES[self.choice]

    @property
    def falls_back_to(self) -> Fallback:
        """The fallback."""
        return FALLBACKS[self.fallback]

    @property
    def whole(self) -> bool:
        """Whether whole images are shown."""
        return self.cut == "none"

    @property
    def detects(self) -> bool:
        """Whether garments are detected: then images without any count, and the refinement pass applies."""
        return self.whole and not self.chooses.single

    @property
    def name(self) -> str:
        """Its name among `PROTOCOLS`, else its parts."""
        for name, protocol in PROTOCOLS.items():
            if replace(self, margin=protocol.margin) == protocol:
                return name
        return f"{self.cut}-{self.choice}-{self.fallback}"

    @property
    def title(self) -> str:
        """What it measures, in words."""
        shown = self.shows.title
        if self.margin and not self.whole:
            shown += f" with {self.margin:.0%} around them"
        divided = "image" if self.whole else "crop"
        return (
            f"{shown[0].upper()}{shown[1:]}: {self.chooses.title}, else {self.falls_back_to.title} "
            f"(errors by the {divided})"
        )

    def decoder_options(self, inference: InferenceOptions) -> DecoderOptions:
        """Return how fields are decoded by default, if a model is used with some options."""
        if self.chooses.single:
            return ONE_GARMENT
        return inference.decoder.model_copy(update={"force_complete": True})


PROTOCOLS: Registry[Protocol] = Registry("protocol")
"""The usual combinations by name."""


PROTOCOLS.register("box", Protocol("hull", "only", "corner"))
PROTOCOLS.register("whole", Protocol("none", "matched", "corner"))
PROTOCOLS.register("published", Protocol("bbox", "only", "corner"))


def protocol_of(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises
    ------
    FashionError
        If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise FashionError(
            f"No evaluation protocol {name!r}; {did_you_mean(name, list(PROTOCOLS))}"
        )
    return PROTOCOLS[name]


def evaluate_images(
    model: GarmentModel,
    images: Sequence[AnnotatedImage],
    *,
    protocol: str | Protocol = "box",
    inference: InferenceOptions | None = None,
    decoder: DecoderOptions | None = None,
    margin: float | None = None,
    places: Places | None = None,
    confidence: float | None = None,
    body_type: BodyTypeFrom = "score",
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
        A name in `PROTOCOLS`, or a combination of one's own.
    inference
        How the model is used, given whole; None for its own options. Crops get no refinement pass.
    decoder
        How fields are decoded; None for the protocol's default.
    margin
        Instead of the protocol's.
    places
        Relative places of the artificial skeleton; None for the package's own (`fallbacks`).
    confidence
        Score from which a landmark is confident, and counts as detected; None for the decoder's
        `landmark_threshold`.
    body_type
        With ``"truth"`` each garment is compared with what the member of a model set found that is for the
        garment's true body type, as the report does for its combined model. It says which garments are
        there: metrics of detection (precision, recall, AP) are left out, and images without a garment
        do not count. A garment whose body type is not known is compared by the best score.
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
    chosen = protocol_of(protocol) if isinstance(protocol, str) else protocol
    if margin is not None:
        chosen = replace(chosen, margin=margin)
    detects = chosen.detects and body_type == "score"
    _require_judgeable(images, chosen, tally, detects=detects)
    inference = inference or model.inference
    options = decoder or chosen.decoder_options(inference)
    predictor = Predictor(model, inference.overridden(decoder=options), batch, advance, tally)
    judge = _Judge(chosen, predictor, places)
    judge.run(images, body_type)
    unread = all(image.path in predictor.broken for image in images)
    if not judge.judged and predictor.broken and (unread or not detects):
        raise FashionError(
            f"No garment of the {len(images)} images could be judged: none of them can be read. Found "
            f"{tally or 'nothing else'}."
        )
    report = build_report(
        judge.judged,
        model.schema,
        detected=judge.detections.matched() if detects else None,
        confidence=options.landmark_threshold if confidence is None else confidence,
        rounds=rounds,
        seed=seed,
    )
    parts: dict[str, str | float] = {
        "cut": chosen.cut,
        "margin": chosen.margin,
        "choice": chosen.choice,
    }
    parts["fallback"] = chosen.fallback
    title = chosen.title
    if body_type == "truth":
        parts["body_type"] = body_type
        title += ", members by the true body type"
    return Evaluation(
        protocol=chosen.name,
        title=title,
        parts=parts,
        report=report,
        judged=judge.judged,
        seconds_per_image=predictor.seconds / len(images),
    )


class _Judge:
    """Predicts images as a protocol shows them, and compares what is found with the truth."""

    def __init__(self, protocol: Protocol, predictor: Predictor, places: Places | None) -> None:
        self.protocol, self.predictor = protocol, predictor
        self.schema = predictor.model.schema
        self.relative = protocol.falls_back_to.relative(self.schema, places)
        self.detections = Detections(self.schema)
        self.judged: list[Judged] = []

    def run(self, images: Sequence[AnnotatedImage], body_type: BodyTypeFrom) -> None:
        """Judge all images, in their order."""
        if body_type == "score":
            self._run(images, None)
            return
        whole = self.predictor.model
        for name in ("", *self.schema.body_type_names):
            self.predictor.model = whole.only([name])
            self._run(images, name)
        self.predictor.model = whole
        order = {(image.key, image.image_id): n for n, image in enumerate(images)}
        self.judged.sort(key=lambda judged: (order[judged.key, judged.image_id], judged.index))

    def _run(self, images: Sequence[AnnotatedImage], only: str | None) -> None:
        """Judge the garments of one body type (empty: those of none that is known); None: all images."""
        protocol = self.protocol

        def garments_of(image: AnnotatedImage) -> list[int]:
            return [
                i
                for i in _judgeable(image, protocol)
                if only is None or body_type_of(image, i, self.schema) == only
            ]

        def view(pixels: RGBImage, image: AnnotatedImage, i: int | None) -> tuple[RGBImage, Region]:
            return show(protocol.shows, pixels, image, i, protocol.margin)

        jobs: list[tuple[AnnotatedImage, int | None]] = []
        for image in images:
            if not protocol.whole:
                jobs += [(image, i) for i in garments_of(image)]
            elif only is None or garments_of(image):
                jobs.append((image, None))
        crop = not protocol.whole
        for image, i, region, prediction in self.predictor.predict(jobs, view, crop=crop):
            self._judge(image, garments_of(image) if i is None else [i], region, prediction)

    def _judge(
        self,
        image: AnnotatedImage,
        garments: Sequence[int],
        region: Region,
        prediction: Prediction,
    ) -> None:
        """Compare what was found in a part of an image with garments of its truth."""
        found = [_moved(garment, region) for garment in prediction.garments]
        chosen = self.protocol.chooses.choose(image, garments, found, self.schema)
        fallback = in_region(self.relative, region)
        least = self.predictor.inference.visibility.present_threshold
        self.judged += [
            compare(image, i, garment, region, fallback, self.schema, least)
            for i, garment in zip(garments, chosen, strict=True)
        ]
        if self.protocol.detects:
            self.detections.add(image, prediction)


def _moved(garment: PredictedGarment, region: Region) -> PredictedGarment:
    """Return a garment in pixels of the image."""
    if not (region.left or region.top):
        return garment
    origin = (region.left, region.top)
    return replace(garment, xy=(garment.xy.astype("f8") + origin).astype("f4"))


def _judgeable(image: AnnotatedImage, protocol: Protocol) -> list[int]:
    least = protocol.shows.least
    return [i for i in range(len(image.category)) if not image.why_not_judged(i, least)]


def _require_judgeable(
    images: Sequence[AnnotatedImage], protocol: Protocol, tally: Tally | None, *, detects: bool
) -> None:
    """Count the garments that cannot be judged; raise FashionError if none can."""
    least = protocol.shows.least
    reasons = Tally()
    for image in images:
        for i in range(len(image.category)):
            if reason := image.why_not_judged(i, least):
                reasons.add(reason)
    garments = sum(len(image.category) for image in images)
    empty = any(not len(image.category) for image in images)
    if reasons.total == garments and not (detects and empty):
        expected = "two labelled landmarks" if least == 2 else "a labelled landmark"
        raise FashionError(
            f"No landmark can be judged in {len(images)} images with {garments} garments: expected "
            f"garments with {expected}, of which one is visible (v = 2). Found "
            f"{reasons or 'no garment'}."
        )
    if tally is not None:
        for reason, n in reasons.counts.items():
            tally.add(reason, n=n)
