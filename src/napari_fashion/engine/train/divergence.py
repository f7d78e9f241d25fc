"""The divergence guard: notices losses that are not finite, jump, or rise and stay high.

Losses have no common range: a Laplace loss falls below zero, and weights scale each of them. The guard
therefore measures a rise in a unit that it learns for each loss (`Level.unit`). Multiplying all losses
by a constant changes none of its decisions.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, Literal, NamedTuple

from pydantic import Field

from napari_fashion.engine.train.options import DivergenceOptions
from napari_fashion.options import Options

RECENT = 8
"""Number of steps in the short average, which tells a level from a spike."""
WARMUP = 20
"""Number of steps in which the reference is the minimum so far."""
SLOW, FAST = 1 / 200, 1 / 4
"""Shares of the way to a new value that the reference goes in a step upwards and downwards."""
FALL, SIZE = 0.25, 0.5
"""Least unit, as a share of the fall since the first step, and of the losses' size."""
BACK_FACTOR = 0.1
"""Factor of the learning rate when the policy ``"back"`` goes back."""
_LEAST_LR_FACTOR = 1e-4
"""The policy ``"back"`` gives up before the learning rate falls below this share."""
_TO_BLAME = 0.1
"""Least share of the total's rise that a loss to blame has."""
_CALM = 2.0
"""A state is good if the latest losses lie at most this many spreads above the reference."""
_CALM_SPREAD = (0.02, 0.15)
"""Least and greatest spread for that, as shares of the losses' size."""

GRADIENT = "gradient norm"
"""What is to blame if the losses are finite and the gradient is not."""


class Reaction(NamedTuple):
    """What to do about a step that diverges.

    Attributes
    ----------
    action
        ``"skip"`` the step, go ``"back"`` to a saved state, or ``"stop"``.
    why
        Why to stop, as a part of a sentence.
    """

    action: Literal["skip", "back", "stop"]
    why: str = ""


@dataclass(frozen=True)
class Finding:
    """A step that diverges.

    Attributes
    ----------
    head
        What is to blame: a loss by name, such as ``paf.vector``, or `GRADIENT`.
    value
        The total loss, or the gradient's norm.
    usual
        The total's reference; None if it has none yet, or the gradient is to blame.
    """

    head: str
    value: float
    usual: float | None = None

    def __str__(self) -> str:
        what = self.head if self.head == GRADIENT else f"loss, most of all {self.head}"
        usual = "" if self.usual is None else f"; the usual level is {self.usual:.4g}"
        return f"{what}: {self.value:.4g}{usual}"


class LevelState(Options):
    """The numbers of a `Level`, as a checkpoint keeps them."""

    first: float
    reference: float
    spread: float = Field(ge=0)
    count: int = Field(ge=1, lt=1 << 53)
    recent: list[float] = Field(max_length=RECENT)


class Level:
    """What is usual for a loss.

    The reference is the minimum during `WARMUP` steps, and then follows a low quantile: it goes a
    large part of the way to a smaller value, and a small part, of a unit at most, to a greater one.

    Attributes
    ----------
    first
        The first value.
    reference
        A low value among the usual ones; NaN before the first value.
    spread
        Typical distance from the reference.
    count
        Number of values that were learned from.
    recent
        The latest finite values, those of diverging steps cut to a limit.
    """

    def __init__(self) -> None:
        self.first = self.reference = math.nan
        self.spread = 0.0
        self.count = 0
        self.recent: deque[float] = deque(maxlen=RECENT)

    def unit(self, size: float) -> float:
        """Return the unit of a rise: the spread, but at least a share of the fall and of `size`."""
        return max(self.spread, FALL * (self.first - self.reference), SIZE * size)

    def learn(self, value: float, unit: float) -> None:
        """Move the reference and the spread towards a usual value."""
        self.count += 1
        now = median(self.recent) if self.recent else value
        if self.count == 1:
            self.first = self.reference = value
        elif now < self.reference:
            share = 1.0 if self.count <= WARMUP else FAST
            self.reference += share * (now - self.reference)
        else:
            self.reference += SLOW * min(now - self.reference, unit)
        # Cut and slow, so that a loss that keeps rising does not widen its own limit as fast.
        distance = min(abs(value - self.reference), 2 * unit)
        share = 1 / self.count if self.count <= WARMUP else SLOW
        self.spread += share * (distance - self.spread)

    def state(self) -> LevelState:
        """Return the numbers that a checkpoint keeps."""
        return LevelState(
            first=self.first,
            reference=self.reference,
            spread=self.spread,
            count=self.count,
            recent=list(self.recent),
        )

    @classmethod
    def of_state(cls, state: LevelState) -> Level:
        """Return a level with the numbers of a checkpoint."""
        level = cls()
        level.first, level.reference, level.spread = state.first, state.reference, state.spread
        level.count = state.count
        level.recent.extend(state.recent)
        return level


class GuardState(Options):
    """What a checkpoint keeps of a `DivergenceGuard`."""

    total: LevelState | None = None
    parts: dict[str, LevelState] = Field(default_factory=dict, max_length=1000)
    since: int = Field(default=0, ge=0, lt=1 << 53)
    count: int = Field(default=0, ge=0, lt=1 << 53)
    just_back: bool = False


