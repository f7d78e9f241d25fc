"""Evaluation by two fixed protocols: box-cut images, and whole images with no box given."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.data.samples import AnnotatedImage, garment_can_be_judged, why_not_judged
from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.evaluation import metrics
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.errors import FashionError, ImageError
from napari_fashion.images.transforms import RGBImage, crop_to_box
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

Protocol = Literal["box", "whole"]
Advance = Callable[[int], None]

BOX_OPTIONS = DecoderOptions(single=True, complete=True)
"""Box-cut images show one garment, and every landmark gets a position."""
SAME = 0.5
"""Object keypoint similarity from which a prediction counts as a find."""


@dataclass(frozen=True, eq=False)
class Judged:
    """One garment of the truth with what was predicted for it.

    Attributes
    ----------
    key
        The image's file name.
    errors
        (K,) float64: distance in coordinates divided by the width and height of the cut, or of
        the whole image. Of a garment that was not found: to the image's corner.
    box_errors
        (K,) the same, divided by the garment's box.
    visibility
        (K,) of the truth.
    category
        Index of the true category, `UNCLEAR` or `FOREIGN` (`coco.categories`).
    probabilities
        (C,) predicted.
    """

    key: str
    errors: NDArray[np.float64]
    box_errors: NDArray[np.float64]
    visibility: NDArray[np.int64]
    category: int
    probabilities: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The figures of a model on annotated images by one protocol.

    Attributes
    ----------
    protocol
        ``"box"`` or ``"whole"``.
    report
        See `metrics.Report`.
    judged
        What they are made of, a row a garment.
    seconds_per_image
        Of network, decoder and resizing, not of reading files.
    average_error_by_box
        AVG NE with errors divided by the garment's box; equals the report's when box-cut.
    images
        For whole images: the shares of images with one garment in which one is found, and in
        which a second, false one is; and of images with none in which none is.
    """

    protocol: Protocol
    report: metrics.Report
    judged: list[Judged]
    seconds_per_image: float | None
    average_error_by_box: float | None
    images: dict[str, float | None]

    def summary(self) -> dict[str, Any]:
        """Return the few figures that a training run shows."""
        r = self.report
        figures = {
            "ne": r.average_error,
            "median": r.median_error,
            "pdl": r.near["0.1"],
            "top1": r.top1,
            "top3": r.top3,
            "top5": r.top5,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON takes."""
        return {
            "protocol": self.protocol,
            **self.report.to_dict(),
            "average_error_by_box": self.average_error_by_box,
            "images": self.images,
            "seconds_per_image": self.seconds_per_image,
        }

    @property
    def title(self) -> str:
        """What the figures are of, in words."""
        return {
            "box": "Box-cut images (one garment, all landmarks; errors by the box)",
            "whole": "Whole images (no box given; errors by the image)",
        }[self.protocol]

    def rows(self) -> list[tuple[str, str, str]]:
        """Return the figures as a table for people: name, figure, interval."""
        r = self.report
        table: list[tuple[str, str, str]] = []
        intervals = r.intervals or {}

        def row(label: str, value: float | None, name: str = "", percent: bool = False) -> None:
            if value is None:
                return
            bounds = intervals.get(name)
            text = " to ".join(_text(b, percent) for b in bounds) if bounds else ""
            table.append((label, _text(value, percent), text))

        counts = f"{r.n_garments} / {r.n_images} / {r.n_points}"
        table.append(("garments / images / points", counts, ""))
        row("AVG NE, visible landmarks", r.average_error, "average_error")
        for landmark, value in r.error_by_landmark.items():
            row(f"  {landmark}", value)
        if self.protocol == "whole":
            row("AVG NE, by the garment's box", self.average_error_by_box)
        row("pooled NE", r.pooled_error, "pooled_error")
        row("pooled NE, hidden too", r.pooled_error_with_hidden)
        row("median", r.median_error)
        for at, value in r.near.items():
            row(f"PDL at {at}", value, percent=True)
        row("landmarks within 0.02", r.points_within, "points_within", percent=True)
        row("garments with all within 0.02", r.garments_within, "garments_within", percent=True)
        for n in (1, 3, 5):
            row(f"category top-{n}", getattr(r, f"top{n}"), f"top{n}", percent=True)
        row("detection precision", r.precision, percent=True)
        row("detection recall", r.recall, percent=True)
        row("OKS AP", r.ap)
        row("OKS AP at 0.5", r.ap50)
        for label, share in self.images.items():
            row(label, share, percent=True)
        if self.seconds_per_image is not None:
            table.append(("time an image", f"{1000 * self.seconds_per_image:.1f} ms", ""))
        return table


def evaluate_images(
    model: Model,
    images: Sequence[AnnotatedImage],
    *,
    protocol: Protocol = "box",
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
    """Judge a model.

    Parameters
    ----------
    model
        The model.
    images
        Annotated images (`load_sources`).
    protocol
        ``"box"``: each garment is cut out by the box of its labelled landmarks. ``"whole"``: the
        image as it is; predictions are matched to garments by object keypoint similarity, the
        surest first, and what is left by likeness.
    flip, sizes
        Average with the mirrored image, and over which sizes (`InferenceOptions.overridden`); None as the
        model's recipe says.
    refine
        Look closer at what is found (``"whole"`` only; `InferenceOptions.overridden`); None as the recipe says.
    options
        How the fields are decoded; None for `BOX_OPTIONS`, or for whole images the model's own
        with every landmark of a find completed.
    margin
        How much of the box's width and height the cut shows around it (``"box"`` only). Errors
        are divided by the box all the same.
    batch
        Images at a time.
    rounds, seed
        Of the bootstrap; 0 rounds for no intervals.
    advance
        Called with the number of images done since the last call.
    tally
        Counts the garments that cannot be judged, with the reason, and the images that cannot be read;
        without it, the first of these is an error.

    Raises
    ------
    FashionError
        If no landmark can be judged.
    """
    _require_something(images, protocol, tally)
    if protocol == "box":
        look = _Look(model, flip, sizes, None, options or BOX_OPTIONS, tally)
        judged, seconds, detection, shares = _judge_crop(look, images, margin, batch, advance)
    else:
        # Any number of garments; every landmark of one that is found gets a position.
        complete = options or replace(model.inference.decoder, complete=True)
        look = _Look(model, flip, sizes, refine, complete, tally)
        judged, seconds, detection, shares = _judge_whole(look, images, batch, advance)
    unread = all(p.path in look.broken for p in images)
    if not judged and look.broken and (protocol == "box" or unread):
        raise FashionError(
            f"No garment of the {len(images)} images could be judged: none of them can be read. Found "
            f"{tally or 'nothing else'}."
        )
    k, c = model.schema.n_landmarks, len(model.schema.categories)
    visibility = np.array([j.visibility for j in judged]).reshape(-1, k)
    by_box = np.array([j.box_errors for j in judged]).reshape(-1, k)
    report = metrics.report(
        np.array([j.errors for j in judged]).reshape(-1, k),
        visibility,
        model.schema.landmarks,
        [j.key for j in judged],
        probabilities=np.array([j.probabilities for j in judged]).reshape(-1, c),
        categories=np.array([j.category for j in judged], dtype=np.int64),
        detection=detection,
        rounds=rounds,
        seed=seed,
    )
    return Evaluation(
        protocol,
        report,
        judged,
        seconds / len(images) if len(images) else None,
        metrics.average_error(by_box, visibility == 2),
        shares,
    )


_Judgement = tuple[list[Judged], float, dict[str, float | None], dict[str, float | None]]


@dataclass(frozen=True, eq=False)
class _Look:
    """A model, and how it looks."""

    model: Model
    flip: bool | None
    sizes: Sequence[int] | None
    refine: bool | None
    options: DecoderOptions
    tally: Tally | None
    broken: set[Path] = field(default_factory=set)

    def read(self, image: AnnotatedImage) -> RGBImage | None:
        """Read an image; None, counted, where it cannot be read."""
        try:
            return image.read()
        except ImageError as error:
            if self.tally is None:
                raise
            if image.path not in self.broken:  # an image is cut for each of its garments
                self.tally.add("images that are missing or cannot be read", str(error))
            self.broken.add(image.path)
            return None

    def predict(self, images: Sequence[RGBImage], *, crop: bool) -> list[Prediction]:
        options = self.model.inference.overridden(
            flip_tta=self.flip, sizes=self.sizes, refine=self.refine, decoder=self.options
        )
        return self.model.predict(images, options, crop=crop)


def _require_something(
    images: Sequence[AnnotatedImage], protocol: Protocol, tally: Tally | None
) -> None:
    """Count the garments that cannot be judged; raise FashionError where none can."""
    reasons = Tally()
    for image in images:
        for i in range(len(image.category)):
            if reason := why_not_judged(image, i):
                reasons.add(reason)
    garments = sum(len(p.category) for p in images)
    empty = any(not len(p.category) for p in images)
    if reasons.total == garments and not (protocol == "whole" and empty):
        raise FashionError(
            f"No landmark can be judged in {len(images)} images with {garments} garments: expected "
            "garments with two labelled landmarks, of which one is visible (v = 2). Found "
            f"{reasons or 'no garment'}."
        )
    if tally is not None:
        for reason, n in reasons.counts.items():
            tally.add(reason, n=n)


def _judge_crop(
    look: _Look, images: Sequence[AnnotatedImage], margin: float, batch: int, advance: Advance
) -> _Judgement:
    judged: list[Judged] = []
    seconds = 0.0
    c = len(look.model.schema.categories)
    jobs = [(p, i) for p in images for i in range(len(p.category)) if garment_can_be_judged(p, i)]
    for start in range(0, len(jobs), batch):
        chunk = jobs[start : start + batch]
        loaded = [(p, i, look.read(p)) for p, i in chunk]
        chunk = [(p, i) for p, i, image in loaded if image is not None]
        crops = [
            crop_to_box(image, p.xy[i][p.visibility[i] > 0], margin)
            for p, i, image in loaded
            if image is not None
        ]
        began = time.perf_counter()
        predictions = look.predict([c.image for c in crops], crop=True)
        seconds += time.perf_counter() - began
        for (p, i), crop, prediction in zip(chunk, crops, predictions, strict=True):
            found = prediction.garments[0] if prediction.garments else None
            judged.append(
                _compare(p, i, found, np.asarray(crop.origin, np.float64), crop.extent, c)
            )
        advance(len({id(p) for p, _, _ in loaded}))
    return judged, seconds, {}, {}


def _judge_whole(
    look: _Look, images: Sequence[AnnotatedImage], batch: int, advance: Advance
) -> _Judgement:
    judged: list[Judged] = []
    seconds = 0.0
    schema = look.model.schema
    c = len(schema.categories)
    matches: list[NDArray[np.int64]] = []
    results: list[dict[str, Any]] = []
    one_found: list[bool] = []
    second_found: list[bool] = []
    none_found: list[bool] = []
    read: list[AnnotatedImage] = []
    for start in range(0, len(images), batch):
        opened = [(p, look.read(p)) for p in images[start : start + batch]]
        chunk = [p for p, image in opened if image is not None]
        loaded = [image for _, image in opened if image is not None]
        began = time.perf_counter()
        predictions = look.predict(loaded, crop=False)
        seconds += time.perf_counter() - began
        for offset, (p, prediction) in enumerate(zip(chunk, predictions, strict=True)):
            garments = prediction.garments
            real = [i for i in range(len(p.category)) if garment_can_be_judged(p, i)]
            similarity = metrics.oks_matrix(
                np.array([g.xy for g in garments]).reshape(-1, *p.xy.shape[1:]),
                p.xy[real],
                p.visibility[real],
                _areas(p)[real],
                schema.sigmas,
            )
            scores = [g.score for g in garments]
            matches.append(metrics.match_garments(similarity, scores, SAME))
            nearest = _with_the_rest(matches[-1], similarity)
            for row, i in enumerate(real):
                who = np.flatnonzero(nearest == row)
                found = garments[int(who[0])] if len(who) else None
                judged.append(_compare(p, i, found, np.zeros(2), p.size, c))
            if len(real) == 1 and len(p.category) == 1:
                one_found.append(bool((matches[-1] >= 0).any()))
                second_found.append(len(garments) > 1)
            elif not len(p.category):
                none_found.append(not garments)
            results += [_result(len(read) + offset, g) for g in garments]
        read += chunk
        advance(len(opened))
    images = read
    n = sum(garment_can_be_judged(p, i) for p in images for i in range(len(p.category)))
    precision, recall = metrics.precision_recall(matches, n)
    detection: dict[str, float | None] = {"precision": precision, "recall": recall}
    detection |= metrics.average_precision(_truth(images, schema), results, schema.sigmas)
    shares = {
        "one garment: found": _share(one_found),
        "one garment: a second, false one found": _share(second_found),
        "no garment: none found": _share(none_found),
    }
    return judged, seconds, detection, shares


def _with_the_rest(
    matches: NDArray[np.int64], similarity: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Add to the finds what is left: each garment not found gets the likest prediction not used.

    A prediction that is far off still has an error to count, but takes no garment from another.
    """
    everything = matches.copy()
    left = similarity.copy()
    left[matches >= 0] = -1.0
    left[:, matches[matches >= 0]] = -1.0
    while left.size and left.max() > 0:
        p, g = np.unravel_index(int(left.argmax()), left.shape)
        everything[p] = g
        left[p], left[:, g] = -1.0, -1.0
    return everything


def _text(value: float, percent: bool) -> str:
    return f"{100 * value:.1f} %" if percent else f"{value:.4f}"


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
    """Compare a garment of the truth with what was found in an image cut at `origin`."""
    truth = image.xy[i].astype(np.float64)
    labelled = truth[image.visibility[i] > 0]
    extent = np.maximum(labelled.max(0) - labelled.min(0), 1.0)
    predicted = np.zeros_like(truth) if found is None else found.xy.astype(np.float64)
    predicted = predicted + origin
    return Judged(
        image.key,
        metrics.normalised_errors(predicted, truth, size),
        metrics.normalised_errors(predicted, truth, extent),
        image.visibility[i],
        int(image.category[i]),
        np.zeros(categories) if found is None else found.category.astype(np.float64),
    )


def _areas(image: AnnotatedImage) -> NDArray[np.float64]:
    size = image.box[:, 2:] - image.box[:, :2]
    return np.asarray(size.prod(1), np.float64)


def _truth(images: Sequence[AnnotatedImage], schema: Schema) -> dict[str, Any]:
    annotations: list[dict[str, Any]] = []
    for number, p in enumerate(images):
        for i in range(len(p.category)):
            triplets = np.concatenate([p.xy[i], p.visibility[i][:, None]], axis=1)
            x0, y0, x1, y1 = p.box[i].tolist()
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": int(p.crowd[i]),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": float(_areas(p)[i]),
                    "keypoints": triplets.ravel().tolist(),
                }
            )
    return {
        "images": [
            {"id": n, "width": p.size[0], "height": p.size[1]} for n, p in enumerate(images)
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
