"""Which losses a model is trained by; torch-free, because recipes read it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from napari_fashion.documents import did_you_mean, shown
from napari_fashion.engine.network.heads import CATEGORY, PAF, PIF, VISIBLE
from napari_fashion.options import Options

COMPONENTS = (
    *(f"{spec.name}.{part}" for spec in (PIF, PAF) for part in ("confidence", "vector", "size")),
    f"{PIF.name}.{VISIBLE}",
    CATEGORY.name,
)
"""Names of the losses."""

WEIGHTS = {
    "paf.confidence": 0.5,
    "paf.vector": 0.3,
    "paf.size": 0.1,
    "pif.size": 0.2,
    "pif.visible": 0.3,
}
"""Weights of components unless a recipe sets them; those of the others are 1."""


class LossOptions(Options):
    """Which losses, and the weight lambda of each component.

    Attributes
    ----------
    confidence
        ``"focal"`` cross-entropy (the published method) or ``"smooth_l1"`` (the report).
    focal_gamma
        Exponent of the focal factor; 0 is plain cross-entropy.
    vector
        ``"laplace"`` (with the predicted spread, see `NetworkConfig.bounded_spread`) or
        ``"smooth_l1"``.
    smooth_l1_radius
        Radius of that smooth L1, in cells; None, the default, for the landmark's size: sqrt(A) * sigma,
        with A the area of the garment's box.
    weights
        Lambda by component; a component that is missing has that of `WEIGHTS`, or else 1.
    label_smoothing
        Of the category's cross-entropy.
    category_prior
        Tau of logit adjustment (Menon et al. 2021): tau times the log of each category's frequency
        in training is added to the logits while they are learned, not when they are read. At 1 the
        model has no preference for frequent categories, and those that the training images lack
        are hardly unlearned; at 0 rare ones are given up where they look like frequent ones.
    """

    confidence: Literal["focal", "smooth_l1"] = "focal"
    focal_gamma: float = Field(default=0.0, ge=0, le=100)
    vector: Literal["laplace", "smooth_l1"] = "laplace"
    smooth_l1_radius: float | None = Field(default=None, gt=0, le=1000)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    category_prior: float = Field(default=1.0, ge=0, le=1)
    weights: dict[str, float] = WEIGHTS

    @model_validator(mode="after")
    def _has_a_radius(self) -> LossOptions:
        if self.smooth_l1_radius is not None and self.vector != "smooth_l1":
            raise ValueError(
                f"smooth_l1_radius is {self.smooth_l1_radius:g} and vector is {self.vector!r}; expected "
                'vector = "smooth_l1" beside it'
            )
        return self

    @field_validator("weights")
    @classmethod
    def _check_components(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if name not in COMPONENTS:
                raise ValueError(f"{shown(name)} is no loss; {did_you_mean(name, COMPONENTS)}")
            if not 0 <= weight <= 1e6:
                raise ValueError(f"{name} is {weight}; expected 0 to 1000000")
        return {**WEIGHTS, **value}