class DivergenceGuard:
    """Watches the losses and the gradient of a run, from its first step on.

    For each step, `find` is asked about the losses and `find_in_gradient` about the gradient; then
    either `accept` is called or `react`.

    Attributes
    ----------
    count
        Consecutive diverging steps.
    since
        Number of steps accepted since the latest diverging one, or since the run began.
    """

    def __init__(self, options: DivergenceOptions) -> None:
        self.options = options
        self.count = self.since = 0
        self._total = Level()
        self._parts: dict[str, Level] = {}
        self._just_back = False

    @property
    def good(self) -> bool:
        """Whether the run is worth going back to.

        No step diverged within the short average, and the average is not above what is usual, as it
        would be during a slow rise.
        """
        total = self._total
        if not total.recent or self.since < min(RECENT, total.count):
            return False
        least, most = (share * self._size() for share in _CALM_SPREAD)
        usual = min(max(total.spread, least), most)
        latest = list(total.recent)[-RECENT // 2 :]
        return fmean(latest) <= total.reference + _CALM * usual

    def find(self, losses: Mapping[str, float], total: float) -> Finding | None:
        """Return what is wrong with a step's weighted losses and their total; None if nothing is."""
        level = self._total
        if not math.isfinite(total):
            return Finding(self._blame(losses), total, level.reference if level.count else None)
        if not level.count:
            return None
        unit = level.unit(self._size())
        rise = total - level.reference
        limit = self.options.level * unit
        self._remember(losses, total, 2 * limit)
        above = median(level.recent) - level.reference > limit and rise > unit
        stays = above and len(level.recent) == RECENT
        if rise > self.options.factor * unit or stays:
            return Finding(self._blame(losses), total, level.reference)
        return None

    def find_in_gradient(self, norm: float) -> Finding | None:
        """Return what is wrong with the gradient's norm; None if it is finite."""
        return None if math.isfinite(norm) else Finding(GRADIENT, norm)

    def accept(self, losses: Mapping[str, float], total: float) -> None:
        """Learn from the losses of a step that does not diverge and was taken."""
        first = not self._total.count
        unit = self._total.unit(self._size())
        if first or total - self._total.reference <= self.options.level * unit:
            for name, value in losses.items():
                level = self._parts.setdefault(name, Level())
                level.learn(value, level.unit(abs(value if first else level.reference)))
            self._total.learn(total, self._total.unit(self._size()))
        if first:
            self._remember(losses, total, math.inf)
        self.count = 0
        self.since += 1
        self._just_back = False

    def react(self, lr_factor: float, can_go_back: bool) -> Reaction:
        """Count a diverging step; return what to do about it.

        Parameters
        ----------
        lr_factor
            Of the learning rate, after earlier steps back.
        can_go_back
            Whether there is a saved state that was `good`.
        """
        self.count += 1
        self.since = 0
        if self.options.policy == "stop":
            return Reaction("stop", "divergence.policy is 'stop'")
        if self.options.policy == "skip":
            if self.count < self.options.patience:
                return Reaction("skip")
            return Reaction("stop", f"{self.count} steps in a row diverged (divergence.patience)")
        if not can_go_back:
            return Reaction("stop", "there is no saved state that was good, to go back to")
        if self._just_back:  # at its very first step: it does so at any rate
            return Reaction("stop", "the saved state that the run went back to diverges at once")
        if lr_factor * BACK_FACTOR < _LEAST_LR_FACTOR:
            return Reaction(
                "stop", f"the learning rate has been lowered to {lr_factor:g} of it already"
            )
        return Reaction("back")

    def went_back(self) -> None:
        """Note that the run went back to a saved state, and this guard with it."""
        self.count = 0
        self._just_back = True

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as JSON values."""
        return GuardState(
            total=self._total.state() if self._total.count else None,
            parts={name: level.state() for name, level in self._parts.items()},
            since=self.since,
            count=self.count,
            just_back=self._just_back,
        ).model_dump()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what a checkpoint kept; nothing, from a version that kept nothing, is no state.

        Raises
        ------
        pydantic.ValidationError
            If it is not a guard's state; a ValueError.
        """
        read = GuardState.model_validate(dict(state))
        self._total = Level() if read.total is None else Level.of_state(read.total)
        self._parts = {name: Level.of_state(level) for name, level in read.parts.items()}
        self.since, self.count, self._just_back = read.since, read.count, read.just_back

    def _size(self) -> float:
        """Return how large the losses are: the sum of their references, without signs."""
        return sum(abs(level.reference) for level in self._parts.values())

    def _remember(self, losses: Mapping[str, float], total: float, limit: float) -> None:
        """Add a step to the short averages; its rise above the reference is cut to a limit."""
        cut = self._total.reference + limit
        self._total.recent.append(min(total, cut))
        for name, value in losses.items():
            self._parts[name].recent.append(value)

    def _blame(self, losses: Mapping[str, float]) -> str:
        """Return the loss that rose most against its own reference, in its own unit.

        Losses that are not finite come first; those that hardly add to the total's rise are passed
        over.
        """
        broken = [name for name, value in losses.items() if not math.isfinite(value)]
        if broken or not self._parts:
            return _largest(losses, broken or losses)
        levels = {name: self._parts[name] for name in losses if name in self._parts}
        rises = {name: median(v.recent) - v.reference for name, v in levels.items()}
        risen = sum(max(0.0, rise) for rise in rises.values())
        suspects = [name for name, rise in rises.items() if rise >= _TO_BLAME * risen]
        units = {n: max(levels[n].unit(abs(levels[n].reference)), 1e-12) for n in suspects}
        return max(suspects, key=lambda name: rises[name] / units[name])


def _largest(losses: Mapping[str, float], names: Iterable[str]) -> str:
    return max(names, key=lambda k: losses[k] if math.isfinite(losses[k]) else math.inf)
