"""Presence and visibility of landmarks: what is there, what is hidden, and how well it is known.

Every metric is made of sums over garments, so that a resample of images only weighs these sums.

A garment is matched if the prediction that it is compared with has an OKS of `FOUND_OKS` and more. A
landmark is detected if its score is at least the confidence of the report and, of a model that says how
probably a landmark is there, that probability at least the model's threshold.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_fashion.engine.evaluation._arrays import Bool, Float64
from napari_fashion.engine.evaluation.judged import Judged
from napari_fashion.engine.evaluation.landmark_metrics import normalised_errors
from napari_fashion.engine.evaluation.matching import FOUND_OKS
from napari_fashion.schema import Schema

Figures = dict[str, float | None]

BINS = 10
"""Bins of equal width of the reliability curves, and of the expected calibration error."""
PRESENCE = "presence"
"""Name of the figures over all garments, and what their intervals' names begin with."""
BY_LANDMARK = "by_landmark"


class Presence:
    """What N garments say of presence and visibility.

    Parameters
    ----------
    judged
        The garments.
    schema
        The model's, of K landmarks.
    confidence
        Least score of a detected landmark.

    Attributes
    ----------
    detected, matched
        (N, K) and (N,) bool, as above.
    box_errors
        (N, K): distances in coordinates divided by width and height of the file's box.
    tells_visibility
        Whether a prediction tells which landmarks are hidden; otherwise all count as visible.
    """

    def __init__(self, judged: Sequence[Judged], schema: Schema, confidence: float) -> None:
        self._names = schema.landmarks
        n, k = len(judged), schema.n_landmarks
        scores = _stacked([j.scores for j in judged], n, k)
        known = [np.full(k, np.nan) if j.visible is None else j.visible for j in judged]
        self._present = _stacked([_present(j) for j in judged], n, k)
        self._visible = _stacked(known, n, k)
        self._v = _stacked([j.visibility for j in judged], n, k).astype(np.int64)
        least = np.array([j.present_threshold for j in judged]).reshape(n, 1)
        self.detected: Bool = (scores >= confidence) & (self._present >= least)
        self.matched: Bool = np.array([j.found and j.oks >= FOUND_OKS for j in judged], np.bool_)
        self.box_errors = _box_errors(judged, n, k)
        self.tells_visibility = any(j.visible is not None for j in judged)
        threshold = np.array([j.visible_threshold for j in judged], np.float32).reshape(n, 1)
        self._told_visible: Bool = ~(self._visible.astype(np.float32) < threshold)  # NaN is visible
        self._scored: Bool = scores >= confidence
        self._blocks: dict[str, slice] = {}
        self._sums = self._stack(_share_of_image([j.key for j in judged]))

    def _stack(self, share_of_image: Float64) -> Float64:
        """Return the sums of all metrics, a row a garment, and note which columns are whose."""
        there = (self._v > 0) & self.matched[:, None]
        counted = there & self.detected
        absent = self.detected & (self._v == 0)
        visible = self._v == 2
        right = self._told_visible == visible
        told = counted & ~np.isnan(self._visible)
        rated = self._scored & self.matched[:, None]
        blocks: dict[str, Float64 | Bool] = {
            "image": share_of_image[:, None],
            "absent": absent,
            "found_absent": absent & self.matched[:, None],
            "there": there,
            "missed": there & ~self.detected,
            "counted": counted,
            "right": counted & right,
            "visible": counted & visible,
            "visible_right": counted & visible & right,
            "told": told.sum(1, keepdims=True),
            "visible_brier": _squared(self._visible, visible, told),
            "rated": rated.sum(1, keepdims=True),
            "present_brier": _squared(self._present, self._v > 0, rated),
        }
        for name, v in (("visible", 2), ("hidden", 1)):
            mine = (self._v == v) & self.matched[:, None]
            blocks[f"error_{name}"] = np.where(mine, self.box_errors, 0.0)
            blocks[f"n_{name}"] = mine
        for name, p, y, which in (
            ("visible", self._visible, visible, told),
            ("present", self._present, self._v > 0, rated),
        ):
            blocks |= {f"{name}_{what}": part for what, part in _binned(p, y, which).items()}
        start = 0
        for name, block in blocks.items():
            self._blocks[name] = slice(start, start + block.shape[1])
            start += block.shape[1]
        return np.concatenate([np.asarray(b, np.float64) for b in blocks.values()], axis=1)

    @property
    def visibility(self) -> NDArray[np.int64]:
        """(N, K) predicted: 0 not detected, 1 hidden, 2 visible."""
        return np.where(self.detected, np.where(self._told_visible, 2, 1), 0)

    def part(self, rows: Sequence[int] | NDArray[np.intp]) -> Presence:
        """Return those of some of the garments."""
        part = copy.copy(self)
        part._sums, part.matched = self._sums[rows], self.matched[rows]
        return part

    def figures(self, weights: Float64) -> Figures:
        """Return all metrics, those of all garments and those of each landmark, by name.

        Parameters
        ----------
        weights
            (N,) how often each garment counts.
        """
        total = self._totals(weights)
        found = {f"{PRESENCE}.{name}": value for name, value in self._overall(total).items()}
        images = float(total["image"][0])
        shares = {
            "found_error_visible": _each(total["error_visible"], total["n_visible"]),
            "found_error_hidden": _each(total["error_hidden"], total["n_hidden"]),
            "missed": _each(total["missed"], total["there"]),
            "absent_per_image": [_over(float(v), images) for v in total["absent"]],
            "visibility_right": _each(total["right"], total["counted"]),
        }
        for metric, values in shares.items():
            for name, value in zip(self._names, values, strict=True):
                found[f"{BY_LANDMARK}.{name}.{metric}"] = value
        return found

    def group_figures(self, weights: Float64) -> Figures:
        """Return the metrics of a group of garments, by name; as for `figures`."""
        found = self._overall(self._totals(weights))
        share = _over(float(weights @ self.matched), float(weights.sum()))
        names = ("found_error_visible", "found_error_hidden", "visibility_right")
        return {"found": share, **{name: found[name] for name in names}}

    def curves(self) -> dict[str, list[list[float | None]]]:
        """Return the reliability curves: of each bin that occurs the mean probability, share and number.

        Returns
        -------
        ``visible``: how probably a landmark was said to be visible, and how many are; ``present``: to be
        there. Empty if the model does not tell it.
        """
        total = self._totals(np.ones(len(self._sums)))
        curves: dict[str, list[list[float | None]]] = {}
        for name in ("visible", "present"):
            n, p, y = (total[f"{name}_{what}"] for what in ("n", "p", "y"))
            curves[name] = [
                [float(p[b] / n[b]), float(y[b] / n[b]), float(n[b])] for b in np.flatnonzero(n)
            ]
        return curves

    def _totals(self, weights: Float64) -> dict[str, Float64]:
        total = weights @ self._sums
        return {name: total[columns] for name, columns in self._blocks.items()}

    def _overall(self, total: dict[str, Float64]) -> Figures:
        n = {name: float(block.sum()) for name, block in total.items()}
        visible, hidden = n["visible"], n["counted"] - n["visible"]
        hidden_right = n["right"] - n["visible_right"]
        each = [_over(n["visible_right"], visible), _over(hidden_right, hidden)]
        return {
            "found_error_visible": _mean(_each(total["error_visible"], total["n_visible"])),
            "found_error_hidden": _mean(_each(total["error_hidden"], total["n_hidden"])),
            "found_pooled_visible": _over(n["error_visible"], n["n_visible"]),
            "found_pooled_hidden": _over(n["error_hidden"], n["n_hidden"]),
            "absent_per_image": _over(n["absent"], n["image"]),
            "found_absent_per_image": _over(n["found_absent"], n["image"]),
            "missed": _over(n["missed"], n["there"]),
            "visibility_right": _over(n["right"], n["counted"]),
            "visibility_commoner": _over(max(visible, hidden), n["counted"]),
            "visibility_balanced": None if None in each else _mean(each),
            "visible_brier": _over(n["visible_brier"], n["told"]),
            "visible_calibration_error": _calibration_error(total, "visible"),
            "present_brier": _over(n["present_brier"], n["rated"]),
            "present_calibration_error": _calibration_error(total, "present"),
        }


