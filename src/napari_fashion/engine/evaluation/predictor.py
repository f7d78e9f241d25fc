"""Annotated images go through a model in batches, as a protocol shows them.

With several processes each predicts every so many-th chunk of the images; what they found is
gathered, so that all of them compute the same metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from napari_fashion.engine.data.sample import UNREADABLE, AnnotatedImage
from napari_fashion.engine.distributed import processes
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.prediction import Prediction
from napari_fashion.errors import ImageError
from napari_fashion.images.batches import batches_by_pixels
from napari_fashion.images.transforms import RGBImage
from napari_fashion.tally import Tally

Advance = Callable[[int], None]
"""Called with the number of images done since the last call."""
Job = TypeVar("Job")
View = TypeVar("View")


class _Found(NamedTuple):
    """What a process found: of each job by number, where its view lies, and the prediction."""

    predictions: dict[int, tuple[object, Prediction]]
    broken: dict[int, str]
    """Why the images of jobs could not be read."""
    seconds: float


@dataclass(eq=False)
class Predictor:
    """A model with the settings of one evaluation; predicts annotated images in batches.

    Attributes
    ----------
    model, inference
        The model, and how it is used.
    batch
        Largest number of views that the network gets at once.
    advance, tally
        See `evaluate_images`.
    broken
        Files that could not be read.
    seconds
        Time spent in the model so far, summed over the processes.
    """

    model: GarmentModel
    inference: InferenceOptions
    batch: int
    advance: Advance
    tally: Tally | None
    broken: set[Path] = field(default_factory=set)
    seconds: float = 0.0
    _done: set[int] = field(default_factory=set)

    def predict(
        self,
        jobs: Iterable[tuple[AnnotatedImage, Job]],
        view: Callable[[RGBImage, AnnotatedImage, Job], tuple[RGBImage, View]],
        *,
        crop: bool,
    ) -> Iterator[tuple[AnnotatedImage, Job, View, Prediction]]:
        """Predict what a protocol shows of each image; images that cannot be read are passed over.

        Images are read when they are needed, and a batch is bounded by the pixels of the images in full
        size (`images.batches`), of which crops are views. No batch has jobs of two chunks of `batch`
        jobs in a row: what is in a batch does not depend on the number of processes.

        Parameters
        ----------
        jobs
            Images, each with what the protocol wants of it.
        view
            Returns the part of an image that the model is shown, and where that part lies.
        crop
            Whether views are crops of one garment.
        """
        todo = list(jobs)
        together = processes()
        starts = range(0, len(todo), self.batch)[together.rank :: together.size]
        if together.size == 1:
            for start in starts:
                found = self._predict_chunk(todo, start, view, crop)
                yield from self._take(todo, [found])
            return
        own = [self._predict_chunk(todo, start, view, crop) for start in starts]
        yield from self._take(todo, [found for part in together.gather(own) for found in part])

    def _predict_chunk(
        self,
        jobs: Sequence[tuple[AnnotatedImage, Job]],
        start: int,
        view: Callable[[RGBImage, AnnotatedImage, Job], tuple[RGBImage, View]],
        crop: bool,
    ) -> _Found:
        """Predict a chunk of the jobs."""
        found = _Found({}, {}, 0.0)
        seconds = 0.0
        numbers = range(start, min(start + self.batch, len(jobs)))
        read = (
            (number, pixels.shape[0] * pixels.shape[1], *view(pixels, *jobs[number]))
            for number in numbers
            if (pixels := self._read(jobs[number][0], number, found.broken)) is not None
        )
        for batch in batches_by_pixels(read, self.batch, lambda item: item[1]):
            began = time.perf_counter()
            predictions = self.model.predict(
                [shown for _, _, shown, _ in batch], self.inference, crop=crop
            )
            seconds += time.perf_counter() - began
            for (number, _, _, where), prediction in zip(batch, predictions, strict=True):
                found.predictions[number] = where, prediction
            self._count(jobs[number][0] for number, *_ in batch)
        return found._replace(seconds=seconds)

    def _take(
        self, jobs: Sequence[tuple[AnnotatedImage, Job]], parts: Sequence[_Found]
    ) -> Iterator[tuple[AnnotatedImage, Job, View, Prediction]]:
        """Count what could not be read, and yield what was found, in the order of the jobs."""
        predictions: dict[int, tuple[object, Prediction]] = {}
        broken: dict[int, str] = {}
        for part in parts:
            predictions |= part.predictions
            broken |= part.broken
            self.seconds += part.seconds
        for number in sorted(broken):
            path = jobs[number][0].path
            if path not in self.broken and self.tally is not None:
                self.tally.add(UNREADABLE, broken[number])
            self.broken.add(path)
        self._count(jobs[number][0] for number in sorted({*predictions, *broken}))
        for number in sorted(predictions):
            where, prediction = predictions[number]
            yield *jobs[number], where, prediction  # type: ignore[misc]

    def _count(self, images: Iterable[AnnotatedImage]) -> None:
        """Report images that were not counted yet as done."""
        new = {id(image) for image in images} - self._done
        self._done |= new
        if new:
            self.advance(len(new))

    def _read(self, image: AnnotatedImage, number: int, broken: dict[int, str]) -> RGBImage | None:
        """Read the image of a job; None, with the reason in `broken`, if it cannot be read.

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
            broken[number] = str(error)
            return None
