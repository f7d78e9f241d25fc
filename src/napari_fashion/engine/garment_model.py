"""What can be asked of anything that finds garments: one model, or a set of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from napari_fashion.engine.fields import Fields
from napari_fashion.engine.inference.options import InferenceOptions
from napari_fashion.engine.layers import Layers
from napari_fashion.engine.prediction import Prediction
from napari_fashion.schema import Schema


class GarmentModel(Protocol):
    """A model (`Model`) or a model set (`ModelSet`)."""

    @property
    def schema(self) -> Schema:
        """Of what it predicts."""

    @property
    def id(self) -> str:
        """Its name and a digest of all weights."""

    @property
    def inference(self) -> InferenceOptions:
        """How it is used, unless other options are given."""

    @property
    def layers(self) -> Layers:
        """Which of its fields are of which landmarks."""

    @property
    def runs_on(self) -> str:
        """The kind of device and of runtime."""

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members of a set; none of one model."""

    def only(self, body_types: Sequence[str]) -> GarmentModel:
        """Return what predicts garments that are known to be of one of these body types."""

    def fields(self, image: NDArray[Any]) -> Fields:
        """Compute the fields of one image, a (H, W[, channels]) array, by its own options."""

    def predict(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[Prediction]:
        """Predict the garments of each image; see `Model.predict_with_fields`."""

    def predict_with_fields(
        self,
        images: Sequence[NDArray[Any]],
        options: InferenceOptions | None = None,
        *,
        crop: bool | None = None,
    ) -> list[tuple[Fields, Prediction]]:
        """Compute each image's fields and find its garments; see `Model.predict_with_fields`."""
