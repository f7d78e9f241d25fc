"""The divergence guard: notices a loss that is not finite, or far above its running median."""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from napari_fashion.engine.train.options import DivergenceOptions

WINDOW = 200
"""Number of recent losses whose median is the usual one."""
_ENOUGH = 50
"""Number of losses before which there is no usual one."""
_LEAST_LR_FACTOR = 1e-4
"""The policy ``"back"`` gives up before the learning rate falls below this share."""
BACK_FACTOR = 0.1
"""Factor of the learning rate when the policy ``"back"`` goes back."""


class DivergenceGuard:
    """Watches the loss of a run.

    Attributes
    ----------
    count
        Consecutive diverging steps.
    """

    def __init__(self, options: DivergenceOptions) -> None:
        self.options = options
        self.count = 0
        self._recent: deque[float] = deque(maxlen=WINDOW)

    @property
    def recent(self) -> list[float]:
        """The latest losses that did not diverge, the oldest first."""
        return list(self._recent)

    def remember(self, losses: Iterable[float]) -> None:
        """Add losses to the latest ones."""
        self._recent.extend(losses)

    @property
    def good(self) -> bool:
        """Whether the latest step did not diverge."""
        return self.count == 0

    def state_dict(self) -> dict[str, Any]:
        """Return the state as JSON values: the latest losses, and `count`."""
        return {"recent": self.recent, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a state; raise ValueError, TypeError or KeyError if it is none."""
        losses, count = list(state["recent"]), state["count"]
        numbers = all(type(loss) in (int, float) for loss in losses)
        if len(losses) > WINDOW or not numbers or type(count) is not int or count < 0:
            raise ValueError("the divergence guard's state is none")
        self._recent = deque(map(float, losses), maxlen=WINDOW)
        self.count = count

    def blame(self, losses: Mapping[str, float], total: float) -> str | None:
        """Return the name of the loss to blame if `total` diverges, None if it does not."""
        usual = statistics.median(self._recent) if len(self._recent) >= _ENOUGH else None
        # Laplace losses can be negative: the excess is measured in units of the usual size, at
        # least 1.
        limit = math.inf if usual is None else usual + self.options.factor * max(1.0, abs(usual))
        if math.isfinite(total) and total <= limit:
            self._recent.append(total)
            self.count = 0
            return None
        return max(losses, key=lambda k: losses[k] if math.isfinite(losses[k]) else math.inf)

    def react(self, lr_factor: float, can_go_back: bool) -> Literal["skip", "back", "stop"]:
        """Count a diverging step; return what to do about it.

        Parameters
        ----------
        lr_factor
            Of the learning rate, after earlier steps back.
        can_go_back
            Whether a state was saved.
        """
        self.count += 1
        policy = self.options.policy
        if policy == "skip" and self.count < self.options.patience:
            return "skip"
        if policy == "back" and can_go_back and lr_factor * BACK_FACTOR >= _LEAST_LR_FACTOR:
            self.count = 0
            return "back"
        return "stop"
