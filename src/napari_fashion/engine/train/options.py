"""How a model is trained: optimiser, schedule, teacher, and what to do about divergence."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from napari_fashion.engine.limits import MAX_SIZE
from napari_fashion.options import Options

_FIRST_SHARE, _FIRST_SIZE = 0.4, 0.8
"""Share of the steps with smaller images by default, and their size as a share of the input's."""

FINE_TUNING: dict[str, dict[str, Any]] = {
    "data": {"balance": 0.0, "validation_share": 0.2},
    "network": {"drop_path": 0.0},  # a few images do not train whole blocks to be skipped
    "optimiser": {
        "lr": 5e-5,
        "backbone_lr": 0.1,
        "weight_decay": 0.01,
        "ema": 0.998,
        "freeze_norms": True,
        "keep_start": 0.3,
    },
    "schedule": {"epochs": 10, "sizes": [], "mild": 1.0},  # the start has its input size already
}
"""Defaults of a run that starts from a model (training/model-card.md): what its recipe does not set."""

LEARNING_NEW: dict[str, dict[str, Any]] = {"schedule": {"epochs": 40}}
"""Beside `FINE_TUNING`, if the run has landmarks, edges or categories that its start lacks."""

MOSTLY_NEW: dict[str, dict[str, Any]] = {
    "optimiser": {"lr": 5e-4, "backbone_lr": 0.3, "keep_start": 0.0},
}
"""Beside `LEARNING_NEW`, if the start lacks more than half of the run's landmarks or categories: then
backbone and neck have to learn as well."""


def warmup_for(epochs: int) -> float:
    """Return the epochs of the warm-up of a run that starts from a model."""
    return min(1.0, epochs / 10)


def fine_tuning_defaults(has_new: bool, share_of_new: float) -> dict[str, dict[str, Any]]:
    """Return the defaults of a run that starts from a model, by table and key.

    Parameters
    ----------
    has_new
        Whether the run has landmarks, edges or categories that its start lacks.
    share_of_new
        Share of the run's landmarks that its start lacks, or of its categories if that is greater.
    """
    parts = [FINE_TUNING]
    if has_new:
        parts.append(LEARNING_NEW)
    if share_of_new > 0.5:
        parts.append(MOSTLY_NEW)
    tables = dict.fromkeys(table for part in parts for table in part)
    return {
        table: {key: value for part in parts for key, value in part.get(table, {}).items()}
        for table in tables
    }


class OptimiserOptions(Options):
    """How weights are updated.

    Attributes
    ----------
    kind
        ``"adamw"`` or ``"sgd"`` (the report's).
    lr
        Peak learning rate.
    backbone_lr
        The backbone's learning rate as a share of `lr`.
    weight_decay
        Of convolution weights; norms and biases have none.
    momentum, nesterov
        Of SGD.
    clip_value
        Each gradient value is clipped to +- this (the report's 10); 0 does not clip.
    clip_norm
        The gradient's norm is clipped to this; 0 does not clip.
    accumulate
        Number of batches in a step, whose gradient is that of one batch of all their images: more
        images a step than memory holds at a time.
    freeze_norms
        Batch norms keep the mean and variance of the model that the run starts from; those of a
        few images of one kind would replace them.
    keep_start
        Share of the start's weights in what is saved: the mean of both models forgets less of what
        the old one knew (Wortsman et al. 2022, robust fine-tuning). Rows of the heads that the start
        lacks have none of it.
    new_rows_lr
        Peak learning rate of the rows of the heads that the start lacks, such as those of a new
        landmark or category; `lr` if that is higher.
    ema
        Decay per step of the exponential moving average of the weights, which is what is saved;
        0 saves the weights themselves.
    """

    kind: Literal["adamw", "sgd"] = "adamw"
    lr: float = Field(default=2e-3, gt=0, le=100)
    backbone_lr: float = Field(default=1.0, gt=0, le=1000)
    weight_decay: float = Field(default=0.05, ge=0, le=100)
    momentum: float = Field(default=0.95, ge=0, lt=1)
    nesterov: bool = True
    clip_value: float = Field(default=0.0, ge=0, le=1e9)
    clip_norm: float = Field(default=5.0, ge=0, le=1e9)
    accumulate: int = Field(default=1, ge=1, le=65_536)
    freeze_norms: bool = False
    keep_start: float = Field(default=0.0, ge=0, lt=1)
    new_rows_lr: float = Field(default=2e-3, gt=0, le=100)
    ema: float = Field(default=0.999, ge=0, lt=1)


class TeacherOptions(Options):
    """A model whose predictions are learned from, beside the labels.

    Attributes
    ----------
    model
        A model's path, or ``"bundled"``; ``"start"`` is the one that the run starts from, which is
        then forgotten less if the new images do not show it (Li and Hoiem 2016, learning without
        forgetting). Its landmarks may differ; its categories are matched by name, and a garment of
        a category that it lacks is learned from its label alone.
    category
        Share of a garment's category target that is the teacher's prediction for the same view
        (Hinton et al. 2015, distillation); the label has the rest.
    """

    model: str = "start"
    category: float = Field(default=0.5, ge=0, le=1)


