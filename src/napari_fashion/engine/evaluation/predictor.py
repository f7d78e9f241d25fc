"""Annotated images go through a model in batches, as a protocol shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from napari_fashion.engine.data.sample import UNREADABLE, AnnotatedImage
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.model import Model
from napari_fashion.engine.prediction import Prediction
from napari_fashion.errors import ImageError
from napari_fashion.images.batches import batches_by_pixels
from napari_fashion.images.transforms import RGBImage
from napari_fashion.tally import Tally

Advance = Callable[[int], None]
"""Called with the number of images done since the last call."""
Job = TypeVar("Job")
View = TypeVar("View")


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
        Time spent in the model so far.
    """

    model: Model
    inference: InferenceOptions
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
            predictions = self.model.predict(
                [shown for _, _, _, shown, _ in chunk], self.inference, crop=crop
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
