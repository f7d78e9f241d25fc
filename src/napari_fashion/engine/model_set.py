"""A model set: several models that predict as one, each for garments of its own body types.

It is the combined model of the report: one model a body type, chosen by the truth in evaluation, or by
the best score. Importing this imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.decode import DecoderOptions
from napari_fashion.engine.fields import Fields
from napari_fashion.engine.garment_model import GarmentModel
from napari_fashion.engine.inference.calibration import platt
from napari_fashion.engine.inference.choosing import Find, best_of_each
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.inference.runtime import RuntimeName
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.model import Model
from napari_fashion.engine.model_file import ModelFile
from napari_fashion.engine.model_set_file import (
    ALIKE_VISIBILITY,
    ModelSetFile,
    ScoreCalibration,
    read_models,
)
from napari_fashion.engine.prediction import PredictedGarment, Prediction
from napari_fashion.engine.subschemas import SubSchema
from napari_fashion.schema import Schema

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Member:
    """A model of a set.

    Attributes
    ----------
    name
        As the set's file names it.
    body_types
        Of the set's schema: those whose garments it is for.
    model
        The model.
    matched
        Its schema within the set's.
    calibration
        Of its scores: what a garment's score is in the set.
    """

    name: str
    body_types: tuple[str, ...]
    model: Model
    matched: SubSchema
    calibration: ScoreCalibration

    def garment(self, found: PredictedGarment) -> PredictedGarment:
        """Return what the model found as a garment of the set: its landmarks, categories and score."""
        wide = self.matched.garment(found)
        if self.calibration == ScoreCalibration():
            return wide
        score = platt(np.array(found.score), self.calibration.scale, self.calibration.offset)
        return replace(wide, score=float(score))

    def options(self, given: InferenceOptions) -> InferenceOptions:
        """Return options given to the set as this member uses them.

        Its own are the sizes and the padding that it was trained with, and the calibration of its
        visibility.
        """
        own = self.model.inference
        thresholds = {name: getattr(given.visibility, name) for name in ALIKE_VISIBILITY}
        return given.model_copy(
            update={
                "input_size": own.input_size,
                "crop_aspect": own.crop_aspect,
                "padding": own.padding,
                "visibility": own.visibility.model_copy(update=thresholds),
            }
        )


class ModelSet:
    """Models that predict as one; what they find has the landmarks of one schema.

    Every member predicts every image. Of garments of different members at one place, the one with the best
    calibrated score counts (`inference.choosing`).

    Parameters
    ----------
    name
        Of the set.
    schema
        Of what it predicts.
    members
        One or more, used alike (`model_set_file.ALIKE`).
    model_id
        Of the set that these members are of; None for the id that follows from them.
    """

    def __init__(
        self, name: str, schema: Schema, members: Sequence[Member], model_id: str | None = None
    ) -> None:
        self.name = name
        self.schema = schema
        self.members = tuple(members)
        self.layers = Layers.of(schema, {})
        self.id = model_id or f"{name}-{_digest(schema, self.members)}"

    @classmethod
    def of_file(
        cls,
        file: ModelSetFile,
        device: str | torch.device = "auto",
        runtime: RuntimeName = "auto",
        *,
        threads: int | None = None,
    ) -> ModelSet:
        """Load the models of a set's file; see `Model.load` for the arguments and the errors."""
        members = [
            Member(
                m.name,
                m.body_types,
                Model.of_file(m.file, device, runtime, threads=threads),
                m.matched,
                m.calibration,
            )
            for m in file.members
        ]
        made = cls(file.name, file.schema, members)
        _log.info("model set %s of %s", made.id, file.path)
        return made

    @property
    def inference(self) -> InferenceOptions:
        """How it is used: as its first member, each at its own size (`Member.options`)."""
        return self.members[0].model.inference

    @property
    def runs_on(self) -> str:
        """The kinds of device and of runtime."""
        return "+".join(dict.fromkeys(member.model.runs_on for member in self.members))

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of its members."""
        return tuple(member.name for member in self.members)

    def only(self, body_types: Sequence[str]) -> ModelSet:
        """Return the set of the members for some body types; all of it if there are none."""
        chosen = [m for m in self.members if set(m.body_types) & set(body_types)]
        if not chosen or len(chosen) == len(self.members):
            return self
        return ModelSet(self.name, self.schema, chosen, self.id)

    # -- using it --------------------------------------------------------------------------

    def fields(self, image: NDArray[Any]) -> Fields:
        """Return the fields of one image as `predict_with_fields` does."""
        return self.predict_with_fields([image])[0][0]

    def predict(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[Prediction]:
        """Predict the garments of each image; see `predict_with_fields`."""
        given = options or self.inference
        found = [m.model.predict(images, m.options(given), crop=crop) for m in self.members]
        return [
            self._chosen(predictions, given.decoder)[1] for predictions in zip(*found, strict=True)
        ]

    def predict_with_fields(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[tuple[Fields, Prediction]]:
        """Compute each image's fields and find its garments, coordinates in its own pixels.

        Parameters
        ----------
        images, options, crop
            As for `Model.predict_with_fields`; `Member.options` says what of `options` each member uses.

        Returns
        -------
        Of each image the fields of the member that the garment with the best score is of
        (`Fields.member`), the first member's if there is none, and the garments: in crops of one garment
        the best one alone. Both have the landmarks and edges of the set's schema.
        """
        given = options or self.inference
        found = [
            m.model.predict_with_fields(images, m.options(given), crop=crop) for m in self.members
        ]
        result = []
        for of_image in zip(*found, strict=True):
            best, prediction = self._chosen([p for _, p in of_image], given.decoder)
            result.append((self._widened(of_image[best][0], self.members[best]), prediction))
        return result

    def _widened(self, fields: Fields, member: Member) -> Fields:
        """Return a member's fields with the landmarks of the set, and its name."""
        return replace(
            member.matched.fields(member.model.layers.together(fields)), member=member.name
        )

    def _chosen(
        self, predictions: Sequence[Prediction], decoder: DecoderOptions
    ) -> tuple[int, Prediction]:
        """Return the number of the member with the best garment, and the garments of an image."""
        finds: list[Find] = []
        for n, (member, prediction) in enumerate(zip(self.members, predictions, strict=True)):
            own = [member.garment(g) for g in prediction.garments]
            finds += [(n, g) for g in own if decoder.single_instance or g.found.any()]
        if decoder.single_instance:
            finds = [max(finds, key=lambda find: find[1].score)] if finds else []
        else:
            finds = best_of_each(finds, self.schema.sigmas, decoder.landmark_threshold)
        size = predictions[0]
        best = finds[0][0] if finds else 0
        garments = tuple(garment for _, garment in finds)
        return best, Prediction(garments, size.width, size.height, self.id)


def load_model(
    source: Path | str = "bundled",
    device: str | torch.device = "auto",
    runtime: RuntimeName = "auto",
    *,
    threads: int | None = None,
) -> GarmentModel:
    """Load a model or a model set.

    Parameters
    ----------
    source
        As for `Model.load`, or the path of a model set's ``.json``.
    device, runtime, threads
        See `Model.load`; every member gets them.

    Raises
    ------
    CheckpointError
        As `Model.load`, or if a member cannot be loaded or does not fit into the set.
    """
    file = read_models(source)
    if isinstance(file, ModelFile):
        return Model.of_file(file, device, runtime, threads=threads)
    return ModelSet.of_file(file, device, runtime, threads=threads)


def _digest(schema: Schema, members: Sequence[Member]) -> str:
    """Return the first 8 hexadecimal digits of the SHA-256 of what a set predicts with."""
    of: list[Any] = [schema.fingerprint]
    for member in members:
        of.append([member.model.id, *member.body_types, *member.calibration.model_dump().values()])
    return hashlib.sha256(json.dumps(of).encode()).hexdigest()[:8]


__all__ = ["Member", "ModelSet", "load_model"]