def _present(j: Judged) -> Float64:
    return np.asarray(j.scores if j.present is None else j.present, np.float64)


def _stacked(rows: Sequence[object], n: int, k: int) -> Float64:
    return np.array(rows, np.float64).reshape(n, k)


def _box_errors(judged: Sequence[Judged], n: int, k: int) -> Float64:
    if not n:
        return np.zeros((0, k))
    corners = np.array([j.box for j in judged], np.float64).reshape(n, 2, 2)
    size = np.maximum(corners[:, 1] - corners[:, 0], 1.0)
    predicted, truth = ([getattr(j, name) for j in judged] for name in ("predicted", "truth"))
    return normalised_errors(predicted, truth, size)


def _share_of_image(keys: Sequence[str]) -> Float64:
    """Return 1 over the number of garments with the same key: their sum is the number of images."""
    _, which, counts = np.unique(np.array(keys, object), return_inverse=True, return_counts=True)
    return 1 / counts[which.reshape(-1)] if len(keys) else np.zeros(0)


def _squared(p: Float64, y: Bool, which: Bool) -> Float64:
    """Return (N, 1) sums of squared differences (Brier 1950) over what counts."""
    squares: Float64 = np.where(which, (np.nan_to_num(p) - y) ** 2, 0.0)
    return np.asarray(squares.sum(1, keepdims=True))


def _binned(p: Float64, y: Bool, which: Bool) -> dict[str, Float64]:
    """Return (N, BINS) numbers, sums of probabilities, and of what is so, of what counts."""
    rows, columns = np.nonzero(which)
    values, true = p[rows, columns], y[rows, columns]
    bins = np.clip((values * BINS).astype(np.int64), 0, BINS - 1)
    at = rows * BINS + bins

    def summed(weights: Float64) -> Float64:
        flat = np.bincount(at, weights, len(p) * BINS).astype(np.float64)
        return flat.reshape(len(p), BINS)

    return {"n": summed(np.ones(len(at))), "p": summed(values), "y": summed(true.astype(float))}


def _calibration_error(total: dict[str, Float64], name: str) -> float | None:
    """Return the expected calibration error (Naeini et al. 2015): mean of |share - probability|."""
    n, p, y = (total[f"{name}_{what}"] for what in ("n", "p", "y"))
    return _over(float(np.abs(y - p).sum()), float(n.sum()))


def _over(over: float, under: float) -> float | None:
    return over / under if under > 0 else None


def _each(over: Float64, under: Float64) -> list[float | None]:
    return [_over(float(a), float(b)) for a, b in zip(over, under, strict=True)]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None