class PlateauOptions(Options):
    """How the learning rate falls when validations get no better (kind ``"plateau"``).

    Attributes
    ----------
    factor
        Of the rate, each time.
    patience
        Number of validations without a better one before it falls.
    min_delta
        How much lower the normalised error must be to count as better.
    least
        The rate does not fall below this share of the peak.
    """

    factor: float = Field(default=0.3, gt=0, lt=1)
    patience: int = Field(default=5, ge=1, le=1_000_000)
    min_delta: float = Field(default=0.0, ge=0, le=100)
    least: float = Field(default=1e-3, gt=0, le=1)


class EarlyStoppingOptions(Options):
    """When a run ends before its last epoch: if validations get no better.

    The model that is saved at the end is that of the best validation, whether the run ends early or not.

    Attributes
    ----------
    patience
        Number of validations without a better one.
    min_delta
        How much lower the normalised error must be to count as better.
    """

    patience: int = Field(default=10, ge=1, le=1_000_000)
    min_delta: float = Field(default=0.0, ge=0, le=100)


class TensorBoardOptions(Options):
    """What is written for TensorBoard, into the run's folder.

    Attributes
    ----------
    on
        Whether anything is written.
    images
        Number of validation images that are drawn with their predictions at each validation.
    """

    on: bool = False
    images: int = Field(default=4, ge=0, le=100)


class ScheduleOptions(Options):
    """How long a run takes, and how the learning rate changes.

    Attributes
    ----------
    epochs
        Number of passes.
    batch
        Images per step; of each of `OptimiserOptions.accumulate` batches.
    warmup_epochs
        Linear rise of the learning rate from 0, in epochs.
    kind
        What follows the warm-up: ``"cosine"`` or ``"linear"`` to a hundredth of the peak,
        ``"decay"`` by `decay`, or ``"plateau"``: the peak until validations get no better.
    decay
        For ``"decay"``: (first, last) epochs of ranges; the rate falls exponentially to a tenth
        over each of them, or at once if both are equal. Without ranges the rate is constant.
    plateau
        For ``"plateau"``, see `PlateauOptions`.
    validate_every
        Epochs between validations; the last epoch is always validated.
    max_steps
        Stop after this number of steps; 0 for no limit.
    sizes
        Progressive resizing: (share, size) pairs; from that share of the steps on, images have
        that longer side in the network's input. Rising shares, the first 0, the last size the
        recipe's `InferenceOptions.input_size`. Empty for that size throughout; None, the default,
        for four fifths of it in the first 40 % of the steps.
    mild
        Share of the steps after which images are augmented half as far (`AugmentOptions.milder`):
        a model ends on images like those it is used on (He et al. 2019, data augmentation
        revisited).
    """

    epochs: int = Field(default=50, ge=1, le=1_000_000)
    batch: int = Field(default=32, ge=1, le=65_536)
    warmup_epochs: float = Field(default=1.0, ge=0, le=1_000_000)
    kind: Literal["cosine", "linear", "decay", "plateau"] = "cosine"
    decay: list[tuple[float, float]] = Field(default_factory=list, max_length=1000)
    plateau: PlateauOptions = PlateauOptions()
    validate_every: int = Field(default=1, ge=1, le=1_000_000)
    max_steps: int = Field(default=0, ge=0, le=1_000_000_000)
    sizes: list[tuple[float, int]] | None = Field(default=None, max_length=64)
    mild: float = Field(default=0.7, gt=0, le=1)

    @field_validator("decay")
    @classmethod
    def _check_decay(cls, value: list[tuple[float, float]]) -> list[tuple[float, float]]:
        for first, last in value:
            if not 0 <= first <= last <= 1_000_000:
                raise ValueError(
                    f"found {[first, last]}; expected a first and a last epoch of 0 to 1000000"
                )
        return value

    @field_validator("sizes")
    @classmethod
    def _check_sizes(cls, value: list[tuple[float, int]] | None) -> list[tuple[float, int]] | None:
        if value is None:
            return None
        shares = [share for share, _ in value]
        if value and (shares[0] != 0 or shares != sorted(set(shares)) or shares[-1] >= 1):
            raise ValueError("expected rising shares of the steps below 1, the first of them 0")
        if any(not 32 <= size <= MAX_SIZE or size % 32 for _, size in value):
            raise ValueError(f"expected sizes that are multiples of 32, up to {MAX_SIZE}")
        return value

    def size_at(self, done: float, usual: int) -> int:
        """Return the input's side when a share `done` of the steps is done.

        `usual` is the recipe's `InferenceOptions.input_size`.
        """
        if self.sizes is None:
            small = max(32, int(_FIRST_SIZE * usual) // 32 * 32)
            return small if done < _FIRST_SHARE else usual
        return next((size for share, size in reversed(self.sizes) if done >= share), usual)


class DivergenceOptions(Options):
    """What to do when the loss is not finite, jumps, or rises and stays high.

    A rise is measured above a reference that falls at once and rises slowly, in units of the losses'
    usual spread; a unit is at least half of their size, and a quarter of the fall since the first
    step (`divergence.Level`).

    Attributes
    ----------
    policy
        ``"skip"`` the step; go ``"back"`` to a saved state that was good, at a tenth of the rate; or
        ``"stop"``.
    factor
        How many units above the reference a single step diverges.
    level
        How many units above the reference the run diverges if most of eight steps lie there.
    patience
        Consecutive diverging steps after which ``"skip"`` gives up and stops.
    """

    policy: Literal["skip", "back", "stop"] = "skip"
    factor: float = Field(default=50.0, gt=1, le=1e9)
    level: float = Field(default=5.0, gt=1, le=1e9)
    patience: int = Field(default=20, ge=1, le=1_000_000)
