"""What follows from validations that bring nothing new: a lower learning rate, or the end of the run.

This module imports no torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from napari_fashion.engine.train.options import EarlyStoppingOptions, ScheduleOptions
from napari_fashion.options import Options


class Best(Options):
    """The best validation so far, as a checkpoint keeps it.

    Attributes
    ----------
    error
        Its normalised error; None before the first that has one.
    epoch
        When it was.
    since
        Number of validations since, none of which was better.
    factor
        Of the learning rate (`PlateauRate`).
    """

    error: float | None = None
    epoch: int = Field(default=0, ge=0, lt=1 << 53)
    since: int = Field(default=0, ge=0, lt=1 << 53)
    factor: float = Field(default=1.0, gt=0, le=1)

    def after(self, error: float | None, epoch: int, min_delta: float) -> Best:
        """Return the best after another validation.

        Parameters
        ----------
        error
            Normalised error of the validation; None, or NaN, if it has none, which is no improvement.
        epoch
            Number of epochs that were done.
        min_delta
            How much lower than the best it must be.
        """
        value = math.inf if error is None or math.isnan(error) else error
        if value < (math.inf if self.error is None else self.error - min_delta):
            return self.model_copy(update={"error": error, "epoch": epoch, "since": 0})
        return self.model_copy(update={"since": self.since + 1})


class _Watch:
    """Keeps the best validation."""

    def __init__(self) -> None:
        self.best = Best()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as JSON values."""
        return self.best.model_dump()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what a checkpoint kept.

        Raises
        ------
        pydantic.ValidationError
            If it is not such a state; a ValueError.
        """
        self.best = Best.model_validate(dict(state))


class PlateauRate(_Watch):
    """Lowers the learning rate when the normalised error has stopped falling.

    Parameters
    ----------
    schedule
        Says when and how far; nothing is lowered unless its kind is ``"plateau"``.

    Attributes
    ----------
    best
        The best validation so far.
    """

    def __init__(self, schedule: ScheduleOptions) -> None:
        super().__init__()
        self._schedule = schedule

    @property
    def factor(self) -> float:
        """Factor of the learning rate."""
        return self.best.factor

    def validated(self, error: float | None, epoch: int) -> bool:
        """Note a validation; return whether the learning rate falls. See `Best.after`."""
        schedule = self._schedule
        if schedule.kind != "plateau":
            return False
        self.best = self.best.after(error, epoch, schedule.plateau.min_delta)
        if self.best.since < schedule.plateau.patience:
            return False
        factor = max(self.best.factor * schedule.plateau.factor, schedule.plateau.least)
        lowered = factor < self.best.factor
        self.best = self.best.model_copy(update={"since": 0, "factor": factor})
        return lowered


class EarlyStopping(_Watch):
    """Ends a run when the normalised error has stopped falling.

    Parameters
    ----------
    options
        Say when; None for never.

    Attributes
    ----------
    best
        The best validation so far.
    """

    def __init__(self, options: EarlyStoppingOptions | None) -> None:
        super().__init__()
        self._options = options

    @property
    def why(self) -> str:
        """Why the run ends, as a sentence; empty if it goes on."""
        options, best = self._options, self.best
        if options is None or best.since < options.patience:
            return ""
        delta = f" by more than {options.min_delta:g}" if options.min_delta else ""
        if best.error is None:
            return f"Early stopping: none of {best.since} validations has a normalised error."
        return (
            f"Early stopping: in {best.since} validations the normalised error did not fall{delta} "
            f"below {best.error:.4f}, that of epoch {best.epoch}."
        )

    def validated(self, error: float | None, epoch: int) -> bool:
        """Note a validation; return whether it is the best so far. See `Best.after`."""
        if self._options is None:
            return False
        self.best = self.best.after(error, epoch, self._options.min_delta)
        return self.best.since == 0
