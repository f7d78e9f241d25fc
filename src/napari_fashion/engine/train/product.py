"""What a run makes: the average of its weights, mixed with those that it started from."""

from __future__ import annotations

import copy
import hashlib
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_fashion import __version__
from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.data.split import sides_in, with_learned
from napari_fashion.engine.evaluation.calibrated import CALIBRATED, with_options
from napari_fashion.engine.evaluation.calibration import calibrate
from napari_fashion.engine.evaluation.comparison import (
    compare_judged,
    project_images,
    select_landmarks,
)
from napari_fashion.engine.evaluation.evaluation import Evaluation
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import read_model_file
from napari_fashion.engine.train.ema import MovingAverage, mix_states
from napari_fashion.engine.train.events import CompareEvent, now
from napari_fashion.engine.train.runs import MODEL
from napari_fashion.engine.train.setup import Setup
from napari_fashion.errors import FashionError
from napari_fashion.tally import Tally

_log = logging.getLogger(__name__)


class Product:
    """The model that a run saves.

    Parameters
    ----------
    setup
        Of the run.

    Attributes
    ----------
    averaged
        The moving average of the weights that learn.
    """

    def __init__(self, setup: Setup) -> None:
        self.averaged = setup.averaged
        self._device = setup.device
        self._start, self._keep = setup.start, setup.recipe.optimiser.keep_start
        self._match, self._origin = setup.match, setup.origin
        self._val_images: list[AnnotatedImage] = setup.split.validation
        self._average = MovingAverage(
            setup.model.network, setup.averaged.network, setup.recipe.optimiser.ema
        )

    def update(self, step: int) -> None:
        """Follow the weights after a step (0-based)."""
        self._average.update(step)
        self.averaged._id = None

    def model(self) -> Model:
        """Return the average, with the share `keep_start` of the start's weights."""
        if self._origin is None or not self._keep:
            return self.averaged
        network = copy.deepcopy(self.averaged.network)
        network.load_state_dict(mix_states(network.state_dict(), self._origin, self._keep))
        return Model.of_network(network, self.averaged.schema, self.averaged.info, self._device)

    def validate(self) -> dict[str, Any]:
        """Return the model's metrics on the validation images, and keep them in the model."""
        metrics = self.averaged.info.metrics = self._evaluate(
            self.model(), self._val_images
        ).summary()
        return metrics

    def compare(self) -> CompareEvent | None:
        """Compare the start with the model on the validation images; None if there is no start.

        If their landmarks or categories differ, both are judged by the landmarks that they share, on the
        same crops.
        """
        if self._start is None or self._match is None:
            return None
        match, start, new = self._match, self._start, self.model()
        shared = match.shared_landmarks
        if not shared:
            return CompareEvent(
                old={},
                new={**self._evaluate(new, self._val_images).summary()} if self._val_images else {},
                text="The new model shares no landmark with the one that it started from: they cannot be "
                "compared.",
                images=len(self._val_images),
            )
        of_new = of_old = self._val_images
        if not match.is_same:
            of_new = project_images(self._val_images, match.schema, match.schema, shared)
            of_old = project_images(self._val_images, match.schema, match.start, shared)
        if not of_new:
            nothing = compare_judged([], [], {})
            return CompareEvent(old={}, new={}, verdict=nothing.verdict, text=nothing.text)
        old = Model.of_network(start.network, start.schema, start.info, self._device)
        before, after = self._evaluate(old, of_old), self._evaluate(new, of_new)
        comparison = compare_judged(
            select_landmarks(before.judged, match.start, shared),
            select_landmarks(after.judged, match.schema, shared),
            {image.key: image.group for image in of_new},
        )
        return CompareEvent(
            old={**before.summary()},
            new={**after.summary()},
            verdict=comparison.verdict,
            text=comparison.text,
            images=comparison.images,
        )

    def calibrate(self) -> tuple[str, ...]:
        """Fit the model's `VisibilityOptions` on the validation images, if it tells visibility.

        Returns
        -------
        A sentence each on presence and visibility; empty if the network tells none, or there are no
        images.
        """
        if not self.averaged.config.visibility or not self._val_images:
            return ()
        model = self.model()
        model.network.eval()
        found = calibrate(model, self._val_images, tally=Tally())
        if found.changed:
            self.averaged.info = with_options(
                self.averaged.info, found.options, data="validation images", notes=list(found.notes)
            )
        return found.notes

    def _evaluate(self, model: Model, images: list[AnnotatedImage]) -> Evaluation:
        model.network.eval()
        left_out = Tally()
        found = evaluate_images(model, images, protocol="box", rounds=0, tally=left_out)
        if left_out:
            _log.warning("left out of validation: %s", left_out)
        return found

    def save(self, folder: Path, split: Any, **history: Any) -> Path:
        """Save the model in a run's folder; return the path of its JSON.

        `split`, with what the start learned, and `history` (how far the run has come, and where)
        are noted in it.
        """
        info = self.averaged.info
        before = None if self._start is None else sides_in(self._start.info.data.get("split"))
        info.data["split"] = with_learned(split, before)
        calibrated = info.history.get(CALIBRATED)
        info.history = {
            **({} if calibrated is None else {CALIBRATED: calibrated}),
            "napari_fashion": __version__,
            "torch": torch.__version__,
            "started_from": self._start.id if self._start is not None else None,
            "finished": now(),
            **history,
        }
        return self.model().save(folder / Path(MODEL).stem)

    def restored(self, metrics: dict[str, Any] | None) -> None:
        """Follow an average that was brought back from a checkpoint; `metrics` are the latest, if any."""
        self.averaged._id = None
        if metrics is not None:
            self.averaged.info.metrics = dict(metrics)

    def go_to(self, average: dict[str, Tensor], metrics: dict[str, Any]) -> None:
        """Go to an average, by its weights, with its metrics on the validation images."""
        self.averaged.network.load_state_dict(average)
        self.restored(metrics)

    def is_in(self, folder: Path, steps: int) -> bool:
        """Whether the model in a run's folder is the one after this number of steps, whole."""
        try:
            file = read_model_file(folder / MODEL)
            with file.weights.open("rb") as stream:
                file.check_digest(hashlib.file_digest(stream, "sha256").hexdigest())
        except (FashionError, OSError, ValueError):
            return False
        described = file.description
        return (
            described.id == self.model().id
            and described.history.get("steps") == steps
            and described.metrics == self.averaged.info.metrics
        )
