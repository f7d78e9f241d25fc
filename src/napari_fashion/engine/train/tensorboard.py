"""What a run writes for TensorBoard: its events as scalars, and validation images."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.distributed import processes
from napari_fashion.engine.model import Model
from napari_fashion.engine.overlays import draw_prediction
from napari_fashion.engine.train.events import (
    DivergenceEvent,
    DoneEvent,
    Emit,
    EpochEvent,
    NoticeEvent,
    StartEvent,
    StepEvent,
    StoppedEvent,
    TrainEvent,
)
from napari_fashion.engine.train.options import TensorBoardOptions
from napari_fashion.engine.train.runs import TENSORBOARD
from napari_fashion.errors import ImageError, RecipeError
from napari_fashion.images.transforms import RGBImage

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

MOST_PIXELS = 640
"""Greatest side of a drawn image."""

_log = logging.getLogger(__name__)


class TensorBoard:
    """Passes events on, and writes what TensorBoard shows of them, if the options ask for it.

    Parameters
    ----------
    options
        What is written.
    run
        The run's folder; the files go into ``tensorboard`` in it.
    val_images
        Validation images; a few of them, always the same, are drawn.
    emit
        Called with each event, after it was written.

    Raises
    ------
    RecipeError
        If TensorBoard is asked for and not installed.
    """

    def __init__(
        self,
        options: TensorBoardOptions,
        run: Path,
        val_images: Sequence[AnnotatedImage],
        emit: Emit,
    ) -> None:
        self._on = options.on and processes().first
        self._folder = run / TENSORBOARD
        self._emit = emit
        self._writer: SummaryWriter | None = None
        by_name = sorted(val_images, key=lambda image: image.key)
        chosen = np.linspace(0, len(by_name) - 1, min(options.images, len(by_name))).round()
        self._images = [by_name[int(i)] for i in chosen]
        self._step = 0
        if options.on:
            _refuse_missing()

    def __call__(self, event: TrainEvent) -> None:
        """Write an event and pass it on."""
        if self._on:
            self._write(event)
        self._emit(event)

    def draw(self, model: Model, step: int) -> None:
        """Write the chosen validation images with a model's predictions, as of a number of steps."""
        self._step = step
        if self._writer is None:
            return
        for number, image in enumerate(self._images, 1):
            try:
                pixels = _small(image.read())
            except ImageError as error:
                _log.warning("not drawn for TensorBoard: %s", error)
                continue
            [prediction] = model.predict([pixels])
            drawn = draw_prediction(pixels, prediction, model.schema)
            tag = f"validation/{number} {image.path.name}"
            self._writer.add_image(tag, drawn, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is not on the disk yet, and end the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, event: TrainEvent) -> None:
        if isinstance(event, StartEvent):
            self._open(event.step)
        writer = self._writer
        if writer is None:
            return
        match event:
            case StepEvent():
                self._step = event.step
                if event.loss is not None:
                    writer.add_scalar("loss/total", event.loss, event.step)
                for name, value in (event.losses or {}).items():
                    writer.add_scalar(f"loss/{name}", value, event.step)
                writer.add_scalar("learning rate", event.lr, event.step)
                writer.add_scalar("images per second", event.images_per_second, event.step)
            case EpochEvent():
                for name, metric in (event.val or {}).items():
                    if isinstance(metric, int | float):
                        writer.add_scalar(f"validation/{name}", metric, self._step)
                writer.flush()
            case DivergenceEvent():
                images = ", ".join(event.images)
                text = f"{event.head}: {event.loss}; {event.policy}; images: {images}"
                writer.add_text("divergence", text, event.step)
            case NoticeEvent():
                writer.add_text("notice", event.message, self._step)
            case DoneEvent() | StoppedEvent():
                self.close()

    def _open(self, step: int) -> None:
        """Begin a file; what a run that was ended wrote after `step` is dropped by the reader."""
        from torch.utils.tensorboard import SummaryWriter

        self._step = step
        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)


def _refuse_missing() -> None:
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise RecipeError(
            f"tensorboard.on is true, and TensorBoard cannot be imported ({error}). Install it, such as "
            "by pip install 'napari-fashion[tensorboard]', or leave it off."
        ) from error


def _small(image: RGBImage) -> RGBImage:
    """Return an image of `MOST_PIXELS` at most on its longer side."""
    height, width = image.shape[:2]
    factor = MOST_PIXELS / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
