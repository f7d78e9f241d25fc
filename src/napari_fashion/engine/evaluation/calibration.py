"""Thresholds and calibrations of presence and visibility, fitted on images with known landmarks.

Probabilities are calibrated by Platt's method (1999): scale and offset of their logits, by maximum
likelihood. A normal prior around scale 1 and offset 0 keeps few landmarks from deciding much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import binomtest

from napari_fashion.engine.data.sample import AnnotatedImage
from napari_fashion.engine.decode.body_types import possible_landmarks
from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.matching import FOUND_OKS
from napari_fashion.engine.evaluation.predictor import Advance
from napari_fashion.engine.evaluation.protocols import evaluate_images
from napari_fashion.engine.inference.calibration import logit, platt
from napari_fashion.engine.inference.options import VisibilityOptions
from napari_fashion.engine.model import Model
from napari_fashion.schema import Schema
from napari_fashion.tally import Tally

LEAST = 50
"""Landmarks of either kind (there or not, visible or hidden) without which nothing is fitted."""
PRIOR = 1.0
"""Weight of the prior, in landmarks: standard deviation 1 of scale and of offset."""
NEUTRAL = 0.5
"""Threshold of a calibrated probability that nothing speaks against."""
CHANCE = 0.05
"""Of the sign test by which another threshold is taken."""

_MOST_SCALE, _MOST_OFFSET = 100.0, 100.0  # VisibilityOptions
_DECIMALS = 6


@dataclass(frozen=True)
class Calibration:
    """What was fitted.

    Attributes
    ----------
    options
        With the fitted values, and those that were there before for what was not fitted.
    notes
        A sentence each on presence and visibility: the numbers of landmarks, and what came of it.
    changed
        Whether something was fitted.
    """

    options: VisibilityOptions
    notes: tuple[str, ...]
    changed: bool


def calibrate(
    model: Model,
    images: Sequence[AnnotatedImage],
    *,
    batch: int = 16,
    advance: Advance = lambda n: None,
    tally: Tally | None = None,
) -> Calibration:
    """Fit a model's `VisibilityOptions` on images that it did not learn from.

    Whole images are predicted as the model is used, with every landmark given a position, and garments
    are matched with the truth.

    Parameters
    ----------
    model
        The model.
    images
        Annotated images. What tells that landmarks are not there is `AnnotatedImage.absent`.
    batch, advance, tally
        See `evaluate_images`.

    Raises
    ------
    FashionError
        If no landmark can be judged.
    """
    raw = model.inference.model_copy(update={"visibility": VisibilityOptions()})
    found = evaluate_images(
        model, images, protocol="whole", inference=raw, batch=batch, rounds=0, advance=advance,
        tally=tally,
    )  # fmt: skip
    least = raw.decoder.landmark_threshold
    return fit(found.judged, model.schema, least, model.inference.visibility)


def fit(
    judged: Sequence[Judged], schema: Schema, landmark_threshold: float, before: VisibilityOptions
) -> Calibration:
    """Fit thresholds and calibrations to what was predicted without any.

    Only landmarks count that the model would give: with a score from `landmark_threshold`, and of a body
    type that the predicted category can have.

    Parameters
    ----------
    judged
        Garments with what was found, by `VisibilityOptions` of scale 1 and offset 0.
    schema
        The model's.
    landmark_threshold
        Of the decoder.
    before
        The model's options; they are kept for what cannot be fitted.
    """
    scores: list[Float64] = []
    there: list[Bool] = []
    visible: list[Float64] = []
    seen: list[Bool] = []
    for j in judged:
        if not j.found or j.oks < FOUND_OKS:
            continue
        given = (j.scores >= landmark_threshold) & possible_landmarks(schema, j.probabilities)
        if j.absent:
            scores.append(j.scores[given])
            there.append(j.visibility[given] > 0)
        if j.visible is not None:
            known = given & (j.visibility > 0)
            visible.append(j.visible[known])
            seen.append(j.visibility[known] == 2)
    parts = (
        ("present", "there", "not there", scores, there),
        ("visible", "visible", "hidden", visible, seen),
    )
    changes: dict[str, float] = {}
    notes = []
    for name, yes, no, probabilities, so in parts:
        own, note = _fitted(
            name, np.concatenate([np.zeros(0), *probabilities]),
            np.concatenate([np.zeros(0, np.bool_), *so]), yes, no,
        )  # fmt: skip
        changes |= own
        notes.append(note)
    options = VisibilityOptions.model_validate({**before.model_dump(), **changes})
    return Calibration(options, tuple(notes), bool(changes))


def _fitted(name: str, p: Float64, y: Bool, yes: str, no: str) -> tuple[dict[str, float], str]:
    """Return the fitted values of one probability by their names, and a sentence on it."""
    n_yes, n_no = int(y.sum()), int((~y).sum())
    counts = f"{n_yes:,} {yes} and {n_no:,} {no}"
    if min(n_yes, n_no) < LEAST:
        return {}, (
            f"{name}: kept as it was; found {counts} among the landmarks of matched garments, expected "
            f"{LEAST} of either."
        )
    scale, offset = (round(value, _DECIMALS) for value in fit_platt(p, y))
    calibrated = platt(p, scale, offset)
    threshold = chosen_threshold(calibrated, y)
    before, after = (int(((q >= t) != y).sum()) for q, t in ((p, 0.5), (calibrated, threshold)))
    if name == "present":
        before = n_no  # without a threshold, all that is found is there
    values = {"threshold": threshold, "scale": scale, "offset": offset}
    return {f"{name}_{key}": value for key, value in values.items()}, (
        f"{name}: of {counts} landmarks of matched garments {before:,} were wrong and {after:,} are, from "
        f"{threshold:.3f} on; scale {scale:.3f}, offset {offset:+.3f}."
    )


def fit_platt(
    p: Float64, y: Bool, prior: float = PRIOR, weights: Float64 | None = None
) -> tuple[float, float]:
    """Return scale and offset that make probabilities the likeliest (`platt`).

    Parameters
    ----------
    p, y
        (n,) probabilities, and whether it is so.
    prior
        Weight of scale 1 and offset 0.
    weights
        (n,) how much each counts; None for 1.

    Examples
    --------
    >>> p, y = np.array([0.2, 0.4, 0.6, 0.8] * 100), np.array([False, False, True, False] * 100)
    >>> [round(value, 2) for value in fit_platt(p, y)]
    [0.55, -1.16]
    """
    x = logit(p)
    w = np.ones(len(p)) if weights is None else weights

    def loss(at: Float64) -> tuple[float, Float64]:
        z = at[0] * x + at[1]
        off = w * (0.5 + 0.5 * np.tanh(0.5 * z) - y)
        likelihood = w @ np.logaddexp(0, z) - w[y] @ z[y]
        apart = at - centre
        return (
            float(likelihood + prior / 2 * (apart**2).sum()),
            np.array([off @ x, off.sum()]) + prior * apart,
        )

    centre = np.array([1.0, 0.0])
    at = minimize(loss, centre, jac=True, method="BFGS").x
    scale, offset = at.tolist()
    if scale < 0:  # less so where the probability is higher: it tells nothing
        return 0.0, fit_platt(np.full_like(p, 0.5), y, prior, weights)[1]
    return min(scale, _MOST_SCALE), float(np.clip(offset, -_MOST_OFFSET, _MOST_OFFSET))


def chosen_threshold(p: NDArray[np.floating], y: Bool) -> float:
    """Return the best threshold if it is surely better than 0.5, else 0.5.

    On a few hundred landmarks the best threshold of many is better than 0.5 by chance alone. It is
    taken if, of the answers in which the two differ, more are right by it than a sign test (5 %) leaves
    to chance. A calibrated probability then says what its threshold says, as a rule.

    Examples
    --------
    >>> p = np.linspace(0.01, 0.99, 99)
    >>> chosen_threshold(p, p > 0.52), round(chosen_threshold(p, p > 0.605), 3)
    (0.5, 0.605)
    """
    best = best_threshold(p, y)
    differs = (p >= best) != (p >= NEUTRAL)
    better = int((((p >= best) == y) & differs).sum())
    if not differs.any():
        return NEUTRAL
    chance = binomtest(better, int(differs.sum()), alternative="greater").pvalue
    return best if chance < CHANCE else NEUTRAL


def best_threshold(p: NDArray[np.floating], y: Bool) -> float:
    """Return from which probability on to say yes, so that the fewest answers are wrong.

    Parameters
    ----------
    p, y
        (n,) probabilities, and whether it is so.

    Returns
    -------
    Halfway between two neighbouring probabilities, or 0 for always yes, or 1 for never; of equally good
    ones the lowest.

    Examples
    --------
    >>> best_threshold(np.array([0.1, 0.3, 0.5, 0.9]), np.array([False, True, False, True]))
    0.2
    """
    order = np.argsort(p, kind="stable")
    values, so = np.asarray(p, np.float64)[order], np.asarray(y, np.bool_)[order]
    # Wrong answers if the first i say no and the others yes.
    missed, refused = (np.concatenate([[0], np.cumsum(part)]) for part in (so, ~so))
    wrong = missed + refused[-1] - refused
    middles = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])
    apart = np.concatenate([[True], values[1:] > values[:-1], [True]])
    best = int(np.flatnonzero(apart)[np.argmin(wrong[apart])])
    return float(middles[best])
